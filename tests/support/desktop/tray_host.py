"""What a panel does for icons, without a panel: it takes them, reads their menus and clicks."""

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

PATIENCE = 10.0  # seconds for what should take milliseconds


class Host:
    """Takes icons on the bus with this address, or on that of DBUS_SESSION_BUS_ADDRESS.

    It lives in a thread of its own; what is asked here waits for the answer. All is about the newest icon. `signals`
    are (member, body) of what icons have said since the first start. `answer`: what an
    icon that comes is told; True: nothing.
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
        """Be there, with no icon yet."""
        self.icons.clear()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._connect())

    def stop(self) -> None:
        """Be gone, as a panel that was killed. Does nothing if it is."""
        if self._loop is None or self._thread is None:
            return
        self._wait(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._loop = None

    def wait_for_icon(self, seconds: float = PATIENCE) -> str:
        """The name on the bus of the icon that has come since the start."""
        wait_for(lambda: self.icons, seconds)
        return self.icons[-1][0]

    def properties(self) -> dict[str, Any]:
        """All of the icon's."""
        found = self.call("GetAll", "s", ITEM, interface=PROPERTIES, path=self.icons[-1][1])
        properties: dict[str, Any] = plain(found[0])
        return properties

    def menu(self) -> list[dict[str, Any]]:
        """The items, each with `id`, its properties and its `children`; labels as a person sees them."""
        _, root = self.call("GetLayout", "iias", 0, -1, [])
        children: list[dict[str, Any]] = _item(root)["children"]
        return children

    def labels(self, *path: str) -> list[str]:
        """What a person sees in the menu, or in the sub-menu with this path; separators are `-`."""
        items = self.item(*path)["children"] if path else self.menu()
        return [item.get("label", "-") for item in items]

    def item(self, *path: str) -> dict[str, Any]:
        """The item below these labels. Raises LookupError."""
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
        """The menu, or a sub-menu, is about to be shown. True: it has to be fetched anew."""
        answer: bool = self.call("AboutToShow", "i", number)[0]
        return answer

    def received(self, member: str) -> list[list[Any]]:
        """What came with the signals of this name."""
        return [body for name, body in list(self.signals) if name == member]

    def call(
        self, member: str, signature: str, *body: object, interface: str = MENU, path: str | None = None
    ) -> list[Any]:
        """Any method of the icon, usually of its menu: what it answers. Raises DBusError."""
        name, own_path = self.icons[-1]
        path = path or self._menu_path(name, own_path)
        answer: list[Any] = self._wait(self._call(name, path, interface, member, signature, *body))
        return answer

    def kill_bus(self) -> None:
        """End the bus itself, as the end of a session does."""
        number = self._wait(self._call(BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", "s", BUS))[0]
        os.kill(number, signal.SIGKILL)

    def send(self, message: Message) -> None:
        """Any message, without waiting for what may come of it."""
        self._wait(self._send(message))

    def _menu_path(self, name: str, path: str) -> str:
        answer: str = self._wait(self._call(name, path, PROPERTIES, "Get", "ss", ITEM, "Menu"))[0].value
        return answer

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _connect(self) -> None:
        self._bus = await MessageBus(self._address).connect()
        self._bus.add_message_handler(self._heard)
        for interface in (ITEM, MENU, PROPERTIES):
            await self._call(BUS, BUS_PATH, BUS, "AddMatch", "s", f"type='signal',interface='{interface}'")
        # a host that starts takes the place of one that is there, as the panel of another desktop does
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

    def _heard(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL and message.sender != BUS:
            self.signals.append((message.member or "", plain(message.body)))
        if message.interface == WATCHER and message.member == "RegisterStatusNotifierItem":
            named = message.body[0]  # a name on the bus, or a path
            path = named.startswith("/")
            self.icons.append((message.sender, named) if path else (named, ITEM_PATH))
            return self.answer(message)
        return None


def plain(value: Any) -> Any:
    """Values without their D-Bus types."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def _item(node: list[Any]) -> dict[str, Any]:
    number, properties, children = node
    shown = plain(properties)
    if "label" in shown:  # of two underscores one is shown, and one alone marks the key to press
        shown["label"] = "_".join(part.replace("_", "") for part in shown["label"].split("__"))
    return {"id": number, **shown, "children": [_item(child.value) for child in children]}
