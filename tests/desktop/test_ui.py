"""ui.py: which buttons a notification of finished pictures has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher.desktop import strings
from watcher.desktop.batch import Summary
from watcher.desktop.ui import MAX_BUTTONS, UserInterface

FOLDER = Path("/pictures")
OUTPUT = FOLDER / "a_nobg.png"
BATCH = Summary("t", "b", done_ids=(1, 2), target=FOLDER, folder=FOLDER, first_output=OUTPUT)
ONE = replace(BATCH, done_ids=(1,), target=OUTPUT, only_output=OUTPUT)
UNCLEAR = Summary("t", "b", unclear_ids=(7,), only_unclear=FOLDER / "fog.jpg")


class Calls:
    """Actions that only record their calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def with_error_notification(self, callback: Any) -> Any:
        """Return the callback."""
        return callback

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, *arguments))


def press_all(summary: Summary, tmp_path: Path) -> dict[str, Any]:
    """Return what each button of the notification does, by its label; "" is a click beside them."""
    ui, calls = UserInterface(tmp_path, lambda: None), Calls()
    ui.__dict__["_actions"] = calls
    notification = ui._make_notification(summary)
    assert len(notification.buttons) <= MAX_BUTTONS
    assert notification.on_click is not None
    for _, callback in (*notification.buttons, ("", notification.on_click)):
        callback()
    return dict(zip([*(label for label, _ in notification.buttons), ""], calls.calls, strict=True))


OPEN_FOLDER = {strings.OPEN_FOLDER: ("reveal", OUTPUT)}
UNDO = {strings.UNDO: ("undo", (1, 2))}
ANYWAY = {strings.CUT_OUT_ANYWAY: ("cut_out_anyway", (7,))}
LOOK = {strings.HAVE_A_LOOK: ("review",)}
TOUCH_UP = {strings.TOUCH_UP: ("touch_up", OUTPUT)}
BESIDE = {"": ("open", FOLDER)}


@pytest.mark.parametrize(
    ("summary", "buttons"),
    [
        (BATCH, OPEN_FOLDER | UNDO | BESIDE),
        (replace(BATCH, doubtful_count=3), LOOK | OPEN_FOLDER | UNDO | BESIDE),
        (replace(BATCH, unclear_ids=(7,)), ANYWAY | OPEN_FOLDER | UNDO | BESIDE),
        (replace(BATCH, unclear_ids=(7,), doubtful_count=3), LOOK | ANYWAY | UNDO | BESIDE),
        (ONE, TOUCH_UP | OPEN_FOLDER | {strings.UNDO: ("undo", (1,)), "": ("open", OUTPUT)}),
        (UNCLEAR, {strings.SHOW_WHERE: ("show_where", FOLDER / "fog.jpg")} | ANYWAY | {"": ("open_history",)}),
        (replace(UNCLEAR, only_unclear=None), ANYWAY | {"": ("open_history",)}),
        (Summary("t", "b"), {"": ("open_history",)}),
    ],
)
def test_a_notification_offers_what_fits_its_pictures(
    summary: Summary, buttons: dict[str, Any], tmp_path: Path
) -> None:
    pressed = press_all(summary, tmp_path)
    assert pressed == buttons
    assert list(pressed) == list(buttons)
