"""Pure: which files have been quiet for long enough?"""

from __future__ import annotations

import os

Identity = tuple[int, int, int, int]
"""Device, inode, size in bytes, time of last change of the content in ns."""


def identity(status: os.stat_result) -> Identity:
    """What changes when a file is written to or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Settling:
    """Files that may still be changing. Times are seconds of one clock that never goes back."""

    def __init__(self, quiet_seconds: float) -> None:
        """A file has settled when it has been the same for `quiet` seconds and is not empty."""
        self._quiet_seconds = quiet_seconds
        self._unsettled: dict[str, tuple[Identity, float]] = {}

    def __len__(self) -> int:
        return len(self._unsettled)

    def note(self, path: str, now: float, status: os.stat_result) -> None:
        """The file is so now; if it was different before, its time starts anew."""
        if path not in self._unsettled or self._unsettled[path][0] != identity(status):
            self._unsettled[path] = (identity(status), now)

    def has_settled(self, path: str, now: float, status: os.stat_result | None) -> bool:
        """The file is so now (None: there is nothing to wait for). True, once: it has settled, and is forgotten."""
        if status is None or status.st_size == 0:  # an empty file is news again when something is in it
            self._unsettled.pop(path, None)
            return False
        self.note(path, now, status)
        if now - self._unsettled[path][1] < self._quiet_seconds:
            return False
        del self._unsettled[path]
        return True

    def due(self, now: float) -> list[str]:
        """The files worth another look: those that may have settled by now."""
        return [path for path, (_, since) in self._unsettled.items() if now - since >= self._quiet_seconds]

    def next_due_at(self) -> float | None:
        """When the first of them may have settled; None: there is nothing to look at."""
        return min((since + self._quiet_seconds for _, since in self._unsettled.values()), default=None)
