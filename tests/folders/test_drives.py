"""drives.py: watched folders on a drive that does not answer, and such a drive inside a watched folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.folders.conftest import Rig
from tests.support.drive import StandInDrive
from watcher.config import Folder
from watcher.errors import DESTINATION_REASONS
from watcher.folders.watch import POLL_INTERVAL_SECONDS
from watcher.queue.journal_queue import SETTLE_SECONDS

NO_ANSWER = DESTINATION_REASONS["no_answer"]


@pytest.fixture
def watch(rig: Rig, drive: StandInDrive) -> Callable[[], None]:
    """Return a function that makes the rig watch `pictures`, the drive, and `other`, in this order."""
    (drive.point.parent / "other").mkdir()
    names = ("pictures", "nas", "other")
    return lambda: rig.watcher.configure([Folder(drive.point.parent / name) for name in names])


def rounds(rig: Rig, drive: StandInDrive, seconds: float = 0.0) -> None:
    """Run the rounds in which the drive is asked and its answers are taken."""
    rig.step_after(seconds)
    for _ in range(5):
        drive.wait_until_answered()
        rig.step_after(0)


def state(rig: Rig, path: Path) -> list[str | None]:
    """Return state and problem of a watched folder, as `nobg status` gets them."""
    states: dict[str, list[str | None]] = json.loads(rig.journal.get_setting("folders") or "{}")
    return states[str(path)]


def queued(rig: Rig) -> list[str]:
    """Return the paths of the queued jobs, seen from the folder of all watched folders."""
    return sorted(str(job.source.relative_to(rig.folder.parent)) for job in rig.journal._db.select_jobs("1"))


def test_a_drive_that_does_not_answer_holds_up_no_other_watched_folder(
    rig: Rig, drive: StandInDrive, watch: Callable[[], None]
) -> None:
    for name in ("pictures", "nas", "other"):
        (drive.point.parent / name).mkdir(exist_ok=True)
        (drive.point.parent / name / "a.jpg").write_text(name)
    drive.stop_answering()
    watch()
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    assert queued(rig) == ["other/a.jpg", "pictures/a.jpg"]
    assert state(rig, drive.point) == ["does not answer", NO_ANSWER]
    assert state(rig, rig.folder)[0] != "does not answer"
    assert len(drive.calls) == 1
    drive.answer_again()
    rounds(rig, drive)
    rounds(rig, drive, SETTLE_SECONDS)
    assert state(rig, drive.point) == ["polled", None]
    assert queued(rig) == ["nas/a.jpg", "other/a.jpg", "pictures/a.jpg"]


def test_a_drive_that_stops_answering_later_pauses_and_resumes_by_itself(
    rig: Rig, drive: StandInDrive, watch: Callable[[], None]
) -> None:
    watch()
    rounds(rig, drive)
    assert state(rig, drive.point) == ["polled", None]
    drive.stop_answering()
    (drive.point / "a.jpg").write_text("x")
    rig.step_after(POLL_INTERVAL_SECONDS + 1)  # asks
    rig.step_after(1)
    assert state(rig, drive.point) == ["does not answer", NO_ANSWER]
    drive.answer_again()
    rounds(rig, drive)
    rounds(rig, drive, SETTLE_SECONDS)
    assert queued(rig) == ["nas/a.jpg"]
    rounds(rig, drive, POLL_INTERVAL_SECONDS + 1)
    rounds(rig, drive, SETTLE_SECONDS)
    assert queued(rig) == ["nas/a.jpg"]
    assert state(rig, drive.point) == ["polled", None]


def test_the_settings_can_change_while_a_drive_does_not_answer(
    rig: Rig, drive: StandInDrive, watch: Callable[[], None]
) -> None:
    drive.stop_answering()
    watch()
    rig.step_after(1)
    rig.watcher.configure([Folder(rig.folder)])
    rig.step_after(1)
    assert list(json.loads(rig.journal.get_setting("folders") or "")) == [str(rig.folder)]
    watch()
    rig.step_after(1)
    assert state(rig, drive.point)[0] == "does not answer"
    assert len(drive.calls) == 1
    rig.watcher.stop()


def test_a_silent_drive_inside_a_watched_tree_holds_up_only_itself(
    rig: Rig, drive: StandInDrive, tmp_path: Path
) -> None:
    (drive.point / "a.jpg").write_text("x")
    (drive.point / "album").mkdir()
    (drive.point / "album" / "b.jpg").write_text("x")
    rig.write("c.jpg")
    drive.stop_answering()
    rig.watcher.configure([Folder(tmp_path, recursive=True)])
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    assert queued(rig) == ["pictures/c.jpg"]
    assert state(rig, tmp_path)[1] == f"{drive.point}: {NO_ANSWER}"
    drive.answer_again()
    rounds(rig, drive)
    rounds(rig, drive, SETTLE_SECONDS)
    assert queued(rig) == ["nas/a.jpg", "nas/album/b.jpg", "pictures/c.jpg"]
    assert state(rig, tmp_path)[1] is None


def test_a_drive_that_is_mounted_inside_a_watched_tree_is_noticed_in_the_next_round(
    rig: Rig, drive: StandInDrive, tmp_path: Path
) -> None:
    drive.is_mounted = False
    rig.watcher.configure([Folder(tmp_path, recursive=True)])
    rounds(rig, drive)
    assert drive.calls == []
    drive.is_mounted = True
    (drive.point / "a.jpg").write_text("x")
    rounds(rig, drive, 3)
    rounds(rig, drive, SETTLE_SECONDS)
    assert queued(rig) == ["nas/a.jpg"]
    assert drive.calls


def test_a_drive_that_is_mounted_at_a_watched_folder_is_noticed_and_so_is_its_end(
    rig: Rig, drive: StandInDrive, watch: Callable[[], None]
) -> None:
    drive.is_mounted = False
    watch()
    rounds(rig, drive)
    assert drive.calls == []
    drive.is_mounted = True
    rounds(rig, drive, 3)
    assert drive.calls
    drive.stop_answering()
    rig.step_after(POLL_INTERVAL_SECONDS + 1)
    rig.step_after(1)
    assert state(rig, drive.point)[0] == "does not answer"
    drive.is_mounted = False  # unmounted by force
    rig.step_after(3)
    assert state(rig, drive.point)[0] != "does not answer"


def test_what_is_left_out_of_a_watched_tree_is_not_asked_if_it_is_a_drive(
    rig: Rig, drive: StandInDrive, tmp_path: Path
) -> None:
    rig.watcher.configure([Folder(tmp_path, recursive=True), Folder(drive.point, enabled=False)])
    rounds(rig, drive)
    assert drive.calls == []
    rig.watcher.configure([Folder(tmp_path, recursive=False)])
    rounds(rig, drive)
    assert drive.calls == []


def test_a_watched_drive_that_is_not_there_is_missing(rig: Rig, drive: StandInDrive) -> None:
    drive.point.rmdir()
    rig.watcher.configure([Folder(drive.point)])
    rounds(rig, drive)
    assert state(rig, drive.point) == ["missing", "it is not there."]
