"""The real worker in its jail, with networks that find the middle of each picture: where only files are tested."""

import sys
from collections.abc import Sequence

import numpy as np

from watcher import matting, worker
from watcher.modes import View


def middle(view: View) -> matting.Values:
    """What each view answers."""
    answer = np.zeros((view.side, view.side), np.float32)
    answer[view.side // 4 : -view.side // 4, view.side // 4 : -view.side // 4] = 1.0
    return answer


def look(ensemble: matting.Ensemble, _inputs: Sequence[matting.Values]) -> list[matting.Values]:
    """In place of the networks."""
    return [middle(view) for view in ensemble.mode.views]


sys.argv[1] = "fast"  # a single view, and a small one: the rest costs no more than it must
matting.load = lambda _data, mode, *_: matting.Ensemble(mode, {})
matting.network_input = lambda _rgb, view: middle(view)  # type: ignore[assignment]
matting.look = look  # type: ignore[assignment]
sys.exit(worker.main())
