"""Looks after watched folders on drives that may not answer, and such drives inside watched folders.

A drive is asked in a thread of its own (`places`). The rounds of the watch never wait for an answer: they ask, go on,
and take the answer in a later round, which the answer itself starts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from watcher import places
from watcher.errors import DESTINATION_REASONS
from watcher.folders.candidates import is_local_nonempty_file
from watcher.folders.listing import Listing, Rules, list_some, lstat_all
from watcher.folders.observer import examine
from watcher.folders.settle import Settling
from watcher.folders.watched_folder import WatchedFolder
from watcher.places import Mount, Question

logger = logging.getLogger(__name__)

NO_ANSWER = DESTINATION_REASONS["no_answer"]


class Drive:
    """A watched folder on a drive, or the part of one that is on a drive. `top`: that part's own folder."""

    def __init__(self, folder: WatchedFolder, top: str, mount: Mount, settling: Settling) -> None:
        self.folder = folder
        self.top = top
        self.mount = mount
        self.settling = settling
        self.sweep_at = 0.0
        self.problem: str | None = None
        self.is_silent = False
        self.question: Question | None = None
        self.asked_at = 0.0
        self.is_blocked = False  # another part of the same drive is being asked
        self.take_answer: Callable[[Any], None] = lambda _answer: None
        self.unlisted: list[str] = []  # folders that the present sweep has still to list
        self.sweep_seconds = 0.0  # how long the present sweep has taken

    @property
    def is_whole_folder(self) -> bool:
        """Whether the watched folder itself is on the drive."""
        return self.top == self.folder.path


