"""Read originals and write outputs. An output is complete or absent, and replaces no file that is not nobg's."""

from __future__ import annotations

import contextlib
import errno
import functools
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
from watcher.errors import DestinationError, PassingError, PictureError, advise
from watcher.formats import MAX_BYTES
from watcher.guard import access, errnos, in_use, links, renames
from watcher.guard.access import Access
from watcher.guard.links import Folder, RefusedLinkError, Rule
from watcher.guard.long_paths import for_system
from watcher.naming import numbered_names

_TEMP_PREFIX, _TEMP_SUFFIX = ".nobg-", ".tmp"
_PIECE_BYTES = 1 << 16  # a drive that takes places.ANSWER_SECONDS for so little counts as one that does not answer
_STALE_SECONDS = 3600.0  # a temporary file exists only while it is being written


@dataclass(frozen=True)
class Source:
    """An original as it was read: its bytes, their SHA-256, who may read it, its `file_signature`.

    `is_stable`: it did not change while it was read.
    """

    data: bytes
    sha256: str
    access: Access
    signature: str
    is_stable: bool


def file_signature(status: os.stat_result) -> str:
    """Text that changes with a file's content. A restart of the machine does not change it, unlike device numbers."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def read_source(path: Path, below: Path | None = None) -> Source:
    """Read an original. Raises PictureError, and NoAnswerError if its drive does not answer.

    `below`: the folder that a person named, in which nobg found the file: no link below it is followed. None: a person
    named the file. The call never waits for data: it refuses a FIFO or a device.
    """
    return places.ask(path, _read_source, path, below)


def _read_source(path: Path, below: Path | None) -> Source:
    try:
        with open(path, "rb", opener=functools.partial(_open_for_reading, below=below)) as file:
            return _read_file(file)
    except OSError as error:
        trouble = in_use.passing_trouble(str(path), error)
        if trouble is not None or error.errno in errnos.PASSING:
            raise PassingError(error, trouble) from error
        raise _source_error(path, below, error) from error


def _source_error(path: Path, below: Path | None, error: OSError) -> PictureError:
    if isinstance(error, IsADirectoryError | PermissionError) and os.path.isdir(path):  # Windows raises the second
        return PictureError("unsupported", _IS_FOLDER_MESSAGE)
    if isinstance(error, FileNotFoundError | PermissionError):
        return PictureError("vanished" if isinstance(error, FileNotFoundError) else "no_permission")
    if isinstance(error, RefusedLinkError):
        return PictureError("no_permission", _FOUND_LINK_MESSAGE if below else _FOREIGN_LINK_MESSAGE)
    loop = "it is a link that leads back to itself. Remove it."
    return PictureError("unreadable", loop if error.errno == errno.ELOOP else str(error.strerror))


def _read_file(file: BinaryIO) -> Source:
    """Read an open file, up to the size that it has now: a file that grows would have no end."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("unsupported", "it is not an ordinary file. Copy the picture into one.")
    if status.st_size > MAX_BYTES:
        raise PictureError("too_large")
    data = _read_all(file, status.st_size)
    status_after = os.fstat(file.fileno())
    signature = file_signature(status_after)
    is_stable = signature == file_signature(status) and len(data) == status_after.st_size
    readers = access.of(file.fileno(), status)
    return Source(data, hashlib.sha256(data).hexdigest(), readers, signature, is_stable)


def _read_all(file: BinaryIO, size: int) -> bytes:
    """Return the first `size` bytes of `file`. A slow drive's progress shows that it answers."""
    if size <= _PIECE_BYTES or not places.is_asking():
        return file.read(size)
    data = bytearray()
    while part := file.read(min(_PIECE_BYTES, size - len(data))):
        data += part
        places.note_progress()
    return bytes(data)


def _open_for_reading(path: str, flags: int, below: Path | None) -> int:
    """Open a file for reading without waiting and, if the system allows it, without a new time of last access."""
    flags |= getattr(os, "O_NONBLOCK", 0)
    no_access_time = getattr(os, "O_NOATIME", 0)
    if no_access_time:
        with contextlib.suppress(PermissionError):  # only the file's owner may use the flag
            return links.open_path(path, flags | no_access_time, below)
    return links.open_path(path, flags, below)


