"""Which jobs count as done: only those whose output has the edits that the content has now."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.program import STAND_IN_WORKER
from watcher.matting.touchup.edits import Edit, encode
from watcher.matting.touchup.hints import make
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.queue.touchup.edits import hash_of
from watcher.recipe import Recipe
from watcher.worker import dispatch, supervisor

STROKE = encode([Edit("keep", ((1.0, 2.0),), 5.0)])
ERASED = encode([Edit("erase", ((1.0, 2.0),), 5.0)])
CONTENT = hashlib.sha256(b"ok a").hexdigest()


class Rig:
    """A journal, and a folder with one picture, `a.jpg`, that is done by both queues."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.journal = Journal(folder.parent)
        self.folder = folder
        self.photo = folder / "a.jpg"
        self.photo.write_text("ok a")
        self.log = log

    def remove(self, path: Path | None = None, **options: object) -> Job:
        """Do the picture as `nobg remove` does."""
        (job,) = dispatch.run([path or self.photo], self.journal, **options)  # type: ignore[arg-type]
        return job

    def watch(self, name: str = "a.jpg") -> list[str]:
        """Do the picture as one of a watched folder. Return the reason, or the state, of each result."""
        path = self.folder / name
        status = path.stat()
        signature = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
        self.journal.enqueue([(os.fsencode(path), status.st_dev, signature)], watch=os.fsencode(self.folder))
        worker = supervisor.Supervisor()
        queue = JournalQueue(self.journal)
        try:
            return [job.reason or job.state for job in dispatch.process_queue(queue, self.journal, worker)]
        finally:
            worker.stop_worker()

    def outputs(self) -> dict[str, bytes]:
        """Return the cut-outs by name, without what surrounds their text."""
        return {path.name: path.read_bytes()[19:-12] for path in sorted(self.folder.glob("*_nobg*"))}

    def asked(self) -> int:
        """Return how many pictures the worker got."""
        return sum(line != "started" for line in self.log.read_text().splitlines())


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    folder, log = tmp_path / "pictures", tmp_path / "log"
    folder.mkdir()
    command = [sys.executable, str(STAND_IN_WORKER), str(log)]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    return Rig(folder, log)


def test_with_other_edits_a_picture_is_done_again_and_its_cut_out_replaced(rig: Rig) -> None:
    assert rig.remove().state == "done"
    rig.journal.edits.store(CONTENT, STROKE)
    job = rig.remove()
    assert (job.state, job.edits) == ("done", hash_of(STROKE))
    assert rig.outputs() == {"a_nobg.png": b"ok a" + STROKE.encode()}
    assert rig.remove().reason == "already_done"
    rig.journal.edits.store(CONTENT, "")
    assert rig.remove().edits == ""
    assert rig.outputs() == {"a_nobg.png": b"ok a"}
    assert [found.edits for found in rig.journal.history()] == [""]


def test_a_cut_out_that_a_person_edited_by_another_program_is_kept(rig: Rig) -> None:
    rig.remove()
    (rig.folder / "a_nobg.png").write_bytes(b"edited elsewhere")
    assert rig.remove().reason == "already_done"
    rig.journal.edits.store(CONTENT, STROKE)
    assert rig.remove().state == "done"
    assert (rig.folder / "a_nobg.png").read_bytes() == b"edited elsewhere"
    assert rig.outputs()["a_nobg-2.png"] == b"ok a" + STROKE.encode()


def test_the_cut_out_of_another_recipe_is_kept_and_gets_the_edits_when_it_is_asked_for(rig: Rig) -> None:
    white = Recipe(background="#ffffff", suffix="_nobg_white")
    rig.remove()
    rig.remove(recipe=white)
    rig.journal.edits.store(CONTENT, STROKE)
    rig.remove(recipe=white)
    assert rig.outputs() == {"a_nobg.png": b"ok a", "a_nobg_white.png": b"ok a" + STROKE.encode()}


def test_a_watched_folder_does_a_picture_again_with_other_edits_and_then_no_more(rig: Rig) -> None:
    assert rig.watch() == ["done"]
    rig.journal.edits.store(CONTENT, STROKE)
    os.utime(rig.photo)
    assert rig.watch() == ["done"]
    assert rig.outputs() == {"a_nobg.png": b"ok a" + STROKE.encode()}
    os.utime(rig.photo)
    assert rig.watch() == ["already_done"]
    (job,) = rig.journal.history()
    assert job.edits == hash_of(STROKE)


@pytest.mark.parametrize("is_moved", [False, True])
def test_the_cut_out_of_the_same_content_does_not_count_with_other_edits(rig: Rig, *, is_moved: bool) -> None:
    rig.watch()
    rig.journal.edits.store(CONTENT, STROKE)
    other = rig.folder / "other.jpg"
    rig.photo.rename(other) if is_moved else shutil.copy(rig.photo, other)
    assert rig.watch("other.jpg") == ["done"]
    assert rig.outputs()["other_nobg.png"] == b"ok a" + STROKE.encode()
    assert rig.asked() == 2
    third = rig.folder / "third.jpg"
    shutil.copy(other, third)
    assert rig.watch("third.jpg") == ["done"]  # from the known bytes
    assert rig.outputs()["third_nobg.png"] == b"ok a" + STROKE.encode()
    assert rig.asked() == 2


def test_without_edits_leaves_them_out_and_keeps_them(rig: Rig) -> None:
    rig.journal.edits.store(CONTENT, STROKE)
    rig.remove()
    job = rig.remove(with_edits=False)
    assert (job.state, job.edits, rig.outputs()) == ("done", "", {"a_nobg.png": b"ok a"})
    assert rig.remove(with_edits=False).reason == "already_done"
    assert rig.journal.edits.of(CONTENT) == STROKE
    assert rig.remove().edits == hash_of(STROKE)


def test_hints_are_kept_before_the_strokes_and_the_second_time_nothing_is_left_to_do(rig: Rig) -> None:
    rig.journal.edits.store(CONTENT, ERASED)
    box, points = make(box=(1, 2, 3, 4)), make(keep_points=[(5, 6)])
    assert rig.remove(new_hints=box).state == "done"
    assert rig.remove(new_hints=box).reason == "already_done"
    assert rig.remove().reason == "already_done"
    assert rig.remove(new_hints=points).state == "done"
    stroke = Edit("erase", ((1.0, 2.0),), 5.0)
    assert rig.journal.edits.of(CONTENT) == encode([*points, stroke])


@pytest.mark.parametrize(("edits", "state"), [(STROKE, "done"), (ERASED, "skipped"), ("", "skipped")])
def test_who_shows_what_to_keep_needs_no_clear_subject(rig: Rig, edits: str, state: str) -> None:
    rig.photo.write_text("unclear")
    rig.journal.edits.store(hashlib.sha256(b"unclear").hexdigest(), edits)
    assert rig.remove().state == state


def test_edits_that_are_none_are_left_out_and_the_log_says_so(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.journal.edits.store(CONTENT, '[{"tool": "axe"}]')
    with caplog.at_level(logging.WARNING):
        job = rig.remove()
    assert (job.state, job.edits) == ("done", "")
    assert "an edit has no known tool" in caplog.text
