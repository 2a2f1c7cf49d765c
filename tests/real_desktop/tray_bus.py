"""The tray icon as its host sees it on D-Bus: whether a host is running, and the icon's menu."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.real_desktop.session import Desktop

WATCHER = "org.kde.StatusNotifierWatcher"


@dataclass(frozen=True)
class MenuItem:
    """An item of the icon's menu."""

    label: str
    can_be_chosen: bool
    checked: bool
    items: tuple[MenuItem, ...]


def read_menu(desktop: Desktop) -> tuple[MenuItem, ...]:
    """Return the menu of the only icon; empty if there is no icon."""
    icons = _get_property(desktop, WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems")
    if not icons:
        return ()
    owner, slash, path = icons[0].replace("@", "").partition("/")  # GNOME puts an @ between the two
    menu = _get_property(desktop, owner, slash + path or "/StatusNotifierItem", "org.kde.StatusNotifierItem", "Menu")
    answer = _call(desktop, owner, menu, "com.canonical.dbusmenu", "GetLayout", "iias", [0, -1, []])
    return _menu_items(answer[1]) if answer else ()


def is_checked(desktop: Desktop, label: str) -> bool:
    """Return whether the item with this label has a check mark."""
    return next(item.checked for item in read_menu(desktop) if item.label == label)


def has_owner(desktop: Desktop, name: str) -> bool:
    """Return whether a program owns this name on the bus."""
    bus = "org.freedesktop.DBus"
    answer = _call(desktop, bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", [name])
    return bool(answer and answer[0])


def has_watcher(desktop: Desktop) -> bool:
    """Return whether a host for tray icons is running."""
    return has_owner(desktop, WATCHER)


def _menu_items(node: Any) -> tuple[MenuItem, ...]:
    _, _, children = node
    items = []
    for child in children:
        values = {name: value.value for name, value in child.value[1].items()}
        can_be_chosen = (
            values.get("type") != "separator" and values.get("enabled", True) and values.get("visible", True)
        )
        label = values.get("label", "").replace("__", "_")
        items.append(MenuItem(label, can_be_chosen, values.get("toggle-state") == 1, _menu_items(child.value)))
    return tuple(items)


def _get_property(desktop: Desktop, owner: str, path: str, interface: str, name: str) -> Any:
    """Return a property, or None if its owner does not answer."""
    answer = _call(desktop, owner, path, "org.freedesktop.DBus.Properties", "Get", "ss", [interface, name])
    return answer[0].value if answer else None


def _call(  # noqa: PLR0917  a D-Bus call has this many parts
    desktop: Desktop, owner: str, path: str, interface: str, name: str, signature: str, body: list[Any]
) -> list[Any] | None:
    async def call() -> list[Any] | None:
        bus = await MessageBus(desktop.environment["DBUS_SESSION_BUS_ADDRESS"]).connect()
        try:
            answer = await bus.call(Message(owner, path, interface, name, signature=signature, body=body))
        finally:
            bus.disconnect()
        return answer.body if answer and answer.message_type is MessageType.METHOD_RETURN else None

    return asyncio.run(call())
