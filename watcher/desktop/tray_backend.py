"""Which of pystray's backends shows the icon on this system, and what each system needs around it."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from watcher.desktop import session_bus, strings

X_POLL_SECONDS = 1.0  # between two tries to reach X11's bar, or a busy X server


def load_pystray(*, legacy_tray: bool) -> Any:
    """Return a namespace of pystray's `Menu` and `MenuItem`, an `Icon` for this desktop, `many_sizes` and `modern`.

    `many_sizes`: the icon takes its picture in several sizes. `modern`: the desktop itself opens the menu on a left
    click.
    `legacy_tray`: on Linux, use the System Tray Protocol of X11 even if there is a session bus. Raises ConnectionError
    if nothing can show an icon.
    """
    if sys.platform != "linux":
        pystray = import_module("pystray")
        icon, is_windows = pystray.Icon, sys.platform == "win32"
        if is_windows:
            from watcher.desktop.windows.icon import adapt

            icon = adapt(icon)
        return _namespace(icon, pystray, many_sizes=is_windows)
    has_bus = session_bus.is_available()
    display = session_bus.display()
    if not has_bus and display is None:
        raise ConnectionError(strings.NO_X_DISPLAY if os.environ.get("DISPLAY") else strings.NO_DESKTOP)
    from watcher.desktop.status_notifier import pystray_base

    base = pystray_base.load()
    if has_bus and not legacy_tray:
        from watcher.desktop.status_notifier.icon import Icon

        return _namespace(Icon, base, many_sizes=True, modern=True)
    if display is None or not session_bus.has_x_server():
        raise ConnectionError(strings.NO_X_DISPLAY)
    os.environ["DISPLAY"] = display
    for name in ("appindicator", "gtk", "xorg"):  # the order of pystray itself, which was imported without a display
        with contextlib.suppress(ImportError, ValueError):  # ValueError: gi has no typelib of that name
            icon = _load_x11_icon() if name == "xorg" else import_module(f"pystray._{name}").Icon
            return _namespace(icon, base)
    raise ConnectionError(strings.NO_DESKTOP)


def _namespace(icon: Any, pystray: Any, *, many_sizes: bool = False, modern: bool = False) -> Any:
    return SimpleNamespace(
        Icon=icon, Menu=pystray.Menu, MenuItem=pystray.MenuItem, many_sizes=many_sizes, modern=modern
    )


def prepare_process() -> None:
    """Set how Windows draws for this process. To be called before it has a window."""
    if sys.platform == "win32":
        import ctypes

        from watcher.desktop.windows import dpi

        dpi.use_pixels_of_each_screen(ctypes.WinDLL("user32"))


def has_modern_host() -> bool:
    """Return whether a program on the session bus shows icons as StatusNotifierItems."""
    from watcher.desktop.status_notifier import connection

    return connection.has_host()


def has_legacy_tray() -> bool:
    """Return whether a bar on the X display shows icons by the System Tray Protocol of X11."""
    name = session_bus.display()
    if name is None:
        return False
    from Xlib import display

    with contextlib.suppress(OSError), _x_errors_as_connection_errors():
        screen = display.Display(name)
        try:
            atom = screen.intern_atom(f"_NET_SYSTEM_TRAY_S{screen.get_default_screen()}")
            return bool(screen.get_selection_owner(atom))
        finally:
            screen.close()
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


@contextlib.contextmanager
def _x_errors_as_connection_errors() -> Iterator[None]:
    """Raise ConnectionError instead of python-xlib's errors, most of which are no OSError."""
    from Xlib import error

    try:
        yield
    except error.ConnectionClosedError as problem:
        raise ConnectionError(strings.NO_X_DISPLAY) from problem
    except (error.DisplayError, error.XauthError, error.XNoAuthError, error.XError) as problem:
        text = f"The X display does not accept nobg: {problem}" if session_bus.has_x_server() else strings.NO_X_DISPLAY
        raise ConnectionError(text) from problem


def _load_x11_icon() -> Any:
    """Return pystray's icon for X11 with a loop of our own. Raises ConnectionError."""
    with _x_errors_as_connection_errors():  # pystray connects to the display when it is imported
        from pystray._xorg import Icon

    class X11Icon(_X11Loop, Icon):  # type: ignore[misc]  # pystray has no types
        pass

    return X11Icon


def _ignore_x_error(*_: Any) -> None:
    """Print nothing: a bar may go at any time."""


class _X11Loop:
    """Goes before pystray's icon for X11: one thread alone, that of `run`, speaks to the display.

    In pystray's own, other threads ask the display to pass their calls on to that thread, and wait until they are done:
    for ever if the display ends meanwhile. Here they leave the call and go on.
    """

    _display: Any
    _window: Any
    _systray_manager: Any
    _visible: bool
    _message_handlers: dict[int, Callable[[Any], None]]
    _dock_window: Callable[[], None]

    def __init__(self, *arguments: Any) -> None:
        """Connect to the display. Raises ConnectionError."""
        from Xlib import X

        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_stopped = False
        self._wakeup, self._waker = socket.socketpair()
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        with _x_errors_as_connection_errors():
            super().__init__(*arguments)
            self._display.set_error_handler(_ignore_x_error)
            clicks = X.ButtonPressMask  # without it, which pystray forgets, they go to the bar
            self._window.change_attributes(event_mask=X.ExposureMask | X.StructureNotifyMask | clicks)

    def __del__(self) -> None:
        """Do nothing: pystray's would use the display, in whatever thread collects garbage."""

    def stop(self) -> None:
        """End `run`; any thread may call this."""
        self._is_stopped = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full, so it wakes anyway; or `run` has ended
            self._waker.send(b"\0")

    def _rewrite_implementation(self, *methods: Callable[[], None]) -> None:
        """Make these methods of pystray leave their work to the thread of `run`."""
        for method in methods:
            setattr(self, method.__name__, partial(self._leave_to_loop, method))

    def _leave_to_loop(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        self._wake()

    def _assert_docked(self) -> None:
        """Dock the icon if there is a bar. pystray's own fails, and logs a traceback, if there is none."""
        self._dock_window()

    def _start_setup(self, setup: Callable[[Any], object]) -> None:
        self._setup = setup

    def _run(self) -> None:
        """Show the icon until `stop` or the bar ends it. Raises ConnectionError if the display does."""
        threading.Thread(target=self._setup, args=(self,), name="icon", daemon=True).start()
        try:
            with _x_errors_as_connection_errors():
                while not self._is_stopped:
                    self._handle_calls_and_events()
        finally:
            with contextlib.suppress(Exception):  # any error: the display has ended
                self._display.close()
            self._wakeup.close()
            self._waker.close()

    def _handle_calls_and_events(self) -> None:
        """Do what other threads and the display ask for, then wait until one of them asks again."""
        while not self._calls.empty():
            self._calls.get()()
        while self._display.pending_events():  # sends what is to be sent, too
            self._handle_event(self._display.next_event())
        if select.select([self._display, self._wakeup], [], [], X_POLL_SECONDS)[0]:
            with contextlib.suppress(BlockingIOError):
                self._wakeup.recv(4096)
        elif self._visible and self._systray_manager is None:
            self._dock_window()  # a bar may have started meanwhile; it makes the icon draw itself

    def _handle_event(self, event: Any) -> None:
        from Xlib import X

        if event.type == X.DestroyNotify and event.window == self._window:  # the bar has ended
            self._is_stopped = True
        elif event.type in self._message_handlers:
            self._message_handlers[event.type](event)
