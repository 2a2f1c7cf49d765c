"""The journal: every job, what became of it, and which files are ours. SQLite, so that no crash loses or doubles one.

An output is entered with its hash before it is published. So after a crash at any moment, the journal and the file
tell each other: a planned output that is there with that hash was finished; one that is not there never was.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from watcher import recipe
from watcher.errors import DamagedJournalError, unwritable_records_error
from watcher.queue import store


@dataclass(frozen=True)
class Job:
    """One source under one recipe, and what became of it. Hashes are SHA-256 in hex, times seconds since 1970.

    `id` is None, and nothing is in the journal, while a `nobg remove` has nothing to say of it.
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
        return recipe.parse(self.recipe).destination(self.source)

    @property
    def worker_deaths(self) -> int:
        """How often it saw its worker die."""
        return self.attempts - self.interrupted

    def as_dict(self) -> dict[str, Any]:
        """The job as the contract of `--json` names it."""
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
    """A folder whose pictures wait: `reason` is one of errors.PLACE_REASONS, `needed` the bytes that did not fit."""

    folder: Path
    reason: str
    needed_bytes: int
    since: float


_FIELD_NAMES = [field.name for field in fields(Job)]
_COLUMNS = ", ".join(_FIELD_NAMES)
_PATH_FIELDS = ("source", "output", "watch", "moved_to")
_BOOLEAN_FIELDS = ("force", "adopt", "undone")
_RESULT_CONDITION = "state = 'done' AND undone = 0 AND output IS NOT NULL"  # word for word as store's indexes have it


