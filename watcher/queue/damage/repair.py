"""Replace a damaged jobs.db: move it aside, and put what can be read of it into a new one.

A file beside jobs.db says that this is under way, so that the next program finishes what a kill -9 or a power cut
interrupts. The damaged file is never deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from typing import Any

from watcher import lock as file_lock
from watcher import paths
from watcher.errors import DamagedJournalError
from watcher.queue.damage import salvage

LOCK_SECONDS = 120.0  # seconds to wait while another program saves what can be read
MARKER = "jobs.repair"
"""Exists while a repair is under way; the store looks for it. Its content: the name of the damaged file."""

Connect = Callable[[str], sqlite3.Connection]
"""Opens the jobs.db at a path, and creates it if there is none."""


def replace(path: str, is_same: Callable[[], bool], connect: Connect) -> str | None:
    """Repair the jobs.db at `path`. Return the damaged file's new path, or None if another program has repaired it.

    `is_same`: whether the file at `path` is the damaged one. Raises DamagedJournalError if another program does not
    finish, OSError, sqlite3.Error.
    """
    folder = os.path.dirname(path)
    # Without the lock, a second program could move the new file aside as well.
    lock = file_lock.acquire(folder, timeout=LOCK_SECONDS, name="repair.lock")
    if lock is None:
        raise DamagedJournalError(path)
    try:
        if not is_same():
            return None
        number = 1
        while os.path.exists(damaged_path := os.path.join(folder, f"jobs.damaged-{number}.db")):
            number += 1
        _write_marker(folder, damaged_path)
        _move(path, damaged_path)
        _fill(folder, damaged_path, connect)
        return damaged_path
    finally:
        file_lock.release(lock)


def finish(folder: str, connect: Connect) -> None:
    """Finish a repair that was interrupted, if there is one. Raises what `replace` raises."""
    lock = file_lock.acquire(folder, timeout=LOCK_SECONDS, name="repair.lock")
    if lock is None:
        raise DamagedJournalError(os.path.join(folder, "jobs.db"))
    try:
        try:
            with open(paths.open_regular(os.path.join(folder, MARKER)), "rb") as file:
                name = os.path.basename(os.fsdecode(file.read(1000)))
        except FileNotFoundError:
            return
        damaged_path = os.path.join(folder, name)
        if name and not os.path.exists(damaged_path):  # not even moved yet: the log may be there already
            _move(os.path.join(folder, "jobs.db"), damaged_path)
        _fill(folder, damaged_path, connect)
    finally:
        file_lock.release(lock)


def _write_marker(folder: str, damaged_path: str) -> None:
    """Say on the disk that the repair has begun."""
    marker = os.path.join(folder, MARKER)
    try:
        with open(os.open(f"{marker}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.fsencode(os.path.basename(damaged_path)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{marker}.new", marker)
    except OSError:  # a full disk: the repair goes on, and only a kill -9 now would lose what can be read
        return


def _move(path: str, damaged_path: str) -> None:
    for suffix in ("-wal", "-shm", ""):  # the log first: SQLite must never mistake it for the log of a new file
        if os.path.exists(path + suffix):
            os.replace(path + suffix, damaged_path + suffix)


def _fill(folder: str, damaged_path: str, connect: Connect) -> None:
    """Put what can be read of the damaged file into jobs.db, in one transaction, and end the repair."""
    rows = salvage.read(damaged_path, connect)
    db = connect(os.path.join(folder, "jobs.db"))
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            saved = sum(_insert_job(db, rows.jobs[number]) for number in sorted(rows.jobs))
            saved += sum(_queue_again(db, source, recipe) for source, recipe in rows.lost)
            for table, entries in rows.tables.items():
                for entry in entries:
                    _insert(db, table, entry)
            db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'jobs'", (rows.last_id,))
            if not rows.is_complete:  # until all watched folders have been swept, existing cut-outs count as done
                db.execute("INSERT OR REPLACE INTO settings VALUES ('rebuild', '1')")
            ((waiting,),) = db.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'active')").fetchall()
            report = {"saved": saved, "waiting": waiting, "complete": rows.is_complete}
            report["file"] = os.path.basename(damaged_path)
            db.execute("INSERT OR REPLACE INTO settings VALUES ('damage', ?)", (json.dumps(report),))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    finally:
        db.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, MARKER))


def _insert_job(db: sqlite3.Connection, row: dict[str, Any]) -> bool:
    """Insert a job; under another number if a click has taken its number since. Return whether it is there now."""
    folder = os.path.dirname(row["source"])
    row = {"folder": folder, "place": os.path.dirname(row.get("output") or b"") or folder, **row}
    row.setdefault("asked_at", row.get("changed_at", 0.0))
    if _insert(db, "jobs", row):
        return True
    found = db.execute("SELECT source FROM jobs WHERE id = ?", (row["id"],)).fetchone()
    if found is None or found[0] == row["source"]:
        return found is not None
    return _insert(db, "jobs", {name: value for name, value in row.items() if name != "id"})


def _queue_again(db: sqlite3.Connection, source: bytes, recipe: str) -> bool:
    """Queue a picture of whose job only source and recipe are known."""
    from pathlib import Path

    from watcher.recipe import RecipeError, parse_key

    folder = os.path.dirname(source)
    try:
        place = os.fsencode(parse_key(recipe).destination(Path(os.fsdecode(source))))
    except RecipeError:
        place = folder
    row = {"source": source, "recipe": recipe, "state": "queued", "folder": folder, "place": place}
    return _insert(db, "jobs", {**row, "asked_at": 0.0, "changed_at": 0.0})


def _insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> bool:
    """Insert what fits into the present table. Return whether it was inserted: not if there is such a row already."""
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})") if name in row]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    try:
        cursor = db.execute(
            f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})",  # noqa: S608  names of columns
            [row[name] for name in columns],
        )
    except (sqlite3.IntegrityError, sqlite3.DataError, UnicodeEncodeError):  # nonsense from a damaged page
        return False
    return cursor.rowcount == 1
