"""pystray's icon for Linux desktops: it serves item and menu on the session bus and registers with the host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from dbus_fast import DBusFastError, Message, MessageType
from dbus_fast.aio import MessageBus

from watcher.desktop import session_bus
from watcher.desktop.status_notifier import connection, pystray_base
from watcher.desktop.status_notifier.item import StatusNotifierItem, make_pixmaps
from watcher.desktop.status_notifier.menu import DBusMenu
from watcher.desktop.status_notifier.protocol import BUS, ITEM_PATH, MENU_PATH, WATCHER, WATCHER_PATH

UPDATE_DELAY_SECONDS = 0.03  # calls of update_menu within this time become one update

logger = logging.getLogger(__name__)

_Base: Any = pystray_base.load().Icon


class Icon(_Base):  # type: ignore[misc]  # pystray has no types
    """pystray's icon, with these differences.

    - `icon` may be a sequence of PIL images, the same picture in several sizes; the host takes the size that fits.
    - `title`: what follows the first line becomes the smaller text of the tooltip.
    - `attention`: something needs the person's attention. `registered`: a host has accepted the icon.
    - `run` may be called in any thread, and again after it ended. It raises ConnectionError if there is no session bus
      or when the bus ends. `stop` is final, even before `run` has started.
    - Each click is handled in a thread of its own.
    """

    HAS_NOTIFICATION = False

    def __init__(self, name: str, icon: Any = None, title: str | None = None, menu: Any = None) -> None:
        super().__init__(name, icon, title, menu)
        self.registered = False
        self._attention = False
        self._setup: Callable[[Any], object] | None = None
        self._bus_menu = DBusMenu(self, self._activate_item)
        self._bus_item = StatusNotifierItem(
            self, self._activate_default, lambda: self._bus_menu.default_item is not None
        )
        self._bus: MessageBus | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._host: str | None = None  # the host's name on the bus; "": there is no host; None: not known yet
        self._registration_task: asyncio.Task[None] | None = None
        self._pending_update: asyncio.TimerHandle | None = None

    @property
    def attention(self) -> bool:
        """Whether something needs the person's attention."""
        return self._attention

    @attention.setter
    def attention(self, value: bool) -> None:
        if value != self._attention:
            self._attention = value
            self._call_in_loop(self._emit_status)

    def stop(self) -> None:
        """End `run`; any thread may call this."""
        self._stopped = True
        if self._task is not None:
            self._call_in_loop(self._task.cancel)

    def _start_setup(self, setup: Callable[[Any], object] | None) -> None:
        self._setup = setup

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        session_bus.ignore_lost_messages(self._loop)  # the icon may change when the bus has just gone
        self._host, self._pending_update = None, None
        try:
            if not self._stopped:  # read after _loop is set; stop() sets _stopped first, so neither misses the other
                await self._serve()
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        finally:
            self._loop = self._bus = None
            self.registered = False

    async def _serve(self) -> None:
        """Serve hosts until the bus ends. Raises ConnectionError then."""
        self._bus = bus = await connection.connect()
        disconnected = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        try:
            self._bus_menu.refresh()
            bus.export(MENU_PATH, self._bus_menu)
            bus.export(ITEM_PATH, self._bus_item)
            bus.add_message_handler(self._on_bus_message)
            host = await connection.watch_host(bus)
            if self._host is None:  # else a NameOwnerChanged has arrived since, which is newer
                self._set_host(host)
            self._call_setup()
            await asyncio.wait({disconnected})
        finally:
            bus.disconnect()
            await asyncio.wait({disconnected}, timeout=1)
        raise ConnectionError("The session bus is gone, and the icon with it.") from disconnected.exception()

    def _call_setup(self) -> None:
        if self._setup is None:
            self.visible = True
        else:
            _start_thread(self._setup, self)

    def _on_bus_message(self, message: Message) -> None:
        if message.member == "NameOwnerChanged" and message.sender == BUS and message.body[0] == WATCHER:
            self._set_host(message.body[2])

    def _set_host(self, host: str) -> None:
        self._host = host
        self.registered = False
        self._register()

    def _register(self) -> None:
        """Register with the host once the icon is visible: GNOME loses an icon that is passive at first."""
        if self._host and self._visible and not self.registered and self._bus is not None:
            self._registration_task = asyncio.ensure_future(self._register_with(self._host, self._bus))

    async def _register_with(self, host: str, bus: MessageBus) -> None:
        """Register under the connection's unique name: GNOME loses most icons that use a name like ITEM-PROCESS-1."""
        message = connection.make_call(WATCHER, WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", bus.unique_name)
        try:
            answer = await bus.call(message)
        except (OSError, EOFError, DBusFastError):  # the bus has ended, which _serve reports
            return
        if self._host != host:  # the new host has a registration of its own
            return
        self.registered = answer.message_type is MessageType.METHOD_RETURN
        if not self.registered:
            logger.warning("The icon was refused: %s", answer.body)

    def _call_in_loop(self, callback: Callable[..., object]) -> None:
        """Call `callback` in the thread of `run`; do nothing while `run` does not run."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(callback)

    def _show(self) -> None:
        self._visible = True  # pystray sets it only after this call, when a host may already have asked
        self._call_in_loop(self._emit_status)
        self._call_in_loop(self._register)

    def _hide(self) -> None:
        self._visible = False
        self._call_in_loop(self._emit_status)

    def _emit_status(self) -> None:
        self._bus_item.new_status()
        self._bus_menu.emit_properties_changed({"Status": self._bus_menu.status})

    def _update_icon(self) -> None:
        self._bus_item.pixmaps = make_pixmaps(self.icon)
        self._icon_valid = True
        self._call_in_loop(self._bus_item.new_icon)
        self._call_in_loop(self._bus_item.new_attention_icon)

    def _update_title(self) -> None:
        self._call_in_loop(self._bus_item.new_title)
        self._call_in_loop(self._bus_item.new_tool_tip)

    def _update_menu(self) -> None:
        self._call_in_loop(self._schedule_update)

    def _schedule_update(self) -> None:
        if self._pending_update is None:
            self._pending_update = asyncio.get_running_loop().call_later(UPDATE_DELAY_SECONDS, self._refresh_menu)

    def _refresh_menu(self) -> None:
        self._pending_update = None
        self._bus_menu.refresh()

    def _activate_default(self) -> None:
        if self._bus_menu.default_item is not None:
            self._activate_item(self._bus_menu.default_item)

    def _activate_item(self, item: Any) -> None:
        _start_thread(self._run_item, item)

    def _run_item(self, item: Any) -> None:
        try:
            item(self)
        finally:
            self.update_menu()


def _start_thread(callback: Callable[..., object], *arguments: object) -> None:
    threading.Thread(target=_run_logged, args=(callback, *arguments), daemon=True).start()


def _run_logged(callback: Callable[..., object], *arguments: object) -> None:
    """Call `callback` and log whatever it raises: a failure in a caller's function must not end the icon."""
    try:
        callback(*arguments)
    except Exception:
        logger.exception("A callback of the icon failed")