class Journal:
    """The journal in one SQLite file, 0600. Not to be shared between threads; processes may share the file.

    Every method raises PlaceError when the file cannot be written and DamagedError when it is found damaged.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time, *, check_integrity: bool = False) -> None:
        """Open jobs.db in `folder`, beginning a new one if it is damaged; `thorough` looks through all of it."""
        self._clock = clock
        self._path = folder / "jobs.db"
        self._db, aside = store.open_database(str(folder), check_integrity=check_integrity)
        self.damaged_path = None if aside is None else Path(aside)
        """Where a damaged jobs.db is now, if there was one."""
        self._inode = store.inode(str(self._path))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_current(self) -> bool:
        """Is the file that we have open still the one at its place? Another program may have moved it aside."""
        return store.inode(str(self._path)) == self._inode

    # The queue, as the dispatcher of the resident program uses it

    def enqueue(self, pictures: Iterable[tuple[bytes, int | None, str | None]], **request: Any) -> None:
        """Put jobs in the queue, all or none: see store.enqueue."""
        with self._translated_errors():
            store.enqueue(self._db, pictures, self._clock(), **request)

    def next_job(self) -> Job | None:
        """The job whose turn it is: asked for by a person first, those that saw a worker die last. Changes nothing."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE state = 'queued' AND not_before <= ? "  # noqa: S608
            "AND place NOT IN (SELECT place FROM pauses) AND folder NOT IN (SELECT place FROM pauses) "
            "AND NOT EXISTS (SELECT 1 FROM settings WHERE name = 'paused') "
            "ORDER BY rank, attempts, id LIMIT 1",
            (self._clock(),),
        )
        return _job_from_row(rows[0]) if rows else None

    def start(self, job: Job) -> Job | None:
        """The job, whose content is known by now, is about to be given to a worker: counted before, so that nothing
        that happens then is forgotten. If this content was done before, it becomes that job again. None: it has been
        withdrawn, or asked for anew since it was taken: then it must be read anew.
        """
        now = self._clock()
        started = []

        def act() -> None:
            if not self._is_still_requested(job):
                return
            (number,) = self._find_duplicate(job) or (job.id,)
            if number != job.id:
                self._db.execute(_TAKE_OVER, {"number": number, "from": job.id})
                self._db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            changed = self._db.execute(
                "UPDATE jobs SET state = 'active', source_hash = ?, signature = ?, model = ?, attempts = attempts + 1, "
                "output = NULL, output_hash = NULL, reason = NULL, detail = NULL, verdict = NULL, seconds = NULL, "
                "started_at = ?, changed_at = ?, undone = 0, moved_to = NULL, notes = '' WHERE id = ?",
                (job.source_hash, job.signature, job.model, now, now, number),
            )
            assert changed.rowcount == 1
            started.append(replace(job, id=number, state="active", attempts=job.attempts + 1, started_at=now))

        self._run_in_transaction(act)
        return started[0] if started else None

    def _is_still_requested(self, job: Job) -> bool:
        """Does the job still wait, for the request that we took it for?"""
        query = "SELECT 1 FROM jobs WHERE id = ? AND state = 'queued' AND asked_at = ?"
        return self._db.execute(query, (job.id, job.asked_at)).fetchone() is not None

    def _find_duplicate(self, job: Job) -> tuple[int] | None:
        """The number of another job with the same source, content and recipe."""
        found: tuple[int] | None = self._db.execute(
            "SELECT id FROM jobs WHERE source = ? AND source_hash = ? AND recipe = ? AND id != ?",
            (os.fsencode(job.source), job.source_hash, job.recipe, job.id),
        ).fetchone()
        return found

    def merge_duplicate(self, job: Job, existing: Job) -> None:
        """What `job` asks for is what became of `known` before."""

        def act() -> None:
            if job.id != existing.id:
                self._db.execute("DELETE FROM jobs WHERE id = ? AND asked_at = ?", (job.id, job.asked_at))
            self._db.execute(
                "UPDATE jobs SET signature = coalesce(?, signature), state = ? WHERE id = ?",
                (job.signature, existing.state, existing.id),
            )

        self._run_in_transaction(act)

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """Back into the queue, for `delay` seconds at least. `counted`: the attempt stays counted, the worker died."""
        self._execute(
            "UPDATE jobs SET state = 'queued', signature = ?, not_before = ?, output = NULL, output_hash = NULL, "
            "attempts = attempts - ?, changed_at = ? WHERE id = ?",
            (
                job.signature,
                self._clock() + delay if delay else 0.0,
                int(job.state == "active" and not count_attempt),
                self._clock(),
                job.id,
            ),
        )

    def recover(self) -> None:
        """After a start: what the last program had in hand waits again."""
        self._execute(
            "UPDATE jobs SET state = 'queued', not_before = 0, interrupted = min(attempts, interrupted + 1) "
            "WHERE state = 'active'",
            (),
        )
        self._execute("DELETE FROM pauses", ())

    # What became of a job

    def record(self, job: Job, **result: Any) -> Job:
        """Enter what is known of a job (`state` and other fields of it). Returns it as it is now, with its number."""
        now = self._clock()
        known = {"reason": None, "detail": None, "verdict": None, "seconds": None, "output": None, "output_hash": None}
        changed = replace(job, **{**known, **result, "changed_at": now})
        values = {name: _to_column(getattr(changed, name)) for name in _FIELD_NAMES if name != "id"}
        values["folder"], values["place"] = os.fsencode(changed.source.parent), os.fsencode(changed.destination)
        if changed.output is not None:
            self._execute(
                "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)",
                (values["output"], values["output_hash"], values["source"]),
            )
        if job.id is not None:
            updates = ", ".join(f"{name} = :{name}" for name in values)
            self._execute(  # what was asked for anew, before it was started, waits on
                f"UPDATE jobs SET {updates} WHERE id = :number "  # noqa: S608
                "AND (state != 'queued' OR asked_at = :asked_at)",
                {**values, "number": job.id},
            )
            return changed
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        updates = ", ".join(f"{name} = excluded.{name}" for name in values)
        row = self._execute(
            f"INSERT INTO jobs ({names}) VALUES ({marks}) "  # noqa: S608  the names are ours
            f"ON CONFLICT (source, source_hash, recipe) DO UPDATE SET {updates} RETURNING id",
            values,
        )
        return replace(changed, id=int(row[0][0]))

    def adopt(self, job: Job, output: Path, output_hash: str) -> Job:
        """Our records were lost, and `output` is what the job would have made: it is done, but not known to be ours."""
        changed = self.record(job, state="done")
        self._execute(
            "UPDATE jobs SET output = ?, output_hash = ? WHERE id = ?",
            (os.fsencode(output), output_hash, changed.id),
        )
        return replace(changed, output=output, output_hash=output_hash)

    def finish(self, job_id: int, moved_to: Path | None = None) -> None:
        """The planned output of this job is there: it is done.

        `moved_to`: its original is now there, and the cut-out is that one's: another picture that gets the old name
        must not replace it.
        """

        def act() -> None:
            if moved_to is not None:
                self._db.execute(
                    "UPDATE OR REPLACE outputs SET source = ? "
                    "WHERE (output, output_hash, source) = (SELECT output, output_hash, source FROM jobs WHERE id = ?)",
                    (os.fsencode(moved_to), job_id),
                )
            self._db.execute(
                "UPDATE jobs SET state = 'done', moved_to = coalesce(?, moved_to), changed_at = ? WHERE id = ?",
                (None if moved_to is None else os.fsencode(moved_to), self._clock(), job_id),
            )

        self._run_in_transaction(act)

    def discard_plan(self, job: Job, previous: Job | None) -> None:
        """A `nobg remove` could not publish its output and will not come back to it. `before`: what was known then."""
        if previous is None:
            self._execute("DELETE FROM jobs WHERE id = ? AND state = 'active'", (job.id,))
            return
        changes = ("state", "reason", "detail", "verdict", "seconds", "output", "output_hash")
        self.record(previous, **{name: getattr(previous, name) for name in changes})

    def find(self, source: Path, source_hash: str, recipe: str) -> Job | None:
        """The job of this source with this content under this recipe."""
        rows = self._select("source = ? AND source_hash = ? AND recipe = ?", os.fsencode(source), source_hash, recipe)
        return rows[0] if rows else None

    def has_written(self, source: Path, output: Path, output_hash: str) -> bool:
        """Did we write `output`, from `source`, and is it (by its SHA-256) still as we wrote it?"""
        query = "SELECT 1 FROM outputs WHERE output = ? AND output_hash = ? AND source = ?"
        return bool(self._execute(query, (os.fsencode(output), output_hash, os.fsencode(source))))

    def may_replace(self, job: Job, output: Path, current_hash: str, new_hash: str) -> bool:
        """May `job` put its output, with the hash `wanted`, where `output` is, whose hash is `there`?

        Only if we wrote that from the same source. What another recipe made of it stays beside it, unless it is the
        very same.
        """
        if not self.has_written(job.source, output, current_hash):
            return False
        query = "SELECT recipe FROM jobs WHERE source = ? AND output = ? AND output_hash = ? AND undone = 0"
        owners = self._execute(query, (os.fsencode(job.source), os.fsencode(output), current_hash))
        return current_hash == new_hash or not owners or (job.recipe,) in owners

    def is_output(self, path: bytes) -> bool:
        """Did we ever write a file of this name here?"""
        return bool(self._execute("SELECT 1 FROM outputs WHERE output = ? LIMIT 1", (path,)))

    def has_written_from_any_source(self, output: Path, output_hash: str) -> bool:
        """The same, from whichever source."""
        query = "SELECT 1 FROM outputs WHERE output = ? AND output_hash = ?"
        return bool(self._execute(query, (os.fsencode(output), output_hash)))

    # Places where nothing can be done for now

    def pause(self, folder: Path, reason: str, needed_bytes: int = 0) -> None:
        """The pictures of this folder wait."""
        self._execute(
            "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?)",
            (os.fsencode(folder), reason, needed_bytes, self._clock()),
        )

    def pauses(self) -> list[Pause]:
        """The folders whose pictures wait, and why."""
        rows = self._execute("SELECT place, reason, needed, since FROM pauses ORDER BY place", ())
        return [Pause(Path(os.fsdecode(row[0])), *row[1:]) for row in rows]

    def unpause(self, folder: Path) -> None:
        """The pictures of this folder need not wait any more."""
        self._execute("DELETE FROM pauses WHERE place = ?", (os.fsencode(folder),))

    def has_sources_in(self, folder: Path) -> bool:
        """Do pictures wait that lie in `folder` itself?"""
        query = "SELECT 1 FROM jobs WHERE state = 'queued' AND folder = ? LIMIT 1"
        return bool(self._execute(query, (os.fsencode(folder),)))

    # Watched folders

    def known_recipes(self, watch: Path, recipe: str, default_overrides: str | None) -> list[str]:
        """The recipes under which the files of a watched folder count as known; `recipe` is the one in force.

        `said`: what a folder says itself that follows the default recipe: another default is for new files only, so
        all that it was while the folder said the same count. None: the folder has a recipe of its own.
        """
        before = self._execute("SELECT recipe, said FROM followed WHERE watch = ?", (os.fsencode(watch),))
        known = [row[0] for row in before if row[1] == default_overrides]
        if len(known) < len(before):
            self._execute(
                "DELETE FROM followed WHERE watch = ? AND said IS NOT ?", (os.fsencode(watch), default_overrides)
            )
        if recipe in known:
            return known
        if default_overrides is not None:
            self._execute("INSERT INTO followed VALUES (?, ?, ?)", (os.fsencode(watch), recipe, default_overrides))
        return [*known, recipe]

    def known_signatures(self, folder: str, recipes: list[str]) -> set[tuple[bytes, str]]:
        """Path and signature of what is known in a folder under these recipes; a file has one for each content."""
        query = f"SELECT source, signature FROM jobs WHERE folder = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        return set(self._execute(f"{query} AND signature IS NOT NULL", (os.fsencode(folder), *recipes)))

    def has_job(self, source: bytes, recipes: list[str], signature: str) -> bool:
        """Is there a job of this file as it is now?"""
        query = f"SELECT 1 FROM jobs WHERE source = ? AND signature = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        return bool(self._execute(query, (source, signature, *recipes)))

    def find_settled_under_earlier_recipe(self, job: Job) -> Job | None:
        """What became of this content under a recipe that the job's watched folder followed before."""
        if job.watch is None:
            return None
        rows = self._select(
            "source = ? AND source_hash = ? AND state IN ('done', 'skipped', 'failed') "
            "AND recipe IN (SELECT recipe FROM followed WHERE watch = ?) ORDER BY changed_at DESC LIMIT 1",
            *(os.fsencode(job.source), job.source_hash, os.fsencode(job.watch)),
        )
        return rows[0] if rows else None

    def drop_unwatched_jobs(self, watched: Mapping[Path, str]) -> None:
        """Take what waits from folders that are no longer watched, or not under this recipe, out of the queue."""
        marks = ",".join(["(?, ?)"] * len(watched))
        self._execute(
            "DELETE FROM jobs WHERE state = 'queued' AND watch IS NOT NULL "  # noqa: S608
            f"AND (watch, recipe) NOT IN (VALUES {marks or '(NULL, 0)'})",
            [part for path, key in watched.items() for part in (os.fsencode(path), key)],
        )

    # Settings that outlive a program: paused, rebuild, offline_by, trouble, folders, welcome

    def get_setting(self, name: str) -> str | None:
        """A setting, or None."""
        rows = self._execute("SELECT value FROM settings WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_setting(self, name: str, value: str | None) -> None:
        """Keep a setting; None: forget it."""
        if self.get_setting(name) == value:
            return
        if value is None:
            self._execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            self._execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    # What a person asks about

    def pending_counts(self) -> tuple[int, int]:
        """How many jobs wait, and how many are being done."""
        query = (
            "SELECT (SELECT count(*) FROM jobs WHERE state = 'queued'), "
            "(SELECT count(*) FROM jobs WHERE state = 'active')"
        )
        ((queued, active),) = self._execute(query, ())
        return queued, active

    def recent_outputs(self, limit: int) -> list[Path]:
        """The newest outputs that have not been taken back, newest first, each once."""
        newest = self._select(f"{_RESULT_CONDITION} ORDER BY changed_at DESC, id DESC LIMIT ?", 3 * limit)
        return list(dict.fromkeys(job.output for job in newest if job.output is not None))[:limit]

    def counts_by_state(self) -> dict[str, int]:
        """State -> how many jobs; all five states."""
        rows = self._execute("SELECT state, count(*) FROM jobs GROUP BY state", ())
        return {"queued": 0, "active": 0, "done": 0, "skipped": 0, "failed": 0, **dict(rows)}

    def history(self, limit: int = -1) -> list[Job]:
        """What became of the jobs, newest first; all but those that wait."""
        return self._select("state != 'queued' ORDER BY changed_at DESC, id DESC LIMIT ?", limit)

    def find_jobs(self, job_ids: Sequence[int]) -> list[Job]:
        """The jobs with these numbers, as far as there are any."""
        possible = (number for number in dict.fromkeys(job_ids) if 0 < number < 1 << 63)
        return [job for number in possible for job in self._select("id = ?", number)]

    def jobs_of_last_request(self, excluded_times: Sequence[float] = ()) -> list[Job]:
        """What was done of the newest request that has outputs to take back: one call, or what was found at once.

        `passed`: the times of requests that are not meant.
        """
        others = f"asked_at NOT IN ({', '.join('?' * len(excluded_times))})"
        newest = f"SELECT asked_at FROM jobs WHERE {_RESULT_CONDITION} AND {others} ORDER BY changed_at DESC, id DESC LIMIT 1"  # noqa: S608
        return self._select(f"{_RESULT_CONDITION} AND asked_at = ({newest}) ORDER BY id", *excluded_times)

    def failed_jobs(self) -> list[Job]:
        """The jobs that failed."""
        return self._select("state = 'failed' ORDER BY id")

    def mark_undone(self, job: Job) -> None:
        """Its output has been taken back."""
        self._execute("UPDATE jobs SET undone = 1 WHERE id = ?", (job.id,))

    def mark_moved_back(self, job: Job) -> None:
        """Its original, which had been moved, is at its old place again, and so is what belongs to it."""

        def act() -> None:
            self._db.execute("UPDATE jobs SET moved_to = NULL WHERE id = ?", (job.id,))
            if job.moved_to is not None and job.output is not None:
                self._db.execute(
                    "UPDATE OR REPLACE outputs SET source = ? WHERE output = ? AND source = ?",
                    (os.fsencode(job.source), os.fsencode(job.output), os.fsencode(job.moved_to)),
                )

        self._run_in_transaction(act)

    def _select(self, condition: str, *values: Any) -> list[Job]:
        return [_job_from_row(row) for row in self._execute(f"SELECT {_COLUMNS} FROM jobs WHERE {condition}", values)]  # noqa: S608

    def _execute(self, statement: str, values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        with self._translated_errors():
            return self._db.execute(statement, values).fetchall()

    def _run_in_transaction(self, operation: Callable[[], None]) -> None:
        """Run `act` in one transaction."""
        with self._translated_errors():
            store.run_in_transaction(self._db, operation)

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise unwritable_records_error(self._path.parent, error) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a mistake of ours, not the disk's
                raise
            raise DamagedJournalError(self._path) from error


_TAKE_OVER = """
UPDATE jobs SET (folder, place, device, rank, watch, force, adopt, move_to, asked_at, attempts, interrupted) =
    (SELECT folder, place, device, rank, watch, force, adopt, move_to, asked_at, attempts, interrupted
     FROM jobs WHERE id = :from)
WHERE id = :number
"""


def _placeholders(values: list[str]) -> str:
    return ", ".join("?" * len(values))


def _to_column(value: Any) -> Any:
    return os.fsencode(value) if isinstance(value, Path) else value


def _job_from_row(row: tuple[Any, ...]) -> Job:
    values = dict(zip(_FIELD_NAMES, row, strict=True))
    for name in _PATH_FIELDS:
        if values[name] is not None:
            values[name] = Path(os.fsdecode(cast("bytes", values[name])))
    for name in _BOOLEAN_FIELDS:
        values[name] = bool(values[name])
    return Job(**values)
