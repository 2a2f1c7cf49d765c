"""Undo: move outputs to the trash, if they are still as nobg wrote them, and touch nothing else."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from watcher import commit, places
from watcher.errors import NoAnswerError
from watcher.queue.job import Job
from watcher.queue.journal import Journal

logger = logging.getLogger(__name__)


def undo(jobs: Iterable[Job], journal: Journal, trash: Callable[[Path], None]) -> Iterator[tuple[Job, str | None]]:
    """Undo the jobs. Yield each with None, or with a sentence that says why it was not undone.

    `trash` moves a file to the trash, or raises OSError.
    """
    for job in jobs:
        reason = reason_to_keep(job, journal)
        if reason is None:
            assert job.output is not None
            try:
                places.ask(job.output, trash, job.output)
            except NoAnswerError:
                reason = _NO_ANSWER
            except OSError as error:
                reason = _describe_trash_error(error, job.output)
        if reason is None:
            restore_original(job, journal)
            journal.mark_undone(job)
        yield job, reason


_NO_ANSWER = "its drive does not answer. Try again when it does."


def reason_to_keep(job: Job, journal: Journal) -> str | None:
    """Return a sentence that says why nobg must not touch the output of `job`; None: it is still as nobg wrote it."""
    try:
        return _reason_to_keep(job, journal)
    except NoAnswerError:
        return _NO_ANSWER


def _reason_to_keep(job: Job, journal: Journal) -> str | None:
    if job.undone:
        return "it was undone earlier."
    if job.state != "done" or job.output is None or job.output_hash is None:
        return "nothing was written for this picture."
    if not places.exists(job.output):
        return "it no longer exists."
    current_hash = None if places.ask(job.output, job.output.is_symlink) else commit.sha256_of(job.output)
    if current_hash == job.output_hash:
        is_own_output = journal.outputs.has_written(job.moved_to or job.source, job.output, job.output_hash)
        return None if is_own_output else "nobg's records do not show that it wrote this file."
    is_replaced = current_hash is not None and journal.outputs.has_written_from_any_source(job.output, current_hash)
    return "a newer cut-out has taken its place." if is_replaced else "it has been changed since nobg wrote it."


def _describe_trash_error(error: OSError, output: Path) -> str:
    """Return a sentence that says why `output` could not be moved to the trash, and what to do."""
    if not os.access(output.parent, os.W_OK) or not os.access(output, os.W_OK):
        return f"nobg is not allowed to remove files from {output.parent}. Make the folder writable, then try again."
    has_no_trash = type(error).__name__ == "TrashPermissionError" or error.errno in _NO_TRASH_ERRNOS
    if has_no_trash or "mount point" in str(error):
        return "this drive has no trash, so the cut-out stays. If you do not want it, delete it yourself."
    return f"it could not be moved to the trash ({error.strerror or error}). If you do not want it, delete it yourself."


_NO_TRASH_ERRNOS = (errno.EPERM, errno.EROFS, errno.EXDEV, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What drives answer on which no folder for the trash can be made: network drives, sticks of other systems."""


def restore_original(job: Job, journal: Journal) -> None:
    """Move the original back if nobg moved it and its old path is free."""
    if job.moved_to is None:
        return
    try:
        commit.rename_if_free(job.moved_to, job.source, job.named_folder)
    except (OSError, NoAnswerError) as error:
        logger.info("%s stays at %s: %s", job.source, job.moved_to, error)
    else:
        journal.mark_moved_back(job)


def move_to_trash(path: Path) -> None:
    """Move a file to the desktop's trash. Raises OSError."""
    from send2trash import send2trash

    try:
        send2trash(path)
    except OSError:
        raise
    except Exception as error:  # pywin32's com_error, if Windows' shell does not offer what it takes
        raise OSError(None, str(error), str(path)) from error
