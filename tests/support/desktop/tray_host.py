"""A stand-in for a panel that shows icons (a host): it accepts icons, reads their menus and clicks their items."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from dbus_fast import DBusError, Message, MessageType, NameFlag, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from tests.support.program import wait_for

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM, ITEM_PATH = "org.kde.StatusNotifierItem", "/StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

TIMEOUT_SECONDS = 10.0  # for what takes milliseconds


class Host:
    """Accepts icons on the bus with this address, or on that of DBUS_SESSION_BUS_ADDRESS.

    The host runs in a thread of its own; each method waits for the answer. All methods are about the newest icon.
    `icons`: bus name and object path of each icon. `signals`: (member, body) of the icons' signals since the first
    start. `answer` makes the reply to an icon that registers; True in place of a message sends no reply.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address or os.environ["DBUS_SESSION_BUS_ADDRESS"]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._bus: MessageBus | None = None
        self.answer: Callable[[Message], Message | bool] = Message.new_method_return
        self.icons: list[tuple[str, str]] = []
        self.signals: list[tuple[str, list[Any]]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the host, with no icon yet."""
        self.icons.clear()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._connect())

    def stop(self) -> None:
        """End the way a killed panel does. Do nothing if the host does not run."""
        if self._loop is None or self._thread is None:
            return
        self._wait(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()
        self._loop = None

    def wait_for_icon(self, seconds: float = TIMEOUT_SECONDS) -> str:
        """Wait for an icon; return its name on the bus."""
        wait_for(lambda: self.icons, seconds)
        return self.icons[-1][0]

    def properties(self) -> dict[str, Any]:
        """Return all properties of the icon."""
        answer = self.call("GetAll", "s", ITEM, interface=PROPERTIES, path=self.icons[-1][1])
        properties: dict[str, Any] = plain(answer[0])
        return properties

    def menu(self) -> list[dict[str, Any]]:
        """Return the items, each with `id`, its properties and its `children`; labels as a person sees them."""
        _, root = self.call("GetLayout", "iias", 0, -1, [])
        children: list[dict[str, Any]] = _item(root)["children"]
        return children

    def labels(self, *path: str) -> list[str]:
        """Return the labels in the menu, or in the sub-menu with this path; a separator is "-"."""
        items = self.item(*path)["children"] if path else self.menu()
        return [item.get("label", "-") for item in items]

    def item(self, *path: str) -> dict[str, Any]:
        """Return the item below these labels. Raises LookupError."""
        items, item = self.menu(), None
        for label in path:
            item = next((item for item in items if item.get("label") == label), None)
            if item is None:
                raise LookupError(f"no {label!r} among {[item.get('label') for item in items]}")
            items = item["children"]
        assert item is not None
        return item

    def click(self, *path: str) -> None:
        """Choose the item below these labels, as a person does."""
        self.click_number(self.item(*path)["id"])

    def click_number(self, number: int) -> None:
        """Choose the item that has, or once had, this id."""
        self.call("Event", "isvu", number, "clicked", Variant("s", ""), 0)

    def activate(self) -> None:
        """Click the icon itself."""
        self.call("Activate", "ii", 0, 0, interface=ITEM, path=self.icons[-1][1])

    def open(self, number: int = 0) -> bool:
        """Announce that the menu, or a sub-menu, is about to be shown. Return whether it has to be fetched again."""
        answer: bool = self.call("AboutToShow", "i", number)[0]
        return answer

    def received(self, member: str) -> list[list[Any]]:
        """Return the bodies of all signals of this name."""
        return [body for name, body in list(self.signals) if name == member]

    def call(
        self, member: str, signature: str, *body: object, interface: str = MENU, path: str | None = None
    ) -> list[Any]:
        """Call any method of the icon, usually of its menu; return the answer. Raises DBusError."""
        name, own_path = self.icons[-1]
        path = path or self._menu_path(name, own_path)
        answer: list[Any] = self._wait(self._call(name, path, interface, member, signature, *body))
        return answer

    def kill_bus(self) -> None:
        """Kill the bus itself, as the end of a session does."""
        number = self._wait(self._call(BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", "s", BUS))[0]
        os.kill(number, signal.SIGKILL)

    def send(self, message: Message) -> None:
        """Send any message, without waiting for an answer."""
        self._wait(self._send(message))

    def _menu_path(self, name: str, path: str) -> str:
        answer: str = self._wait(self._call(name, path, PROPERTIES, "Get", "ss", ITEM, "Menu"))[0].value
        return answer

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    async def _connect(self) -> None:
        self._bus = await MessageBus(self._address).connect()
        self._bus.add_message_handler(self._on_message)
        for interface in (ITEM, MENU, PROPERTIES):
            await self._call(BUS, BUS_PATH, BUS, "AddMatch", "s", f"type='signal',interface='{interface}'")
        # a host that starts replaces a running one, as the panel of another desktop does
        flags = NameFlag.DO_NOT_QUEUE | NameFlag.ALLOW_REPLACEMENT | NameFlag.REPLACE_EXISTING
        assert await self._bus.request_name(WATCHER, flags) is RequestNameReply.PRIMARY_OWNER

    async def _disconnect(self) -> None:
        assert self._bus is not None
        self._bus.disconnect()
        with contextlib.suppress(Exception):  # the bus may be gone already
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def _send(self, message: Message) -> None:
        assert self._bus is not None
        await self._bus.send(message)

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str, *body: object
    ) -> list[Any]:
        assert self._bus is not None
        message = Message(name, path, interface, member, signature=signature, body=list(body))
        answer = await self._bus.call(message)
        if answer.message_type is MessageType.ERROR:
            raise DBusError._from_message(answer)
        return answer.body

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL and message.sender != BUS:
            self.signals.append((message.member or "", plain(message.body)))
        if message.interface == WATCHER and message.member == "RegisterStatusNotifierItem":
            service = message.body[0]  # a name on the bus, or a path
            is_path = service.startswith("/")
            self.icons.append((message.sender, service) if is_path else (service, ITEM_PATH))
            return self.answer(message)
        return None


def plain(value: Any) -> Any:
    """Return a value without its D-Bus types."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _item(node: list[Any]) -> dict[str, Any]:
    number, properties, children = node
    values = plain(properties)
    if "label" in values:  # two underscores are shown as one; a single one marks the key to press
        values["label"] = "_".join(part.replace("_", "") for part in values["label"].split("__"))
    return {"id": number, **values, "children": [_item(child.value) for child in children]}
