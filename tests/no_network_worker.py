"""The real worker in its jail, with a network that finds the middle of each picture: where only files are tested."""

import sys

import numpy as np

from watcher import matting, worker

SIDE = 1024
middle = np.zeros((SIDE, SIDE), np.float32)
middle[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] = 1.0

matting.load = lambda *_: None  # type: ignore[assignment]
matting.network_input = lambda *_: middle
matting.alpha = lambda *_: middle
sys.exit(worker.main())
