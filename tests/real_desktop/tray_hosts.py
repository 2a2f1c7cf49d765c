"""Test the icon and the notifications on real desktops: `python -m tests.real_desktop.tray_hosts [CASE…]`.

Each case starts a desktop of its own, processes real pictures and makes real clicks. It also makes the
screenshots for the documentation.

apt-get install --no-install-recommends xfce4-panel xfce4-notifyd gnome-shell gnome-shell-extension-appindicator \
  gjs dunst suckless-tools zenity scrot
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import SAMPLES
from tests.real_desktop.screen import (
    PANEL_HEIGHT,
    Element,
    appeared_box,
    click_at,
    click_element,
    difference_box,
    find_element,
    press_key,
    save_appeared,
    take_screenshot,
    type_text,
    visible_elements,
    wait_for_change,
    wait_for_drawing,
)
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.tray_bus import has_owner, has_watcher, is_checked, read_menu
from tests.support.program import ROOT, wait_for
from watcher.desktop import strings

SCREENSHOTS = ROOT / "docs" / "pictures" / "tray"
NOTIFYD = "/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd"
FOLDERS = ("Shop", "Holiday")
"""The watched folders, in the person's Pictures."""

SAMPLE_NAMES = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")
BUTTON_ROLES = ("push button", "button")
"""What older and newer accessibility buses call a button."""

XFCE_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/><property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property></property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/></property>
    <property name="plugin-2" type="string" value="clock"/>
  </property>
</channel>
"""
"""Settings of Xfce's panel: along the upper edge, with the plug-in for icons first."""

GNOME_BANNERS = ("org.gnome.desktop.notifications", "show-banners")
GNOME_SETTINGS = (
    ("org.gnome.shell", "enabled-extensions", "['ubuntu-appindicators@ubuntu.com']"),
    ("org.gnome.shell", "disable-user-extensions", "false"),
    ("org.gnome.shell", "welcome-dialog-last-shown-version", "'99'"),
    ("org.gnome.desktop.interface", "enable-animations", "false"),
    (*GNOME_BANNERS, "false"),  # GNOME shows notifications of its own at the start
)


def main(names: list[str]) -> int:
    """Run the named cases, or all. Return 1 if a case failed."""
    failed = []
    for name, case in CASES.items():
        if names and name not in names:
            continue
        print(f"== {name}", flush=True)
        try:
            case()
        except Exception:  # noqa: BLE001  run the other cases, too
            traceback.print_exc()
            failed.append(name)
    print("failed:", ", ".join(failed) or "none")
    return int(bool(failed))


# Cases


def xfce() -> None:
    """Test the icon in the panel of Xfce."""
    with _desktop(_start_xfce, "xfce4-panel") as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, _KeyboardMenu(desktop), "xfce")
        _restart_panel(desktop)


def gnome() -> None:
    """Test the icon in GNOME Shell with the extension for icons."""
    with _desktop(_start_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, _PointerMenu(desktop), "gnome")


def dunst() -> None:
    """Test notifications in dunst, for bare window managers: choose Undo in its menu, which dmenu shows."""
    with _desktop(_start_dunst, "dunst", "dmenu") as desktop:
        _start_nobg(desktop)
        before = take_screenshot(desktop, "dunst-before")
        batch = _drop_samples(desktop)
        after = wait_for_change(desktop, before, "dunst")
        save_appeared(before, after, SCREENSHOTS / "dunst.png")
        desktop.spawn("dunstctl", "context")  # as Ctrl+Shift+. does in dunst's former default configuration
        wait_for_drawing(1)
        take_screenshot(desktop, "dunst-menu")
        type_text(desktop, strings.UNDO)
        press_key(desktop, "Return")
        _assert_undone(desktop, batch)
        take_screenshot(desktop, "dunst-undone")


