"""The journal: every job, what became of it, and which files are ours. SQLite, so that no crash loses or doubles one.

An output is entered with its hash before it is published. So after a crash at any moment, the journal and the file
tell each other: a planned output that is there with that hash was finished; one that is not there never was.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher.errors import PlaceError

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY,
    source BLOB NOT NULL,       -- path, as the system encodes it: it need not be valid text
    source_hash TEXT NOT NULL,  -- SHA-256 of its content; empty where it could not be read
    recipe TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'active', 'done', 'skipped', 'failed')),
    reason TEXT,
    detail TEXT,
    verdict TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    seconds REAL,
    changed_at REAL NOT NULL,   -- seconds since 1970
    output BLOB,
    output_hash TEXT,
    UNIQUE (source, source_hash, recipe)
);
CREATE TABLE IF NOT EXISTS outputs (  -- all that we ever wrote or were about to write: how our files are known
    output BLOB NOT NULL,
    output_hash TEXT NOT NULL,
    source BLOB NOT NULL,
    PRIMARY KEY (output, output_hash, source)
) WITHOUT ROWID;
"""
VERSION = 1


@dataclass(frozen=True)
class Job:
    """One source under one recipe, and what became of it. `source_hash` and `output_hash` are SHA-256 in hex."""

    id: int
    source: Path
    source_hash: str
    recipe: str
    model: str
    state: str
    reason: str | None = None
    detail: str | None = None
    verdict: str | None = None
    seconds: float | None = None
    output: Path | None = None
    output_hash: str | None = None


_COLUMNS = "id, source, source_hash, recipe, model, state, reason, detail, verdict, seconds, output, output_hash"


class Journal:
    """The journal in one SQLite file, 0600. Not to be shared between threads; processes may share the file."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Open it, making it first if need be. Raises sqlite3.DatabaseError when the file is damaged."""
        self._clock = clock
        self._path = path
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if self._db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("the file is damaged")  # noqa: TRY301  closes the connection below
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def record(self, source: Path, source_hash: str, recipe: str, model: str, **result: Any) -> int:
        """Enter what is known of a job (`state` and other columns of it); what was known before is replaced.

        Returns the job's number, which stays the same for the same source, content and recipe.
        """
        values = {
            "source": os.fsencode(source),
            "source_hash": source_hash,
            "recipe": recipe,
            "model": model,
            "changed_at": self._clock(),
            **dict.fromkeys(("reason", "detail", "verdict", "seconds", "output", "output_hash")),
            **result,
        }
        if values["output"] is not None:
            values["output"] = os.fsencode(values["output"])
            written = (values["output"], values["output_hash"], values["source"])
            self._execute("INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)", written)
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        updates = ", ".join(f"{name} = excluded.{name}" for name in values)
        row = self._execute(
            f"INSERT INTO jobs ({names}) VALUES ({marks}) "  # noqa: S608  the names are ours
            f"ON CONFLICT (source, source_hash, recipe) DO UPDATE SET {updates} RETURNING id",
            values,
        )
        return int(row[0][0])

    def finish(self, number: int) -> None:
        """The planned output of this job is there: it is done."""
        self._execute("UPDATE jobs SET state = 'done', changed_at = ? WHERE id = ?", (self._clock(), number))

    def find(self, source: Path, source_hash: str, recipe: str) -> Job | None:
        """The job of this source with this content under this recipe."""
        query = f"SELECT {_COLUMNS} FROM jobs WHERE source = ? AND source_hash = ? AND recipe = ?"  # noqa: S608
        rows = self._execute(query, (os.fsencode(source), source_hash, recipe))
        return _job(rows[0]) if rows else None

    def wrote(self, source: Path, output: Path, output_hash: str) -> bool:
        """Did we write `output`, from `source`, and is it (by its SHA-256) still as we wrote it?"""
        query = "SELECT 1 FROM outputs WHERE output = ? AND output_hash = ? AND source = ?"
        return bool(self._execute(query, (os.fsencode(output), output_hash, os.fsencode(source))))

    def _execute(self, statement: str, values: Any) -> list[Any]:
        """Run one statement and return its rows. Raises PlaceError when the file cannot be read or written."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise PlaceError(
                f"nobg cannot write its records ({error}). Make room on the disk of {self._path}, and try again."
            ) from error


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    values["source"] = Path(os.fsdecode(values["source"]))
    if values["output"] is not None:
        values["output"] = Path(os.fsdecode(values["output"]))
    return Job(**values)


def open_journal(folder: Path) -> tuple[Journal, Path | None]:
    """The journal in `folder`, and, if a damaged one had to be moved aside, where that is now."""
    path = folder / "jobs.db"
    found = _inode(path)
    try:
        return Journal(path), None
    except sqlite3.OperationalError:
        raise  # locked, no room, not permitted: nothing is wrong with the file
    except sqlite3.DatabaseError:
        if _inode(path) != found:  # another of us found the damage, too, and has put a new one there
            return Journal(path), None
        aside = _free_name(folder)
        os.replace(path, aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return Journal(path), aside


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _free_name(folder: Path) -> Path:
    number = 1
    while (aside := folder / f"jobs.damaged-{number}.db").exists():
        number += 1
    return aside
