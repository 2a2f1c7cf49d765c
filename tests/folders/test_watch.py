"""folders.py, step by step: real folders, real watchdog or none, and a clock that goes when it is told to."""

import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from watchdog.events import FileCreatedEvent

from tests.conftest import wait_for
from watcher import commit
from watcher.config import Folder
from watcher.folders import mounts
from watcher.folders import watch as folders
from watcher.folders.watch import (
    MAX_UNACCOUNTED_SECONDS,
    SWEEP_INTERVAL_SECONDS,
    Watcher,
    is_candidate,
    is_excluded_folder,
    is_local_nonempty_file,
)
from watcher.queue import store
from watcher.queue.journal import Job, Journal
from watcher.queue.waiting import SETTLE_SECONDS, JournalQueue
from watcher.recipe import Measure, Recipe


class Lab:
    """A watcher without watchdog: only sweeps and what the test hints at."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 1000.0
        self.top = tmp_path / "pictures"
        self.top.mkdir()
        self.state = tmp_path / "state"
        self.state.mkdir()
        self.journal = Journal(self.state)
        self.watcher = Watcher(self.journal, clock=lambda: self.now, wall_clock=lambda: self.now)

    def watch(self, **options: Any) -> None:
        """Watch `top` so."""
        self.watcher.configure([Folder(self.top, **options)])

    def write(self, name: str, content: str = "x") -> Path:
        """A file in `top`."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def hint(self, path: Path) -> None:
        """As watchdog would tell."""
        self.watcher._hints.on_any_event(FileCreatedEvent(str(path)))

    def after(self, seconds: float) -> None:
        """A round, so much later."""
        self.now += seconds
        self.watcher.step()

    def sweep(self) -> None:
        """Begin with a sweep, and let what it found settle."""
        self.after(SWEEP_INTERVAL_SECONDS + 1)
        self.after(SETTLE_SECONDS)

    def queued(self) -> list[str]:
        """What waits, below `top`; it is as if it had been done then."""
        found = []
        while (job := self.journal.next_job()) is not None:
            found.append(str(job.source.relative_to(self.top)))
            self.journal.record(replace(job, source_hash=os.urandom(4).hex()), state="done")
        return sorted(found)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "ü b.png", "-rf.jpg", "part.jpg", "new\nline.webp"])
def test_a_picture_is_a_candidate_by_its_name(name: str) -> None:
    assert is_candidate(name)


@pytest.mark.parametrize(
    "name",
    [
        *("a.txt", "a", "a_nobg.png", "a_nobg-2.png", ".a.jpg", "._a.jpg", "~a.jpg", ".syncthing.a.jpg.tmp"),
        *("a.png.crdownload", "a.jpg.part", "a.jpg.partial", "a.jpg.download", "a.tmp", "a.jpg.filepart"),
        *("a.part.jpg", "a.tmp.png", ".nobg-0123456789abcdef.tmp"),
    ],
)
def test_what_is_unfinished_hidden_or_ours_is_no_candidate(name: str) -> None:
    assert not is_candidate(name)


@pytest.mark.parametrize("name", [".git", "@eaDir", "#recycle", "$RECYCLE.BIN", ".Trash-1000", "Trash", "~x"])
def test_a_recursive_watch_stays_out_of_hidden_folders_and_trash(name: str) -> None:
    assert is_excluded_folder(name)
    assert not is_excluded_folder("holiday")


def test_a_placeholder_of_a_cloud_is_never_opened() -> None:
    regular = {"st_mode": stat.S_IFREG | 0o644, "st_size": 5}
    assert is_local_nonempty_file(SimpleNamespace(**regular))  # type: ignore[arg-type]
    for elsewhere in ({"st_file_attributes": 0x400000}, {"st_file_attributes": 0x1000}, {"st_flags": 0x40000000}):
        assert not is_local_nonempty_file(SimpleNamespace(**regular, **elsewhere))  # type: ignore[arg-type]


def test_what_lies_in_the_folder_at_the_start_is_done(lab: Lab) -> None:
    lab.write("b.jpg")
    lab.write("a.jpg")
    lab.write("sub/c.jpg")
    lab.write("notes.txt")
    lab.watch()
    lab.sweep()
    assert lab.queued() == ["a.jpg", "b.jpg"]
    lab.sweep()
    assert lab.queued() == []


