"""Our part of a file that belongs to the person: put in as text, so that all else stays as it is, byte for byte."""

from __future__ import annotations

import base64
import os
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from integrations.base import PathArtifact, RecordEntry, make_entry, sha256, write_atomically


@dataclass(frozen=True)
class MergedFile(PathArtifact, ABC):
    """The record keeps what the file was before; when nobody changed it since, that comes back, else our part goes."""

    kind: ClassVar[str]

    @abstractmethod
    def initial_content(self) -> bytes:
        """What to begin with where the person has no such file."""

    @abstractmethod
    def insert(self, before: bytes) -> bytes:
        """`before` with our part. Raises TakenError where it has no place for it."""

    @abstractmethod
    def has_our_part(self, current: bytes) -> bool:
        """Does it have our part, whoever wrote the file anew meanwhile?"""

    @abstractmethod
    def preview(self) -> str:
        """Our part, for people."""

    @abstractmethod
    def our_part(self) -> Any:
        """What strip() needs to know our part by; for the record."""

    @classmethod
    @abstractmethod
    def strip(cls, current: bytes, part: Any) -> bytes:
        """`now` without our part."""

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """What the file was before us, or is without us if it was changed since; None where there was none."""
        now = _read_if_exists(self.path)
        if previous is not None and now is not None and sha256(now) == previous["sha256"]:
            before = _decode_base64(previous["before"])
        elif now is not None:
            before = self.strip(now, self.our_part() if previous is None else previous["part"])
        else:
            before = None
        content = self._merged_content(before)
        kept = None if before is None else base64.b64encode(before).decode()
        return make_entry(self, sha256=sha256(content), before=kept, part=self.our_part())

    def write(self, entry: RecordEntry) -> None:
        """In one step, with the mode it has; through a link, since people keep their settings elsewhere."""
        before = _decode_base64(entry["before"])
        content = self._merged_content(before)
        if content or before is not None:  # an empty file of ours would say nothing
            _write_through_link(self.path, content)

    def _merged_content(self, before: bytes | None) -> bytes:
        return self.insert(self.initial_content() if before is None else before)

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """Gone, or without our part?"""
        now = _read_if_exists(self.path)
        if now is None and not self.has_our_part(b""):
            return f"{self.path} is gone"
        return None if self.has_our_part(now or b"") else f"{self.path} does not have what nobg would write there now"

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Byte for byte what was there before, if nobody changed it; else all but our part stays."""
        path = Path(entry["address"])
        now = _read_if_exists(path)
        if now is None:
            return None
        unchanged = sha256(now) == entry["sha256"]
        before = _decode_base64(entry["before"]) if unchanged else cls.strip(now, entry["part"])
        if before is None:
            path.unlink()
        else:
            _write_through_link(path, before)
        return None


def _read_if_exists(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write_through_link(path: Path, content: bytes) -> None:
    real = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(os.stat(real).st_mode)
    except FileNotFoundError:
        mode = 0o644
    if _read_if_exists(real) != content:
        write_atomically(real, content, mode)


def _decode_base64(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)
