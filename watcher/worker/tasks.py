"""Turns a job into a task for the worker: reads its files, or finds that there is nothing to do."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from watcher import commit, places
from watcher.errors import NoAnswerError, PassingError, PictureError, reason_text
from watcher.guard.long_paths import for_system
from watcher.matting.touchup import hints
from watcher.matting.touchup.edits import EditsError, parse
from watcher.naming import numbered_names
from watcher.queue.finished_jobs import find_done_job, read_known_output, settle_with_same_content
from watcher.queue.job import Job
from watcher.queue.job_queue import JobQueue
from watcher.queue.journal import Journal
from watcher.queue.touchup.edits import hash_of
from watcher.recipe import Recipe, parse_key
from watcher.worker import protocol
from watcher.worker.answers import Answer
from watcher.worker.cut_outs import settle_cut_out

MAX_INTERRUPTIONS = 10
"""How often nobg itself may end while it has a picture before the picture fails, since it is most likely the cause."""
INTERRUPTED_TEXT = (
    f"nobg itself was ended {MAX_INTERRUPTIONS} times while it worked on this picture, perhaps because memory ran "
    "short. Close other programs, then try again."
)
BACKGROUND_RETRY_SECONDS = 60.0
"""How long a picture of a watched folder waits before nobg looks again for a missing background."""

logger = logging.getLogger(__name__)

_request_ids = itertools.count(1)


@dataclass(frozen=True)
class Task:
    """One job whose source has been read.

    `edits`: what a person did to the cut-out, as JSON; "" if nothing. `known_answer`: what an earlier task with the
    same content came to; None: the worker must be asked. `is_waiting`: the worker has such a task now, so this one must
    be prepared again after the answer.
    """

    job: Job
    source: commit.Source
    background: bytes = b""
    edits: str = ""
    known_answer: Answer | None = None
    is_waiting: bool = False
    request_id: int = field(default_factory=lambda: next(_request_ids))

    def message(self) -> tuple[protocol.Header, bytes]:
        """Return the message to the worker: header and bytes."""
        header = {
            "id": self.request_id,
            "force": self.job.force or hints.names_a_subject(parse(self.edits)),
            "recipe": self.job.recipe,
            "named": self.job.watch is None,
            "watched": self.job.watch is not None and not self.job.force,
            "first": len(self.source.data),
        }
        if self.edits:
            header["edits"] = self.edits
        return header, self.source.data + self.background if self.background else self.source.data


def prepare_task(job: Job, queue: JobQueue, journal: Journal, in_flight: Iterable[Task] = ()) -> Task | Job | None:
    """Read the source. Return a task for the worker, the finished job if nothing is left to do, or None if it waits.

    If a task `in_flight` has the same content, return a task with `is_waiting`: it will be done with the same bytes.
    """
    if job.interrupted >= MAX_INTERRUPTIONS:
        return journal.record(job, state="failed", reason="worker_died", detail=INTERRUPTED_TEXT)
    try:
        source = commit.read_source(job.source, job.listed_below)
    except PictureError as error:
        return _handle_unreadable_source(job, error, queue, journal)
    if queue.defer_if_not_ready(job, source):
        return None
    edits = _read_edits(source.sha256, queue)
    job = replace(job, source_hash=source.sha256, signature=source.signature, edits=hash_of(edits))
    earlier = queue.find_earlier_job(job)
    if earlier is not None:
        output = earlier.output
        is_done = earlier.state == "done"
        has_output = is_done and output is not None and places.ask(output, os.path.lexists, for_system(output))
        moved_to = queue.move_original(job) if has_output and not earlier.undone else None
        if earlier.id is not None and (moved_to or earlier.id == job.id):
            journal.finish(earlier.id, moved_to)  # also the job itself, if nobg ended between publishing and finishing
        journal.merge_duplicate(job, earlier)
        return replace(earlier, state="skipped", reason="already_done", watch=job.watch)  # the result of this request
    if not job.force and job.watch is not None and settle_cut_out(job, queue, journal):
        return None
    known_result = _find_known_result(job, source, queue, journal, in_flight)
    return known_result or _start_task(job, source, edits, queue, journal)


def _read_edits(source_hash: str, queue: JobQueue) -> str:
    """Return the edits to apply; "" if what the records have is no list of edits."""
    text = queue.edits_of(source_hash)
    try:
        parse(text)
    except EditsError as error:
        logger.warning("The edits of the content %s are left out: %s", source_hash, error)
        return ""
    return text


def _find_known_result(
    job: Job, source: commit.Source, queue: JobQueue, journal: Journal, in_flight: Iterable[Task]
) -> Task | Job | None:
    """Return the result that the same content had under another name; a waiting task if it has none yet; or None."""
    if job.force:
        return None
    if job.watch is None and journal.outputs.is_cut_out_under_recipe(job):
        journal.watched_files.mark_as_cut_out(job)
        return replace(job, state="skipped", reason="already_done", output=job.source)
    if any(_content(task.job) == _content(job) for task in in_flight):
        return Task(job, source, is_waiting=True)
    settled = settle_with_same_content(job, journal, queue.start)
    return None if settled is None else _finish_settled(job, settled, queue, journal)


def _content(job: Job) -> tuple[str, ...]:
    """Return what jobs have in common whose outputs are the same."""
    return job.source_hash, job.recipe, job.edits


def _finish_settled(job: Job, settled: Job, queue: JobQueue, journal: Journal) -> Job:
    """Move the original of a job that was done under another name, if the request says so. Return its result."""
    if settled.state != "done":
        return settled if settled.state == "skipped" else replace(settled, reason="already_done")
    has_output = settled.output is not None and places.exists(settled.output) and not settled.undone
    moved_to = queue.move_original(job) if has_output else None
    if moved_to is not None and settled.id is not None:
        journal.finish(settled.id, moved_to)
    return replace(settled, state="skipped", reason="already_done", watch=job.watch, moved_to=moved_to)


def _start_task(job: Job, source: commit.Source, edits: str, queue: JobQueue, journal: Journal) -> Task | Job | None:
    """Read the background, if any. Return a task for the worker, the failed job, or None if the job waits."""
    try:
        background = read_background(parse_key(job.recipe))
    except PictureError as error:
        if error.reason != "vanished" or job.watch is None:
            return journal.record(job, state="failed", reason=error.reason, detail=error.detail)
        logger.warning("%s waits: %s", job.source, error)
        queue.put_back(job, delay=BACKGROUND_RETRY_SECONDS)
        return None
    known_answer = None if job.force else _find_known_answer(job, journal)
    started = queue.start(job)
    return None if started is None else Task(started, source, background, edits, known_answer)


def _find_known_answer(job: Job, journal: Journal) -> Answer | None:
    """Return what an earlier task with the same content came to, if its cut-out still exists somewhere."""
    known = read_known_output(job, journal)
    if known is None:
        return None
    earlier, output = known
    notes, why = tuple(earlier.notes.split()), tuple(earlier.why.split())
    return Answer("done", verdict=earlier.verdict, notes=notes, output=output, doubt=earlier.doubt, why=why)


def read_background(recipe: Recipe) -> bytes:
    """Return the bytes of the recipe's background picture; empty if it names none. Raises PictureError."""
    path = recipe.background_picture
    if path is None:
        return b""
    try:
        return commit.read_source(path).data
    except PictureError as error:
        detail = f"the background picture {path} cannot be read: {reason_text(error.reason, error.detail)}"
        raise PictureError(error.reason, detail) from error
    except NoAnswerError as error:  # for a watched folder, that is as if it were not there
        detail = f"the background picture {path} cannot be read: its drive does not answer."
        raise PictureError("vanished", detail) from error


def _handle_unreadable_source(job: Job, error: PictureError, queue: JobQueue, journal: Journal) -> Job | None:
    """Return the job, done before or failed, whose source cannot be read; None if it waits for the source."""
    done = find_done_job(job, journal) if job.output is not None else None
    # nobg ended after it had moved the original and before it finished the job.
    if done is not None and done.id is not None:
        journal.finish(done.id, _find_moved_original(job))
        journal.merge_duplicate(job, done)
        return done
    if error.reason == "vanished" and queue.defer_if_not_ready(job, None):
        return None
    if isinstance(error, PassingError) and queue.defer_if_passing(job, error.detail):
        return None
    return journal.record(job, state="failed", reason=error.reason, detail=error.detail)


def _find_moved_original(job: Job) -> Path | None:
    """Return the path to which nobg has moved the original of `job`; None if there is no such file."""
    for name in numbered_names(job.source.name):
        path = job.source.parent / (job.move_to or "") / name
        if not places.exists(path):
            return None
        if commit.sha256_of(path) == job.source_hash:
            return path
    return None
