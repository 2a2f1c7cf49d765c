"""The journal: every job and its result. It is in SQLite, so that no crash loses or doubles a job.

The journal records an output and its hash before the output is published. So after a crash at any moment, journal and
disk together show what happened: if a planned output exists with the planned hash, the job was finished; if not, the
output was never published.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from watcher import places
from watcher.queue import store
from watcher.queue.database import Database
from watcher.queue.forget import Forgotten
from watcher.queue.job import COLUMNS, FIELD_NAMES, Job, Pause, column_value, job_from_row
from watcher.queue.outputs import RESULT_CONDITION, Outputs
from watcher.queue.touchup.edits import Edits
from watcher.queue.watched_files import Contents, Failures, WatchedFiles

_RESULT_FIELDS = ("reason", "detail", "verdict", "seconds", "output", "output_hash", "doubt", "why", "accepted")
"""The fields of a result, besides `state`, that a new result replaces."""
_NO_RESULT = {**dict.fromkeys(_RESULT_FIELDS), "why": ""}

_TAKE_OVER = """
UPDATE jobs SET (folder, place, device, rank, watch, force, adopt, move_to, asked_at, attempts, interrupted) =
    (SELECT folder, place, device, rank, watch, force, adopt, move_to, asked_at, attempts, interrupted
     FROM jobs WHERE id = :from)
