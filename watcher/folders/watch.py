"""Watched folders: events are hints, sweeps make it complete, and what has settled becomes a job.

No event is relied upon: systems lose them. Files are only looked at (lstat), never opened.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from watcher import commit
from watcher.config import Folder
from watcher.folders import mounts
from watcher.folders.settle import Settling
from watcher.naming import is_output_name, is_source_name
from watcher.queue import store
from watcher.queue.journal import Journal
from watcher.queue.waiting import SETTLE_SECONDS

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

logger = logging.getLogger(__name__)

ROOT_CHECK_SECONDS = 3.0  # seconds between looks at the folders themselves while nothing happens
SWEEP_INTERVAL_SECONDS = 300.0  # seconds between sweeps where the system tells of changes
POLL_INTERVAL_SECONDS = 10.0  # seconds between sweeps where it does not
SWEEP_COST_FACTOR = 50  # a sweep that took a second is not repeated for this many
MAX_UNACCOUNTED_SECONDS = (
    5.0  # seconds that we cannot account for: the machine slept, or we were stopped, and events were lost
)
MAX_HINTS = 5000  # more than these at once are a burst: a sweep is cheaper, and some may have been lost
HINT_DEBOUNCE_SECONDS = 0.1  # seconds for hints to gather

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

_UNFINISHED = re.compile(r"\.|~|.*\.(crdownload|part|partial|download|tmp|filepart)(\.|$)", re.IGNORECASE | re.DOTALL)
_EXCLUDED_FOLDER = re.compile(r"\.|~|@eaDir$|#recycle$|\$RECYCLE\.BIN$|RECYCLER$|Trash$|System Volume Information$")
_OFFLINE_ATTRIBUTES = (
    0x1000 | 0x40000 | 0x400000
)  # Windows: FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN, _RECALL_ON_DATA_ACCESS
_DATALESS = 0x40000000  # macOS: SF_DATALESS


def is_candidate(name: str) -> bool:
    """By its name, may a file in a watched folder be a picture to do? (Downloads under way, our outputs: no.)"""
    return is_source_name(name) and _UNFINISHED.match(name) is None


def is_excluded_folder(name: str) -> bool:
    """Does a recursive watch stay out of folders of this name: hidden ones, trash, thumbnails of a file server?"""
    return _EXCLUDED_FOLDER.match(name) is not None


def is_local_nonempty_file(status: os.stat_result) -> bool:
    """Is it a file with something in it, on this machine? (Opening a cloud's placeholder would download it.)"""
    elsewhere = (
        getattr(status, "st_file_attributes", 0) & _OFFLINE_ATTRIBUTES or getattr(status, "st_flags", 0) & _DATALESS
    )
    return stat.S_ISREG(status.st_mode) and status.st_size > 0 and not elsewhere


class Hints(FileSystemEventHandler):
    """What watchdog's threads tell: paths worth a look, or that there was too much to tell."""

    def __init__(self, wake_event: threading.Event) -> None:
        """`news` is set whenever there is something."""
        super().__init__()
        self._wake_event = wake_event
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._lost = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog."""
        for path in (event.src_path, event.dest_path):
            text = os.fsdecode(path)
            if text and (event.is_directory or is_candidate(os.path.basename(text))):
                with self._lock:
                    self._paths.add(text)
                    if len(self._paths) > MAX_HINTS:
                        self._paths.clear()
                        self._lost = True
                self._wake_event.set()

    def mark_lost(self) -> None:
        """Some events were lost."""
        with self._lock:
            self._lost = True
        self._wake_event.set()

    def take(self) -> tuple[set[str], bool]:
        """The paths since the last time, and whether any were lost."""
        with self._lock:
            paths, lost = self._paths, self._lost
            self._paths, self._lost = set(), False
        return paths, lost


class _OverflowHandler(logging.Handler):
    """watchdog tells of lost events in its log alone."""

    def __init__(self, hints: Hints) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        """Called by watchdog's logger."""
        if "overflow" in record.getMessage():
            self._hints.mark_lost()


class _WakeHandler(FileSystemEventHandler):
    """Another process has changed the queue: see store.knock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        super().__init__()
        self._callback = callback

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog."""
        if os.path.basename(os.fsdecode(event.src_path)) == store.WAKE_FILE:
            self._callback()


@dataclass
class _Root:
    """A watched folder, as it stands."""

    folder: Folder
    known_recipes: list[str]  # under these, its files count as known
    watch: ObservedWatch | None = None
    identity: tuple[int, int] | None = None  # device and inode of the folder that is watched
    is_polled: bool = False
    sweep_at: float = 0.0
    directory_count: int = 0  # in it, when it was last swept
    problem: str | None = None  # with the folder, or with watching it
    sweep_problem: str | None = None  # what the last sweep met
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.path = str(self.folder.path)

    def covers(self, path: str) -> bool:
        """Is `path` a place where this watch looks?"""
        inside = os.path.relpath(os.path.dirname(path), self.path)
        if inside == os.curdir:
            return True
        return self.folder.recursive and all(self.descends_into(name) for name in inside.split(os.sep))

    def descends_into(self, name: str) -> bool:
        """Does a recursive watch go into sub-folders of this name?"""
        return not is_excluded_folder(name) and name != self.folder.move_originals


class Watcher:
    """Looks after the watched folders, one step() at a time."""

    def __init__(
        self,
        journal: Journal,
        on_queued: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`queued` is called when the queue has changed, through us or another process."""
        self.wake_event = threading.Event()
        self._journal = journal
        self._rebuilding = journal.get_setting("rebuild") is not None
        self._on_queued = on_queued
        self._clock = clock
        self._wall_clock = wall_clock
        self._last_times = (clock(), wall_clock())
        self._wait_seconds = 0.0
        self._hints = Hints(self.wake_event)
        self._overflow_handler = _OverflowHandler(self._hints)
        self._roots: dict[str, _Root] = {}
        self._disabled_paths: set[str] = set()
        self._settling = Settling(SETTLE_SECONDS)
        self._observer: BaseObserver | None = None
        self._observer_problem: str | None = None
        self._reported_states: dict[str, list[str | None]] | None = None

    def start(self, state_folder: Path) -> None:
        """Begin to listen: to the folders, and for knocks in the state folder `state`."""
        logging.getLogger("watchdog").addHandler(self._overflow_handler)
        from watchdog.observers import Observer

        try:
            self._observer = Observer()
            self._observer.start()
            self._observer.schedule(_WakeHandler(self._on_queued), str(state_folder), event_filter=[FileModifiedEvent])
        except OSError as error:
            self._observer_problem = _describe_watch_error(error)
            logger.warning("%s", self._observer_problem)

    def stop(self) -> None:
        """Listen no more."""
        logging.getLogger("watchdog").removeHandler(self._overflow_handler)
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def configure(self, folders: Iterable[Folder]) -> None:
        """Watch these folders from now on, and no others. One that is switched off is no part of another, either."""
        folders = list(folders)
        wanted = {str(folder.path): folder for folder in folders if folder.enabled}
        self._disabled_paths = {str(folder.path) for folder in folders if not folder.enabled}
        for root in self._roots.values():  # what was an inner watch's may be theirs now
            root.sweep_at = 0.0
        for path, root in list(self._roots.items()):
            if wanted.get(path) != root.folder:
                self._unwatch(root)
                del self._roots[path]
        for path, folder in wanted.items():
            if path not in self._roots:
                self._roots[path] = _Root(folder, self._known_recipes(folder))
        self._journal.drop_unwatched_jobs({folder.path: folder.recipe.key() for folder in wanted.values()})
        self._report_states()

    def _known_recipes(self, folder: Folder) -> list[str]:
        said = None if folder.default_overrides is None else folder.default_overrides.key()
        return self._journal.known_recipes(folder.path, folder.recipe.key(), said)

    def step(self) -> float:
        """One round. Returns the seconds until the next is due, unless there is news."""
        now, wall = self._clock(), self._wall_clock()
        gap = max(now - self._last_times[0], wall - self._last_times[1]) - self._wait_seconds
        paths, lost = self._hints.take()
        if lost or gap > MAX_UNACCOUNTED_SECONDS:
            logger.info("Events may have been lost: all folders are gone through")
            for root in self._roots.values():
                root.sweep_at = 0.0
        for root in self._roots.values():
            self._check_root(root)
            if root.identity is not None and root.sweep_at <= now:
                self._sweep(root, now)
        for path in paths:
            self._check_hint(path, now)
        self._enqueue_settled(now)
        self._end_rebuild()
        self._report_states()
        next_look = self._settling.next_due_at()
        sweeps = [root.sweep_at for root in self._roots.values() if root.identity is not None]
        due = min([now + ROOT_CHECK_SECONDS, *sweeps, *([] if next_look is None else [next_look])])
        self._last_times = (self._clock(), self._wall_clock())
        self._wait_seconds = max(HINT_DEBOUNCE_SECONDS, due - self._last_times[0])
        return self._wait_seconds

    def wait(self, seconds: float) -> None:
        """Wait for that long, or until there is news and a moment for more of it to gather."""
        if self.wake_event.wait(seconds):
            time.sleep(HINT_DEBOUNCE_SECONDS)
            self.wake_event.clear()

    # The folders themselves

    def _check_root(self, root: _Root) -> None:
        """Is the folder there, and the one that we watch? It may be deleted and come back, or a drive be plugged in."""
        try:
            status = os.stat(root.path)
            there = (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
            problem = None if there else "this is not a folder."
            if there and not os.access(root.path, os.R_OK | os.X_OK):
                there, problem = None, "nobg may not look into it. Check its permissions."
        except OSError as error:
            there = None
            problem = "it is not there." if error.errno == errno.ENOENT else f"{error.strerror}."
        if there is None:
            if problem != root.problem or root.identity is not None:
                logger.warning("%s is not watched: %s", root.path, problem)
                self._unwatch(root)
                root.problem, root.sweep_at = problem, 0.0
        elif there != root.identity or (root.watch is not None and not self._is_watch_alive(root.watch)):
            self._unwatch(root)
            root.identity, root.sweep_at = there, 0.0
            self._watch(root)

    def _is_watch_alive(self, watch: ObservedWatch) -> bool:
        """Does watchdog's thread for this folder still run?"""
        assert self._observer is not None
        return any(emitter.watch == watch and emitter.is_alive() for emitter in self._observer.emitters)

    def _watch(self, root: _Root) -> None:
        root.is_polled = mounts.must_poll(root.path) or self._observer is None
        root.problem = self._observer_problem
        if root.is_polled or self._observer is None:
            return
        try:
            root.watch = self._observer.schedule(
                self._hints, root.path, recursive=root.folder.recursive, event_filter=EVENTS
            )
        except OSError as error:
            self._fall_back_to_polling(root, _describe_watch_error(error))

    def _fall_back_to_polling(self, root: _Root, problem: str) -> None:
        if not root.is_polled:
            logger.warning("%s: %s", root.path, problem)
        root.is_polled, root.problem = True, problem

    def _unwatch(self, root: _Root) -> None:
        if root.watch is not None and self._observer is not None:
            try:
                self._observer.unschedule(root.watch)
            except (KeyError, OSError) as error:  # its thread has ended with the folder
                logger.debug("Unscheduling %s: %s", root.path, error)
        root.watch, root.is_polled, root.identity = None, False, None

    # Files

    def _sweep(self, root: _Root, now: float) -> None:
        """Go through all of it; what is new or changed begins to settle."""
        started = self._clock()
        root.directory_count, root.sweep_problem = 0, None
        for path, status in self._new_candidates(root, root.path):
            self._settling.note(path, now, status)
        took = self._clock() - started
        root.sweep_at = now + max(
            POLL_INTERVAL_SECONDS if root.is_polled else SWEEP_INTERVAL_SECONDS, SWEEP_COST_FACTOR * took
        )
        if root.folder.recursive and not root.is_polled and self._has_hit_watch_limit():
            self._fall_back_to_polling(root, _describe_watch_error(OSError(errno.ENOSPC, "")))
            root.sweep_at = now + max(POLL_INTERVAL_SECONDS, SWEEP_COST_FACTOR * took)

    def _has_hit_watch_limit(self) -> bool:
        """Was a sub-folder refused by the system? watchdog does not say; so we count, and then try one more."""
        expected = sum(root.directory_count for root in self._roots.values() if root.watch is not None)
        if self._observer is None or _count_inotify_watches() > expected:
            return False
        try:
            one_more = self._observer.schedule(self._hints, os.sep, event_filter=[DirMovedEvent])
        except OSError:
            return True
        self._observer.unschedule(one_more)
        return False

    def _new_candidates(self, root: _Root, top: str) -> Iterator[tuple[str, os.stat_result]]:
        """The candidates in `top` that are not known as they are now."""
        folders = [top]
        while folders:
            folder = folders.pop()
            root.directory_count += 1
            known = self._journal.known_signatures(folder, root.known_recipes)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            others = entry.path in self._roots or entry.path in self._disabled_paths
                            if root.folder.recursive and root.descends_into(entry.name) and not others:
                                folders.append(entry.path)
                        elif is_candidate(entry.name) and entry.is_file(follow_symlinks=False):
                            status = _lstat(entry.path)
                            if (
                                status
                                and is_local_nonempty_file(status)
                                and (os.fsencode(entry.path), commit.file_signature(status)) not in known
                                and not self._is_own_output(root, entry.path)
                            ):
                                yield entry.path, status
            except OSError as error:
                logger.info("%s cannot be gone through: %s", folder, error.strerror)
                if folder == root.path:
                    root.sweep_problem = f"it cannot be gone through: {error.strerror}."

    def _root_of(self, path: str) -> _Root | None:
        """The watched folder that `path` belongs to: of nested ones, the inner."""
        parents = [path, *(str(parent) for parent in Path(path).parents)]
        nearest = next((parent for parent in parents if parent in self._roots or parent in self._disabled_paths), "")
        root = self._roots.get(nearest)
        return root if root is not None and (path == root.path or root.covers(path)) else None

    def _check_hint(self, path: str, now: float) -> None:
        root = self._root_of(path)
        status = None if root is None else _lstat(path)
        if root is None or status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            if root.folder.recursive and root.descends_into(os.path.basename(path)) and path != root.path:
                for found, its_status in self._new_candidates(root, path):
                    self._settling.note(found, now, its_status)
        elif (
            is_local_nonempty_file(status)
            and not self._journal.has_job(os.fsencode(path), root.known_recipes, commit.file_signature(status))
            and not self._is_own_output(root, path)
        ):
            self._settling.note(path, now, status)

    def _is_own_output(self, root: _Root, path: str) -> bool:
        """Is it an output under a name of the person's choice? The journal knows; after a loss, the name must do."""
        named = self._rebuilding and is_output_name(os.path.basename(path), root.folder.recipe.suffix)
        return named or self._journal.is_output(os.fsencode(path))

    def _enqueue_settled(self, now: float) -> None:
        """What has been quiet for long enough becomes jobs, all of a folder at once."""
        ready: dict[str, list[tuple[bytes, int | None, str | None]]] = defaultdict(list)
        for path in self._settling.due(now):
            status, root = _lstat(path), self._root_of(path)
            fit = status if root and status and is_local_nonempty_file(status) else None
            if self._settling.has_settled(path, now, fit) and root and fit:
                ready[root.path].append((os.fsencode(path), fit.st_dev, commit.file_signature(fit)))
        for path, pictures in ready.items():
            self._journal.enqueue(sorted(pictures), **self._enqueue_options(self._roots[path].folder))
            logger.info("Queued %d from %s", len(pictures), path)
        if ready:
            self._on_queued()

    def _enqueue_options(self, folder: Folder) -> dict[str, Any]:
        """How the pictures of a folder are to be done, as the journal takes it."""
        output = folder.recipe.output
        return {
            "recipe": folder.recipe.key(),
            "subfolder": b"" if output is None else os.fsencode(output),
            "watch": os.fsencode(folder.path),
            "move_to": folder.move_originals,
            "adopt": self._rebuilding,
        }

    def _end_rebuild(self) -> None:
        """After a loss of the records, when all that was there has been found, what comes is new again."""
        if self._rebuilding and not self._settling and all(root.sweep_at > 0 for root in self._roots.values()):
            self._journal.set_setting("rebuild", None)
            self._rebuilding = False

    def _report_states(self) -> None:
        """Let `nobg status` know how the folders stand."""
        told = {root.path: [_root_state(root), root.sweep_problem or root.problem] for root in self._roots.values()}
        if told != self._reported_states:
            self._journal.set_setting("folders", json.dumps(told))
            self._reported_states = told


def _root_state(root: _Root) -> str:
    if root.identity is None:
        return "missing"
    return "polled" if root.is_polled else "watched"


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _count_inotify_watches() -> int:
    """How many inotify watches this process has (proc(5), fdinfo); elsewhere than on Linux, always enough."""
    count = 0
    try:
        for descriptor in os.listdir("/proc/self/fdinfo"):
            with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:
                count += file.read().count(b"inotify wd:")
    except FileNotFoundError:  # no Linux; or the descriptor with which we list them
        return count or 1 << 30
    return count


def _describe_watch_error(error: OSError) -> str:
    """What to say where the system refuses to tell us of changes."""
    if error.errno not in (errno.ENOSPC, errno.EMFILE):
        return (
            f"the system does not tell nobg of changes here ({error.strerror}), so it looks itself from time to time."
        )
    name = "watches" if error.errno == errno.ENOSPC else "instances"
    return (
        "the system's limit of folders to watch is reached, so nobg looks itself from time to time. To raise it: "
        f"sudo sysctl fs.inotify.max_user_{name}={524288 if name == 'watches' else 1024}"
    )
