"""Read originals and write outputs. An output is complete or absent, and replaces no file that is not nobg's."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watcher import places
from watcher.errors import DestinationError, PictureError, advise
from watcher.formats import MAX_BYTES
from watcher.naming import numbered_names

_TEMP_PREFIX, _TEMP_SUFFIX = ".nobg-", ".tmp"
_READ_BYTES = _WRITE_BYTES = 1 << 20
_STALE_SECONDS = 3600.0  # a temporary file exists only while it is being written
_NO_LINK_ERRNOS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.ENOENT, errno.EINVAL}
_BAD_NAME_ERRNOS = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DEVICE_GONE_ERRNOS = {errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE, errno.EHOSTDOWN}
_ACCESS_DENIED_ERRNOS = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Source:
    """An original as it was read: its bytes, their SHA-256, its permission bits, its `file_signature`.

    `is_stable`: it did not change while it was read.
    """

    data: bytes
    sha256: str
    mode: int
    signature: str
    is_stable: bool


def file_signature(status: os.stat_result) -> str:
    """Text that changes with a file's content. A restart of the machine does not change it, unlike device numbers."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def read_source(path: Path) -> Source:
    """Read an original. Raises PictureError, and NoAnswerError if its drive does not answer.

    The call never waits for data: it refuses a FIFO or a device.
    """
    return places.ask(path, _read_source, path)


def _read_source(path: Path) -> Source:
    try:
        with open(path, "rb", opener=_open_for_reading) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PictureError("unsupported", "it is not an ordinary file. Copy the picture into one.")
            if status.st_size > MAX_BYTES:
                raise PictureError("too_large")
            data = _read_all(file, status.st_size)
            status_after = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise PictureError("vanished") from error
    except PermissionError as error:
        if path.is_dir():  # Windows raises PermissionError for a folder
            raise PictureError("unsupported", _IS_FOLDER_MESSAGE) from error
        raise PictureError("no_permission") from error
    except IsADirectoryError as error:
        raise PictureError("unsupported", _IS_FOLDER_MESSAGE) from error
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        detail = "it is a link that leads back to itself. Remove it." if is_loop else str(error.strerror)
        raise PictureError("unreadable", detail) from error
    signature = file_signature(status_after)
    is_stable = signature == file_signature(status) and len(data) == status_after.st_size
    return Source(data, hashlib.sha256(data).hexdigest(), stat.S_IMODE(status.st_mode), signature, is_stable)


def _read_all(file: BinaryIO, size: int) -> bytes:
    """Return everything in `file`. A slow drive's progress shows that it answers."""
    if size <= _READ_BYTES or not places.is_asking():
        return file.read()
    data = bytearray()
    while part := file.read(_READ_BYTES):
        data += part
        places.note_progress()
    return bytes(data)


def _open_for_reading(path: str, flags: int) -> int:
    """Open a file for reading without waiting and, if the system allows it, without a new time of last access."""
    flags |= getattr(os, "O_NONBLOCK", 0)
    no_access_time = getattr(os, "O_NOATIME", 0)
    if no_access_time:
        with contextlib.suppress(PermissionError):  # only the file's owner may use the flag
            return os.open(path, flags | no_access_time)
    return os.open(path, flags)


