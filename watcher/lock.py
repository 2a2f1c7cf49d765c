"""A lock on a file, for one program at a time. The system frees it however its holder ends. Standard library only."""

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
_ENDING = b"ending"


def acquire(folder: str, timeout: float = 0.0, name: str = LOCK_FILE) -> int | None:
    """Lock the state folder `folder`. Returns a descriptor to keep open, or None if another process has the lock.

    `timeout`: seconds to keep trying, since `holder_pid` takes the lock for an instant. `name`: the lock's file name.
    Raises DestinationError.
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
    os.ftruncate(descriptor, 0)  # removes the process number of the previous holder
    return descriptor


def release(descriptor: int) -> None:
    """Free the lock, unless a process that this one started has inherited it: that process then holds it."""
    os.close(descriptor)


def holder_pid(folder: str) -> int | None:
    """The process number of the lock's holder: 0 if it has not been written yet, None if there is no holder."""
    if not os.path.exists(os.path.join(folder, LOCK_FILE)):
        return None
    descriptor = acquire(folder)
    if descriptor is not None:
        os.close(descriptor)
        return None
    try:
        return int((_read_note(folder) or [b"0"])[0])
    except ValueError:
        return 0


def is_ending(folder: str) -> bool:
    """Return whether the lock's holder, if there is one, has written that it takes no more jobs."""
    return _ENDING in _read_note(folder)


def _read_note(folder: str) -> list[bytes]:
    """Return the words that the lock's holder has written into the file; none if it cannot be read."""
    try:
        with open(os.path.join(folder, LOCK_FILE), "rb") as file:
            file.seek(1)  # Windows does not let others read the locked byte
            return file.read().split()
    except OSError:
        return []


def write_pid(descriptor: int) -> None:
    """Write this process's number into the lock file that it holds, if the disk has room."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, b" %d\n" % os.getpid())
    except OSError:
        return


def write_ending(descriptor: int) -> None:
    """Write into the lock file that its holder takes no more jobs: who has a job waits, or starts the next program."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, b" %d %s\n" % (os.getpid(), _ENDING))
    except OSError:
        return


def is_current(descriptor: int, folder: str, name: str = LOCK_FILE) -> bool:
    """Return whether the lock file is still the one that other processes see; the folder may have been deleted."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(folder, name)))
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
