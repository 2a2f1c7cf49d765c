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
from watcher.desktop.actions import Actions
from watcher.desktop.overview import Overview, OverviewReader
from watcher.errors import NobgError
from watcher.naming import escape_unprintable

logger = logging.getLogger(__name__)

IDLE, WORKING, PAUSED, ATTENTION = "idle", "working", "paused", "attention"
"""States of the icon, and its files in assets/tray."""

ICON_SIZES = (16, 22, 24, 32, 48, 64)  # pixels; each drawn for itself
POLL_SECONDS = 0.9  # seconds between looks whether something has changed: it is to be seen within one
HOST_GRACE_SECONDS = (
    10.0  # seconds after which a bar for old icons will do: at login the bar for new ones may come later
)
HOST_POLL_SECONDS = 5.0  # seconds between looks, on a bar for old icons, whether one for new ones has come
RETRY_SECONDS = 5.0  # seconds before another try where something went wrong
MAX_LABEL_CHARS = 60  # characters of a line in the menu
MAX_PROBLEMS = 3  # that are shown there


def icon_state(snapshot: Overview) -> str:
    """Which icon is shown."""
    if snapshot.problems:
        return ATTENTION
    if snapshot.paused:
        return PAUSED
    return WORKING if snapshot.waiting else IDLE


def describe_status(snapshot: Overview, progress: str) -> str:
    """The first line of the menu, and the tooltip. `progress`: how far the work is, in words."""
    if snapshot.paused:
        return strings.PAUSED_WAITING.format(count=snapshot.waiting) if snapshot.waiting else strings.PAUSED
    if snapshot.problems:
        return strings.ATTENTION
    return strings.WORKING.format(progress=progress) if snapshot.waiting else strings.READY