_IS_FOLDER_MESSAGE = advise("it is a folder, and no picture was found in it.", terminal="--recursive looks deeper.")
_FOUND_LINK_MESSAGE = "a link leads to it, and nobg follows no links inside a folder. Choose the picture itself."
_FOREIGN_LINK_MESSAGE = "a link of another user leads to it. Choose the picture itself."


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of an ordinary file, or None if there is no such file or it cannot be read."""
    with contextlib.suppress(PictureError):
        return read_source(path).sha256
    return None


def publish(target: Path, data: bytes, readers: Access | int = 0o666, below: Path | None = None) -> None:
    """Write `data` to the new file `target`. If it exists, raises FileExistsError and leaves it as it is.

    `readers`: who may use the original, or permission bits. No others can use the file, nor those whom the umask or the
    folder's default ACL leaves out; its owner can always read and write it, and nobody can execute it.
    `below`: the folder that a person named; below it, links of other users are refused. None: all of the path is named.
    Raises DestinationError, or PictureError (`no_permission`).
    """
    places.ask(target, _publish, target, data, _as_access(readers), below)


def _as_access(readers: Access | int) -> Access:
    return access.from_mode(readers) if isinstance(readers, int) else readers


def _publish(target: Path, data: bytes, readers: Access, below: Path | None) -> None:
    with destination_errors(target), links.opened(target.parent, below, Rule.OWN) as folder:
        try:
            with _temporary(folder, data, readers, anonymous=sys.platform == "linux") as temporary:
                temporary.publish(target.name)
        except OSError as error:
            if error.errno not in errnos.NO_LINK:
                raise
            with _temporary(folder, data, readers, anonymous=False) as temporary:
                temporary.publish(target.name)
        _sync_folder(folder)


def replace(target: Path, data: bytes, readers: Access | int, expected_sha256: str, below: Path | None = None) -> None:
    """Replace `target` with `data` in one step, if it still is an ordinary file with the SHA-256 `expected_sha256`.

    Who may not use the old file may not use the new one. Raises FileExistsError if the file is another one, because
    another program has changed it; otherwise as `publish`.
    """
    places.ask(target, _replace, target, data, _as_access(readers), expected_sha256, below)


def _replace(target: Path, data: bytes, readers: Access, expected_sha256: str, below: Path | None) -> None:
    with destination_errors(target), links.opened(target.parent, below, Rule.OWN) as folder:
        old_readers = _read_expected(folder, target, expected_sha256)
        with _temporary(folder, data, readers, old_readers, anonymous=False) as temporary:
            _read_expected(folder, target, expected_sha256)
            try:
                temporary.replace(target.name)
            except PermissionError as error:
                if sys.platform != "win32" or not target.exists():
                    raise
                text = f"{target} is read-only, or open in another program. Change that, then try again."
                raise PictureError("no_permission", text) from error
            _sync_folder(folder)


def _read_expected(folder: Folder, target: Path, expected_sha256: str) -> Access:
    """Return who may use the file `target`. Raises FileExistsError if it is a link or has another SHA-256."""

    def open_itself(name: str, flags: int) -> int:
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        return os.open(name, flags, dir_fd=folder.descriptor)

    try:
        with open(folder.at(target.name), "rb", opener=open_itself) as file:
            source = _read_file(file)
    except (OSError, PictureError) as error:
        raise FileExistsError(target) from error
    if source.sha256 != expected_sha256 or (folder.descriptor is None and target.is_symlink()):
        raise FileExistsError(target)
    return source.access


@contextlib.contextmanager
def destination_errors(target: Path) -> Iterator[None]:
    """Raise a DestinationError or PictureError for an OSError that concerns `target`. Lets FileExistsError through."""
    try:
        yield
    except FileExistsError:
        raise
    except RefusedLinkError as error:
        text = advise(
            f"the folder {target.parent} cannot be used: another user has made the link {error.link} on the way there.",
            **_another_folder("Remove the link, or choose"),
        )
        raise PictureError("no_permission", text) from error
    except OSError as error:
        folder = target.parent
        if error.errno in errnos.DISK_FULL:
            text = f"There is no room in {folder} for {target.name}. Make room and try again."
            raise DestinationError(text, folder, "full") from error
        if error.errno == errno.EROFS:
            text = advise(f"{folder} is read-only.", **_another_folder("Make it writable, or choose"))
            raise DestinationError(text, folder, "read_only") from error
        if error.errno in errnos.ACCESS_DENIED:
            text = advise(f"writing into {folder} is not allowed.", **_another_folder("Choose"))
            raise PictureError("no_permission", text) from error
        if error.errno in errnos.BAD_NAME:
            text = advise(f"{folder} cannot hold a file named {target.name}.", **_another_folder("Choose"))
            raise PictureError("no_permission", text) from error
        if isinstance(error, FileNotFoundError):
            text = f"The folder {folder} is gone. Check that its drive is connected."
            raise DestinationError(text, folder, "missing") from error
        text = advise(f"{target} cannot be written: {error.strerror}.", **_another_folder("Choose"))
        reason = "missing" if error.errno in errnos.DEVICE_GONE else "read_only"
        raise DestinationError(text, folder, reason) from error


def _another_folder(verb: str) -> dict[str, str]:
    """Return the parts of `advise` that lead to another folder."""
    return {
        "desktop": f"{verb} another folder for cut-outs in the settings file.",
        "terminal": f"{verb} another folder with -o.",
    }


class _TemporaryFile:
    """A complete, synced file without a name, or with a name that only this process knows (`name`), in a folder."""

    def __init__(self, folder: Folder, descriptor: int, name: str | None) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self.name = name

    def publish(self, name: str) -> None:
        """Give the file this name. Raises FileExistsError if it is taken."""
        folder = self._folder.descriptor
        if self.name is None:
            # linkat(2) with AT_SYMLINK_FOLLOW, as open(2) shows for O_TMPFILE: os.link passes that with `dst_dir_fd`.
            os.link(f"/proc/self/fd/{self._descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)
            return
        try:
            paths = self._folder.at(self.name), self._folder.at(name)
            os.link(*paths) if folder is None else os.link(*paths, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in errnos.NO_LINK:
                raise
            renames.rename_if_free(self._folder, self.name, self._folder, name)
            self.name = None

    def replace(self, name: str) -> None:
        """Give the file this name; it replaces the file that has it."""
        assert self.name is not None
        renames.replace(self._folder, self.name, self._folder, name)
        self.name = None

    def remove(self) -> None:
        """Remove the file if it still has its temporary name."""
        if self.name is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder.at(self.name), dir_fd=self._folder.descriptor)


@contextlib.contextmanager
def _temporary(folder: Folder, data: bytes, *readers: Access, anonymous: bool) -> Iterator[_TemporaryFile]:
    """Write `data` to a temporary file in `folder`, for those whom all of `readers` allow.

    `anonymous`: without a name if the file system can do that, so that a crash leaves nothing.
    """
    descriptor, name = _create_temporary(folder, anonymous=anonymous)
    temporary = _TemporaryFile(folder, descriptor, name)
    try:
        group = os.fstat(descriptor).st_gid
        allowed = access.of_new_file(folder.descriptor, group)
        for reader in readers:
            allowed = access.narrower(allowed, reader, group)
        access.apply(descriptor, allowed)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            _write_all(file, data)
        if sys.platform == "win32":
            os.close(descriptor)  # Windows cannot rename an open file
            descriptor = -1
        yield temporary
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        temporary.remove()


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write and sync `data`: on a drive in steps of about a second. Each piece shows that it answers."""
    end, step = 0, _PIECE_BYTES if places.is_asking() else len(data)
    while True:
        start, end = end, min(end + step, len(data))
        began = time.monotonic()
        for piece in range(start, end, _PIECE_BYTES):
            file.write(memoryview(data)[piece : min(piece + _PIECE_BYTES, end)])
            places.note_progress()
        file.flush()
        os.fsync(file.fileno())
        places.note_progress()
        if end == len(data):
            return
        # At most eight times as much: what a cache took at once says little about the drive.
        step = max(_PIECE_BYTES, min(8 * step, int(step / max(time.monotonic() - began, 0.001))))


