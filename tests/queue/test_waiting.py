"""waiting.py: which job may be done now, and what is settled already."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher import commit
from watcher.errors import DestinationError
from watcher.queue import waiting
from watcher.queue.journal import Job, Journal, Pause
from watcher.queue.waiting import (
    FREE_SPACE_MARGIN_BYTES,
    PAUSE_RETRY_SECONDS,
    SETTLE_SECONDS,
    JournalQueue,
    is_pause_resolved,
    is_unplugged,
)
from watcher.recipe import Recipe
from watcher.worker import dispatch
from watcher.worker.supervisor import Supervisor


class Desk:
    """A journal, its queue, and a clock that goes when it is told to."""

    def __init__(self, tmp_path: Path, folder: Path) -> None:
        self.now = 1000.0
        self.folder = folder
        self.journal = Journal(tmp_path, lambda: self.now)
        self.queue = JournalQueue(self.journal, lambda: self.now)

    def write(self, content: str = "x") -> Path:
        """The picture."""
        path = self.folder / "a.jpg"
        path.write_text(content)
        return path

    def ask(self, **request: Any) -> Job:
        """Put the picture in the queue, and take it."""
        path = self.folder / "a.jpg"
        seen = commit.read_source(path).signature if "watch" in request and path.exists() else None
        device = self.folder.stat().st_dev
        self.journal.enqueue([(os.fsencode(path), device, seen)], **request)
        job = self.queue.take(lambda _job: True)
        assert job is not None
        return job

    def read(self, job: Job) -> Job:
        """The job with its content known."""
        source = commit.read_source(job.source)
        return replace(job, source_hash=source.sha256, signature=source.signature, model="m")

    def do(self, job: Job, **result: Any) -> Job:
        """From start to end."""
        started = self.queue.start(self.read(job))
        assert started is not None
        return self.journal.record(started, **result)


@pytest.fixture
def desk(tmp_path: Path, folder: Path) -> Desk:
    return Desk(tmp_path, folder)


def watched(desk: Desk) -> dict[str, bytes]:
    """A request by the watched folder."""
    return {"watch": os.fsencode(desk.folder)}


def done(desk: Desk, content: str = "PNG") -> Job:
    """The picture is done, and its output is there."""
    output = desk.folder / "a_nobg.png"
    output.write_text(content)
    found = commit.sha256_of(output)
    return desk.do(desk.ask(), state="done", output=output, output_hash=found)


def publish_half(desk: Desk, **request: Any) -> Job:
    """The output is there, and then the power goes: nothing says so but the plan."""
    output = desk.folder / "a_nobg.png"
    output.write_text("PNG")
    return desk.do(desk.ask(**request), state="active", output=output, output_hash=commit.sha256_of(output))


def test_what_is_done_and_there_is_done_for_everybody(desk: Desk) -> None:
    desk.write()
    first = done(desk)
    for request in ({}, watched(desk)):
        known = desk.queue.find_earlier_job(
            desk.read(desk.ask(**request)) if not request else replace(first, id=99, watch=desk.folder)
        )
        assert known is not None
        assert (known.id, known.state) == (first.id, "done")


def test_an_output_that_was_deleted_is_made_again_for_a_person_but_not_for_a_folder(desk: Desk) -> None:
    desk.write()
    first = done(desk)
    (desk.folder / "a_nobg.png").unlink()
    assert desk.queue.find_earlier_job(desk.read(desk.ask())) is None
    by_folder = replace(first, id=99, watch=desk.folder)
    known = desk.queue.find_earlier_job(by_folder)
    assert known is not None
    assert known.id == first.id


@pytest.mark.parametrize(("reason", "again"), [("unreadable", False), ("truncated", False), ("no_permission", True)])
def test_a_folder_tries_again_only_what_may_have_changed(desk: Desk, reason: str, again: bool) -> None:
    desk.write()
    first = desk.do(desk.ask(), state="failed", reason=reason)
    assert (desk.queue.find_earlier_job(replace(first, id=99, watch=desk.folder)) is None) == again
    assert desk.queue.find_earlier_job(replace(first, id=99)) is None  # a person who asks again is answered again


def test_a_folder_settles_a_content_once_whatever_the_default_recipe_has_become(desk: Desk) -> None:
    """Its file may get another date, as from a backup, and then it is looked at again."""
    desk.write()
    desk.journal.known_recipes(desk.folder, "{}", "{}")
    first = done(desk)
    white = Recipe(background="#ffffff").key()
    desk.journal.known_recipes(desk.folder, white, "{}")
    os.utime(desk.folder / "a.jpg", (0, 0))
    job = desk.read(desk.ask(**watched(desk), recipe=white))
    known = desk.queue.find_earlier_job(job)
    assert known is not None
    assert known.id == first.id
    desk.journal.merge_duplicate(job, known)
    assert desk.journal.has_job(os.fsencode(job.source), ["{}"], str(job.signature))
    assert desk.queue.find_earlier_job(desk.read(desk.ask(recipe=white))) is None  # a person gets what they ask for


def test_force_does_it_again(desk: Desk) -> None:
    desk.write()
    done(desk)
    assert desk.queue.find_earlier_job(desk.read(desk.ask(force=True))) is None


def test_what_is_in_the_workers_hands_is_not_begun_a_second_time(desk: Desk) -> None:
    desk.write()
    started = desk.queue.start(desk.read(desk.ask()))
    assert started is not None
    known = desk.queue.find_earlier_job(desk.read(desk.ask()))
    assert known is not None
    assert known.id == started.id


def test_a_published_output_is_recognised_after_the_power_went_even_where_it_was_forced(desk: Desk) -> None:
    desk.write()
    planned = publish_half(desk, force=True)
    desk.journal.recover()
    job = desk.queue.take(lambda _job: True)
    assert job is not None
    known = desk.queue.find_earlier_job(desk.read(job))
    assert known is not None
    assert (known.id, known.state) == (planned.id, "done")


@pytest.mark.parametrize(("newer", "adopted"), [(5, True), (-5, False)])
def test_after_a_loss_of_the_records_a_newer_cut_out_counts_but_is_not_ours(
    desk: Desk, newer: int, adopted: bool
) -> None:
    source = desk.write()
    output = desk.folder / "a_nobg.png"
    output.write_text("PNG")
    os.utime(output, (source.stat().st_mtime + newer,) * 2)
    known = desk.queue.find_earlier_job(desk.read(desk.ask(adopt=True, **watched(desk))))
    assert (known is not None) == adopted
    if known is not None:
        assert (known.state, known.output) == ("done", output)
        assert not desk.journal.has_written(source, output, known.output_hash or "")


def test_a_file_that_changed_since_it_settled_waits_until_it_has_settled_again(desk: Desk) -> None:
    desk.write("begin")
    job = desk.ask(**watched(desk))
    desk.write("begin and more")
    assert desk.queue.defer_if_not_ready(job, commit.read_source(job.source))
    assert desk.journal.next_job() is None
    desk.now += SETTLE_SECONDS
    again = desk.journal.next_job()
    assert again is not None
    assert not desk.queue.defer_if_not_ready(again, commit.read_source(again.source))


def test_a_person_need_not_wait_for_a_file_that_was_just_saved(desk: Desk) -> None:
    desk.write()
    job = desk.ask()
    assert not desk.queue.defer_if_not_ready(job, commit.read_source(job.source))


def test_a_truncated_picture_that_is_still_changing_is_waited_for(desk: Desk) -> None:
    desk.write("begin")
    job = desk.ask()
    source = commit.read_source(job.source)
    started = desk.queue.start(desk.read(job))
    assert started is not None
    assert not desk.queue.defer_if_not_ready(started, source)  # it stays as it was: it is truncated
    desk.write("begin and more")
    assert desk.queue.defer_if_not_ready(started, source)
    assert desk.journal.counts_by_state()["queued"] == 1


def test_a_file_written_to_while_it_is_read_waits(desk: Desk) -> None:
    desk.write()
    job = desk.ask()
    assert desk.queue.defer_if_not_ready(job, replace(commit.read_source(job.source), is_stable=False))


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


def test_the_pictures_of_a_missing_drive_go_on_when_one_of_them_is_back(desk: Desk) -> None:
    job = desk.ask()
    elsewhere = replace(job, device=(job.device or 0) + 1)
    assert desk.queue.defer_if_not_ready(elsewhere, None)
    assert desk.journal.next_job() is None
    assert not desk.queue.check_pauses()
    desk.write()
    assert desk.queue.check_pauses()
    assert desk.journal.next_job() is not None


def test_a_folder_that_its_permissions_make_read_only_is_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write()
    job = desk.ask()
    assert not desk.queue.defer_if_unwritable(job)  # it may be the name that is refused
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        assert desk.queue.defer_if_unwritable(job)
        assert desk.journal.next_job() is None
        assert not desk.queue.check_pauses()
    assert desk.queue.check_pauses()
    assert desk.journal.next_job() is not None


def test_a_full_place_is_tried_again_when_there_is_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 0

    class Usage:
        """Of a disk."""

        @property
        def free(self) -> int:
            """As the test says."""
            return free

    monkeypatch.setattr(waiting.shutil, "disk_usage", lambda _path: Usage())  # type: ignore[attr-defined]
    desk.write()
    job = desk.ask()
    desk.queue.pause_destination(job, DestinationError("full", desk.folder, "full"), needed_bytes=1000)
    free = 1000
    assert not desk.queue.check_pauses()
    free = 1001 + FREE_SPACE_MARGIN_BYTES
    assert desk.queue.check_pauses()
    desk.queue.pause_destination(
        job, DestinationError("a quota", desk.folder, "full"), needed_bytes=1000
    )  # though there is room
    assert not desk.queue.check_pauses()
    desk.now += PAUSE_RETRY_SECONDS + 1
    assert desk.queue.check_pauses()


@pytest.mark.parametrize("output", ["cut", "a/b", "../cut", "/elsewhere/cut"])
def test_a_place_that_refuses_holds_back_its_own_pictures_wherever_it_is(desk: Desk, output: str) -> None:
    desk.write()
    job = desk.ask(recipe=Recipe(Path(output)).key(), subfolder=os.fsencode(output), **watched(desk))
    desk.queue.pause_destination(job, DestinationError("read-only", desk.folder.parent, "read_only"), needed_bytes=0)
    assert desk.journal.next_job() is None
    assert desk.journal.counts_by_state()["queued"] == 1


def test_a_folder_that_was_deleted_meanwhile_makes_nobody_wait(desk: Desk) -> None:
    desk.write()
    job = desk.ask()
    desk.queue.pause_destination(job, DestinationError("gone", desk.folder, "missing"), needed_bytes=0)
    assert desk.journal.pauses() == []
    desk.queue.pause_destination(
        replace(job, device=(job.device or 0) + 1), DestinationError("gone", desk.folder, "missing"), needed_bytes=0
    )
    assert desk.journal.pauses() == []  # it holds other files: it is no mount point
    (desk.folder / "a.jpg").unlink()
    desk.queue.pause_destination(
        replace(job, device=(job.device or 0) + 1), DestinationError("gone", desk.folder, "missing"), needed_bytes=0
    )
    assert [pause.folder for pause in desk.journal.pauses()] == [desk.folder]


@pytest.mark.parametrize("fate", [{"state": "failed", "reason": "unreadable"}, {"state": "done", "undone": True}])
def test_an_original_is_not_moved_for_what_is_not_done(desk: Desk, fate: dict[str, Any]) -> None:
    source = desk.write()
    first = done(desk)
    if fate["state"] == "done":
        fate |= {"output": first.output, "output_hash": first.output_hash}
    desk.journal.record(first, **fate)
    os.utime(source, (1, 1))
    desk.ask(move_to="done", **watched(desk))
    list(dispatch.process_queue(desk.queue, desk.journal, Supervisor()))
    assert source.exists()


def test_a_sub_folder_is_not_made_where_the_folder_of_the_originals_is_gone(desk: Desk) -> None:
    with pytest.raises(DestinationError):
        dispatch._make_destination(desk.folder / "gone" / "cut", desk.folder / "gone")
    assert not (desk.folder / "gone").exists()


def test_a_job_that_cannot_even_be_looked_at_fails_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write()
    desk.ask()

    def no_memory(path: Path) -> None:
        raise MemoryError(path)

    monkeypatch.setattr(commit, "read_source", no_memory)
    (failed,) = dispatch.process_queue(desk.queue, desk.journal, Supervisor())
    assert (failed.state, failed.reason) == ("failed", "too_large")


def test_after_the_power_went_between_publishing_and_moving_the_original_is_moved(desk: Desk) -> None:
    source = desk.write()
    publish_half(desk, move_to="done", **watched(desk))
    desk.journal.recover()
    (known,) = dispatch.process_queue(desk.queue, desk.journal, Supervisor())
    assert known.reason == "already_done"
    assert not source.exists()
    (job,) = desk.journal.history()
    assert (job.state, job.moved_to) == ("done", desk.folder / "done" / "a.jpg")


def test_after_the_power_went_between_moving_and_saying_so_the_original_is_found(desk: Desk) -> None:
    source = desk.write()
    publish_half(desk, move_to="done", **watched(desk))
    (desk.folder / "done").mkdir()
    (desk.folder / "done" / "a.jpg").write_text("another of this name")
    source.rename(desk.folder / "done" / "a-2.jpg")
    desk.journal.recover()
    assert [job.state for job in dispatch.process_queue(desk.queue, desk.journal, Supervisor())] == ["done"]
    (job,) = desk.journal.history()
    assert job.moved_to == desk.folder / "done" / "a-2.jpg"


def test_a_picture_that_another_one_took_the_name_of_is_not_done(desk: Desk) -> None:
    """a.jpg was done and taken back; then a.png got a_nobg.png."""
    desk.write()
    first = done(desk)
    other = Job(desk.folder / "a.png", source_hash="b", model="m")
    (desk.folder / "a_nobg.png").write_text("PNG of a.png")
    there = commit.sha256_of(desk.folder / "a_nobg.png")
    desk.journal.record(other, state="done", output=desk.folder / "a_nobg.png", output_hash=there)
    assert desk.queue.find_earlier_job(desk.read(desk.ask())) is None
    desk.journal.mark_undone(first)
    assert desk.queue.find_earlier_job(desk.read(desk.ask())) is None


def test_what_a_remove_left_behind_is_done_when_it_is_asked_for(desk: Desk) -> None:
    source = desk.write()
    half = Job(source, source_hash=commit.read_source(source).sha256, model="m", attempts=1)
    desk.journal.record(half, state="active", output=desk.folder / "a_nobg.png", output_hash="planned")
    assert desk.queue.find_earlier_job(desk.read(desk.ask())) is None


def test_a_folder_that_is_gone_can_be_used_when_it_is_back(tmp_path: Path) -> None:
    pause = Pause(tmp_path / "out", "missing", 0, 0.0)
    assert not is_pause_resolved(pause)
    (tmp_path / "out").mkdir()
    assert is_pause_resolved(pause)
    assert is_pause_resolved(replace(pause, reason="read_only"))


def test_an_original_is_moved_only_if_it_is_still_the_one_that_was_done(desk: Desk) -> None:
    source = desk.write()
    job = desk.read(desk.ask(move_to="done", **watched(desk)))
    desk.write("edited meanwhile")
    assert desk.queue.move_original(job) is None
    assert source.exists()
    job = desk.read(job)
    assert desk.queue.move_original(job) == desk.folder / "done" / "a.jpg"
    assert not source.exists()
    assert desk.queue.move_original(replace(job, move_to=None)) is None


def test_an_original_that_cannot_be_moved_stays(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    source = desk.write()
    (desk.folder / "done").write_text("a file of this name")
    job = desk.read(desk.ask(move_to="done", **watched(desk)))
    assert desk.queue.move_original(job) is None
    assert source.exists()
    assert "could not be moved" in caplog.text


def test_a_watched_folder_waits_for_a_background_picture_and_a_person_is_told(desk: Desk) -> None:
    desk.write()
    key = Recipe(background=desk.folder / "drive" / "beach.jpg").key()
    desk.ask(recipe=key, **watched(desk))
    assert list(dispatch.process_queue(desk.queue, desk.journal, Supervisor())) == []
    assert desk.journal.counts_by_state()["queued"] == 1
    desk.ask(recipe=key)
    (failed,) = dispatch.process_queue(desk.queue, desk.journal, Supervisor())
    assert (failed.reason, desk.journal.counts_by_state()["queued"]) == ("vanished", 0)
