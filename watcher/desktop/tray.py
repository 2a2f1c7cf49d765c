"""The icon and its menu: one model of pystray's for all systems, and the loop that keeps it true.

Nothing here touches a display before `Tray.run`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from watcher import paths
from watcher.desktop import overview, session_bus, strings
from watcher.desktop.actions import Deeds
from watcher.desktop.overview import Look, Overview
from watcher.errors import NobgError
from watcher.naming import visible

logger = logging.getLogger(__name__)

IDLE, WORKING, PAUSED, ATTENTION = "idle", "working", "paused", "attention"
"""States of the icon, and its files in assets/tray."""

SIZES = (16, 22, 24, 32, 48, 64)  # pixels; each drawn for itself
LOOK = 0.9  # seconds between looks whether something has changed: it is to be seen within one
GRACE = 10.0  # seconds after which a bar for old icons will do: at login the bar for new ones may come later
OLD = 5.0  # seconds between looks, on a bar for old icons, whether one for new ones has come
AGAIN = 5.0  # seconds before another try where something went wrong
LONG = 60  # characters of a line in the menu
PROBLEMS = 3  # that are shown there


def state_of(seen: Overview) -> str:
    """Which icon is shown."""
    if seen.problems:
        return ATTENTION
    if seen.paused:
        return PAUSED
    return WORKING if seen.waiting else IDLE


def status_of(seen: Overview, progress: str) -> str:
    """The first line of the menu, and the tooltip. `progress`: how far the work is, in words."""
    if seen.paused:
        return strings.PAUSED_WAITING.format(count=seen.waiting) if seen.waiting else strings.PAUSED
    if seen.problems:
        return strings.ATTENTION
    return strings.WORKING.format(progress=progress) if seen.waiting else strings.READY


class Entries:
    """The menu's items, made from what is seen. `pystray`: see `_pystray`."""

    def __init__(self, pystray: Any, deeds: Deeds) -> None:
        self._item = pystray.MenuItem
        self._menu = pystray.Menu
        self._modern = pystray.modern
        self._deeds = deeds

    def all(self, seen: Overview, status: str) -> tuple[Any, ...]:
        """Everything, from top to bottom; `status`: the first line."""
        deeds, line = self._deeds, self._menu.SEPARATOR
        return (
            _known_as("status", self._text(status)),
            *(self._text(line) for problem in seen.problems[:PROBLEMS] for line in _lines(problem)),
            line,
            *self._set_up(seen),
            self._toggle(strings.PAUSE, seen.paused, lambda: deeds.pause(paused=not seen.paused)),
            self._sub(strings.FOLDERS, self._folders(seen)),
            self._sub(strings.OUTPUT, self._outputs(seen)),
            line,
            self._sub(strings.RECENT, self._recent(seen)),
            self._do(strings.UNDO_LAST, deeds.undo_last, enabled=bool(seen.recent)),
            self._do(strings.HISTORY, deeds.history, default=not self._modern),
            line,
            self._toggle(strings.MENU, seen.menu, lambda: deeds.put_in_menu(wanted=not seen.menu)),
            self._toggle(strings.LOGIN, seen.login, lambda: deeds.start_at_login(wanted=not seen.login)),
            self._toggle(
                strings.NOTIFICATIONS,
                seen.notifications,
                lambda: deeds.notifications(wanted=not seen.notifications),
            ),
            self._do(strings.SETTINGS, deeds.settings),
            self._sub(strings.ABOUT, self._about(seen)),
            line,
            self._do(strings.QUIT, deeds.quit),
        )

    def _set_up(self, seen: Overview) -> list[Any]:
        """What a first start offers."""
        if not seen.offers:
            return []
        labels = {
            overview.MENU: strings.OFFER_MENU,
            overview.FOLDER: strings.OFFER_FOLDER.format(folder=_short_place(overview.offered_folder())),
            overview.LOGIN: strings.OFFER_LOGIN,
        }
        items = [self._do(labels[offer], partial(self._deeds.set_up, [offer])) for offer in seen.offers]
        over = self._do(strings.OFFER_OVER, self._deeds.no_thanks)
        return [self._sub(strings.SET_UP, [*items, self._menu.SEPARATOR, over]), self._menu.SEPARATOR]

    def _folders(self, seen: Overview) -> list[Any]:
        items = [self._folder(folder) for folder in seen.folders] or [self._text(strings.NO_FOLDER)]
        return [*items, self._menu.SEPARATOR, self._do(strings.ADD_FOLDER, self._deeds.add_folder)]

    def _folder(self, folder: overview.Watched) -> Any:
        deeds, path = self._deeds, folder.path
        items = [
            self._toggle(strings.WATCH, folder.enabled, lambda: deeds.watch(path, enabled=not folder.enabled)),
            self._do(strings.OPEN, partial(deeds.open, path)),
            self._do(strings.REMOVE_FOLDER, partial(deeds.stop_watching, path)),
        ]
        if folder.enabled and folder.problem:
            items = [*(self._text(line) for line in _lines(folder.problem)), *items]
        return _known_as(path, self._sub(_short_place(path), items, checked=_always(folder.enabled)))

    def _outputs(self, seen: Overview) -> list[Any]:
        labels = dict(strings.OUTPUTS)
        labels.setdefault(seen.recipe, visible(seen.recipe))
        return [
            self._do(label, partial(self._deeds.choose_output, name), checked=_always(name == seen.recipe), radio=True)
            for name, label in labels.items()
        ]

    def _recent(self, seen: Overview) -> list[Any]:
        return [self._result(path) for path in seen.recent] or [self._text(strings.NOTHING_YET)]

    def _result(self, path: Path) -> Any:
        items = [
            self._do(strings.OPEN, partial(self._deeds.open, path)),
            self._do(strings.SHOW_IN_FOLDER, partial(self._deeds.reveal, path)),
        ]
        return _known_as(path, self._sub(_shortened(path.name), items))

    def _about(self, seen: Overview) -> list[Any]:
        from watcher import __version__

        offline = {None: strings.OFFLINE_LATER, "": strings.OFFLINE_NOT}
        means = offline.get(seen.offline, strings.OFFLINE.format(means=seen.offline))
        lines = (strings.VERSION.format(version=__version__), strings.MODEL.format(model=seen.model), means)
        return [self._text(line) for line in lines]

    def _text(self, text: str) -> Any:
        return self._item(_label(text), None, enabled=False)

    def _do(self, text: str, act: Callable[[], object], **options: Any) -> Any:
        return self._item(_label(text), self._act(act), **options)

    def _toggle(self, text: str, state: bool, act: Callable[[], object]) -> Any:
        return self._do(text, act, checked=_always(state))

    def _sub(self, text: str, items: list[Any], **options: Any) -> Any:
        return self._item(_label(text), self._menu(*items), **options)

    def _act(self, act: Callable[[], object]) -> Callable[[], None]:
        return self._deeds.safely(act)