class Drives:
    """All drives that the watched folders are on, or have in them."""

    def __init__(
        self,
        *,
        make_settling: Callable[[], Settling],
        make_rules: Callable[[WatchedFolder], Rules],
        sift: Callable[[WatchedFolder, Listing], Iterable[tuple[str, os.stat_result]]],
        enqueue: Callable[[WatchedFolder, list[tuple[str, os.stat_result]]], None],
        apply_examination: Callable[[WatchedFolder, tuple[int, int] | None, str | None], None],
        wake: Callable[[], object],
        retry_seconds: float,
        rest_seconds: Callable[[float], float],
    ) -> None:
        """The functions are those of Watcher: what it does with folders of this machine, it does here in pieces.

        `retry_seconds`: between two looks at a folder that is not there. `rest_seconds`: the time between two sweeps,
        given the duration of the last one.
        """
        self._make_settling = make_settling
        self._make_rules = make_rules
        self._sift = sift
        self._enqueue = enqueue
        self._apply_examination = apply_examination
        self._wake = wake
        self._retry_seconds = retry_seconds
        self._rest_seconds = rest_seconds
        self._drives: dict[str, Drive] = {}
        self._now = 0.0

    def arrange(self, wanted: dict[str, tuple[WatchedFolder, Mount]]) -> None:
        """Look after these drives from now on: for each part's own folder, its watched folder and its drive."""
        for top, drive in list(self._drives.items()):
            if top not in wanted or wanted[top] != (drive.folder, drive.mount):
                drive.folder.is_silent = False
                del self._drives[top]
        for top, (folder, mount) in wanted.items():
            if top not in self._drives:
                self._drives[top] = Drive(folder, top, mount, self._make_settling())

    def sweep_all(self) -> None:
        """Sweep all drives in the next round."""
        for drive in self._drives.values():
            drive.sweep_at = 0.0

    def tops(self) -> frozenset[str]:
        """Return the folders that are looked after here."""
        return frozenset(self._drives)

    def have_been_swept(self) -> bool:
        """Return whether every drive has been swept completely, and no file is settling."""
        return all(drive.sweep_at > 0 and not drive.settling and not drive.unlisted for drive in self._drives.values())

    def problem_inside(self, folder: WatchedFolder) -> str | None:
        """Return what is wrong with a drive inside the watched folder, as a sentence; None: nothing."""
        for drive in self._drives.values():
            if drive.folder is folder and not drive.is_whole_folder and (drive.is_silent or drive.problem):
                return f"{drive.top}: {NO_ANSWER if drive.is_silent else drive.problem}"
        return None

    def step(self, now: float) -> None:
        """Take the answers that have come, and ask what is due."""
        self._now = now
        for drive in sorted(self._drives.values(), key=lambda drive: drive.asked_at):  # nobody waits for ever
            self._step(drive)

    def next_due_at(self) -> float | None:
        """Return the earliest time at which step() has something to do; an answer wakes the watch by itself."""
        times: list[float] = []
        for drive in self._drives.values():
            if drive.is_blocked:
                times.append(self._now + places.ANSWER_SECONDS)
            elif drive.question is None:
                settle_time = drive.settling.next_due_at()
                times += [drive.sweep_at, *([] if settle_time is None else [settle_time])]
            elif not drive.is_silent:
                times.append(self._now + drive.question.seconds_left(places.ANSWER_SECONDS))
        return min(times, default=None)

    def _step(self, drive: Drive) -> None:
        question = drive.question
        if question is not None:
            if not question.is_answered:
                self._note_silence(drive, is_silent=question.is_overdue())
                return
            self._note_silence(drive, is_silent=False)
            drive.question = None
            drive.sweep_seconds += question.seconds
            drive.take_answer(question.result())
        if drive.unlisted:
            paths, rules = drive.unlisted, self._make_rules(drive.folder)
            self._ask(drive, lambda: list_some(paths, rules), lambda answer: self._take_listings(drive, *answer))
        elif due := drive.settling.due(self._now):
            self._ask(drive, lambda: lstat_all(due), lambda answer: self._take_statuses(drive, answer))
        elif drive.sweep_at <= self._now:
            self._ask(drive, lambda: examine(drive.top), lambda answer: self._take_examination(drive, *answer))

    def _ask(self, drive: Drive, call: Callable[[], Any], take_answer: Callable[[Any], None]) -> None:
        question = places.start_asking(drive.mount, places.FOLDERS, call, self._wake)
        drive.is_blocked = question is None
        if question is None:
            self._note_silence(drive, is_silent=places.is_silent(drive.mount))
            return
        drive.question, drive.take_answer, drive.asked_at = question, take_answer, self._now

    def _note_silence(self, drive: Drive, *, is_silent: bool) -> None:
        if is_silent != drive.is_silent:
            logger.warning("%s %s", drive.top, "does not answer" if is_silent else "answers again")
            drive.is_silent = is_silent
            if drive.is_whole_folder:
                drive.folder.is_silent = is_silent

    def _take_examination(self, drive: Drive, identity: tuple[int, int] | None, problem: str | None) -> None:
        if drive.is_whole_folder:
            self._apply_examination(drive.folder, identity, problem)
            identity = drive.folder.identity  # None also if the folder is watched under another path
        drive.problem, drive.sweep_seconds = problem, 0.0
        if identity is None:
            drive.sweep_at = self._now + self._retry_seconds
            return
        drive.folder.sweep_problem = None
        drive.unlisted = [drive.top]

    def _take_listings(self, drive: Drive, listings: list[Listing], unlisted: list[str]) -> None:
        for listing in listings:
            if listing.problem is not None and listing.path == drive.folder.path:
                drive.folder.sweep_problem = f"it cannot be read: {listing.problem}."
            for path, status in self._sift(drive.folder, listing):
                drive.settling.note(path, self._now, status)
        drive.unlisted = unlisted
        if not unlisted:
            drive.sweep_at = self._now + self._rest_seconds(drive.sweep_seconds)

    def _take_statuses(self, drive: Drive, statuses: list[tuple[str, os.stat_result | None]]) -> None:
        settled = []
        for path, status in statuses:
            file_status = status if status is not None and is_local_nonempty_file(status) else None
            if drive.settling.has_settled(path, self._now, file_status) and file_status is not None:
                settled.append((path, file_status))
        if settled:
            self._enqueue(drive.folder, settled)