class MenuBuilder:
    """The menu's items, made from what is seen. `pystray`: see `_pystray`."""

    def __init__(self, pystray: Any, actions: Actions) -> None:
        self._item_class = pystray.MenuItem
        self._menu_class = pystray.Menu
        self._modern = pystray.modern
        self._actions = actions

    def build(self, snapshot: Overview, status: str) -> tuple[Any, ...]:
        """Everything, from top to bottom; `status`: the first line."""
        deeds, line = self._actions, self._menu_class.SEPARATOR
        return (
            _with_key("status", self._text_item(status)),
            *(self._text_item(line) for problem in snapshot.problems[:MAX_PROBLEMS] for line in _wrap_problem(problem)),
            line,
            *self._setup_items(snapshot),
            self._toggle_item(strings.PAUSE, snapshot.paused, lambda: deeds.set_paused(paused=not snapshot.paused)),
            self._submenu_item(strings.FOLDERS, self._folder_items(snapshot)),
            self._submenu_item(strings.OUTPUT, self._output_items(snapshot)),
            line,
            self._submenu_item(strings.RECENT, self._recent_items(snapshot)),
            self._action_item(strings.UNDO_LAST, deeds.undo_last, enabled=bool(snapshot.recent)),
            self._action_item(strings.HISTORY, deeds.open_history, default=not self._modern),
            line,
            self._toggle_item(
                strings.CONTEXT_MENU, snapshot.is_in_menu, lambda: deeds.set_in_menu(enabled=not snapshot.is_in_menu)
            ),
            self._toggle_item(
                strings.START_AT_LOGIN,
                snapshot.starts_at_login,
                lambda: deeds.set_start_at_login(enabled=not snapshot.starts_at_login),
            ),
            self._toggle_item(
                strings.NOTIFICATIONS,
                snapshot.notifications,
                lambda: deeds.set_notifications(enabled=not snapshot.notifications),
            ),
            self._action_item(strings.SETTINGS, deeds.open_settings),
            self._submenu_item(strings.ABOUT, self._about_items(snapshot)),
            line,
            self._action_item(strings.QUIT, deeds.quit),
        )

    def _setup_items(self, snapshot: Overview) -> list[Any]:
        """What a first start offers."""
        if not snapshot.offers:
            return []
        labels = {
            overview.SETUP_MENU: strings.OFFER_MENU,
            overview.SETUP_FOLDER: strings.OFFER_FOLDER.format(folder=_short_path(overview.offered_folder())),
            overview.SETUP_LOGIN: strings.OFFER_LOGIN,
        }
        items = [
            self._action_item(labels[offer], partial(self._actions.accept_offers, [offer])) for offer in snapshot.offers
        ]
        over = self._action_item(strings.DECLINE_SETUP, self._actions.dismiss_setup)
        return [
            self._submenu_item(strings.SET_UP, [*items, self._menu_class.SEPARATOR, over]),
            self._menu_class.SEPARATOR,
        ]

    def _folder_items(self, snapshot: Overview) -> list[Any]:
        items = [self._folder_item(folder) for folder in snapshot.folders] or [self._text_item(strings.NO_FOLDER)]
        return [*items, self._menu_class.SEPARATOR, self._action_item(strings.ADD_FOLDER, self._actions.add_folder)]

    def _folder_item(self, folder: overview.WatchedFolder) -> Any:
        deeds, path = self._actions, folder.path
        items = [
            self._toggle_item(
                strings.WATCH, folder.enabled, lambda: deeds.set_folder_enabled(path, enabled=not folder.enabled)
            ),
            self._action_item(strings.OPEN, partial(deeds.open, path)),
            self._action_item(strings.REMOVE_FOLDER, partial(deeds.stop_watching, path)),
        ]
        if folder.enabled and folder.problem:
            items = [*(self._text_item(line) for line in _wrap_problem(folder.problem)), *items]
        return _with_key(path, self._submenu_item(_short_path(path), items, checked=_always(folder.enabled)))

    def _output_items(self, snapshot: Overview) -> list[Any]:
        labels = dict(strings.OUTPUTS)
        labels.setdefault(snapshot.recipe, escape_unprintable(snapshot.recipe))
        return [
            self._action_item(
                label, partial(self._actions.choose_output, name), checked=_always(name == snapshot.recipe), radio=True
            )
            for name, label in labels.items()
        ]

    def _recent_items(self, snapshot: Overview) -> list[Any]:
        return [self._result_item(path) for path in snapshot.recent] or [self._text_item(strings.NOTHING_YET)]

    def _result_item(self, path: Path) -> Any:
        items = [
            self._action_item(strings.OPEN, partial(self._actions.open, path)),
            self._action_item(strings.SHOW_IN_FOLDER, partial(self._actions.reveal, path)),
        ]
        return _with_key(path, self._submenu_item(_truncate_middle(path.name), items))

    def _about_items(self, snapshot: Overview) -> list[Any]:
        from watcher import __version__

        offline = {None: strings.OFFLINE_UNKNOWN, "": strings.OFFLINE_UNVERIFIABLE}
        means = offline.get(snapshot.offline_by, strings.OFFLINE.format(means=snapshot.offline_by))
        lines = (strings.VERSION.format(version=__version__), strings.MODEL.format(model=snapshot.model), means)
        return [self._text_item(line) for line in lines]

    def _text_item(self, text: str) -> Any:
        return self._item_class(_escape_label(text), None, enabled=False)

    def _action_item(self, text: str, callback: Callable[[], object], **options: Any) -> Any:
        return self._item_class(_escape_label(text), self._guarded(callback), **options)

    def _toggle_item(self, text: str, state: bool, callback: Callable[[], object]) -> Any:
        return self._action_item(text, callback, checked=_always(state))

    def _submenu_item(self, text: str, items: list[Any], **options: Any) -> Any:
        return self._item_class(_escape_label(text), self._menu_class(*items), **options)

    def _guarded(self, callback: Callable[[], object]) -> Callable[[], None]:
        return self._actions.with_error_notification(callback)


