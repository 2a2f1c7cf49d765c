"""Files in, files out: originals are only read; an output is complete or absent, and replaces nothing foreign."""

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

from watcher.errors import DestinationError, PictureError
from watcher.formats import MAX_BYTES
from watcher.naming import numbered_names

_TEMP_PREFIX, _TEMP_SUFFIX = ".nobg-", ".tmp"
_STALE_SECONDS = 3600.0  # seconds; a temporary file lives for as long as one write takes
_NO_LINK_ERRNOS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.ENOENT, errno.EINVAL}
_BAD_NAME_ERRNOS = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DEVICE_GONE_ERRNOS = {errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE, errno.EHOSTDOWN}
_ACCESS_DENIED_ERRNOS = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Source:
    """An original as it was when it was read: its bytes, their SHA-256, its permission bits, its signature.

    `steady`: nobody wrote to it while it was read.
    """

    data: bytes
    sha256: str
    mode: int
    signature: str
    is_stable: bool


def file_signature(status: os.stat_result) -> str:
    """What changes when a file's content does, and survives a restart of the machine (device numbers do not)."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def read_source(path: Path) -> Source:
    """Read an original, opened for reading only. Raises PictureError with the reason why not.

    Never waits: a FIFO or a device is refused, not read.
    """
    try:
        with open(path, "rb", opener=_open_quietly) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PictureError("unsupported", "it is not an ordinary file. Copy the picture into one.")
            if status.st_size > MAX_BYTES:
                raise PictureError("too_large")
            data = file.read()
            after = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise PictureError("vanished") from error
    except PermissionError as error:
        if path.is_dir():  # Windows says so
            raise PictureError("unsupported", _IS_FOLDER_MESSAGE) from error
        raise PictureError("no_permission") from error
    except IsADirectoryError as error:
        raise PictureError("unsupported", _IS_FOLDER_MESSAGE) from error
    except OSError as error:
        detail = (
            "it is a link that leads back to itself. Remove it." if error.errno == errno.ELOOP else str(error.strerror)
        )
        raise PictureError("unreadable", detail) from error
    steady = file_signature(after) == file_signature(status) and len(data) == after.st_size
    return Source(data, hashlib.sha256(data).hexdigest(), stat.S_IMODE(status.st_mode), file_signature(after), steady)


def _open_quietly(path: str, flags: int) -> int:
    """A descriptor for reading that neither waits nor, where that is up to us, changes the time of last access."""
    flags |= getattr(os, "O_NONBLOCK", 0)
    quiet = getattr(os, "O_NOATIME", 0)
    if quiet:
        with contextlib.suppress(PermissionError):  # the file is somebody else's
            return os.open(path, flags | quiet)
    return os.open(path, flags)


_IS_FOLDER_MESSAGE = "it is a folder, and no picture was found in it; --recursive looks deeper."


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of an ordinary file, or None where there is none that can be read."""
    with contextlib.suppress(PictureError):
        return read_source(path).sha256
    return None


def publish(target: Path, data: bytes, mode: int = 0o666) -> None:
    """Write `data` to `target`, which must not exist: raises FileExistsError, and leaves what is there alone.

    `mode`: the new file's permission bits, less the umask. Raises PlaceError (full), PictureError (`no_permission`).
    """
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
    """Put `data` in the place of `target` in one step, if that still is an ordinary file with the SHA-256 `expected`.

    Raises FileExistsError where it no longer is: somebody has been at it.
    """
    with destination_errors(target), _temporary(target.parent, data, mode, anonymous=False) as temporary:
        if target.is_symlink() or sha256_of(target) != expected_sha256:
            raise FileExistsError(target)
        temporary.replace(target)
        _sync_folder(target.parent)


