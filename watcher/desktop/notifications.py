"""Notifications, as the desktop shows them. They have a thread of their own; what goes wrong there stays there.

desktop_notifier, and asyncio with it, is imported in that thread, when there is something to show for the first time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import paths
from watcher.desktop import session_bus
from watcher.naming import escape_unprintable

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier, Icon

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 30.0  # seconds for the desktop to take a notification; it may have to start its service first
CLOSE_TIMEOUT_SECONDS = 2.0  # seconds for the thread to end
MAX_QUEUED = 10  # notifications that wait to be sent, at most: the newest
MAX_CALLBACKS = 100  # buttons of older notifications that still do something when they are pressed

OSASCRIPT = """on run argv
display notification (item 3 of argv) with title (item 2 of argv)
end run"""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Notification:
    """What to show, as plain text; `buttons` are labels and what they do, `clicked` what a click elsewhere does."""

    title: str
    body: str
    buttons: tuple[tuple[str, Callable[[], None]], ...] = ()
    on_click: Callable[[], None] | None = None


class Notifier:
    """Shows notices. What their buttons do is done in threads of their own."""

    def __init__(self, platform: str = sys.platform, run_command: Callable[..., Any] = subprocess.run) -> None:
        """`run` starts osascript, where macOS has no better way."""
        self._platform = platform
        self._run_command = run_command
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wake: Callable[[], object] = _no_op
        self._queue: deque[Notification] = deque(maxlen=MAX_QUEUED)
        self._callbacks: dict[str, Callable[[], None]] = {}  # of buttons and notifications, by their identifiers
        self._desktop: DesktopNotifier | None = None
        self._has_logged_problem = False  # it has been said that nothing can be shown

    def show(self, notification: Notification) -> None:
        """Show it, as soon as the desktop takes it; where there is none, this is logged. Returns at once."""
        with self._lock:
            if self._closed:
                return
            self._queue.append(notification)
            self._wake()
            if self._thread is None:
                thread = threading.Thread(target=self._run_thread, name="notifications", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the system allows no more threads
                    logger.warning("No notification: %s", error)
                else:
                    self._thread = thread

    def close(self) -> None:
        """End the thread. What was not shown yet is dropped, and buttons do nothing any more."""
        with self._lock:
            self._closed = True
            self._wake()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_TIMEOUT_SECONDS)

    # The thread

    def _run_thread(self) -> None:
        import asyncio

        try:
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(self._serve())
        except Exception:
            logger.exception("Notifications ended unexpectedly")
        finally:
            with self._lock:
                self._wake = _no_op
                self._thread = None

    async def _serve(self) -> None:
        """Deliver what there is, then wait for more; until it is cancelled."""
        import asyncio

        loop, task, news = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
        assert task is not None

        def look() -> None:
            if self._closed:
                task.cancel()
            news.set()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(look)

        with self._lock:
            self._wake = wake
        look()
        try:
            while True:
                await news.wait()
                news.clear()
                while self._queue:
                    await self._deliver(self._queue.popleft())
        finally:
            await self._disconnect()

    async def _deliver(self, notification: Notification) -> None:
        """Show it; if the connection turns out to be broken, with a new one."""
        import asyncio

        while True:
            is_new = self._desktop is None
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await self._send(notification, self._desktop or self._open_desktop())
            except Exception as error:  # noqa: BLE001  whatever it is: pictures are done without notifications, too
                if _is_broken(self._desktop):
                    await self._disconnect()
                if is_new or self._desktop is not None:
                    self._log_problem(str(error) or type(error).__name__)
                    return
            else:
                self._has_logged_problem = False
                return

    def _log_problem(self, problem: str) -> None:
        """Log it, unless that was done since the last notification that could be shown."""
        if not self._has_logged_problem:
            logger.info("No notifications can be shown: %s. nobg works without them", problem.rstrip("."))
        self._has_logged_problem = True

    def _open_desktop(self) -> DesktopNotifier:
        """The way to the desktop. Raises where there is none."""
        if self._platform == "linux":
            os.environ[session_bus.ADDRESS_VARIABLE] = session_bus.address()  # dbus_fast knows the variable alone
        from desktop_notifier import DesktopNotifier, Icon

        _silence_library_log()
        self._desktop = desktop = DesktopNotifier("nobg", _icon(self._platform, Icon))
        desktop.on_clicked = self._start_callback
        desktop.on_button_pressed = lambda _notification, button: self._start_callback(button)
        return desktop

    async def _send(self, notification: Notification, desktop: DesktopNotifier) -> None:
        from desktop_notifier import Button

        title, body = _escape_controls(notification.title), _escape_controls(notification.body)
        if _is_dummy(desktop):
            self._show_with_osascript(title, body)
            return
        if self._platform == "linux" and await _supports_markup(desktop):
            body = body.translate(_MARKUP)
        sent = False

        def dispatched() -> None:
            nonlocal sent
            sent = True

        buttons = []
        for label, callback in notification.buttons:
            button = Button(label)
            self._register_callback(button.identifier, callback)
            buttons.append(button)
        identifier = await desktop.send(title, body, buttons=buttons, on_dispatched=dispatched)
        if not sent:  # send() raises nothing
            raise OSError("the desktop refuses them")
        if notification.on_click is not None:
            self._register_callback(identifier, notification.on_click)

    def _show_with_osascript(self, title: str, body: str) -> None:
        """There is no way to show buttons."""
        if self._platform != "darwin":
            raise OSError("nobg knows no way to do it on this system")
        # The word before them is no option, so neither are they, whatever they begin with.
        self._run_command(
            ["osascript", "-e", OSASCRIPT, "nobg", title, body],
            capture_output=True,
            check=True,
            timeout=SEND_TIMEOUT_SECONDS,
        )

    def _register_callback(self, identifier: str, callback: Callable[[], None]) -> None:
        self._callbacks[identifier] = callback
        while len(self._callbacks) > MAX_CALLBACKS:
            del self._callbacks[next(iter(self._callbacks))]

    def _start_callback(self, identifier: str) -> None:
        """A button was pressed, or a notification clicked."""
        callback = self._callbacks.pop(identifier, None)
        if callback is not None:
            threading.Thread(target=_run_callback, args=(callback,), name="notification", daemon=True).start()

    async def _disconnect(self) -> None:
        """Close the connection; desktop_notifier itself never does."""
        import asyncio

        desktop, self._desktop = self._desktop, None
        bus: Any = getattr(_backend(desktop), "bus", None)
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(Exception):  # how it was broken does not matter any more
                await asyncio.wait_for(bus.wait_for_disconnect(), CLOSE_TIMEOUT_SECONDS / 2)


def _no_op() -> None:
    """There is nobody to wake."""


def _run_callback(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        logger.exception("What a notification's button does failed")


def _icon(platform: str, icon: type[Icon]) -> Icon | None:
    path = paths.asset("icon.svg" if platform == "linux" else "icon.png")
    return icon(path=path) if path.exists() else None


def _backend(desktop: DesktopNotifier | None) -> Any:
    """What does the work in desktop_notifier. It is private, but nothing else tells what we must know."""
    return getattr(desktop, "_backend", None)


def _is_broken(desktop: DesktopNotifier | None) -> bool:
    """Is a new one needed? Not without need: the buttons of what is shown belong to this one."""
    bus = getattr(_backend(desktop), "bus", None)
    return bus is None or not bus.connected or getattr(_backend(desktop), "interface", None) is None


def _is_dummy(desktop: DesktopNotifier) -> bool:
    """Does it only pretend to show anything?"""
    from desktop_notifier.backends.dummy import DummyNotificationCenter

    return isinstance(_backend(desktop), DummyNotificationCenter)


async def _supports_markup(desktop: DesktopNotifier) -> bool:
    """Does the desktop read bodies as markup? Connects to it; raises, unlike send(), what is wrong with that."""
    bus = getattr(_backend(desktop), "bus", None)
    if bus is not None and not bus.connected:
        raise ConnectionError("the connection to the desktop session is gone")  # dbus_fast would try to write to it
    await desktop.get_capabilities()
    interface = getattr(_backend(desktop), "interface", None)
    return interface is None or "body-markup" in await interface.call_get_capabilities()


def _silence_library_log() -> None:
    """What desktop_notifier warns of we say ourselves, once and in words; its pages of text are for whoever debugs."""
    logging.getLogger("desktop_notifier").setLevel(logging.ERROR)


def _escape_controls(text: str) -> str:
    """Lines without control characters: a null byte would end the connection."""
    return "\n".join(escape_unprintable(line) for line in text.split("\n"))
