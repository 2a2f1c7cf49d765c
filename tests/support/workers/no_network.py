"""The real worker in its jail, with networks that find the middle of each picture: where only files are tested."""

import sys
from collections.abc import Sequence

import numpy as np

from watcher.matting import inference
from watcher.matting.modes import View
from watcher.worker import process


def middle(view: View) -> inference.FloatArray:
    """What each view answers."""
    answer = np.zeros((view.side, view.side), np.float32)
    answer[view.side // 4 : -view.side // 4, view.side // 4 : -view.side // 4] = 1.0
    return answer


def look(ensemble: inference.Ensemble, _inputs: Sequence[inference.FloatArray]) -> list[inference.FloatArray]:
    """In place of the networks."""
    return [middle(view) for view in ensemble.mode.views]


sys.argv[1] = "fast"  # a single view, and a small one: the rest costs no more than it must
inference.load_ensemble = lambda _data, mode, *_: inference.Ensemble(mode, {})
inference.network_input = lambda _rgb, view: middle(view)  # type: ignore[assignment]
inference.infer_views = look  # type: ignore[assignment]
sys.exit(process.main())
