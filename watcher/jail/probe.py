"""Tries what a jailed process must not be able to do."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CONNECT_SECONDS = 10.0
_NOBODY = ("192.0.2.1", 9)
"""An address that belongs to nobody (RFC 5737, TEST-NET-1)."""


@dataclass(frozen=True)
class Targets:
    """What to try it with. `file`: to read; in its folder, to write. `port`: of this computer; 0 if nobody listens."""

    file: str = sys.executable
    port: int = 0

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Targets:
        """Return what a message of the parent names, as `offer` made it."""
        return cls(header.get("file", cls.file), header.get("port", cls.port))


@contextlib.contextmanager
def offer(own_file: str) -> Iterator[dict[str, str | int]]:
    """Offer a worker what it must not reach, as long as it tries: entries for the parent's message.

    Only on Windows, where a jailed process may read the interpreter, and may make a socket, but not use it.
    `own_file`: a file of the person that their other programs can read.
    """
    if sys.platform != "win32":
        yield {}
        return
    with _listen() as port:
        yield {"file": own_file, "port": port}


@contextlib.contextmanager
def _listen() -> Iterator[int]:
    """Listen for this computer's own programs, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def probe(targets: Targets | None = None) -> dict[str, bool]:
    """Try each forbidden act. Return, for each act's name, whether it was refused.

    An attempt that succeeds does no harm: it sends nothing, and what it reads is forgotten.
    """
    attempts = _attempts_on_windows(targets or Targets()) if sys.platform == "win32" else _ATTEMPTS
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


def _attempts_on_windows(targets: Targets) -> dict[str, Callable[[], None]]:
    """Return the same acts, as Windows refuses them: a socket when it connects, a program when it is started."""
    return {
        "read a file": lambda: _read_file(targets.file),
        "write a file": lambda: _write_somewhere([os.path.dirname(targets.file), os.environ.get("TEMP")]),
        "open a network socket": lambda: _reach_network(is_contained=_is_contained()),
        "open a local socket": lambda: _reach_this_computer(targets.port),
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


def _reach_this_computer(port: int) -> None:
    """Connect to the parent, which listens on this computer. Raises OSError."""
    if port:
        socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS).close()
    else:
        _open_local_socket()


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
