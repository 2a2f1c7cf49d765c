"""Hundreds of damaged files of each kind through the whole program: it goes on, and each is named."""

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

COUNT = 300  # files of each kind


@pytest.fixture
def patient(home: Path, folder: Path) -> Iterator[Program]:
    """The program with its real, jailed worker, but without a network, which takes a thousand times as long."""
    one = Program(home, folder, worker=ROOT / "tests" / "support" / "workers" / "no_network.py")
    yield one
    one.stop(9)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_damaged_files_fail_by_name_and_the_program_goes_on(patient: Program, folder: Path) -> None:
    sound = seeds()
    assert sorted(sound) == sorted(SUFFIXES)
    for kind in sound:
        for number, data in enumerate(sound[kind]):
            (folder / f"sound-{kind}-{number}{SUFFIXES[kind][0]}").write_bytes(data)
        for number, data in enumerate(mutants(kind, COUNT, sound)):
            (folder / f"{kind}-{number}{SUFFIXES[kind][0]}").write_bytes(data or b"\0")
    before = hashes(folder)
    patient.watch("--output", "out")
    patient.start()
    wait_for(lambda: sum(patient.counts().values()) >= len(before), seconds=60)
    wait_for(lambda: not patient.counts()["queued"] + patient.counts()["active"], seconds=600)

    assert patient.process is not None
    assert patient.process.poll() is None  # it still runs
    jobs = patient.finished_jobs()
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
    for kind in sound:
        assert reasons[kind, "unreadable"] + reasons[kind, "truncated"] + reasons[kind, "unsupported"] > COUNT / 10
    assert not [kind for kind, reason in reasons if reason in ("worker_died", "timeout")]


def test_every_mutator_changes_something() -> None:
    data = bytes(range(1, 256)) * 8
    for mutate in MUTATORS:
        changed = [bytearray(data) for _ in range(5)]
        for number, one in enumerate(changed):
            mutate(one, random.Random(number), b"other" * 99)
        assert any(bytes(one) != data for one in changed), mutate.__name__
