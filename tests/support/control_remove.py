"""`control_remove.py HOME ARGUMENTS…` is `nobg ARGUMENTS…` with the unjailed worker.

It is the positive control of the privacy test. HOME: the worker's home folder.
"""

import sys
from pathlib import Path

from watcher.cli import main
from watcher.worker import supervisor

UNJAILED = Path(__file__).parent / "workers" / "unjailed.py"
environment = supervisor.worker_environment()
del environment["ORT_DISABLE_TELEMETRY"]
environment["HOME"] = sys.argv.pop(1)
supervisor.worker_environment = lambda: environment
supervisor.worker_command = lambda mode: [sys.executable, str(UNJAILED), mode.name]
sys.exit(main.main())
