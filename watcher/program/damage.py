"""What to tell a person about records that were damaged: how much of them could be read, and where they are now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from watcher.errors import advise
from watcher.queue.journal import Journal

_WHAT = "The records of earlier jobs were damaged."
_ALL = "All of them could be read and are kept."
_SOME = (
    "nobg has saved what could be read: {saved} jobs, {waiting} of them waiting. If a picture that you chose is "
    "missing, choose it again."
)
_NONE = (
    "Nothing in them could be read, so nobg has started new ones. Pictures that you right-clicked before and that are "
    "not done yet must be chosen again."
)
_WHERE = "The damaged file is now {path}."
_DELETE = "Delete that file once you have read this."


def texts(journal: Journal, state: Path) -> list[str]:
    """Return a text, in parts, for each damaged jobs.db that is still in the state folder."""
    report = read_report(journal)
    return [describe(path, report if report.get("file") == path.name else {}) for path in damaged_files(state)]


def damaged_files(state: Path) -> list[Path]:
    """Return the files that were moved aside."""
    return sorted(state.glob("jobs.damaged-*.db"))


def read_report(journal: Journal) -> dict[str, Any]:
    """Return what the last repair has recorded; nothing if there was none."""
    try:
        report = json.loads(journal.get_setting("damage") or "{}")
    except ValueError:  # another version of nobg may have written it
        return {}
    return report if isinstance(report, dict) else {}


def describe(path: Path, report: dict[str, Any]) -> str:
    """Return what happened to the records that are now at `path`. `report`: what the repair has recorded."""
    if report.get("complete"):
        kept = _ALL
    elif report.get("saved"):
        kept = _SOME.format(saved=report["saved"], waiting=report.get("waiting", 0))
    else:
        kept = _NONE
    return advise(f"{_WHAT} {kept} {_WHERE.format(path=path)}", desktop=_DELETE, terminal=_DELETE)


def untold(journal: Journal) -> str | None:
    """Return the name of a damaged file about which no notification has been shown yet, or None. Call `mark_told`."""
    name = read_report(journal).get("file")
    return name if isinstance(name, str) and journal.get_setting("damage_shown") != name else None


def mark_told(journal: Journal, name: str) -> None:
    """Record that the person has been told of the damaged file `name`."""
    journal.set_setting("damage_shown", name)
