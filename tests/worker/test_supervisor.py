"""The parent's side of the worker, where Ctrl-C meets its threads."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import pytest

from watcher.errors import WorkerError
from watcher.worker import supervisor
from watcher.worker.supervisor import Worker


class InterruptAt:
    """A trace function that raises KeyboardInterrupt at the Nth line, as a signal handler would between two lines."""

    def __init__(self, line: int) -> None:
        self.lines_left = line

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> InterruptAt:
        """Count a line; raise at the chosen one."""
        if event == "line":
            self.lines_left -= 1
            if self.lines_left == 0:
                raise KeyboardInterrupt
        return self


def send_interrupted(worker: Worker, line: int) -> bool:
    """Send a message. Return whether Ctrl-C came at that line of it; False if `send` has fewer lines."""
    tracer = InterruptAt(line)
    previous = sys.gettrace()
    sys.settrace(tracer)
    try:
        worker.send({"id": 1, "probe": True})
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


def test_a_worker_can_be_closed_after_ctrl_c_at_any_line_of_a_send() -> None:
    for line in range(1, 100):
        worker = Worker()
        was_interrupted = send_interrupted(worker, line)
        closing = threading.Thread(target=worker.close, daemon=True)
        closing.start()
        closing.join(30)
        if closing.is_alive():
            pytest.fail(f"close() waits for ever after Ctrl-C at line {line} of send()")
        if not was_interrupted:
            assert line > 1
            return
    pytest.fail("send() has no end")


def test_a_worker_that_is_too_slow_to_start_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    monkeypatch.setattr(supervisor, "START_TIMEOUT_SECONDS", 0.25)
    with Worker() as worker, pytest.raises(WorkerError, match="took longer than two minutes") as raised:
        worker.wait_until_ready()
    assert "worker.log" not in str(raised.value)
