"""Artifacts that are files, and how nobg writes files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from integrations.artifact import IntegrationError, RecordEntry, make_entry


@dataclass(frozen=True)
class PathArtifact:
    """The base of artifacts that are a file or a part of one."""

    path: Path

    @property
    def address(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def folder(self) -> Path | None:
        """The folder of the file."""
        return self.path.parent


@dataclass(frozen=True)
class File(PathArtifact):
    """A whole file that belongs to nobg."""

    content: bytes
    executable: bool = False
    kind: ClassVar[str] = "file"

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Record the new hash and the previous one: after a crash, a file with either of them is nobg's."""
        previous_digests = [] if previous is None else previous["sha256"][:1]
        current_digest, new_digest = file_digest(self.path), sha256(self.content)
        if current_digest not in (None, new_digest, *previous_digests):
            raise IntegrationError(
                f"{self.path} already exists with content that nobg did not write, so it was not changed. "
                "Move it away, then install again."
            )
        return make_entry(self, sha256=[new_digest, *(digest for digest in previous_digests if digest != new_digest)])

    def write(self, _entry: RecordEntry) -> None:
        """Write the file in one step, unless content and mode are right already."""
        if file_digest(self.path) != sha256(self.content) or self._is_mode_wrong():
            write_atomically(self.path, self.content, 0o755 if self.executable else 0o644)

    def preview(self) -> str:
        """Return the content below a comment with the path."""
        return f"# {self.path}{' (executable)' if self.executable else ''}\n{self.content.decode(errors='replace')}"

    def find_problem(self, entry: RecordEntry) -> str | None:
        """Return a problem if the file is gone, changed, from another nobg, or not executable."""
        current_digest = file_digest(self.path)
        if current_digest is None:
            return f"{self.path} is gone"
        if current_digest != sha256(self.content):
            is_unchanged = current_digest in entry["sha256"]
            problem = "is not what nobg would write now" if is_unchanged else "was changed since nobg wrote it"
            return f"{self.path} {problem}"
        return f"{self.path} is no longer executable" if self._is_mode_wrong() else None

    def _is_mode_wrong(self) -> bool:
        return self.executable and os.name == "posix" and os.stat(self.path).st_mode & 0o111 != 0o111

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Delete the file if it still is as nobg wrote it."""
        path = Path(entry["address"])
        current_digest = file_digest(path)
        if current_digest is not None and current_digest not in entry["sha256"]:
            return f"{path} was changed since nobg wrote it, so it was not removed."
        path.unlink(missing_ok=True)
        return None


def file_digest(path: Path) -> str | None:
    """Return the file's SHA-256, None if nothing is there, and "" for a link or a folder, which nobg never writes."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return sha256(path.read_bytes()) if stat.S_ISREG(status.st_mode) else ""


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def make_private_folders(folder: Path) -> None:
    """Make the folder and its parents, open to their owner alone (XDG Base Directory Specification)."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".nobg-menu-", ".tmp"


def remove_temporary_files(folders: Iterable[Path]) -> None:
    """Remove what a kill -9 has left of `write_atomically`. Call it only while no other process writes there."""
    for folder in folders:
        for path in folder.glob(f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"):
            with contextlib.suppress(OSError):
                path.unlink()


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Write the whole file or nothing, even if the power fails; watching file managers never see half of it."""
    descriptor, temporary_path = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary_path, mode)
        os.replace(temporary_path, path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)


def sync_folder(folder: Path) -> None:
    """Put the new name of a file on the disk: without this, a power cut can bring the old file back."""
    if sys.platform == "win32":  # it opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system may not know how to
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
