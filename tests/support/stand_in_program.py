"""`stand_in_program.py WORKER LOG ARGUMENTS…` is `nobg ARGUMENTS…` with the script WORKER as its worker.

LOG: the script's first argument; if it is empty, the script gets no such argument.
"""

import sys

from watcher import session
from watcher.cli import main
from watcher.matting.modes import Mode
from watcher.worker import supervisor

script, log = sys.argv.pop(1), sys.argv.pop(1)


def worker_command(mode: Mode) -> list[str]:
    """Return the command that starts the script, in place of the real worker."""
    return [sys.executable, "-P", script, *([log] if log else []), mode.name]


supervisor.worker_command = worker_command
session.RUNTIME_FOLDERS = "/nowhere"  # the bus of whoever runs the tests is not theirs
sys.exit(main.main())
