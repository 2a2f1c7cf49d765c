"""Read what can be read of a damaged jobs.db, by SQLite's own means: each table from both ends, and around the damage.

A damaged page makes SQLite refuse the rows on it, and every query that passes through it. So a query is followed up to
the first error, and the rows behind the damage are read by other queries: backwards, and for jobs by halves of the
range of their numbers. What an index still knows of a queued job whose row is lost is enough to queue it again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATES = ("queued", "active", "done", "skipped", "failed")
MAX_QUERIES = 100_000
"""The most queries for the rows around damage: some seconds."""
UNKNOWN_IDS = 1000
"""How many numbers of jobs are tried beyond the highest known one, if the highest ever given is not known."""
COPY_FOLDER = "jobs.repair-copy"
"""The folder in the state folder for a copy of a file whose list of tables is damaged; it is deleted at once."""

_KEYS = {
    "outputs": ("output", "output_hash", "source"),
    "followed": ("watch", "recipe"),
    "copies": ("folder", "path"),
    "settings": ("name",),
    "edits": ("source_hash",),
}
"""The tables without row numbers that are saved, and their primary keys. Pauses are found anew."""

_NOT_KEPT = ("new", "rebuild", "damage", "damage_shown")
"""Settings that say something about one file."""


@dataclass
class Rows:
    """What was read: `jobs` by number, and the rows of the other tables; each row by the names of its columns.

    `lost`: sources and recipes of queued jobs whose rows are lost, from the indexes. `last_id`: the highest number that
    a job ever had, 0 if unknown. `is_complete`: nothing in the file was unreadable.
    """

    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lost: list[tuple[bytes, str]] = field(default_factory=list)
    last_id: int = 0
    is_complete: bool = True


def read(path: str, connect: Callable[[str], sqlite3.Connection]) -> Rows:
    """Return what can be read of the jobs.db at `path` and of its write-ahead log. The files are not changed.

    `connect` creates an empty jobs.db of the present version. If not even the names of the tables can be read, a copy
    of the damaged file gets those of such a file: every jobs.db that began in this version has its tables at the same
    places. Rows that are nonsense then are left out.
    """
    rows = _read_file(path)
    if rows is not None:
        return rows
    copy_folder = os.path.join(os.path.dirname(path), COPY_FOLDER)
    shutil.rmtree(copy_folder, ignore_errors=True)  # a kill -9 may have left it
    try:
        os.mkdir(copy_folder, 0o700)
        copy = _copy_with_sound_schema(path, copy_folder, connect)
        rows = _read_file(copy) or Rows()
    except (OSError, sqlite3.Error):  # a full disk, for example
        rows = Rows()
    finally:
        shutil.rmtree(copy_folder, ignore_errors=True)
    rows.is_complete = False
    return rows


def _read_file(path: str) -> Rows | None:
    """Return what can be read; None if the table of jobs is not known."""
    rows = Rows()
    try:
        db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    except sqlite3.Error:
        return None
    with contextlib.closing(db):
        db.text_factory = decode_leniently
        reader = _Reader(db, rows)
        if not reader.has_table("jobs"):
            return None
        reader.read_jobs()
        for table, key in _KEYS.items():
            if reader.may_have_table(table):
                rows.tables[table] = reader.read_table(table, key)
    return rows


def _copy_with_sound_schema(path: str, folder: str, connect: Callable[[str], sqlite3.Connection]) -> str:
    """Copy jobs.db and its log into `folder`, with the first page and the list of tables of a new file."""
    sound, copy = os.path.join(folder, "sound.db"), os.path.join(folder, "copy.db")
    with contextlib.closing(connect(sound)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page_size,),) = db.execute("PRAGMA page_size").fetchall()
        roots = {root for (root,) in db.execute("SELECT rootpage FROM sqlite_master")}
    shutil.copyfile(path, copy)
    if os.path.exists(f"{path}-wal"):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    with open(sound, "rb") as file:
        pages = file.read()
    first = bytearray(pages[:page_size])
    first[28:32] = (os.path.getsize(copy) // page_size).to_bytes(4, "big")  # the file's size in pages
    first[32:40] = bytes(8)  # no list of free pages
    with open(copy, "r+b") as file:
        file.write(first)
        for number in range(2, len(pages) // page_size + 1):
            if number not in roots:  # the tables of a new file have one page each: this one is of their list
                file.seek((number - 1) * page_size)
                file.write(pages[(number - 1) * page_size : number * page_size])
    return copy


def decode_leniently(raw: bytes) -> str:
    """Return text that a flipped bit may have made invalid, with the odd bytes as backslashes and digits."""
    return raw.decode("utf-8", "backslashreplace")


class _Reader:
    def __init__(self, db: sqlite3.Connection, rows: Rows) -> None:
        self._db = db
        self._rows = rows
        self._queries_left = MAX_QUERIES

    def has_table(self, name: str) -> bool:
        """Return whether SQLite knows the table."""
        names, _ = self._query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return name in (row[0] for row in names)

    def may_have_table(self, name: str) -> bool:
        """Return whether there may be such a table: not in the file of an older version, if its list is whole."""
        names, is_whole = self._query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return not is_whole or name in (row[0] for row in names)

    def read_jobs(self) -> None:
        """Read the jobs, and from the indexes what was lost of the queued ones."""
        known, _ = self._read_index("SELECT id, source, source_hash, recipe FROM jobs", "source")
        sequence, _ = self._query("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
        ids = [value for row in (*known, *sequence) if isinstance(value := row[0], int)]
        self._rows.last_id = max(ids, default=0)
        self._read_around_damage(self._rows.last_id + (0 if sequence else UNKNOWN_IDS))
        for number, source, source_hash, recipe in known:
            is_lost = number not in self._rows.jobs and source_hash == ""  # nobody has read the picture yet
            if is_lost and _is_path(source) and isinstance(recipe, str):
                self._rows.lost.append((source, recipe))

    def _read_around_damage(self, last_id: int) -> None:
        ranges = [(1, sys.maxsize)]
        while ranges and self._queries_left > 0:
            low, high = ranges.pop()
            query = "SELECT *, id FROM jobs NOT INDEXED WHERE id BETWEEN ? AND ? ORDER BY id"
            rows, is_whole = self._query(query, low, high)
            self._keep_jobs(rows)
            if is_whole:
                continue
            self._rows.is_complete = False
            low = rows[-1][-1] + 1 if rows else low
            rows, _ = self._query(f"{query} DESC", low, high)
            self._keep_jobs(rows)
            high = rows[-1][-1] - 1 if rows else min(high, last_id)
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
            elif low == high:
                self._keep_jobs(self._query(query, low, low)[0])

    def _keep_jobs(self, rows: list[Any]) -> None:
        for row in rows:
            job = _as_dict(row)
            if _is_job(job):
                self._rows.jobs.setdefault(job["id"], job)
            else:
                self._rows.is_complete = False

    def _read_index(self, query: str, key: str) -> tuple[list[Any], bool]:
        """Read from both ends of an index that begins with `key` and holds all that the query selects."""
        rows, is_whole = self._query(f"{query} ORDER BY {key}")
        if not is_whole:
            rows += self._query(f"{query} ORDER BY {key} DESC")[0]
        return rows, is_whole

    def read_table(self, table: str, key: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the rows of a table that is ordered by its key, from both ends and from its index."""
        rows, is_whole = self._query(f"SELECT * FROM {table} ORDER BY {', '.join(key)}")  # noqa: S608  names
        if not is_whole:
            self._rows.is_complete = False
            backwards = ", ".join(f"{name} DESC" for name in key)
            rows += self._query(f"SELECT * FROM {table} ORDER BY {backwards}")[0]  # noqa: S608
            if table == "outputs":
                rows += self._read_index("SELECT * FROM outputs INDEXED BY written", "output_hash")[0]
        found = {}
        for row in rows:
            values = _as_dict(row)
            if None not in values.values() and values.get("name") not in _NOT_KEPT:
                found[tuple(values[name] for name in key)] = values
        return list(found.values())

    def _query(self, query: str, *values: int) -> tuple[list[Any], bool]:
        """Return the rows up to the first error, and whether there was none."""
        self._queries_left -= 1
        rows = []
        try:
            cursor = self._db.cursor()
            cursor.row_factory = sqlite3.Row
            for row in cursor.execute(query, values):
                rows.append(row)  # noqa: PERF402  what came before an error counts
        except (sqlite3.Error, UnicodeDecodeError, OverflowError):
            return rows, False
        return rows, True


def _as_dict(row: sqlite3.Row) -> dict[str, Any]:
    return dict(zip(row.keys(), row, strict=True))


def _is_job(row: dict[str, Any]) -> bool:
    """Return whether what SQLite read can be a job: on a damaged page, it may read nonsense."""
    return (
        isinstance(row.get("id"), int)
        and row["id"] > 0
        and _is_path(row.get("source"))
        and row.get("state") in STATES
        and all(isinstance(row.get(name), str) for name in ("recipe", "source_hash"))
        and all(isinstance(row.get(name, 0), int | float) for name in ("asked_at", "changed_at"))
        and _is_path(row.get("folder", b"/"))
    )


def _is_path(value: Any) -> bool:
    return isinstance(value, bytes) and os.path.isabs(value) and b"\0" not in value
