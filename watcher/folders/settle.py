"""Which files have settled, that is, have stayed the same for long enough. Reads neither clock nor disk."""

from __future__ import annotations

import os

Identity = tuple[int, int, int, int]
"""Device, inode, size in bytes, time of the last change of the content in ns."""


def identity(status: os.stat_result) -> Identity:
    """Return what changes when a file is written to or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Settling:
    """Files that may still be changing. All times are seconds of one clock that never goes back."""

    def __init__(self, quiet_seconds: float) -> None:
        """A file has settled when it has stayed the same for `quiet_seconds` and is not empty."""
        self._quiet_seconds = quiet_seconds
        self._unsettled: dict[str, tuple[Identity, float]] = {}

    def __len__(self) -> int:
        return len(self._unsettled)

    def note(self, path: str, now: float, status: os.stat_result) -> None:
        """Note the file's status at `now`. If the file has changed, its quiet time restarts."""
        if path not in self._unsettled or self._unsettled[path][0] != identity(status):
            self._unsettled[path] = (identity(status), now)

    def has_settled(self, path: str, now: float, status: os.stat_result | None) -> bool:
        """Note the file's status at `now`. Return whether the file has settled, and forget it if it has.

        A file that is empty, gone or no longer relevant (`status` None) has not settled, and is forgotten, too.
        """
        if status is None or status.st_size == 0:  # once an empty file has content, a hint or a sweep finds it again
            self._unsettled.pop(path, None)
            return False
        self.note(path, now, status)
        if now - self._unsettled[path][1] < self._quiet_seconds:
            return False
        del self._unsettled[path]
        return True

    def due(self, now: float) -> list[str]:
        """Return the files to check again: those that may have settled by `now`."""
        return [path for path, (_, since) in self._unsettled.items() if now - since >= self._quiet_seconds]

    def next_due_at(self) -> float | None:
        """Return the earliest time at which a file may have settled; None if there are no files."""
        return min((since + self._quiet_seconds for _, since in self._unsettled.values()), default=None)
