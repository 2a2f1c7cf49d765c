"""Several opinions -> one alpha: the surer network decides what is subject, the finer one draws the outline.

Where there is a person, the network for people has its say, too. Also decides whether there is a clear subject at all
(`has_clear_subject`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher.matting import regions
from watcher.matting.models import Model
from watcher.matting.modes import View

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

# In regions, log odds are multiplied by this. A grey mean of two networks that contradict each other is wrong either
# way; a firm answer is right more often than not. Outlines and fine lines stay as they are.
_DECISIVENESS = 8.0
_EVERYWHERE = 2.0  # and by this everywhere: otherwise, a whole inside is 0.98 here and there
_MIN_GHOST = 0.05  # difference that this makes to the alpha of a region: less is none
_MIN_CONTRADICTION = 0.3  # between the guide and what was decided: such a region the guide lacks, or invents

# When the network for people counts: fitted by assets/models/fit_person.py to 217 photos, checked by cross-validation.
MIN_PERSON, SURE_PERSON = 0.35, 0.65  # of the probability of a person: the trust begins, and is full
_FRAME = 8  # pixels of 256 that count as the border of the picture
MAX_DEVIATION = 3.0  # of a feature from its mean, in standard deviations: more counts as this
_TRUST_BIAS = (-1.4554, -2.5769)
# Feature -> its mean, its standard deviation, and its weights for where the network for people sees more, and less.
_TRUST = {
    "person": (0.4113, 0.4144, 0.251, 0.070),
    "finer and people agree": (0.5516, 0.4044, -0.069, 0.064),
    "other and people agree": (0.5487, 0.4017, -0.159, 0.052),
    "finer and other agree": (0.8863, 0.1562, -0.177, 0.010),
    "softness of finer": (0.0560, 0.0816, 0.163, -0.007),
    "softness of other": (0.0402, 0.0720, -0.217, -0.012),
    "softness of people": (0.0872, 0.1140, -0.044, 0.0),
    "area of people": (0.2030, 0.2072, 0.026, 0.166),
    "people inside others": (0.8522, 0.2471, -0.381, 0.041),
    "others inside people": (0.5839, 0.4185, 0.141, 0.036),
    "people at the bottom": (0.1699, 0.3183, 0.262, 0.337),
    "people at the sides": (0.0317, 0.0931, 0.026, 0.269),
    "person, and agreement": (0.3449, 0.4109, 0.084, 0.122),
    "person, and the bottom": (0.1025, 0.2663, 0.342, 0.374),
}

# The guided filter computes its coefficients at 1 / 4 of the side: half the work of 1 / 2, with the same scores.
_SUBSAMPLING = 4
_RADIUS = 7  # of its window, at that side: the window is 57 pixels wide at 896
_EPSILON = 1e-3  # variance of the guide below which a window counts as flat


@dataclass(frozen=True)
class Opinion:
    """What one view makes of the whole picture: `alpha` (h, w), float32 in 0..1, of any size."""

    view: View
    alpha: FloatArray


def fuse_views(opinions: Sequence[Opinion], person: float = 0.0) -> FloatArray:
    """Combine the opinions on a picture into one alpha: (H, W), float32 in 0..1, of the largest opinion's shape.

    All opinions together decide what is subject. If they are of several networks, that of the first opinion draws the
    outline: it is the finer one. `person`: the probability that there is a person, 0..1. The network for people counts
    as far as `person_trust` says.
    """
    if len({opinion.view.model for opinion in opinions}) == 1:
        return pool_opinions([opinion.alpha for opinion in opinions])
    finer, others, of_people = _by_role(opinions)
    odds = pooled_log_odds([*finer, *others])
    guide = mean([regions.resize_bilinear(alpha, odds.shape) for alpha in finer])
    up, down = _trust_in_people(finer, others, of_people, person)
    if up or down:
        people = mean([regions.resize_bilinear(alpha, odds.shape) for alpha in of_people])
        difference = log_odds(people) - odds
        odds += np.where(difference > 0, np.float32(up), np.float32(down)) * difference
        guide = guide + np.float32((up + down) / 2) * (people - guide)
    fused, decided = (undo_clipping(to_alpha(odds * np.float32(factor))) for factor in (_EVERYWHERE, _DECISIVENESS))
    fused = regions.adopt_regions(fused, decided, _MIN_GHOST, reach=3)
    guide = regions.adopt_regions(guide, decided, _MIN_CONTRADICTION, reach=1)
    outlined = transfer_outline(fused, guide)
    # The filter leaves a haze of about 0.01 around the outline.
    return regions.remove_specks(undo_clipping(outlined))


def _trust_in_people(
    finer: Sequence[FloatArray], others: Sequence[FloatArray], of_people: Sequence[FloatArray], person: float
) -> tuple[float, float]:
    """Return `person_trust` of the alphas of these views; no trust if one of the three groups is missing."""
    if not (finer and others and of_people and person > MIN_PERSON):
        return 0.0, 0.0
    small_finer, small_other, small_people = (
        mean([downsample(alpha) for alpha in group]) for group in (finer, others, of_people)
    )
    return person_trust(small_finer, small_other, small_people, person)


def confirmed_by_people(opinions: Sequence[Opinion], alpha: FloatArray, person: float) -> float:
    """Return how far the network for people confirms `alpha`, 0..1: the trust in it, times its soft IoU with alpha.

    `opinions` and `person`: as `fuse_views` takes them; `alpha` (H, W), float32 in 0..1: what they became.
    """
    finer, others, of_people = _by_role(opinions)
    up, down = _trust_in_people(finer, others, of_people, person)
    if not up + down:
        return 0.0
    people = mean([downsample(view_alpha) for view_alpha in of_people])
    return (up + down) / 2 * soft_iou([downsample(alpha), people])


def _by_role(opinions: Sequence[Opinion]) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
    """Return the alphas of the finer network, those of the others for any subject, and those for people."""
    first = opinions[0].view.model
    rest = [opinion for opinion in opinions if opinion.view.model != first]
    return (
        [opinion.alpha for opinion in opinions if opinion.view.model == first],
        [opinion.alpha for opinion in rest if not opinion.view.model.finds_people],
        [opinion.alpha for opinion in rest if opinion.view.model.finds_people],
    )


def person_trust(finer: FloatArray, other: FloatArray, people: FloatArray, person: float) -> tuple[float, float]:
    """Return how much the network for people counts, 0..1: where it sees more of a subject than the others, and less.

    All alphas are (256, 256), float32 in 0..1: of the finer network, of the other one, and of the network for people.
    `person`: the probability that there is a person, 0..1; below 0.35, the trust is 0. Otherwise, each trust is a
    logistic regression on what `trust_features` measures; assets/models/fit_person.py has fitted it.
    """
    features = trust_features(finer, other, people, person)
    up, down = _TRUST_BIAS
    for name, (centre, scale, up_weight, down_weight) in _TRUST.items():
        value = min(max((features[name] - centre) / scale, -MAX_DEVIATION), MAX_DEVIATION)
        up, down = up + up_weight * value, down + down_weight * value
    share = min(max((person - MIN_PERSON) / (SURE_PERSON - MIN_PERSON), 0.0), 1.0)
    return share / (1 + math.exp(-up)), share / (1 + math.exp(-down))


def trust_features(finer: FloatArray, other: FloatArray, people: FloatArray, person: float) -> dict[str, float]:
    """Return what is known about a picture with perhaps a person, by the names in `_TRUST`."""
    others = mean([finer, other])
    bottom, agreement = float(people[-_FRAME:].mean()), soft_iou([finer, people])
    return {
        "person": person,
        "finer and people agree": agreement,
        "other and people agree": soft_iou([other, people]),
        "finer and other agree": soft_iou([finer, other]),
        "softness of finer": softness(finer),
        "softness of other": softness(other),
        "softness of people": softness(people),
        "area of people": float(people.mean()),
        "people inside others": _share_inside(people, others),
        "others inside people": _share_inside(others, people),
        "people at the bottom": bottom,
        "people at the sides": float((people[:, :_FRAME].mean() + people[:, -_FRAME:].mean()) / 2),
        "person, and agreement": person * agreement,
        "person, and the bottom": person * bottom,
    }


def _share_inside(alpha: FloatArray, other: FloatArray) -> float:
    """Return the share of `alpha`, 0..1, that `other` has, too. Both have equal shape."""
    return float(np.minimum(alpha, other).sum() / max(float(alpha.sum()), 1.0))


def has_clear_subject(opinions: Sequence[Opinion]) -> bool:
    """Return whether there is something to cut out: large enough, with a decided mask, and agreed by all networks."""
    undecided = pool_small(opinions)
    if subject_area_fraction(undecided) < _MIN_AREA_FRACTION or softness(undecided) > _MAX_SOFTNESS:
        return False
    by_model: dict[Model, list[FloatArray]] = {}
    for opinion in of_any_subject(opinions):
        by_model.setdefault(opinion.view.model, []).append(downsample(opinion.alpha))
    return len(by_model) == 1 or soft_iou([mean(alphas) for alphas in by_model.values()]) >= _MIN_SOFT_IOU


def pool_small(opinions: Sequence[Opinion]) -> FloatArray:
    """Return the alpha of the views for any subject before it is made decided: (256, 256), float32 in 0..1."""
    return pool_opinions([downsample(opinion.alpha) for opinion in of_any_subject(opinions)])


def of_any_subject(opinions: Sequence[Opinion]) -> Sequence[Opinion]:
    """Return the opinions of views that look for any subject: where the subject is a thing, they must agree.

    That is all views but those for people, and all views of a mode that has no others.
    """
    return [opinion for opinion in opinions if not opinion.view.model.finds_people] or opinions


def subject_area_fraction(values: FloatArray) -> float:
    """Return the fraction, 0..1, of pixels that are subject: alpha (H, W) of at least 0.5."""
    return float(np.count_nonzero(values >= 0.5) / values.size)


def soft_iou(alphas: Sequence[FloatArray]) -> float:
    """Return the soft intersection over union, 0..1, of alphas of equal shape (Ruzicka, 1958).

    It is the sum of the pixelwise minimum divided by the sum of the pixelwise maximum, and 0 for empty alphas.
    """
    minimum, maximum = np.minimum.reduce(list(alphas)), np.maximum.reduce(list(alphas))
    return float(minimum.sum() / max(float(maximum.sum()), 1.0))


def downsample(alpha: FloatArray) -> FloatArray:
    """Resize alpha (H, W) to (256, 256): each pixel is the mean of the area that it covers."""
    if alpha.shape == (_AGREEMENT_SIDE, _AGREEMENT_SIDE):
        return alpha
    whole = Image.fromarray(np.ascontiguousarray(alpha))
    return np.asarray(whole.resize((_AGREEMENT_SIDE, _AGREEMENT_SIDE), Image.Resampling.BOX), np.float32)


def pool_opinions(opinions: Sequence[FloatArray]) -> FloatArray:
    """Average alphas, each (h, w), float32 in 0..1, into one: (H, W), float32 in 0..1, the shape of the largest.

    The average is that of their log odds: see `pooled_log_odds`.
    """
    return undo_clipping(to_alpha(pooled_log_odds(opinions)))


def pooled_log_odds(opinions: Sequence[FloatArray]) -> FloatArray:
    """Average the log odds of alphas, each (h, w), float32 in 0..1: (H, W), float32, the shape of the largest.

    Each is weighted by 1 / (softness + 0.02)^2: a logarithmic opinion pool (Genest and Zidek, "Combining Probability
    Distributions", Statistical Science 1986) in which the surer one counts more.
    """
    shape = max((alpha.shape for alpha in opinions), key=math.prod)
    total, weights = np.zeros(shape, np.float32), 0.0
    for alpha in opinions:
        opinion = regions.resize_bilinear(alpha, shape)
        weight = (softness(opinion) + _SOFTNESS_FLOOR) ** -2
        total += np.float32(weight) * log_odds(opinion)
        weights += weight
    return total * np.float32(1 / weights)


def to_alpha(odds: FloatArray) -> FloatArray:
    """Return the alpha p, float32 in 0.02..0.98, of log odds: 1 / (1 + exp(-x)), clipped."""
    alpha: FloatArray = np.reciprocal(np.exp(-odds) + 1)
    return np.clip(alpha, np.float32(_PROBABILITY_MARGIN), np.float32(1 - _PROBABILITY_MARGIN), out=alpha)


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
    """Return `fused` with the outline of `guide`: both (H, W), float32 in 0..1, with H and W multiples of 4.

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
    result = regions.resize_bilinear(box_mean(slope, radius), guide.shape) * guide
    result += regions.resize_bilinear(box_mean(offset, radius), guide.shape)
    return np.clip(result, 0, 1, out=result)


def mean(alphas: Sequence[FloatArray]) -> FloatArray:
    """Return the mean of alphas of equal shape; a single one is returned as it is."""
    total = alphas[0]
    for alpha in alphas[1:]:
        total = total + alpha
    return total if len(alphas) == 1 else total * np.float32(1 / len(alphas))


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
