"""The files that have a job: in watched folders; after a rename or move, by content or old path; those that failed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from watcher.queue.database import Database
from watcher.queue.job import Job, column_value
from watcher.queue.outputs import RESULT_CONDITION


class WatchedFiles:
    """The files in watched folders that have a job already. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def known_recipes(self, watched_folder: Path, recipe: str, default_overrides: str | None) -> list[str]:
        """Record `recipe`, the one in force. Return all under which a file of this folder counts as known.

        A folder that follows the default recipe applies a new default to new files only. So its files also count as
        known under every earlier default, for as long as its own settings (`default_overrides`, as a recipe) stay the
        same. `default_overrides` is None for a folder with a recipe of its own.
        """
        rows = self._db.execute("SELECT recipe, said FROM followed WHERE watch = ?", (os.fsencode(watched_folder),))
        recipes = [row[0] for row in rows if row[1] == default_overrides]
        if len(recipes) < len(rows):
            self._db.execute(
                "DELETE FROM followed WHERE watch = ? AND said IS NOT ?",
                (os.fsencode(watched_folder), default_overrides),
            )
        if recipe in recipes:
            return recipes
        if default_overrides is not None:
            self._db.execute(
                "INSERT INTO followed VALUES (?, ?, ?)", (os.fsencode(watched_folder), recipe, default_overrides)
            )
        return [*recipes, recipe]

    def known_signatures(self, folder: str, recipes: list[str]) -> set[tuple[bytes, str]]:
        """Return path and signature of the files directly in `folder` that have a job under one of `recipes`.

        A file has one entry for each content that nobg has seen. The files that are cut-outs are among them.
        """
        query = f"SELECT source, signature FROM jobs WHERE folder = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        copies = "SELECT path, signature FROM copies WHERE folder = ?"
        values = (os.fsencode(folder), *recipes, os.fsencode(folder))
        return set(self._db.execute(f"{query} AND signature IS NOT NULL UNION ALL {copies}", values))

    def has_job(self, source: bytes, recipes: list[str], signature: str) -> bool:
        """Return whether the file with this signature has a job under one of `recipes`, or is a cut-out."""
        query = f"SELECT 1 FROM jobs WHERE source = ? AND signature = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        copies = "SELECT 1 FROM copies WHERE folder = ? AND path = ? AND signature = ?"
        values = (source, signature, *recipes, os.path.dirname(source), source, signature)
        return bool(self._db.execute(f"{query} UNION ALL {copies}", values))

    def mark_as_cut_out(self, job: Job) -> None:
        """Record that the source of `job` is a cut-out of nobg under another name, and remove the job."""
        source = os.fsencode(job.source)
        self._db.execute(
            "INSERT OR REPLACE INTO copies VALUES (?, ?, ?)", (os.path.dirname(source), source, job.signature)
        )
        self._db.execute("DELETE FROM jobs WHERE id = ? AND asked_at = ?", (job.id, job.asked_at))

    def find_settled_under_earlier_recipe(self, job: Job) -> Job | None:
        """Return the finished job of this content under an earlier recipe of the job's watched folder, or None."""
        if job.watch is None:
            return None
        jobs = self._db.select_jobs(
            "source = ? AND source_hash = ? AND state IN ('done', 'skipped', 'failed') "
            "AND recipe IN (SELECT recipe FROM followed WHERE watch = ?) ORDER BY changed_at DESC LIMIT 1",
            *(os.fsencode(job.source), job.source_hash, os.fsencode(job.watch)),
        )
        return jobs[0] if jobs else None

    def drop_unwatched_jobs(self, recipes: Mapping[Path, str]) -> None:
        """Remove queued jobs from folders that are no longer watched, or no longer under the same recipe.

        `recipes`: watched folder -> its recipe.
        """
        rows = ",".join(["(?, ?)"] * len(recipes))
        self._db.execute(
            "DELETE FROM jobs WHERE state = 'queued' AND watch IS NOT NULL "  # noqa: S608
            f"AND (watch, recipe) NOT IN (VALUES {rows or '(NULL, 0)'})",
            [value for folder, recipe in recipes.items() for value in (os.fsencode(folder), recipe)],
        )


def _placeholders(values: list[str]) -> str:
    return ", ".join("?" * len(values))


STILL_FAILED = "state = 'failed' AND ' ' || notes || ' ' NOT LIKE '% superseded %'"
"""A failure that counts: neither a later result nor the person has dealt with the picture."""

