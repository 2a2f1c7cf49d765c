"""What the system cannot read now is no failure of the picture: tasks.py, dispatch.py and queue/journal_queue.py."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import STAND_IN_WORKER
from watcher import commit
from watcher.program import control
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.worker import dispatch, supervisor


class Rig:
    """The queue of the resident program, with a stand-in worker and a clock that the test advances."""

    def __init__(self, tmp_path: Path, folder: Path) -> None:
        self.now = 1000.0
        self.folder = folder
        self.journal = Journal(tmp_path, lambda: self.now)
        self.queue = JournalQueue(self.journal, lambda: self.now)

    def request(self, name: str) -> None:
        """Request a picture as the client does."""
        self.journal.enqueue([(os.fsencode(self.folder / name), None, None)])

    def process(self) -> dict[str, str]:
        """Do what can be done. Return the state of each result by the name of its source."""
        worker = supervisor.Supervisor()
        try:
            jobs = list(dispatch.process_queue(self.queue, self.journal, worker))
        finally:
            worker.stop_worker()
        return {job.source.name: job.state for job in jobs}


@pytest.fixture
def rig(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    command = [sys.executable, str(STAND_IN_WORKER), str(tmp_path / "worker.log")]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_text(f"ok {name}")
    return Rig(tmp_path, folder)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOMEM])
def test_a_picture_that_the_system_cannot_read_now_waits_and_is_named(
    number: int, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = commit._open_for_reading

    def failing_open(path: Any, *arguments: Any, **options: Any) -> int:
        if os.fspath(path) == str(rig.folder / "a.jpg"):
            raise OSError(number, os.strerror(number), path)
        return real_open(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(commit, "_open_for_reading", failing_open)
        rig.request("a.jpg")
        rig.request("b.jpg")
        assert rig.process() == {"b.jpg": "done"}
        assert rig.journal.counts_by_state()["queued"] == 1
        assert control.waiting_places(rig.journal) == [(str(rig.folder / "a.jpg"), "trouble")]
        assert rig.process() == {}  # not at once
        rig.now += 3600
        assert rig.process() == {}
        rig.now += 23.5 * 3600
        assert rig.process() == {"a.jpg": "failed"}
        (failed,) = rig.journal.failures.all()
        assert os.strerror(number) in (failed.detail or "")
        rig.request("a.jpg")  # a person asks again: it waits again
        assert rig.process() == {}
    rig.now += 10
    assert rig.process() == {"a.jpg": "done"}
    assert control.waiting_places(rig.journal) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.ENFILE])
def test_nobg_remove_does_not_wait_and_says_why(number: int, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_open(path: Any, *_arguments: Any, **_options: Any) -> int:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patch:
        patch.setattr(commit, "_open_for_reading", failing_open)
        (job,) = dispatch.run([rig.folder / "a.jpg"], rig.journal)
    assert (job.state, job.reason) == ("failed", "unreadable")
    assert os.strerror(number) in (job.detail or "")
