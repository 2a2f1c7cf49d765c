"""A job and a pause, and how a row of the table `jobs` becomes a job."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from watcher.recipe import parse_key


@dataclass(frozen=True)
class Job:
    """One source under one recipe, and its result. Hashes are SHA-256 in hex; times are seconds since 1970.

    `id` is None while the journal has no row for the job: `nobg remove` adds a row only when it has a result to record.
    """

    source: Path
    recipe: str = "{}"
    id: int | None = None
    source_hash: str = ""
    model: str = ""
    state: str = "queued"
    reason: str | None = None
    detail: str | None = None
    verdict: str | None = None
    attempts: int = 0
    interrupted: int = 0
    seconds: float | None = None
    output: Path | None = None
    output_hash: str | None = None
    device: int | None = None
    signature: str | None = None
    watch: Path | None = None
    force: bool = False
    adopt: bool = False
    move_to: str | None = None
    moved_to: Path | None = None
    asked_at: float = 0.0
    started_at: float | None = None
    changed_at: float = 0.0
    undone: bool = False
    notes: str = ""

    @property
    def destination(self) -> Path:
        """The folder in which the output belongs."""
        return parse_key(self.recipe).destination(self.source)

    @property
    def worker_deaths(self) -> int:
        """How many workers have died while they processed this job."""
        return self.attempts - self.interrupted

    def as_dict(self) -> dict[str, Any]:
        """Return the job as `--json` shows it."""
        return {
            "id": self.id,
            "source": str(self.source),
            "output": None if self.output is None else str(self.output),
            "state": self.state,
            "reason": self.reason,
            "seconds": self.seconds or 0.0,
            "model": self.model,
            "verdict": self.verdict,
            "notes": self.notes.split(),
            "undone": self.undone,
        }


@dataclass(frozen=True)
class Pause:
    """A folder whose pictures wait.

    `reason` is a key of errors.DESTINATION_REASONS, `needed_bytes` the size of the output that did not fit, `since` the
    start of the pause in seconds since 1970.
    """

    folder: Path
    reason: str
    needed_bytes: int
    since: float


FIELD_NAMES = [field.name for field in fields(Job)]
"""The fields of Job; each has a column of the same name."""

COLUMNS = ", ".join(FIELD_NAMES)
"""What to select so that job_from_row() can read the row."""

_PATH_FIELDS = ("source", "output", "watch", "moved_to")
_BOOLEAN_FIELDS = ("force", "adopt", "undone")


def job_from_row(row: tuple[Any, ...]) -> Job:
    """Return the job in a row of `COLUMNS`."""
    values = dict(zip(FIELD_NAMES, row, strict=True))
    for name in _PATH_FIELDS:
        if values[name] is not None:
            values[name] = Path(os.fsdecode(cast("bytes", values[name])))
    for name in _BOOLEAN_FIELDS:
        values[name] = bool(values[name])
    return Job(**values)


def column_value(value: Any) -> Any:
    """Return the value of a field as its column holds it: a path as bytes, everything else unchanged."""
    return os.fsencode(value) if isinstance(value, Path) else value
