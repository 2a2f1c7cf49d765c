"""Starts the worker process: from a thread that lives as long as the program; on Windows, in an AppContainer.

In the jail, the worker asks the kernel for its end when its parent ends. The kernel takes the *thread* that started the
worker for its parent (prctl(2), PR_SET_PDEATHSIG), and the threads of a pool or of a server come and go.

An AppContainer is entered from outside. If Windows makes none, or the worker does not become ready in it, this program
starts its workers without it from then on: they enter a Job Object, and `container_problem` says why.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Union

from watcher import paths
from watcher.errors import NobgError

if TYPE_CHECKING:
    from watcher.jail.appcontainer.process import ContainedProcess

RECORD_FILE_NAME = "appcontainer.json"
"""The list of folders that the AppContainer may read, in the state folder."""


_MAX_CAUSE_LENGTH = 200
"""Characters of what a worker has printed that become a part of a sentence."""


Process = Union["subprocess.Popen[bytes]", "ContainedProcess"]
Start = Callable[[], Process]


class _Starter:
    """The thread, which the first call starts, and what it has to do."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as a forked process must: it has none of its parent's threads."""
        self._requests: queue.SimpleQueue[tuple[Start, Future[Process]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, start: Start) -> Process:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="starter", daemon=True)
                self._thread.start()
        result: Future[Process] = Future()
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


def start_in_lasting_thread(start: Start) -> Process:
    """Call `start` in the lasting thread, and return the process that it starts. Raises what `start` raises."""
    return _starter.call(start)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_starter.reset)


class _Session:
    """What this program knows about AppContainers: why it starts its workers in none, or ""."""

    problem = ""


def container_problem() -> str:
    """Return why this program starts its workers in no AppContainer; "" if it does, and on other systems."""
    return _Session.problem


def give_up_container(problem: str) -> None:
    """From now on, start workers without an AppContainer. `problem`: why, as the end of a sentence."""
    _Session.problem = problem


def describe_failure(error: NobgError, death: str) -> str:
    """Return why a worker has not become ready in an AppContainer: the end of a sentence.

    `death`: the reason of its death, a key of errors.REASONS, or "" if it has said itself what is wrong.
    """
    if not death:
        return f"the worker cannot work in it: {error}"
    if death == "timeout":
        return "the worker did not become ready in it in time"
    printed: list[str] = []
    with contextlib.suppress(OSError, NobgError):
        text = (paths.state_dir() / "worker.log").read_text("utf-8", "replace")
        printed = [line.strip() for line in text.split("\n") if line.strip()]
    return "the worker ended in it before it was ready" + (f": {printed[-1][:_MAX_CAUSE_LENGTH]}" if printed else "")


def start_contained(command: Sequence[str], environment: Mapping[str, str], errors: int) -> Process | None:
    """Start a process in an AppContainer, with pipes for its input and output; `errors`: for what it prints.

    Returns None where that is not possible, and on other systems than Windows.
    """
    if sys.platform != "win32" or container_problem():
        return None
    from watcher.jail.appcontainer import start as appcontainer  # other systems need not load ctypes
    from watcher.jail.appcontainer.library import AppContainerError

    program, variables = python_without_launcher(command[0], environment)
    folders = readable_folders()
    try:
        record_path = str(paths.state_dir() / RECORD_FILE_NAME)
        return appcontainer.start([program, *command[1:]], variables, folders, record_path, errors)
    except (AppContainerError, OSError) as error:
        give_up_container(str(error))
        return None


def readable_folders() -> list[str]:
    """Return the folders that a worker needs: of Python, nobg, the packages, and the models that the person added.

    Python looks for modules elsewhere, too, perhaps in the folder where nobg was started: that holds no packages.
    """
    nobg = os.path.dirname(os.path.dirname(os.path.abspath(paths.__file__)))
    packages = [folder for folder in paths.module_folders() if os.path.basename(folder) == "site-packages"]
    return [sys.base_prefix, sys.prefix, nobg, *packages, str(paths.asset("")), str(paths.models_dir())]


def forget_container() -> list[str]:
    """Remove the AppContainer of this person, and what it may read. Return what stays, as sentences. Raises OSError."""
    if sys.platform != "win32":
        return []
    from watcher.jail.appcontainer import start as appcontainer

    return appcontainer.undo(os.path.join(paths.state_folder(), RECORD_FILE_NAME))


def python_without_launcher(program: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the program of Python itself, and the variables with which it is the Python of its virtual environment.

    On Windows, that of a virtual environment is a launcher, which starts Python as a further process.
    """
    base = getattr(sys, "_base_executable", program)
    if program != sys.executable or base == program:
        return program, dict(environment)
    return base, {**environment, "__PYVENV_LAUNCHER__": program}
