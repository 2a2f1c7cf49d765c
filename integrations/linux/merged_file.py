"""Our part of a file that belongs to the person: put in as text, so that all else stays as it is, byte for byte."""

from __future__ import annotations

import base64
import os
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from integrations.base import Entry, OnDisk, entry_of, sha256, write_atomically


@dataclass(frozen=True)
class Merged(OnDisk, ABC):
    """The record keeps what the file was before; when nobody changed it since, that comes back, else our part goes."""

    kind: ClassVar[str]

    @abstractmethod
    def start(self) -> bytes:
        """What to begin with where the person has no such file."""

    @abstractmethod
    def insert(self, before: bytes) -> bytes:
        """`before` with our part. Raises TakenError where it has no place for it."""

    @abstractmethod
    def holds(self, now: bytes) -> bool:
        """Does it have our part, whoever wrote the file anew meanwhile?"""

    @abstractmethod
    def text(self) -> str:
        """Our part, for people."""

    @abstractmethod
    def part(self) -> Any:
        """What strip() needs to know our part by; for the record."""

    @classmethod
    @abstractmethod
    def strip(cls, now: bytes, part: Any) -> bytes:
        """`now` without our part."""

    def plan(self, old: Entry | None) -> Entry:
        """What the file was before us, or is without us if it was changed since; None where there was none."""
        now = _read(self.path)
        if old is not None and now is not None and sha256(now) == old["sha256"]:
            before = _decoded(old["before"])
        elif now is not None:
            before = self.strip(now, self.part() if old is None else old["part"])
        else:
            before = None
        content = self._content(before)
        kept = None if before is None else base64.b64encode(before).decode()
        return entry_of(self, sha256=sha256(content), before=kept, part=self.part())

    def write(self, entry: Entry) -> None:
        """In one step, with the mode it has; through a link, since people keep their settings elsewhere."""
        before = _decoded(entry["before"])
        content = self._content(before)
        if content or before is not None:  # an empty file of ours would say nothing
            _write(self.path, content)

    def _content(self, before: bytes | None) -> bytes:
        return self.insert(self.start() if before is None else before)

    def problem(self, _entry: Entry) -> str | None:
        """Gone, or without our part?"""
        now = _read(self.path)
        if now is None and not self.holds(b""):
            return f"{self.path} is gone"
        return None if self.holds(now or b"") else f"{self.path} does not have what nobg would write there now"

    @classmethod
    def remove(cls, entry: Entry) -> str | None:
        """Byte for byte what was there before, if nobody changed it; else all but our part stays."""
        path = Path(entry["address"])
        now = _read(path)
        if now is None:
            return None
        unchanged = sha256(now) == entry["sha256"]
        before = _decoded(entry["before"]) if unchanged else cls.strip(now, entry["part"])
        if before is None:
            path.unlink()
        else:
            _write(path, before)
        return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    real = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(os.stat(real).st_mode)
    except FileNotFoundError:
        mode = 0o644
    if _read(real) != content:
        write_atomically(real, content, mode)


def _decoded(kept: str | None) -> bytes | None:
    return None if kept is None else base64.b64decode(kept)
