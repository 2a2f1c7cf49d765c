#!/usr/bin/python3
"""One visit to a real file manager: open a folder, select all, open the menu, go to an item by its label.

Session.py calls it, inside a desktop of its own. The system's Python runs it, since `gi` is there and in no venv. Only
items that are to be seen are found; so what it can click, a person can. Exit codes: 0 done, 1 the item is not there
(with --absent: it is), 2 the file manager or its menu did not appear.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

Found = TypeVar("Found")


@dataclass(frozen=True)
class Manager:
    """How one file manager is driven. `menu_key` opens the menu of what is selected."""

    command: tuple[str, ...]
    menu_key: str = "shift+F10"
    environment: dict[str, str] = field(default_factory=dict)


MANAGERS = {
    "nautilus": Manager(("nautilus", "--new-window")),
    "nemo": Manager(("nemo", "--no-desktop")),
    "caja": Manager(("caja", "--no-desktop", "--browser")),
    "thunar": Manager(("thunar",)),
    # GTK 2 comes to the accessibility bus with these modules alone (packages libgail-common, libatk-adaptor).
    "pcmanfm": Manager(("pcmanfm", "--no-desktop"), environment={"GTK_MODULES": "gail:atk-bridge"}),
    "dolphin": Manager(("dolphin", "--new-window"), menu_key="Menu"),
}


@dataclass(frozen=True)
class Window:
    """On the screen, in pixels."""

    number: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Item:
    """Of a menu. `place`: child numbers from the application down; `node`: what AT-SPI knows of it."""

    place: tuple[int, ...]
    label: str
    node: Any


def main() -> int:
    """As the module says."""
    options = _options()
    manager = MANAGERS[options.manager]
    with _running(manager, options.folder):
        if not _until(lambda: _window(options.manager), 40):
            print("the file manager did not appear")
            return 2
        _fill_screen(options.manager)
        time.sleep(2.5)  # nothing tells when it has read its folder
        window = _window(options.manager)
        if window is None:
            print("the file manager went away")
            return 2
        _open_menu(manager, window)
        if options.keys:
            return _press(options)
        menu = _Menu(options.manager)
        if not _until(menu.shown, 10):
            print("the menu did not appear")
            return 2
        return _refuse(menu, options.item) if options.absent else _click(menu, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manager", choices=MANAGERS)
    parser.add_argument("folder")
    parser.add_argument("item", help="its label, those of the sub-menus before it, with / between them")
    parser.add_argument("--absent", action="store_true", help="succeed only if it is not in the menu")
    parser.add_argument("--keys", help="press these in the open menu, where it is not on the accessibility bus")
    parser.add_argument("--shot", help="instead of clicking the item, save a picture of the screen here")
    return parser.parse_args()


@contextlib.contextmanager
def _running(manager: Manager, folder: str) -> Iterator[None]:
    environment = {**os.environ, **manager.environment}
    process = subprocess.Popen([*manager.command, folder], stdout=subprocess.DEVNULL, env=environment)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _window(manager: str) -> Window | None:
    """The file manager's own; the smaller ones of its class are no windows for people."""
    for number in reversed(_xdotool("search", "--onlyvisible", "--class", manager).split()):
        lines = _xdotool("getwindowgeometry", "--shell", number).splitlines()
        values = dict(line.split("=") for line in lines if "=" in line)
        if int(values.get("WIDTH", 0)) > 200:
            return Window(number, *(int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")))
    return None


def _fill_screen(manager: str) -> None:
    """The window manager makes all others do so; Nautilus has its own mind."""
    window = _window(manager)
    if window is not None:
        _xdotool("windowsize", window.number, "100%", "100%", "windowmove", window.number, "0", "0")


def _open_menu(manager: Manager, window: Window) -> None:
    """Keys that come too early are lost, and nothing tells when it is time: so the sleeps."""
    _xdotool("windowactivate", "--sync", window.number)
    # The view has the keyboard only after a click into it; at its bottom right it is empty.
    x, y = window.x + window.width - 60, window.y + window.height - 85
    _xdotool("mousemove", str(x), str(y), "click", "1")
    time.sleep(0.6)
    _xdotool("key", "ctrl+a")
    time.sleep(0.8)
    _xdotool("key", manager.menu_key)
    time.sleep(0.8)


def _press(options: argparse.Namespace) -> int:
    *way, last = options.keys.split()
    time.sleep(0.7)
    for key in way:
        _xdotool("key", key)
        time.sleep(0.4)
    if options.shot:
        return _shoot(options.shot)
    _xdotool("key", last)
    time.sleep(2)
    return 0


def _click(menu: _Menu, options: argparse.Namespace) -> int:
    *ways, last = options.item.split("/")
    before: set[tuple[int, ...]] = set()
    for label in ways:
        now = {item.place for item in menu.shown()}
        if not menu.click(label, before):
            return 1
        before = now
    if options.shot:
        return _shoot(options.shot)
    clicked = menu.click(last, before)
    time.sleep(1)  # the file manager has something to do before it may end
    return 0 if clicked else 1


def _refuse(menu: _Menu, label: str) -> int:
    time.sleep(1)  # it might still come
    labels = [item.label for item in menu.shown()]
    print(f"in the menu: {labels}")
    return int(label in labels)


class _Menu:
    """The open menu of a file manager, as the accessibility bus tells of it."""

    def __init__(self, manager: str) -> None:
        importlib.import_module("gi").require_version("Atspi", "2.0")
        self.atspi: Any = importlib.import_module("gi.repository.Atspi")
        self.manager = manager
        roles = self.atspi.Role
        self.items = {roles.MENU_ITEM, roles.CHECK_MENU_ITEM, roles.RADIO_MENU_ITEM, roles.MENU}
        # Files are cells or icons: many, and no menus below them. The menu bar holds the same labels again.
        self.passed_by = {roles.MENU_BAR, roles.TABLE_CELL, roles.ICON}

    def shown(self) -> list[Item]:
        """What is to be seen of it and of its open sub-menus; empty as long as it is not there."""
        desktop = self.atspi.get_desktop(0)
        applications = [desktop.get_child_at_index(number) for number in range(desktop.get_child_count())]
        found: list[Item] = []
        for number, application in enumerate(applications):
            if application is not None and self.manager in (application.get_name() or "").lower():
                found += self._below(application, (number,))
        return found

    def _below(self, node: Any, place: tuple[int, ...]) -> Iterator[Item]:
        try:
            if node.get_role() in self.passed_by:
                return
            label = (node.get_name() or "").strip()
            if node.get_role() in self.items and label and self._is_to_be_seen(node):
                yield Item(place, label, node)
            for number in range(node.get_child_count()):
                child = node.get_child_at_index(number)
                if child is not None:
                    yield from self._below(child, (*place, number))
        except importlib.import_module("gi.repository.GLib").Error:  # it has just gone
            return

    def _is_to_be_seen(self, node: Any) -> bool:
        """GTK 3 keeps what is filtered out on the bus, and says so; GTK 4 never does, but what it hides has no size."""
        if node.get_state_set().contains(self.atspi.StateType.SHOWING):
            return True
        size = node.get_extents(self.atspi.CoordType.WINDOW)
        return bool(size.width > 1 and size.height > 1)

    def click(self, label: str, before: set[tuple[int, ...]]) -> bool:
        """Click the item that has this label and was not to be seen before: sub-menus may repeat labels.

        There must be one, not two between which a person could not choose.
        """

        def look() -> list[Item] | None:
            return [item for item in self.shown() if item.label == label and item.place not in before] or None

        found = _until(look, 5)
        if found is None or len(found) > 1:
            print(
                f"{'no' if found is None else 'several'} {label!r} in the menu: {[item.label for item in self.shown()]}"
            )
            return False
        found[0].node.do_action(0)
        return True


def _shoot(path: str) -> int:
    time.sleep(1)  # menus fade in
    return subprocess.run(["scrot", "-o", path], check=False).returncode


def _until(look: Callable[[], Found], seconds: float) -> Found:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def _xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
