"""Tries what a jailed process must not be able to do."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable


def probe() -> dict[str, bool]:
    """Try each forbidden act. Return, for each act's name, whether it was refused.

    An attempt that succeeds does no harm: it sends nothing, and the file that it reads is the Python interpreter.
    """
    return {name: _is_refused(attempt) for name, attempt in _ATTEMPTS.items()}


def _is_refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _read_file() -> None:
    os.close(os.open(sys.executable, os.O_RDONLY))


def _write_file() -> None:
    descriptor, path = tempfile.mkstemp(dir=os.environ.get("TEMP", "/tmp"))  # noqa: S108  removed below
    os.close(descriptor)
    os.unlink(path)


def _open_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def _open_local_socket() -> None:
    for end in socket.socketpair():
        end.close()


def _start_program() -> None:
    if sys.platform == "win32":
        import subprocess

        subprocess.run([sys.executable, "-c", ""], check=False, timeout=10)
        return
    child = os.fork()  # the jail refuses this; outside the jail, the child starts the program
    if child == 0:
        try:
            os.execv(sys.executable, [sys.executable, "-c", ""])
        finally:
            os._exit(1)
    os.waitpid(child, 0)


_ATTEMPTS: dict[str, Callable[[], None]] = {
    "read a file": _read_file,
    "write a file": _write_file,
    "open a network socket": _open_socket,
    "open a local socket": _open_local_socket,
    "start a program": _start_program,
}
