"""Which photo a person wants to touch up: the named file, or the photo from which it was cut out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from watcher import commit
from watcher.editor import strings
from watcher.errors import NoAnswerError, PictureError, UsageError
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.recipe import RecipeError, parse_key


@dataclass(frozen=True)
class Photo:
    """A photo that has been read. `recipe`: the key of the recipe of its cut-out; None if there was no request for one.

    It is that of the cut-out that a person named; else that of the newest request for the photo. `moved_from`: where
    the photo was when nobg cut it out; None if nobg has not moved it.
    """

    path: Path
    source: commit.Source
    recipe: str | None = None
    moved_from: Path | None = None

    @property
    def content(self) -> str:
        """The SHA-256 of the file."""
        return self.source.sha256


def find(path: Path, journal: Journal) -> Photo:
    """Return the photo to touch up if a person names `path`. Raises NobgError, whose message says what is missing."""
    path = Path(os.path.abspath(path))
    named: commit.Source | None = None
    error: PictureError | None = None
    try:
        named = commit.read_source(path)
    except PictureError as picture_error:
        error = picture_error
    own_job = None if named is None else _own_job(path, named.sha256, journal)
    if named is not None and own_job is not None:
        return Photo(path, named, own_job.recipe)
    makers = journal.outputs.jobs_that_made(path, None if named is None else named.sha256)
    for job in makers:
        photo = of_job(job, journal)
        if photo is not None:
            return photo
    if makers:
        raise UsageError(strings.PHOTO_GONE.format(name=path.name, path=makers[0].moved_to or makers[0].source))
    if named is not None:
        return Photo(path, named)
    assert error is not None
    for job in journal.contents.jobs_of(path):  # the original may have been moved to another folder
        photo = of_job(job, journal)
        if photo is not None:
            return photo
    raise error


def with_known_recipe(photo: Photo) -> Photo:
    """Return the photo; without its recipe if that is of another version of nobg, which knows other settings."""
    try:
        parse_key(photo.recipe or "{}")
    except RecipeError:
        return replace(photo, recipe=None)
    return photo


def _own_job(path: Path, content: str, journal: Journal) -> Job | None:
    """Return the newest job of the file itself, such as a photo that has taken the name of a cut-out has."""
    if journal.outputs.is_output_content(content):
        return None
    return next((job for job in journal.contents.jobs_of(path) if job.source_hash == content), None)


def of_job(job: Job, journal: Journal) -> Photo | None:
    """Return the photo of a job, wherever it is now; None if it is gone."""
    for path in dict.fromkeys(_places(job, journal)):
        with contextlib.suppress(PictureError, NoAnswerError):
            source = commit.read_source(path, job.listed_below)
            if source.sha256 == job.source_hash:
                return Photo(path, source, job.recipe, job.source if path == job.moved_to else None)
    return None


def _places(job: Job, journal: Journal) -> Iterator[Path]:
    """Yield where the photo of a job may be: where it was, and where its content was seen later."""
    yield job.moved_to or job.source
    yield job.source
    for other in journal.contents.with_content(job.source_hash):
        yield other.moved_to or other.source
