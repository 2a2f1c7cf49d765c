"""Which cut-outs want a look by a person, why, and which of them a person has accepted."""

from __future__ import annotations

import time

from watcher import places
from watcher.errors import DOUBTS, NoAnswerError
from watcher.queue.job import Job
from watcher.queue.journal import Journal

MIN_DOUBT = 0.2
"""From this doubt on, a cut-out wants a look.

Of 217 photos, most of them harder than those of a shop, 41 (19 %) are shown. Among them are 12 of the 21 with an IoU
below 0.8, and 21 of the 42 with one below 0.9. At 0.3, it would be 24 photos with 9 of the 21, and at 0.1, 72 with 15.
"""

MAX_COUNTED = 100
"""The largest number that `count` returns: the tray asks at every change."""

_UNKNOWN = "nobg is not sure about it."


def wants_a_look(job: Job) -> bool:
    """Return whether the output of `job` wants a look, judged by the record alone."""
    is_result = job.state == "done" and not job.undone and job.output is not None
    is_seen = job.accepted is not None or job.edits != ""
    return is_result and not is_seen and job.doubt is not None and job.doubt >= MIN_DOUBT


def wanting_a_look(journal: Journal, limit: int = -1) -> list[Job]:
    """Return the jobs whose outputs want a look and exist, the most doubtful first.

    `limit`: how many jobs are looked at, by falling doubt; -1: all.
    """
    return [job for job in journal.outputs.doubtful(MIN_DOUBT, limit) if _output_exists(job)]


def count(journal: Journal) -> int:
    """Return how many outputs want a look, at most `MAX_COUNTED`."""
    return len(wanting_a_look(journal, MAX_COUNTED))


def accept(job: Job, journal: Journal) -> None:
    """Remember that a person has looked at the output of `job` and accepted it. A new result wants a new look."""
    journal.outputs.accept(job, time.time())


def reason(job: Job) -> str:
    """Return why the output of `job` wants a look, as a sentence without a capital."""
    sentences = [DOUBTS[key] for key in job.why.split() if key in DOUBTS] or [_UNKNOWN]
    return "; ".join(sentence.removesuffix(".") for sentence in sentences) + "."


def describe(job: Job) -> str:
    """Return what the history says of it: that the output wants a look, and why; what a person did to it; or ""."""
    if wants_a_look(job):
        return f"wants a look: {reason(job)}".removesuffix(".")
    if job.state != "done" or job.undone:
        return ""
    return "looked at" if job.accepted is not None else "touched up" if job.edits else ""


def _output_exists(job: Job) -> bool:
    """Return whether the output is there; not if its drive does not answer: then it cannot be looked at."""
    assert job.output is not None
    try:
        return places.exists(job.output)
    except NoAnswerError:
        return False
