"""One program at a time: a lock on a file, which the system frees however its holder ends. Standard library only."""

from __future__ import annotations

import os
import sys
import time

from watcher.errors import unwritable_records_error

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = "running.lock"


def acquire(folder: str, timeout: float = 0.0, name: str = LOCK_FILE) -> int | None:
    """The lock of the state folder `folder`, as a descriptor to be kept; None while another process has it.

    `patience`: seconds to go on trying; those who only look have it for an instant. `name`: of another such lock.
    Raises PlaceError.
    """
    try:
        descriptor = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable_records_error(folder, error) from error
    deadline = time.monotonic() + timeout
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        time.sleep(0.05)
    os.ftruncate(descriptor, 0)  # the number of who had it before
    return descriptor


def release(descriptor: int) -> None:
    """Free the lock, unless a process that we started has inherited it: then it is that one's."""
    os.close(descriptor)


def holder_pid(folder: str) -> int | None:
    """The number of the process that runs, 0 if it has not said yet, None if there is none."""
    if not os.path.exists(os.path.join(folder, LOCK_FILE)):
        return None
    descriptor = acquire(folder)
    if descriptor is not None:
        os.close(descriptor)
        return None
    try:
        with open(os.path.join(folder, LOCK_FILE), "rb") as file:
            file.seek(1)  # on Windows, the locked byte cannot be read
            return int(file.read() or b"0")
    except (OSError, ValueError):
        return 0


def write_pid(descriptor: int) -> None:
    """Write our process number into the lock that we hold, if the disk has room for it."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, b" %d\n" % os.getpid())
    except OSError:
        return


def is_current(descriptor: int, folder: str) -> bool:
    """Is the lock that we hold still the one others see? Somebody may have deleted the folder."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(folder, LOCK_FILE)))
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
