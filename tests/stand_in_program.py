"""`nobg` with the worker of stand_in_worker.py: the whole program, without a model. `stand_in_program.py LOG ARGUMENTS…`."""

import sys
from pathlib import Path

from watcher import cli, staff

STAND_IN = Path(__file__).parent / "stand_in_worker.py"
log = sys.argv.pop(1)
staff.worker_command = lambda _model: [sys.executable, str(STAND_IN), log]
sys.exit(cli.main())
