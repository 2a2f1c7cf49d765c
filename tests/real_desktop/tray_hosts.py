"""Test the icon and the notifications on real desktops: `python -m tests.real_desktop.tray_hosts [CASE…]`.

Each case starts a desktop of its own, processes real pictures and makes real clicks. It also makes the
screenshots for the documentation. Run it in the Debian 13 that debian13.sh makes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import SAMPLES
from tests.real_desktop.hosts import (
    GNOME_BANNERS,
    desktop_with,
    start_cinnamon,
    start_dunst,
    start_gnome,
    start_mate,
    start_plasma,
    start_xfce,
)
from tests.real_desktop.screen import (
    PANEL_HEIGHT,
    appeared_box,
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
from tests.real_desktop.session import Desktop
from tests.real_desktop.tray_bus import has_watcher, is_checked, read_menu
from tests.real_desktop.tray_clicks import KeyboardMenu, PointerMenu
from tests.support.program import ROOT, wait_for
from watcher.desktop import strings

SCREENSHOTS = ROOT / "docs" / "pictures" / "tray"
FOLDERS = ("Shop", "Holiday")
"""The watched folders, in the person's Pictures."""

XFCE_ICON = (15, 15)
"""Where Xfce's panel has the icon, which its accessibility does not name."""
CINNAMON_ICON = (797, 15)
"""Where Cinnamon's panel has it, beside a bell that counts a notification."""
SAMPLE_NAMES = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")
BUTTON_ROLES = ("push button", "button")
"""What older and newer accessibility buses call a button."""


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
    with desktop_with(start_xfce, "xfce4-panel") as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, KeyboardMenu(desktop, XFCE_ICON), "xfce")
        _restart_panel(desktop)


def gnome() -> None:
    """Test the icon in GNOME Shell with the extension for icons."""
    with desktop_with(start_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, PointerMenu(desktop), "gnome")


def dunst() -> None:
    """Test notifications in dunst, for bare window managers: choose Undo in its menu, which dmenu shows."""
    with desktop_with(start_dunst, "dunst", "dmenu") as desktop:
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
    _undo_by_button(start_xfce, "xfce", "xfce4-panel")


def gnome_notification() -> None:
    """Test notifications in GNOME, which shows their buttons when the pointer is over them."""
    with desktop_with(start_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
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


def mate() -> None:
    """Test the icon in MATE."""
    with desktop_with(start_mate, "mate-panel") as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, KeyboardMenu(desktop), "mate")


def mate_notification() -> None:
    """Test notifications in MATE: click the button Undo."""
    _undo_by_button(start_mate, "mate", "mate-panel")


def plasma() -> None:
    """Test the icon in Plasma."""
    with desktop_with(start_plasma, "plasmashell", "kwin_x11", openbox=False) as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, KeyboardMenu(desktop), "plasma", shadow=20)


def plasma_notification() -> None:
    """Test notifications in Plasma: click the button Undo."""
    _undo_by_button(start_plasma, "plasma", "plasmashell", "kwin_x11", openbox=False)


def cinnamon() -> None:
    """Test the icon in Cinnamon."""
    with desktop_with(start_cinnamon, "cinnamon", openbox=False) as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        _process_samples(desktop)
        _menu_and_toggle(desktop, KeyboardMenu(desktop, CINNAMON_ICON), "cinnamon")


def cinnamon_notification() -> None:
    """Test notifications in Cinnamon: click the button Undo."""
    _undo_by_button(start_cinnamon, "cinnamon", "cinnamon", openbox=False)


def chooser() -> None:
    """Test Add folder… in Xfce, with zenity."""
    with desktop_with(start_xfce, "xfce4-panel", "zenity") as desktop:
        _start_nobg(desktop)
        wait_for(lambda: read_menu(desktop))
        wait_for_drawing(2)  # the panel has the icon on the bus before it shows it
        new_folder = desktop.home / "Pictures" / "New ones"
        new_folder.mkdir()
        menu = KeyboardMenu(desktop, XFCE_ICON)
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
    "mate": mate,
    "plasma": plasma,
    "cinnamon": cinnamon,
    "xfce-notification": xfce_notification,
    "gnome-notification": gnome_notification,
    "mate-notification": mate_notification,
    "plasma-notification": plasma_notification,
    "cinnamon-notification": cinnamon_notification,
    "chooser": chooser,
}


# Steps of the cases


def _undo_by_button(start: Callable[[Desktop], None], name: str, *programs: str, openbox: bool = True) -> None:
    """Let the program process some pictures, and click Undo in its notification."""
    with desktop_with(start, *programs, openbox=openbox) as desktop:
        _start_nobg(desktop)
        before = take_screenshot(desktop, f"{name}-notification-before")
        batch = _drop_samples(desktop)
        after = wait_for_change(desktop, before, f"{name}-notification")
        save_appeared(before, after, SCREENSHOTS / f"{name}-notification.png")
        click_element(desktop, find_element(desktop, strings.UNDO, *BUTTON_ROLES))
        _assert_undone(desktop, batch)
        wait_for_drawing(1)
        take_screenshot(desktop, f"{name}-notification-undone")


def _menu_and_toggle(desktop: Desktop, menu: KeyboardMenu | PointerMenu, name: str, shadow: int = 0) -> None:
    """Open the menu, click Pause, and check that its mark follows both the click and the command line.

    `shadow`: the width of the menu's shadow, in pixels.
    """
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
    left += shadow
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
    config.write_text(
        'model = "fast"\n\n' + "".join(f'[[folders]]\npath = "~/Pictures/{name}"\n\n' for name in FOLDERS)
    )
    desktop.spawn(str(Path(sys.executable).with_name("nobg")), "run")
    wait_for(lambda: _status(desktop)["running"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
