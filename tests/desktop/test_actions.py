"""actions.py: what a click does to open the window "Touch up", and to cut out what has no clear subject."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.touch_up import StandInEditor, set_installed
from watcher import paths
from watcher.desktop import strings
from watcher.desktop.actions import Actions
from watcher.desktop.notifications import Notification
from watcher.queue.job import Job
from watcher.queue.journal import Journal

ODD = Path("/pictures/-a %20 'b'\u00e9_nobg.png")


@pytest.fixture
def shown() -> list[Notification]:
    return []


@pytest.fixture
def actions(shown: list[Notification]) -> Actions:
    return Actions(shown.append, lambda: None)


@pytest.fixture
def journal(home: Path) -> Journal:
    assert home
    return Journal(paths.state_dir())


def test_a_click_opens_the_window_in_the_session_of_the_desktop(
    actions: Actions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = StandInEditor(tmp_path, monkeypatch)
    monkeypatch.setenv("DISPLAY", ":77")
    actions.touch_up(ODD)
    assert (editor.take_arguments(), editor.display) == (["--", str(ODD)], ":77")
    actions.show_where(ODD)
    assert editor.take_arguments() == ["--tool", "box", "--", str(ODD)]
    actions.review()
    assert editor.take_arguments() == ["--review"]


def test_without_the_window_a_click_says_how_to_get_it(
    actions: Actions, shown: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_installed(monkeypatch, installed=False)
    actions.with_error_notification(actions.review)()
    (notification,) = shown
    assert notification.title == strings.FAILED
    assert "Ask the person who installed nobg to add it." in notification.body
    assert "pip" not in notification.body


def test_what_has_no_clear_subject_is_queued_again_by_force(
    actions: Actions, journal: Journal, shown: list[Notification]
) -> None:
    jobs = [
        journal.record(
            Job(Path(f"/pictures/{name}.jpg"), recipe, source_hash=name), state="skipped", reason="no_clear_subject"
        )
        for name, recipe in (("a", "{}"), ("b", '{"mask": true}'))
    ]
    forgotten = 99
    actions.cut_out_anyway([*(job.id or 0 for job in jobs), forgotten])
    queued = []
    while (job := journal.next_job()) is not None:
        queued.append((job.source.name, job.recipe, job.force))
        journal.record(job, state="done")
    assert queued == [("a.jpg", "{}", True), ("b.jpg", '{"mask": true}', True)]
    actions.with_error_notification(lambda: actions.cut_out_anyway([forgotten]))()
    assert [notification.body for notification in shown] == [strings.NOTHING_TO_CUT_OUT]
