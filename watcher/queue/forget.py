"""Forget: remove jobs from jobs.db so that no byte of their names stays in the file or in its write-ahead log.

What stays are fingerprints without names, so that a watched folder does not do the same pictures again and does not
take nobg's cut-outs for pictures. They are rows of the table `outputs`:

- The SHA-256 of a path with the file's signature (and, for a source, with its recipe), after a NUL byte, in the column
  `output`: without the file at hand, nobody can find the path, because the signature has its times to the nanosecond.
- The SHA-256 of an output's content, with empty paths.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence

from watcher import commit
from watcher.errors import DestinationError
from watcher.queue.database import Database
from watcher.queue.job import Job

_DELETE = "DELETE FROM jobs WHERE id = ? AND state IN ('done', 'skipped', 'failed')"
_LOST_OUTPUTS = """
SELECT * FROM outputs WHERE source != X'' AND source NOT IN
    (SELECT source FROM jobs UNION ALL SELECT moved_to FROM jobs WHERE moved_to IS NOT NULL)
"""
_CHECKPOINT_ATTEMPTS = 50


class Forgotten:
    """The files whose jobs are forgotten. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def covers(self, path: bytes, signature: str, recipes: Sequence[str]) -> bool:
        """Return whether the file with this signature had a job under one of `recipes`."""
        keys = [_fingerprint(path, signature, recipe) for recipe in recipes]
        placeholders = ", ".join("?" * len(keys))
        return bool(self._db.execute(f"SELECT 1 FROM outputs WHERE output IN ({placeholders}) LIMIT 1", keys))  # noqa: S608

    def forget(self, jobs: Iterable[Job], *, and_lost_names: bool = False) -> list[Job]:
        """Remove these jobs, except those that are queued or active by now. Return the removed ones.

        `and_lost_names`: also remove the names of outputs whose jobs are gone.
        """
        forgotten: list[Job] = []

        def remove() -> None:
            db = self._db.connection
            for job in jobs:
                if db.execute(_DELETE, (job.id,)).rowcount:
                    forgotten.append(job)
                    _replace_by_fingerprints(db, job)
            if and_lost_names:
                _replace_outputs(db, db.execute(_LOST_OUTPUTS).fetchall())

        self._db.run_in_transaction(remove)
        self._erase_free_space()
        return forgotten

    def _erase_free_space(self) -> None:
        """Rewrite the file without what was deleted, also long ago, and empty the write-ahead log."""
        self._db.execute("VACUUM", ())
        for _ in range(_CHECKPOINT_ATTEMPTS):  # while another program reads, the log cannot be emptied
            ((busy, _, _),) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)", ())
            if not busy:
                return
            time.sleep(0.1)
        raise DestinationError(
            "The jobs are forgotten, but another program still reads the records, so traces of them may be in the file "
            "jobs.db-wal. Quit nobg, then forget once more.",
        )


def is_forgotten_output(db: sqlite3.Connection, path: bytes) -> bool:
    """Return whether the file at `path` is, unchanged, a cut-out whose job is forgotten."""
    signature = _current_signature(path)
    key = None if signature is None else _fingerprint(path, signature)
    return db.execute("SELECT 1 FROM outputs WHERE output = ? LIMIT 1", (key,)).fetchone() is not None


def _replace_by_fingerprints(db: sqlite3.Connection, job: Job) -> None:
    """Replace the names of the job's files in `outputs`, except those that another job still has."""
    source, moved_to = os.fsencode(job.source), os.fsencode(job.moved_to or job.source)
    if job.signature is not None:
        _keep(db, _fingerprint(source, job.signature, job.recipe))
    moved_signature = None if job.moved_to is None else _current_signature(moved_to)
    if moved_signature is not None:
        _keep(db, _fingerprint(moved_to, moved_signature, job.recipe))
    for name in {source, moved_to}:
        is_needed = db.execute("SELECT 1 FROM jobs WHERE source = ? OR moved_to = ? LIMIT 1", (name, name)).fetchone()
        query = "SELECT * FROM outputs WHERE source = ?"
        if is_needed:
            own = (name, None if job.output is None else os.fsencode(job.output), job.output_hash)
            rows = db.execute(f"{query} AND output = ? AND output_hash = ?", own)
        else:
            rows = db.execute(query, (name,))
        _replace_outputs(db, rows.fetchall())
    if job.output is not None and job.output_hash is not None:  # an adopted output is not in the table
        _replace_outputs(db, [(os.fsencode(job.output), job.output_hash, source)])


def _replace_outputs(db: sqlite3.Connection, rows: Iterable[tuple[bytes, str, bytes]]) -> None:
    for output, output_hash, source in rows:
        db.execute("DELETE FROM outputs WHERE (output, output_hash, source) = (?, ?, ?)", (output, output_hash, source))
        _keep(db, b"", output_hash)
        signature = _current_signature(output)
        if signature is not None:
            _keep(db, _fingerprint(output, signature))


def _keep(db: sqlite3.Connection, fingerprint: bytes, output_hash: str = "") -> None:
    db.execute("INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)", (fingerprint, output_hash, b""))


def _fingerprint(path: bytes, signature: str, recipe: str = "") -> bytes:
    return b"\0" + hashlib.sha256(b"\0".join((path, signature.encode(), recipe.encode()))).digest()


def _current_signature(path: bytes) -> str | None:
    try:
        return commit.file_signature(os.lstat(path))
    except OSError:
        return None
