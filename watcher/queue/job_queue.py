"""The interface that every queue of jobs offers to the dispatcher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from watcher import commit
from watcher.errors import DestinationError
from watcher.queue.job import Job


class JobQueue(Protocol):
    """A source of jobs: the pictures of one `nobg remove`, or the journal of the resident program."""

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """Return the next job; None if there is none, or if `fits` refuses it for now."""

    def start(self, job: Job) -> Job | None:
        """Count an attempt, just before a worker gets the job. Return the started job, or None if it was withdrawn."""

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """Return the job to the queue. It is not taken again for at least `delay` seconds.

        `count_attempt`: the worker died, so the attempt stays counted.
        """

    def pause_destination(self, job: Job, error: DestinationError, needed_bytes: int) -> None:
        """Make the job and all others with the same destination wait.

        `error`: why nothing can be written there. `needed_bytes`: the size of the job's output.
        """

    def defer_if_unwritable(self, job: Job) -> bool:
        """Defer the job if nobg has no permission to write to its destination. Return whether it was deferred."""

    def defer_if_not_ready(self, job: Job, source: commit.Source | None) -> bool:
        """Defer the job if its source is still changing or its drive is unplugged. Return whether it was deferred.

        `source`: the source as it was read; None if it does not exist.
        """

    def find_earlier_job(self, job: Job) -> Job | None:
        """Return the earlier job that makes `job` superfluous, or None. The job's `source_hash` must be set."""

    def move_original(self, job: Job) -> Path | None:
        """After the output has been published, move the original if the request says so. Return its new path."""