def _escape_label(text: str) -> str:
    """Windows takes one & for the mark of the key to press."""
    return text.replace("&", "&&") if sys.platform == "win32" else text


def _with_key(key: object, item: Any) -> Any:
    """`item`, which is the same as one before it under this key, whatever its label is: see status_notifier."""
    item.key = key
    return item


def _always(value: bool) -> Callable[[Any], bool]:
    return lambda _item: value


def _truncate_middle(text: str) -> str:
    """A file's name or a problem as a menu can show it: the beginning and the end tell most."""
    text = escape_unprintable(text)
    return (
        text if len(text) <= MAX_LABEL_CHARS else f"{text[: MAX_LABEL_CHARS * 2 // 3]}…{text[-MAX_LABEL_CHARS // 3 :]}"
    )


def _wrap_problem(problem: str) -> list[str]:
    """Whole, as a menu can show it."""
    return textwrap.wrap(escape_unprintable(problem), MAX_LABEL_CHARS, max_lines=4, placeholder=" …")


def _short_path(path: Path) -> str:
    """A folder with the one that it is in, or below the home folder."""
    with contextlib.suppress(ValueError, RuntimeError):
        return _truncate_middle(f"~{os.sep}{path.relative_to(Path.home())}")
    return _truncate_middle(str(path))


class Tray:
    """The icon, while `run` runs. `progress`: how far the work is, in words, given how many pictures wait.

    `say` tells the person once that this desktop has no place for it.
    """

    def __init__(
        self,
        state: Path,
        actions: Actions,
        describe_progress: Callable[[int], str],
        print_message: Callable[[str], None] = logger.info,
    ) -> None:
        """`state`: the folder of jobs.db."""
        self._state = state
        self._actions = actions
        self._describe_progress = describe_progress
        self._print_message = print_message
        self._has_reported_no_icon = False
        self._uses_legacy_tray = False
        self._next_host_check_at = 0.0
        self._shown_state = ""
        self._status = strings.APP
        self.snapshot = Overview()

    def run(self, stop: threading.Event) -> None:
        """Show the icon until `stop`, or until what shows it is gone. For the main thread: macOS wants it so.

        Raises OSError where there is nothing to show it on, or no more.
        """
        pystray = _load_pystray(legacy_tray=self._uses_legacy_tray)
        with contextlib.closing(OverviewReader(self._state)) as look:
            self._read_snapshot(look)
        entries = MenuBuilder(pystray, self._actions)
        menu = pystray.Menu(lambda: entries.build(self.snapshot, self._status))
        self._shown_state = IDLE
        picture = partial(_icon_images, sizes=ICON_SIZES if pystray.modern else ICON_SIZES[-1:])
        icon = pystray.Icon(strings.APP, picture(IDLE), strings.APP, menu)
        icon.picture = picture
        over = threading.Event()
        try:
            icon.run(lambda icon: self._update_until_stopped(icon, stop, over))
        finally:
            over.set()

    def _update_until_stopped(self, icon: Any, stop: threading.Event, icon_ended: threading.Event) -> None:
        """Beside the icon's own loop: keep it true, and end it."""
        began = time.monotonic()
        look = OverviewReader(self._state)
        try:
            self._refresh(icon, look)
            _call_on_ui_thread(lambda: setattr(icon, "visible", True))
            while not icon_ended.wait(POLL_SECONDS) and not stop.is_set() and not self._should_switch_tray(icon, began):
                try:
                    self._refresh(icon, look)
                except Exception:  # whatever it is: the work goes on, and the icon must still end when all ends
                    logger.exception("The icon could not be brought up to date")
                    icon_ended.wait(RETRY_SECONDS)
        finally:
            look.close()
            icon.stop()

    def _refresh(self, icon: Any, reader: OverviewReader) -> None:
        """Show what has changed."""
        if not reader.has_changed() or not self._read_snapshot(reader):
            return
        title = f"{strings.APP}: {self._status}"
        state = icon_state(self.snapshot)

        def show() -> None:
            if state != self._shown_state:
                icon.attention = state == ATTENTION
                icon.icon, self._shown_state = icon.picture(state), state
            icon.title = title
            icon.update_menu()

        _call_on_ui_thread(show)

    def _read_snapshot(self, reader: OverviewReader) -> bool:
        """Look at how everything stands. False: it cannot be seen now."""
        before = self.snapshot
        try:
            self.snapshot = reader.read()
        except NobgError as error:
            logger.info("The icon shows what was: %s", error)
            return False
        if before.offers and not self.snapshot.offers:
            self._actions.dismiss_setup()  # all of it is there, and is not offered again when some of it is taken away
        self._status = describe_status(self.snapshot, self._describe_progress(self.snapshot.waiting))
        return True

    def _should_switch_tray(self, icon: Any, started_at: float) -> bool:
        """Is there only a bar for icons as they were, and not one for those of today? Or by now the other way round?"""
        now = time.monotonic()
        if self._uses_legacy_tray and now >= self._next_host_check_at:
            from watcher.desktop import status_notifier

            self._next_host_check_at = now + HOST_POLL_SECONDS
            self._uses_legacy_tray = not status_notifier.has_host()
            return not self._uses_legacy_tray
        if getattr(icon, "registered", True) or now - started_at < HOST_GRACE_SECONDS or self._has_reported_no_icon:
            return False
        self._uses_legacy_tray = _has_legacy_tray()
        if not self._uses_legacy_tray:
            self._has_reported_no_icon = True
            logger.info("%s", strings.NO_ICON)
            self._print_message(strings.NO_ICON)
        return self._uses_legacy_tray


