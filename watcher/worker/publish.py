"""Handles the worker's answer to a task: publishes the output, or records why there is none."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from watcher import commit, places
from watcher.errors import OUT_OF_MEMORY_TEXT, DestinationError, NoAnswerError, PictureError
from watcher.formats import END_MISSING
from watcher.guard import links
from watcher.queue.job import Job
from watcher.queue.job_queue import JobQueue
from watcher.queue.journal import Journal
from watcher.recipe import parse_key
from watcher.worker import protocol
from watcher.worker.answers import Answer
from watcher.worker.cut_outs import remove_job
from watcher.worker.tasks import Task


def handle_answer(task: Task, answer: Answer, queue: JobQueue, journal: Journal) -> Job | None:
    """Publish the output, or record why there is none. Return the job; None if it waits, or is removed.

    Raises DestinationError if the journal cannot be written.
    """
    try:
        return _handle_answer(task, answer, queue, journal)
    except NoAnswerError as error:
        queue.pause_destination(task.job, error, len(answer.output))
        return None


def _handle_answer(task: Task, answer: Answer, queue: JobQueue, journal: Journal) -> Job | None:
    job = task.job
    record_fields = {"verdict": answer.verdict, "seconds": answer.seconds, "doubt": answer.doubt}
    record_fields["why"] = " ".join(answer.why)
    state, reason, detail = answer.state, answer.reason, answer.detail
    if reason == protocol.IS_CUT_OUT:
        remove_job(job, journal, "it is encoded as only nobg does it")
        return None
    is_incomplete = state == "failed" or END_MISSING in answer.notes
    if is_incomplete and queue.defer_if_not_ready(job, task.source):
        return None
    if state == "done":
        try:
            return _publish(task, answer.output, queue, journal, notes=" ".join(answer.notes), **record_fields)
        except PictureError as error:
            if error.reason == "no_permission" and queue.defer_if_unwritable(job):
                return None
            state, reason, detail = "failed", error.reason, error.detail
        except MemoryError:
            state, reason, detail = "failed", "too_large", OUT_OF_MEMORY_TEXT
        except DestinationError as error:
            if error.folder is None or isinstance(error, NoAnswerError):
                raise
            queue.pause_destination(job, error, len(answer.output))
            return None
    return journal.record(job, state=state, reason=reason, detail=detail, **record_fields)


def _publish(task: Task, output: bytes, queue: JobQueue, journal: Journal, **record_fields: Any) -> Job:
    """Record the output in the journal, then publish it under the first name that is free or that nobg may replace."""
    digest = hashlib.sha256(output).hexdigest()
    job, recipe = task.job, parse_key(task.job.recipe)
    if recipe.should_create_destination:
        _make_destination(job.destination, job.source.parent, job.named_folder)
    below = job.destination if recipe.output is not None and recipe.output.is_absolute() else job.named_folder
    for path in recipe.output_paths(job.source):
        existing_sha256 = None
        if places.exists(path):
            existing_sha256 = None if places.ask(path, path.is_symlink) else commit.sha256_of(path)
            if existing_sha256 == digest:  # whoever wrote it: nobg would write the same
                job = journal.adopt(replace(job, **record_fields), path, digest, is_own=True)
                return _finish(job, queue, journal) if job.move_to else job
            if existing_sha256 is None or not journal.outputs.may_replace(job, path, existing_sha256, digest):
                continue
        job = journal.record(job, state="active", output=path, output_hash=digest, **record_fields)
        try:
            if existing_sha256 is None:
                commit.publish(path, output, task.source.access, below)
            else:
                commit.replace(path, output, task.source.access, existing_sha256, below)
        except FileExistsError:
            if commit.sha256_of(path) != digest:  # equal: another run on this picture has just published it
                continue
        return _finish(job, queue, journal)
    raise AssertionError("there is always a next name")


def _finish(job: Job, queue: JobQueue, journal: Journal) -> Job:
    """Move the original if the request says so, and mark the job as done."""
    assert job.id is not None
    moved_to = queue.move_original(job)
    journal.finish(job.id, moved_to)
    return replace(job, state="done", moved_to=moved_to)


def _make_destination(destination: Path, source_folder: Path, named_folder: Path) -> None:
    """Create the folder for outputs, unless the folder of the originals is missing: its drive may not be plugged in.

    Raises DestinationError, and PictureError if a file is in the way.
    """
    if not places.ask(source_folder, source_folder.is_dir):
        raise DestinationError(
            f"The folder {source_folder} is gone. Check that its drive is connected.", destination, "missing"
        )
    try:
        with commit.destination_errors(destination):
            places.ask(destination, links.make_folder, destination, named_folder)
    except FileExistsError as error:
        raise PictureError(
            "no_permission", f"{destination} is not a folder. Rename it, or choose another one."
        ) from error
