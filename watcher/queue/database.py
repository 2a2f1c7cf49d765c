"""An open jobs.db: run statements, and turn SQLite's errors into nobg's."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from watcher.errors import DamagedJournalError, unwritable_records_error
from watcher.queue import store
from watcher.queue.job import COLUMNS, Job, job_from_row


class Database:
    """One connection to jobs.db. Threads must not share it; processes may share the file.

    Every method that runs a statement raises DestinationError if the file cannot be written and DamagedJournalError if
    SQLite finds it damaged.
    """

    def __init__(self, folder: Path, *, check_integrity: bool = False, check_indexes: bool = False) -> None:
        """Open jobs.db in `folder`, as `store.open_database` does."""
        self._path = folder / "jobs.db"
        self.connection, damaged_path = store.open_database(
            str(folder), check_integrity=check_integrity, check_indexes=check_indexes
        )
        self.damaged_path = None if damaged_path is None else Path(damaged_path)
        """The new place of a damaged jobs.db; None if the file was sound."""
        self._inode = store.inode(str(self._path))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def is_current(self) -> bool:
        """Return whether the open file is still the one at its path. Another program may have moved it aside."""
        return store.inode(str(self._path)) == self._inode

    def select_jobs(self, condition: str, *values: Any) -> list[Job]:
        """Return the jobs that meet `condition`: the SQL after WHERE, with a `?` for each of `values`."""
        return [job_from_row(row) for row in self.execute(f"SELECT {COLUMNS} FROM jobs WHERE {condition}", values)]  # noqa: S608

    def execute(self, statement: str, values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        with self.translated_errors():
            return self.connection.execute(statement, values).fetchall()

    def run_in_transaction(self, operation: Callable[[], None]) -> None:
        """Run `operation` in one transaction."""
        with self.translated_errors():
            store.run_in_transaction(self.connection, operation)

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise nobg's errors in place of SQLite's."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if store.is_damage(error):
                raise DamagedJournalError(self._path) from error
            if isinstance(error, sqlite3.OperationalError):
                raise unwritable_records_error(self._path.parent, error) from error
            raise
