"""watchdog's observer: for which folders the system reports changes, and which must be polled."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import DirMovedEvent, FileModifiedEvent

from watcher import places
from watcher.errors import advise, for_terminal
from watcher.folders.hints import EVENTS, Hints, OverflowHandler, WakeHandler
from watcher.folders.watched_folder import WatchedFolder

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

logger = logging.getLogger(__name__)

STOP_SECONDS = 2.0  # how long to wait for watchdog's threads, which a silent drive may hold


class FolderObserver:
    """Collects hints of changes in watched folders. Where the system reports none, marks the folder as polled."""

    def __init__(self, wake_event: threading.Event) -> None:
        """`wake_event` is set whenever there is a hint."""
        self.hints = Hints(wake_event)
        self._overflow_handler = OverflowHandler(self.hints)
        self._observer: BaseObserver | None = None
        self._problem: str | None = None

    def start(self, state_folder: Path, on_queued: Callable[[], None]) -> None:
        """Start watchdog. `on_queued` is called when another process wakes the program through `state_folder`."""
        logging.getLogger("watchdog").addHandler(self._overflow_handler)
        try:
            self._observer = _make_observer()
            self._observer.start()
            self._observer.schedule(WakeHandler(on_queued), str(state_folder), event_filter=[FileModifiedEvent])
        except OSError as error:
            self._problem = _describe_watch_error(error)
            logger.warning("%s", for_terminal(self._problem))

    def stop(self) -> None:
        """Stop watchdog."""
        logging.getLogger("watchdog").removeHandler(self._overflow_handler)
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join(STOP_SECONDS)

    def check(self, folder: WatchedFolder, checked: dict[tuple[int, int], str]) -> None:
        """Check that the folder exists and is the one being watched. If it is a new one, watch it.

        A folder may be deleted and created again, and a drive may be unplugged and come back. `checked`: the folders
        checked in this round, by device and inode; a folder that is there under another path is not watched twice.
        """
        self.apply(folder, *examine(folder.path), checked)

    def apply(
        self,
        folder: WatchedFolder,
        identity: tuple[int, int] | None,
        problem: str | None,
        checked: dict[tuple[int, int], str],
    ) -> None:
        """Do what check() does, with what examine() has found out."""
        if identity and (first := checked.setdefault(identity, folder.path)) != folder.path:
            identity, problem = None, f"it is the same folder as {first}, which is watched already."
        if identity is None:
            if problem != folder.problem or folder.identity is not None:
                logger.warning("%s is not watched: %s", folder.path, problem)
                self.unwatch(folder)
                folder.problem, folder.sweep_at = problem, 0.0
        elif identity != folder.identity or (folder.watch is not None and not self._is_watch_alive(folder.watch)):
            self.unwatch(folder)
            folder.identity, folder.sweep_at = identity, 0.0
            self._watch(folder)

    def _is_watch_alive(self, watch: ObservedWatch) -> bool:
        """Return whether watchdog's thread for this folder still runs."""
        assert self._observer is not None
        return any(emitter.watch == watch and emitter.is_alive() for emitter in self._observer.emitters)

    def _watch(self, folder: WatchedFolder) -> None:
        folder.is_polled = places.must_poll(folder.path) or self._observer is None
        folder.problem = self._problem
        if folder.is_polled or self._observer is None:
            return
        try:
            folder.watch = self._observer.schedule(
                self.hints, folder.path, recursive=folder.config.recursive, event_filter=EVENTS
            )
        except OSError as error:
            _fall_back_to_polling(folder, _describe_watch_error(error))

    def unwatch(self, folder: WatchedFolder) -> None:
        """Stop watching the folder."""
        if folder.watch is not None and self._observer is not None:
            try:
                self._observer.unschedule(folder.watch)
            except (KeyError, OSError) as error:  # watchdog's thread has ended together with the folder
                logger.debug("Unscheduling %s: %s", folder.path, error)
        folder.watch, folder.is_polled, folder.identity = None, False, None

    def check_watch_limit(self, folder: WatchedFolder, all_folders: Iterable[WatchedFolder]) -> bool:
        """After a sweep, poll a recursive watched folder if the system refused to watch one of its sub-folders.

        Return whether the folder is polled from now on.
        """
        if folder.config.recursive and not folder.is_polled and self._has_hit_watch_limit(all_folders):
            _fall_back_to_polling(folder, _describe_watch_error(OSError(errno.ENOSPC, "")))
            return True
        return False

    def _has_hit_watch_limit(self, folders: Iterable[WatchedFolder]) -> bool:
        """Return whether the system has refused to watch a sub-folder.

        watchdog does not report this. So if the process has no more inotify watches than directories to watch, try to
        add another watch.
        """
        expected_count = sum(folder.directory_count for folder in folders if folder.watch is not None)
        if self._observer is None or _count_inotify_watches() > expected_count:
            return False
        try:
            trial_watch = self._observer.schedule(self.hints, os.sep, event_filter=[DirMovedEvent])
        except OSError:
            return True
        self._observer.unschedule(trial_watch)
        return False


def examine(path: str) -> tuple[tuple[int, int] | None, str | None]:
    """Return device and inode of the folder, or None and a sentence that says why it cannot be watched."""
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            return None, "it is not a folder."
        if not os.access(path, os.R_OK | os.X_OK):
            return None, "nobg is not allowed to read it. Check its permissions."
    except OSError as error:
        return None, "it is not there." if error.errno == errno.ENOENT else f"{error.strerror}."
    return (status.st_dev, status.st_ino), None


def _make_observer() -> BaseObserver:
    if sys.platform == "linux":
        from watcher.folders.inotify import Observer
    else:
        from watchdog.observers import Observer
    return Observer()


def _fall_back_to_polling(folder: WatchedFolder, problem: str) -> None:
    if not folder.is_polled:
        logger.warning("%s: %s", folder.path, for_terminal(problem))
    folder.is_polled, folder.problem = True, problem


def _count_inotify_watches() -> int:
    """Return the number of inotify watches of this process (proc(5), fdinfo); on other systems than Linux, 1 << 30."""
    try:
        descriptors = os.listdir("/proc/self/fdinfo")
    except FileNotFoundError:  # not Linux
        return 1 << 30
    count = 0
    for descriptor in descriptors:
        path = f"/proc/self/fdinfo/{descriptor}"
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:  # may be closed by now
            count += file.read().count(b"inotify wd:")
    return count


def _describe_watch_error(error: OSError) -> str:
    """Return a sentence that says why the system does not report changes."""
    if error.errno not in (errno.ENOSPC, errno.EMFILE):
        return f"the system does not report changes here ({error.strerror}), so nobg checks for them from time to time."
    name = "watches" if error.errno == errno.ENOSPC else "instances"
    return advise(
        "the system's limit on watched folders is reached, so nobg checks for changes from time to time.",
        terminal=f"To raise it: sudo sysctl fs.inotify.max_user_{name}={524288 if name == 'watches' else 1024}",
    )
