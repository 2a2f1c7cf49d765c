"""journal_queue.py: which job can be done now, which must wait, and which was done before."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.outputs import stand_in_output
from watcher import commit
from watcher.errors import OUT_OF_MEMORY_TEXT, DestinationError
from watcher.queue import journal_queue
from watcher.queue.job import Job, Pause
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import (
    FREE_SPACE_MARGIN_BYTES,
    PAUSE_RETRY_SECONDS,
    SETTLE_SECONDS,
    JournalQueue,
    is_pause_resolved,
    is_unplugged,
)
from watcher.recipe import Recipe
from watcher.worker import dispatch, publish
from watcher.worker.supervisor import Supervisor


class Rig:
    """A journal, its queue, a folder with the picture a.jpg, and a clock that the test advances."""

    def __init__(self, tmp_path: Path, folder: Path) -> None:
        self.now = 1000.0
        self.folder = folder
        self.journal = Journal(tmp_path, lambda: self.now)
        self.queue = JournalQueue(self.journal, lambda: self.now)

    def write(self, content: str = "x") -> Path:
        """Write the picture."""
        path = self.folder / "a.jpg"
        path.write_text(content)
        return path

    def request(self, **options: Any) -> Job:
        """Put the picture in the queue, and take its job."""
        path = self.folder / "a.jpg"
        signature = commit.read_source(path).signature if "watch" in options and path.exists() else None
        device = self.folder.stat().st_dev
        self.journal.enqueue([(os.fsencode(path), device, signature)], **options)
        job = self.queue.take(lambda _job: True)
        assert job is not None
        return job

    def read(self, job: Job) -> Job:
        """Return the job with its content read."""
        source = commit.read_source(job.source)
        return replace(job, source_hash=source.sha256, signature=source.signature, model="m")

    def finish(self, job: Job, **result: Any) -> Job:
        """Start the job and record its result."""
        started = self.queue.start(self.read(job))
        assert started is not None
        return self.journal.record(started, **result)


@pytest.fixture
def rig(tmp_path: Path, folder: Path) -> Rig:
    return Rig(tmp_path, folder)


def watched(rig: Rig) -> dict[str, bytes]:
    """Return the options of a request by the watched folder."""
    return {"watch": os.fsencode(rig.folder)}


def finish_with_output(rig: Rig, content: str = "PNG") -> Job:
    """Finish the job of the picture, with an output."""
    output = rig.folder / "a_nobg.png"
    output.write_text(content)
    output_hash = commit.sha256_of(output)
    return rig.finish(rig.request(), state="done", output=output, output_hash=output_hash)


def publish_without_recording(rig: Rig, **options: Any) -> Job:
    """Publish the output as if the power failed before the journal could record it: only the plan is in the journal."""
    output = rig.folder / "a_nobg.png"
    output.write_text("PNG")
    return rig.finish(rig.request(**options), state="active", output=output, output_hash=commit.sha256_of(output))


def test_a_job_with_an_existing_output_counts_as_done_for_persons_and_folders(rig: Rig) -> None:
    rig.write()
    first = finish_with_output(rig)
    for options in ({}, watched(rig)):
        earlier = rig.queue.find_earlier_job(
            rig.read(rig.request(**options)) if not options else replace(first, id=99, watch=rig.folder)
        )
        assert earlier is not None
        assert (earlier.id, earlier.state) == (first.id, "done")


def test_a_deleted_output_is_made_again_for_a_person_but_not_for_a_folder(rig: Rig) -> None:
    rig.write()
    first = finish_with_output(rig)
    (rig.folder / "a_nobg.png").unlink()
    assert rig.queue.find_earlier_job(rig.read(rig.request())) is None
    by_folder = replace(first, id=99, watch=rig.folder)
    earlier = rig.queue.find_earlier_job(by_folder)
    assert earlier is not None
    assert earlier.id == first.id


@pytest.mark.parametrize(("reason", "again"), [("unreadable", False), ("truncated", False), ("no_permission", True)])
def test_a_folder_tries_again_only_what_may_have_changed(rig: Rig, reason: str, again: bool) -> None:
    rig.write()
    first = rig.finish(rig.request(), state="failed", reason=reason)
    assert (rig.queue.find_earlier_job(replace(first, id=99, watch=rig.folder)) is None) == again
    assert rig.queue.find_earlier_job(replace(first, id=99)) is None  # a person who requests it again gets a new result


def test_a_watched_folder_does_each_content_once_even_if_the_default_recipe_changes(rig: Rig) -> None:
    """A file that gets another date, for instance from a backup, is read again."""
    rig.write()
    rig.journal.watched_files.known_recipes(rig.folder, "{}", "{}")
    first = finish_with_output(rig)
    white = Recipe(background="#ffffff").key()
    rig.journal.watched_files.known_recipes(rig.folder, white, "{}")
    os.utime(rig.folder / "a.jpg", (0, 0))
    job = rig.read(rig.request(**watched(rig), recipe=white))
    earlier = rig.queue.find_earlier_job(job)
    assert earlier is not None
    assert earlier.id == first.id
    rig.journal.merge_duplicate(job, earlier)
    assert rig.journal.watched_files.has_job(os.fsencode(job.source), ["{}"], str(job.signature))
    assert rig.queue.find_earlier_job(rig.read(rig.request(recipe=white))) is None  # a person gets a new result


def test_force_redoes_a_picture(rig: Rig) -> None:
    rig.write()
    finish_with_output(rig)
    assert rig.queue.find_earlier_job(rig.read(rig.request(force=True))) is None


def test_a_job_that_the_worker_has_is_not_started_a_second_time(rig: Rig) -> None:
    rig.write()
    started = rig.queue.start(rig.read(rig.request()))
    assert started is not None
    earlier = rig.queue.find_earlier_job(rig.read(rig.request()))
    assert earlier is not None
    assert earlier.id == started.id


def test_a_published_output_is_recognised_after_a_power_cut_even_if_it_was_forced(rig: Rig) -> None:
    rig.write()
    planned = publish_without_recording(rig, force=True)
    rig.journal.recover()
    job = rig.queue.take(lambda _job: True)
    assert job is not None
    earlier = rig.queue.find_earlier_job(rig.read(job))
    assert earlier is not None
    assert (earlier.id, earlier.state) == (planned.id, "done")


@pytest.mark.parametrize(("newer", "adopted"), [(5, True), (-5, False)])
def test_after_a_loss_of_the_records_a_newer_cut_out_counts_but_not_as_nobgs_own(
    rig: Rig, newer: int, adopted: bool
) -> None:
    source = rig.write()
    output = rig.folder / "a_nobg.png"
    output.write_text("PNG")
    os.utime(output, (source.stat().st_mtime + newer,) * 2)
    earlier = rig.queue.find_earlier_job(rig.read(rig.request(adopt=True, **watched(rig))))
    assert (earlier is not None) == adopted
    if earlier is not None:
        assert (earlier.state, earlier.output) == ("done", output)
        assert not rig.journal.outputs.has_written(source, output, earlier.output_hash or "")


def test_a_file_that_has_changed_since_it_settled_waits_until_it_has_settled_again(rig: Rig) -> None:
    rig.write("begin")
    job = rig.request(**watched(rig))
    rig.write("begin and more")
    assert rig.queue.defer_if_not_ready(job, commit.read_source(job.source))
    assert rig.journal.next_job() is None
    rig.now += SETTLE_SECONDS
    again = rig.journal.next_job()
    assert again is not None
    assert not rig.queue.defer_if_not_ready(again, commit.read_source(again.source))


def test_a_person_need_not_wait_for_a_file_that_was_just_saved(rig: Rig) -> None:
    rig.write()
    job = rig.request()
    assert not rig.queue.defer_if_not_ready(job, commit.read_source(job.source))


def test_a_truncated_picture_that_is_still_changing_waits(rig: Rig) -> None:
    rig.write("begin")
    job = rig.request()
    source = commit.read_source(job.source)
    started = rig.queue.start(rig.read(job))
    assert started is not None
    assert not rig.queue.defer_if_not_ready(started, source)  # it has not changed, so it is truncated
    rig.write("begin and more")
    assert rig.queue.defer_if_not_ready(started, source)
    assert rig.journal.counts_by_state()["queued"] == 1


def test_a_file_that_changes_while_it_is_read_waits(rig: Rig) -> None:
    rig.write()
    job = rig.request()
    assert rig.queue.defer_if_not_ready(job, replace(commit.read_source(job.source), is_stable=False))


def test_deleted_and_unplugged_are_told_apart(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    gone, empty, full = tmp_path / "gone" / "a.jpg", tmp_path / "empty" / "a.jpg", tmp_path / "full" / "a.jpg"
    empty.parent.mkdir()
    full.parent.mkdir()
    (full.parent / "other.jpg").touch()
    for path in (gone, empty, full):
        assert not is_unplugged(Job(path, device=device))
        assert not is_unplugged(Job(path))
    assert is_unplugged(Job(gone, device=device + 1))
    assert is_unplugged(Job(empty, device=device + 1))  # a mount point without its drive
    assert not is_unplugged(Job(full, device=device + 1))  # the number changed with a restart of the machine


def test_the_pictures_of_an_unplugged_drive_wait_until_one_of_them_is_back(rig: Rig) -> None:
    job = rig.request()
    elsewhere = replace(job, device=(job.device or 0) + 1)
    assert rig.queue.defer_if_not_ready(elsewhere, None)
    assert rig.journal.next_job() is None
    assert not rig.queue.check_pauses()
    rig.write()
    assert rig.queue.check_pauses()
    assert rig.journal.next_job() is not None


def test_pictures_wait_for_a_folder_that_permissions_make_read_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.write()
    job = rig.request()
    assert not rig.queue.defer_if_unwritable(job)  # the folder is writable: perhaps its file system refuses the name
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        assert rig.queue.defer_if_unwritable(job)
        assert rig.journal.next_job() is None
        assert not rig.queue.check_pauses()
    assert rig.queue.check_pauses()
    assert rig.journal.next_job() is not None


def test_a_full_destination_is_tried_again_when_there_is_room(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    free_bytes = 0

    class Usage:
        """The usage of a disk."""

        @property
        def free(self) -> int:
            """Return the number of bytes that the test sets."""
            return free_bytes

    monkeypatch.setattr(journal_queue.shutil, "disk_usage", lambda _path: Usage())  # type: ignore[attr-defined]
    rig.write()
    job = rig.request()
    rig.queue.pause_destination(job, DestinationError("full", rig.folder, "full"), needed_bytes=1000)
    free_bytes = 1000
    assert not rig.queue.check_pauses()
    free_bytes = 1001 + FREE_SPACE_MARGIN_BYTES
    assert rig.queue.check_pauses()
    rig.queue.pause_destination(
        job, DestinationError("a quota", rig.folder, "full"), needed_bytes=1000
    )  # though there is room
    assert not rig.queue.check_pauses()
    rig.now += PAUSE_RETRY_SECONDS + 1
    assert rig.queue.check_pauses()


@pytest.mark.parametrize("output", ["cut", "a/b", "../cut", "/elsewhere/cut"])
def test_an_unwritable_destination_holds_back_its_own_pictures_wherever_it_is(rig: Rig, output: str) -> None:
    rig.write()
    job = rig.request(recipe=Recipe(Path(output)).key(), subfolder=os.fsencode(output), **watched(rig))
    rig.queue.pause_destination(job, DestinationError("read-only", rig.folder.parent, "read_only"), needed_bytes=0)
    assert rig.journal.next_job() is None
    assert rig.journal.counts_by_state()["queued"] == 1


def test_a_deleted_folder_makes_no_job_wait(rig: Rig) -> None:
    rig.write()
    job = rig.request()
    rig.queue.pause_destination(job, DestinationError("gone", rig.folder, "missing"), needed_bytes=0)
    assert rig.journal.pauses() == []
    rig.queue.pause_destination(
        replace(job, device=(job.device or 0) + 1), DestinationError("gone", rig.folder, "missing"), needed_bytes=0
    )
    assert rig.journal.pauses() == []  # it contains other files, so it is no mount point
    (rig.folder / "a.jpg").unlink()
    rig.queue.pause_destination(
        replace(job, device=(job.device or 0) + 1), DestinationError("gone", rig.folder, "missing"), needed_bytes=0
    )
    assert [pause.folder for pause in rig.journal.pauses()] == [rig.folder]


@pytest.mark.parametrize("result", [{"state": "failed", "reason": "unreadable"}, {"state": "done", "undone": True}])
def test_the_original_of_a_job_that_is_not_done_stays(rig: Rig, result: dict[str, Any]) -> None:
    source = rig.write()
    first = finish_with_output(rig)
    if result["state"] == "done":
        result |= {"output": first.output, "output_hash": first.output_hash}
    rig.journal.record(first, **result)
    os.utime(source, (1, 1))
    rig.request(move_to="done", **watched(rig))
    list(dispatch.process_queue(rig.queue, rig.journal, Supervisor()))
    assert source.exists()


def test_a_sub_folder_is_not_created_if_the_folder_of_the_originals_is_gone(rig: Rig) -> None:
    with pytest.raises(DestinationError):
        publish._make_destination(rig.folder / "gone" / "cut", rig.folder / "gone", rig.folder / "gone")
    assert not (rig.folder / "gone").exists()


def test_a_job_whose_source_does_not_fit_into_memory_fails_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.write()
    rig.request()

    def no_memory(path: Path, *_: Any) -> None:
        raise MemoryError(path)

    monkeypatch.setattr(commit, "read_source", no_memory)
    (failed,) = dispatch.process_queue(rig.queue, rig.journal, Supervisor())
    assert (failed.state, failed.reason, failed.detail) == ("failed", "too_large", OUT_OF_MEMORY_TEXT)


def test_after_a_power_cut_between_publishing_and_moving_the_original_is_moved(rig: Rig) -> None:
    source = rig.write()
    publish_without_recording(rig, move_to="done", **watched(rig))
    rig.journal.recover()
    (skipped,) = dispatch.process_queue(rig.queue, rig.journal, Supervisor())
    assert skipped.reason == "already_done"
    assert not source.exists()
    (job,) = rig.journal.history()
    assert (job.state, job.moved_to) == ("done", rig.folder / "done" / "a.jpg")


def test_after_a_power_cut_between_moving_and_recording_the_original_is_found(rig: Rig) -> None:
    source = rig.write()
    publish_without_recording(rig, move_to="done", **watched(rig))
    (rig.folder / "done").mkdir()
    (rig.folder / "done" / "a.jpg").write_text("another of this name")
    source.rename(rig.folder / "done" / "a-2.jpg")
    rig.journal.recover()
    assert [job.state for job in dispatch.process_queue(rig.queue, rig.journal, Supervisor())] == ["done"]
    (job,) = rig.journal.history()
    assert job.moved_to == rig.folder / "done" / "a-2.jpg"


def test_a_picture_whose_output_another_one_has_replaced_counts_as_not_done(rig: Rig) -> None:
    """a.jpg was done; then a.png got the name a_nobg.png."""
    rig.write()
    first = finish_with_output(rig)
    other = Job(rig.folder / "a.png", source_hash="b", model="m")
    (rig.folder / "a_nobg.png").write_bytes(stand_in_output("a.png"))
    other_hash = commit.sha256_of(rig.folder / "a_nobg.png")
    rig.journal.record(other, state="done", output=rig.folder / "a_nobg.png", output_hash=other_hash)
    assert rig.queue.find_earlier_job(rig.read(rig.request())) is None
    rig.journal.mark_undone(first)
    assert rig.queue.find_earlier_job(rig.read(rig.request())) is None


def test_a_job_that_nobg_remove_left_unfinished_is_done_on_request(rig: Rig) -> None:
    source = rig.write()
    unfinished = Job(source, source_hash=commit.read_source(source).sha256, model="m", attempts=1)
    rig.journal.record(unfinished, state="active", output=rig.folder / "a_nobg.png", output_hash="planned")
    assert rig.queue.find_earlier_job(rig.read(rig.request())) is None


def test_a_missing_folder_can_be_used_when_it_is_back(tmp_path: Path) -> None:
    pause = Pause(tmp_path / "out", "missing", 0, 0.0)
    assert not is_pause_resolved(pause)
    (tmp_path / "out").mkdir()
    assert is_pause_resolved(pause)
    assert is_pause_resolved(replace(pause, reason="read_only"))


def test_an_original_is_moved_only_if_it_has_not_changed_since(rig: Rig) -> None:
    source = rig.write()
    job = rig.read(rig.request(move_to="done", **watched(rig)))
    rig.write("edited")
    assert rig.queue.move_original(job) is None
    assert source.exists()
    job = rig.read(job)
    assert rig.queue.move_original(job) == rig.folder / "done" / "a.jpg"
    assert not source.exists()
    assert rig.queue.move_original(replace(job, move_to=None)) is None


def test_an_original_that_cannot_be_moved_stays(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    source = rig.write()
    (rig.folder / "done").write_text("a file of this name")
    job = rig.read(rig.request(move_to="done", **watched(rig)))
    assert rig.queue.move_original(job) is None
    assert source.exists()
    assert "could not be moved" in caplog.text


def test_a_watched_folder_waits_for_a_missing_background_and_a_persons_request_fails(rig: Rig) -> None:
    rig.write()
    key = Recipe(background=rig.folder / "drive" / "beach.jpg").key()
    rig.request(recipe=key, **watched(rig))
    assert list(dispatch.process_queue(rig.queue, rig.journal, Supervisor())) == []
    assert rig.journal.counts_by_state()["queued"] == 1
    rig.request(recipe=key)
    (failed,) = dispatch.process_queue(rig.queue, rig.journal, Supervisor())
    assert (failed.reason, rig.journal.counts_by_state()["queued"]) == ("vanished", 0)
