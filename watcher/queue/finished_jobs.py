"""Whether a job was done before, under this name or another, and what a power cut left between journal and file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from watcher import commit, places
from watcher.errors import NoAnswerError, PictureError
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.recipe import parse_key

RETRYABLE_REASONS = ("no_permission", "vanished", "timeout")
"""Why a picture failed, if it may succeed at the next try."""


def find_done_job(job: Job, journal: Journal) -> Job | None:
    """Return the finished job with the source, content, recipe, model and edits of `job`, if its output exists.

    The output counts even if a person has edited it. It does not count if nobg has since written other content to it.
    """
    earlier = journal.find(job.source, job.source_hash, job.recipe)
    if earlier is None or earlier.undone or earlier.output is None or not places.exists(earlier.output):
        return None
    is_only_planned = earlier.state in ("active", "queued")
    # Another model: the person has chosen it, or it is the default of a newer nobg.
    if (not is_only_planned and earlier.model != job.model) or earlier.edits != job.edits:
        return None
    current_hash = commit.sha256_of(earlier.output)
    if current_hash != earlier.output_hash and (
        is_only_planned or (current_hash and journal.outputs.has_written_from_any_source(earlier.output, current_hash))
    ):
        # Either the output was planned but never published, or nobg has replaced it since: the source had other
        # content then, or another source took the name.
        return None
    return replace(earlier, state="done")  # the power may have failed between publishing and recording


def settle_with_same_content(job: Job, journal: Journal, start: Callable[[Job], Job | None]) -> Job | None:
    """Settle `job` with a finished job of the same content under another name or in another place, if there is one.

    It is done if the cut-out lies beside it: the picture was renamed, moved or copied together with its cut-out, or is
    reached by another path. What is settled for a watched folder stays settled if the picture moves inside it.

    `start`: the method of the job's queue. Return the finished job; None if there is none, or `job` was withdrawn.
    """
    for earlier in journal.contents.find_finished(job):
        try:
            is_moved = not places.exists(earlier.moved_to or earlier.source)
        except NoAnswerError:  # on a drive that does not answer, it is as if nobg had not done it
            continue
        is_same_request = (earlier.recipe, earlier.model) == (job.recipe, job.model)
        if earlier.edits != job.edits or (not is_same_request and not (is_moved and job.watch is not None)):
            continue
        if earlier.state == "done" and earlier.output_hash is not None:
            output = _find_output_beside(job, earlier, journal, is_moved=is_moved)
            if output is not None and is_moved:
                return journal.contents.move(earlier, job, output)
            if output is not None:
                started = start(job)
                return started and journal.adopt(
                    replace(started, doubt=earlier.doubt, why=earlier.why), output, earlier.output_hash, is_own=True
                )
        if job.watch is not None and is_moved and earlier.watch == job.watch and _is_settled_without_output(earlier):
            output = earlier.output and parse_key(earlier.recipe).destination(job.source) / earlier.output.name
            return journal.contents.move(earlier, job, output)
        if job.watch is not None and earlier.state == "skipped":
            started = start(job)
            result = {name: getattr(earlier, name) for name in ("reason", "verdict", "doubt", "why")}
            return started and journal.record(started, state="skipped", **result)
    return None


def _find_output_beside(job: Job, earlier: Job, journal: Journal, *, is_moved: bool) -> Path | None:
    """Return the path of the cut-out of `earlier` if it is where that of `job` belongs, else None."""
    recipe = parse_key(earlier.recipe)
    assert earlier.output is not None
    for path in recipe.output_paths(job.source):
        if not places.exists(path):
            break
        if not _is_link(path) and commit.sha256_of(path) == earlier.output_hash:
            return path
    path = recipe.destination(job.source) / earlier.output.name
    if not is_moved or _is_link(path) or (current_hash := commit.sha256_of(path)) is None:
        return None
    if current_hash == earlier.output_hash:  # the picture alone has another name
        return path
    # A person has edited the cut-out, and has then moved it together with the picture.
    has_moved_along = path == earlier.output or not places.exists(earlier.output)
    return path if has_moved_along and not journal.outputs.is_output_content(current_hash) else None


def _is_settled_without_output(job: Job) -> bool:
    """Return whether the result of `job` is final for a watched folder, and needs no file."""
    if job.state == "done":
        return job.output is None or not places.exists(job.output)
    return job.reason not in RETRYABLE_REASONS


def _is_link(path: Path) -> bool:
    return places.ask(path, path.is_symlink)


def read_known_output(job: Job, journal: Journal) -> tuple[Job, bytes] | None:
    """Return a finished job of the same content, recipe, model and edits, and its cut-out's bytes, if any are left."""
    for earlier in journal.contents.find_finished(job):
        is_same_request = (earlier.recipe, earlier.model, earlier.edits) == (job.recipe, job.model, job.edits)
        if is_same_request and earlier.state == "done" and earlier.output_hash is not None:
            for path in _paths_with_content(earlier, journal):
                try:
                    output = commit.read_source(path)
                except (PictureError, NoAnswerError):
                    continue
                if output.sha256 == earlier.output_hash:
                    return earlier, output.data
    return None


def _paths_with_content(job: Job, journal: Journal) -> Iterator[Path]:
    """Yield the paths where the output of `job` may be: as nobg wrote it, or as the loser of a sync conflict."""
    assert job.output is not None
    assert job.output_hash is not None
    yield job.output
    yield from (path for path in journal.outputs.paths_with(job.output_hash) if path != job.output)
    try:
        names = places.ask(job.output, os.listdir, job.output.parent)
    except (OSError, NoAnswerError):
        return
    for name in sorted(names):
        if name.startswith(job.output.stem) and name.endswith(job.output.suffix) and name != job.output.name:
            yield job.output.parent / name
