"""A notification service that shows nothing: it keeps what it was sent and presses what the test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
CAPABILITIES = ("actions", "body", "body-markup", "icon-static", "persistence")
EXPIRED, DISMISSED = 1, 2
PATIENCE = 10.0

INTROSPECTION = f"""<node><interface name="{NAME}">
<method name="GetCapabilities"><arg direction="out" type="as"/></method>
<method name="GetServerInformation"><arg direction="out" type="s"/><arg direction="out" type="s"/>
<arg direction="out" type="s"/><arg direction="out" type="s"/></method>
<method name="Notify"><arg direction="in" type="s"/><arg direction="in" type="u"/><arg direction="in" type="s"/>
<arg direction="in" type="s"/><arg direction="in" type="s"/><arg direction="in" type="as"/>
<arg direction="in" type="a{{sv}}"/><arg direction="in" type="i"/><arg direction="out" type="u"/></method>
<method name="CloseNotification"><arg direction="in" type="u"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
</interface></node>"""


class Daemon:
    """`with Daemon(address) as daemon`: the service is there, in a thread of its own, until the block ends.

    `shown` has a dict for each notification, the oldest first: `app_name`, `icon`, `title`, `body`, `actions` (the
    labels of the buttons), `clickable`, `hints`, `timeout`, `id`, `replaces`, `sender`. `refuses`: it takes no more.
    """

    def __init__(self, address: str, capabilities: tuple[str, ...] = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.refuses = False
        self.shown: list[dict[str, Any]] = []
        self._address = address
        self._news = threading.Condition()
        self._keys: list[dict[str, str]] = []
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="notification service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._connect())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._disconnect())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a test does

    def wait(self, number: int, timeout: float = PATIENCE) -> list[dict[str, Any]]:
        """Until so many were shown: all of them."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.shown) >= number, timeout):
                raise AssertionError(f"{len(self.shown)} notifications instead of {number}: {self.shown}")
            return list(self.shown)

    def press(self, number: int, label: str) -> None:
        """Press a button of the notification with this place in `shown`, which goes away by that."""
        self._do(self._act(number, self._keys[number][label]))

    def click(self, number: int) -> None:
        """Click on the notification itself."""
        self._do(self._act(number, "default"))

    def close(self, number: int, reason: int = DISMISSED) -> None:
        """The notification goes away by itself, or because a person wants it to."""
        self._do(self._tell("NotificationClosed", "uu", [self.shown[number]["id"], reason]))

    # What the service does

    def _do(self, act: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result(PATIENCE)

    async def _connect(self) -> None:
        self._bus = MessageBus(self._address)
        await self._bus.connect()
        self._bus.add_message_handler(self._answer)
        await self._bus.request_name(NAME)

    async def _disconnect(self) -> None:
        self._bus.disconnect()
        gone = self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        await asyncio.gather(gone, *self._tasks, return_exceptions=True)

    def _answer(self, message: Message) -> Message | None:
        if message.message_type != MessageType.METHOD_CALL or message.path != PATH:
            return None
        answers: dict[str | None, tuple[str, list[Any]]] = {
            "Introspect": ("s", [INTROSPECTION]),
            "GetCapabilities": ("as", [list(self.capabilities)]),
            "GetServerInformation": ("ssss", ["stand-in", "nobg", "1", "1.2"]),
        }
        if message.member == "Notify":
            return self._notify(message)
        return Message.new_method_return(message, *answers[message.member]) if message.member in answers else None

    def _notify(self, message: Message) -> Message:
        if self.refuses:
            return Message.new_error(message, f"{NAME}.Error", "Too many")
        app_name, replaces, icon, title, body, actions, hints, timeout = message.body
        self._numbers += 1
        keys = dict(zip(actions[1::2], actions[::2], strict=True))
        entry = {
            "id": self._numbers,
            "app_name": app_name,
            "replaces": replaces,
            "icon": icon,
            "title": title,
            "body": body,
            "actions": [label for label, key in keys.items() if key != "default"],
            "clickable": "default" in keys.values(),
            "hints": {name: value.value for name, value in hints.items()},
            "timeout": timeout,
            "sender": message.sender,
        }
        task = self._loop.create_task(self._show(entry, keys))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Message.new_method_return(message, "u", [self._numbers])

    async def _show(self, entry: dict[str, Any], keys: dict[str, str]) -> None:
        """It counts as shown once its sender has dealt with the number that we gave it: nobody presses sooner."""
        for _ in range(2):
            ping = Message(entry["sender"], "/", "org.freedesktop.DBus.Peer", "Ping")
            await self._bus.call(ping)
        with self._news:
            self._keys.append(keys)
            self.shown.append(entry)
            self._news.notify_all()

    async def _act(self, number: int, key: str) -> None:
        assert key in self._keys[number].values(), f"{key} is not on offer"
        entry = self.shown[number]
        await self._tell("ActionInvoked", "us", [entry["id"], key])
        await self._tell("NotificationClosed", "uu", [entry["id"], DISMISSED])

    async def _tell(self, signal: str, signature: str, body: list[Any]) -> None:
        await self._bus.send(Message.new_signal(PATH, NAME, signal, signature, body))
