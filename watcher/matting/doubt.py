"""How doubtful an alpha is, 0..1: a network sees something else, or the alpha is soft."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from watcher.matting import fusion

FloatArray = NDArray[np.float32]


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
    agreement = min(fusion.soft_iou([small, fusion.downsample(view_alpha)]) for view_alpha in view_alphas)
    disagreement = (1 - agreement) * (1 - confirmed)
    sureness = 1.0
    for cause in (disagreement, fusion.softness(small)):
        sureness *= 1 - min(max(cause, 0.0), 1.0)
    return 1 - sureness
