"""The edits of each photo, by its content: so every output of that content has them. What they are, `matting` knows."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from watcher.queue.database import Database

_HASH_DIGITS = 16


def hash_of(text: str) -> str:
    """Return what the column `edits` of a job says of these edits: a hash; "" if there are none."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS] if text else ""


class Edits:
    """The edits of all contents. Raises what Database raises."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = database
        self._clock = clock

    def of(self, source_hash: str) -> str:
        """Return the edits of the photo with this content, as JSON; "" if there are none."""
        rows = self._db.execute("SELECT edits FROM edits WHERE source_hash = ?", (source_hash,))
        return rows[0][0] if rows and isinstance(rows[0][0], str) else ""

    def store(self, source_hash: str, text: str) -> None:
        """Keep these edits in place of the earlier ones; "" means that there are none any more."""
        if text == self.of(source_hash):
            return  # most photos have none: nothing is written for them
        if not text:
            self._db.execute("DELETE FROM edits WHERE source_hash = ?", (source_hash,))
        else:
            values = (source_hash, text, self._clock())
            self._db.execute("INSERT OR REPLACE INTO edits VALUES (?, ?, ?)", values)
