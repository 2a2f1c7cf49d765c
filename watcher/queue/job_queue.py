"""The interface of a queue of jobs, and the search for finished jobs that its implementations share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from watcher import commit
from watcher.errors import DestinationError
from watcher.queue.job import Job
from watcher.queue.journal import Journal


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


def find_done_job(job: Job, journal: Journal) -> Job | None:
    """Return the finished job with the source, content, recipe and model of `job`, if its output exists.

    The output counts even if a person has edited it. It does not count if nobg has since written other content to it.
    """
    earlier = journal.find(job.source, job.source_hash, job.recipe)
    if earlier is None or earlier.undone or earlier.output is None or not os.path.lexists(earlier.output):
        return None
    is_only_planned = earlier.state in ("active", "queued")
    # Another model: the person has chosen it, or it is the default of a newer nobg.
    if not is_only_planned and earlier.model != job.model:
        return None
    current_hash = commit.sha256_of(earlier.output)
    if current_hash != earlier.output_hash and (
        is_only_planned or (current_hash and journal.outputs.has_written_from_any_source(earlier.output, current_hash))
    ):
        # Either the output was planned but never published, or nobg has replaced it since: the source had other
        # content then, or another source took the name.
        return None
    return replace(earlier, state="done")  # the power may have failed between publishing and recording
