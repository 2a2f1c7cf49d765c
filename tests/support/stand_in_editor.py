"""`python -m watcher.editor` without Qt or networks: `stand_in_editor.py FROM_TEST TO_TEST LOG DEATHS GATE PATH`."""

import sys
from pathlib import Path

from watcher.editor import __main__ as editor
from watcher.program import touch_up
from watcher.worker import supervisor

SUPPORT = Path(__file__).parent
pipes, worker_files, arguments = sys.argv[1:3], sys.argv[3:6], sys.argv[6:]
touch_up.is_available = lambda: True
editor.window_command = lambda: [sys.executable, str(SUPPORT / "stand_in_window.py"), *pipes]
supervisor.worker_command = lambda mode: [  # noqa: ARG005
    sys.executable,
    str(SUPPORT / "workers" / "touchup.py"),
    *worker_files,
]
sys.exit(editor.main(arguments))
