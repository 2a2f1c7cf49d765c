"""Which of pystray's backends shows the icon on this system, and what each system needs around it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from watcher.desktop import session_bus, strings


def load_pystray(*, legacy_tray: bool) -> Any:
    """Return a namespace of pystray's `Menu` and `MenuItem`, an `Icon` for this desktop, and `modern`.

    `modern`: the icon takes its picture in several sizes, and the desktop itself opens the menu on a left click.
    `legacy_tray`: on Linux, use the System Tray Protocol of X11 even if there is a session bus. Raises ConnectionError
    if nothing can show an icon.
    """
    if sys.platform != "linux":
        pystray = import_module("pystray")
        icon = _with_stable_menu(pystray.Icon) if sys.platform == "win32" else pystray.Icon
        return SimpleNamespace(Icon=icon, Menu=pystray.Menu, MenuItem=pystray.MenuItem, modern=False)
    has_bus = session_bus.is_available()
    display = session_bus.display()
    if not has_bus and display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    from watcher.desktop.status_notifier import pystray_base

    base = pystray_base.load()
    if has_bus and not legacy_tray:
        from watcher.desktop.status_notifier.icon import Icon

        return SimpleNamespace(Icon=Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=True)
    if display is None:
        raise ConnectionError(strings.NO_DESKTOP)
    os.environ["DISPLAY"] = display
    for name in ("appindicator", "gtk", "xorg"):  # the order of pystray itself, which was imported without a display
        with contextlib.suppress(ImportError, ValueError):  # ValueError: gi has no typelib of that name
            backend = import_module(f"pystray._{name}")
            return SimpleNamespace(Icon=backend.Icon, Menu=base.Menu, MenuItem=base.MenuItem, modern=False)
    raise ConnectionError(strings.NO_DESKTOP)


def has_modern_host() -> bool:
    """Return whether a program on the session bus shows icons as StatusNotifierItems."""
    from watcher.desktop.status_notifier import connection

    return connection.has_host()


def has_legacy_tray() -> bool:
    """Return whether a bar on the X display shows icons by the System Tray Protocol of X11."""
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


def call_on_ui_thread(callback: Callable[[], None]) -> None:
    """Call `callback`, which changes the icon: on macOS later, in the main thread; on other systems at once.

    AppKit allows changes in the main thread only. On macOS the menu must also be closed, because pystray would look up
    a click among the new items: a call with a delay waits until the menu is closed, a call without one does not.
    """
    if sys.platform == "darwin":
        from PyObjCTools import AppHelper

        AppHelper.callAfter(lambda: AppHelper.callLater(0.01, callback))
    else:
        callback()


def _with_stable_menu(icon_class: Any) -> Any:
    """Return a subclass of pystray's icon for Windows that keeps its menu while it is open; pystray destroys it."""

    class StableMenuIcon(icon_class):  # type: ignore[misc]  # pystray has no types
        _is_open = _is_outdated = False

        def _on_notify(self, *event: Any) -> None:
            """Handle a click; Windows calls this for each movement of the mouse above the icon, too."""
            self._is_open = True
            try:
                super()._on_notify(*event)
            finally:
                self._is_open = False
            if self._is_outdated:
                self.update_menu()

        def _update_menu(self) -> None:
            self._is_outdated = self._is_open
            if not self._is_open:
                super()._update_menu()

    return StableMenuIcon
