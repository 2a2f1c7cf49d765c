"""A job and a pause, and how a row of the table `jobs` becomes a job."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from watcher.recipe import RecipeError, parse_key


@dataclass(frozen=True)
class Job:
    """One source under one recipe, and its result. Hashes are SHA-256 in hex; times are seconds since 1970.

    `why`: the reasons of the doubt, keys of errors.DOUBTS. `edits`: the hash of the edits that the output has, empty if
    a person did not touch it. `accepted`: when a person looked at the output and accepted it.

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
    listed: Path | None = None
    doubt: float | None = None
    why: str = ""
    edits: str = ""
    accepted: float | None = None

    @property
    def destination(self) -> Path:
        """The folder in which the output belongs; the source's own if the recipe is of a later version of nobg."""
        try:
            return parse_key(self.recipe).destination(self.source)
        except RecipeError:
            return self.source.parent

    @property
    def listed_below(self) -> Path | None:
        """The folder that a person named and in which nobg found the source; None: a person named the source."""
        return self.watch or self.listed

    @property
    def named_folder(self) -> Path:
        """The folder that a person named, together with the source or for its sake."""
        return self.listed_below or self.source.parent

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
            "doubt": self.doubt,
            "why": self.why.split(),
            "accepted": self.accepted is not None,
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

_PATH_FIELDS = ("source", "output", "watch", "moved_to", "listed")
_BOOLEAN_FIELDS = ("force", "adopt", "undone")
_NUMBER_FIELDS = (
    "id",
    "attempts",
    "interrupted",
    "seconds",
    "device",
    "asked_at",
    "started_at",
    "changed_at",
    "doubt",
    "accepted",
)
_LATEST_TIME = 253_402_214_400.0  # 31 December 9999: the calendar of Python ends there
_MAXIMA = {
    "asked_at": _LATEST_TIME,
    "started_at": _LATEST_TIME,
    "changed_at": _LATEST_TIME,
    "accepted": _LATEST_TIME,
    "doubt": 1.0,
}
"""The largest value of a number that must not be negative."""
_EMPTY = {field.name: field.default for field in fields(Job)}


def job_from_row(row: tuple[Any, ...]) -> Job:
    """Return the job in a row of `COLUMNS`.

    SQLite keeps values of any type, and another version of nobg may have written the row: a value of the wrong type is
    taken for an empty one, and so is a path that is not absolute, so that one odd row hides no other.
    """
    values = dict(zip(FIELD_NAMES, row, strict=True))
    for name, value in values.items():
        if name in _PATH_FIELDS:
            is_path = isinstance(value, bytes | str) and os.path.isabs(value)
            values[name] = Path(os.fsdecode(value)) if is_path else None
        elif name in _BOOLEAN_FIELDS:
            values[name] = bool(value)
        elif not _is_plausible(name, value):
            values[name] = _EMPTY[name]
    values["source"] = values["source"] or Path("?")
    return Job(**values)


def _is_plausible(name: str, value: Any) -> bool:
    if name not in _NUMBER_FIELDS:
        return isinstance(value, str)
    return isinstance(value, int | float) and (name not in _MAXIMA or 0 <= value <= _MAXIMA[name])


def column_value(value: Any) -> Any:
    r"""Return the value of a field as its column holds it: a path as bytes, text that SQLite can store as UTF-8.

    A sentence may contain a name that is not UTF-8: its bytes are shown as \udcff, since SQLite refuses them.
    """
    if isinstance(value, Path):
        return os.fsencode(value)
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
