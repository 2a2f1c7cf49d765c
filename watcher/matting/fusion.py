"""Several views' alphas -> one: the surer network decides what is subject, the finer one draws the outline.

Also decides whether there is a clear subject at all (`has_clear_subject`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher.matting.models import Model
from watcher.matting.modes import Mode

FloatArray = NDArray[np.float32]

_PROBABILITY_MARGIN = 0.02  # no network counts as more certain than this; also, the log odds of 0 would be infinite
# Added to each softness, so that even the surest view gets at most (1 + 0.5 / 0.02)^2 times the weight of another.
_SOFTNESS_FLOOR = 0.02
# Smaller means of alpha count as this, so that the softness of an empty mask is 0 and not 0 / 0.
_MIN_MEAN_ALPHA = 0.001

# Thresholds of a clear subject, measured on 217 photos with a subject and 316 pictures without.
_MIN_AREA_FRACTION = 0.0005  # of the picture (a square of a 45th of its side); a smaller subject counts as noise
_MAX_SOFTNESS = 0.5  # of a mask; photos with a subject: 0.024 in the median, 0.24 at most
_MIN_SOFT_IOU = 0.15  # between the networks; photos with a subject: 0.95 in the median
_AGREEMENT_SIDE = 256  # at which the networks are compared: small, because regions must agree, not outlines

# The guided filter computes its coefficients at 1 / 4 of the side: half the work of 1 / 2, with the same scores.
_SUBSAMPLING = 4
_RADIUS = 7  # of its window, at that side: the window is 57 pixels wide at 896
_EPSILON = 1e-3  # variance of the guide below which a window counts as flat


def fuse_views(mode: Mode, view_alphas: Sequence[FloatArray]) -> FloatArray:
    """Combine the alphas of the mode's views into one: (S, S), float32 in 0..1, where S is the largest side.

    `view_alphas`: for each view of the mode, in order, alpha (side, side), float32 in 0..1. All views together decide
    what is subject. In a mode of several networks, the first of its models draws the outline: it is the finer one.
    """
    fused = pool_opinions(view_alphas)
    if len(mode.models) == 1:
        return fused
    views = zip(mode.views, view_alphas, strict=True)
    finer = [resize_bilinear(view_alpha, len(fused)) for view, view_alpha in views if view.model == mode.models[0]]
    outlined = transfer_outline(fused, mean(finer))
    return undo_clipping(outlined)  # the filter leaves a haze of about 0.01 around the outline


def has_clear_subject(mode: Mode, view_alphas: Sequence[FloatArray], alpha: FloatArray) -> bool:
    """Return whether there is something to cut out: large enough, with a decided mask, and agreed by all networks.

    `view_alphas`: as `fuse_views` takes them; `alpha`: its result.
    """
    opinions: dict[Model, list[FloatArray]] = {}
    for view, view_alpha in zip(mode.views, view_alphas, strict=True):
        opinions.setdefault(view.model, []).append(_downsample(view_alpha))
    if subject_area_fraction(alpha) < _MIN_AREA_FRACTION or softness(alpha) > _MAX_SOFTNESS:
        return False
    return len(opinions) == 1 or soft_iou([mean(views) for views in opinions.values()]) >= _MIN_SOFT_IOU


def subject_area_fraction(values: FloatArray) -> float:
    """Return the fraction, 0..1, of pixels that are subject: alpha (H, W) of at least 0.5."""
    return float(np.count_nonzero(values >= 0.5) / values.size)


def soft_iou(alphas: Sequence[FloatArray]) -> float:
    """Return the soft intersection over union, 0..1, of alphas of equal shape (Ruzicka, 1958).

    It is the sum of the pixelwise minimum divided by the sum of the pixelwise maximum, and 0 for empty alphas.
    """
    minimum, maximum = np.minimum.reduce(list(alphas)), np.maximum.reduce(list(alphas))
    return float(minimum.sum() / max(float(maximum.sum()), 1.0))


def _downsample(alpha: FloatArray) -> FloatArray:
    """Resize alpha (s, s) to (256, 256): each pixel is the mean of the area that it covers."""
    if len(alpha) == _AGREEMENT_SIDE:
        return alpha
    whole = Image.fromarray(np.ascontiguousarray(alpha))
    return np.asarray(whole.resize((_AGREEMENT_SIDE, _AGREEMENT_SIDE), Image.Resampling.BOX), np.float32)


def pool_opinions(opinions: Sequence[FloatArray]) -> FloatArray:
    """Average alphas, each (s, s), float32 in 0..1, into one: (S, S), float32 in 0..1, where S is the largest side.

    The average is that of their log odds, each weighted by 1 / (softness + 0.02)^2: a logarithmic opinion pool (Genest
    and Zidek, "Combining Probability Distributions", Statistical Science 1986) in which the surer one counts more.
    """
    side = max(map(len, opinions))
    total, weights = np.zeros((side, side), np.float32), 0.0
    for alpha in opinions:
        opinion = resize_bilinear(alpha, side)
        weight = (softness(opinion) + _SOFTNESS_FLOOR) ** -2
        total += np.float32(weight) * log_odds(opinion)
        weights += weight
    odds: FloatArray = np.exp(total * np.float32(-1 / weights))
    return undo_clipping(np.reciprocal(odds + 1))


def softness(alpha: FloatArray) -> float:
    """Return how undecided alpha p is, 0..1: the mean of p (1 - p) divided by the mean of p.

    It is 0 if each pixel is 0 or 1. That includes an empty alpha: a network that finds nothing counts in full.
    """
    mean_alpha = float(alpha.mean())
    return (mean_alpha - float(np.vdot(alpha, alpha)) / alpha.size) / max(mean_alpha, _MIN_MEAN_ALPHA)


def log_odds(alpha: FloatArray) -> FloatArray:
    """Return log(p / (1 - p)) of alpha p, clipped to 0.02..0.98 first."""
    clipped = np.clip(alpha, np.float32(_PROBABILITY_MARGIN), np.float32(1 - _PROBABILITY_MARGIN))
    odds: FloatArray = np.log(clipped / (1 - clipped))
    return odds


def undo_clipping(alpha: FloatArray) -> FloatArray:
    """Stretch alpha from 0.02..0.98, to which `log_odds` clips, to 0..1."""
    result: FloatArray = np.clip(
        (alpha - np.float32(_PROBABILITY_MARGIN)) * np.float32(1 / (1 - 2 * _PROBABILITY_MARGIN)), 0, 1
    )
    return result


def transfer_outline(fused: FloatArray, guide: FloatArray, radius: int = _RADIUS) -> FloatArray:
    """Return `fused` with the outline of `guide`: both (S, S), float32 in 0..1, with S a multiple of 4.

    This is the fast guided filter (He and Sun, arXiv 1505.00996). In each window of (2 radius + 1)^2 at a quarter of
    the side, the result is the linear function a * guide + b nearest to `fused`: it follows the edges of the guide, and
    keeps the regions of `fused` where the guide is flat.
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
    """Return the mean of alphas of equal shape; a single one is returned as it is."""
    total = alphas[0]
    for alpha in alphas[1:]:
        total = total + alpha
    return total if len(alphas) == 1 else total * np.float32(1 / len(alphas))


def resize_bilinear(alpha: FloatArray, side: int) -> FloatArray:
    """Resize alpha (s, s) bilinearly to (side, side), float32."""
    if len(alpha) == side:
        return alpha
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize((side, side), Image.Resampling.BILINEAR))


def subsample(alpha: FloatArray) -> FloatArray:
    """Reduce alpha: each 4 x 4 pixels become one, their mean."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).reduce(_SUBSAMPLING))


def box_mean(values: FloatArray, radius: int) -> FloatArray:
    """Return the mean of each window of (2 radius + 1)^2: (H, W), float32. The border is mirrored with its edge."""
    return _box_mean_vertical(np.ascontiguousarray(_box_mean_vertical(values, radius).T), radius).T


def _box_mean_vertical(values: FloatArray, radius: int) -> FloatArray:
    """Return the mean of each window along the first axis only, from differences of running sums.

    float32 is exact enough: it keeps 6 digits of a sum of 500 numbers.
    """
    width = 2 * radius + 1
    sums = np.cumsum(np.pad(values, ((radius + 1, radius), (0, 0)), "symmetric"), axis=0)
    means: FloatArray = (sums[width:] - sums[:-width]) * np.float32(1 / width)
    return means
