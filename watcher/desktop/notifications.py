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
from watcher.naming import visible

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier, Icon

logger = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds for the desktop to take a notification; it may have to start its service first
LAST_WORD = 2.0  # seconds for the thread to end
WAITING = 10  # notifications that wait to be sent, at most: the newest
REMEMBERED = 100  # buttons of older notifications that still do something when they are pressed

OSASCRIPT = """on run argv
display notification (item 3 of argv) with title (item 2 of argv)
end run"""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Notice:
    """What to show, as plain text; `buttons` are labels and what they do, `clicked` what a click elsewhere does."""

    title: str
    body: str
    buttons: tuple[tuple[str, Callable[[], None]], ...] = ()
    clicked: Callable[[], None] | None = None


class Notifier:
    """Shows notices. What their buttons do is done in threads of their own."""

    def __init__(self, platform: str = sys.platform, run: Callable[..., Any] = subprocess.run) -> None:
        """`run` starts osascript, where macOS has no better way."""
        self._platform = platform
        self._run = run
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wake: Callable[[], object] = _nothing
        self._notices: deque[Notice] = deque(maxlen=WAITING)
        self._actions: dict[str, Callable[[], None]] = {}  # of buttons and notifications, by their identifiers
        self._desktop: DesktopNotifier | None = None
        self._is_quiet = False  # it has been said that nothing can be shown

    def show(self, notice: Notice) -> None:
        """Show it, as soon as the desktop takes it; where there is none, this is logged. Returns at once."""
        with self._lock:
            if self._closed:
                return
            self._notices.append(notice)
            self._wake()
            if self._thread is None:
                thread = threading.Thread(target=self._body, name="notifications", daemon=True)
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
            thread.join(LAST_WORD)

    # The thread

    def _body(self) -> None:
        import asyncio

        try:
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(self._serve())
        except Exception:
            logger.exception("Notifications ended unexpectedly")
        finally:
            with self._lock:
                self._wake = _nothing
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
                while self._notices:
                    await self._deliver(self._notices.popleft())
        finally:
            await self._drop()

    async def _deliver(self, notice: Notice) -> None:
        """Show it; if the connection turns out to be broken, with a new one."""
        import asyncio

        while True:
            is_new = self._desktop is None
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._send(notice, self._desktop or self._open())
            except Exception as error:  # noqa: BLE001  whatever it is: pictures are done without notifications, too
                if _is_broken(self._desktop):
                    await self._drop()
                if is_new or self._desktop is not None:
                    self._say(str(error) or type(error).__name__)
                    return
            else:
                self._is_quiet = False
                return

    def _say(self, problem: str) -> None:
        """Log it, unless that was done since the last notification that could be shown."""
        if not self._is_quiet:
            logger.info("No notifications can be shown: %s. nobg works without them", problem.rstrip("."))
        self._is_quiet = True

    def _open(self) -> DesktopNotifier:
        """The way to the desktop. Raises where there is none."""
        if self._platform == "linux":
            os.environ[session_bus.VARIABLE] = session_bus.address()  # dbus_fast knows the variable alone
        from desktop_notifier import DesktopNotifier, Icon

        _quieten()
        self._desktop = desktop = DesktopNotifier("nobg", _icon(self._platform, Icon))
        desktop.on_clicked = self._act
        desktop.on_button_pressed = lambda _notification, button: self._act(button)
        return desktop

    async def _send(self, notice: Notice, desktop: DesktopNotifier) -> None:
        from desktop_notifier import Button

        title, body = _readable(notice.title), _readable(notice.body)
        if _is_dummy(desktop):
            self._show_without(title, body)
            return
        if self._platform == "linux" and await _takes_markup(desktop):
            body = body.translate(_MARKUP)
        sent = False

        def dispatched() -> None:
            nonlocal sent
            sent = True

        buttons = []
        for label, callback in notice.buttons:
            button = Button(label)
            self._remember(button.identifier, callback)
            buttons.append(button)
        identifier = await desktop.send(title, body, buttons=buttons, on_dispatched=dispatched)
        if not sent:  # send() raises nothing
            raise OSError("the desktop refuses them")
        if notice.clicked is not None:
            self._remember(identifier, notice.clicked)

    def _show_without(self, title: str, body: str) -> None:
        """There is no way to show buttons."""
        if self._platform != "darwin":
            raise OSError("nobg knows no way to do it on this system")
        # The word before them is no option, so neither are they, whatever they begin with.
        self._run(
            ["osascript", "-e", OSASCRIPT, "nobg", title, body], capture_output=True, check=True, timeout=PATIENCE
        )

    def _remember(self, identifier: str, callback: Callable[[], None]) -> None:
        self._actions[identifier] = callback
        while len(self._actions) > REMEMBERED:
            del self._actions[next(iter(self._actions))]

    def _act(self, identifier: str) -> None:
        """A button was pressed, or a notification clicked."""
        callback = self._actions.pop(identifier, None)
        if callback is not None:
            threading.Thread(target=_call, args=(callback,), name="notification", daemon=True).start()

    async def _drop(self) -> None:
        """Close the connection; desktop_notifier itself never does."""
        import asyncio

        desktop, self._desktop = self._desktop, None
        bus: Any = getattr(_backend(desktop), "bus", None)
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(Exception):  # how it was broken does not matter any more
                await asyncio.wait_for(bus.wait_for_disconnect(), LAST_WORD / 2)


def _nothing() -> None:
    """There is nobody to wake."""


def _call(callback: Callable[[], None]) -> None:
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


async def _takes_markup(desktop: DesktopNotifier) -> bool:
    """Does the desktop read bodies as markup? Connects to it; raises, unlike send(), what is wrong with that."""
    bus = getattr(_backend(desktop), "bus", None)
    if bus is not None and not bus.connected:
        raise ConnectionError("the connection to the desktop session is gone")  # dbus_fast would try to write to it
    await desktop.get_capabilities()
    interface = getattr(_backend(desktop), "interface", None)
    return interface is None or "body-markup" in await interface.call_get_capabilities()


def _quieten() -> None:
    """What desktop_notifier warns of we say ourselves, once and in words; its pages of text are for whoever debugs."""
    logging.getLogger("desktop_notifier").setLevel(logging.ERROR)


def _readable(text: str) -> str:
    """Lines without control characters: a null byte would end the connection."""
    return "\n".join(visible(line) for line in text.split("\n"))
