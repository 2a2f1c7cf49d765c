"""Waits that end: each fails after some minutes with a message, so that no benchmark hangs."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil

START_SECONDS = 600.0
"""For the start and the warm-up of a command: rembg compiles for minutes when it first starts."""
PICTURE_SECONDS = 120.0
"""For each picture of a command: about ten times what the slowest tool needs on a slow machine."""
PROGRAM_SECONDS = 300.0
"""For a message, a file or the end of a program that runs already."""


def time_limit(pictures: int) -> float:
    """Return the seconds after which a command that does so many pictures has hung."""
    return START_SECONDS + PICTURE_SECONDS * pictures


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = PROGRAM_SECONDS, *, every: float = 0.002
) -> None:
    """Wait until the condition is true. After `seconds`, raise TimeoutError, which says `what` did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(every)


def wait_for_output(output: Path, seconds: float = PROGRAM_SECONDS) -> None:
    """Wait until the resident program has written the file. Raises TimeoutError with what its journal says instead."""
    try:
        wait_until(output.exists, f"nobg did not write {output.name}", seconds)
    except TimeoutError as error:
        raise TimeoutError(f"{error}; {last_result()}") from None


def last_result() -> str:
    """Return what the journal of NOBG_HOME says about its newest job."""
    from watcher.paths import make_state_folder
    from watcher.queue.journal import Journal

    with contextlib.closing(Journal(Path(make_state_folder()))) as journal:
        for job in journal.history(1):
            return (
                f"its journal says of {job.source.name}: {job.state}, {job.reason or job.detail or 'without a reason'}"
            )
    return "its journal is empty"


def wait_for_line(stream: IO[bytes], what: str, seconds: float = PROGRAM_SECONDS) -> None:
    """Wait until the stream has bytes or ends, and read a line. Raises TimeoutError."""
    if not select.select([stream], [], [], seconds)[0]:
        raise TimeoutError(f"waited {seconds:.0f} s in vain: {what}")
    stream.readline()


def wait_for_exit(process: subprocess.Popen[bytes], name: str, seconds: float) -> int:
    """Return the exit code of this command. After `seconds`, kill it and its descendants, and raise TimeoutError."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        process.wait(PROGRAM_SECONDS)
        raise TimeoutError(f"{name} did not end within {seconds:.0f} s") from None


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants."""
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = psutil.Process(pid)
        for process in (*tree.children(recursive=True), tree):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def stop(process: psutil.Process | psutil.Popen, seconds: float = PROGRAM_SECONDS) -> None:
    """End a program and wait until it has ended. If it does not, kill it with its descendants; raise TimeoutError."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
    if psutil.wait_procs([process], timeout=seconds)[1]:
        kill_tree(process.pid)
        raise TimeoutError(f"process {process.pid} did not end within {seconds:.0f} s")
