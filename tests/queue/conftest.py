"""A journal with a clock that the test sets, and helpers that enqueue and start jobs."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher.queue.job import Job
from watcher.queue.journal import Journal


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(tmp_path, clock)


PHOTO = Path("/pictures/photo.jpg")
OUTPUT = Path("/pictures/photo_nobg.png")


def make_job(path: Path = PHOTO, content: str = "aa", recipe: str = "{}") -> Job:
    return Job(path, recipe, source_hash=content, model="m")


def enqueue(journal: Journal, *names: str, **request: Any) -> None:
    """Put pictures in the queue as the client does (without a signature), or as a watched folder does (watch=…)."""
    signature = "1:2:3" if "watch" in request else None
    journal.enqueue([(os.fsencode(Path(f"/pictures/{name}")), 7, signature) for name in names], **request)


def take_and_start(journal: Journal, content: str = "aa") -> Job:
    """Start the next job, with its content read."""
    next_job = journal.next_job()
    assert next_job is not None
    started = journal.start(replace(next_job, source_hash=content, signature="1:2:3", model="m"))
    assert started is not None
    return started
