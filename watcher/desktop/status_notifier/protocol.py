"""What item and menu share on the bus: the names and paths of their interfaces, and what a message can carry."""

from __future__ import annotations

from typing import Annotated

from dbus_fast import Variant
from dbus_fast.annotations import DBusSignature

WATCHER, WATCHER_PATH = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
ITEM, ITEM_PATH = "org.kde.StatusNotifierItem", "/StatusNotifierItem"
MENU, MENU_PATH = "com.canonical.dbusmenu", "/MenuBar"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

Nothing = Annotated[None, DBusSignature("")]  # dbus-fast cannot read None from annotations that are strings
Properties = dict[str, Variant]


def sanitize(text: object) -> str:
    """Return `text` as the bus accepts it: the bus disconnects a client that sends a lone surrogate or a null byte."""
    return str(text or "").replace("\0", "").encode("utf-8", "replace").decode()
