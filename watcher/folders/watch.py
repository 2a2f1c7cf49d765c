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

from watcher.config import Folder
from watcher.folders import mounts
from watcher.folders.settle import Settling
from watcher.naming import is_output_name, is_source_name
from watcher.queue import store
from watcher.queue.journal import Journal
from watcher.queue.waiting import QUIET

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

logger = logging.getLogger(__name__)

TICK = 3.0  # seconds between looks at the folders themselves while nothing happens
SWEEP = 300.0  # seconds between sweeps where the system tells of changes
POLL = 10.0  # seconds between sweeps where it does not
SHARE = 50  # a sweep that took a second is not repeated for this many
GAP = 5.0  # seconds that we cannot account for: the machine slept, or we were stopped, and events were lost
MOST_HINTS = 5000  # more than these at once are a burst: a sweep is cheaper, and some may have been lost
BREATH = 0.1  # seconds for hints to gather

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

_UNFINISHED = re.compile(r"\.|~|.*\.(crdownload|part|partial|download|tmp|filepart)(\.|$)", re.IGNORECASE | re.DOTALL)
_FOREIGN_FOLDER = re.compile(r"\.|~|@eaDir$|#recycle$|\$RECYCLE\.BIN$|RECYCLER$|Trash$|System Volume Information$")
_NOT_HERE = 0x1000 | 0x40000 | 0x400000  # Windows: FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN, _RECALL_ON_DATA_ACCESS
_DATALESS = 0x40000000  # macOS: SF_DATALESS


def is_candidate(name: str) -> bool:
    """By its name, may a file in a watched folder be a picture to do? (Downloads under way, our outputs: no.)"""
    return is_source_name(name) and _UNFINISHED.match(name) is None


def is_foreign_folder(name: str) -> bool:
    """Does a recursive watch stay out of folders of this name: hidden ones, trash, thumbnails of a file server?"""
    return _FOREIGN_FOLDER.match(name) is not None


def is_ordinary(status: os.stat_result) -> bool:
    """Is it a file with something in it, on this machine? (Opening a cloud's placeholder would download it.)"""
    elsewhere = getattr(status, "st_file_attributes", 0) & _NOT_HERE or getattr(status, "st_flags", 0) & _DATALESS
    return stat.S_ISREG(status.st_mode) and status.st_size > 0 and not elsewhere


class Hints(FileSystemEventHandler):
    """What watchdog's threads tell: paths worth a look, or that there was too much to tell."""

    def __init__(self, news: threading.Event) -> None:
        """`news` is set whenever there is something."""
        super().__init__()
        self._news = news
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
                    if len(self._paths) > MOST_HINTS:
                        self._paths.clear()
                        self._lost = True
                self._news.set()

    def lose(self) -> None:
        """Some events were lost."""
        with self._lock:
            self._lost = True
        self._news.set()

    def take(self) -> tuple[set[str], bool]:
        """The paths since the last time, and whether any were lost."""
        with self._lock:
            paths, lost = self._paths, self._lost
            self._paths, self._lost = set(), False
        return paths, lost


class _Overflow(logging.Handler):
    """watchdog tells of lost events in its log alone."""

    def __init__(self, hints: Hints) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        """Called by watchdog's logger."""
        if "overflow" in record.getMessage():
            self._hints.lose()


class _Knock(FileSystemEventHandler):
    """Another process has changed the queue: see store.knock."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog."""
        if os.path.basename(os.fsdecode(event.src_path)) == store.KNOCK:
            self._act()


@dataclass
class _Root:
    """A watched folder, as it stands."""

    folder: Folder
    recipes: list[str]  # under these, its files count as known
    watch: ObservedWatch | None = None
    there: tuple[int, int] | None = None  # device and inode of the folder that is watched
    polled: bool = False
    sweep_at: float = 0.0
    directories: int = 0  # in it, when it was last swept
    problem: str | None = None  # with the folder, or with watching it
    unreadable: str | None = None  # what the last sweep met
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.path = str(self.folder.path)

    def holds(self, path: str) -> bool:
        """Is `path` a place where this watch looks?"""
        inside = os.path.relpath(os.path.dirname(path), self.path)
        if inside == os.curdir:
            return True
        return self.folder.recursive and all(self.enters(name) for name in inside.split(os.sep))

    def enters(self, name: str) -> bool:
        """Does a recursive watch go into sub-folders of this name?"""
        return not is_foreign_folder(name) and name != self.folder.move_originals