WHERE id = :number
"""
"""Give the job `:number` the request of the job `:from`."""


class Journal:
    """The journal in one SQLite file, 0600. Threads must not share it; processes may share the file.

    Every method raises DestinationError if the file cannot be written and DamagedJournalError if it is damaged.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.time,
        *,
        check_integrity: bool = False,
        check_indexes: bool = False,
    ) -> None:
        """Open jobs.db in `folder`. If the file is damaged, move it aside, and save what can be read into a new one.

        `check_integrity` reads the whole file to look for damage, `check_indexes` also its indexes.
        """
        self._clock = clock
        self._db = Database(folder, check_integrity=check_integrity, check_indexes=check_indexes)
        self.damaged_path = self._db.damaged_path
        """The new place of a damaged jobs.db; None if the file was sound."""
        self.contents = Contents(self._db)
        self.edits = Edits(self._db, clock)
        self.failures = Failures(self._db)
        self.forgotten = Forgotten(self._db)
        self.outputs = Outputs(self._db)
        self.watched_files = WatchedFiles(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_current(self) -> bool:
        """Return whether the open file is still the one at its path. Another program may have moved it aside."""
        return self._db.is_current()

    # The queue of the resident program

    def enqueue(self, pictures: Iterable[tuple[bytes, int | None, str | None]], **request: Any) -> None:
        """Put all of these jobs in the queue, or none. `pictures` and `request` are what store.enqueue() takes."""
        with self._db.translated_errors():
            store.enqueue(self._db.connection, pictures, self._clock(), **request)

    def next_job(self) -> Job | None:
        """Return the next job to process, or None. The journal stays unchanged.

        Jobs that a person requested come first; among equals, those with fewer attempts.
        """
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'queued' "  # noqa: S608
            # A wait that began in the future: the clock was set back, and the wait would last as long as that.
            "AND (not_before <= :now OR changed_at > :now) "
            "AND place NOT IN (SELECT place FROM pauses) AND folder NOT IN (SELECT place FROM pauses) "
            "AND NOT EXISTS (SELECT 1 FROM settings WHERE name = 'paused') "
            "ORDER BY rank, attempts, id LIMIT 1",
            {"now": self._clock()},
        )
        return job_from_row(rows[0]) if rows else None

    def start(self, job: Job) -> Job | None:
        """Mark the job as active and count the attempt, before a worker gets it: so a crash cannot hide the attempt.

        The job's `source_hash`, `signature` and `model` must be set. If an earlier job has the same source, content and
        recipe, the new request takes over that job and its number. Return None if the job was withdrawn, or requested
        again after it was taken; then its source must be read again.
        """
        now = self._clock()
        started = []

        def start_job() -> None:
            if not self._is_still_requested(job):
                return
            db = self._db.connection
            (job_id,) = self._find_duplicate(job) or (job.id,)
            if job_id != job.id:
                db.execute(_TAKE_OVER, {"number": job_id, "from": job.id})
                db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            cursor = db.execute(
                "UPDATE jobs SET state = 'active', source_hash = ?, signature = ?, model = ?, attempts = attempts + 1, "
                "output = NULL, output_hash = NULL, reason = NULL, detail = NULL, verdict = NULL, seconds = NULL, "
                "doubt = NULL, why = '', accepted = NULL, edits = ?, started_at = ?, changed_at = ?, undone = 0, "
                "moved_to = NULL, notes = '' WHERE id = ?",
                (job.source_hash, job.signature, job.model, job.edits, now, now, job_id),
            )
            assert cursor.rowcount == 1
            started.append(replace(job, id=job_id, state="active", attempts=job.attempts + 1, started_at=now))

        self._db.run_in_transaction(start_job)
        return started[0] if started else None

    def _is_still_requested(self, job: Job) -> bool:
        """Return whether the job is still queued for the request that it was taken for."""
        query = "SELECT 1 FROM jobs WHERE id = ? AND state = 'queued' AND asked_at = ?"
        return self._db.connection.execute(query, (job.id, job.asked_at)).fetchone() is not None

    def _find_duplicate(self, job: Job) -> tuple[int] | None:
        """Return the row (id,) of another job with the same source, content and recipe, or None."""
        row: tuple[int] | None = self._db.connection.execute(
            "SELECT id FROM jobs WHERE source = ? AND source_hash = ? AND recipe = ? AND id != ?",
            (os.fsencode(job.source), job.source_hash, job.recipe, job.id),
        ).fetchone()
        return row

    def merge_duplicate(self, job: Job, existing: Job) -> None:
        """Settle the request for `job` with `existing`, the job that has done the same before."""

        def merge() -> None:
            db = self._db.connection
            if job.id != existing.id:
                db.execute("DELETE FROM jobs WHERE id = ? AND asked_at = ?", (job.id, job.asked_at))
            db.execute(
                "UPDATE jobs SET signature = coalesce(?, signature), state = ?, "
                "notes = CASE notes WHEN 'superseded' THEN '' ELSE notes END WHERE id = ?",
                (job.signature, existing.state, existing.id),
            )

        self._db.run_in_transaction(merge)

    def put_back(
        self, job: Job, *, delay: float = 0.0, count_attempt: bool = False, trouble: str | None = None
    ) -> None:
        """Return the job to the queue. It is not taken again for at least `delay` seconds.

        `count_attempt`: the worker died, or something unforeseen happened, so the attempt counts. `trouble`: why the
        system cannot read the source now.
        """
        now, reason = self._clock(), None if trouble is None else "unreadable"
        not_before = now + delay if delay else 0.0
        self._db.execute(
            "UPDATE jobs SET state = 'queued', signature = ?, not_before = ?, output = NULL, output_hash = NULL, "
            "attempts = attempts + ? - (state = 'active'), "  # start() has counted it
            "reason = ?, detail = ?, changed_at = ? WHERE id = ?",
            (job.signature, not_before, int(count_attempt), reason, trouble, now, job.id),
        )

    def recover(self) -> None:
        """Queue the jobs that an earlier program left active, and end all pauses. Call it once at the start.

        Failures that a later result had made obsolete when that program ended stop counting.
        """
        self._db.execute(
            "UPDATE jobs SET state = 'queued', not_before = 0, interrupted = min(attempts, interrupted + 1) "
            "WHERE state = 'active'",
            (),
        )
        self._db.execute("DELETE FROM pauses", ())
        self.failures.supersede_earlier()

    def start_rebuild_if_new(self, *, has_watched_folders: bool) -> None:
        """If jobs.db is new though there are watched folders, start a rebuild, as after damage: see store.

        The file was deleted, or the settings come from another computer.
        """
        if self.get_setting("new") is not None:
            if has_watched_folders:
                self.set_setting("rebuild", "1")
            self.set_setting("new", None)

    # Results

    def record(self, job: Job, **result: Any) -> Job:
        """Record a job with these fields of its result (`state` and others). Return the changed job, with its number.

        A job without a number takes the row of the same source, content and recipe, if there is one.
        """
        changed = replace(job, **{**_NO_RESULT, **result, "changed_at": self._clock()})
        values = {name: column_value(getattr(changed, name)) for name in FIELD_NAMES if name != "id"}
        values["folder"], values["place"] = os.fsencode(changed.source.parent), os.fsencode(changed.destination)
        if changed.output is not None:
            self._db.execute(
                "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)",
                (values["output"], values["output_hash"], values["source"]),
            )
        if job.id is not None:
            updates = ", ".join(f"{name} = :{name}" for name in values)
            self._db.execute(  # a job that was requested again before it was started stays queued
                f"UPDATE jobs SET {updates} WHERE id = :number "  # noqa: S608
                "AND (state != 'queued' OR asked_at = :asked_at)",
                {**values, "number": job.id},
            )
            return changed
        names = ", ".join(values)
        placeholders = ", ".join(f":{name}" for name in values)
        updates = ", ".join(f"{name} = excluded.{name}" for name in values)
        rows = self._db.execute(
            f"INSERT INTO jobs ({names}) VALUES ({placeholders}) "  # noqa: S608  the names are those of Job's fields
            f"ON CONFLICT (source, source_hash, recipe) DO UPDATE SET {updates} RETURNING id",
            values,
        )
        return replace(changed, id=int(rows[0][0]))

    def adopt(self, job: Job, output: Path, output_hash: str, *, is_own: bool = False) -> Job:
        """Record the job as done, because the file that it would write, `output`, exists.

        `is_own`: its content shows that nobg made it. The job gets the time of the file, since nothing was written now:
        so it is no part of the newest request, which undo takes back.
        """
        changed = self.record(job, state="done", verdict=job.verdict, seconds=job.seconds, doubt=job.doubt, why=job.why)
        written_at = places.ask(output, output.stat).st_mtime
        self._db.execute(
            "UPDATE jobs SET output = ?, output_hash = ?, asked_at = ?, changed_at = ? WHERE id = ?",
            (os.fsencode(output), output_hash, written_at, written_at, changed.id),
        )
        if is_own:
            self._db.execute(
                "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)",
                (os.fsencode(output), output_hash, os.fsencode(job.source)),
            )
        return replace(changed, output=output, output_hash=output_hash, asked_at=written_at, changed_at=written_at)

    def finish(self, job_id: int, moved_to: Path | None = None) -> None:
        """Mark the job as done: its planned output has been published.

        `moved_to`: the new place of its original. The cut-out then belongs to the original at that place, so that
        another picture under the old name does not replace it.
        """

        def finish_job() -> None:
            db = self._db.connection
            if moved_to is not None:
                db.execute(
                    "UPDATE OR REPLACE outputs SET source = ? "
                    "WHERE (output, output_hash, source) = (SELECT output, output_hash, source FROM jobs WHERE id = ?)",
                    (os.fsencode(moved_to), job_id),
                )
            db.execute(
                "UPDATE jobs SET state = 'done', moved_to = coalesce(?, moved_to), changed_at = ? WHERE id = ?",
                (None if moved_to is None else os.fsencode(moved_to), self._clock(), job_id),
            )

        self._db.run_in_transaction(finish_job)

    def discard_plan(self, job: Job, previous: Job | None) -> None:
        """Forget an output that `nobg remove` planned and could not publish.

        `previous`: the job as it was before the attempt; None if it was not in the journal.
        """
        if previous is None:
            self._db.execute("DELETE FROM jobs WHERE id = ? AND state = 'active'", (job.id,))
            return
        self.record(previous, **{name: getattr(previous, name) for name in ("state", *_RESULT_FIELDS)})

    def find(self, source: Path, source_hash: str, recipe: str) -> Job | None:
        """Return the job of this source with this content under this recipe, or None."""
        condition = "source = ? AND source_hash = ? AND recipe = ?"
        jobs = self._db.select_jobs(condition, os.fsencode(source), source_hash, recipe)
        return jobs[0] if jobs else None

    # Folders whose pictures wait

    def pause(self, folder: Path, reason: str, needed_bytes: int = 0) -> None:
        """Make the pictures of `folder` wait: those in it, and those whose output belongs in it.

        `reason` is a key of errors.DESTINATION_REASONS, `needed_bytes` the size of the output that did not fit.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?)",
            (os.fsencode(folder), reason, needed_bytes, self._clock()),
        )

    def pauses(self) -> list[Pause]:
        """Return the folders whose pictures wait, and why."""
        rows = self._db.execute("SELECT place, reason, needed, since FROM pauses ORDER BY place", ())
        return [Pause(Path(os.fsdecode(row[0])), *row[1:]) for row in rows]

    def troubled_sources(self, limit: int) -> list[Path]:
        """Return at most `limit` pictures that wait because the system cannot read them now."""
        query = "SELECT source FROM jobs WHERE state = 'queued' AND reason = 'unreadable' AND not_before > ? LIMIT ?"
        return [Path(os.fsdecode(row[0])) for row in self._db.execute(query, (self._clock(), limit))]

    def unpause(self, folder: Path) -> None:
        """End the pause of `folder`."""
        self._db.execute("DELETE FROM pauses WHERE place = ?", (os.fsencode(folder),))

    def has_sources_in(self, folder: Path) -> bool:
        """Return whether the source of a queued job is directly in `folder`."""
        query = "SELECT 1 FROM jobs WHERE state = 'queued' AND folder = ? LIMIT 1"
        return bool(self._db.execute(query, (os.fsencode(folder),)))

    # Settings that outlast the program: paused, rebuild, offline_by, trouble, folders, welcome

    def get_setting(self, name: str) -> str | None:
        """Return the value of a setting, or None."""
        rows = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_setting(self, name: str, value: str | None) -> None:
        """Store a setting; `None` deletes it."""
        if self.get_setting(name) == value:
            return
        if value is None:
            self._db.execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    # Counts and lists for people

    def pending_counts(self) -> tuple[int, int]:
        """Return the number of queued jobs and the number of active ones."""
        query = (
            "SELECT (SELECT count(*) FROM jobs WHERE state = 'queued'), "
            "(SELECT count(*) FROM jobs WHERE state = 'active')"
        )
        ((queued, active),) = self._db.execute(query, ())
        return queued, active

    def recent_outputs(self, limit: int) -> list[Path]:
        """Return at most `limit` outputs that have not been undone, newest first, each once."""
        newest = self._db.select_jobs(f"{RESULT_CONDITION} ORDER BY changed_at DESC, id DESC LIMIT ?", 3 * limit)
        return list(dict.fromkeys(job.output for job in newest if job.output is not None))[:limit]

    def counts_by_state(self) -> dict[str, int]:
        """Return state -> number of jobs, for all five states."""
        rows = self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state", ())
        return {"queued": 0, "active": 0, "done": 0, "skipped": 0, "failed": 0, **dict(rows)}

    def history(self, limit: int = -1) -> list[Job]:
        """Return at most `limit` jobs that are not queued, newest first; -1: all of them."""
        return self._db.select_jobs("state != 'queued' ORDER BY changed_at DESC, id DESC LIMIT ?", limit)

    def find_jobs(self, job_ids: Sequence[int]) -> list[Job]:
        """Return the jobs with these numbers, each once; numbers without a job are left out."""
        possible_ids = (job_id for job_id in dict.fromkeys(job_ids) if 0 < job_id < 1 << 63)
        return [job for job_id in possible_ids for job in self._db.select_jobs("id = ?", job_id)]

    def jobs_of_last_request(self, excluded_times: Sequence[float] = ()) -> list[Job]:
        """Return the jobs that can be undone, of the newest request that has such jobs.

        A request is one call of the client, or everything that one sweep of a watched folder found.
        `excluded_times`: the requests to skip, by their `asked_at`.
        """
        not_excluded = f"asked_at NOT IN ({', '.join('?' * len(excluded_times))})"
        newest = (
            f"SELECT asked_at FROM jobs WHERE {RESULT_CONDITION} AND {not_excluded} "  # noqa: S608
            "ORDER BY changed_at DESC, id DESC LIMIT 1"
        )
        return self._db.select_jobs(f"{RESULT_CONDITION} AND asked_at = ({newest}) ORDER BY id", *excluded_times)

    def mark_undone(self, job: Job) -> None:
        """Record that the output of `job` has been undone."""
        self._db.execute("UPDATE jobs SET undone = 1 WHERE id = ?", (job.id,))

    def mark_moved_back(self, job: Job) -> None:
        """Record that the original of `job` is back at its old place; its cut-out belongs to that place again."""

        def mark() -> None:
            db = self._db.connection
            db.execute("UPDATE jobs SET moved_to = NULL WHERE id = ?", (job.id,))
            if job.moved_to is not None and job.output is not None:
                db.execute(
                    "UPDATE OR REPLACE outputs SET source = ? WHERE output = ? AND source = ?",
                    (os.fsencode(job.source), os.fsencode(job.output), os.fsencode(job.moved_to)),
                )

        self._db.run_in_transaction(mark)
