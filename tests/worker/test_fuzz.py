"""Hundreds of damaged files of each kind in the whole program: it keeps running, and reports each file."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, wait_for
from tests.support.fuzz import MUTATORS, mutants, seeds
from tests.support.program import Program
from watcher.errors import REASONS, describe_reason
from watcher.formats import SUFFIXES

pytestmark = pytest.mark.slow

COUNT = 200  # files of each kind


@pytest.fixture
def program(home: Path, folder: Path) -> Iterator[Program]:
    """The program with its real, jailed worker, but without neural networks, which take a thousand times as long."""
    running = Program(home, folder, worker=ROOT / "tests" / "support" / "workers" / "no_network.py")
    yield running
    running.stop(9)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_damaged_files_fail_by_name_and_the_program_keeps_running(program: Program, folder: Path) -> None:
    sound_files = seeds()
    assert sorted(sound_files) == sorted(SUFFIXES)
    for kind in sound_files:
        for number, data in enumerate(sound_files[kind]):
            (folder / f"sound-{kind}-{number}{SUFFIXES[kind][0]}").write_bytes(data)
        for number, data in enumerate(mutants(kind, COUNT, sound_files)):
            (folder / f"{kind}-{number}{SUFFIXES[kind][0]}").write_bytes(data or b"\0")
    before = hashes(folder)
    program.watch("--output", "out")
    program.start()
    wait_for(lambda: sum(program.counts().values()) >= len(before), seconds=60)
    wait_for(lambda: not program.counts()["queued"] + program.counts()["active"], seconds=600)

    assert program.process is not None
    assert program.process.poll() is None  # it is still running
    jobs = program.finished_jobs()
    assert {job.source.name for job in jobs} == set(before)
    assert hashes(folder) == before  # no original was touched, and nothing was left beside them
    outputs = {path.name for path in (folder / "out").iterdir()}
    assert outputs == {job.output.name for job in jobs if job.output is not None}  # no partial and no temporary file
    for path in (folder / "out").iterdir():
        with Image.open(path) as image:
            image.load()
    for job in jobs:
        if job.source.name.startswith("sound-"):
            assert job.state == "done", (job.source.name, job.reason, job.detail)
        elif job.state == "failed":
            assert job.reason in REASONS
            assert describe_reason(job.reason, job.detail or "").endswith(".")
    reasons = Counter((job.source.name.partition("-")[0], job.reason) for job in jobs)
    print(reasons)
    for kind in sound_files:
        assert reasons[kind, "unreadable"] + reasons[kind, "truncated"] + reasons[kind, "unsupported"] > COUNT / 10
    assert not [kind for kind, reason in reasons if reason in ("worker_died", "timeout")]


def test_every_mutator_changes_something() -> None:
    data = bytes(range(1, 256)) * 8
    for mutate in MUTATORS:
        copies = [bytearray(data) for _ in range(5)]
        for number, copy in enumerate(copies):
            mutate(copy, random.Random(number), b"other" * 99)
        assert any(bytes(copy) != data for copy in copies), mutate.__name__
