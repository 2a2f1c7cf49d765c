"""The queue of the resident program: which job may be done now, which must wait and why, when the waiting is over."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from watcher import commit, recipe
from watcher.errors import DestinationError
from watcher.queue.job_queue import find_done_job
from watcher.queue.journal import Job, Journal, Pause

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0  # seconds for which a file must not change before it is taken
FREE_SPACE_MARGIN_BYTES = 256 << 10  # bytes that must be free beyond what is needed, before a full place is tried again
PAUSE_RETRY_SECONDS = 300.0  # seconds after which a paused place is tried in any case
_UNSATISFIABLE_BYTES = 1 << 62  # what is needed where free space does not tell: a quota is used up
_RETRYABLE_REASONS = ("no_permission", "vanished", "timeout")


class JournalQueue:
    """The jobs that wait in the journal."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """The job whose turn it is, if it fits. It stays in the journal until it is started."""
        job = self._journal.next_job()
        return job if job is not None and fits(job) else None

    def start(self, job: Job) -> Job | None:
        """Count the attempt, durably, before anything can happen."""
        return self._journal.start(job)

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """The job waits again."""
        self._journal.put_back(job, delay=delay, count_attempt=count_attempt)

    def pause_destination(self, job: Job, error: DestinationError, needed_bytes: int) -> None:
        """All that belongs in this place waits; check_pauses() ends it."""
        assert error.reason is not None
        logger.warning("%s waits: %s", job.destination, error)
        made = recipe.parse(job.recipe)
        beside = error.reason == "missing" and (made.output is None or made.should_create_destination)
        if beside and not is_unplugged(job):  # deleted meanwhile: when its turn comes, its original is not there
            self._journal.put_back(job)
            return
        pause = Pause(job.source.parent if beside else job.destination, error.reason, needed_bytes, self._clock())
        if is_pause_resolved(pause):  # what the system says does not show what is wrong
            pause = replace(pause, needed_bytes=_UNSATISFIABLE_BYTES)
        self._journal.pause(pause.folder, pause.reason, pause.needed_bytes)
        self._journal.put_back(job)

    def defer_if_unwritable(self, job: Job) -> bool:
        """A folder that its permissions make read-only is one more place that can be used later."""
        if _is_writable(job.destination):
            return False
        self.pause_destination(
            job, DestinationError(f"Nothing may be written into {job.destination}.", job.destination, "read_only"), 0
        )
        return True

    def defer_if_not_ready(self, job: Job, source: commit.Source | None) -> bool:
        """Is its drive gone, or its file still changing?"""
        if source is None:
            if not is_unplugged(job):
                return False
            logger.warning("%s waits: it is not there; is the drive plugged in?", job.source.parent)
            self._journal.pause(job.source.parent, "missing")
            return True
        if job.state == "active":  # it could not be decoded: perhaps it was not all there yet
            now = _signature(job.source)
            changing = now is not None and now != source.signature
        else:
            now = source.signature
            changing = not source.is_stable or (job.watch is not None and job.signature != now)
        if changing:
            self._journal.put_back(replace(job, signature=now), delay=SETTLE_SECONDS)
        return changing

    def find_earlier_job(self, job: Job) -> Job | None:
        """The earlier job with this content, where there is nothing to do but to say so.

        A person who asks again gets an answer again; a watched folder has its picture's fate settled by the first.
        """
        before = find_done_job(job, self._journal)
        if before is not None and (before.id == job.id or not job.force):
            return before
        known = self._journal.find(
            job.source, job.source_hash, job.recipe
        ) or self._journal.find_settled_under_earlier_recipe(job)
        if known is None and job.adopt:
            return self._adopt_existing_output(job)
        if known is None or known.id == job.id:
            return None
        if known.state == "active":  # in our worker's hands; or left behind by a `nobg remove`, which starts none here
            return known if known.started_at is not None else None
        settled = known.state in ("done", "skipped", "failed") and known.reason not in _RETRYABLE_REASONS
        return known if settled and job.watch is not None and not job.force else None

    def _adopt_existing_output(self, job: Job) -> Job | None:
        """After a loss of the records: the job, done, if a cut-out is there that is newer than the picture."""
        output = next(recipe.parse(job.recipe).outputs(job.source))
        try:
            newer = output.lstat().st_mtime >= job.source.stat().st_mtime
        except OSError:
            return None
        there = commit.sha256_of(output)
        return self._journal.adopt(job, output, there) if newer and there is not None else None

    def move_original(self, job: Job) -> Path | None:
        """Move the original, where the person asked for that and it is still the one that was done."""
        if job.move_to is None or _signature(job.source) != job.signature:
            return None
        try:
            return commit.move_into(job.source, job.source.parent / job.move_to)
        except OSError as error:
            logger.warning("%s stays where it is: it could not be moved to %s (%s)", job.source, job.move_to, error)
            return None

    def check_pauses(self) -> bool:
        """End the pauses whose reason is gone. True if there was one."""
        over = [pause for pause in self._journal.pauses() if self._is_over(pause)]
        for pause in over:
            logger.info("%s can be used again", pause.folder)
            self._journal.unpause(pause.folder)
        return bool(over)

    def _is_over(self, pause: Pause) -> bool:
        if self._clock() - pause.since > PAUSE_RETRY_SECONDS:
            return True
        if pause.reason == "missing" and self._journal.has_sources_in(pause.folder):
            return _has_entries(pause.folder)  # a mount point without its drive is empty
        return pause.needed_bytes < _UNSATISFIABLE_BYTES and is_pause_resolved(pause)


def _has_entries(folder: Path) -> bool:
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False


def _is_writable(folder: Path) -> bool:
    return os.access(_nearest_existing(folder), os.W_OK | os.X_OK)


def _nearest_existing(folder: Path) -> Path:
    """The folder itself or, if it is not there yet, the nearest one above it."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists() or parent == parent.parent)


def _signature(path: Path) -> str | None:
    try:
        return commit.file_signature(path.stat())
    except OSError:
        return None


def is_unplugged(job: Job) -> bool:
    """Is the source gone together with its drive, rather than deleted?

    The nearest folder that is there lies on another device than the source did, and does not hold other files (a
    mount point without its drive is empty).
    """
    if job.device is None:
        return False
    for folder in job.source.parents:
        try:
            device, names = folder.stat().st_dev, os.listdir(folder)
        except FileNotFoundError:
            continue
        except OSError:  # the device does not answer
            return True
        return device != job.device and not (folder == job.source.parent and names)
    return True


def is_pause_resolved(pause: Pause) -> bool:
    """Is the reason of the pause gone, as far as the system can be asked?"""
    try:
        if pause.reason == "full":
            return (
                shutil.disk_usage(_nearest_existing(pause.folder)).free > pause.needed_bytes + FREE_SPACE_MARGIN_BYTES
            )
        if pause.reason == "read_only" and sys.platform != "win32":
            return _is_writable(pause.folder) and not os.statvfs(_nearest_existing(pause.folder)).f_flag & os.ST_RDONLY
        return pause.reason == "missing" and pause.folder.is_dir()
    except OSError:
        return False
