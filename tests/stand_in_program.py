"""`stand_in_program.py WORKER LOG ARGUMENTS…` is `nobg ARGUMENTS…` with WORKER, a script, in place of its own."""

import sys

from watcher import cli, staff
from watcher.models import Model

script, log = sys.argv.pop(1), sys.argv.pop(1)


def worker_command(model: Model) -> list[str]:
    """In place of the real one."""
    return [sys.executable, "-P", script, *([log] if log else []), model.name]


staff.worker_command = worker_command
sys.exit(cli.main())