@contextlib.contextmanager
def destination_errors(target: Path) -> Iterator[None]:
    """Give the system's refusals their names."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        folder = target.parent
        if error.errno in _DISK_FULL_ERRNOS:
            raise DestinationError(
                f"There is no room in {folder} for {target.name}. Make room and try again.", folder, "full"
            ) from error
        if error.errno == errno.EROFS:
            text = f"{folder} is read-only. Make it writable, or choose another folder with -o."
            raise DestinationError(text, folder, "read_only") from error
        if error.errno in _ACCESS_DENIED_ERRNOS:
            raise PictureError(
                "no_permission", f"nothing may be written into {folder}. Choose another folder with -o."
            ) from error
        if error.errno in _BAD_NAME_ERRNOS:
            text = f"{folder} cannot hold a file of the name {target.name}. Choose another folder with -o."
            raise PictureError("no_permission", text) from error
        if isinstance(error, FileNotFoundError):
            raise DestinationError(
                f"The folder {folder} is gone. Is the drive still there?", folder, "missing"
            ) from error
        text = f"{target} cannot be written: {error.strerror}. Choose another folder with -o."
        raise DestinationError(
            text, folder, "missing" if error.errno in _DEVICE_GONE_ERRNOS else "read_only"
        ) from error


class _Temporary:
    """A complete, synced file that no directory shows yet, or that only we know by its name."""

    def __init__(self, descriptor: int, path: Path | None) -> None:
        self._descriptor = descriptor
        self.path = path

    def publish(self, target: Path) -> None:
        """Give it the name `target`. Raises FileExistsError where that is taken."""
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
        """Take the place of `target`."""
        assert self.path is not None
        os.replace(self.path, target)
        self.path = None


@contextlib.contextmanager
def _temporary(folder: Path, data: bytes, mode: int, *, anonymous: bool) -> Iterator[_Temporary]:
    """`data` on the disk in `folder`; `anonymous`: nameless where that is possible, so that no crash leaves it."""
    mode = (mode & 0o666) | 0o600  # a photo from a camera card is often read-only; its cut-out need not be
    descriptor, path = _create_temporary(folder, mode, anonymous=anonymous)
    temporary = _Temporary(descriptor, path)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if sys.platform == "win32":
            os.close(descriptor)  # Windows renames no open file
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
    """A new name of ours in `folder`, from which what a crash left behind is removed first."""
    remove_stale(folder, time.time())
    return folder / f"{_TEMP_PREFIX}{secrets.token_hex(8)}{_TEMP_SUFFIX}"


def _link_descriptor(descriptor: int, target: Path) -> None:
    """linkat(2) with AT_SYMLINK_FOLLOW, as open(2) shows for O_TMPFILE; Python passes the flag if a folder is given."""
    folder = os.open(target.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.link(f"/proc/self/fd/{descriptor}", target.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def rename_if_free(path: Path, target: Path) -> None:
    """Rename on file systems without hard links (FAT, some network ones). Raises FileExistsError."""
    if sys.platform == "win32":
        os.rename(path, target)  # refuses an existing target there
        return
    if sys.platform == "linux" and _rename_no_replace(path, target):
        return
    # The last resort claims the name with an empty file, so that nothing foreign can be hit. Only a crash between the
    # two steps can leave that empty file.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.replace(path, target)
    except OSError:
        target.unlink()
        raise


def _rename_no_replace(path: Path, target: Path) -> bool:
    """renameat2(2) with RENAME_NOREPLACE: True when done, False where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    at_fdcwd, no_replace = -100, 1
    if libc.renameat2(at_fdcwd, os.fsencode(path), at_fdcwd, os.fsencode(target), no_replace) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(target))


def remove_stale(folder: Path, now: float) -> None:
    """Remove what an earlier crash of ours left in `folder`: our temporary files that are over an hour old."""
    for path in folder.glob(f"{_TEMP_PREFIX}{'[0-9a-f]' * 16}{_TEMP_SUFFIX}"):
        with contextlib.suppress(OSError):
            if now - path.lstat().st_mtime > _STALE_SECONDS:
                path.unlink()


def move_into(source: Path, folder: Path) -> Path:
    """Move an original into `folder`, made if need be, under the first free name; returns that. Raises OSError."""
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
    """Make the new name survive a power cut. Some network file systems refuse; the file is there all the same."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
