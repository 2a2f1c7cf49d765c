"""What the tests ask of Windows beside Python: attributes, and files that are open for one program alone."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

assert sys.platform == "win32"

import _winapi

_GENERIC_READ, _OPEN_EXISTING = 0x80000000, 3
READ_ONLY, HIDDEN, SYSTEM, OFFLINE = 0x1, 0x2, 0x4, 0x1000
_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.SetFileAttributesW.argtypes = [ctypes.c_wchar_p, ctypes.c_uint32]


@contextlib.contextmanager
def open_alone(path: Path) -> Iterator[None]:
    """Open a file for reading as long as the block runs, and share it with no other program."""
    handle = _winapi.CreateFile(str(path), _GENERIC_READ, 0, 0, _OPEN_EXISTING, 0, 0)
    try:
        yield
    finally:
        _winapi.CloseHandle(handle)


def set_attributes(path: Path, attributes: int) -> None:
    """Set the file's attributes."""
    assert _kernel32.SetFileAttributesW(str(path), attributes)


def attributes(path: Path) -> int:
    """Return the file's attributes."""
    return path.stat().st_file_attributes
