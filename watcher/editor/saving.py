"""Save: the cut-out goes the way of every output, through dispatch, with the worker of the window."""

from __future__ import annotations

import time
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


def save(photo: Photo, recipe: str, journal: Journal, supervisor: Supervisor) -> Path:
    """Write the cut-out of the photo under the recipe with this key, and return its path.

    It is written even if no subject is clear: the person has looked at it. `supervisor`: its worker must have no
    request. Raises NobgError.
    """
    if commit.sha256_of(photo.path) != photo.content:
        raise NotSavedError(strings.PHOTO_CHANGED)
    queue = InMemoryQueue([Job(photo.path, recipe, force=True, asked_at=time.time())], journal)
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
