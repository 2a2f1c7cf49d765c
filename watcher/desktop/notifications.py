"""Notifications, shown by the desktop. A thread of its own sends them; a failure there affects nothing else.

That thread imports desktop_notifier, and asyncio with it, when the first notification is to be shown.
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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from watcher import paths
from watcher.desktop import session_bus, strings
from watcher.naming import escape_unprintable

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier, Icon

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 30.0  # for the desktop to accept a notification; it may have to start its service first
CLOSE_TIMEOUT_SECONDS = 2.0  # for the thread to end
MAX_QUEUED = 10  # notifications that wait to be sent; older ones are dropped
MAX_CALLBACKS = 100  # buttons and notifications, the newest, that still respond to a click

OSASCRIPT = """on run argv
display notification (item 3 of argv) with title (item 2 of argv)
end run"""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Notification:
    """What to show, as plain text. `buttons`: label and callback of each. `on_click`: for a click elsewhere on it."""

    title: str
    body: str
    buttons: tuple[tuple[str, Callable[[], None]], ...] = ()
    on_click: Callable[[], None] | None = None


class Notifier:
    """Shows notifications. Each callback of a button runs in a thread of its own."""

    def __init__(
        self,
        platform: str = sys.platform,
        run_command: Callable[..., Any] = subprocess.run,
        find_session: Callable[[], None] | None = None,
        show_plainly: Callable[[Notification], bool] | None = None,
    ) -> None:
        """Connect to nothing yet.

        `run_command` starts osascript (as subprocess.run does) if macOS offers no better way. `find_session` puts the
        address of a bus that is alive into the environment. `show_plainly` shows a notification without its buttons if
        Windows offers no better way, and returns whether it could.
        """
        self._platform = platform
        self._run_command = run_command
        self._find_session = find_session or _no_op
        self._show_plainly = show_plainly or _cannot_show
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wake: Callable[[], object] = _no_op
        self._queue: deque[Notification] = deque(maxlen=MAX_QUEUED)
        self._callbacks: dict[str, Callable[[], None]] = {}  # by the identifier of a button or notification
        self._desktop: DesktopNotifier | None = None
        self._address = ""  # of the bus that it is connected to
        self._has_logged_problem = False  # since the last notification that could be shown

    def show(self, notification: Notification) -> None:
        """Queue a notification for the desktop and return at once. If the desktop cannot show it, log that."""
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
        """End the thread. Waiting notifications are dropped, and buttons no longer respond."""
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
        """Deliver the queued notifications and wait for more, until the task is cancelled."""
        import asyncio

        loop, task, woken = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
        assert task is not None
        session_bus.ignore_lost_messages(loop)

        def check_queue() -> None:
            if self._closed:
                task.cancel()
            woken.set()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(check_queue)

        with self._lock:
            self._wake = wake
        check_queue()
        try:
            while True:
                await woken.wait()
                woken.clear()
                while self._queue:
                    await self._deliver(self._queue.popleft())
        finally:
            await self._disconnect()

    async def _deliver(self, notification: Notification) -> None:
        """Send a notification; if the connection turns out to be broken, send it over a new one."""
        import asyncio

        self._find_session()
        if self._address != self._find_address():  # the person works in another session now
            await self._disconnect()
        while True:
            is_new = self._desktop is None
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await self._send(notification, self._desktop or self._open_desktop())
            except Exception as error:  # noqa: BLE001  any error: nobg works without notifications
                if _is_broken(self._desktop):
                    await self._disconnect()
                if is_new or self._desktop is not None:
                    if self._platform != "win32" or not self._show_on_icon(notification):
                        self._log_problem(str(error) or type(error).__name__)
                    return
            else:
                self._has_logged_problem = False
                return

    def _log_problem(self, problem: str) -> None:
        """Log why nothing can be shown, once until a notification can be shown again."""
        if not self._has_logged_problem:
            logger.info("No notifications can be shown: %s. nobg works without them", problem.rstrip("."))
        self._has_logged_problem = True

    def _find_address(self) -> str:
        """Return the address of the session bus; empty if there is none."""
        with contextlib.suppress(ConnectionError):
            return session_bus.address() if self._platform == "linux" else ""
        return ""

    def _open_desktop(self) -> DesktopNotifier:
        """Connect to the desktop. Raises if there is none."""
        if self._platform == "linux":
            os.environ[session_bus.ADDRESS_VARIABLE] = session_bus.address()  # dbus_fast reads only this
            self._address = self._find_address()
        from desktop_notifier import DesktopNotifier, Icon

        _silence_library_log()
        self._desktop = desktop = DesktopNotifier(strings.APP, _icon(self._platform, Icon))
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
        is_sent = False

        def note_sent() -> None:
            nonlocal is_sent
            is_sent = True

        buttons = []
        for label, callback in notification.buttons:
            button = Button(label)
            self._register_callback(button.identifier, callback)
            buttons.append(button)
        identifier = await desktop.send(title, body, buttons=buttons, on_dispatched=note_sent)
        if not is_sent:  # send() itself does not raise
            raise OSError("the desktop refuses them")
        if notification.on_click is not None:
            self._register_callback(identifier, notification.on_click)

    def _show_on_icon(self, notification: Notification) -> bool:
        """Show it as a balloon of the icon, which has no buttons. Return whether that was possible."""
        title, body = _escape_controls(notification.title), _escape_controls(notification.body)
        with contextlib.suppress(OSError):
            return self._show_plainly(replace(notification, title=title, body=body))
        return False

    def _show_with_osascript(self, title: str, body: str) -> None:
        """Show title and body by AppleScript, which cannot show buttons."""
        if self._platform != "darwin":
            raise OSError("nobg cannot show them on this system")
        # osascript reads no options after the first word that is not one ("nobg"), so the title may start with a dash.
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
        """Run the callback of a button or a notification, once, in a new thread."""
        callback = self._callbacks.pop(identifier, None)
        if callback is not None:
            threading.Thread(target=_run_callback, args=(callback,), name="notification", daemon=True).start()

    async def _disconnect(self) -> None:
        """Close the connection; desktop_notifier never does."""
        import asyncio

        desktop, self._desktop = self._desktop, None
        bus: Any = getattr(_backend(desktop), "bus", None)
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(Exception):  # the connection may be broken already
                await asyncio.wait_for(bus.wait_for_disconnect(), CLOSE_TIMEOUT_SECONDS / 2)


def _cannot_show(_notification: Notification) -> bool:
    return False


def _no_op() -> None:
    """Do nothing: no thread waits."""


def _run_callback(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        logger.exception("A callback of a notification failed")


def _icon(platform: str, icon: type[Icon]) -> Icon | None:
    path = paths.asset("icon.svg" if platform == "linux" else "icon.png")
    return icon(path=path) if path.exists() else None


def _backend(desktop: DesktopNotifier | None) -> Any:
    """Return desktop_notifier's backend. It is private, but only it shows the state of the connection."""
    return getattr(desktop, "_backend", None)


