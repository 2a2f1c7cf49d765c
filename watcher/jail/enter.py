"""The worker's jail: no network, no files, no other programs, bounded memory, enforced by the operating system.

One backend per system, each with `enter_before_threads(memory)` and `enter_with_threads(memory)` that return the layers
in force (`memory`: bytes that may still be taken); this module picks one, and `probe()` tries what must be refused.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass

MEMORY_LIMIT_BYTES = 6 << 30
"""Bytes the worker may take beyond what its libraries have and its model needs: 250 megapixels take 3 GiB."""


@dataclass(frozen=True)
class Layer:
    """One wall: what it keeps from happening, whether it stands, and by what means or why not."""

    name: str
    active: bool
    detail: str

    def as_dict(self) -> dict[str, str | bool]:
        """The layer as it stands in the worker's first frame."""
        return asdict(self)


def enter_before_threads(model_memory: int = 0, *, accelerated: bool = False) -> list[Layer]:
    """The layers that bind only the calling thread and those it starts later: enter them while it is alone.

    `model_memory`: bytes that the model needs. `accelerated`: an accelerator's driver runs already, with its threads.
    """
    return _backend("enter_before_threads")(MEMORY_LIMIT_BYTES + model_memory, accelerated=accelerated)


def enter_with_threads(model_memory: int = 0) -> list[Layer]:
    """The layers that bind the whole process, entered when everything is loaded; `model_memory` as before."""
    return _backend("enter_with_threads")(MEMORY_LIMIT_BYTES + model_memory)


def _backend(name: str) -> Callable[..., list[Layer]]:
    if sys.platform == "linux":
        from watcher.jail import linux as backend
    elif sys.platform == "darwin":
        from watcher.jail import macos as backend
    elif sys.platform == "win32":
        from watcher.jail import windows as backend
    else:
        return lambda *_, **__: [Layer("jail", active=False, detail=f"nobg knows no jail for {sys.platform}")]
    function: Callable[..., list[Layer]] = getattr(backend, name)
    return function


def probe() -> dict[str, bool]:
    """Try what a jailed process must not be able to do: act -> was it refused?

    The attempts are harmless where they succeed: nothing is sent, the file read is the Python interpreter.
    """
    return {name: _refused(attempt) for name, attempt in _ATTEMPTS.items()}


def _refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _read_file() -> None:
    os.close(os.open(sys.executable, os.O_RDONLY))


def _write_file() -> None:
    descriptor, path = tempfile.mkstemp(dir=os.environ.get("TEMP", "/tmp"))  # noqa: S108  removed in the next line
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
    child = os.fork()  # refused in the jail; where it is not, the child tries the second half
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
