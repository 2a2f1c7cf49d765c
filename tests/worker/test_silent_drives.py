"""The dispatcher, with pictures, destinations and earlier cut-outs on a drive that does not answer."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.drive import StandInDrive
from tests.support.program import STAND_IN_WORKER
from watcher import commit
from watcher.errors import DestinationError
from watcher.program import control
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.recipe import Recipe
from watcher.worker import dispatch, supervisor


class Rig:
    """The queue of the resident program, with a stand-in worker; and a folder beside the drive."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 1000.0
        self.folder = tmp_path / "pictures"
        self.folder.mkdir()
        self.log = tmp_path / "worker.log"
        self.journal = Journal(tmp_path, lambda: self.now)
        self.queue = JournalQueue(self.journal, lambda: self.now)
        self.supervisor = supervisor.Supervisor()

    def request(self, *paths: Path, recipe: Recipe | None = None, **options: Any) -> None:
        """Put pictures in the queue, as a click does."""
        recipe = recipe or Recipe()
        self.journal.enqueue(
            [(os.fsencode(path), None, None) for path in paths],
            recipe=recipe.key(),
            subfolder=b"" if recipe.output is None else os.fsencode(recipe.output),
            **options,
        )

    def process(self) -> dict[str, str]:
        """Do all jobs that can be done. Return the state of each by its name."""
        return {job.source.name: job.state for job in dispatch.process_queue(self.queue, self.journal, self.supervisor)}

    def worker_inputs(self) -> list[str]:
        """Return the content of each picture that the worker got."""
        return [line for line in self.log.read_text().splitlines() if line != "started"]


@pytest.fixture
def rig(tmp_path: Path, drive: StandInDrive, monkeypatch: pytest.MonkeyPatch) -> Rig:
    del drive
    rig = Rig(tmp_path)
    command = [sys.executable, str(STAND_IN_WORKER), str(rig.log)]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    return rig


def test_a_picture_on_a_drive_that_does_not_answer_waits_and_the_others_are_done(rig: Rig, drive: StandInDrive) -> None:
    for folder in (drive.point, rig.folder):
        for name in ("a.jpg", "b.jpg"):
            (folder / name).write_text(f"ok {folder.name} {name}")
    drive.stop_answering()
    rig.request(drive.point / "a.jpg", rig.folder / "a.jpg", drive.point / "b.jpg", rig.folder / "b.jpg")
    assert rig.process() == {"a.jpg": "done", "b.jpg": "done"}
    assert rig.worker_inputs() == ["ok pictures a.jpg", "ok pictures b.jpg"]
    assert [(pause.folder, pause.reason) for pause in rig.journal.pauses()] == [(drive.point, "no_answer")]
    assert len(drive.calls) == 1
    assert not rig.queue.check_pauses()
    assert rig.process() == {}
    drive.answer_again()
    drive.wait_until_answered()
    assert rig.queue.check_pauses()
    assert rig.process() == {"a.jpg": "done", "b.jpg": "done"}
    assert len(rig.worker_inputs()) == 4
    assert rig.journal.pauses() == []


