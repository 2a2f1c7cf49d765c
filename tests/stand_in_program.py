"""`stand_in_program.py WORKER LOG ARGUMENTS…` is `nobg ARGUMENTS…` with WORKER, a script, in place of its own."""

import sys

from watcher import cli, staff
from watcher.modes import Mode

script, log = sys.argv.pop(1), sys.argv.pop(1)


def worker_command(mode: Mode) -> list[str]:
    """In place of the real one."""
    return [sys.executable, "-P", script, *([log] if log else []), mode.name]


staff.worker_command = worker_command
sys.exit(cli.main())