def _is_broken(desktop: DesktopNotifier | None) -> bool:
    """Return whether a new connection is needed. A working one is kept: the buttons of shown notifications need it."""
    bus = getattr(_backend(desktop), "bus", None)
    return bus is None or not bus.connected or getattr(_backend(desktop), "interface", None) is None


def _is_dummy(desktop: DesktopNotifier) -> bool:
    """Return whether this backend only pretends to show notifications."""
    from desktop_notifier.backends.dummy import DummyNotificationCenter

    return isinstance(_backend(desktop), DummyNotificationCenter)


async def _supports_markup(desktop: DesktopNotifier) -> bool:
    """Connect to the desktop and return whether it reads bodies as markup. Unlike send(), this raises if it fails."""
    bus = getattr(_backend(desktop), "bus", None)
    if bus is not None and not bus.connected:
        raise ConnectionError("the connection to the desktop session is gone")  # dbus_fast would still write to it
    await desktop.get_capabilities()
    interface = getattr(_backend(desktop), "interface", None)
    return interface is None or "body-markup" in await interface.call_get_capabilities()


def _silence_library_log() -> None:
    """Drop desktop_notifier's warnings, which are pages long: `_log_problem` logs the same in one line."""
    logging.getLogger("desktop_notifier").setLevel(logging.ERROR)


def _escape_controls(text: str) -> str:
    """Return `text` with control characters escaped, but line ends kept: a null byte would end the connection."""
    return "\n".join(escape_unprintable(line) for line in text.split("\n"))
