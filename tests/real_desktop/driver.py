#!/usr/bin/python3
"""Drive a real file manager once: open a folder, select everything, open the menu, find an item by its label.

session.py runs this script inside a desktop of its own, with the system's Python, since `gi` is in no venv. It finds
only visible items, so a person can click whatever it clicks. Exit codes: 0 done, 1 the item is not in the menu (with
--absent: it is), 2 the file manager or its menu did not appear.
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

Result = TypeVar("Result")


@dataclass(frozen=True)
class Manager:
    """How to drive a file manager. `menu_key` opens the menu of the selection. `is_qt`: its menu is one of Qt 6."""

    command: tuple[str, ...]
    menu_key: str = "shift+F10"
    is_qt: bool = False
    environment: dict[str, str] = field(default_factory=dict)


MANAGERS = {
    "nautilus": Manager(("nautilus", "--new-window")),
    "nemo": Manager(("nemo", "--no-desktop")),
    "caja": Manager(("caja", "--no-desktop", "--browser")),
    "thunar": Manager(("thunar",)),
    # GTK 2 (up to 1.3) is on the accessibility bus only with these modules: packages libgail-common, libatk-adaptor.
    "pcmanfm": Manager(("pcmanfm", "--no-desktop"), environment={"GTK_MODULES": "gail:atk-bridge"}),
    "pcmanfm-qt": Manager(("pcmanfm-qt",), menu_key="Menu", is_qt=True),
    "dolphin": Manager(("dolphin", "--new-window"), menu_key="Menu", is_qt=True),
}


@dataclass(frozen=True)
class Window:
    """A window; position and size in pixels. `number` is its X window id."""

    number: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Item:
    """An item of a menu. `path`: child numbers from the application down; `node`: the AT-SPI object."""

    path: tuple[int, ...]
    label: str
    node: Any


def main() -> int:
    """Drive the file manager; return the exit code."""
    options = _options()
    if options.menu_is_open:
        return _use_menu(options)
    manager = MANAGERS[options.manager]
    with _running(manager, options.folder):
        if not _wait_until(lambda: _find_window(options.manager), 40):
            print("the file manager did not appear")
            return 2
        _fill_screen(options.manager)
        time.sleep(2.5)  # nothing signals that it has read its folder
        window = _find_window(options.manager)
        if window is None:
            print("the file manager has ended")
            return 2
        if manager.is_qt:
            qt_menu = _QtMenu()
            _open_menu(manager, window)
            return _walk(qt_menu, options)
        _open_menu(manager, window)
        return _use_menu(options)


def _use_menu(options: argparse.Namespace) -> int:
    menu = _Menu(options.manager)
    if not _wait_until(menu.visible_items, 10):
        print("the menu did not appear")
        return 2
    return _check_absent(menu, options.item) if options.absent else _click(menu, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manager", choices=MANAGERS)
    parser.add_argument("folder")
    parser.add_argument("item", help="the item's label, after those of its sub-menus, separated by /")
    parser.add_argument("--absent", action="store_true", help="succeed only if the item is not in the menu")
    parser.add_argument("--menu-is-open", action="store_true", help="the file manager runs, and its menu is open")
    parser.add_argument("--screenshot", help="instead of clicking the item, save a screenshot here")
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


def _find_window(manager: str) -> Window | None:
    """Return the file manager's window. Smaller windows of its class are not visible to people."""
    for number in reversed(_xdotool("search", "--onlyvisible", "--class", manager).split()):
        lines = _xdotool("getwindowgeometry", "--shell", number).splitlines()
        values = dict(line.split("=") for line in lines if "=" in line)
        if int(values.get("WIDTH", 0)) > 200:
            return Window(number, *(int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")))
    return None


def _fill_screen(manager: str) -> None:
    """Maximise the window: Nautilus ignores the window manager's setting, which the others follow."""
    window = _find_window(manager)
    if window is not None:
        _xdotool("windowsize", window.number, "100%", "100%", "windowmove", window.number, "0", "0")


def _open_menu(manager: Manager, window: Window) -> None:
    """Select everything and open the menu. Early keys are lost and nothing signals readiness, hence the sleeps."""
    _xdotool("windowactivate", "--sync", window.number)
    # The view has the keyboard focus only after a click into it; its bottom right is empty.
    x, y = window.x + window.width - 60, window.y + window.height - 85
    _xdotool("mousemove", str(x), str(y), "click", "1")
    time.sleep(0.6)
    _xdotool("key", "ctrl+a")
    time.sleep(0.8)
    _xdotool("key", manager.menu_key)
    time.sleep(0.8)


def _click(menu: _Menu, options: argparse.Namespace) -> int:
    *submenu_labels, last_label = options.item.split("/")
    paths_before: set[tuple[int, ...]] = set()
    for label in submenu_labels:
        current_paths = {item.path for item in menu.visible_items()}
        if not menu.click(label, paths_before):
            return 1
        paths_before = current_paths
    if options.screenshot:
        return _take_screenshot(options.screenshot)
    clicked = menu.click(last_label, paths_before)
    time.sleep(1)  # the file manager must start the command before it ends
    return 0 if clicked else 1


def _walk(menu: _QtMenu, options: argparse.Namespace) -> int:
    """Go to the item with the arrow keys, and choose it, as `_click` does."""
    if options.absent:
        labels = menu.all_labels()
        print(f"in the menu: {labels}")
        return 2 if not labels else int(options.item in labels)
    *submenu_labels, last_label = options.item.split("/")
    for label in submenu_labels:
        if not menu.go(label):
            return 1
        menu.press("Right")
    if options.screenshot:
        return _take_screenshot(options.screenshot)
    if not menu.go(last_label):
        return 1
    menu.press("Return")
    time.sleep(2)  # as above
    return 0


def _check_absent(menu: _Menu, label: str) -> int:
    time.sleep(1)  # the item might still appear
    labels = [item.label for item in menu.visible_items()]
    print(f"in the menu: {labels}")
    return int(label in labels)


class _Menu:
    """The open menu of a file manager, as the accessibility bus reports it."""

    def __init__(self, manager: str) -> None:
        importlib.import_module("gi").require_version("Atspi", "2.0")
        self.atspi: Any = importlib.import_module("gi.repository.Atspi")
        self.manager = manager
        roles = self.atspi.Role
        self.item_roles = {roles.MENU_ITEM, roles.CHECK_MENU_ITEM, roles.RADIO_MENU_ITEM, roles.MENU}
        # Files are cells or icons: there are many, without menus below them. The menu bar repeats the labels.
        self.skipped_roles = {roles.MENU_BAR, roles.TABLE_CELL, roles.ICON}

    def visible_items(self) -> list[Item]:
        """Return the visible items of the menu and its open sub-menus; none until the menu has opened."""
        desktop = self.atspi.get_desktop(0)
        applications = [desktop.get_child_at_index(number) for number in range(desktop.get_child_count())]
        items: list[Item] = []
        for number, application in enumerate(applications):
            if application is not None and self.manager in (application.get_name() or "").lower():
                items += self._items_below(application, (number,))
        return items

    def _items_below(self, node: Any, path: tuple[int, ...]) -> Iterator[Item]:
        try:
            if node.get_role() in self.skipped_roles:
                return
            if node.get_role() in self.item_roles and (label := self._label(node)) and self._is_visible(node):
                yield Item(path, label, node)
            for number in range(node.get_child_count()):
                child = node.get_child_at_index(number)
                if child is not None:
                    yield from self._items_below(child, (*path, number))
        except importlib.import_module("gi.repository.GLib").Error:  # the node has just disappeared
            return

    def _label(self, node: Any) -> str:
        """Return an item's label. From GTK 4.18 on, items have no names; each refers to a label, which has a text."""
        if name := (node.get_name() or "").strip():
            return str(name)
        for relation in node.get_relation_set():
            if relation.get_relation_type() == self.atspi.RelationType.LABELLED_BY:
                label, text = relation.get_target(0), self.atspi.Text
                return str(text.get_text(label, 0, text.get_character_count(label))).strip()
        return ""

    def _is_visible(self, node: Any) -> bool:
        """Return whether a person can see the node.

        GTK 3 keeps hidden items on the bus without the state SHOWING. GTK 4 never sets it, but its hidden items have no
        size.
        """
        if node.get_state_set().contains(self.atspi.StateType.SHOWING):
            return True
        size = node.get_extents(self.atspi.CoordType.WINDOW)
        return bool(size.width > 1 and size.height > 1)

    def click(self, label: str, paths_before: set[tuple[int, ...]]) -> bool:
        """Click the item with this label that was not visible before: sub-menus may repeat labels.

        Return False unless there is exactly one: a person could not choose between two.
        """

        def find_matches() -> list[Item]:
            return [item for item in self.visible_items() if item.label == label and item.path not in paths_before]

        matches = _wait_until(find_matches, 5)
        if len(matches) != 1:
            labels = [item.label for item in self.visible_items()]
            print(f"{'several' if matches else 'no'} {label!r} in the menu: {labels}")
            return False
        matches[0].node.do_action(0)
        return True


class _QtMenu:
    """The open menu of a file manager in Qt 6.

    It is not in the tree of the accessibility bus, which reports only the item that the arrow keys have reached.
    """

    def __init__(self) -> None:
        """Listen. Do this before the menu opens."""
        importlib.import_module("gi").require_version("Atspi", "2.0")
        atspi = importlib.import_module("gi.repository.Atspi")
        self._context = importlib.import_module("gi.repository.GLib").MainContext.default()
        self._label = ""
        self._listener = atspi.EventListener.new(self._on_focus)
        self._listener.register("object:state-changed:focused")

    def _on_focus(self, event: Any) -> None:
        if event.detail1:
            self._label = (event.source.get_name() or "").strip()

    def press(self, key: str) -> str:
        """Press a key; return the label of the item that is reached; empty if none is."""
        self._pump()
        self._label = ""
        _xdotool("key", key)
        return _wait_until(self._pump, 3)

    def _pump(self) -> str:
        while self._context.iteration(False):
            pass
        return self._label

    def all_labels(self) -> list[str]:
        """Return the labels of the menu from the first one to the last one."""
        labels: list[str] = []
        while (label := self.press("Down")) and label not in labels:
            labels.append(label)
        return labels

    def go(self, label: str) -> bool:
        """Go to the item with this label; return False if there is none."""
        passed: list[str] = []
        current = self._label or self.press("Down")
        while current != label:
            if not current or current in passed:
                print(f"no {label!r} in the menu: {passed}")
                return False
            passed.append(current)
            current = self.press("Down")
        return True


def _take_screenshot(path: str) -> int:
    time.sleep(1)  # menus fade in
    return subprocess.run(["scrot", "-o", path], check=False).returncode


def _wait_until(check: Callable[[], Result], seconds: float) -> Result:
    """Return the first true result of `check`, or its last result when the time is over."""
    deadline = time.monotonic() + seconds
    while not (result := check()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return result


def _xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
