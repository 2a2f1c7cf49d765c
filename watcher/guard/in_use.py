"""Why Windows does not open a file now: another program has it open for itself alone, or its drive is not there.

The C library, through which Python opens files, calls all of that "no permission", "no such file" or "bad argument".
"""

from __future__ import annotations

import sys

from watcher.guard import long_paths

SHARING_VIOLATION, LOCK_VIOLATION = 32, 33  # winerror.h
_DRIVE_ERRORS = {
    21,  # ERROR_NOT_READY: there is no card in the reader
    31,  # ERROR_GEN_FAILURE
    53,  # ERROR_BAD_NETPATH
    54,  # ERROR_NETWORK_BUSY
    55,  # ERROR_DEV_NOT_EXIST
    59,  # ERROR_UNEXP_NET_ERR
    64,  # ERROR_NETNAME_DELETED
    121,  # ERROR_SEM_TIMEOUT
    1117,  # ERROR_IO_DEVICE
    1167,  # ERROR_DEVICE_NOT_CONNECTED
    1231,  # ERROR_NETWORK_UNREACHABLE
}
_GENERIC_READ, _SHARE_ALL, _OPEN_EXISTING = 0x80000000, 0x7, 3  # winnt.h, fileapi.h


def passing_trouble(path: str, error: OSError) -> str | None:
    """Return what keeps Windows from opening or reading the file now, as the start of a sentence; None if it is final.

    `error`: what Python raised. None on other systems.
    """
    code = open_error(path)
    if code in (SHARING_VIOLATION, LOCK_VIOLATION):
        return "another program has it open for itself alone"
    if code in _DRIVE_ERRORS:
        return "its drive does not answer"
    if code == 0 and isinstance(error, PermissionError):  # it can be opened: a part of it is locked, or was just now
        return "another program has it open for itself alone"
    return None


def open_error(path: str) -> int | None:
    """Return the number of Windows' error if the file is opened for reading, 0 if there is none; None elsewhere."""
    if sys.platform != "win32":
        return None
    import _winapi

    try:
        handle = _winapi.CreateFile(long_paths.for_system(path), _GENERIC_READ, _SHARE_ALL, 0, _OPEN_EXISTING, 0, 0)
    except OSError as error:
        return error.winerror
    _winapi.CloseHandle(handle)
    return 0