class Watcher:
    """Looks after the watched folders, one step() at a time."""

    def __init__(
        self,
        journal: Journal,
        queued: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`queued` is called when the queue has changed, through us or another process."""
        self.news = threading.Event()
        self._journal = journal
        self._rebuilding = journal.setting("rebuild") is not None
        self._queued = queued
        self._clock = clock
        self._wall = wall
        self._last = (clock(), wall())
        self._wait = 0.0
        self._hints = Hints(self.news)
        self._overflow = _Overflow(self._hints)
        self._roots: dict[str, _Root] = {}
        self._off: set[str] = set()
        self._settling = Settling(QUIET)
        self._observer: BaseObserver | None = None
        self._no_observer: str | None = None
        self._told: dict[str, list[str | None]] | None = None

    def start(self, state: Path) -> None:
        """Begin to listen: to the folders, and for knocks in the state folder `state`."""
        logging.getLogger("watchdog").addHandler(self._overflow)
        from watchdog.observers import Observer

        try:
            self._observer = Observer()
            self._observer.start()
            self._observer.schedule(_Knock(self._queued), str(state), event_filter=[FileModifiedEvent])
        except OSError as error:
            self._no_observer = _limit_text(error)
            logger.warning("%s", self._no_observer)

    def stop(self) -> None:
        """Listen no more."""
        logging.getLogger("watchdog").removeHandler(self._overflow)
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def configure(self, folders: Iterable[Folder]) -> None:
        """Watch these folders from now on, and no others. One that is switched off is no part of another, either."""
        folders = list(folders)
        wanted = {str(folder.path): folder for folder in folders if folder.enabled}
        self._off = {str(folder.path) for folder in folders if not folder.enabled}
        for root in self._roots.values():  # what was an inner watch's may be theirs now
            root.sweep_at = 0.0
        for path, root in list(self._roots.items()):
            if wanted.get(path) != root.folder:
                self._unwatch(root)
                del self._roots[path]
        for path, folder in wanted.items():
            if path not in self._roots:
                self._roots[path] = _Root(folder, self._known_under(folder))
        self._journal.forget_folders_except({folder.path: folder.recipe.key() for folder in wanted.values()})
        self._tell()

    def _known_under(self, folder: Folder) -> list[str]:
        said = None if folder.follows is None else folder.follows.key()
        return self._journal.known_under(folder.path, folder.recipe.key(), said)

    def step(self) -> float:
        """One round. Returns the seconds until the next is due, unless there is news."""
        now, wall = self._clock(), self._wall()
        gap = max(now - self._last[0], wall - self._last[1]) - self._wait
        paths, lost = self._hints.take()
        if lost or gap > GAP:
            logger.info("Events may have been lost: all folders are gone through")
            for root in self._roots.values():
                root.sweep_at = 0.0
        for root in self._roots.values():
            self._look_at(root)
            if root.there is not None and root.sweep_at <= now:
                self._sweep(root, now)
        for path in paths:
            self._look_at_hint(path, now)
        self._enqueue_settled(now)
        self._end_rebuild()
        self._tell()
        next_look = self._settling.next_look()
        sweeps = [root.sweep_at for root in self._roots.values() if root.there is not None]
        due = min([now + TICK, *sweeps, *([] if next_look is None else [next_look])])
        self._last = (self._clock(), self._wall())
        self._wait = max(BREATH, due - self._last[0])
        return self._wait

    def wait(self, seconds: float) -> None:
        """Wait for that long, or until there is news and a moment for more of it to gather."""
        if self.news.wait(seconds):
            time.sleep(BREATH)
            self.news.clear()

    # The folders themselves

    def _look_at(self, root: _Root) -> None:
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
            if problem != root.problem or root.there is not None:
                logger.warning("%s is not watched: %s", root.path, problem)
                self._unwatch(root)
                root.problem, root.sweep_at = problem, 0.0
        elif there != root.there or (root.watch is not None and not self._is_told(root.watch)):
            self._unwatch(root)
            root.there, root.sweep_at = there, 0.0
            self._watch(root)

    def _is_told(self, watch: ObservedWatch) -> bool:
        """Does watchdog's thread for this folder still run?"""
        assert self._observer is not None
        return any(emitter.watch == watch and emitter.is_alive() for emitter in self._observer.emitters)

    def _watch(self, root: _Root) -> None:
        root.polled = mounts.must_poll(root.path) or self._observer is None
        root.problem = self._no_observer
        if root.polled or self._observer is None:
            return
        try:
            root.watch = self._observer.schedule(
                self._hints, root.path, recursive=root.folder.recursive, event_filter=EVENTS
            )
        except OSError as error:
            self._cannot_watch(root, _limit_text(error))

    def _cannot_watch(self, root: _Root, problem: str) -> None:
        if not root.polled:
            logger.warning("%s: %s", root.path, problem)
        root.polled, root.problem = True, problem

    def _unwatch(self, root: _Root) -> None:
        if root.watch is not None and self._observer is not None:
            try:
                self._observer.unschedule(root.watch)
            except (KeyError, OSError) as error:  # its thread has ended with the folder
                logger.debug("Unscheduling %s: %s", root.path, error)
        root.watch, root.polled, root.there = None, False, None

    # Files

    def _sweep(self, root: _Root, now: float) -> None:
        """Go through all of it; what is new or changed begins to settle."""
        started = self._clock()
        root.directories, root.unreadable = 0, None
        for path, status in self._files(root, root.path):
            self._settling.note(path, now, status)
        took = self._clock() - started
        root.sweep_at = now + max(POLL if root.polled else SWEEP, SHARE * took)
        if root.folder.recursive and not root.polled and self._lacks_watches():
            self._cannot_watch(root, _limit_text(OSError(errno.ENOSPC, "")))
            root.sweep_at = now + max(POLL, SHARE * took)

    def _lacks_watches(self) -> bool:
        """Was a sub-folder refused by the system? watchdog does not say; so we count, and then try one more."""
        expected = sum(root.directories for root in self._roots.values() if root.watch is not None)
        if self._observer is None or _watches() > expected:
            return False
        try:
            one_more = self._observer.schedule(self._hints, os.sep, event_filter=[DirMovedEvent])
        except OSError:
            return True
        self._observer.unschedule(one_more)
        return False

    def _files(self, root: _Root, top: str) -> Iterator[tuple[str, os.stat_result]]:
        """The candidates in `top` that are not known as they are now."""
        folders = [top]
        while folders:
            folder = folders.pop()
            root.directories += 1
            known = self._journal.signatures(folder, root.recipes)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            others = entry.path in self._roots or entry.path in self._off
                            if root.folder.recursive and root.enters(entry.name) and not others:
                                folders.append(entry.path)
                        elif is_candidate(entry.name) and entry.is_file(follow_symlinks=False):
                            status = _lstat(entry.path)
                            if (
                                status
                                and is_ordinary(status)
                                and (os.fsencode(entry.path), store.signature(status)) not in known
                                and not self._is_ours(root, entry.path)
                            ):
                                yield entry.path, status
            except OSError as error:
                logger.info("%s cannot be gone through: %s", folder, error.strerror)
                if folder == root.path:
                    root.unreadable = f"it cannot be gone through: {error.strerror}."

    def _root_of(self, path: str) -> _Root | None:
        """The watched folder that `path` belongs to: of nested ones, the inner."""
        parents = [path, *(str(parent) for parent in Path(path).parents)]
        nearest = next((parent for parent in parents if parent in self._roots or parent in self._off), "")
        root = self._roots.get(nearest)
        return root if root is not None and (path == root.path or root.holds(path)) else None

    def _look_at_hint(self, path: str, now: float) -> None:
        root = self._root_of(path)
        status = None if root is None else _lstat(path)
        if root is None or status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            if root.folder.recursive and root.enters(os.path.basename(path)) and path != root.path:
                for found, its_status in self._files(root, path):
                    self._settling.note(found, now, its_status)
        elif (
            is_ordinary(status)
            and not self._journal.knows(os.fsencode(path), root.recipes, store.signature(status))
            and not self._is_ours(root, path)
        ):
            self._settling.note(path, now, status)

    def _is_ours(self, root: _Root, path: str) -> bool:
        """Is it an output under a name of the person's choice? The journal knows; after a loss, the name must do."""
        named = self._rebuilding and is_output_name(os.path.basename(path), root.folder.recipe.suffix)
        return named or self._journal.is_output(os.fsencode(path))

    def _enqueue_settled(self, now: float) -> None:
        """What has been quiet for long enough becomes jobs, all of a folder at once."""
        ready: dict[str, list[tuple[bytes, int | None, str | None]]] = defaultdict(list)
        for path in self._settling.due(now):
            status, root = _lstat(path), self._root_of(path)
            fit = status if root and status and is_ordinary(status) else None
            if self._settling.has_settled(path, now, fit) and root and fit:
                ready[root.path].append((os.fsencode(path), fit.st_dev, store.signature(fit)))
        for path, pictures in ready.items():
            self._journal.enqueue(sorted(pictures), **self._request(self._roots[path].folder))
            logger.info("Queued %d from %s", len(pictures), path)
        if ready:
            self._queued()

    def _request(self, folder: Folder) -> dict[str, Any]:
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
            self._journal.set("rebuild", None)
            self._rebuilding = False

    def _tell(self) -> None:
        """Let `nobg status` know how the folders stand."""
        told = {root.path: [_state(root), root.unreadable or root.problem] for root in self._roots.values()}
        if told != self._told:
            self._journal.set("folders", json.dumps(told))
            self._told = told


def _state(root: _Root) -> str:
    if root.there is None:
        return "missing"
    return "polled" if root.polled else "watched"


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _watches() -> int:
    """How many inotify watches this process has (proc(5), fdinfo); elsewhere than on Linux, always enough."""
    count = 0
    try:
        for descriptor in os.listdir("/proc/self/fdinfo"):
            with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:
                count += file.read().count(b"inotify wd:")
    except FileNotFoundError:  # no Linux; or the descriptor with which we list them
        return count or 1 << 30
    return count


def _limit_text(error: OSError) -> str:
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
