"""Which cut-outs want a look, most doubtful first, and why."""

from __future__ import annotations

import time

from watcher.queue.job import Job
from watcher.queue.journal import Journal

MIN_DOUBT = 0.2


def wanting_a_look(journal: Journal) -> list[Job]:
    """Return the cut-outs that want a look: doubtful, neither accepted nor undone. The most doubtful first."""
    jobs = [job for job in journal.history() if job.state == "done" and not job.undone and job.accepted is None]
    return sorted((job for job in jobs if (job.doubt or 0) >= MIN_DOUBT), key=lambda job: -(job.doubt or 0))


def accept(job: Job, journal: Journal) -> None:
    """Remember that a person has looked at the cut-out and accepted it."""
    journal._db.execute("UPDATE jobs SET accepted = ? WHERE id = ?", (time.time(), job.id))  # noqa: SLF001


def reason(job: Job) -> str:
    """Return why the cut-out wants a look, as a sentence."""
    return f"It is doubtful ({job.doubt})."
