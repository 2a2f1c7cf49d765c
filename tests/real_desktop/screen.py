"""The screen of a test's desktop: read what is on it, use mouse and keyboard, take screenshots."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from tests.real_desktop.session import SYSTEM_PYTHON, Desktop
from tests.support.program import ROOT, wait_for

PANEL_HEIGHT = 32  # pixels; no panel here is higher, and their clocks change

READ_SCREEN = '''
import json, gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib

def label_in(node):
    """GNOME's menu items have no names. They contain labels; the last one is the text of the item."""
    children = [node.get_child_at_index(number) for number in range(node.get_child_count())]
    labels = [child.get_name() for child in children if child is not None and child.get_role_name() == "label"]
    return labels[-1] if labels and node.get_role_name() == "menu item" else ""

def below(node):
    try:
        states = node.get_state_set()
        if states.contains(Atspi.StateType.SHOWING):
            box = node.get_extents(Atspi.CoordType.SCREEN)
            checked = states.contains(Atspi.StateType.CHECKED)
            name = node.get_name() or label_in(node)
            yield node.get_role_name(), name, box.x, box.y, box.width, box.height, checked
    except GLib.Error:
        pass
    try:
        for number in range(node.get_child_count()):
            child = node.get_child_at_index(number)
            if child is not None:
                yield from below(child)
    except GLib.Error:
        return

print(json.dumps(list(below(Atspi.get_desktop(0)))))
'''
"""A script for the system's Python. It prints every element that the accessibility bus reports on the screen."""


@dataclass(frozen=True)
class Element:
    """Something on the screen; in pixels."""

    role: str
    name: str
    x: int
    y: int
    width: int
    height: int
    checked: bool


def visible_elements(desktop: Desktop) -> list[Element]:
    """Return every element on the screen; none if the accessibility bus does not answer."""
    result = desktop.run(SYSTEM_PYTHON, "-c", READ_SCREEN)
    return [Element(*values) for values in json.loads(result.stdout)] if result.returncode == 0 else []


def find_element(desktop: Desktop, name: str, *roles: str, seconds: float = 10) -> Element:
    """Return the only element with this name and one of these roles; wait until it appears."""
    matches: list[Element] = []

    def has_match() -> bool:
        matches[:] = [
            element for element in visible_elements(desktop) if element.name == name and element.role in roles
        ]
        return bool(matches)

    wait_for(has_match, seconds)
    assert len(matches) == 1, matches
    return matches[0]


def click_element(desktop: Desktop, element: Element, button: int = 1) -> None:
    """Click in the middle of the element."""
    click_at(desktop, element.x + element.width // 2, element.y + element.height // 2, button)


def click_at(desktop: Desktop, x: int, y: int, button: int) -> None:
    """Click with this mouse button."""
    desktop.run("xdotool", "mousemove", str(x), str(y), "click", str(button)).check_returncode()
    wait_for_drawing(1)


def press_key(desktop: Desktop, name: str) -> None:
    """Press a key, named as xdotool names it."""
    desktop.run("xdotool", "key", name).check_returncode()
    wait_for_drawing(0.2)


def type_text(desktop: Desktop, text: str) -> None:
    """Type the text."""
    desktop.run("xdotool", "type", "--delay", "40", text).check_returncode()


def wait_for_drawing(seconds: float) -> None:
    """Wait this long: nothing signals that the screen has been drawn."""
    time.sleep(seconds)


def take_screenshot(desktop: Desktop, name: str) -> Image.Image:
    """Return the screen as RGB; also keep it in the folder nobg-tray-shots, for a person who investigates a failure."""
    folder = Path(tempfile.gettempdir()) / "nobg-tray-shots"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    desktop.run("scrot", "-o", str(path)).check_returncode()
    with Image.open(path) as image:
        return image.convert("RGB")


def wait_for_change(desktop: Desktop, before: Image.Image, name: str) -> Image.Image:
    """Wait until something appears below the panel and is drawn; return the screen with it."""

    def has_changed() -> bool:
        current = take_screenshot(desktop, name)
        below_panel = (0, PANEL_HEIGHT, *current.size)
        return difference_box(before.crop(below_panel), current.crop(below_panel)) is not None

    wait_for(has_changed, 300)
    wait_for_drawing(1)
    return take_screenshot(desktop, name)


def difference_box(first: Image.Image, second: Image.Image) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of the part that differs; None if the images are equal."""
    return ImageChops.difference(first, second).getbbox()


def appeared_box(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what has appeared below the panel."""
    below_panel = (0, PANEL_HEIGHT, *after.size)
    box = difference_box(before.crop(below_panel), after.crop(below_panel))
    assert box, "nothing has appeared"
    left, top, right, bottom = box
    return left, top + PANEL_HEIGHT, right, bottom + PANEL_HEIGHT


def save_appeared(before: Image.Image, after: Image.Image, destination: Path, *, with_panel: bool = False) -> None:
    """Save what has appeared below the panel, with a small margin and, on request, with the panel above it."""
    left, top, right, bottom = appeared_box(before, after)
    box = (
        max(0, left - 12),
        0 if with_panel else max(PANEL_HEIGHT, top - 12),
        min(after.width, right + 12),
        min(after.height, bottom + 12),
    )
    destination.parent.mkdir(exist_ok=True)
    after.crop(box).quantize(128).save(destination, optimize=True)
    print(f"{destination.relative_to(ROOT)}: {destination.stat().st_size // 1024} KB")
