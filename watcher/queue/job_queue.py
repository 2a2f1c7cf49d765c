"""The interface that every queue of jobs offers to the dispatcher, and the queue of one `nobg remove`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from watcher import commit, places
from watcher.errors import DestinationError
from watcher.queue.finished_jobs import find_done_job
from watcher.queue.job import Job
from watcher.queue.journal import Journal


class JobQueue(Protocol):
    """A source of jobs: the pictures of one `nobg remove`, or the journal of the resident program."""

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """Return the next job; None if there is none, or if `fits` refuses it for now."""

    def edits_of(self, source_hash: str) -> str:
        """Return the edits to apply to the photo with this content, as JSON; "" if there are none."""

    def start(self, job: Job) -> Job | None:
        """Count an attempt, just before a worker gets the job. Return the started job, or None if it was withdrawn."""

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:
        """Return the job to the queue. It is not taken again for at least `delay` seconds.

        `count_attempt`: the worker died, or something unforeseen happened, so the attempt counts.
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

    def defer_if_passing(self, job: Job, trouble: str) -> bool:
        """Defer the job whose source the system cannot read now, unless that has lasted too long.

        `trouble`: why, as a sentence. Return whether it was deferred.
        """

    def find_earlier_job(self, job: Job) -> Job | None:
        """Return the earlier job that makes `job` superfluous, or None. The job's `source_hash` must be set."""

    def move_original(self, job: Job) -> Path | None:
        """After the output has been published, move the original if the request says so. Return its new path."""


def _unchanged(edits: str) -> str:
    return edits


class InMemoryQueue:
    """The pictures of one `nobg remove`. No job waits: if a destination cannot be written, its pictures are dropped."""

    def __init__(
        self, jobs: Iterable[Job], journal: Journal, change_edits: Callable[[str], str] | None = _unchanged
    ) -> None:
        """`change_edits`: gets the edits of each photo and returns those to keep and apply; None: apply none."""
        self._pending = deque(jobs)
        self._journal = journal
        self._change_edits = change_edits
        self._failed_destinations: set[Path] = set()
        self._previous_jobs: dict[Path, Job | None] = {}
        self.error: DestinationError | None = None
        """Why the first destination failed; None if none has failed."""

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """Return the first job, if it fits. Drop jobs whose destination has failed."""
        while self._pending and self._pending[0].destination in self._failed_destinations:
            self._pending.popleft()
        return self._pending.popleft() if self._pending and fits(self._pending[0]) else None

    def edits_of(self, source_hash: str) -> str:
        """Return the edits that the journal has, changed and kept as the request says."""
        if self._change_edits is None:
            return ""
        edits = self._change_edits(self._journal.edits.of(source_hash))
        self._journal.edits.store(source_hash, edits)
        return edits

    def start(self, job: Job) -> Job:
        """Count the attempt in memory only. Remember the journal's earlier record, for pause_destination()."""
        self._previous_jobs[job.source] = self._journal.find(job.source, job.source_hash, job.recipe)
        return replace(job, state="active", attempts=job.attempts + 1)

    def put_back(self, job: Job, *, delay: float = 0.0, count_attempt: bool = False) -> None:  # noqa: ARG002  see JobQueue
        """Return the job to the front of the queue, so that results keep their order."""
        attempts = job.attempts + count_attempt - (job.state == "active")
        self._pending.appendleft(replace(job, state="queued", attempts=attempts))

    def pause_destination(self, job: Job, error: DestinationError, needed_bytes: int) -> None:  # noqa: ARG002  see JobQueue
        """Drop the job and all others with the same destination, and restore the journal's earlier record of it."""
        if job.id is None:
            job = self._journal.find(job.source, job.source_hash, job.recipe) or job
        self._journal.discard_plan(job, self._previous_jobs.get(job.source))
        if error.reason != "no_answer" or places.does_not_answer(job.destination):
            self._failed_destinations.add(job.destination)  # otherwise it is the drive of the picture
        self.error = self.error or error

    def defer_if_unwritable(self, job: Job) -> bool:  # noqa: ARG002  see JobQueue
        """Return False: the job fails, and the person sees why."""
        return False

    def defer_if_not_ready(self, job: Job, source: commit.Source | None) -> bool:  # noqa: ARG002  see JobQueue
        """Return False: no job waits here."""
        return False

    def defer_if_passing(self, job: Job, trouble: str) -> bool:  # noqa: ARG002  see JobQueue
        """Return False: the job fails, and the person sees why."""
        return False

    def find_earlier_job(self, job: Job) -> Job | None:
        """Return the job that has done the same before, unless `job` is forced."""
        return None if job.force else find_done_job(job, self._journal)

    def move_original(self, job: Job) -> Path | None:  # noqa: ARG002  see JobQueue
        """Leave the original where it is."""
        return None
