"""A lock on a photo's content: two windows would overwrite each other's edits."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from watcher import lock

_HASH_DIGITS = 16
_ATTEMPTS = 10


@dataclass(frozen=True)
class ContentLock:
    """A lock that is held. The system frees it, too, however its holder ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Remove the lock file, and free the lock."""
        with contextlib.suppress(OSError):  # Windows removes no open file
            os.unlink(self.path)
        lock.release(self.descriptor)


def acquire(state: Path, content: str) -> ContentLock | None:
    """Lock the photo with this SHA-256; return None if another window has it. Raises DestinationError."""
    name = f"touchup-{content[:_HASH_DIGITS]}.lock"
    for _ in range(_ATTEMPTS):
        descriptor = lock.acquire(str(state), name=name)
        if descriptor is None:
            return None
        if lock.is_current(descriptor, str(state), name):  # otherwise another window has just removed the file
            return ContentLock(state / name, descriptor)
        lock.release(descriptor)
    return None
