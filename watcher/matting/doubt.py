"""How doubtful an alpha is, 0..1: the networks disagree, its inside is soft, or the frame cuts the subject."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from watcher.matting import fusion

FloatArray = NDArray[np.float32]

_CUT_WEIGHT = 0.2  # small, because most portraits are cut by the frame, and are clear


def doubt(view_alphas: Sequence[FloatArray], alpha: FloatArray) -> float:
    """Return how doubtful the alpha of a picture is: 0 (clear) to 1, also 1 if nothing of it is subject.

    `view_alphas`: each view's alpha; `alpha`: what they became together. All are (H, W) of any size, float32 in 0..1.

    It is 1 - product of (1 - x), so each of three x in 0..1 raises it: the views' disagreement, 1 - soft IoU; softness,
    as a share of 0.5; and a fifth of the share of the frame's border that is subject.
    """
    small = fusion.downsample(alpha)
    if not np.any(small >= 0.5):  # such an alpha is soft everywhere, however faint it is
        return 1.0
    disagreement = 1 - fusion.soft_iou([fusion.downsample(view_alpha) for view_alpha in view_alphas])
    softness = fusion.softness(small) / fusion.MAX_SOFTNESS
    sureness = 1.0
    for cause in (disagreement, softness, _CUT_WEIGHT * _cut_fraction(small)):
        sureness *= 1 - min(max(cause, 0.0), 1.0)
    return 1 - sureness


def _cut_fraction(alpha: FloatArray) -> float:
    """Return the fraction, 0..1, of the border's pixels that are subject: alpha (H, W) of at least 0.5."""
    border = np.concatenate([alpha[0], alpha[-1], alpha[1:-1, 0], alpha[1:-1, -1]])
    return float(np.count_nonzero(border >= 0.5) / border.size)