def xfce_notification() -> None:
    """Test notifications in Xfce: click the button Undo."""
    with _desktop(_start_xfce, "xfce4-panel") as desktop:
        _start_nobg(desktop)
        before = take_screenshot(desktop, "xfce-notification-before")
        batch = _drop_samples(desktop)
        after = wait_for_change(desktop, before, "xfce-notification")
        save_appeared(before, after, SCREENSHOTS / "xfce-notification.png")
        click_element(desktop, find_element(desktop, strings.UNDO, *BUTTON_ROLES))
        _assert_undone(desktop, batch)
        wait_for_drawing(1)
        take_screenshot(desktop, "xfce-notification-undone")


def gnome_notification() -> None:
    """Test notifications in GNOME, which shows their buttons when the pointer is over them."""
    with _desktop(_start_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
        _start_nobg(desktop)
        desktop.run("gsettings", "set", *GNOME_BANNERS, "true").check_returncode()
        before = take_screenshot(desktop, "gnome-notification-before")
        batch = _drop_samples(desktop)
        after = wait_for_change(desktop, before, "gnome-notification")
        left, top, _, _ = appeared_box(before, after)
        desktop.run("xdotool", "mousemove", str(left + 20), str(top + 20))
        undo = find_element(desktop, strings.UNDO, *BUTTON_ROLES)
        wait_for_drawing(0.5)
        save_appeared(before, take_screenshot(desktop, "gnome-notification"), SCREENSHOTS / "gnome-notification.png")
        click_element(desktop, undo)
        _assert_undone(desktop, batch)
        wait_for_drawing(1)
        take_screenshot(desktop, "gnome-notification-undone")


def chooser() -> None:
    """Test Add folder… in Xfce, with zenity."""
    with _desktop(_start_xfce, "xfce4-panel", "zenity") as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        wait_for_drawing(2)  # the panel has the icon on the bus before it shows it
        new_folder = desktop.home / "Pictures" / "New ones"
        new_folder.mkdir()
        menu = _KeyboardMenu(desktop)
        menu.open()
        menu.click(strings.FOLDERS, strings.ADD_FOLDER)
        wait_for(lambda: [element for element in visible_elements(desktop) if element.name == strings.CHOOSE_FOLDER])
        wait_for_drawing(1)
        press_key(desktop, "ctrl+l")
        type_text(desktop, str(new_folder))
        wait_for_drawing(1)
        take_screenshot(desktop, "chooser")
        press_key(desktop, "Return")
        wait_for_drawing(1)
        if [element for element in visible_elements(desktop) if element.name == strings.CHOOSE_FOLDER]:
            press_key(desktop, "Return")  # the first Return accepted the completion of the path
        wait_for(lambda: str(new_folder) in desktop.nobg("watch", "list"))
        menu.open()
        menu.go(strings.FOLDERS)
        take_screenshot(desktop, "chooser-menu")


CASES: dict[str, Callable[[], None]] = {
    "xfce": xfce,
    "gnome": gnome,
    "dunst": dunst,
    "xfce-notification": xfce_notification,
    "gnome-notification": gnome_notification,
    "chooser": chooser,
}


# Steps of the cases


def _menu_and_toggle(desktop: Desktop, menu: _KeyboardMenu | _PointerMenu, name: str) -> None:
    """Open the menu, click Pause, and check that its mark follows both the click and the command line."""
    before = take_screenshot(desktop, f"{name}-icon")
    menu.open()
    first = take_screenshot(desktop, f"{name}-menu")
    menu.go(strings.FOLDERS)
    save_appeared(
        before, take_screenshot(desktop, f"{name}-sub-menu"), SCREENSHOTS / f"{name}-menu.png", with_panel=True
    )
    menu.leave()
    menu.open()
    menu.click(strings.PAUSE)
    wait_for(lambda: _status(desktop)["paused"])
    menu.open()
    paused = take_screenshot(desktop, f"{name}-menu-paused")
    assert menu.is_checked(strings.PAUSE)
    desktop.nobg("resume")
    command_ended = time.monotonic()
    wait_for(lambda: not is_checked(desktop, strings.PAUSE), 5)
    print(f"the open menu is updated {time.monotonic() - command_ended:.1f} s after the command has ended")
    wait_for_drawing(0.5)
    assert not menu.is_checked(strings.PAUSE)
    last = take_screenshot(desktop, f"{name}-menu-resumed")
    menu.leave()
    below = (0, PANEL_HEIGHT, *first.size)
    left, *_ = appeared_box(before, first)
    marks = (left, PANEL_HEIGHT, left + 28, first.height)  # the column of the check marks, without the labels
    assert difference_box(first.crop(marks), paused.crop(marks)), "the check mark is not visible"
    assert not difference_box(first.crop(below), last.crop(below)), "the menu is not as it was at first"


def _restart_panel(desktop: Desktop) -> None:
    """Kill the panel and start it again: the icon comes back."""
    for process in desktop.processes():
        with contextlib.suppress(psutil.Error):
            if process.name() in ("xfce4-panel", "wrapper-2.0"):
                process.kill()
    wait_for(lambda: not has_watcher(desktop))
    wait_for_drawing(1)
    without_panel = take_screenshot(desktop, "xfce-killed")
    started = time.monotonic()
    desktop.spawn("xfce4-panel", "--disable-wm-check")
    wait_for(lambda: has_watcher(desktop))
    host_ready = time.monotonic()
    wait_for(lambda: read_menu(desktop))
    icon_back = time.monotonic()
    print(f"the new panel takes icons after {host_ready - started:.2f} s")
    print(f"nobg's icon comes {icon_back - host_ready:.2f} s later")
    wait_for_drawing(1.5)
    after = take_screenshot(desktop, "xfce-restarted")
    assert difference_box(without_panel, after)
    assert len(after.crop((2, 2, 30, 29)).getcolors(1000) or ()) > 5, "no icon is visible"


def _drop_samples(desktop: Desktop) -> list[Path]:
    """Copy some samples into a watched folder; return where their cut-outs will be."""
    folder = desktop.home / "Pictures" / FOLDERS[1]
    for name in SAMPLE_NAMES:
        shutil.copy(SAMPLES / name, folder)
    return [folder / name.replace(".jpg", "_nobg.png") for name in SAMPLE_NAMES]


def _assert_undone(desktop: Desktop, batch: Sequence[Path]) -> None:
    """Check that the cut-outs are in the trash and the originals in place."""
    wait_for(lambda: not any(path.exists() for path in batch))
    trash = desktop.home / ".local" / "share" / "Trash" / "files"
    assert {path.name for path in trash.iterdir()} == {path.name for path in batch}
    assert all(path.with_name(path.name.replace("_nobg.png", ".jpg")).exists() for path in batch)
    print(f"{len(batch)} cut-outs are in the trash")


def _process_samples(desktop: Desktop) -> None:
    """Let the program process some pictures."""
    folder = desktop.home / "Pictures" / FOLDERS[0]
    for name in SAMPLE_NAMES:
        shutil.copy(SAMPLES / name, folder)
    wait_for(lambda: len(list(folder.glob("*_nobg.png"))) == len(SAMPLE_NAMES), 300)
    wait_for(lambda: not _status(desktop)["waiting"])
    wait_for_drawing(11)  # until the notification disappears


def _status(desktop: Desktop) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(desktop.nobg("status", "--json"))
    return answer


def _start_nobg(desktop: Desktop) -> None:
    """Start the resident program with two watched folders."""
    for name in FOLDERS:
        (desktop.home / "Pictures" / name).mkdir(parents=True)
    config = desktop.home / ".config" / "nobg" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('model = "fast"\n\n' + "".join(f'[[folders]]\npath = "~/Pictures/{name}"\n\n' for name in FOLDERS))
    desktop.spawn(str(Path(sys.executable).with_name("nobg")), "run")
    wait_for(lambda: _status(desktop)["running"])


# Hosts


@contextlib.contextmanager
def _desktop(start: Callable[[Desktop], None], *programs: str, openbox: bool = True) -> Iterator[Desktop]:
    """Yield a desktop on which `start` has started panel and notifications; on failure, print the log."""
    missing = missing_programs("scrot", *programs)
    assert not missing, f"not installed: {', '.join(missing)}"
    with tempfile.TemporaryDirectory(prefix="nobg-person-") as home, Desktop(Path(home), openbox=openbox) as desktop:
        start(desktop)
        try:
            yield desktop
        except Exception:
            take_screenshot(desktop, "failed")
            print((desktop.home / ".local" / "state" / "nobg" / "nobg.log").read_text())
            raise


def _start_xfce(desktop: Desktop) -> None:
    settings = desktop.home / ".config" / "xfce4" / "xfconf" / "xfce-perchannel-xml" / "xfce4-panel.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text(XFCE_PANEL)
    desktop.environment["XDG_CURRENT_DESKTOP"] = "XFCE"
    desktop.spawn("xfce4-panel", "--disable-wm-check")
    wait_for(lambda: has_watcher(desktop))
    desktop.spawn(NOTIFYD)
    wait_for(lambda: has_owner(desktop, "org.freedesktop.Notifications"))


def _start_dunst(desktop: Desktop) -> None:
    desktop.environment["XDG_CURRENT_DESKTOP"] = "openbox"
    desktop.spawn("dunst")
    wait_for(lambda: has_owner(desktop, "org.freedesktop.Notifications"))


def _start_gnome(desktop: Desktop) -> None:
    # GNOME Shell looks for services on the system bus. There is no such bus here; on the session bus, it finds none.
    desktop.environment["DBUS_SYSTEM_BUS_ADDRESS"] = desktop.environment["DBUS_SESSION_BUS_ADDRESS"]
    for setting in GNOME_SETTINGS:
        desktop.run("gsettings", "set", *setting).check_returncode()
    desktop.spawn("gnome-shell", "--x11")
    wait_for(lambda: has_watcher(desktop))
    wait_for(lambda: [element for element in visible_elements(desktop) if element.name == "Activities"])
    wait_for_drawing(2)
    press_key(desktop, "Escape")  # GNOME starts in its overview


class _KeyboardMenu:
    """Use the menu with keys: the menu of Xfce's panel is not on the accessibility bus."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def open(self) -> None:
        click_at(self._desktop, 15, 15, 3)
        self._desktop.run("xdotool", "mousemove", "700", "600")  # else the icon's tooltip covers the menu

    def leave(self) -> None:
        for _ in range(3):
            press_key(self._desktop, "Escape")
        wait_for_drawing(0.5)

    def go(self, *labels: str) -> None:
        """Go to an item by the labels on the way; if it is a sub-menu, open it."""
        items = read_menu(self._desktop)
        for label in labels:
            choices = [item for item in items if item.can_be_chosen]
            index = [item.label for item in choices].index(label)
            for _ in range(index + (label == labels[0])):  # a sub-menu opens with its first item selected
                press_key(self._desktop, "Down")
            items = choices[index].items
            if items:
                press_key(self._desktop, "Right")
        wait_for_drawing(0.5)

    def click(self, *labels: str) -> None:
        self.go(*labels)
        press_key(self._desktop, "Return")

    def is_checked(self, label: str) -> bool:
        """Return the mark on the bus; the screenshots show whether the panel draws it."""
        return is_checked(self._desktop, label)


class _PointerMenu:
    """Use the menu with clicks on what the accessibility bus reports."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def open(self) -> None:
        elements = visible_elements(self._desktop)
        click_element(self._desktop, next(element for element in elements if element.name.startswith("nobg")), 3)

    def leave(self) -> None:
        for _ in range(2):
            press_key(self._desktop, "Escape")
        wait_for_drawing(0.5)

    def go(self, *labels: str) -> None:
        for label in labels:
            click_element(self._desktop, self._item(label))

    click = go

    def is_checked(self, label: str) -> bool:
        return self._item(label).checked

    def _item(self, label: str) -> Element:
        return find_element(self._desktop, label, "menu item")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
