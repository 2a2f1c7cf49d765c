"""A notification service that shows nothing: it records what it receives, and presses buttons for the test."""

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
TIMEOUT_SECONDS = 10.0  # for what takes milliseconds

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
    """`with Daemon(address) as daemon`: the service runs in a thread of its own until the block ends.

    `shown` has a dict for each notification, the oldest first: `app_name`, `icon`, `title`, `body`, `actions` (the
    labels of the buttons), `clickable`, `hints`, `timeout`, `id`, `replaces`, `sender`. `refuses`: the service answers
    every further notification with an error.
    """

    def __init__(self, address: str, capabilities: tuple[str, ...] = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.refuses = False
        self.shown: list[dict[str, Any]] = []
        self._address = address
        self._shown_changed = threading.Condition()
        self._keys: list[dict[str, str]] = []
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="notification service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._connect())
        except BaseException:
            self._stop_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._disconnect())
        self._stop_loop()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a test does

    def wait(self, number: int, timeout: float = TIMEOUT_SECONDS) -> list[dict[str, Any]]:
        """Wait until `number` notifications were shown; return all of them."""
        with self._shown_changed:
            if not self._shown_changed.wait_for(lambda: len(self.shown) >= number, timeout):
                raise AssertionError(f"{len(self.shown)} notifications instead of {number}: {self.shown}")
            return list(self.shown)

    def press(self, number: int, label: str) -> None:
        """Press a button of the notification at this index of `shown`, which closes it."""
        self._run(self._invoke_action(number, self._keys[number][label]))

    def click(self, number: int) -> None:
        """Click on the notification itself."""
        self._run(self._invoke_action(number, "default"))

    def close(self, number: int, reason: int = DISMISSED) -> None:
        """Close the notification, as time or a person does: `reason` is `EXPIRED` or `DISMISSED`."""
        self._run(self._emit("NotificationClosed", "uu", [self.shown[number]["id"], reason]))

    # What the service does

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    async def _connect(self) -> None:
        self._bus = MessageBus(self._address)
        await self._bus.connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name(NAME)

    async def _disconnect(self) -> None:
        self._bus.disconnect()
        disconnected = self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        await asyncio.gather(disconnected, *self._tasks, return_exceptions=True)

    def _on_message(self, message: Message) -> Message | None:
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
        """Record a notification once its sender has handled the id it got, so that no test presses a button sooner."""
        for _ in range(2):
            ping = Message(entry["sender"], "/", "org.freedesktop.DBus.Peer", "Ping")
            await self._bus.call(ping)
        with self._shown_changed:
            self._keys.append(keys)
            self.shown.append(entry)
            self._shown_changed.notify_all()

    async def _invoke_action(self, number: int, key: str) -> None:
        assert key in self._keys[number].values(), f"there is no action {key}"
        entry = self.shown[number]
        await self._emit("ActionInvoked", "us", [entry["id"], key])
        await self._emit("NotificationClosed", "uu", [entry["id"], DISMISSED])

    async def _emit(self, signal: str, signature: str, body: list[Any]) -> None:
        await self._bus.send(Message.new_signal(PATH, NAME, signal, signature, body))