def _create_temporary(folder: Folder, *, anonymous: bool) -> tuple[int, str | None]:
    """Create an empty file that only its owner can open. Return its descriptor, and its name if it has one."""
    if anonymous and sys.platform == "linux":
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            return os.open(".", flags, 0o600, dir_fd=folder.descriptor), None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOSYS, errno.EINVAL):
                raise
    remove_stale(folder.path, time.time())
    name = f"{_TEMP_PREFIX}{secrets.token_hex(8)}{_TEMP_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(folder.at(name), flags, 0o600, dir_fd=folder.descriptor), name


def rename_if_free(path: Path, target: Path, below: Path) -> None:
    """Rename `path` to `target`, even on file systems without hard links (FAT, some network file systems).

    `below`: as for publish(). Raises FileExistsError if the name is taken, other OSErrors, and NoAnswerError.
    """

    def rename() -> None:
        with (
            links.opened(path.parent, below, Rule.OWN) as folder,
            links.opened(target.parent, below, Rule.OWN) as target_folder,
        ):
            renames.rename_if_free(folder, path.name, target_folder, target.name)

    places.ask(path, rename)


def remove_stale(folder: Path, now: float) -> None:
    """Remove the temporary files over an hour old that an earlier crash of nobg has left in `folder`.

    `now`: seconds since the epoch.
    """
    for path in Path(for_system(folder)).glob(f"{_TEMP_PREFIX}{'[0-9a-f]' * 16}{_TEMP_SUFFIX}"):
        with contextlib.suppress(OSError):
            if now - path.lstat().st_mtime > _STALE_SECONDS:
                path.unlink()


def move_into(source: Path, folder_name: str, signature: str | None, below: Path | None) -> Path | None:
    """Move an original into a sub-folder beside it, under the first free name. Creates the folder if it is missing.

    Returns the new path; None if the signature of the file is another one. `below`: as for read_source(); a link is
    followed to the sub-folder if this user or root has made it. Raises OSError, NoAnswerError.
    """
    return places.ask(source, _move_into, source, folder_name, signature, below)


def _move_into(source: Path, folder_name: str, signature: str | None, below: Path | None) -> Path | None:
    path = source.parent / folder_name
    with links.opened(source.parent, below) as folder:
        status = os.stat(folder.at(source.name), dir_fd=folder.descriptor)
        if file_signature(status) != signature:
            return None
        links.make_folder(path, below or source.parent)
        with links.opened(path, below or source.parent, Rule.OWN) as target_folder:
            for name in numbered_names(source.name):
                with contextlib.suppress(FileExistsError):
                    renames.rename_if_free(folder, source.name, target_folder, name)
                    _sync_folder(target_folder)
                    return path / name
    raise AssertionError("there is always a next name")


def _sync_folder(folder: Folder) -> None:
    """Make a new name survive a power cut. Ignores errors: some network file systems refuse, though the file exists."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(".", os.O_RDONLY, dir_fd=folder.descriptor)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