def _label(text: str) -> str:
    """Windows takes one & for the mark of the key to press."""
    return text.replace("&", "&&") if sys.platform == "win32" else text


def _known_as(key: object, item: Any) -> Any:
    """`item`, which is the same as one before it under this key, whatever its label is: see status_notifier."""
    item.key = key
    return item


def _always(value: bool) -> Callable[[Any], bool]:
    return lambda _item: value


def _shortened(text: str) -> str:
    """A file's name or a problem as a menu can show it: the beginning and the end tell most."""
    text = visible(text)
    return text if len(text) <= LONG else f"{text[: LONG * 2 // 3]}…{text[-LONG // 3 :]}"


def _lines(problem: str) -> list[str]:
    """Whole, as a menu can show it."""
    return textwrap.wrap(visible(problem), LONG, max_lines=4, placeholder=" …")


def _short_place(path: Path) -> str:
    """A folder with the one that it is in, or below the home folder."""
    with contextlib.suppress(ValueError, RuntimeError):
        return _shortened(f"~{os.sep}{path.relative_to(Path.home())}")
    return _shortened(str(path))


class Tray:
    """The icon, while `run` runs. `progress`: how far the work is, in words, given how many pictures wait.

    `say` tells the person once that this desktop has no place for it.
    """

    def __init__(
        self, state: Path, deeds: Deeds, progress: Callable[[int], str], say: Callable[[str], None] = logger.info
    ) -> None:
        """`state`: the folder of jobs.db."""
        self._state = state
        self._deeds = deeds
        self._progress = progress
        self._say = say
        self._told = False
        self._old_bar = False
        self._look_for_host_at = 0.0
        self._shown = ""
        self._status = strings.APP
        self.seen = Overview()

    def run(self, stop: threading.Event) -> None:
        """Show the icon until `stop`, or until what shows it is gone. For the main thread: macOS wants it so.

        Raises OSError where there is nothing to show it on, or no more.
        """
        pystray = _pystray(old_bar=self._old_bar)
        with contextlib.closing(Look(self._state)) as look:
            self._see(look)
        entries = Entries(pystray, self._deeds)
        menu = pystray.Menu(lambda: entries.all(self.seen, self._status))
        self._shown = IDLE
        picture = partial(_picture, sizes=SIZES if pystray.modern else SIZES[-1:])
        icon = pystray.Icon(strings.APP, picture(IDLE), strings.APP, menu)
        icon.picture = picture
        over = threading.Event()
        try:
            icon.run(lambda icon: self._attend(icon, stop, over))
        finally:
            over.set()

    def _attend(self, icon: Any, stop: threading.Event, over: threading.Event) -> None:
        """Beside the icon's own loop: keep it true, and end it."""
        began = time.monotonic()
        look = Look(self._state)
        try:
            self._refresh(icon, look)
            _on_its_thread(lambda: setattr(icon, "visible", True))
            while not over.wait(LOOK) and not stop.is_set() and not self._belongs_elsewhere(icon, began):
                try:
                    self._refresh(icon, look)
                except Exception:  # whatever it is: the work goes on, and the icon must still end when all ends
                    logger.exception("The icon could not be brought up to date")
                    over.wait(AGAIN)
        finally:
            look.close()
            icon.stop()

    def _refresh(self, icon: Any, look: Look) -> None:
        """Show what has changed."""
        if not look.changed() or not self._see(look):
            return
        title = f"{strings.APP}: {self._status}"
        state = state_of(self.seen)

        def show() -> None:
            if state != self._shown:
                icon.attention = state == ATTENTION
                icon.icon, self._shown = icon.picture(state), state
            icon.title = title
            icon.update_menu()

        _on_its_thread(show)

    def _see(self, look: Look) -> bool:
        """Look at how everything stands. False: it cannot be seen now."""
        before = self.seen
        try:
            self.seen = look.read()
        except NobgError as error:
            logger.info("The icon shows what was: %s", error)
            return False
        if before.offers and not self.seen.offers:
            self._deeds.no_thanks()  # all of it is there, and is not offered again when some of it is taken away
        self._status = status_of(self.seen, self._progress(self.seen.waiting))
        return True

    def _belongs_elsewhere(self, icon: Any, began: float) -> bool:
        """Is there only a bar for icons as they were, and not one for those of today? Or by now the other way round?"""
        now = time.monotonic()
        if self._old_bar and now >= self._look_for_host_at:
            from watcher.desktop import status_notifier

            self._look_for_host_at = now + OLD
            self._old_bar = not status_notifier.has_host()
            return not self._old_bar
        if getattr(icon, "registered", True) or now - began < GRACE or self._told:
            return False
        self._old_bar = _has_old_bar()
        if not self._old_bar:
            self._told = True
            logger.info("%s", strings.NO_ICON)
            self._say(strings.NO_ICON)
        return self._old_bar


