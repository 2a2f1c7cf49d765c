"""The worker or a trial, taken over by its model while that is loaded: `python hostile_model.py WHAT NAME`.

WHAT: `worker` or `trial`. NAME: of the mode, or of the template. It reports what the jail did not refuse.
"""

import sys
from typing import Any

from watcher.errors import ModelError
from watcher.jail.probe import probe
from watcher.matting.networks import inference
from watcher.worker import process
from watcher.worker.model_install import trial


def take_over(*_arguments: Any, **_options: Any) -> inference.Network:
    """Stand in for `inference.load_network`."""
    possible = [name for name, was_refused in probe().items() if not was_refused]
    raise ModelError(f"The model could: {', '.join(possible) or 'nothing'}.")


inference.load_network = take_over
sys.exit({"worker": process.main, "trial": trial.main}[sys.argv.pop(1)]())
