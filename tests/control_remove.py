"""`nobg` with the worker of unjailed_worker.py: the positive control of the privacy test."""

import sys
from pathlib import Path

from watcher import cli, staff

UNJAILED = Path(__file__).parent / "unjailed_worker.py"
environment = staff.worker_environment()
del environment["ORT_DISABLE_TELEMETRY"]
environment["HOME"] = sys.argv.pop(1)
staff.worker_environment = lambda: environment
staff.worker_command = lambda mode: [sys.executable, str(UNJAILED), mode.name]
sys.exit(cli.main())
