"""Whether an existing file may be overwritten: which files nobg wrote, and which of them a job may replace."""

from __future__ import annotations

import os
from pathlib import Path

from watcher.queue import store
from watcher.queue.database import Database
from watcher.queue.job import Job


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

    def is_output(self, path: bytes) -> bool:
        """Return whether nobg ever wrote, or planned to write, a file at `path`."""
        with self._db.translated_errors():
            return store.is_output(self._db.connection, path)

    def may_replace(self, job: Job, output: Path, current_hash: str, new_hash: str) -> bool:
        """Return whether `job` may replace the file `output` (its hash: `current_hash`) with content of `new_hash`.

        It may if nobg made that file from the same source. The output of another recipe stays, unless both contents
        are identical.
        """
        if not self.has_written(job.source, output, current_hash):
            return False
        query = "SELECT recipe FROM jobs WHERE source = ? AND output = ? AND output_hash = ? AND undone = 0"
        recipes = self._db.execute(query, (os.fsencode(job.source), os.fsencode(output), current_hash))
        return current_hash == new_hash or not recipes or (job.recipe,) in recipes
