"""The icon and the notifications where people see them: `python -m tests.real_desktop.tray_hosts [CASE…]`, by hand.

Each case has a desktop of its own, real pictures and a real click; the pictures for docs/tray are made on the way.

apt-get install --no-install-recommends xfce4-panel xfce4-notifyd gnome-shell gnome-shell-extension-appindicator \
  gjs dunst suckless-tools zenity scrot
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from PIL import Image, ImageChops

from tests.conftest import SAMPLES
from tests.real_desktop.session import SYSTEM_PYTHON, Desktop, lacking
from tests.support.program import ROOT, wait_for
from watcher.desktop import strings

PICTURES = ROOT / "docs" / "tray"
WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFYD = "/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd"
PANEL_HEIGHT = 32  # pixels, at least as high as each panel here: they have clocks
FOLDERS = ("Shop", "Holiday")
"""The watched ones, in the person's Pictures."""

PANEL = """<?xml version="1.0" encoding="UTF-8"?>
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
"""Along the upper edge, its first plugin the one for icons."""

BANNERS = ("org.gnome.desktop.notifications", "show-banners")
SHELL = (
    ("org.gnome.shell", "enabled-extensions", "['ubuntu-appindicators@ubuntu.com']"),
    ("org.gnome.shell", "disable-user-extensions", "false"),
    ("org.gnome.shell", "welcome-dialog-last-shown-version", "'99'"),
    ("org.gnome.desktop.interface", "enable-animations", "false"),
    (*BANNERS, "false"),  # it has some of its own to say at the start
)

LOOK = '''
import json, gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib

def label_in(node):
    """GNOME's menu items have no names, but labels in them, the last of which says what they are."""
    children = [node.get_child_at_index(number) for number in range(node.get_child_count())]
    labels = [child.get_name() for child in children if child is not None and child.get_role_name() == "label"]
    return labels[-1] if labels and node.get_role_name() == "menu item" else ""

def below(node):
    try:
        states = node.get_state_set()
        if states.contains(Atspi.StateType.SHOWING):
            place = node.get_extents(Atspi.CoordType.SCREEN)
            checked = states.contains(Atspi.StateType.CHECKED)
            name = node.get_name() or label_in(node)
            yield node.get_role_name(), name, place.x, place.y, place.width, place.height, checked
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
"""For the system's Python: all that the accessibility bus tells to be on the screen."""


@dataclass(frozen=True)
class Seen:
    """Something on the screen; in pixels."""

    role: str
    name: str
    x: int
    y: int
    width: int
    height: int
    checked: bool


def main(wanted: list[str]) -> int:
    """All cases, or those named; 1 if one failed."""
    failed = []
    for name, case in CASES.items():
        if wanted and name not in wanted:
            continue
        print(f"== {name}", flush=True)
        try:
            case()
        except Exception:  # noqa: BLE001  the others may be well
            traceback.print_exc()
            failed.append(name)
    print("failed:", ", ".join(failed) or "none")
    return int(bool(failed))


# Cases


def xfce() -> None:
    """The panel of Xfce."""
    with _desktop(_xfce, "xfce4-panel") as desktop:
        _nobg(desktop)
        wait_for(lambda: _layout(desktop), 20)
        _do_some(desktop)
        _menu_and_toggle(desktop, _Keys(desktop), "xfce")
        _restart_panel(desktop)


