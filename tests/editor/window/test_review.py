"""The review grid: which pictures want a look, in which order, and what each key does."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from tests.editor.window.conftest import Shown
from tests.support.editor.stand_in_host import StandInHost
from watcher.editor import strings
from watcher.editor.window.cards import Job

JOBS = [
    {"id": 1, "name": "calm.jpg", "folder": "Shop", "why": "The subject is small.", "doubt": 0.3, "state": "done"},
    {"id": 2, "name": "wild.jpg", "folder": "Shop", "why": "The networks disagree.", "doubt": 0.9, "state": "done"},
    {
        "id": 3,
        "name": "edge.jpg",
        "folder": "Shop",
        "why": "The subject touches the edge.",
        "doubt": 0.6,
        "state": "done",
    },
]


@pytest.fixture
def review(shown: Shown) -> Shown:
    """The window with the grid of three pictures."""
    shown.host.jobs = list(JOBS)
    shown.host.tell("review")
    shown.wait(lambda: len(shown.window.review.jobs.jobs) == 3)
    return shown


def names(shown: Shown) -> list[str]:
    return [job.name for job in shown.window.review.jobs.jobs]


def press(shown: Shown, key: Qt.Key) -> None:
    shown.key(key, widget=shown.window.review.grid)


def asked(host: StandInHost, kind: str) -> list[int]:
    return [header["job"] for header in host.requests(kind)]


def chosen(shown: Shown) -> Job:
    job = shown.window.review.chosen()
    assert job is not None
    return job


def test_the_most_doubtful_comes_first_with_its_reason(review: Shown) -> None:
    assert names(review) == ["wild.jpg", "edge.jpg", "calm.jpg"]
    assert chosen(review).name == "wild.jpg"
    index = review.window.review.jobs.index(0, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "wild.jpg. The networks disagree."
    assert review.window.windowTitle() == strings.TITLE_REVIEW


def test_each_card_shows_the_picture_before_and_after(review: Shown) -> None:
    review.wait(lambda: len(review.host.requests("review_thumbnail")) == 6)
    jobs = review.window.review.jobs
    review.wait(lambda: all(jobs.thumbnail(job, which) for job in (1, 2, 3) for which in ("before", "after")))
    before, after = jobs.thumbnail(2, "before"), jobs.thumbnail(2, "after")
    assert before is not None
    assert after is not None
    assert (before.width(), before.height()) == (150, 100)
    assert (before.pixelColor(0, 0).alpha(), after.pixelColor(0, 0).alpha()) == (255, 0)


def test_arrows_move_and_a_accepts_until_all_are_looked_at(review: Shown) -> None:
    press(review, Qt.Key.Key_Right)
    assert chosen(review).name == "edge.jpg"
    press(review, Qt.Key.Key_A)
    review.wait(lambda: names(review) == ["wild.jpg", "calm.jpg"])
    assert chosen(review).name == "calm.jpg"  # the next one
    press(review, Qt.Key.Key_A)
    review.wait(lambda: names(review) == ["wild.jpg"])
    press(review, Qt.Key.Key_A)
    review.wait(lambda: not names(review))
    assert asked(review.host, "accept") == [3, 1, 2]
    shown = {
        text.text() for text in review.window.review.findChildren(type(review.window.review.note)) if text.isVisible()
    }
    assert strings.REVIEW_EMPTY in shown
    assert not review.window.review.buttons["accept"].isEnabled()
    press(review, Qt.Key.Key_A)  # does nothing


def test_u_takes_the_cutout_back(review: Shown) -> None:
    press(review, Qt.Key.Key_U)
    review.wait(lambda: names(review) == ["edge.jpg", "calm.jpg"])
    assert asked(review.host, "undo") == [2]


def test_b_tries_best_and_shows_the_new_cutout(review: Shown) -> None:
    review.wait(lambda: len(review.host.requests("review_thumbnail")) == 6)
    review.host.hold.add("try_best")
    press(review, Qt.Key.Key_B)
    press(review, Qt.Key.Key_B)  # once is enough
    assert review.window.review.jobs.busy == {2}
    review.wait(lambda: asked(review.host, "try_best") == [2])
    review.host.release("try_best")
    review.wait(lambda: not review.window.review.jobs.busy)
    review.wait(lambda: len(review.host.requests("review_thumbnail")) == 7)
    again = review.host.requests("review_thumbnail")[-1]
    assert (again["job"], again["which"]) == (2, "after")
    assert chosen(review).name == "wild.jpg"


@pytest.mark.parametrize("key", [Qt.Key.Key_T, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_t_and_enter_open_the_picture_and_back_returns_to_the_grid(review: Shown, key: Qt.Key) -> None:
    press(review, key)
    review.wait(lambda: review.canvas.has_cutout and review.is_quiet())
    assert asked(review.host, "touch_up") == [2]
    assert review.page.top.back.isVisible()
    assert review.canvas.hasFocus()
    review.click(review.page.top.back)
    review.wait(lambda: bool(review.host.requests("back")) and len(review.host.requests("review_list")) == 2)
    assert review.window.review.isVisible()
    assert review.window.review.grid.hasFocus()


def test_a_photo_that_was_opened_alone_has_no_way_back(opened: Shown) -> None:
    assert not opened.page.top.back.isVisible()


def test_what_fails_says_why_and_the_card_stays(review: Shown) -> None:
    review.host.failing["undo"] = "The cut-out has changed since. It stays."
    press(review, Qt.Key.Key_U)
    review.wait(lambda: review.window.review.note.text() == "The cut-out has changed since. It stays.")
    assert len(names(review)) == 3


def test_a_list_that_is_empty_from_the_start_says_so(shown: Shown) -> None:
    shown.host.tell("review")
    shown.wait(lambda: bool(shown.host.requests("review_list")))
    shown.wait(lambda: not shown.window.review.grid.isVisible())
