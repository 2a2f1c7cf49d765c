"""Tests on GNOME's Wayland session, without an X display: `python -m pytest tests/real_desktop/wayland.py`.

GNOME Shell runs without a monitor and draws into memory. Pointer and keys are those of its own virtual devices. Run
the tests in the Debian 13 that debian13.sh makes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from integrations.verbs import REMOVE_LABEL
from tests.real_desktop.hosts import GNOME_SETTINGS
from tests.real_desktop.screen import Element, find_element, visible_elements, wait_for_drawing
from tests.real_desktop.session import DRIVER, SYSTEM_PYTHON, Desktop, missing_programs
from tests.real_desktop.suite import assert_done, is_running, pictures
from tests.real_desktop.tray_bus import has_watcher, is_checked, read_menu
from tests.real_desktop.tray_clicks import find_icon
from tests.support.program import wait_for
from watcher.desktop import strings

MISSING = missing_programs("gnome-shell", "nautilus")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

WIDTH, HEIGHT = 1000, 1100  # on a lower screen, GNOME scrolls sub-menus
DEVICES = """
const { Clutter, GLib } = imports.gi;
const seat = global.stage.get_context().get_backend().get_default_seat();
global.nobg = {
    pointer: seat.create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE),
    keyboard: seat.create_virtual_device(Clutter.InputDeviceType.KEYBOARD_DEVICE),
    now: () => GLib.get_monotonic_time(),
};
"""
"""A script for GNOME Shell: devices for pointer and keys."""

PRESSED, RELEASED = 1, 0
LEFT, RIGHT = 1, 3
KEYS = {"Control": 0xFFE3, "Shift": 0xFFE1, "F10": 0xFFC7, "Return": 0xFF0D, "Escape": 0xFF1B}
"""Key symbols by name; those of letters are their codes."""


class WaylandDesktop(Desktop):
    """GNOME's Wayland session."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, openbox=False)
        del self.environment["GDK_BACKEND"]
        self.environment.update(XDG_SESSION_TYPE="wayland", WAYLAND_DISPLAY="wayland-0", QT_QPA_PLATFORM="wayland")

    def _start_display(self) -> None:
        """Start none: GNOME Shell itself is the display."""
        self.environment.pop("DISPLAY", None)

    def _start_windows(self) -> None:
        self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = self.environment["DBUS_SESSION_BUS_ADDRESS"]  # see hosts.py
        for setting in GNOME_SETTINGS:
            self.run("gsettings", "set", *setting).check_returncode()
        monitor = ("--headless", "--virtual-monitor", f"{WIDTH}x{HEIGHT}")
        self.spawn("gnome-shell", "--wayland", *monitor, "--unsafe-mode")
        wait_for(lambda: has_watcher(self))
        wait_for((self.runtime / "wayland-0").exists)
        wait_for(lambda: self.evaluate("Main.layoutManager._startingUp") == "false")
        self.evaluate(f"Main.overview.hide(); {DEVICES}")
        wait_for_drawing(1)

    def call_shell(self, path: str, method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call a method of GNOME Shell."""
        return self.run(
            "gdbus",
            "call",
            "--session",
            "-d",
            "org.gnome.Shell",
            "-o",
            path,
            "-m",
            f"org.gnome.Shell.{method}",
            *arguments,
        )

    def evaluate(self, script: str) -> str:
        """Run a script in GNOME Shell; return its value as JSON, empty if it failed."""
        answer = self.call_shell("/org/gnome/Shell", "Eval", script).stdout.strip()
        return answer.removeprefix("(true, '").removesuffix("')") if answer.startswith("(true") else ""

    def click(self, x: int, y: int, button: int = LEFT) -> None:
        """Click with a button."""
        self.evaluate(f"global.nobg.pointer.notify_absolute_motion(global.nobg.now(), {x}, {y})")
        wait_for_drawing(0.3)
        for state in (PRESSED, RELEASED):
            self.evaluate(f"global.nobg.pointer.notify_button(global.nobg.now(), {button}, {state})")
        wait_for_drawing(1)

    def press(self, *names: str) -> None:
        """Press keys together."""
        symbols = [KEYS.get(name) or ord(name) for name in names]
        for symbol in symbols:
            self.evaluate(f"global.nobg.keyboard.notify_keyval(global.nobg.now(), {symbol}, {PRESSED})")
        for symbol in reversed(symbols):
            self.evaluate(f"global.nobg.keyboard.notify_keyval(global.nobg.now(), {symbol}, {RELEASED})")
        wait_for_drawing(0.5)

    def type_text(self, text: str) -> None:
        """Type a text."""
        for letter in text:
            self.press(letter)

    def click_element(self, element: Element, button: int = LEFT) -> None:
        """Click in the middle of an element of GNOME Shell; applications do not know where their windows are."""
        self.click(element.x + element.width // 2, element.y + element.height // 2, button)

    def take_screenshot(self, name: str) -> Image.Image:
        """Return the screen; also keep it in the folder nobg-tray-shots, as screen.py does."""
        folder = Path("/tmp/nobg-tray-shots")
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.png"
        self.call_shell("/org/gnome/Shell/Screenshot", "Screenshot.Screenshot", "false", "false", str(path))
        with Image.open(path) as image:
            return image.convert("RGB")


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[WaylandDesktop]:
    home = tmp_path / "person"
    home.mkdir()
    with WaylandDesktop(home) as wayland_desktop:
        wayland_desktop.nobg("menu", "install")
        yield wayland_desktop


def start_nobg(desktop: WaylandDesktop, *environment: str) -> None:
    """Start the resident program; wait for its icon."""
    desktop.spawn("/usr/bin/env", *environment, str(Path(sys.executable).with_name("nobg")), "run")
    wait_for(lambda: read_menu(desktop))


def open_menu(desktop: WaylandDesktop) -> None:
    """Open the icon's menu."""
    desktop.click_element(find_icon(desktop), RIGHT)


def test_nautilus_starts_nobg_and_its_icon_appears(desktop: WaylandDesktop, folder: Path) -> None:
    originals = pictures(folder)
    desktop.spawn("nautilus", "--new-window", str(folder))
    wait_for(lambda: [element for element in visible_elements(desktop) if element.name == "Content View"])
    desktop.evaluate("global.get_window_actors().forEach(actor => actor.meta_window.maximize(3))")
    wait_for_drawing(2)
    desktop.click(WIDTH - 60, HEIGHT - 85)
    desktop.press("Control", "a")
    desktop.press("Shift", "F10")
    desktop.take_screenshot("wayland-nautilus")
    result = desktop.run(SYSTEM_PYTHON, str(DRIVER), "nautilus", str(folder), REMOVE_LABEL, "--menu-is-open")
    assert result.returncode == 0, result.stdout
    assert_done(originals)
    assert is_running(desktop)
    wait_for(lambda: read_menu(desktop))
    desktop.take_screenshot("wayland-nautilus-done")


def test_pause_in_the_icons_menu(desktop: WaylandDesktop) -> None:
    start_nobg(desktop)
    open_menu(desktop)
    desktop.take_screenshot("wayland-menu")
    desktop.click_element(find_element(desktop, strings.PAUSE, "menu item", "check menu item"))
    wait_for(lambda: is_checked(desktop, strings.PAUSE))
    assert json.loads(desktop.nobg("status", "--json"))["paused"]


def test_a_folder_is_chosen_in_the_portals_window(desktop: WaylandDesktop, folder: Path) -> None:
    start_nobg(desktop, "PATH=/nowhere")  # neither zenity nor kdialog
    chosen = folder / "new ones"
    chosen.mkdir()
    open_menu(desktop)
    for label in (strings.FOLDERS, strings.ADD_FOLDER):
        desktop.click_element(find_element(desktop, label, "menu item"))
    wait_for(lambda: [element for element in visible_elements(desktop) if element.name == strings.CHOOSE_FOLDER])
    wait_for_drawing(2)
    desktop.take_screenshot("wayland-chooser")
    desktop.press("Control", "l")
    desktop.type_text(os.fspath(chosen))
    wait_for_drawing(1)
    desktop.take_screenshot("wayland-chooser-path")
    desktop.press("Return")
    wait_for_drawing(1)
    desktop.take_screenshot("wayland-chooser-end")
    if str(chosen) not in desktop.nobg("watch", "list"):
        desktop.press("Return")
    wait_for(lambda: str(chosen) in desktop.nobg("watch", "list"))
