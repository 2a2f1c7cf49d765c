"""Save: the cut-out goes the way of every output, through dispatch, with the worker of the window."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from watcher import commit
from watcher.editor import strings
from watcher.editor.sources import Photo
from watcher.errors import NobgError, for_desktop, reason_text
from watcher.queue.job import Job
from watcher.queue.job_queue import InMemoryQueue
from watcher.queue.journal import Journal
from watcher.worker import dispatch
from watcher.worker.supervisor import Supervisor


class NotSavedError(NobgError):
    """The cut-out was not written. The message says why."""


class _MovedPhoto(InMemoryQueue):
    """The job of a photo that nobg has moved: it is read where it is, and has its output where it was."""

    def __init__(self, job: Job, moved_from: Path, journal: Journal) -> None:
        super().__init__([job], journal)
        self._moved_from, self._path = moved_from, job.source

    def start(self, job: Job) -> Job:
        """Go on under the old path: it says where the output belongs, and what the records have of it."""
        return super().start(replace(job, source=self._moved_from, moved_to=self._path))

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """Return the job to the queue, to be read again."""
        job = replace(job, source=self._path, moved_to=None)
        super().put_back(job, delay=delay, count_attempt=count_attempt)

    def move_original(self, job: Job) -> Path | None:
        """Return where the photo is: the output belongs to it."""
        return job.moved_to


def save(photo: Photo, recipe: str, journal: Journal, supervisor: Supervisor) -> Path:
    """Write the cut-out of the photo under the recipe with this key, and return its path.

    It goes where the cut-out of the photo belongs, also if nobg has moved the photo since. It is written even if no
    subject is clear: the person has looked at it. `supervisor`: its worker must have no request. Raises NobgError.
    """
    if commit.sha256_of(photo.path) != photo.content:
        raise NotSavedError(strings.PHOTO_CHANGED)
    job = Job(photo.path, recipe, force=True, asked_at=time.time())
    queue = InMemoryQueue([job], journal) if photo.moved_from is None else _MovedPhoto(job, photo.moved_from, journal)
    results = list(dispatch.process_queue(queue, journal, supervisor))
    if queue.error is not None:
        raise queue.error
    if not results:
        raise NotSavedError(strings.SAVE_FAILED.format(text=strings.PHOTO_CHANGED))
    (job,) = results
    if job.state == "done" and job.output is not None:
        return job.output
    if job.reason == "no_clear_subject":
        raise NotSavedError(strings.EVERYTHING_DROPPED)
    raise NotSavedError(strings.SAVE_FAILED.format(text=for_desktop(reason_text(job.reason or "", job.detail or ""))))
