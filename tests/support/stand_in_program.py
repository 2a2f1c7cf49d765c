"""`stand_in_program.py WORKER LOG ARGUMENTS…` is `nobg ARGUMENTS…` with WORKER, a script, in place of its own."""

import sys

from watcher.cli import main
from watcher.matting.modes import Mode
from watcher.worker import supervisor

script, log = sys.argv.pop(1), sys.argv.pop(1)


def worker_command(mode: Mode) -> list[str]:
    """In place of the real one."""
    return [sys.executable, "-P", script, *([log] if log else []), mode.name]


supervisor.worker_command = worker_command
sys.exit(main.main())
