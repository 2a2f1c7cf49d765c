"""The grid of cut-outs that want a look: what the window asks about it. Which ones those are, `program.review` says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watcher import commit
from watcher.editor import saving, sources, strings
from watcher.editor.saving import NotSavedError
from watcher.editor.sources import Photo
from watcher.errors import PictureError
from watcher.matting.touchup.edits import Edit, EditsError, encode, parse
from watcher.program import review
from watcher.queue import undo as undoing
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.worker.supervisor import Supervisor

BEST = Edit("way", name="best")


class Review:
    """What a person does in the grid. Its methods take the number of a job. They raise NobgError."""

    def __init__(self, journal: Journal, trash: Callable[[Path], None] = undoing.move_to_trash) -> None:
        self._journal = journal
        self._trash = trash
        self._tried: list[int] = []

    def entries(self) -> list[dict[str, Any]]:
        """Return what the window shows of each cut-out that wants a look, the most doubtful first.

        A cut-out that has been tried again in this window stays, until the person has accepted or undone it.
        """
        jobs = {job.id: job for job in self._journal.find_jobs(self._tried) if _state(job) == "done"}
        jobs |= {job.id: job for job in review.wanting_a_look(self._journal)}
        return [_entry(job) for job in sorted(jobs.values(), key=lambda job: -(job.doubt or 0.0))]

    def entry(self, number: object) -> dict[str, Any]:
        """Return what the window shows of one cut-out, whether it still wants a look or not."""
        return _entry(self.job(number))

    def job(self, number: object) -> Job:
        """Return the job with this number."""
        jobs = self._journal.find_jobs([number]) if isinstance(number, int) else []
        if not jobs:
            raise NotSavedError(strings.NO_JOB)
        return jobs[0]

    def picture(self, number: object, which: object) -> bytes:
        """Return the file of the photo (`before`) or of its cut-out (`after`). Raises PictureError."""
        job = self.job(number)
        if which == "before":
            photo = sources.of_job(job, self._journal)
            if photo is not None:
                return photo.source.data
        elif job.output is not None:
            return commit.read_source(job.output).data
        raise PictureError("vanished")

    def photo(self, number: object) -> Photo:
        """Return the photo of a cut-out, to touch it up."""
        job = self.job(number)
        photo = sources.of_job(job, self._journal)
        if photo is None:
            name = (job.output or job.source).name
            raise NotSavedError(strings.PHOTO_GONE.format(name=name, path=job.moved_to or job.source))
        return photo

    def accept(self, number: object) -> None:
        """Remember that the person has looked at the cut-out, and that it is right."""
        review.accept(self.job(number), self._journal)

    def undo(self, number: object) -> None:
        """Move the cut-out to the trash."""
        ((_job, reason),) = undoing.undo([self.job(number)], self._journal, self._trash)
        if reason is not None:
            raise NotSavedError(reason)

    def try_best(self, number: object, supervisor: Supervisor) -> None:
        """Replace the cut-out with that of the mode `best`, which becomes the start of the photo's edits."""
        photo = self.photo(number)
        self._tried.append(self.job(number).id or 0)
        before = self._journal.edits.of(photo.content)
        others: list[Edit] = []
        with contextlib.suppress(EditsError):
            others = [edit for edit in parse(before) if edit.tool != "way"]
        self._journal.edits.store(photo.content, encode([BEST, *others]))
        try:
            saving.save(photo, photo.recipe or "{}", self._journal, supervisor)
        except BaseException:
            self._journal.edits.store(photo.content, before)
            raise


def _entry(job: Job) -> dict[str, Any]:
    why = review.reason(job)
    return {
        "id": job.id,
        "name": (job.output or job.source).name,
        "folder": str(job.source.parent),
        "why": why if why.startswith("nobg") else why[:1].upper() + why[1:],
        "doubt": job.doubt,
        "state": _state(job),
    }


def _state(job: Job) -> str:
    """Return what the window shows of a job: undone, accepted, or the state in the journal."""
    if job.undone:
        return "undone"
    return "accepted" if job.accepted is not None else job.state
