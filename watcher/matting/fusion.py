"""Several networks' answers -> one alpha: what is subject by the surer network, the outline by the finer one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher.matting.models import Model
from watcher.matting.modes import Mode

FloatArray = NDArray[np.float32]

_PROBABILITY_MARGIN = 0.02  # no network is taken to be surer than this; also the logit of 0 would be infinite
_SOFTNESS_FLOOR = 0.02  # softness that even the surest mask counts as: at most (1 + 0.5 / 0.02)^2 between two networks
_MIN_MEAN_ALPHA = 0.001  # the share of the picture below which a subject is no longer taken smaller, so that 0 / 0 is 0
# When is there a subject? Measured on 217 photos that have one and 316 pictures that have none (README).
_MIN_AREA_FRACTION = 0.0005  # the share of the picture, a square of a 45th of its side, below which a subject is noise
_MAX_SOFTNESS = 0.5  # softness above which a mask is none; photos with a subject: 0.024 in the median, 0.24 at most
_MIN_SOFT_IOU = (
    0.15  # of what any network calls subject, the part that all must; photos with a subject: 0.95 in the median
)
_AGREEMENT_SIDE = 256  # agreement is about regions: outlines are not to count
_SUBSAMPLING = (
    4  # the guided filter's coefficients are found at 1 / 4 of the side: half the work of 1 / 2, the same scores
)
_RADIUS = 7  # of its window, at that size: 57 pixels wide at 896
_EPSILON = 1e-3  # its variance of the guide below which a window counts as flat


def fuse_views(mode: Mode, answers: Sequence[FloatArray]) -> FloatArray:
    """What the mode's views answered, each (side, side) float32 in 0..1, as one: (S, S), S the largest side.

    Each view has its say on what is subject; where several networks looked, the mode's first, which is the finer one,
    draws the outline.
    """
    fused = pool_opinions(answers)
    if len(mode.models) == 1:
        return fused
    views = zip(mode.views, answers, strict=True)
    finer = [resize_bilinear(answer, len(fused)) for view, answer in views if view.model == mode.models[0]]
    outlined = transfer_outline(fused, mean(finer))
    return undo_clipping(outlined)  # the filter leaves a haze of a hundredth around the outline


def has_clear_subject(mode: Mode, answers: Sequence[FloatArray], alpha: FloatArray) -> bool:
    """Is there something to cut out: a part of the picture, the mask sure of it, and the networks of one mind?

    `answers`: as `one_alpha` takes them; `alpha`: what it made of them.
    """
    opinions: dict[Model, list[FloatArray]] = {}
    for view, answer in zip(mode.views, answers, strict=True):
        opinions.setdefault(view.model, []).append(_downsample(answer))
    if subject_area_fraction(alpha) < _MIN_AREA_FRACTION or softness(alpha) > _MAX_SOFTNESS:
        return False
    return len(opinions) == 1 or soft_iou([mean(views) for views in opinions.values()]) >= _MIN_SOFT_IOU


def subject_area_fraction(values: FloatArray) -> float:
    """The share, 0..1, of the picture that is more subject than background: alpha (H, W) of at least 0.5."""
    return float(np.count_nonzero(values >= 0.5) / values.size)


def soft_iou(alphas: Sequence[FloatArray]) -> float:
    """How much of what any calls subject is so for all, 0..1: a soft intersection over union (Ruzicka, 1958).

    The sum of the least alpha at each place to that of the largest, all of one shape; 0 where none finds anything.
    """
    least, largest = np.minimum.reduce(list(alphas)), np.maximum.reduce(list(alphas))
    return float(least.sum() / max(float(largest.sum()), 1.0))


def _downsample(alpha: FloatArray) -> FloatArray:
    """(s, s) -> (256, 256): each place the mean of what it covers."""
    if len(alpha) == _AGREEMENT_SIDE:
        return alpha
    whole = Image.fromarray(np.ascontiguousarray(alpha))
    return np.asarray(whole.resize((_AGREEMENT_SIDE, _AGREEMENT_SIDE), Image.Resampling.BOX), np.float32)


def pool_opinions(opinions: Sequence[FloatArray]) -> FloatArray:
    """Several answers, each (s, s) float32 in 0..1, as one: (S, S) float32 in 0..1, S the largest side.

    Their log odds are averaged, each weighted by 1 / (softness + 0.02)^2: a logarithmic opinion pool (Genest and Zidek,
    "Combining Probability Distributions", Statistical Science 1986) that trusts the surer one more.
    """
    side = max(map(len, opinions))
    total, weights = np.zeros((side, side), np.float32), 0.0
    for answer in opinions:
        opinion = resize_bilinear(answer, side)
        weight = (softness(opinion) + _SOFTNESS_FLOOR) ** -2
        total += np.float32(weight) * log_odds(opinion)
        weights += weight
    odds: FloatArray = np.exp(total * np.float32(-1 / weights))
    return undo_clipping(np.reciprocal(odds + 1))


def softness(alpha: FloatArray) -> float:
    """How undecided a mask is, 0..1: the mean of p (1 - p) to the mean of p.

    It is 0 where each pixel is 0 or 1, also for an empty mask: a network that finds nothing counts in full.
    """
    mean_alpha = float(alpha.mean())
    return (mean_alpha - float(np.vdot(alpha, alpha)) / alpha.size) / max(mean_alpha, _MIN_MEAN_ALPHA)


def log_odds(alpha: FloatArray) -> FloatArray:
    """log(p / (1 - p)), with p kept within 0.02..0.98."""
    clipped = np.clip(alpha, np.float32(_PROBABILITY_MARGIN), np.float32(1 - _PROBABILITY_MARGIN))
    odds: FloatArray = np.log(clipped / (1 - clipped))
    return odds


def undo_clipping(alpha: FloatArray) -> FloatArray:
    """0.02..0.98 -> 0..1: undoes what `log_odds` keeps from the ends."""
    result: FloatArray = np.clip(
        (alpha - np.float32(_PROBABILITY_MARGIN)) * np.float32(1 / (1 - 2 * _PROBABILITY_MARGIN)), 0, 1
    )
    return result


def transfer_outline(fused: FloatArray, guide: FloatArray, radius: int = _RADIUS) -> FloatArray:
    """`fused` with the outline of `guide`, both (S, S) float32 in 0..1, S a multiple of 4: a fast guided filter.

    Within each window the result is the straight line a * guide + b next to `fused`: it follows the edges of the guide,
    and keeps the regions of `fused` where the guide is flat (He and Sun, "Fast Guided Filter", arXiv 1505.00996).
    """
    small_fused, small_guide = subsample(fused), subsample(guide)
    mean_guide, mean_fused = box_mean(small_guide, radius), box_mean(small_fused, radius)
    covariance = box_mean(small_guide * small_fused, radius) - mean_guide * mean_fused
    variance: FloatArray = box_mean(small_guide * small_guide, radius) - mean_guide * mean_guide
    slope: FloatArray = covariance / (variance + np.float32(_EPSILON))
    offset: FloatArray = mean_fused - slope * mean_guide
    side = len(guide)
    result = resize_bilinear(box_mean(slope, radius), side) * guide
    result += resize_bilinear(box_mean(offset, radius), side)
    return np.clip(result, 0, 1, out=result)


def mean(alphas: Sequence[FloatArray]) -> FloatArray:
    """Their mean, of equal shapes (one is returned as it is)."""
    total = alphas[0]
    for alpha in alphas[1:]:
        total = total + alpha
    return total if len(alphas) == 1 else total * np.float32(1 / len(alphas))


def resize_bilinear(alpha: FloatArray, side: int) -> FloatArray:
    """Bilinear to (side, side) float32."""
    if len(alpha) == side:
        return alpha
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize((side, side), Image.Resampling.BILINEAR))


def subsample(alpha: FloatArray) -> FloatArray:
    """Each 4 x 4 pixels as one: their mean."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).reduce(_SUBSAMPLING))


def box_mean(values: FloatArray, radius: int) -> FloatArray:
    """The mean of each window of (2 radius + 1)^2, (H, W) float32; the border is mirrored, the edge pixel included."""
    return _box_mean_vertical(np.ascontiguousarray(_box_mean_vertical(values, radius).T), radius).T


def _box_mean_vertical(values: FloatArray, radius: int) -> FloatArray:
    """The same along the first axis only: differences of running sums (float32 keeps 6 digits of 500 numbers)."""
    width = 2 * radius + 1
    sums = np.cumsum(np.pad(values, ((radius + 1, radius), (0, 0)), "symmetric"), axis=0)
    means: FloatArray = (sums[width:] - sums[:-width]) * np.float32(1 / width)
    return means
