"""An artifact that is nobg's part of a file of the person: merged in as text, so that all other bytes stay."""

from __future__ import annotations

import base64
import os
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from integrations.artifact import RecordEntry, make_entry
from integrations.files import PathArtifact, sha256, write_atomically


@dataclass(frozen=True)
class MergedFile(PathArtifact, ABC):
    """nobg's part of a file.

    The record keeps the file's content from before nobg. `remove` restores it if the file was not changed since;
    otherwise it only takes nobg's part out.
    """

    kind: ClassVar[str]

    @abstractmethod
    def initial_content(self) -> bytes:
        """Return the content to start with if the person has no such file."""

    @abstractmethod
    def insert(self, before: bytes) -> bytes:
        """Return `before` with nobg's part. Raises IntegrationError if the part does not fit in."""

    @abstractmethod
    def is_merged(self, current: bytes) -> bool:
        """Return whether the content has nobg's part, even if another program has rewritten the file."""

    @abstractmethod
    def preview(self) -> str:
        """Return nobg's part, with a comment that says where it goes."""

    @abstractmethod
    def part_to_strip(self) -> Any:
        """Return what `strip` needs to recognise nobg's part; it must fit into JSON."""

    @classmethod
    @abstractmethod
    def strip(cls, current: bytes, part: Any) -> bytes:
        """Return `current` without nobg's part; `part` is what `part_to_strip` returned when it was written."""

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Record the content from before nobg, or the content without nobg's part if it was changed since.

        The entry's `before` is None if there was no file. `earlier` is the hash of what nobg replaces: after a crash,
        the file with that content is as nobg wrote it, too.
        """
        current = _read_if_exists(self.path)
        earlier = []
        if previous is not None and current is not None and _is_as_written(current, previous):
            earlier = [sha256(current)]
            before = _decode_base64(previous["before"])
        elif current is not None:
            before = self.strip(current, self.part_to_strip() if previous is None else previous["part"])
        else:
            before = None
        content = self._merged_content(before)
        encoded_before = None if before is None else base64.b64encode(before).decode()
        part = self.part_to_strip()
        return make_entry(self, sha256=sha256(content), earlier=earlier, before=encoded_before, part=part)

    def write(self, entry: RecordEntry) -> None:
        """Write the merged content in one step. The file keeps its mode, and a link to it stays a link."""
        before = _decode_base64(entry["before"])
        content = self._merged_content(before)
        if content or before is not None:  # do not make an empty file
            _write_through_link(self.path, content)

    def _merged_content(self, before: bytes | None) -> bytes:
        return self.insert(self.initial_content() if before is None else before)

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """Return a problem if the file is gone or lacks nobg's part."""
        current = _read_if_exists(self.path)
        if self.is_merged(current or b""):
            return None
        return f"{self.path} {'is gone' if current is None else 'does not contain what nobg would write there now'}"

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Restore the content from before nobg, byte for byte; if the file was changed since, only strip it."""
        path = Path(entry["address"])
        current = _read_if_exists(path)
        if current is None:
            return None
        is_unchanged = _is_as_written(current, entry)
        restored = _decode_base64(entry["before"]) if is_unchanged else cls.strip(current, entry["part"])
        if restored is None:
            path.unlink()
        else:
            _write_through_link(path, restored)
        return None


def _is_as_written(current: bytes, entry: RecordEntry) -> bool:
    """Return whether the content is what nobg wrote last, or, after a crash, what it wrote before that."""
    return sha256(current) in (entry["sha256"], *entry.get("earlier", ()))


def _read_if_exists(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write_through_link(path: Path, content: bytes) -> None:
    """Write the file that the path leads to: some people keep their settings elsewhere and link to them."""
    real_path = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(os.stat(real_path).st_mode)
    except FileNotFoundError:
        mode = 0o644
    if _read_if_exists(real_path) != content:
        write_atomically(real_path, content, mode)


def _decode_base64(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)
