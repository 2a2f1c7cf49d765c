"""The queue of the resident program: which job can be done now, which must wait and why, and when a wait is over."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from watcher import commit, places
from watcher.errors import DestinationError, NoAnswerError
from watcher.guard.long_paths import for_system
from watcher.queue.finished_jobs import RETRYABLE_REASONS, find_done_job
from watcher.queue.job import Job, Pause
from watcher.queue.journal import Journal
from watcher.recipe import parse_key

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0  # seconds for which a file must stay the same before nobg takes it
FREE_SPACE_MARGIN_BYTES = 256 << 10  # bytes that must be free beyond what is needed before a full destination is tried
NO_ANSWER_RETRY_SECONDS = 10.0  # seconds after which a job is tried again whose link leads to a silent drive
MIN_TROUBLE_DELAY_SECONDS = 5.0  # how soon a picture that the system could not read is tried again at first
MAX_TROUBLE_SECONDS = 86_400.0  # how long after the request it fails
PAUSE_RETRY_SECONDS = 300.0  # seconds after which a pause ends in any case
_UNSATISFIABLE_BYTES = 1 << 62  # needed_bytes of a pause that free space cannot end, for instance of a used-up quota


class JournalQueue:
    """The queued jobs of the journal."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """Return the next job, if it fits. It stays queued in the journal until start()."""
        job = self._journal.next_job()
        return job if job is not None and fits(job) else None

    def edits_of(self, source_hash: str) -> str:
        """Return the edits that the journal has."""
        return self._journal.edits.of(source_hash)

    def start(self, job: Job) -> Job | None:
        """Count the attempt on the disk, before a worker gets the job."""
        return self._journal.start(job)

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """Return the job to the queue."""
        self._journal.put_back(job, delay=delay, count_attempt=count_attempt)

    def pause_destination(self, job: Job, error: DestinationError, needed_bytes: int) -> None:
        """Make the job and all others with the same destination wait until check_pauses() ends the pause."""
        assert error.reason is not None
        if isinstance(error, NoAnswerError):
            self._wait_for_answer(job, error)
            return
        logger.warning("%s waits: %s", job.destination, error)
        job_recipe = parse_key(job.recipe)
        is_source_folder_missing = error.reason == "missing" and (
            job_recipe.output is None or job_recipe.should_create_destination
        )
        if is_source_folder_missing and not is_unplugged(job):  # deleted: the job fails at its next turn (`vanished`)
            self._journal.put_back(job)
            return
        folder = job.source.parent if is_source_folder_missing else job.destination
        pause = Pause(folder, error.reason, needed_bytes, self._clock())
        if is_pause_resolved(pause):  # the system shows no cause, so it cannot show its end
            pause = replace(pause, needed_bytes=_UNSATISFIABLE_BYTES)
        self._journal.pause(pause.folder, pause.reason, pause.needed_bytes)
        self._journal.put_back(job)

    def _wait_for_answer(self, job: Job, error: NoAnswerError) -> None:
        """Make the pictures of a drive that does not answer wait, and the job; it may be that of another drive."""
        logger.warning("%s waits: %s", job.source, error)
        silent = [folder for folder in {job.source.parent, job.destination} if places.does_not_answer(folder)]
        for folder in silent:
            self._journal.pause(folder, "no_answer")
        self._journal.put_back(job, delay=0.0 if silent else NO_ANSWER_RETRY_SECONDS)

    def defer_if_unwritable(self, job: Job) -> bool:
        """Defer the job if permissions forbid writing to its destination: a person may change them later."""
        if _is_writable(job.destination):
            return False
        error = DestinationError(f"nobg may not write to {job.destination}.", job.destination, "read_only")
        self.pause_destination(job, error, 0)
        return True

    def defer_if_not_ready(self, job: Job, source: commit.Source | None) -> bool:
        """Defer the job while its drive is unplugged, or for SETTLE_SECONDS if its source is still changing."""
        if source is None:
            if not is_unplugged(job):
                return False
            logger.warning("%s waits: it is not there; is the drive plugged in?", job.source.parent)
            self._journal.pause(job.source.parent, "missing")
            return True
        if job.state == "active":  # the worker could not decode it: perhaps the file was not complete yet
            signature = _signature(job.source)
            is_changing = signature is not None and signature != source.signature
        else:
            signature = source.signature
            is_changing = not source.is_stable or (job.watch is not None and job.signature != signature)
        if is_changing:
            self._journal.put_back(replace(job, signature=signature), delay=SETTLE_SECONDS)
        return is_changing

    def defer_if_passing(self, job: Job, trouble: str) -> bool:
        """Defer the job, for longer and longer, until it has waited for MAX_TROUBLE_SECONDS since it was requested."""
        age = max(0.0, self._clock() - job.asked_at)
        if age > MAX_TROUBLE_SECONDS:
            return False
        logger.warning("%s waits: %s", job.source, trouble)
        delay = min(max(MIN_TROUBLE_DELAY_SECONDS, age / 2), PAUSE_RETRY_SECONDS)
        self._journal.put_back(job, delay=delay, trouble=trouble)
        return True

    def find_earlier_job(self, job: Job) -> Job | None:
        """Return the earlier job with this content if reporting its result is all that is left to do.

        A person who requests a picture again gets a new result, unless the output still exists. For a watched folder,
        the first result is final, except for failures that may be temporary.
        """
        done_job = find_done_job(job, self._journal)
        if done_job is not None and (done_job.id == job.id or not job.force):
            return done_job
        earlier = self._journal.find(
            job.source, job.source_hash, job.recipe
        ) or self._journal.watched_files.find_settled_under_earlier_recipe(job)
        if earlier is None and job.adopt:
            return self._adopt_existing_output(job)
        if earlier is None or earlier.id == job.id:
            return None
        if earlier.state == "active":
            # If `started_at` is set, this program's worker has the job. If not, a `nobg remove` left it unfinished.
            return earlier if earlier.started_at is not None else None
        is_settled = earlier.state in ("done", "skipped", "failed") and earlier.reason not in RETRYABLE_REASONS
        is_settled &= earlier.edits == job.edits
        return earlier if is_settled and job.watch is not None and not job.force else None

    def _adopt_existing_output(self, job: Job) -> Job | None:
        """After a loss of the records, return the job as done if a cut-out exists that is newer than the picture."""
        output = next(parse_key(job.recipe).output_paths(job.source))
        try:
            written_at, taken_at = places.ask(output, output.lstat), places.ask(job.source, job.source.stat)
        except OSError:
            return None
        is_newer = written_at.st_mtime >= taken_at.st_mtime
        output_hash = commit.sha256_of(output)
        return self._journal.adopt(job, output, output_hash) if is_newer and output_hash is not None else None

    def move_original(self, job: Job) -> Path | None:
        """Move the original into the sub-folder `move_to`, if there is one and the file has not changed since.

        Return its new path; None if it stays.
        """
        if job.move_to is None or _signature(job.source) != job.signature:
            return None
        try:
            return commit.move_into(job.source, job.move_to, job.signature, job.listed_below)
        except (OSError, NoAnswerError) as error:
            logger.warning("%s stays where it is: it could not be moved to %s (%s)", job.source, job.move_to, error)
            return None

    def check_pauses(self) -> bool:
        """End the pauses whose cause is gone. Return whether any ended."""
        ended = [pause for pause in self._journal.pauses() if self._is_over(pause)]
        for pause in ended:
            logger.info("%s can be used again", pause.folder)
            self._journal.unpause(pause.folder)
        return bool(ended)

    def _is_over(self, pause: Pause) -> bool:
        if not 0 <= self._clock() - pause.since <= PAUSE_RETRY_SECONDS:  # below 0: the clock was set back
            return True
        if pause.reason == "missing" and self._journal.has_sources_in(pause.folder):
            return _has_entries(pause.folder)  # a mount point without its drive is empty
        if pause.reason == "no_answer":
            return _answers(pause.folder)
        return pause.needed_bytes < _UNSATISFIABLE_BYTES and is_pause_resolved(pause)


def _signature(path: Path) -> str | None:
    try:
        return commit.file_signature(places.ask(path, os.stat, for_system(path)))
    except OSError:
        return None


def is_unplugged(job: Job) -> bool:
    """Return whether the source is missing because its drive was unplugged, not because it was deleted.

    That is so if the nearest existing folder is not on the device that the source was on. But if that folder is
    the source's own and contains files, only the device number has changed: an unused mount point is empty.
    """
    return job.device is not None and places.ask(job.source, _is_unplugged, job)


def _is_unplugged(job: Job) -> bool:
    for folder in job.source.parents:
        try:
            device, names = folder.stat().st_dev, os.listdir(folder)
        except FileNotFoundError:
            continue
        except OSError:  # the device does not answer
            return True
        return device != job.device and not (folder == job.source.parent and names)
    return True


def is_deleted(job: Job) -> bool:
    """Return whether the source is gone for good: deleted, renamed or moved, not on a drive that is unplugged."""
    try:
        os.lstat(for_system(job.source))
    except (FileNotFoundError, NotADirectoryError):
        return not is_unplugged(job)
    except OSError:
        return False
    return False


def is_pause_resolved(pause: Pause) -> bool:
    """Return whether the cause of the pause is gone, as far as the system shows it."""
    try:
        return places.ask(pause.folder, _is_pause_resolved, pause)
    except NoAnswerError:
        return False


def _is_pause_resolved(pause: Pause) -> bool:
    try:
        if pause.reason == "full":
            free_bytes = shutil.disk_usage(_nearest_existing(pause.folder)).free
            return free_bytes > pause.needed_bytes + FREE_SPACE_MARGIN_BYTES
        if pause.reason == "read_only" and sys.platform != "win32":
            return _is_writable(pause.folder) and not os.statvfs(_nearest_existing(pause.folder)).f_flag & os.ST_RDONLY
        return pause.reason == "missing" and pause.folder.is_dir()
    except OSError:
        return False


def _is_writable(folder: Path) -> bool:
    """Return whether nobg may write to `folder` or, if it does not exist yet, create it."""
    return places.ask(folder, lambda: os.access(_nearest_existing(folder), os.W_OK | os.X_OK))


def _answers(folder: Path) -> bool:
    """Return whether the drive of `folder` answers, whatever it says."""
    try:
        places.exists(folder)
    except NoAnswerError:
        return False
    return True


def _has_entries(folder: Path) -> bool:
    """Return whether `folder` can be listed and is not empty."""
    try:
        return bool(places.ask(folder, os.listdir, folder))
    except (OSError, NoAnswerError):
        return False


def _nearest_existing(folder: Path) -> Path:
    """Return the folder itself or, if it does not exist yet, its nearest existing ancestor."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists() or parent == parent.parent)
