"""Make docs/pictures/touch-up.png, touch-up-dark.png and review.png: `python -m tests.real_desktop.editor_shots`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.conftest import SAMPLES
from tests.real_desktop.painting import Painter
from tests.real_desktop.screen import find_element, wait_for_drawing
from tests.real_desktop.session import Desktop
from tests.support.program import ROOT

SIZE = "1280x800"
PHOTO_SIZE = (512, 512)
HAIR = ((166, 150), (152, 110), (156, 70), (180, 40), (214, 20))
HELMET = ((330, 362), (396, 352), (446, 366), (480, 410), (500, 470))
"""Strokes on the astronaut."""
BATCH = {
    "lift-off": ("rocket", (200, 0, 500, 427)),
    "shore": ("rocket", (0, 200, 640, 427)),
    "breakfast": ("coffee", (300, 50, 600, 350)),
    "whiskers": ("chelsea", (0, 0, 230, 300)),
    "portrait": ("astronaut", (120, 0, 420, 260)),
}
"""Photos of which nobg doubts most cut-outs: name -> the sample and a part of it."""


def main() -> None:
    """Make the three screenshots."""
    for name, theme in (("touch-up", "Adwaita"), ("touch-up-dark", "Adwaita:dark")):
        with tempfile.TemporaryDirectory() as folder, Desktop(Path(folder), size=SIZE) as desktop:
            desktop.environment["GTK_THEME"] = theme
            _paint(desktop, is_dark=name.endswith("dark"))
            _save_screenshot(desktop, name)
    with tempfile.TemporaryDirectory() as folder, Desktop(Path(folder), size=SIZE) as desktop:
        desktop.environment["GTK_THEME"] = "Adwaita"
        _review(desktop)
        _save_screenshot(desktop, "review")


def _paint(desktop: Desktop, *, is_dark: bool) -> None:
    """Open the window and paint half a stroke: over a helmet, or along hair."""
    photo = Path(shutil.copy(SAMPLES / "astronaut.jpg", desktop.home / "portrait.jpg"))
    desktop.spawn(sys.executable, "-m", "watcher", "edit", str(photo))
    painter = Painter(desktop, photo, PHOTO_SIZE)
    painter.wait_until_idle()
    if is_dark:
        painter.press("h")
        painter.turn_wheel((240, 40), 4)
        wait_for_drawing(3)
        painter.paint(*HAIR, release=False)
    else:
        painter.turn_wheel((256, 256), 1)
        wait_for_drawing(2)
        painter.paint(*HELMET, release=False)


def _review(desktop: Desktop) -> None:
    """Cut a batch out, and open the grid of those that want a look."""
    for name, (sample, box) in BATCH.items():
        with Image.open(SAMPLES / f"{sample}.jpg") as image:
            image.crop(box).save(desktop.home / f"{name}.jpg", quality=92)
    desktop.nobg("remove", "--force", *(str(desktop.home / f"{name}.jpg") for name in BATCH))
    desktop.spawn(sys.executable, "-m", "watcher", "review")
    find_element(desktop, "Which want a look?", "label", "heading", seconds=60)
    wait_for_drawing(20)  # nothing signals that all thumbnails are here


def _save_screenshot(desktop: Desktop, name: str) -> None:
    wait_for_drawing(1)
    screenshot = desktop.runtime / "screenshot.png"
    desktop.run("import", "-window", "root", str(screenshot)).check_returncode()
    destination = ROOT / "docs" / "pictures" / f"{name}.png"
    with Image.open(screenshot) as image:
        image.convert("RGB").quantize(256).save(destination, optimize=True)
    print(f"{destination.relative_to(ROOT)}: {destination.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
