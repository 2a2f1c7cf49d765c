"""Which files nobg wrote: which of them a job may replace, and which of them a person should look at."""

from __future__ import annotations

import os
from pathlib import Path

from watcher import places
from watcher.errors import NoAnswerError
from watcher.guard.long_paths import for_system
from watcher.queue import store
from watcher.queue.database import Database
from watcher.queue.job import Job

RESULT_CONDITION = "state = 'done' AND undone = 0 AND output IS NOT NULL"
"""A job whose output undo can move to the trash. SQLite uses the indexes of schema.py only for this exact text."""


class Outputs:
    """The outputs that nobg wrote or planned to write, each with its source. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def has_written(self, source: Path, output: Path, output_hash: str) -> bool:
        """Return whether nobg made `output` from `source`, with content of this hash."""
        query = "SELECT 1 FROM outputs WHERE output = ? AND output_hash = ? AND source = ?"
        return bool(self._db.execute(query, (os.fsencode(output), output_hash, os.fsencode(source))))

    def has_written_from_any_source(self, output: Path, output_hash: str) -> bool:
        """Return whether nobg made `output` with content of this hash, from any source."""
        query = "SELECT 1 FROM outputs WHERE output = ? AND output_hash = ?"
        return bool(self._db.execute(query, (os.fsencode(output), output_hash)))

    def is_output(self, path: bytes, signature: str | None = None) -> bool:
        """Return whether nobg ever wrote, or planned to write, a file at `path`. `signature`: see store.is_output()."""
        with self._db.translated_errors():
            return store.is_output(self._db.connection, path, signature)

    def paths_in(self, directory: str) -> set[str]:
        """Return the paths in `directory`, and below it, where nobg ever wrote or planned to write a file."""
        start = os.fsencode(os.path.join(directory, ""))
        query = "SELECT DISTINCT output FROM outputs WHERE output >= ? AND output < ?"
        end = start[:-1] + bytes([start[-1] + 1])
        return {os.fsdecode(path) for (path,) in self._db.execute(query, (start, end))}

    def is_output_content(self, content_hash: str) -> bool:
        """Return whether content of this hash is a cut-out that nobg made or found as the result of a job."""
        outputs = "SELECT 1 FROM outputs WHERE output_hash = ?"
        jobs = "SELECT 1 FROM jobs WHERE output_hash = ?"
        return bool(self._db.execute(f"{outputs} UNION ALL {jobs} LIMIT 1", (content_hash, content_hash)))

    def is_cut_out_under_recipe(self, job: Job) -> bool:
        """Return whether the source of `job` is itself the cut-out of another file, made with the recipe of `job`."""
        query = "SELECT 1 FROM jobs WHERE output_hash = ? AND recipe = ? AND source != ? AND state = 'done' LIMIT 1"
        return bool(self._db.execute(query, (job.source_hash, job.recipe, os.fsencode(job.source))))

    def jobs_that_made(self, output: Path, content_hash: str | None) -> list[Job]:
        """Return the finished jobs whose output is this file, or has its content; the newest first.

        Those whose output has the content come before those that only have the path: a person may have changed the
        file, or another one may have taken its place. Of several files with the content, this one comes first.
        """
        path = os.fsencode(output)
        return self._db.select_jobs(
            "(output = ? AND undone = 0 OR output_hash = ?) AND source != ? AND state = 'done' AND source_hash != '' "
            "ORDER BY output_hash IS ? DESC, output = ? DESC, changed_at DESC, id DESC",
            *(path, content_hash, path, content_hash, path),
        )

    def paths_with(self, content_hash: str) -> list[Path]:
        """Return the paths where nobg wrote content of this hash, or found it."""
        rows = self._db.execute(
            "SELECT output FROM outputs WHERE output_hash = ? UNION SELECT output FROM jobs WHERE output_hash = ?",
            (content_hash, content_hash),
        )
        return [Path(os.fsdecode(row[0])) for row in rows if row[0] is not None]

    def doubtful(self, threshold: float, limit: int) -> list[Job]:
        """Return at most `limit` jobs with an output that is as doubtful as `threshold` and that nobody has accepted or
        touched up.

        The most doubtful one comes first, and of equals the newest. -1 is no limit.
        """
        condition = f"{RESULT_CONDITION} AND accepted IS NULL AND edits = '' AND doubt >= ?"
        return self._db.select_jobs(f"{condition} ORDER BY doubt DESC, id DESC LIMIT ?", threshold, limit)

    def accept(self, job: Job, accepted_at: float) -> None:
        """Record that a person has looked at the output of `job`, as it is now, and accepted it."""
        self._db.execute(  # not if it has been made anew since
            f"UPDATE jobs SET accepted = ? WHERE id = ? AND output_hash = ? AND {RESULT_CONDITION}",  # noqa: S608
            (accepted_at, job.id, job.output_hash),
        )

    def may_replace(self, job: Job, output: Path, current_hash: str, new_hash: str) -> bool:
        """Return whether `job` may replace the file `output` (its hash: `current_hash`) with content of `new_hash`.

        It may if nobg made that file from the same source, also if it has moved it since. The output of another recipe
        stays, unless both contents are identical.
        """
        has_written = any(self.has_written(source, output, current_hash) for source in _sources(job))
        if not has_written or self._is_shared(job, output, current_hash):
            return False
        query = "SELECT recipe FROM jobs WHERE source = ? AND output = ? AND output_hash = ? AND undone = 0"
        recipes = self._db.execute(query, (os.fsencode(job.source), os.fsencode(output), current_hash))
        return current_hash == new_hash or not recipes or (job.recipe,) in recipes

    def _is_shared(self, job: Job, output: Path, output_hash: str) -> bool:
        """Return whether the file `output` is also the cut-out of another picture, which had the same content."""
        rows = self._db.execute(
            "SELECT source FROM outputs WHERE output = ? AND output_hash = ? AND source != ?",
            (os.fsencode(output), output_hash, os.fsencode(job.source)),
        )
        others = {Path(os.fsdecode(path)) for (path,) in rows}.difference(_sources(job))
        return any(_is_other_picture(str(path), job.source) for path in others)


def _sources(job: Job) -> list[Path]:
    """Return where the source of the job was when nobg read it, and where nobg has moved it, if it has."""
    return [job.source] if job.moved_to is None else [job.source, job.moved_to]


def _is_other_picture(path: str, source: Path) -> bool:
    """Return whether there is a file at `path` that is not `source`; also if its drive does not answer."""

    def compare() -> bool:
        own, other = for_system(source), for_system(path)
        return os.path.lexists(other) and (not os.path.exists(own) or not os.path.samefile(other, own))

    try:
        return places.ask(path, compare)
    except NoAnswerError:
        return True
