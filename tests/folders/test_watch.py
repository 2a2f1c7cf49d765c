"""watch.py, step by step: hints, sweeps, and which files become jobs."""

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.folders.conftest import Rig
from watcher.config import Folder
from watcher.folders import hints
from watcher.folders.watch import MAX_UNACCOUNTED_SECONDS, Watcher
from watcher.queue.job import Job
from watcher.queue.journal_queue import SETTLE_SECONDS
from watcher.recipe import Recipe


def test_pictures_that_are_in_the_folder_at_the_start_are_done(rig: Rig) -> None:
    rig.write("b.jpg")
    rig.write("a.jpg")
    rig.write("sub/c.jpg")
    rig.write("notes.txt")
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg", "b.jpg"]
    rig.sweep()
    assert rig.finish_queued() == []


def test_a_file_is_queued_when_it_has_stayed_the_same_for_two_seconds(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    path = rig.write("a.jpg", "begin")
    for _ in range(5):
        rig.hint(path)
        rig.step_after(SETTLE_SECONDS - 0.5)
        assert rig.finish_queued() == []
        path.write_text(path.read_text() + "more")
    rig.step_after(SETTLE_SECONDS - 0.5)  # sees the last change
    rig.step_after(SETTLE_SECONDS - 0.5)
    assert rig.finish_queued() == []
    rig.step_after(0.5)
    assert rig.finish_queued() == ["a.jpg"]


def test_a_name_that_only_contains_a_word_for_unfinished_waits_for_quiet_like_any_file(rig: Rig) -> None:
    names = ["bolt.part.jpg", "my.download.jpg", "photo.tmp.jpg", "~sketch.jpg"]
    for name in names:
        rig.write(name)
    rig.write("a.jpg.part")
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == names
    rig.hint(rig.write("~later.tmp.png"))
    rig.step_after(0.1)
    assert rig.finish_queued() == []
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["~later.tmp.png"]


def test_an_empty_file_waits_for_its_content(rig: Rig) -> None:
    path = rig.write("a.jpg", "")
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == []
    path.write_text("x")
    rig.hint(path)
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]


def test_a_file_that_disappears_before_it_has_settled_is_forgotten(rig: Rig) -> None:
    path = rig.write("a.jpg")
    rig.watch()
    rig.step_after(1)
    path.unlink()
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == []


def test_an_edited_file_is_queued_and_a_known_one_is_not(rig: Rig) -> None:
    path = rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]
    rig.hint(path)
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == []
    path.write_text("another content")
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]


def test_only_regular_files_are_queued_and_none_is_opened(rig: Rig) -> None:
    target = rig.write("target.jpg")
    (rig.folder / "link.jpg").symlink_to(target)
    (rig.folder / "outside").symlink_to("/")
    os.mkfifo(rig.folder / "fifo.jpg")
    os.mknod(rig.folder / "device.jpg", stat.S_IFCHR | 0o600, os.makedev(1, 5)) if os.geteuid() == 0 else None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(rig.folder / "socket.jpg"))
        rig.watch(recursive=True)
        rig.sweep()
    assert rig.finish_queued() == ["target.jpg"]


def test_a_recursive_watch_includes_sub_folders_except_excluded_ones(rig: Rig) -> None:
    for name in ("a.jpg", "x/b.jpg", "x/y/c.jpg", ".hidden/d.jpg", "@eaDir/e.jpg", "done/f.jpg", "x/done/g.jpg"):
        rig.write(name)
    rig.watch(recursive=True, move_originals="done")
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg", "x/b.jpg", "x/y/c.jpg"]
    for name in (".hidden/d2.jpg", "done/f2.jpg"):
        rig.hint(rig.write(name))
    rig.hint(rig.write("x/new.jpg"))
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["x/new.jpg"]


def test_a_watch_that_is_not_recursive_ignores_hints_from_sub_folders(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    rig.hint(rig.write("x/b.jpg"))
    rig.hint(rig.write("a.jpg"))
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]


def test_of_nested_watched_folders_the_inner_one_applies(rig: Rig) -> None:
    inner = Recipe(Path("cut"))
    rig.write("x/b.jpg")
    rig.watcher.configure([Folder(rig.folder, recursive=True), Folder(rig.folder / "x", recipe=inner)])
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    assert (job.recipe, job.watch, job.destination) == (inner.key(), rig.folder / "x", rig.folder / "x" / "cut")
    assert rig.finish_queued() == ["x/b.jpg"]


def test_the_pictures_of_an_inner_watched_folder_that_is_removed_belong_to_the_outer_one(rig: Rig) -> None:
    rig.write("x/b.jpg")
    outer = Folder(rig.folder, recursive=True)
    rig.watcher.configure([outer, Folder(rig.folder / "x")])
    rig.sweep()
    rig.watcher.configure([outer])
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    job = rig.journal.next_job()
    assert job is not None
    assert job.watch == rig.folder


def test_after_a_gap_in_time_all_folders_are_swept(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    rig.write("a.jpg")
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == []  # there was no hint, and no sweep is due
    rig.step_after(MAX_UNACCOUNTED_SECONDS + 2)  # the program was stopped, or the machine slept
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]