_IS_FOLDER_MESSAGE = advise("it is a folder, and no picture was found in it.", terminal="--recursive looks deeper.")


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of an ordinary file, or None if there is no such file or it cannot be read."""
    with contextlib.suppress(PictureError):
        return read_source(path).sha256
    return None


def publish(target: Path, data: bytes, mode: int = 0o666) -> None:
    """Write `data` to the new file `target`. If it exists, raises FileExistsError and leaves it as it is.

    `mode`: permission bits; the execute bits and those in the umask are left out, and the owner can always read and
    write. Raises DestinationError, or PictureError (`no_permission`).
    """
    places.ask(target, _publish, target, data, mode)


def _publish(target: Path, data: bytes, mode: int) -> None:
    with destination_errors(target):
        try:
            with _temporary(target.parent, data, mode, anonymous=sys.platform == "linux") as temporary:
                temporary.publish(target)
        except OSError as error:
            if error.errno not in _NO_LINK_ERRNOS:
                raise
            with _temporary(target.parent, data, mode, anonymous=False) as temporary:
                temporary.publish(target)
        _sync_folder(target.parent)


def replace(target: Path, data: bytes, mode: int, expected_sha256: str) -> None:
    """Replace `target` with `data` in one step, if it still is an ordinary file with the SHA-256 `expected_sha256`.

    Raises FileExistsError if it is not, because another program has changed it; otherwise as `publish`.
    """
    places.ask(target, _replace, target, data, mode, expected_sha256)


def _replace(target: Path, data: bytes, mode: int, expected_sha256: str) -> None:
    with destination_errors(target), _temporary(target.parent, data, mode, anonymous=False) as temporary:
        if target.is_symlink() or sha256_of(target) != expected_sha256:
            raise FileExistsError(target)
        temporary.replace(target)
        _sync_folder(target.parent)


@contextlib.contextmanager
def destination_errors(target: Path) -> Iterator[None]:
    """Raise a DestinationError or PictureError for an OSError that concerns `target`. Lets FileExistsError through."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        folder = target.parent
        if error.errno in _DISK_FULL_ERRNOS:
            text = f"There is no room in {folder} for {target.name}. Make room and try again."
            raise DestinationError(text, folder, "full") from error
        if error.errno == errno.EROFS:
            text = advise(f"{folder} is read-only.", **_another_folder("Make it writable, or choose"))
            raise DestinationError(text, folder, "read_only") from error
        if error.errno in _ACCESS_DENIED_ERRNOS:
            text = advise(f"writing into {folder} is not allowed.", **_another_folder("Choose"))
            raise PictureError("no_permission", text) from error
        if error.errno in _BAD_NAME_ERRNOS:
            text = advise(f"{folder} cannot hold a file named {target.name}.", **_another_folder("Choose"))
            raise PictureError("no_permission", text) from error
        if isinstance(error, FileNotFoundError):
            text = f"The folder {folder} is gone. Check that its drive is connected."
            raise DestinationError(text, folder, "missing") from error
        text = advise(f"{target} cannot be written: {error.strerror}.", **_another_folder("Choose"))
        reason = "missing" if error.errno in _DEVICE_GONE_ERRNOS else "read_only"
        raise DestinationError(text, folder, reason) from error


def _another_folder(verb: str) -> dict[str, str]:
    """Return the parts of `advise` that lead to another folder."""
    return {
        "desktop": f"{verb} another folder for cut-outs in the settings file.",
        "terminal": f"{verb} another folder with -o.",
    }


class _TemporaryFile:
    """A complete, synced file without a name, or with a name that only this process knows (`path`)."""

    def __init__(self, descriptor: int, path: Path | None) -> None:
        self._descriptor = descriptor
        self.path = path

    def publish(self, target: Path) -> None:
        """Give the file the name `target`. Raises FileExistsError if the name is taken."""
        if self.path is None:
            _link_descriptor(self._descriptor, target)
            return
        try:
            os.link(self.path, target)
        except OSError as error:
            if error.errno not in _NO_LINK_ERRNOS:
                raise
            rename_if_free(self.path, target)
            self.path = None

    def replace(self, target: Path) -> None:
        """Rename the file to `target`, which it replaces."""
        assert self.path is not None
        os.replace(self.path, target)
        self.path = None


