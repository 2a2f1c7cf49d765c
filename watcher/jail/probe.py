"""Tries what a jailed process must not be able to do."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

_CONNECT_SECONDS = 10.0
_NOBODY = ("192.0.2.1", 9)
"""An address that belongs to nobody (RFC 5737, TEST-NET-1)."""
_THIS_COMPUTER = ("127.0.0.1", 135)
"""The RPC endpoint mapper, a part of each Windows that listens: nobg itself listens on no port."""


def targets(own_file: str) -> dict[str, str]:
    """Return what the parent tells a worker to try the forbidden acts with: entries for its message.

    `own_file`: a file of the person that their other programs can read. Only on Windows, where a jailed process may
    read the interpreter, which it tries elsewhere.
    """
    return {"file": own_file} if sys.platform == "win32" else {}


def probe(message: Mapping[str, Any] | None = None) -> dict[str, bool]:
    """Try each forbidden act. Return, for each act's name, whether it was refused.

    `message`: of the parent, with what `targets` returned. An attempt that succeeds does no harm: it sends no data, and
    what it reads is forgotten.
    """
    own_file = (message or {}).get("file", sys.executable)
    attempts = _attempts_on_windows(own_file) if sys.platform == "win32" else _ATTEMPTS
    return {name: _is_refused(attempt) for name, attempt in attempts.items()}


def _is_refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _read_file(path: str = sys.executable) -> None:
    os.close(os.open(path, os.O_RDONLY))


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


def _attempts_on_windows(own_file: str) -> dict[str, Callable[[], None]]:
    """Return the same acts, as Windows refuses them: a socket when it connects, a program when it is started.

    `own_file`: to read; in its folder, to write.
    """
    return {
        "read a file": lambda: _read_file(own_file),
        "write a file": lambda: _write_somewhere([os.path.dirname(own_file), os.environ.get("TEMP")]),
        "open a network socket": lambda: _reach_network(is_contained=_is_contained()),
        "open a local socket": _reach_this_computer,
        "start a program": _start_program_on_windows,
    }


def _write_somewhere(folders: list[str | None]) -> None:
    """Write into one of these folders. Raises OSError if none allows it."""
    for folder in filter(None, folders):
        path = os.path.join(folder, f"nobg-probe-{os.getpid()}.tmp")
        with contextlib.suppress(OSError):  # not tempfile: on Windows, it takes a refusal for a name that is taken
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(path)
            return
    raise PermissionError("no folder allows it")


def _reach_network(*, is_contained: bool) -> None:
    """Try to reach an address that belongs to nobody. Raises OSError if it is refused at once.

    Outside an AppContainer, Windows refuses no connection; there, nothing leaves this computer.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        if is_contained:
            with contextlib.suppress(TimeoutError):  # nobody answers, but it was not refused
                client.connect(_NOBODY)


def _reach_this_computer() -> None:
    """Connect to a program of this computer. Raises OSError if Windows refuses it.

    Where no program listens there, as under wine, nobody has refused it either.
    """
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(_THIS_COMPUTER, timeout=_CONNECT_SECONDS).close()


def _is_contained() -> bool:
    from watcher.jail import windows

    return windows.is_contained()


def _start_program_on_windows() -> None:
    import subprocess

    nothing = subprocess.DEVNULL  # it must not hold this process's pipes, whose ends tell the parent that it has ended
    with contextlib.suppress(subprocess.TimeoutExpired):  # it was started, however long it takes
        subprocess.run(
            [sys.executable, "-c", ""], check=False, timeout=30, stdin=nothing, stdout=nothing, stderr=nothing
        )
