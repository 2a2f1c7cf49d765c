"""The interface of an artifact: one thing that a target writes, such as a file, a part of a file or registry values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

RecordEntry = dict[str, Any]
"""What the record keeps of one artifact: its `kind`, its `address`, and what `Artifact.remove` needs."""


class IntegrationError(Exception):
    """An artifact cannot be written, or the record cannot be read; nothing is changed.

    The message says where, why and what to do next.
    """


class Artifact(Protocol):
    """One thing that a target writes. Implementations are frozen, so that equal setups make equal artifacts."""

    kind: ClassVar[str]

    @property
    def address(self) -> str:
        """The location as people read it. No two artifacts share an address."""

    @property
    def folder(self) -> Path | None:
        """The folder that must exist before `write`; None if the artifact is in no folder."""

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Return what the record must keep of the artifact, without writing anything.

        `previous` is the entry that the record has now. Raises IntegrationError if something is in the way.
        """

    def write(self, entry: RecordEntry) -> None:
        """Write the artifact as planned in `entry`. Raises OSError."""

    def preview(self) -> str:
        """Return what is written, with a comment that says where, for `nobg menu install --print`."""

    def find_problem(self, entry: RecordEntry) -> str | None:
        """Return in a few words how the present state differs from the intended one; None if it does not."""

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Remove the artifact, from its entry alone. Return a sentence if something had to stay. Raises OSError."""


def make_entry(artifact: Artifact, **values: Any) -> RecordEntry:
    """Return an entry for the record: the artifact's kind and address, and these values."""
    return {"kind": artifact.kind, "address": artifact.address, **values}