def gnome() -> None:
    """GNOME Shell with the extension for icons."""
    with _desktop(_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
        _nobg(desktop)
        wait_for(lambda: _layout(desktop), 20)
        _do_some(desktop)
        _menu_and_toggle(desktop, _Pointer(desktop), "gnome")


def dunst() -> None:
    """The notification daemon of bare window managers: Undo is chosen in its menu, which dmenu shows."""
    with _desktop(_dunst, "dunst", "dmenu") as desktop:
        _nobg(desktop)
        before = _shot(desktop, "dunst-before")
        batch = _drop(desktop)
        after = _appears(desktop, before, "dunst")
        _crop(before, after, PICTURES / "dunst.png")
        desktop.spawn("dunstctl", "context")  # what Ctrl+Shift+. does in dunst's own configuration of old
        _settle(1)
        _shot(desktop, "dunst-menu")
        _type(desktop, strings.UNDO)
        _key(desktop, "Return")
        _undone(desktop, batch)
        _shot(desktop, "dunst-undone")


def xfce_notification() -> None:
    """The notification daemon of Xfce: the button Undo is clicked."""
    with _desktop(_xfce, "xfce4-panel") as desktop:
        _nobg(desktop)
        before = _shot(desktop, "xfce-notification-before")
        batch = _drop(desktop)
        after = _appears(desktop, before, "xfce-notification")
        _crop(before, after, PICTURES / "xfce-notification.png")
        _click(desktop, _only(desktop, strings.UNDO, "push button"))
        _undone(desktop, batch)
        _settle(1)
        _shot(desktop, "xfce-notification-undone")


def gnome_notification() -> None:
    """GNOME's own notifications: the buttons come when the pointer does."""
    with _desktop(_gnome, "gnome-shell", "gjs", openbox=False) as desktop:
        _nobg(desktop)
        desktop.run("gsettings", "set", *BANNERS, "true").check_returncode()
        before = _shot(desktop, "gnome-notification-before")
        batch = _drop(desktop)
        after = _appears(desktop, before, "gnome-notification")
        left, top, _, _ = _appeared(before, after)
        desktop.run("xdotool", "mousemove", str(left + 20), str(top + 20))
        undo = _only(desktop, strings.UNDO, "push button")
        _settle(0.5)
        _crop(before, _shot(desktop, "gnome-notification"), PICTURES / "gnome-notification.png")
        _click(desktop, undo)
        _undone(desktop, batch)
        _settle(1)
        _shot(desktop, "gnome-notification-undone")


def chooser() -> None:
    """Add folder…, in Xfce, with zenity."""
    with _desktop(_xfce, "xfce4-panel", "zenity") as desktop:
        _nobg(desktop)
        wait_for(lambda: _layout(desktop), 20)
        _settle(2)  # the panel knows of the icon before it shows it
        chosen = desktop.home / "Pictures" / "New ones"
        chosen.mkdir()
        hand = _Keys(desktop)
        hand.open()
        hand.click(strings.FOLDERS, strings.ADD_FOLDER)
        wait_for(lambda: [one for one in _seen(desktop) if one.name == strings.CHOOSE_FOLDER])
        _settle(1)
        _key(desktop, "ctrl+l")
        _type(desktop, str(chosen))
        _settle(1)
        _shot(desktop, "chooser")
        _key(desktop, "Return")
        _settle(1)
        if [one for one in _seen(desktop) if one.name == strings.CHOOSE_FOLDER]:
            _key(desktop, "Return")  # the first one took what was completed
        wait_for(lambda: str(chosen) in desktop.nobg("watch", "list"), 10)
        hand.open()
        hand.go(strings.FOLDERS)
        _shot(desktop, "chooser-menu")


CASES: dict[str, Callable[[], None]] = {
    "xfce": xfce,
    "gnome": gnome,
    "dunst": dunst,
    "xfce-notification": xfce_notification,
    "gnome-notification": gnome_notification,
    "chooser": chooser,
}


# What the cases are made of


def _menu_and_toggle(desktop: Desktop, hand: _Keys | _Pointer, name: str) -> None:
    """The menu is shown, Pause is clicked, and its check mark follows: the click, and the command line."""
    before = _shot(desktop, f"{name}-icon")
    hand.open()
    first = _shot(desktop, f"{name}-menu")
    hand.go(strings.FOLDERS)
    _crop(before, _shot(desktop, f"{name}-sub-menu"), PICTURES / f"{name}-menu.png", panel=True)
    hand.leave()
    hand.open()
    hand.click(strings.PAUSE)
    wait_for(lambda: _status(desktop)["paused"], 10)
    hand.open()
    paused = _shot(desktop, f"{name}-menu-paused")
    assert hand.is_checked(strings.PAUSE)
    desktop.nobg("resume")
    began = time.monotonic()
    wait_for(lambda: not _is_checked(desktop, strings.PAUSE), 5)
    print(f"the open menu is told {time.monotonic() - began:.1f} s after the command has ended")
    _settle(0.5)
    assert not hand.is_checked(strings.PAUSE)
    last = _shot(desktop, f"{name}-menu-resumed")
    hand.leave()
    below = (0, PANEL_HEIGHT, *first.size)
    left, *_ = _appeared(before, first)
    marks = (left, PANEL_HEIGHT, left + 28, first.height)  # the column of the check marks, without the words
    assert _difference(first.crop(marks), paused.crop(marks)), "the check mark is not to be seen"
    assert not _difference(first.crop(below), last.crop(below)), "the menu is not as it was at first"


def _restart_panel(desktop: Desktop) -> None:
    """Killed, and started again: the icon comes back."""
    for process in desktop.processes():
        with contextlib.suppress(psutil.Error):
            if process.name() in ("xfce4-panel", "wrapper-2.0"):
                process.kill()
    wait_for(lambda: not _has_watcher(desktop))
    _settle(1)
    gone = _shot(desktop, "xfce-killed")
    began = time.monotonic()
    desktop.spawn("xfce4-panel", "--disable-wm-check")
    wait_for(lambda: _has_watcher(desktop))
    watched = time.monotonic()
    wait_for(lambda: _layout(desktop))
    back = time.monotonic()
    print(f"the new panel takes icons after {watched - began:.2f} s; ours is there {back - watched:.2f} s later")
    _settle(1.5)
    after = _shot(desktop, "xfce-restarted")
    assert _difference(gone, after)
    assert len(after.crop((2, 2, 30, 29)).getcolors(1000) or ()) > 5, "no icon is to be seen"


def _drop(desktop: Desktop) -> list[Path]:
    """All samples come into a watched folder at once; the cut-outs to be."""
    folder = desktop.home / "Pictures" / FOLDERS[1]
    for path in SAMPLES.glob("*.jpg"):
        shutil.copy(path, folder)
    return [folder / f"{path.stem}_nobg.png" for path in SAMPLES.glob("*.jpg")]


def _undone(desktop: Desktop, batch: Sequence[Path]) -> None:
    """The cut-outs are in the trash, the originals where they were."""
    wait_for(lambda: not any(path.exists() for path in batch), 15)
    trash = desktop.home / ".local" / "share" / "Trash" / "files"
    assert {path.name for path in trash.iterdir()} == {path.name for path in batch}
    assert all(path.with_name(path.name.replace("_nobg.png", ".jpg")).exists() for path in batch)
    print(f"{len(batch)} cut-outs are in the trash")


def _do_some(desktop: Desktop) -> None:
    """Some pictures are done already."""
    folder = desktop.home / "Pictures" / FOLDERS[0]
    for path in SAMPLES.glob("*.jpg"):
        shutil.copy(path, folder)
    wait_for(lambda: len(list(folder.glob("*_nobg.png"))) == len(list(SAMPLES.glob("*.jpg"))), 120)
    wait_for(lambda: not _status(desktop)["waiting"])
    _settle(11)  # the notification goes away


def _status(desktop: Desktop) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(desktop.nobg("status", "--json"))
    return answer


def _nobg(desktop: Desktop) -> None:
    """As a person with two watched folders starts it."""
    for name in FOLDERS:
        (desktop.home / "Pictures" / name).mkdir(parents=True)
    config = desktop.home / ".config" / "nobg" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("".join(f'[[folders]]\npath = "~/Pictures/{name}"\n\n' for name in FOLDERS))
    desktop.spawn(str(Path(sys.executable).with_name("nobg")), "run")
    wait_for(lambda: _status(desktop)["running"], 20)


# Hosts


@contextlib.contextmanager
def _desktop(start: Callable[[Desktop], None], *programs: str, openbox: bool = True) -> Iterator[Desktop]:
    """With this on it."""
    lacks = lacking("scrot", *programs)
    assert not lacks, f"not installed: {', '.join(lacks)}"
    with tempfile.TemporaryDirectory(prefix="nobg-person-") as home, Desktop(Path(home), openbox=openbox) as desktop:
        start(desktop)
        try:
            yield desktop
        except Exception:
            _shot(desktop, "failed")
            print((desktop.home / ".local" / "state" / "nobg" / "nobg.log").read_text())
            raise


def _xfce(desktop: Desktop) -> None:
    settings = desktop.home / ".config" / "xfce4" / "xfconf" / "xfce-perchannel-xml" / "xfce4-panel.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text(PANEL)
    desktop.environment["XDG_CURRENT_DESKTOP"] = "XFCE"
    desktop.spawn("xfce4-panel", "--disable-wm-check")
    wait_for(lambda: _has_watcher(desktop))
    desktop.spawn(NOTIFYD)
    wait_for(lambda: _has_owner(desktop, "org.freedesktop.Notifications"))


def _dunst(desktop: Desktop) -> None:
    desktop.environment["XDG_CURRENT_DESKTOP"] = "openbox"
    desktop.spawn("dunst")
    wait_for(lambda: _has_owner(desktop, "org.freedesktop.Notifications"))


def _gnome(desktop: Desktop) -> None:
    # It looks for services of the system's bus, of which there is none here, and goes without.
    desktop.environment["DBUS_SYSTEM_BUS_ADDRESS"] = desktop.environment["DBUS_SESSION_BUS_ADDRESS"]
    for setting in SHELL:
        desktop.run("gsettings", "set", *setting).check_returncode()
    desktop.spawn("gnome-shell", "--x11")
    wait_for(lambda: _has_watcher(desktop))
    wait_for(lambda: [one for one in _seen(desktop) if one.name == "Activities"])
    _settle(2)
    _key(desktop, "Escape")  # it begins with its overview


class _Keys:
    """A menu by keys: that of Xfce's panel is not on the accessibility bus."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def open(self) -> None:
        _press(self._desktop, 15, 15, 3)
        self._desktop.run("xdotool", "mousemove", "700", "600")  # else its tooltip is before the menu

    def leave(self) -> None:
        for _ in range(3):
            _key(self._desktop, "Escape")
        _settle(0.5)

    def go(self, *labels: str) -> None:
        """To an item; is it a sub-menu, then into it."""
        items = _layout(self._desktop)
        for label in labels:
            chosen = [item for item in items if item.can_be_chosen]
            number = [item.label for item in chosen].index(label)
            for _ in range(number + (label == labels[0])):  # in a sub-menu, the first is chosen already
                _key(self._desktop, "Down")
            items = chosen[number].items
            if items:
                _key(self._desktop, "Right")
        _settle(0.5)

    def click(self, *labels: str) -> None:
        self.go(*labels)
        _key(self._desktop, "Return")

    def is_checked(self, label: str) -> bool:
        """As the panel is told; the pictures show whether it listens."""
        return _is_checked(self._desktop, label)


class _Pointer:
    """A menu by clicks on what the accessibility bus says to be there."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def open(self) -> None:
        _click(self._desktop, next(one for one in _seen(self._desktop) if one.name.startswith("nobg")), 3)

    def leave(self) -> None:
        for _ in range(2):
            _key(self._desktop, "Escape")
        _settle(0.5)

    def go(self, *labels: str) -> None:
        for label in labels:
            _click(self._desktop, self._item(label))

    click = go

    def is_checked(self, label: str) -> bool:
        return self._item(label).checked

    def _item(self, label: str) -> Seen:
        return _only(self._desktop, label, "menu item")


# The bus


@dataclass(frozen=True)
class Item:
    """Of the icon's menu, as the host is told."""

    label: str
    can_be_chosen: bool
    checked: bool
    items: tuple[Item, ...]


def _layout(desktop: Desktop) -> tuple[Item, ...]:
    """The menu of the one icon; empty: there is none."""
    icons = _ask(desktop, WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems")
    if not icons:
        return ()
    owner, slash, path = icons[0].replace("@", "").partition("/")  # GNOME puts an @ between the two
    menu = _ask(desktop, owner, slash + path or "/StatusNotifierItem", "org.kde.StatusNotifierItem", "Menu")
    answer = _call(desktop, owner, menu, "com.canonical.dbusmenu", "GetLayout", "iias", [0, -1, []])
    return _items(answer[1]) if answer else ()


def _is_checked(desktop: Desktop, label: str) -> bool:
    return next(item.checked for item in _layout(desktop) if item.label == label)


def _items(node: Any) -> tuple[Item, ...]:
    _, _, children = node
    found = []
    for child in children:
        values = {name: value.value for name, value in child.value[1].items()}
        can = values.get("type") != "separator" and values.get("enabled", True) and values.get("visible", True)
        label = values.get("label", "").replace("__", "_")
        found.append(Item(label, can, values.get("toggle-state") == 1, _items(child.value)))
    return tuple(found)


def _ask(desktop: Desktop, owner: str, path: str, interface: str, name: str) -> Any:
    """A property; None: there is nobody to ask."""
    answer = _call(desktop, owner, path, "org.freedesktop.DBus.Properties", "Get", "ss", [interface, name])
    return answer[0].value if answer else None


def _has_owner(desktop: Desktop, name: str) -> bool:
    bus = "org.freedesktop.DBus"
    answer = _call(desktop, bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", [name])
    return bool(answer and answer[0])


def _has_watcher(desktop: Desktop) -> bool:
    return _has_owner(desktop, WATCHER)


def _call(  # noqa: PLR0917  as many as a call has
    desktop: Desktop, owner: str, path: str, interface: str, name: str, signature: str, body: list[Any]
) -> list[Any] | None:
    async def call() -> list[Any] | None:
        bus = await MessageBus(desktop.environment["DBUS_SESSION_BUS_ADDRESS"]).connect()
        try:
            answer = await bus.call(Message(owner, path, interface, name, signature=signature, body=body))
        finally:
            bus.disconnect()
        return answer.body if answer and answer.message_type is MessageType.METHOD_RETURN else None

    return asyncio.run(call())


# The screen


def _seen(desktop: Desktop) -> list[Seen]:
    done = desktop.run(SYSTEM_PYTHON, "-c", LOOK)
    return [Seen(*one) for one in json.loads(done.stdout)] if done.returncode == 0 else []


def _only(desktop: Desktop, name: str, *roles: str) -> Seen:
    found: list[Seen] = []

    def look() -> bool:
        found[:] = [one for one in _seen(desktop) if one.name == name and one.role in roles]
        return bool(found)

    wait_for(look, 10)
    assert len(found) == 1, found
    return found[0]


def _click(desktop: Desktop, one: Seen, button: int = 1) -> None:
    _press(desktop, one.x + one.width // 2, one.y + one.height // 2, button)


def _press(desktop: Desktop, x: int, y: int, button: int) -> None:
    desktop.run("xdotool", "mousemove", str(x), str(y), "click", str(button)).check_returncode()
    _settle(1)


def _key(desktop: Desktop, name: str) -> None:
    desktop.run("xdotool", "key", name).check_returncode()
    _settle(0.2)


def _type(desktop: Desktop, text: str) -> None:
    desktop.run("xdotool", "type", "--delay", "40", text).check_returncode()


def _settle(seconds: float) -> None:
    """Nothing tells when a screen has been drawn."""
    time.sleep(seconds)


def _shot(desktop: Desktop, name: str) -> Image.Image:
    """What is to be seen, also kept in a folder for whoever looks into it."""
    folder = Path(tempfile.gettempdir()) / "nobg-tray-shots"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    desktop.run("scrot", "-o", str(path)).check_returncode()
    with Image.open(path) as image:
        return image.convert("RGB")


def _appears(desktop: Desktop, before: Image.Image, name: str) -> Image.Image:
    """Something appears on the screen below the panel, and stays for a moment."""
    seen = before

    def look() -> bool:
        nonlocal seen
        seen = _shot(desktop, name)
        return _difference(*(image.crop((0, PANEL_HEIGHT, *image.size)) for image in (before, seen))) is not None

    wait_for(look, 60)
    _settle(1)
    return _shot(desktop, name)


def _difference(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(one, other).getbbox()


def _appeared(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    """Where something has appeared, below the panel."""
    below = (0, PANEL_HEIGHT, *after.size)
    appeared = _difference(before.crop(below), after.crop(below))
    assert appeared, "nothing is to be seen"
    left, top, right, bottom = appeared
    return left, top + PANEL_HEIGHT, right, bottom + PANEL_HEIGHT


def _crop(before: Image.Image, after: Image.Image, target: Path, *, panel: bool = False) -> None:
    """Keep what has appeared below the panel, and a little around it; with the `panel` above it, too?"""
    left, top, right, bottom = _appeared(before, after)
    box = (
        max(0, left - 12),
        0 if panel else max(PANEL_HEIGHT, top - 12),
        min(after.width, right + 12),
        min(after.height, bottom + 12),
    )
    target.parent.mkdir(exist_ok=True)
    after.crop(box).quantize(128).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