_SAME_REQUEST = "source = :source AND (recipe = :recipe OR watch = :watch)"


class Failures:
    """The failed jobs, and which of them are over. The others stay in the history. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def supersede(self, job: Job) -> None:
        """Stop counting the earlier failures of this file: it now has another result, under its recipe or its watch.

        A failure under another recipe still counts: the person wants both.
        """
        values = {
            "source": os.fsencode(job.source),
            "recipe": job.recipe,
            "watch": column_value(job.watch),
            "id": job.id or 0,
        }
        superseded = f"{_SAME_REQUEST} AND id != :id AND {STILL_FAILED}"
        if self._db.execute(f"SELECT 1 FROM jobs WHERE {superseded} LIMIT 1", values):  # noqa: S608
            self._db.execute(f"UPDATE jobs SET notes = 'superseded' WHERE {superseded}", values)  # noqa: S608

    def supersede_earlier(self) -> None:
        """Do what `supersede` does for all files: an older nobg did not, or the program ended before it could.

        Called at each start, it also makes the index by which failures are found among very many jobs.
        """
        self._db.execute("CREATE INDEX IF NOT EXISTS failures ON jobs (watch) WHERE state = 'failed'", ())
        self._db.execute(
            f"UPDATE jobs SET notes = 'superseded' WHERE {STILL_FAILED} AND EXISTS ("  # noqa: S608
            "SELECT 1 FROM jobs AS later WHERE later.source = jobs.source AND later.changed_at > jobs.changed_at "
            "AND (later.recipe = jobs.recipe OR later.watch = jobs.watch) "
            "AND later.state IN ('done', 'skipped', 'failed'))",
            (),
        )

    def all(self) -> list[Job]:
        """Return the failed jobs that count, oldest first."""
        return sorted(self._db.select_jobs(STILL_FAILED), key=lambda job: job.id or 0)

    def count(self) -> int:
        """Return the number of failed jobs that count."""
        return int(self._db.execute(f"SELECT count(*) FROM jobs WHERE {STILL_FAILED}", ())[0][0])  # noqa: S608

    def in_watched_folder(self, folder: Path) -> list[Job]:
        """Return the failed jobs that count, of pictures of this watched folder."""
        return self._db.select_jobs(f"{STILL_FAILED} AND watch = ?", os.fsencode(folder))

    def of(self, source: bytes) -> list[Job]:
        """Return the failed jobs of this file that count."""
        return self._db.select_jobs(f"source = ? AND {STILL_FAILED}", source)

    def drop(self, source: bytes) -> None:
        """Stop counting the failures of this file: the person has deleted or renamed it."""
        self._db.execute(f"UPDATE jobs SET notes = 'superseded' WHERE source = ? AND {STILL_FAILED}", (source,))  # noqa: S608

    def without_subject(self, limit: int) -> list[Job]:
        """Return the jobs without a clear subject among the newest `limit` results of all jobs, newest first."""
        results = f"SELECT changed_at FROM jobs WHERE {RESULT_CONDITION}"  # noqa: S608
        oldest = f"{results} ORDER BY changed_at DESC, id DESC LIMIT 1 OFFSET ?"
        return self._db.select_jobs(
            f"state = 'skipped' AND reason = 'no_clear_subject' AND changed_at > coalesce(({oldest}), 0) "
            "ORDER BY changed_at DESC, id DESC LIMIT ?",
            *(limit - 1, limit),
        )


_MAX_EARLIER_JOBS = 100


class Contents:
    """The jobs by content, and by folder. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find_finished(self, job: Job) -> list[Job]:
        """Return the finished jobs of other files with the content of `job`, those with its file name first.

        They have the recipe of `job` or one that its watched folder followed before. Their number is limited.
        """
        jobs = self._db.select_jobs(
            "source_hash = ? AND source != ? AND state IN ('done', 'skipped', 'failed') "
            "AND (recipe = ? OR recipe IN (SELECT recipe FROM followed WHERE watch = ?)) "
            "ORDER BY changed_at DESC LIMIT ?",
            *(job.source_hash, os.fsencode(job.source), job.recipe),
            *(None if job.watch is None else os.fsencode(job.watch), _MAX_EARLIER_JOBS),
        )
        return sorted(jobs, key=lambda earlier: (earlier.source.name != job.source.name, earlier.recipe != job.recipe))

    def jobs_of(self, source: Path) -> list[Job]:
        """Return the jobs of the file at this path that have been read, the newest first."""
        condition = "source = ? AND source_hash != '' ORDER BY changed_at DESC, id DESC"
        return self._db.select_jobs(condition, os.fsencode(source))

    def with_content(self, source_hash: str) -> list[Job]:
        """Return the jobs of all files with this content, the newest first. Their number is limited."""
        condition = "source_hash = ? ORDER BY changed_at DESC, id DESC LIMIT ?"
        return self._db.select_jobs(condition, source_hash, _MAX_EARLIER_JOBS)

    def has_waiting_picture(self, folder: Path, stem: str) -> bool:
        """Return whether a picture in `folder` is queued or active whose name is `stem` and an extension."""
        first = os.fsencode(folder / f"{stem}.")
        query = (
            "SELECT 1 FROM jobs WHERE source > ? AND source < ? AND state IN ('queued', 'active') "
            "AND instr(substr(source, ?), X'2E') = 0 LIMIT 1"  # no further period: `a.b.jpg` is not named `a`
        )
        return bool(self._db.execute(query, (first, first[:-1] + bytes([first[-1] + 1]), len(first) + 1)))

    def move(self, earlier: Job, job: Job, output: Path | None) -> Job:
        """Settle the request `job` with `earlier`, whose picture has been renamed or moved to the source of `job`.

        `output`: the present path of its cut-out. Return the changed job.
        """
        moved = replace(
            earlier,
            source=job.source,
            signature=job.signature,
            device=job.device,
            watch=job.watch or earlier.watch,
            output=output,
            moved_to=None,
        )

        def move_row() -> None:
            db = self._db.connection
            if job.id is not None:
                db.execute("DELETE FROM jobs WHERE id = ? AND asked_at = ?", (job.id, job.asked_at))
            db.execute(
                "UPDATE OR REPLACE jobs SET source = ?, folder = ?, place = ?, signature = ?, device = ?, watch = ?, "
                "output = ?, moved_to = NULL WHERE id = ?",
                (
                    os.fsencode(job.source),
                    os.fsencode(job.source.parent),
                    os.fsencode(moved.destination),
                    moved.signature,
                    moved.device,
                    column_value(moved.watch),
                    column_value(output),
                    earlier.id,
                ),
            )
            if output is not None:
                self._copy_output_row(earlier, output, job.source)

        self._db.run_in_transaction(move_row)
        return moved

    def move_folder(self, old: Path, new: Path) -> None:
        """Give all jobs below the folder `old` their new paths: it has been renamed to `new`.

        Jobs whose worker has their picture now keep the old path; their result is found by its content.
        """
        old_bytes = os.fsencode(old)
        below = "(folder = ? OR folder > ? AND folder < ?)"
        separator = ord(os.sep)
        bounds = (old_bytes, old_bytes + bytes([separator]), old_bytes + bytes([separator + 1]))

        def move_rows() -> None:
            for job in self._db.select_jobs(f"{below} AND state != 'active'", *bounds):
                source, output = _moved(job.source, old, new), _moved(job.output, old, new)
                if source == job.source or source is None:
                    continue
                moved = replace(job, source=source, output=output, moved_to=_moved(job.moved_to, old, new))
                self._db.connection.execute(
                    "UPDATE OR REPLACE jobs SET source = ?, folder = ?, place = ?, output = ?, moved_to = ? "
                    "WHERE id = ?",
                    (
                        os.fsencode(source),
                        os.fsencode(source.parent),
                        os.fsencode(moved.destination),
                        column_value(output),
                        column_value(moved.moved_to),
                        job.id,
                    ),
                )
                if output is not None and job.output is not None:
                    self._copy_output_row(job, output, moved.moved_to or source)

        self._db.run_in_transaction(move_rows)

    def _copy_output_row(self, job: Job, output: Path, source: Path) -> None:
        """Record `output` as made from `source`, if the output of `job` was nobg's own."""
        self._db.connection.execute(
            "INSERT OR IGNORE INTO outputs SELECT ?, output_hash, ? FROM outputs "
            "WHERE output = ? AND output_hash = ? AND source = ?",
            (
                os.fsencode(output),
                os.fsencode(source),
                os.fsencode(job.output or output),
                job.output_hash,
                os.fsencode(job.moved_to or job.source),
            ),
        )


def _moved(path: Path | None, old: Path, new: Path) -> Path | None:
    """Return the path after the folder `old` has been renamed to `new`."""
    return path if path is None or not path.is_relative_to(old) else new / path.relative_to(old)