def test_a_burst_of_events_causes_a_sweep(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MAX_HINTS", 10)
    rig.watch()
    rig.sweep()
    for number in range(30):
        path = rig.write(f"{number:02}.jpg")
        if number < 11:
            rig.hint(path)
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert len(rig.finish_queued()) == 30


def test_a_folder_that_is_no_longer_watched_is_left_alone(rig: Rig) -> None:
    rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    assert rig.journal.counts_by_state()["queued"] == 1
    rig.watcher.configure([])
    assert rig.journal.counts_by_state()["queued"] == 0
    rig.write("b.jpg")
    rig.sweep()
    assert rig.finish_queued() == []


def test_a_disabled_folder_is_left_alone_until_it_is_enabled_again(rig: Rig) -> None:
    done_path, other_path = rig.write("a.jpg"), rig.write("b.jpg")
    rig.watch()
    rig.sweep()
    first = rig.journal.next_job()
    assert first is not None
    assert first.source == done_path
    rig.journal.record(replace(first, source_hash="1"), state="done")
    assert rig.journal.pending_counts() == (1, 0)
    rig.watch(enabled=False)
    assert rig.journal.pending_counts() == (0, 0)
    assert rig.journal.get_setting("folders") == "{}"
    rig.hint(rig.write("c.jpg"))
    rig.sweep()
    assert rig.finish_queued() == []
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == [other_path.name, "c.jpg"]


def test_a_picture_that_settles_while_its_folder_is_disabled_waits_until_it_is_enabled(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    rig.hint(rig.write("a.jpg"))
    rig.step_after(0.1)
    rig.watch(enabled=False)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == []
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]


def test_a_disabled_folder_is_excluded_from_the_one_around_it(rig: Rig) -> None:
    outer = Folder(rig.folder, recursive=True)
    for name in ("a.jpg", "off/b.jpg", "off/deep/c.jpg"):
        rig.write(name)
    rig.watcher.configure([outer, Folder(rig.folder / "off", enabled=False)])
    rig.sweep()
    assert rig.watcher._folders[str(rig.folder)].directory_count == 1  # the sweep does not even enter "off"
    assert rig.finish_queued() == ["a.jpg"]
    rig.hint(rig.write("off/d.jpg"))
    rig.hint(rig.folder / "off")
    rig.hint(rig.folder / "off" / "deep")
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == []
    rig.watcher.configure([outer])
    rig.sweep()
    assert rig.finish_queued() == ["off/b.jpg", "off/d.jpg", "off/deep/c.jpg"]


def test_after_a_loss_of_the_records_existing_pictures_are_adopted_and_later_ones_are_new(rig: Rig) -> None:
    rig.journal.set_setting("rebuild", "1")
    rig.watcher = Watcher(rig.journal, clock=lambda: rig.now, wall_clock=lambda: rig.now)
    rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    assert job.adopt
    assert rig.finish_queued() == ["a.jpg"]
    rig.step_after(1)
    assert rig.journal.get_setting("rebuild") is None
    rig.write("b.jpg")
    rig.sweep()
    later = rig.journal.next_job()
    assert later is not None
    assert not later.adopt


def test_a_persons_own_picture_is_done_whatever_its_suffix(rig: Rig) -> None:
    rig.watch(recipe=Recipe(suffix="_white"))
    rig.write("a.jpg")
    rig.write("a_white.jpg")  # the journal does not know it, so it is the person's
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg", "a_white.jpg"]


def test_after_a_loss_of_the_records_outputs_are_recognised_by_their_names(rig: Rig) -> None:
    rig.journal.set_setting("rebuild", "1")
    rig.watcher = Watcher(rig.journal, clock=lambda: rig.now, wall_clock=lambda: rig.now)
    for name in ("a.jpg", "a_white.jpg", "a_white-2.jpg"):
        rig.write(name)
    rig.watch(recipe=Recipe(suffix="_white"))
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]


@pytest.mark.parametrize("has_hint", [True, False])
def test_an_output_in_the_journal_is_not_a_source(rig: Rig, has_hint: bool) -> None:
    rig.watch()
    job = Job(Path("/elsewhere/a.jpg"), source_hash="1", model="m")
    rig.journal.record(job, state="active", output=rig.folder / "a_white.jpg", output_hash="2")
    rig.sweep()
    path = rig.write("a_white.jpg")
    if has_hint:
        rig.hint(path)
        rig.step_after(SETTLE_SECONDS + 1)
        rig.step_after(SETTLE_SECONDS + 1)
    else:
        rig.sweep()
    assert rig.finish_queued() == []


def test_a_watched_folder_does_forgotten_pictures_and_cut_outs_not_again(rig: Rig) -> None:
    source = rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    output = rig.write("a-cut.png", "cut")
    rig.journal.record(replace(job, source_hash="aa"), state="done", output=output, output_hash="bb")
    rig.journal.forgotten.forget(rig.journal.history(), and_lost_names=True)
    rig.sweep()
    for path in (source, output):
        rig.hint(path)
    rig.step_after(1)
    rig.sweep()
    assert rig.finish_queued() == []
    source.write_text("another picture under the old name")
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]


def test_a_failed_picture_that_is_deleted_or_renamed_counts_no_more(rig: Rig) -> None:
    path = rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    rig.journal.record(replace(job, source_hash="aa"), state="failed", reason="unreadable")
    rig.sweep()
    assert rig.journal.failures.count() == 1
    path.unlink()
    rig.hint(path)
    rig.step_after(0.1)
    assert rig.journal.failures.count() == 0
