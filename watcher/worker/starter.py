"""Starts the worker process from a thread that lives as long as the program.

In the jail, the worker asks the kernel for its end when its parent ends. The kernel takes the *thread* that started the
worker for its parent (prctl(2), PR_SET_PDEATHSIG), and the threads of a pool or of a server come and go.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future

Start = Callable[[], "subprocess.Popen[bytes]"]


class _Starter:
    """The thread, which the first call starts, and what it has to do."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as a forked process must: it has none of its parent's threads."""
        self._requests: queue.SimpleQueue[tuple[Start, Future[subprocess.Popen[bytes]]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, start: Start) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="starter", daemon=True)
                self._thread.start()
        result: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((start, result))
        return result.result()

    def _run(self) -> None:
        while True:
            start, result = self._requests.get()
            try:
                result.set_result(start())
            except BaseException as error:  # noqa: BLE001  it is the caller's
                result.set_exception(error)
            del start, result


_starter = _Starter()


def start_in_lasting_thread(start: Start) -> subprocess.Popen[bytes]:
    """Call `start` in the lasting thread, and return the process that it starts. Raises what `start` raises."""
    return _starter.call(start)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_starter.reset)