def test_a_file_is_taken_when_it_has_been_the_same_for_two_seconds(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    path = lab.write("a.jpg", "begin")
    for _ in range(5):
        lab.hint(path)
        lab.after(SETTLE_SECONDS - 0.5)
        assert lab.queued() == []
        path.write_text(path.read_text() + "more")
    lab.after(SETTLE_SECONDS - 0.5)  # sees the last change
    lab.after(SETTLE_SECONDS - 0.5)
    assert lab.queued() == []
    lab.after(0.5)
    assert lab.queued() == ["a.jpg"]


def test_an_empty_file_waits_for_its_content(lab: Lab) -> None:
    path = lab.write("a.jpg", "")
    lab.watch()
    lab.sweep()
    assert lab.queued() == []
    path.write_text("x")
    lab.hint(path)
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]


def test_a_file_that_goes_before_it_has_settled_is_forgotten(lab: Lab) -> None:
    path = lab.write("a.jpg")
    lab.watch()
    lab.after(1)
    path.unlink()
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == []


def test_an_edit_is_queued_and_something_known_is_not(lab: Lab) -> None:
    path = lab.write("a.jpg")
    lab.watch()
    lab.sweep()
    assert lab.queued() == ["a.jpg"]
    lab.hint(path)
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == []
    path.write_text("another content")
    lab.sweep()
    assert lab.queued() == ["a.jpg"]


def test_only_files_are_looked_at_and_none_is_opened(lab: Lab) -> None:
    target = lab.write("target.jpg")
    (lab.top / "link.jpg").symlink_to(target)
    (lab.top / "outside").symlink_to("/")
    os.mkfifo(lab.top / "fifo.jpg")
    os.mknod(lab.top / "device.jpg", stat.S_IFCHR | 0o600, os.makedev(1, 5)) if os.geteuid() == 0 else None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(lab.top / "socket.jpg"))
        lab.watch(recursive=True)
        lab.sweep()
    assert lab.queued() == ["target.jpg"]


def test_a_recursive_watch_goes_into_sub_folders_but_not_into_all(lab: Lab) -> None:
    for name in ("a.jpg", "x/b.jpg", "x/y/c.jpg", ".hidden/d.jpg", "@eaDir/e.jpg", "done/f.jpg", "x/done/g.jpg"):
        lab.write(name)
    lab.watch(recursive=True, move_originals="done")
    lab.sweep()
    assert lab.queued() == ["a.jpg", "x/b.jpg", "x/y/c.jpg"]
    for name in (".hidden/d2.jpg", "done/f2.jpg"):
        lab.hint(lab.write(name))
    lab.hint(lab.write("x/new.jpg"))
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["x/new.jpg"]


def test_a_watch_that_is_not_recursive_takes_no_hint_from_below(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    lab.hint(lab.write("x/b.jpg"))
    lab.hint(lab.write("a.jpg"))
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]


def test_of_nested_watches_the_inner_one_counts(lab: Lab) -> None:
    inner = Recipe(Path("cut"))
    lab.write("x/b.jpg")
    lab.watcher.configure([Folder(lab.top, recursive=True), Folder(lab.top / "x", recipe=inner)])
    lab.sweep()
    job = lab.journal.next_job()
    assert job is not None
    assert (job.recipe, job.watch, job.destination) == (inner.key(), lab.top / "x", lab.top / "x" / "cut")
    assert lab.queued() == ["x/b.jpg"]


