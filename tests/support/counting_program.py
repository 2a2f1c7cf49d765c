"""`counting_program.py LOG ARGUMENTS…` is `nobg ARGUMENTS…`; LOG gets the hash of each picture that networks saw."""

import sys
from typing import Any

from watcher.cli import main
from watcher.worker import dispatch, protocol, publish
from watcher.worker.tasks import Task

log = sys.argv.pop(1)
handle_answer = publish.handle_answer


def counting_handle_answer(task: Task, header: protocol.Header, *arguments: Any) -> Any:
    """Handle the answer as the dispatcher does, and note the picture if the worker has computed it."""
    if task.known_answer is None and header["reason"] != protocol.IS_CUT_OUT:
        with open(log, "a", encoding="ascii") as file:
            file.write(task.source.sha256 + "\n")
    return handle_answer(task, header, *arguments)


setattr(dispatch, "handle_answer", counting_handle_answer)  # noqa: B010  the types of its arguments are no matter here
sys.exit(main.main())
