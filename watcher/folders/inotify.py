"""watchdog's observer for Linux, without watches for folders that nobg never goes into. watchdog offers no such choice.

A `.cache` or a trash can have thousands of sub-folders. Each watch takes memory of the kernel and counts towards the
person's limit, and each change there would wake the program.
"""

from __future__ import annotations

import os

from watchdog.observers.inotify import InotifyEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import InotifyEvent

from watcher import places
from watcher.folders.candidates import is_excluded_folder


class _WatchGroup(InotifyWatchGroup):
    """The inotify watches of one watched folder. The methods are those of watchdog 7.1, which `pyproject.toml` pins."""

    def _add_all_callbacks(self, path: bytes) -> None:
        """Watch `path` and, in a recursive watch, the folders below it."""
        if self._is_excluded(path):
            return
        self._add_callback(path)
        if not self.is_recursive:
            return
        for root, names, _ in os.walk(path):
            names[:] = [name for name in names if not self._is_left_out(root, name)]
            for name in names:
                folder = os.path.join(root, name)
                if not os.path.islink(folder):
                    self._add_callback(folder)

    def _is_left_out(self, folder: bytes, name: bytes) -> bool:
        """Return whether nobg does not go into the sub-folder, or only with a time limit (`drives`)."""
        return is_excluded_folder(os.fsdecode(name)) or places.find(os.path.join(folder, name)) is not None

    def _recursive_simulate(self, src_path: bytes) -> list[InotifyEvent]:
        """Return the events that happened in a new folder before it was watched."""
        return [] if self._is_excluded(src_path) else super()._recursive_simulate(src_path)

    def _is_excluded(self, path: bytes) -> bool:
        if places.find(path) is not None:
            return True
        relative_path = os.path.relpath(path, self.path)
        return relative_path != b"." and any(is_excluded_folder(name) for name in os.fsdecode(relative_path).split("/"))


class _Emitter(InotifyEmitter):
    """Reports the events of one watched folder."""

    def on_thread_start(self) -> None:
        """Add the watches. Called by watchdog. Raises OSError if the folder itself cannot be watched."""
        self._inotify = _WatchGroup(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
        )


class Observer(InotifyObserver):
    """watchdog's observer for Linux, with the watches above."""

    def __init__(self) -> None:
        super().__init__()
        self._emitter_class = _Emitter