def test_a_folder_that_goes_and_comes_back_is_watched_again(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    lab.top.rmdir()
    lab.after(1)
    assert "missing" in (lab.journal.get_setting("folders") or "")
    lab.top.mkdir()
    lab.write("a.jpg")
    lab.after(1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]
    assert "missing" not in (lab.journal.get_setting("folders") or "")


def test_a_folder_that_we_may_not_look_into_is_told_and_watched_when_we_may(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write("a.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        lab.watch()
        lab.sweep()
        assert "Check its permissions." in (lab.journal.get_setting("folders") or "")
        assert lab.queued() == []
    lab.after(1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]


def test_what_waits_in_an_inner_watch_that_ends_is_the_outer_ones(lab: Lab) -> None:
    lab.write("x/b.jpg")
    outer = Folder(lab.top, recursive=True)
    lab.watcher.configure([outer, Folder(lab.top / "x")])
    lab.sweep()
    lab.watcher.configure([outer])
    lab.after(1)
    lab.after(SETTLE_SECONDS)
    job = lab.journal.next_job()
    assert job is not None
    assert job.watch == lab.top


def test_after_a_gap_in_time_all_folders_are_gone_through(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    lab.write("a.jpg")
    lab.after(1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == []  # no hint, and the sweep is not due
    lab.after(MAX_UNACCOUNTED_SECONDS + 2)  # we were stopped, or the machine slept
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]


def test_a_burst_or_a_lost_event_makes_a_sweep(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_HINTS", 10)
    lab.watch()
    lab.sweep()
    for number in range(30):
        path = lab.write(f"{number:02}.jpg")
        if number < 11:
            lab.hint(path)
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert len(lab.queued()) == 30


def test_what_watchdog_says_of_an_overflow_makes_a_sweep(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    lab.watcher.start(lab.state)
    try:
        lab.watcher._overflow_handler.setLevel(logging.WARNING)
        logging.getLogger("watchdog.observers.inotify_c").warning(
            "Inotify queue overflowed; filesystem events were lost"
        )
        assert lab.watcher._hints.take() == (set(), True)
    finally:
        lab.watcher.stop()


def test_a_folder_that_is_no_longer_watched_is_left_alone(lab: Lab) -> None:
    lab.write("a.jpg")
    lab.watch()
    lab.sweep()
    assert lab.journal.counts_by_state()["queued"] == 1
    lab.watcher.configure([])
    assert lab.journal.counts_by_state()["queued"] == 0
    lab.write("b.jpg")
    lab.sweep()
    assert lab.queued() == []


def test_another_recipe_does_the_pictures_again(lab: Lab) -> None:
    lab.write("a.jpg")
    lab.watch()
    lab.sweep()
    assert lab.queued() == ["a.jpg"]
    lab.watch(recipe=Recipe(Path("cut")))
    lab.sweep()
    assert lab.queued() == ["a.jpg"]


WHITE, CROP = Recipe(background="#ffffff"), Recipe(crop=Measure(5, is_percent=True))


def restart(lab: Lab) -> None:
    """The program ends and begins again."""
    lab.journal.close()
    lab.journal = Journal(lab.state)
    lab.journal.recover()
    lab.watcher = Watcher(lab.journal, clock=lambda: lab.now, wall_clock=lambda: lab.now)


def keeps_running(_lab: Lab) -> None:
    """It need not."""


WAYS = pytest.mark.parametrize("meanwhile", [keeps_running, restart])


@WAYS
def test_another_default_recipe_is_for_new_pictures_only(lab: Lab, meanwhile: Callable[[Lab], None]) -> None:
    old = lab.write("old.jpg")
    lab.watch(follows=Recipe())
    lab.sweep()
    assert lab.queued() == ["old.jpg"]
    for number, default in enumerate((WHITE, CROP, Recipe())):
        meanwhile(lab)
        lab.watch(recipe=default, follows=Recipe())
        new = lab.write(f"{number}.jpg")
        lab.sweep()
        assert [job.recipe for job in waiting(lab)] == [default.key()]
        assert lab.queued() == [f"{number}.jpg"]
        for path in (old, new):
            lab.hint(path)
        lab.after(0.1)
        lab.after(SETTLE_SECONDS)
        assert lab.queued() == []
    old.write_text("edited")
    lab.sweep()
    assert lab.queued() == ["old.jpg"]


@WAYS
def test_what_waits_under_an_earlier_default_is_done_under_the_new_one(
    lab: Lab, meanwhile: Callable[[Lab], None]
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        lab.write(name)
    lab.watch(follows=Recipe())
    lab.sweep()
    first = lab.journal.next_job()
    assert first is not None
    lab.journal.record(replace(first, source_hash="1"), state="done")
    second = lab.journal.next_job()
    assert second is not None
    lab.journal.put_back(replace(second, source_hash="2"))
    meanwhile(lab)
    lab.watch(recipe=WHITE, follows=Recipe())
    assert lab.journal.pending_counts() == (0, 0)
    lab.sweep()
    assert [(job.source.name, job.recipe) for job in waiting(lab)] == [("b.jpg", WHITE.key()), ("c.jpg", WHITE.key())]


def test_what_is_in_the_worker_s_hands_is_not_done_twice(lab: Lab) -> None:
    lab.write("a.jpg")
    lab.watch(follows=Recipe())
    lab.sweep()
    job = lab.journal.next_job()
    assert job is not None
    assert lab.journal.start(replace(job, source_hash="1", model="m")) is not None
    lab.watch(recipe=WHITE, follows=Recipe())
    lab.sweep()
    assert lab.journal.pending_counts() == (0, 1)


def test_what_a_person_did_by_the_default_of_that_time_is_not_done_by_the_next(lab: Lab) -> None:
    """Nor what was tried again: both are a person's requests, whichever folder they lie in."""
    path = lab.write("a.jpg")
    lab.journal.enqueue([(os.fsencode(path), 1, None)])
    job = lab.journal.next_job()
    assert job is not None
    seen = commit.file_signature(path.stat())
    assert lab.journal.start(replace(job, source_hash="1", signature=seen, model="m")) is not None
    for default in (Recipe(), WHITE):
        lab.watch(recipe=default, follows=Recipe())
        lab.sweep()
        assert lab.queued() == []


@WAYS
@pytest.mark.parametrize(
    ("recipe", "follows"),
    [(Recipe(Path("cut")), Recipe(Path("cut"))), (WHITE, None), (CROP, None)],
    ids=["another output", "its own recipe, which the default was once", "its own recipe"],
)
def test_a_folder_that_gets_a_setting_of_its_own_does_all_again(
    lab: Lab, recipe: Recipe, follows: Recipe | None, meanwhile: Callable[[Lab], None]
) -> None:
    lab.write("a.jpg")
    lab.watch(recipe=WHITE, follows=Recipe())
    lab.watch(follows=Recipe())
    lab.sweep()
    assert lab.queued() == ["a.jpg"]
    meanwhile(lab)
    lab.watch(recipe=recipe, follows=follows)
    lab.sweep()
    (job,) = waiting(lab)
    assert JournalQueue(lab.journal).find_earlier_job(replace(job, source_hash="1")) is None
    assert lab.queued() == ["a.jpg"]
    lab.sweep()
    assert lab.queued() == []


def waiting(lab: Lab) -> list[Job]:
    """The jobs that wait."""
    return [job for job in lab.journal.find_jobs(range(1, 20)) if job.state == "queued"]


def test_a_folder_that_is_switched_off_is_left_alone_until_it_is_on_again(lab: Lab) -> None:
    done, left = lab.write("a.jpg"), lab.write("b.jpg")
    lab.watch()
    lab.sweep()
    first = lab.journal.next_job()
    assert first is not None
    assert first.source == done
    lab.journal.record(replace(first, source_hash="1"), state="done")
    assert lab.journal.pending_counts() == (1, 0)
    lab.watch(enabled=False)
    assert lab.journal.pending_counts() == (0, 0)
    assert lab.journal.get_setting("folders") == "{}"
    lab.hint(lab.write("c.jpg"))
    lab.sweep()
    assert lab.queued() == []
    lab.watch()
    lab.sweep()
    assert lab.queued() == [left.name, "c.jpg"]


def test_a_picture_that_settles_while_its_folder_is_switched_off_waits_for_it_to_be_on(lab: Lab) -> None:
    lab.watch()
    lab.sweep()
    lab.hint(lab.write("a.jpg"))
    lab.after(0.1)
    lab.watch(enabled=False)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == []
    lab.watch()
    lab.sweep()
    assert lab.queued() == ["a.jpg"]


def test_a_folder_that_is_switched_off_is_no_part_of_the_one_around_it(lab: Lab) -> None:
    around = Folder(lab.top, recursive=True)
    for name in ("a.jpg", "off/b.jpg", "off/deep/c.jpg"):
        lab.write(name)
    lab.watcher.configure([around, Folder(lab.top / "off", enabled=False)])
    lab.sweep()
    assert lab.watcher._roots[str(lab.top)].directory_count == 1  # it is not even gone through
    assert lab.queued() == ["a.jpg"]
    lab.hint(lab.write("off/d.jpg"))
    lab.hint(lab.top / "off")
    lab.hint(lab.top / "off" / "deep")
    lab.after(0.1)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == []
    lab.watcher.configure([around])
    lab.sweep()
    assert lab.queued() == ["off/b.jpg", "off/d.jpg", "off/deep/c.jpg"]


def test_where_the_system_does_not_tell_we_look_more_often(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "must_poll", lambda _path: True)
    lab.watch()
    lab.sweep()
    assert '"polled"' in (lab.journal.get_setting("folders") or "")
    lab.write("a.jpg")
    lab.after(folders.POLL_INTERVAL_SECONDS)
    lab.after(SETTLE_SECONDS)
    assert lab.queued() == ["a.jpg"]


def test_after_a_loss_of_the_records_what_was_there_is_adopted_and_what_comes_later_is_new(lab: Lab) -> None:
    lab.journal.set_setting("rebuild", "1")
    lab.watcher = Watcher(lab.journal, clock=lambda: lab.now, wall_clock=lambda: lab.now)
    lab.write("a.jpg")
    lab.watch()
    lab.sweep()
    job = lab.journal.next_job()
    assert job is not None
    assert job.adopt
    assert lab.queued() == ["a.jpg"]
    lab.after(1)
    assert lab.journal.get_setting("rebuild") is None
    lab.write("b.jpg")
    lab.sweep()
    later = lab.journal.next_job()
    assert later is not None
    assert not later.adopt


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Lab]:
    """With watchdog, and the real clock."""
    lab = Lab(tmp_path)
    lab.watcher = Watcher(lab.journal)
    lab.watcher.start(lab.state)
    yield lab
    lab.watcher.stop()


def test_watchdog_tells_of_new_renamed_and_moved_in_files(told: Lab, tmp_path: Path) -> None:
    told.watch(recursive=True)
    told.watcher.step()
    told.write("new.jpg")
    told.write("download.png.crdownload").rename(told.top / "download.png")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "moved.jpg").write_text("x")
    (tmp_path / "tree").rename(told.top / "tree")

    def all_queued() -> bool:
        told.watcher.step()
        return told.journal.counts_by_state()["queued"] == 3

    wait_for(all_queued)
    assert told.queued() == ["download.png", "new.jpg", "tree/deep/moved.jpg"]


def test_a_thread_of_watchdog_that_has_ended_is_replaced(told: Lab) -> None:
    told.watch()
    told.watcher.step()
    assert told.watcher._observer is not None
    for emitter in list(told.watcher._observer.emitters):
        if emitter.watch.path == str(told.top):
            emitter.stop()
            emitter.join()
    told.write("a.jpg")

    def queued() -> bool:
        told.watcher.step()
        return told.journal.counts_by_state()["queued"] == 1

    wait_for(queued)


def test_a_client_that_knocks_wakes_us(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    knocks: list[None] = []
    lab.watcher = Watcher(lab.journal, lambda: knocks.append(None))
    lab.watcher.start(lab.state)
    try:
        store.open_and_enqueue(str(lab.state), [(b"/pictures/a.jpg", 1, False)])
        wait_for(lambda: knocks)
    finally:
        lab.watcher.stop()


def test_a_picture_of_the_person_s_is_done_whatever_its_name_ends_with(lab: Lab) -> None:
    lab.watch(recipe=Recipe(suffix="_white"))
    lab.write("a.jpg")
    lab.write("a_white.jpg")  # where the journal does not know it, it is the person's
    lab.sweep()
    assert lab.queued() == ["a.jpg", "a_white.jpg"]


def test_after_a_loss_of_the_records_their_names_must_do(lab: Lab) -> None:
    lab.journal.set_setting("rebuild", "1")
    lab.watcher = Watcher(lab.journal, clock=lambda: lab.now, wall_clock=lambda: lab.now)
    for name in ("a.jpg", "a_white.jpg", "a_white-2.jpg"):
        lab.write(name)
    lab.watch(recipe=Recipe(suffix="_white"))
    lab.sweep()
    assert lab.queued() == ["a.jpg"]


@pytest.mark.parametrize("told", [True, False])
def test_what_the_journal_knows_as_an_output_is_no_source(lab: Lab, told: bool) -> None:
    lab.watch()
    job = Job(Path("/elsewhere/a.jpg"), source_hash="1", model="m")
    lab.journal.record(job, state="active", output=lab.top / "a_white.jpg", output_hash="2")
    lab.sweep()
    path = lab.write("a_white.jpg")
    if told:
        lab.hint(path)
        lab.after(SETTLE_SECONDS + 1)
        lab.after(SETTLE_SECONDS + 1)
    else:
        lab.sweep()
    assert lab.queued() == []


def test_what_waits_under_the_folder_s_old_recipe_is_forgotten(lab: Lab) -> None:
    lab.write("a.jpg")
    lab.watch()
    lab.sweep()
    lab.watch(recipe=Recipe(mask=True))
    assert lab.journal.counts_by_state()["queued"] == 0
    lab.sweep()
    waiting = lab.journal.next_job()
    assert waiting is not None
    assert waiting.recipe == '{"mask": true}'
