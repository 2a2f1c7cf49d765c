"""The real worker in its jail, without neural networks: the middle of each picture is its subject."""

import sys
from typing import Any

import numpy as np

from watcher.matting.fusion import Opinion
from watcher.matting.modes import View
from watcher.matting.networks import inference
from watcher.worker import process


def middle_square(view: View) -> inference.FloatArray:
    """Return the alpha of each view: 1 in the middle, 0 around it."""
    alpha = np.zeros((view.side, view.side), np.float32)
    alpha[view.side // 4 : -view.side // 4, view.side // 4 : -view.side // 4] = 1.0
    return alpha


def infer(ensemble: inference.Ensemble, *_: Any) -> tuple[list[Opinion], float]:
    """Return opinions in place of the networks', and no person."""
    return [Opinion(view, middle_square(view)) for view in ensemble.mode.all_views], 0.0


sys.argv[1] = "fast"  # a single view, and a small one, which costs the least time
inference.load_ensemble = lambda _data, mode, *_: inference.Ensemble(mode, {})
inference.first_inputs = lambda *_: []
inference.infer = infer  # type: ignore[assignment]
sys.exit(process.main())
