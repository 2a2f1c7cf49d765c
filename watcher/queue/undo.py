"""Taking back what was done: outputs that are still as we wrote them go to the trash; nothing else is touched."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from watcher import commit
from watcher.queue.journal import Job, Journal

logger = logging.getLogger(__name__)


def undo(jobs: Iterable[Job], journal: Journal, trash: Callable[[Path], None]) -> Iterator[tuple[Job, str | None]]:
    """Take back the jobs; yields each with None, or with the reason why its output was left, in words.

    `trash` moves a file to the trash and raises OSError where it cannot.
    """
    for job in jobs:
        left = reason_to_keep(job, journal)
        if left is None:
            assert job.output is not None
            try:
                trash(job.output)
            except OSError as error:
                left = f"it could not be moved to the trash ({error}). Delete it yourself if you like."
        if left is None:
            restore_original(job, journal)
            journal.mark_undone(job)
        yield job, left


def reason_to_keep(job: Job, journal: Journal) -> str | None:
    """Why the output of `job` must not be touched; None: it is still as we wrote it."""
    if job.undone:
        return "it was taken back before."
    if job.state != "done" or job.output is None or job.output_hash is None:
        return "nothing was written for this picture."
    if not os.path.lexists(job.output):
        return "it is not there any more."
    there = None if job.output.is_symlink() else commit.sha256_of(job.output)
    if there == job.output_hash:
        ours = journal.has_written(job.moved_to or job.source, job.output, job.output_hash)
        return None if ours else "nobg's records do not show that it wrote this file."
    replaced = there is not None and journal.has_written_from_any_source(job.output, there)
    return "a newer cut-out has taken its place." if replaced else "it was changed since, so it is yours."


def restore_original(job: Job, journal: Journal) -> None:
    """The original that was moved at the person's request goes back, if its place is free."""
    if job.moved_to is None:
        return
    try:
        commit.rename_if_free(job.moved_to, job.source)
    except OSError as error:
        logger.info("%s stays at %s: %s", job.source, job.moved_to, error)
    else:
        journal.mark_moved_back(job)


def move_to_trash(path: Path) -> None:
    """The desktop's trash. Raises OSError."""
    from send2trash import send2trash

    send2trash(path)
