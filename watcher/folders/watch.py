"""Watches folders in rounds: hints and sweeps find files, and the files that have settled become jobs.

Hints alone are not reliable, since systems lose events; sweeps find the rest. Files are checked with lstat only, never
opened.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from watcher import commit, places
from watcher.config import Folder
from watcher.errors import NoAnswerError
from watcher.folders import left_out
from watcher.folders.candidates import is_local_nonempty_file
from watcher.folders.drives import NO_ANSWER, Drives
from watcher.folders.listing import Listing, Rules, is_named_like_output, list_folder, lstat, stems_in
from watcher.folders.observer import FolderObserver
from watcher.folders.settle import Settling
from watcher.folders.watched_folder import WatchedFolder
from watcher.naming import is_output_name
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import SETTLE_SECONDS, is_deleted

logger = logging.getLogger(__name__)

FOLDER_CHECK_SECONDS = 3.0  # seconds between checks of the folders themselves while nothing happens
SWEEP_INTERVAL_SECONDS = 300.0  # seconds between sweeps of a folder whose changes the system reports
POLL_INTERVAL_SECONDS = 10.0  # seconds between sweeps of any other folder
SWEEP_COST_FACTOR = 50  # the next sweep waits for at least this many times the duration of the last one
MAX_UNACCOUNTED_SECONDS = 5.0  # after a longer gap, the machine slept or the program was stopped: events were lost
HINT_DEBOUNCE_SECONDS = 0.1  # seconds for hints to gather


class Watcher:
    """Looks after the watched folders, one step() at a time."""

    def __init__(
        self,
        journal: Journal,
        on_queued: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`on_queued` is called when this watcher or another process has put jobs in the queue."""
        self.wake_event = threading.Event()
        self._journal = journal
        self._rebuilding = journal.get_setting("rebuild") is not None
        self._on_queued = on_queued
        self._clock = clock
        self._wall_clock = wall_clock
        self._last_times = (clock(), wall_clock())
        self._wait_seconds = 0.0
        self._observer = FolderObserver(self.wake_event)
        self._folders: dict[str, WatchedFolder] = {}
        self._disabled_paths: set[str] = set()
        self._settling = Settling(SETTLE_SECONDS)
        self._drives = Drives(
            make_settling=lambda: Settling(SETTLE_SECONDS),
            make_rules=self._rules,
            sift=self._sift,
            enqueue=self._enqueue_pictures,
            apply_examination=self._apply_examination,
            wake=self.wake_event.set,
            retry_seconds=FOLDER_CHECK_SECONDS,
            rest_seconds=lambda seconds: max(POLL_INTERVAL_SECONDS, SWEEP_COST_FACTOR * seconds),
        )
        self._mounts_generation = 0
        self._reported_states: dict[str, list[Any]] | None = None

    def start(self, state_folder: Path) -> None:
        """Start listening for events in the watched folders, and for wake-ups through `state_folder`."""
        self._observer.start(state_folder, self._on_queued)

    def stop(self) -> None:
        """Stop listening."""
        self._observer.stop()

    def configure(self, folders: Iterable[Folder]) -> None:
        """Watch these folders from now on, and no others. A disabled folder is excluded from the folder around it."""
        folders = list(folders)
        enabled = {str(folder.path): folder for folder in folders if folder.enabled}
        self._disabled_paths = {str(folder.path) for folder in folders if not folder.enabled}
        for folder in self._folders.values():  # files of an inner watched folder may belong to this one now
            folder.sweep_at = 0.0
        for path, folder in list(self._folders.items()):
            if enabled.get(path) != folder.config:
                self._observer.unwatch(folder)
                del self._folders[path]
        for path, config in enabled.items():
            if path not in self._folders:
                self._folders[path] = WatchedFolder(config, self._known_recipes(config))
        recipes = {config.path: config.recipe.key() for config in enabled.values()}
        self._journal.watched_files.drop_unwatched_jobs(recipes)
        self._arrange_drives()
        self._drives.sweep_all()
        self._report_states()

    def _arrange_drives(self) -> None:
        """Find out which watched folders, or parts of them, are on drives that may not answer. Nothing is asked."""
        places.table.refresh()
        self._mounts_generation = places.table.generation
        drives: dict[str, tuple[WatchedFolder, places.Mount]] = {}
        for folder in self._folders.values():
            mount = places.find(folder.path)
            points: frozenset[tuple[str, str]] = frozenset()
            if mount is not None:
                drives[folder.path] = (folder, mount)
            elif folder.config.recursive:
                points, inside = places.mounts_below(folder.path)
                drives |= {top: (folder, drive) for top, drive in inside.items() if self._includes(folder, top)}
            if points != folder.mounts_below or (mount is not None) != (folder.path in self._drives.tops()):
                self._observer.unwatch(folder)  # what was watched is not what is there now
                folder.mounts_below, folder.sweep_at = points, 0.0
        self._drives.arrange(drives)

    def _includes(self, folder: WatchedFolder, subfolder: str) -> bool:
        return self._folder_of(subfolder) is folder and folder.descends_into(os.path.basename(subfolder))

    def _apply_examination(self, folder: WatchedFolder, identity: tuple[int, int] | None, problem: str | None) -> None:
        """Take note of what a drive has answered about a watched folder."""
        checked: dict[tuple[int, int], str] = {}
        for other in self._folders.values():
            if other is folder:
                break
            if other.identity is not None:
                checked[other.identity] = other.path
        self._observer.apply(folder, identity, problem, checked)

    def _known_recipes(self, config: Folder) -> list[str]:
        default_overrides = None if config.default_overrides is None else config.default_overrides.key()
        return self._journal.watched_files.known_recipes(config.path, config.recipe.key(), default_overrides)

    def step(self) -> float:
        """Run one round. Return the seconds until the next one is due; it is due at once when wake_event is set."""
        now, wall_time = self._clock(), self._wall_clock()
        unaccounted_seconds = max(now - self._last_times[0], wall_time - self._last_times[1]) - self._wait_seconds
        for old, new in self._observer.hints.take_renamed_folders():
            if places.find(old) is None and not os.path.lexists(old) and self._folder_of(new) is not None:
                self._journal.contents.move_folder(Path(old), Path(new))
        hinted_paths, are_hints_lost = self._observer.hints.take()
        if are_hints_lost or unaccounted_seconds > MAX_UNACCOUNTED_SECONDS:
            logger.info("Events may have been lost: nobg sweeps all watched folders")
            for folder in self._folders.values():
                folder.sweep_at = 0.0
            self._drives.sweep_all()
        places.table.refresh()
        if self._mounts_generation != places.table.generation:
            self._arrange_drives()
        identities: dict[tuple[int, int], str] = {}
        local_folders = self._local_folders()
        for folder in local_folders:
            self._observer.check(folder, identities)
            if folder.identity is not None and folder.sweep_at <= now:
                self._sweep(folder, now)
            if folder.identity is not None and not folder.config.recursive and folder.inside_due_at <= now:
                self._look_inside(folder, now)
        for path in hinted_paths:
            self._check_hint(path, now)
        self._drives.step(now)
        self._enqueue_settled(now)
        self._end_rebuild()
        self._report_states()
        times = [
            time
            for folder in local_folders
            if folder.identity is not None
            for time in (folder.sweep_at, *([] if folder.config.recursive else [folder.inside_due_at]))
        ]
        other_times = (self._settling.next_due_at(), self._drives.next_due_at())
        due = min([now + FOLDER_CHECK_SECONDS, *times, *(time for time in other_times if time is not None)])
        self._last_times = (self._clock(), self._wall_clock())
        self._wait_seconds = max(HINT_DEBOUNCE_SECONDS, due - self._last_times[0])
        return self._wait_seconds

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`, or until wake_event is set, plus a moment in which more hints can gather."""
        if self.wake_event.wait(seconds):
            time.sleep(HINT_DEBOUNCE_SECONDS)
            self.wake_event.clear()

    def _local_folders(self) -> list[WatchedFolder]:
        """Return the watched folders on this machine; the others are looked after by Drives."""
        return [folder for folder in self._folders.values() if folder.path not in self._drives.tops()]

    # Finding files

    def _sweep(self, folder: WatchedFolder, now: float) -> None:
        """Go through the whole folder, and note its new and changed files for settling."""
        started = self._clock()
        folder.directory_count, folder.sweep_problem = 0, None
        try:
            for path, status in self._new_candidates(folder, folder.path):
                self._settling.note(path, now, status)
        except NoAnswerError as error:  # a drive has just been mounted there: the next round knows it
            logger.info("%s: %s", folder.path, error)
        for directory in [path for path in folder.output_names if not os.path.isdir(path)]:
            del folder.output_names[directory]
        rest_seconds = SWEEP_COST_FACTOR * (self._clock() - started)
        interval = POLL_INTERVAL_SECONDS if folder.is_polled else SWEEP_INTERVAL_SECONDS
        folder.sweep_at = now + max(interval, rest_seconds)
        if self._observer.check_watch_limit(folder, self._folders.values()):
            folder.sweep_at = now + max(POLL_INTERVAL_SECONDS, rest_seconds)
        self._drop_failures(self._journal.failures.in_watched_folder(folder.config.path))

    def _drop_failures(self, failed: Iterable[Job]) -> None:
        """Stop counting the failures of pictures that the person has deleted or renamed."""
        for job in failed:
            if places.find(str(job.source)) is None and is_deleted(job):  # a drive may not answer
                self._journal.failures.drop(os.fsencode(job.source))

    def _look_inside(self, folder: WatchedFolder, now: float) -> None:
        """Count the pictures in sub-folders, which are not watched. Look again soon while their number changes."""
        started = self._clock()
        inside = left_out.look_inside(folder, self._rules(folder))
        interval = SWEEP_INTERVAL_SECONDS if inside == folder.inside else SETTLE_SECONDS
        folder.inside_due_at = now + max(interval, SWEEP_COST_FACTOR * (self._clock() - started))
        if inside != folder.inside:
            logger.info("%s is not recursive; it leaves %d pictures in folders inside it", folder.path, inside[0])
        folder.inside = inside

    def _new_candidates(self, folder: WatchedFolder, top: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield path and lstat of the candidates in the directory `top` whose present content has no job."""
        directories, rules = [top], self._rules(folder)
        while directories:
            directory = directories.pop()
            folder.directory_count += 1
            listing = places.ask(directory, list_folder, directory, rules)
            directories += listing.subfolders
            if listing.problem is not None:
                logger.info("%s cannot be read: %s", directory, listing.problem)
                if directory == folder.path:
                    folder.sweep_problem = f"it cannot be read: {listing.problem}."
            yield from self._sift(folder, listing)

    def _rules(self, folder: WatchedFolder) -> Rules:
        """Return which sub-folders of the watched folder belong to it."""
        return Rules(
            folder.descends_into if folder.config.recursive else _descend_nowhere,
            frozenset(self._folders) | self._disabled_paths | self._drives.tops(),
            frozenset(other.identity for other in self._folders.values() if other.identity is not None),
        )

    def _sift(self, folder: WatchedFolder, listing: Listing) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the files of the listing whose present content has no job."""
        self._note_output_names(folder, listing.path, listing.output_names, listing.stems)
        known_signatures = self._journal.watched_files.known_signatures(listing.path, folder.known_recipes)
        for path, status in listing.files:
            known = (os.fsencode(path), commit.file_signature(status)) in known_signatures
            if not known and not self._is_done_with(folder, path, status):
                yield path, status

    def _note_output_names(self, folder: WatchedFolder, directory: str, names: list[str], stems: set[str]) -> None:
        """Note which of the directory's files with names like those of cut-outs are none that nobg knows of.

        `stems`: the names of its pictures, without their extensions.
        """
        outputs = self._journal.outputs
        known = outputs.paths_in(directory) if len(names) > 1 else set()
        unknown = left_out.unknown_with_output_names(
            directory, names, stems, lambda path: path in known or outputs.is_output(os.fsencode(path))
        )
        if unknown and unknown != folder.output_names.get(directory):
            logger.info("%s: left, for a name like that of a cut-out: %s", directory, ", ".join(unknown[:3]))
        folder.output_names.pop(directory, None)
        if unknown:
            folder.output_names[directory] = unknown

    def _note_output_name(self, folder: WatchedFolder, path: str, *, exists: bool) -> None:
        """Note one file with a name like that of a cut-out, or that it is there no longer."""
        directory, name = os.path.split(path)
        others = [other for other in folder.output_names.get(directory, []) if other != name]
        if exists or len(others) < len(folder.output_names.get(directory, [])):
            self._note_output_names(folder, directory, [*others, *([name] if exists else [])], stems_in(directory))

    def count_new(self, config: Folder, all_folders: Iterable[Folder]) -> int:
        """Return how many pictures a sweep of this folder would find. For a Watcher that watches nothing itself.

        `all_folders`: every folder in the settings; those inside this one are counted for themselves.
        """
        self._disabled_paths = {str(folder.path) for folder in all_folders} - {str(config.path)}
        folder = WatchedFolder(config, self._known_recipes(config))
        return sum(1 for _ in self._new_candidates(folder, folder.path))

    def _folder_of(self, path: str) -> WatchedFolder | None:
        """Return the watched folder that `path` belongs to; of nested ones, the innermost."""
        ancestors = [path, *(str(parent) for parent in Path(path).parents)]
        nearest = next(
            (parent for parent in ancestors if parent in self._folders or parent in self._disabled_paths), ""
        )
        folder = self._folders.get(nearest)
        return folder if folder is not None and (path == folder.path or folder.covers(path)) else None

    def _check_hint(self, path: str, now: float) -> None:
        """Note the file at `path`, or the files in that directory, for settling if their present content has no job."""
        folder = self._folder_of(path)
        is_local = folder is not None and places.find(path) is None
        status = lstat(path) if is_local else None
        if folder is not None and is_local and is_named_like_output(os.path.basename(path)):
            self._note_output_name(folder, path, exists=status is not None)
            return
        if is_local and status is None:
            self._drop_failures(self._journal.failures.of(os.fsencode(path)))
        if folder is None or status is None:
            return
        if stat.S_ISDIR(status.st_mode) and not folder.config.recursive and folder.inside_due_at > now:
            folder.inside_due_at = now + SETTLE_SECONDS  # its pictures are on their way; no hints come from inside
        if stat.S_ISDIR(status.st_mode):
            if folder.config.recursive and folder.descends_into(os.path.basename(path)) and path != folder.path:
                for file_path, file_status in self._new_candidates(folder, path):
                    self._settling.note(file_path, now, file_status)
        elif (
            is_local_nonempty_file(status)
            and not self._journal.watched_files.has_job(
                os.fsencode(path), folder.known_recipes, commit.file_signature(status)
            )
            and not self._is_done_with(folder, path, status)
        ):
            self._settling.note(path, now, status)

    def _is_done_with(self, folder: WatchedFolder, path: str, status: os.stat_result) -> bool:
        """Return whether nobg wrote the file, or its job is forgotten."""
        signature, recipes = commit.file_signature(status), folder.known_recipes
        is_forgotten = self._journal.forgotten.covers(os.fsencode(path), signature, recipes)
        return is_forgotten or self._is_own_output(folder, path, signature)

    def _is_own_output(self, folder: WatchedFolder, path: str, signature: str) -> bool:
        """Return whether nobg wrote the file. After a loss of the records, its name decides as well."""
        is_named_like_output = self._rebuilding and is_output_name(os.path.basename(path), folder.config.recipe.suffix)
        return is_named_like_output or self._journal.outputs.is_output(os.fsencode(path), signature)

    # Making jobs

    def _enqueue_settled(self, now: float) -> None:
        """Put the files that have settled in the queue, those of one watched folder together."""
        settled: dict[str, list[tuple[str, os.stat_result]]] = defaultdict(list)
        for path in self._settling.due(now):
            folder = self._folder_of(path)
            status = lstat(path) if folder is not None and places.find(path) is None else None
            file_status = status if status and is_local_nonempty_file(status) else None
            if self._settling.has_settled(path, now, file_status) and folder and file_status:
                settled[folder.path].append((path, file_status))
        for folder_path, files in settled.items():
            self._enqueue_pictures(self._folders[folder_path], files)

    def _enqueue_pictures(self, folder: WatchedFolder, files: Iterable[tuple[str, os.stat_result]]) -> None:
        """Put files of a watched folder in the queue, together."""
        pictures = sorted((os.fsencode(path), status.st_dev, commit.file_signature(status)) for path, status in files)
        self._journal.enqueue(pictures, **self._enqueue_options(folder.config))
        logger.info("Queued %d from %s", len(pictures), folder.path)
        self._on_queued()

    def _enqueue_options(self, config: Folder) -> dict[str, Any]:
        """Return the request for the pictures of a folder, as keyword arguments of Journal.enqueue()."""
        output = config.recipe.output
        return {
            "recipe": config.recipe.key(),
            "subfolder": b"" if output is None else os.fsencode(output),
            "watch": os.fsencode(config.path),
            "move_to": config.move_originals,
            "adopt": self._rebuilding,
        }

    def _end_rebuild(self) -> None:
        """After a loss of the records, end the adoption of existing cut-outs once every folder has been swept."""
        is_swept = all(folder.sweep_at > 0 for folder in self._local_folders()) and self._drives.have_been_swept()
        if self._rebuilding and is_swept and not self._settling:
            self._journal.set_setting("rebuild", None)
            self._rebuilding = False
            for folder in self._folders.values():  # what only its name made an output is now judged by its content
                folder.sweep_at = 0.0
            self._drives.sweep_all()

    def _report_states(self) -> None:
        """Record the state of each folder, for `nobg status`."""
        states = {
            folder.path: [folder.state, self._problem(folder), folder.left_out] for folder in self._folders.values()
        }
        if states != self._reported_states:
            self._journal.set_setting("folders", json.dumps(states))
            self._reported_states = states

    def _problem(self, folder: WatchedFolder) -> str | None:
        if folder.is_silent:
            return NO_ANSWER
        return folder.sweep_problem or folder.problem or self._drives.problem_inside(folder)


def _descend_nowhere(_name: str) -> bool:
    return False
