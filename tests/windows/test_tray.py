"""The icon on the taskbar of wine's explorer, its menu, and its notifications, by pointer and picture."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.program import ROOT, wait_for
from tests.support.wine_desktop import START_SECONDS, Desktop, box_of_change, desktop, text_rows
from watcher.desktop import strings

pytestmark = pytest.mark.slow

FIRST_LINES = (strings.READY, strings.PAUSE)
"""What the menu begins with."""
MENU_LINES = 10
"""It has more; with fewer, it is still being drawn."""


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Desktop]:
    settings = tmp_path / "home" / "config" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.touch()  # it is not the first start, at which nobg says more
    with desktop(tmp_path / "home") as windows:
        yield windows


def drawing(state: str, size: int = 16) -> Image.Image:
    """Return the drawing of the icon of this size (pixels), on the white taskbar of wine."""
    with Image.open(ROOT / "assets" / "tray" / f"{state}-{size}.png") as picture:
        icon = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", icon.size, "white"), icon).convert("RGB")


def keep(windows: Desktop, name: str) -> Image.Image:
    """Take a screenshot; keep it where NOBG_SCREENSHOTS says, for a person to look at."""
    picture = windows.screenshot()
    if folder := os.environ.get("NOBG_SCREENSHOTS"):
        picture.save(Path(folder) / f"windows-{name}.png")
    return picture


def wait_for_icon(windows: Desktop, state: str, size: int = 16) -> tuple[int, int]:
    """Wait until the taskbar shows the drawing of this state, unstretched. Return where."""
    wait_for(lambda: windows.find(drawing(state, size)), START_SECONDS)
    place = windows.find(drawing(state, size))
    assert place is not None
    return place


def choose_in_menu(windows: Desktop, line: int, name: str) -> None:
    """Open the menu by the right button, and click on this line of it."""
    place = wait_for_icon(windows, "idle")
    before = windows.screenshot()
    windows.click(*place, button=3)
    lines: list[tuple[int, int]] = []

    def is_drawn() -> bool:
        after = windows.screenshot()
        box = box_of_change(before, after)
        if box is not None:
            left, top, right, _ = box
            lines[:] = [((left + right) // 2, top + y) for y in text_rows(after.crop(box))]
        return len(lines) > MENU_LINES

    wait_for(is_drawn, START_SECONDS)
    keep(windows, name)
    windows.click(*lines[line])


def test_pause_in_the_menu_pauses_nobg(windows: Desktop) -> None:
    windows.start_nobg()
    choose_in_menu(windows, FIRST_LINES.index(strings.PAUSE), "menu")
    wait_for_icon(windows, "paused")
    keep(windows, "paused")
    assert json.loads(windows.nobg("status", "--json"))["paused"]


def test_at_200_percent_the_icon_is_sharp(windows: Desktop) -> None:
    windows.enlarge(200)
    windows.start_nobg()
    wait_for_icon(windows, "idle", 32)
    keep(windows, "200-percent")


def test_a_finished_picture_is_announced_beside_the_icon(windows: Desktop, tmp_path: Path) -> None:
    """There are no toasts in wine, so nobg shows a balloon."""
    picture = Path(shutil.copy(ROOT / "assets" / "samples" / "astronaut.jpg", tmp_path / "Ünïcode & photo.jpg"))
    windows.start_nobg()
    wait_for_icon(windows, "idle")
    wait_for(lambda: box_of_change(windows.screenshot(), windows.screenshot()) is None)
    before = windows.screenshot()
    windows.click_in_file_manager(picture)
    assert box_of_change(before, windows.screenshot()) is None
    wait_for(lambda: "Job 1: done" in windows.log(), START_SECONDS)
    wait_for(lambda: box_of_change(before, windows.screenshot()), START_SECONDS)
    box = box_of_change(before, keep(windows, "balloon"))
    assert box is not None
    assert box[0] > 512  # beside the icon
    assert (tmp_path / "Ünïcode & photo_nobg.png").is_file()
