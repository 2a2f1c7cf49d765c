"""What every queue of jobs offers to the dispatcher, and the search for a job that was done before."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from watcher import commit
from watcher.errors import DestinationError
from watcher.queue.journal import Job, Journal


class JobQueue(Protocol):
    """Where jobs come from: the pictures of one `nobg remove`, or the journal of the resident program."""

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """The job whose turn it is; None if there is none, or it does not fit now."""

    def start(self, job: Job) -> Job | None:
        """The job is about to be given to a worker, and that is counted. None: it has been withdrawn."""

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """The job waits again, for `delay` seconds at least. `counted`: it saw its worker die."""

    def pause_destination(self, job: Job, error: DestinationError, needed_bytes: int) -> None:
        """Where the job's output belongs, nothing can be written now; it, and all others that belong there, wait."""

    def defer_if_unwritable(self, job: Job) -> bool:
        """Nothing may be written where its output belongs: does the job wait until something may?"""

    def defer_if_not_ready(self, job: Job, source: commit.Source | None) -> bool:
        """Is this not the time to do the job, since its file is still changing, or its drive is gone?

        Called when its source has been read, or (None) is not there. Puts it back where so.
        """

    def find_earlier_job(self, job: Job) -> Job | None:
        """The earlier job that makes this one, whose content is known by now, superfluous."""

    def move_original(self, job: Job) -> Path | None:
        """The job's output is there. Where the original has been moved to, if the person asked for that."""


def find_done_job(job: Job, journal: Journal) -> Job | None:
    """The job of this source, content, recipe and model, if its output is there, also edited; but not replaced by us
    since.
    """
    known = journal.find(job.source, job.source_hash, job.recipe)
    if known is None or known.undone or known.output is None or not os.path.lexists(known.output):
        return None
    planned = known.state in ("active", "queued")
    if not planned and known.model != job.model:  # another one has been chosen since, or come with a newer nobg
        return None
    there = commit.sha256_of(known.output)
    if there != known.output_hash and (planned or (there and journal.has_written_from_any_source(known.output, there))):
        return None  # planned, but never published; or since replaced by us: the source was another, or another took it
    return replace(known, state="done")  # published, even if the power went before that was entered
