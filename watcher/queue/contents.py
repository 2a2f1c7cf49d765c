"""The jobs of pictures that have been renamed or moved: found by their content, or by the folder's old path."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from watcher.queue.database import Database
from watcher.queue.job import Job, column_value

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

    def has_waiting_picture(self, folder: Path, stem: str) -> bool:
        """Return whether a picture in `folder` is queued or active whose name is `stem` and an extension."""
        first = os.fsencode(folder / f"{stem}.")
        query = "SELECT 1 FROM jobs WHERE source > ? AND source < ? AND state IN ('queued', 'active') LIMIT 1"
        return bool(self._db.execute(query, (first, first[:-1] + bytes([first[-1] + 1]))))

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
