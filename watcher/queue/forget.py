"""Forget: remove jobs from jobs.db so that no byte of their names stays in the file or in its write-ahead log.

What stays are fingerprints without names, so that a watched folder does not do the same pictures again and does not
take nobg's cut-outs for pictures. They are rows of the table `outputs`:

- The SHA-256 of a path with the file's signature (and, for a source, with its recipe), after a NUL byte, in the column
  `output`: without the file at hand, nobody can find the path, because the signature has its times to the nanosecond.
- The SHA-256 of an output's content, with empty paths.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from watcher.errors import DestinationError
from watcher.queue import store
from watcher.queue.database import Database
from watcher.queue.job import Job

_DELETE = "DELETE FROM jobs WHERE id = ? AND state IN ('done', 'skipped', 'failed')"
_OUTPUTS = "SELECT * FROM outputs WHERE source != X''"  # those with names
_Row = tuple[bytes, str, bytes]
"""A row of the table `outputs`."""

_CHECKPOINT_ATTEMPTS = 50


class Forgotten:
    """The files whose jobs are forgotten. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def covers(self, path: bytes, signature: str, recipes: Sequence[str]) -> bool:
        """Return whether the file with this signature had a job under one of `recipes`."""
        keys = [store.fingerprint(path, signature, recipe) for recipe in recipes]
        placeholders = ", ".join("?" * len(keys))
        return bool(self._db.execute(f"SELECT 1 FROM outputs WHERE output IN ({placeholders}) LIMIT 1", keys))  # noqa: S608

    def forget(self, jobs: Iterable[Job], *, and_lost_names: bool = False) -> list[Job]:
        """Remove these jobs, except those that are queued or active by now. Return the removed ones.

        `and_lost_names`: also remove the names of outputs whose jobs are gone. Edits go with the last job of their
        content; with `and_lost_names`, also those of contents that never had a job.
        """
        candidates = list(jobs)
        signatures = self._current_signatures(candidates, and_lost_names=and_lost_names)
        forgotten: list[Job] = []

        def remove() -> None:
            db = self._db.connection
            forgotten.extend(job for job in candidates if db.execute(_DELETE, (job.id,)).rowcount)
            kept = [
                (store.fingerprint(os.fsencode(path), signature, job.recipe), "", b"")
                for job in forgotten
                for path, signature in _sources(job, signatures)
                if signature is not None
            ]
            for row in _rows_to_replace(db, forgotten, and_lost_names=and_lost_names):
                db.execute("DELETE FROM outputs WHERE (output, output_hash, source) = (?, ?, ?)", row)
                kept.append((b"", row[1], b""))
                signature = signatures.get(row[0])
                if signature is not None:
                    kept.append((store.fingerprint(row[0], signature), "", b""))
            db.executemany("INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)", kept)
            _forget_edits(db, forgotten, of_all_without_job=and_lost_names)
            db.execute("DELETE FROM copies")  # names of renamed cut-outs; the next sweep knows them by content again

        self._db.run_in_transaction(remove)
        self._erase_free_space()
        return forgotten

    def _current_signatures(self, jobs: Iterable[Job], *, and_lost_names: bool) -> dict[bytes, str | None]:
        """Return the signatures of the files of these jobs. A drive may be slow, so this is outside the transaction."""
        jobs = list(jobs)
        sources = _source_names(jobs)
        paths = {os.fsencode(job.moved_to) for job in jobs if job.moved_to is not None}
        paths |= {row[0] for row in self._db.execute(_OUTPUTS, ()) if and_lost_names or row[2] in sources}
        return {path: store.signature_of(path) for path in paths}

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


def _forget_edits(db: sqlite3.Connection, forgotten: Sequence[Job], *, of_all_without_job: bool) -> None:
    """Remove the edits of the contents that no job has any more."""
    without_job = "DELETE FROM edits WHERE source_hash NOT IN (SELECT source_hash FROM jobs)"
    if of_all_without_job:
        db.execute(without_job)
    db.executemany(f"{without_job} AND source_hash = ?", {(job.source_hash,) for job in forgotten})


def _rows_to_replace(db: sqlite3.Connection, forgotten: Sequence[Job], *, and_lost_names: bool) -> list[_Row]:
    """Return the rows of `outputs` that no remaining job needs and that have names of forgotten jobs."""
    forgotten_sources = _source_names(forgotten)
    needed_sources: set[bytes] = set()
    needed_outputs: set[tuple[bytes | None, str | None]] = set()
    for source, moved_to, output, output_hash in db.execute("SELECT source, moved_to, output, output_hash FROM jobs"):
        needed_sources |= {source, moved_to or source}
        needed_outputs.add((output, output_hash))
    own_outputs = {(os.fsencode(job.output), job.output_hash) for job in forgotten if job.output is not None}
    replaceable = own_outputs - needed_outputs
    return [
        (output, output_hash, source)
        for output, output_hash, source in db.execute(_OUTPUTS).fetchall()
        if (and_lost_names or source in forgotten_sources)
        and (source not in needed_sources or (output, output_hash) in replaceable)
    ]


def _source_names(jobs: Iterable[Job]) -> set[bytes]:
    return {os.fsencode(path) for job in jobs for path in (job.source, job.moved_to) if path is not None}


def _sources(job: Job, signatures: Mapping[bytes, str | None]) -> Iterator[tuple[Path, str | None]]:
    """Yield the places of the job's original, each with the signature by which a watched folder knows it."""
    yield job.source, job.signature
    if job.moved_to is not None:
        yield job.moved_to, signatures.get(os.fsencode(job.moved_to))