def _on_its_thread(act: Callable[[], None]) -> None:
    """What changes the icon; AppKit (macOS) wants that in the main thread alone.

    And not while the menu is open: pystray would look up what is clicked there among the new items. A call with a delay
    waits until it is closed, one without does not.
    """
    if sys.platform == "darwin":
        from PyObjCTools import AppHelper

        AppHelper.callAfter(lambda: AppHelper.callLater(0.01, act))
    else:
        act()


def _pystray(*, old_bar: bool) -> Any:
    """What pystray has, with an Icon for this desktop. Raises OSError where nothing can show one.

    `modern`: its pictures may be several sizes of one, and a left click opens the menu by itself.
    """
    if sys.platform != "linux":
        pystray = import_module("pystray")
        icon = _steady(pystray.Icon) if sys.platform == "win32" else pystray.Icon
        return SimpleNamespace(Icon=icon, Menu=pystray.Menu, MenuItem=pystray.MenuItem, modern=False)
    has_bus = session_bus.is_there()
    display = session_bus.display()
    if not has_bus and display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    from watcher.desktop import status_notifier

    base = status_notifier.pystray_base()
    if has_bus and not old_bar:
        return SimpleNamespace(Icon=status_notifier.Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=True)
    if display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    os.environ["DISPLAY"] = display
    for name in ("appindicator", "gtk", "xorg"):  # as pystray itself would, had it not been told of no display
        with contextlib.suppress(ImportError, ValueError):  # ValueError: gi has no typelib of that name
            backend = import_module(f"pystray._{name}")
            return SimpleNamespace(Icon=backend.Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=False)
    raise ConnectionError(strings.NO_DESKTOP)


def _steady(icon: Any) -> Any:
    """The icon for Windows, whose menu stays as it is while it is open: pystray's own would be destroyed."""

    class Steady(icon):  # type: ignore[misc]  # pystray has no types
        _is_open = _is_old = False

        def _on_notify(self, *event: Any) -> None:
            """Also of each movement of the mouse above the icon."""
            self._is_open = True
            try:
                super()._on_notify(*event)
            finally:
                self._is_open = False
            if self._is_old:
                self.update_menu()

        def _update_menu(self) -> None:
            self._is_old = self._is_open
            if not self._is_open:
                super()._update_menu()

    return Steady


def _has_old_bar() -> bool:
    """Is there a bar that shows icons by the System Tray Protocol of X11?"""
    name = session_bus.display()
    if name is None:
        return False
    from Xlib import display, error

    try:
        screen = display.Display(name)
        try:
            atom = screen.intern_atom(f"_NET_SYSTEM_TRAY_S{screen.get_default_screen()}")
            return bool(screen.get_selection_owner(atom))
        finally:
            screen.close()
    except (error.DisplayError, OSError):
        return False


def _picture(state: str, sizes: Sequence[int]) -> Any:
    """The icon of a state: one picture in each of several sizes, or in the one size."""
    from PIL import Image

    def one(size: int) -> Image.Image:
        with Image.open(paths.asset(f"tray/{state}-{size}.png")) as picture:
            return picture.convert("RGBA")

    return [one(size) for size in sizes] if len(sizes) > 1 else one(sizes[0])
