"""observer.py and hints.py: what watchdog reports, and folders that disappear and come back."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_for
from tests.folders.conftest import Rig
from watcher import places
from watcher.folders.observer import _count_inotify_watches
from watcher.folders.watch import POLL_INTERVAL_SECONDS, Watcher
from watcher.queue import store
from watcher.queue.journal_queue import SETTLE_SECONDS


def test_a_folder_that_disappears_and_comes_back_is_watched_again(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    rig.folder.rmdir()
    rig.step_after(1)
    assert "missing" in (rig.journal.get_setting("folders") or "")
    rig.folder.mkdir()
    rig.write("a.jpg")
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]
    assert "missing" not in (rig.journal.get_setting("folders") or "")


def test_a_folder_that_nobg_may_not_read_is_reported_and_watched_once_it_may(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.write("a.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        rig.watch()
        rig.sweep()
        assert "Check its permissions." in (rig.journal.get_setting("folders") or "")
        assert rig.finish_queued() == []
    rig.step_after(1)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]


def test_an_overflow_in_the_log_of_watchdog_causes_a_sweep(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    rig.watcher.start(rig.state_folder)
    try:
        rig.watcher._observer._overflow_handler.setLevel(logging.WARNING)
        logging.getLogger("watchdog.observers.inotify_c").warning(
            "Inotify queue overflowed; filesystem events were lost"
        )
        assert rig.watcher._observer.hints.take() == (set(), True)
    finally:
        rig.watcher.stop()


def test_folders_whose_changes_the_system_does_not_report_are_swept_more_often(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "must_poll", lambda _path: True)
    rig.watch()
    rig.sweep()
    assert '"polled"' in (rig.journal.get_setting("folders") or "")
    rig.write("a.jpg")
    rig.step_after(POLL_INTERVAL_SECONDS)
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["a.jpg"]


@pytest.fixture
def observed_rig(tmp_path: Path) -> Iterator[Rig]:
    """A Watcher with watchdog and the real clock."""
    rig = Rig(tmp_path)
    rig.watcher = Watcher(rig.journal)
    rig.watcher.start(rig.state_folder)
    yield rig
    rig.watcher.stop()


def test_watchdog_reports_new_renamed_and_moved_in_files(observed_rig: Rig, tmp_path: Path) -> None:
    observed_rig.watch(recursive=True)
    observed_rig.watcher.step()
    observed_rig.write("new.jpg")
    observed_rig.write("download.png.crdownload").rename(observed_rig.folder / "download.png")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "moved.jpg").write_text("x")
    (tmp_path / "tree").rename(observed_rig.folder / "tree")

    def are_all_queued() -> bool:
        observed_rig.watcher.step()
        return observed_rig.journal.counts_by_state()["queued"] == 3

    wait_for(are_all_queued)
    assert observed_rig.finish_queued() == ["download.png", "new.jpg", "tree/deep/moved.jpg"]


def test_a_thread_of_watchdog_that_has_ended_is_replaced(observed_rig: Rig) -> None:
    observed_rig.watch()
    observed_rig.watcher.step()
    assert observed_rig.watcher._observer._observer is not None
    for emitter in list(observed_rig.watcher._observer._observer.emitters):
        if emitter.watch.path == str(observed_rig.folder):
            emitter.stop()
            emitter.join()
    observed_rig.write("a.jpg")

    def is_queued() -> bool:
        observed_rig.watcher.step()
        return observed_rig.journal.counts_by_state()["queued"] == 1

    wait_for(is_queued)


def test_a_client_wakes_the_program(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    wake_ups: list[None] = []
    rig.watcher = Watcher(rig.journal, lambda: wake_ups.append(None))
    rig.watcher.start(rig.state_folder)
    try:
        store.open_and_enqueue(str(rig.state_folder), [(b"/pictures/a.jpg", 1, False)])
        wait_for(lambda: wake_ups)
    finally:
        rig.watcher.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_hidden_folders_get_no_inotify_watch(observed_rig: Rig) -> None:
    for name in (".cache/a/b", "album/.thumbnails/a", "album/deep", "@eaDir/x"):
        (observed_rig.folder / name).mkdir(parents=True)
    before = _count_inotify_watches()
    observed_rig.watch(recursive=True)
    observed_rig.watcher.step()
    assert _count_inotify_watches() - before == 3  # the folder itself, album and album/deep
    (observed_rig.folder / ".git" / "objects").mkdir(parents=True)
    observed_rig.write(".git/objects/hidden.jpg")
    (observed_rig.folder / ".cache").rename(observed_rig.folder / "shown")
    observed_rig.write("shown/a/b/new.jpg")
    observed_rig.write("album/deep/new.jpg")

    def are_both_queued() -> bool:
        observed_rig.watcher.step()
        return observed_rig.journal.counts_by_state()["queued"] == 2

    wait_for(are_both_queued)
    assert _count_inotify_watches() - before == 6  # and shown, shown/a, shown/a/b
    assert observed_rig.finish_queued() == ["album/deep/new.jpg", "shown/a/b/new.jpg"]