def _call_on_ui_thread(callback: Callable[[], None]) -> None:
    """What changes the icon; AppKit (macOS) wants that in the main thread alone.

    And not while the menu is open: pystray would look up what is clicked there among the new items. A call with a delay
    waits until it is closed, one without does not.
    """
    if sys.platform == "darwin":
        from PyObjCTools import AppHelper

        AppHelper.callAfter(lambda: AppHelper.callLater(0.01, callback))
    else:
        callback()


def _load_pystray(*, legacy_tray: bool) -> Any:
    """What pystray has, with an Icon for this desktop. Raises OSError where nothing can show one.

    `modern`: its pictures may be several sizes of one, and a left click opens the menu by itself.
    """
    if sys.platform != "linux":
        pystray = import_module("pystray")
        icon = _with_stable_menu(pystray.Icon) if sys.platform == "win32" else pystray.Icon
        return SimpleNamespace(Icon=icon, Menu=pystray.Menu, MenuItem=pystray.MenuItem, modern=False)
    has_bus = session_bus.is_available()
    display = session_bus.display()
    if not has_bus and display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    from watcher.desktop import status_notifier

    base = status_notifier.pystray_base()
    if has_bus and not legacy_tray:
        return SimpleNamespace(Icon=status_notifier.Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=True)
    if display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    os.environ["DISPLAY"] = display
    for name in ("appindicator", "gtk", "xorg"):  # as pystray itself would, had it not been told of no display
        with contextlib.suppress(ImportError, ValueError):  # ValueError: gi has no typelib of that name
            backend = import_module(f"pystray._{name}")
            return SimpleNamespace(Icon=backend.Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=False)
    raise ConnectionError(strings.NO_DESKTOP)


def _with_stable_menu(icon: Any) -> Any:
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


def _has_legacy_tray() -> bool:
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


def _icon_images(state: str, sizes: Sequence[int]) -> Any:
    """The icon of a state: one picture in each of several sizes, or in the one size."""
    from PIL import Image

    def one(size: int) -> Image.Image:
        with Image.open(paths.asset(f"tray/{state}-{size}.png")) as picture:
            return picture.convert("RGBA")

    return [one(size) for size in sizes] if len(sizes) > 1 else one(sizes[0])