def test_a_cut_out_whose_drive_stops_answering_while_it_is_published_is_written_once(
    rig: Rig, drive: StandInDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drive.point / "a.jpg").write_text("ok a")
    publish_file = commit.publish

    def publish_to_silent_drive(*arguments: Any) -> None:
        drive.stop_answering()
        publish_file(*arguments)

    rig.request(drive.point / "a.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(commit, "publish", publish_to_silent_drive)
        assert rig.process() == {}
    assert rig.journal.counts_by_state()["queued"] == 1
    drive.answer_again()
    drive.wait_until_answered()  # the call that waited has written the file
    assert rig.queue.check_pauses()
    assert rig.process() == {"a.jpg": "done"}
    assert sorted(path.name for path in drive.point.iterdir()) == ["a.jpg", "a_nobg.png"]


def test_a_destination_on_a_drive_that_does_not_answer_holds_up_its_own_pictures_only(
    rig: Rig, drive: StandInDrive
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (rig.folder / name).write_text(f"ok {name}")
    drive.stop_answering()
    rig.request(rig.folder / "a.jpg", recipe=Recipe(output=drive.point))
    rig.request(rig.folder / "b.jpg")
    assert rig.process() == {"b.jpg": "done"}
    assert [pause.folder for pause in rig.journal.pauses()] == [drive.point]
    drive.answer_again()
    drive.wait_until_answered()
    assert rig.queue.check_pauses()
    assert rig.process() == {"a.jpg": "done"}
    assert (drive.point / "a_nobg.png").read_text() == "PNG of ok a.jpg"


def test_a_linked_picture_whose_drive_does_not_answer_waits_without_its_folder(rig: Rig, drive: StandInDrive) -> None:
    (drive.point / "a.jpg").write_text("ok a")
    (rig.folder / "a.jpg").symlink_to(drive.point / "a.jpg")
    (rig.folder / "b.jpg").write_text("ok b")
    drive.stop_answering()
    rig.request(rig.folder / "a.jpg", rig.folder / "b.jpg")
    assert rig.process() == {"b.jpg": "done"}
    assert rig.journal.pauses() == []
    drive.answer_again()
    drive.wait_until_answered()
    rig.now += 11
    assert rig.process() == {"a.jpg": "done"}


def test_a_copy_of_a_picture_on_a_drive_that_does_not_answer_is_done_anew(rig: Rig, drive: StandInDrive) -> None:
    (drive.point / "a.jpg").write_text("ok a")
    rig.request(drive.point / "a.jpg")
    assert rig.process() == {"a.jpg": "done"}
    drive.stop_answering()
    (rig.folder / "copy.jpg").write_text("ok a")
    rig.request(rig.folder / "copy.jpg")
    assert rig.process() == {"copy.jpg": "done"}
    assert (rig.folder / "copy_nobg.png").read_text() == "PNG of ok a"


def test_a_background_on_a_drive_that_does_not_answer_fails_in_words_for_a_person(
    rig: Rig, drive: StandInDrive
) -> None:
    (drive.point / "wall.jpg").write_text("wall")
    (rig.folder / "a.jpg").write_text("ok a")
    drive.stop_answering()
    rig.request(rig.folder / "a.jpg", recipe=Recipe(background=drive.point / "wall.jpg"))
    assert rig.process() == {"a.jpg": "failed"}
    (failed,) = rig.journal.failures.all()
    expected = f"the background picture {drive.point}/wall.jpg cannot be read: its drive does not answer."
    assert failed.detail == expected


@pytest.mark.usefixtures("rig")
def test_nobg_remove_does_the_other_pictures_and_names_the_drive(drive: StandInDrive, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for folder in (drive.point, tmp_path / "pictures"):
        (folder / "a.jpg").write_text(f"ok {folder.name}")
    drive.stop_answering()
    sources = [drive.point / "a.jpg", tmp_path / "pictures" / "a.jpg"]
    jobs = dispatch.run(sources, journal, recipe=Recipe(output=tmp_path))
    first = next(jobs)
    assert (first.source, first.state) == (sources[1], "done")
    with pytest.raises(DestinationError, match=f"{drive.point} does not answer"):
        next(jobs)


def test_the_drive_is_named_once_for_all_its_folders(rig: Rig, drive: StandInDrive) -> None:
    paths = [drive.point / str(number) / "a.jpg" for number in range(5)]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"ok {path.parent.name}")
    drive.stop_answering()
    rig.request(*paths)
    assert rig.process() == {}
    assert len(rig.journal.pauses()) == 5
    assert control.waiting_places(rig.journal) == [(str(drive.point), "no_answer")]


def test_an_original_is_moved_after_its_drive_answers_again(
    rig: Rig, drive: StandInDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drive.point / "a.jpg").write_text("ok a")
    move_original = JournalQueue.move_original

    def move_on_silent_drive(queue: JournalQueue, job: Job) -> Path | None:
        drive.stop_answering()
        return move_original(queue, job)

    rig.request(drive.point / "a.jpg", move_to="done")
    with monkeypatch.context() as patch:
        patch.setattr(JournalQueue, "move_original", move_on_silent_drive)
        assert rig.process() == {}
    drive.answer_again()
    drive.wait_until_answered()
    assert rig.queue.check_pauses()
    assert rig.process() == {"a.jpg": "done"}
    assert sorted(path.name for path in drive.point.rglob("*")) == ["a.jpg", "a_nobg.png", "done"]
    assert (drive.point / "done" / "a.jpg").read_text() == "ok a"