@contextlib.contextmanager
def _temporary(folder: Path, data: bytes, mode: int, *, anonymous: bool) -> Iterator[_TemporaryFile]:
    """Write `data` to a temporary file in `folder`.

    `anonymous`: without a name if the file system can do that, so that a crash leaves nothing.
    """
    mode = (mode & 0o666) | 0o600  # a photo from a camera card is often read-only; its cut-out must be writable
    descriptor, path = _create_temporary(folder, mode, anonymous=anonymous)
    temporary = _TemporaryFile(descriptor, path)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for start in range(0, len(data), _WRITE_BYTES):
                file.write(memoryview(data)[start : start + _WRITE_BYTES])
                places.note_progress()
            file.flush()
            os.fsync(descriptor)
        if sys.platform == "win32":
            os.close(descriptor)  # Windows cannot rename an open file
            descriptor = -1
        yield temporary
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        if temporary.path is not None:
            temporary.path.unlink(missing_ok=True)


def _create_temporary(folder: Path, mode: int, *, anonymous: bool) -> tuple[int, Path | None]:
    if anonymous and sys.platform == "linux":
        try:
            return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode), None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOSYS, errno.EINVAL):
                raise
    path = _temporary_path(folder)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode), path


def _temporary_path(folder: Path) -> Path:
    """Return a new name for a temporary file in `folder`. Removes those that a crash has left there."""
    remove_stale(folder, time.time())
    return folder / f"{_TEMP_PREFIX}{secrets.token_hex(8)}{_TEMP_SUFFIX}"


def _link_descriptor(descriptor: int, target: Path) -> None:
    """Call linkat(2) with AT_SYMLINK_FOLLOW, as open(2) shows for O_TMPFILE.

    os.link passes that flag only if it gets `dst_dir_fd`.
    """
    folder = os.open(target.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.link(f"/proc/self/fd/{descriptor}", target.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def rename_if_free(path: Path, target: Path) -> None:
    """Rename `path` to `target`, even on file systems without hard links (FAT, some network file systems).

    Raises FileExistsError if the name is taken, and NoAnswerError.
    """
    places.ask(path, _rename_if_free, path, target)


def _rename_if_free(path: Path, target: Path) -> None:
    if sys.platform == "win32":
        os.rename(path, target)  # Windows refuses an existing target
        return
    if sys.platform == "linux" and _rename_no_replace(path, target):
        return
    # The last resort: claim the name with an empty file, then replace that, so that no other file can be replaced.
    # Only a crash between the two steps can leave the empty file.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.replace(path, target)
    except OSError:
        target.unlink()
        raise


def _rename_no_replace(path: Path, target: Path) -> bool:
    """Call renameat2(2) with RENAME_NOREPLACE. Returns False if the file system cannot do that."""
    libc = ctypes.CDLL(None, use_errno=True)  # Python has no wrapper for renameat2
    at_fdcwd, no_replace = -100, 1  # from <fcntl.h> and <linux/fs.h>
    if libc.renameat2(at_fdcwd, os.fsencode(path), at_fdcwd, os.fsencode(target), no_replace) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(target))


def remove_stale(folder: Path, now: float) -> None:
    """Remove the temporary files over an hour old that an earlier crash of nobg has left in `folder`.

    `now`: seconds since the epoch.
    """
    for path in folder.glob(f"{_TEMP_PREFIX}{'[0-9a-f]' * 16}{_TEMP_SUFFIX}"):
        with contextlib.suppress(OSError):
            if now - path.lstat().st_mtime > _STALE_SECONDS:
                path.unlink()


def move_into(source: Path, folder: Path) -> Path:
    """Move an original into `folder` under the first free name. Creates the folder if it is missing.

    Returns the new path. Raises OSError, NoAnswerError.
    """
    return places.ask(source, _move_into, source, folder)


def _move_into(source: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in numbered_names(source.name):
        target = folder / name
        if os.path.lexists(target):
            continue
        with contextlib.suppress(FileExistsError):
            rename_if_free(source, target)
            _sync_folder(folder)
            return target
    raise AssertionError("there is always a next name")


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut. Ignores errors: some network file systems refuse, though the file exists."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
