"""Whether a file of a watched folder is a cut-out, of this nobg or another: its bytes decide, and then its name."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from watcher import places
from watcher.formats import SUFFIXES
from watcher.naming import is_output_name
from watcher.queue.job import Job
from watcher.queue.job_queue import JobQueue
from watcher.queue.journal import Journal
from watcher.recipe import OUTPUT_EXTENSIONS, Recipe, parse_key

RETRY_SECONDS = 2.0
"""How long a file that may be the cut-out of a waiting picture waits for it."""

logger = logging.getLogger(__name__)


def settle_cut_out(job: Job, queue: JobQueue, journal: Journal) -> bool:
    """Remove the job if its source is a cut-out; put it back if only the pictures in the queue will show that.

    Return whether the job is dealt with.
    """
    if journal.outputs.is_output_content(job.source_hash):
        remove_job(job, journal, "it has the content of a cut-out")
        return True
    if job.source.suffix.lower() not in OUTPUT_EXTENSIONS.values():
        return False
    if _may_be_output_of_waiting_picture(job, journal):
        queue.put_back(job, delay=RETRY_SECONDS)
        return True
    if _is_named_like_output_of_neighbour(job) or _is_named_after_output(job, journal):
        remove_job(job, journal, "its name says that it was made from a picture beside it")
        return True
    return False


def remove_job(job: Job, journal: Journal, why: str) -> None:
    """Remove the job of a file that is a cut-out. Nothing is done with the file until its content changes."""
    logger.info("%s is a cut-out: %s", job.source, why)
    journal.watched_files.mark_as_cut_out(job)


def _may_be_output_of_waiting_picture(job: Job, journal: Journal) -> bool:
    """Return whether the source may be the cut-out of a picture that waits: only that one's bytes will show.

    Its name is that of the picture and a suffix: that of the recipe, or any other that does not begin with a letter or
    digit, because the nobg of another computer may have made it, in a folder that both watch.
    """
    recipe, name = parse_key(job.recipe), job.source.name
    stems = {*_shorter_stems(job.source.stem), *_stem_before_suffix(name, recipe)}
    return any(journal.contents.has_waiting_picture(folder, stem) for folder in _origins(job) for stem in stems)


def _is_named_like_output_of_neighbour(job: Job) -> bool:
    """Return whether the source is named exactly as the cut-out of a picture that exists.

    Its bytes are others than those that nobg makes of that picture: another processor or model made it, or a person.
    """
    recipe = parse_key(job.recipe)
    if job.source.suffix.lower() != OUTPUT_EXTENSIONS[recipe.format]:
        return False
    folders = [*_origins(job), *(folder / job.move_to for folder in _origins(job) if job.move_to)]
    return any(
        places.exists(folder / f"{stem}{extension}")
        for stem in _stem_before_suffix(job.source.name, recipe)
        for folder in folders
        for extensions in SUFFIXES.values()
        for suffix in extensions
        for extension in (suffix, suffix.upper())
    )


def _is_named_after_output(job: Job, journal: Journal) -> bool:
    """Return whether the source has the name of an output of nobg beside it, and more: it was made from that output."""
    return any(
        journal.outputs.is_output(os.fsencode(job.source.with_name(f"{stem}{extension}")))
        for stem in _shorter_stems(job.source.stem)
        for extension in OUTPUT_EXTENSIONS.values()
    )


def _origins(job: Job) -> Iterator[Path]:
    """Yield the folders whose pictures have their cut-outs where the source is."""
    recipe, folder = parse_key(job.recipe), job.source.parent
    yield folder
    yield from (parent for parent in folder.parents if recipe.destination(parent / job.source.name) == folder)


def _stem_before_suffix(name: str, recipe: Recipe) -> list[str]:
    """Return the stem of the picture whose output has this name; an empty list if it is not the name of an output."""
    return [name.rpartition(recipe.suffix)[0]] if is_output_name(name, recipe.suffix) else []


def _shorter_stems(stem: str) -> list[str]:
    """Return what is before each character that is neither letter nor digit: `a` and `a-b` for `a-b c`."""
    return [stem[: match.start()] for match in re.finditer(r"[\W_]", stem) if match.start()]
