"""How doubtful an alpha is, 0..1, and why: a network sees something else, or the alpha is soft."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from watcher.matting import fusion

FloatArray = NDArray[np.float32]

# From these on, a cause is a reason. Together they make a doubt of 0.126: whatever is more doubtful has a reason.
_MIN_DISAGREEMENT = 0.08
_MIN_SOFTNESS = 0.05
_MIN_PART = 0.7  # of the disagreement: in one half of the subject, so that it is about this half
# Of the left or right edge of the picture, covered by subject. Of the 217 photos, 41 are doubtful (0.2 or more): 5 of
# the 9 cut at a side have an IoU below 0.8, and 7 of the other 32. At the top and the bottom, it tells nothing.
_MIN_CUT = 0.05


def doubt(view_alphas: Sequence[FloatArray], alpha: FloatArray, confirmed: float = 0.0) -> float:
    """Return how doubtful the alpha of a picture is: 0 (clear) to 1, also 1 if nothing of it is subject.

    `view_alphas`: the alpha of each view for any subject; `alpha`: what all views became together. All are (H, W) of
    any size, float32 in 0..1. `confirmed`: how far the network for people confirms alpha, 0..1; then it matters less
    that another network misses the person.

    It is 1 - (1 - d) (1 - s), so each of the two raises it: d is (1 - confirmed) times the largest disagreement of a
    view with alpha, 1 - soft IoU, and s the softness of alpha. docs/figures.md says how well it ranks. How much of the
    subject the frame cuts told nothing: most portraits are cut, and clear.
    """
    small = fusion.downsample(alpha)
    if not np.any(small >= 0.5):  # such an alpha is soft everywhere, however faint it is
        return 1.0
    disagreement, _ = _disagreement(view_alphas, small, confirmed)
    sureness = 1.0
    for cause in (disagreement, fusion.softness(small)):
        sureness *= 1 - min(max(cause, 0.0), 1.0)
    return 1 - sureness


def reasons(view_alphas: Sequence[FloatArray], alpha: FloatArray, confirmed: float = 0.0) -> list[str]:
    """Return why the alpha of a picture is doubtful: keys of errors.DOUBTS, none if it is clear.

    The arguments are those of `doubt`. With d and s as there:

    - `faint`: nothing of it is subject; then there is no other reason.
    - `disagree…`, if d is 0.08 or more: a network sees something else. Where: M(part) is the share of the sum of |v -
      alpha|, v being the view that disagrees most, in one half of the smallest box around what either of them takes for
      subject. If the largest of M(upper), M(lower), M(left) and M(right) is 0.7 or more, the reason names that half.
    - `soft`, if s is 0.05 or more: much of the subject is neither kept nor erased.
    - `touches_edge`: the subject covers a twentieth of the left or right edge of the picture. That is only said beside
      another reason, since it makes nothing doubtful by itself.
    """
    small = fusion.downsample(alpha)
    is_subject = small >= 0.5
    if not is_subject.any():
        return ["faint"]
    found = []
    disagreement, view_alpha = _disagreement(view_alphas, small, confirmed)
    if disagreement >= _MIN_DISAGREEMENT:
        found.append(_where(np.abs(view_alpha - small), np.maximum(view_alpha, small) >= 0.5))
    if fusion.softness(small) >= _MIN_SOFTNESS:
        found.append("soft")
    if found and max(is_subject[:, 0].mean(), is_subject[:, -1].mean()) >= _MIN_CUT:
        found.append("touches_edge")
    return found


def _disagreement(view_alphas: Sequence[FloatArray], small: FloatArray, confirmed: float) -> tuple[float, FloatArray]:
    """Return d of `doubt` for the alpha `small` (256, 256), and the alpha of the view that disagrees most, as small."""
    small_views = [fusion.downsample(view_alpha) for view_alpha in view_alphas]
    agreements = [fusion.soft_iou([small, view_alpha]) for view_alpha in small_views]
    most = int(np.argmin(agreements))
    return (1 - agreements[most]) * (1 - confirmed), small_views[most]


def _where(difference: FloatArray, is_subject: NDArray[np.bool_]) -> str:
    """Return the reason for a `difference`, with the half of the box around `is_subject` that has most of it."""
    shares = {}
    for axis, names in enumerate((("upper", "lower"), ("left", "right"))):
        places = np.nonzero(is_subject.any(axis=1 - axis))[0]
        along = difference.sum(axis=1 - axis)
        middle = (places[0] + places[-1] + 1) // 2
        shares[names[0]], shares[names[1]] = float(along[:middle].sum()), float(along[middle:].sum())
    part = max(shares, key=lambda name: shares[name])
    is_there = shares[part] >= _MIN_PART * float(difference.sum())
    return f"disagree_{part}" if is_there else "disagree"
