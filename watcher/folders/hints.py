"""What watchdog's threads report: paths to check, lost events, and wake-ups by another process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from watcher.folders.listing import is_named_like_output
from watcher.naming import is_source_name
from watcher.queue import store

MAX_HINTS = 5000  # beyond this many, a sweep is cheaper, and the system may have dropped events

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]
"""The events after which there may be a new picture, or one less."""


def _is_relevant(name: str) -> bool:
    """Return whether a file of this name is done, or left for its name; which is said."""
    return is_source_name(name) or is_named_like_output(name)


class Hints(FileSystemEventHandler):
    """Collects the paths to check from watchdog's threads, for the thread that calls take()."""

    def __init__(self, wake_event: threading.Event) -> None:
        """`wake_event` is set whenever take() has something to return."""
        super().__init__()
        self._wake_event = wake_event
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._renamed_folders: list[tuple[str, str]] = []
        self._lost = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Collect the paths of an event. Called by watchdog."""
        if isinstance(event, DirMovedEvent) and event.src_path and event.dest_path and not event.is_synthetic:
            with self._lock:
                self._renamed_folders.append((os.fsdecode(event.src_path), os.fsdecode(event.dest_path)))
                if len(self._renamed_folders) > MAX_HINTS:
                    self._renamed_folders.clear()  # what they would have told is found out from the contents
        for raw_path in (event.src_path, event.dest_path):
            path = os.fsdecode(raw_path)
            if path and (event.is_directory or _is_relevant(os.path.basename(path))):
                with self._lock:
                    self._paths.add(path)
                    if len(self._paths) > MAX_HINTS:
                        self._paths.clear()
                        self._lost = True
                self._wake_event.set()

    def mark_lost(self) -> None:
        """Note that events were lost."""
        with self._lock:
            self._lost = True
        self._wake_event.set()

    def take(self) -> tuple[set[str], bool]:
        """Return the paths collected since the last call, and whether events were lost."""
        with self._lock:
            paths, lost = self._paths, self._lost
            self._paths, self._lost = set(), False
        return paths, lost

    def take_renamed_folders(self) -> list[tuple[str, str]]:
        """Return the old and the new path of each folder that was renamed since the last call, in order."""
        with self._lock:
            renamed, self._renamed_folders = self._renamed_folders, []
        return renamed


class OverflowHandler(logging.Handler):
    """Notes lost events, which watchdog reports only in its log."""

    def __init__(self, hints: Hints) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        """Note an overflow. Called by watchdog's logger."""
        if "overflow" in record.getMessage():
            self._hints.mark_lost()


class WakeHandler(FileSystemEventHandler):
    """Calls back when another process has changed the queue: see store.wake_program."""

    def __init__(self, callback: Callable[[], None]) -> None:
        super().__init__()
        self._callback = callback

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Call back if the event is a wake-up. Called by watchdog for every event in the state folder."""
        if os.path.basename(os.fsdecode(event.src_path)) == store.WAKE_FILE:
            self._callback()
