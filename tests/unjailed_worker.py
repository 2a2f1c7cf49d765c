"""The worker without what keeps it quiet: the positive control of the privacy test. Never part of nobg."""

import os
import sys

import watcher
from watcher import jail

del os.environ["ORT_DISABLE_TELEMETRY"]  # watcher has set it; onnxruntime is imported below
jail.enter_before_threads = list
jail.enter_with_threads = list

assert watcher.__version__
from watcher.worker import main  # noqa: E402

sys.exit(main())
