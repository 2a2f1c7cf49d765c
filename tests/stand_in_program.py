"""`stand_in_program.py LOG ARGUMENTS…` is `nobg ARGUMENTS…` with the worker of stand_in_worker.py, without a model."""

import sys
from pathlib import Path

from watcher import cli, staff
from watcher.models import Model

STAND_IN = Path(__file__).parent / "stand_in_worker.py"
log = sys.argv.pop(1)


def worker_command(model: Model) -> list[str]:
    """In place of the real one."""
    return [sys.executable, str(STAND_IN), log, model.name]


staff.worker_command = worker_command
sys.exit(cli.main())
