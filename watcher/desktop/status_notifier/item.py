"""The icon itself on the bus: the interface org.kde.StatusNotifierItem, and pictures in its format."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from dbus_fast import PropertyAccess
from dbus_fast.annotations import DBusInt32, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from watcher.desktop.status_notifier.protocol import ITEM, MENU_PATH, Nothing, sanitize

Pixmap = tuple[int, int, bytes]
"""Width, height and pixels of four bytes each: alpha, red, green, blue."""


def make_pixmaps(images: Any) -> list[Pixmap]:
    """Return a PIL image, or a sequence of the same picture in several sizes, as pixmaps of the same sizes."""
    return [_make_pixmap(image) for image in (images if isinstance(images, Sequence) else [images])]


def _make_pixmap(image: Any) -> Pixmap:
    rgba = image.convert("RGBA").tobytes()
    argb = bytearray(len(rgba))
    argb[0::4] = rgba[3::4]
    for channel in range(3):
        argb[channel + 1 :: 4] = rgba[channel::4]
    return image.width, image.height, bytes(argb)


def _readable_property(name: str, signature: str, read_value: Callable[[StatusNotifierItem], Any]) -> Any:
    """Return a property that hosts can read. `name` is also its name in the class; `signature` is D-Bus's."""

    def get(item: StatusNotifierItem) -> Any:
        return read_value(item)

    get.__name__ = name
    get.__annotations__ = {"return": signature}
    return dbus_property(PropertyAccess.READ)(get)


class StatusNotifierItem(ServiceInterface):
    """`icon` (an `icon.Icon`) on the bus, with every property of the specification: some hosts ask for all of them.

    `activate` handles a click on the icon; `has_default` returns whether such a click does anything.
    """

    def __init__(self, icon: Any, activate: Callable[[], None], has_default: Callable[[], bool]) -> None:
        super().__init__(ITEM)
        self.icon = icon
        self.pixmaps: list[Pixmap] = []
        self.has_default = has_default
        self._activate = activate

    def title(self) -> tuple[str, str]:
        """Return the title's first line and the lines after it."""
        first_line, _, rest = sanitize(self.icon.title).partition("\n")
        return first_line, rest

    def status(self) -> str:
        """Return "Passive", "NeedsAttention" or "Active"."""
        if not self.icon.visible:
            return "Passive"
        return "NeedsAttention" if self.icon.attention else "Active"

    def tooltip(self) -> tuple[str, list[Pixmap], str, str]:
        """Return icon name, pixmaps, title and text. Hosts read the text as HTML, so it is escaped."""
        title, text = self.title()
        return "", [], title, html.escape(text, quote=False)

    Category = _readable_property("Category", "s", lambda _: "ApplicationStatus")
    Id = _readable_property("Id", "s", lambda item: sanitize(item.icon.name))
    Title = _readable_property("Title", "s", lambda item: item.title()[0])
    Status = _readable_property("Status", "s", lambda item: item.status())
    WindowId = _readable_property("WindowId", "i", lambda _: 0)
    IconName = _readable_property("IconName", "s", lambda _: "")
    IconPixmap = _readable_property("IconPixmap", "a(iiay)", lambda item: item.pixmaps)
    IconThemePath = _readable_property("IconThemePath", "s", lambda _: "")
    OverlayIconName = _readable_property("OverlayIconName", "s", lambda _: "")
    OverlayIconPixmap = _readable_property("OverlayIconPixmap", "a(iiay)", lambda _: [])
    AttentionIconName = _readable_property("AttentionIconName", "s", lambda _: "")
    AttentionIconPixmap = _readable_property("AttentionIconPixmap", "a(iiay)", lambda item: item.pixmaps)
    AttentionMovieName = _readable_property("AttentionMovieName", "s", lambda _: "")
    ToolTip = _readable_property("ToolTip", "(sa(iiay)ss)", lambda item: item.tooltip())
    ItemIsMenu = _readable_property("ItemIsMenu", "b", lambda item: not item.has_default())
    Menu = _readable_property("Menu", "o", lambda _: MENU_PATH)

    @dbus_method(name="Activate")
    def activate(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """Handle a click with the first button."""
        self._activate()

    @dbus_method(name="SecondaryActivate")
    def secondary_activate(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """Ignore a click with the middle button."""

    @dbus_method(name="ContextMenu")
    def context_menu(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """Do nothing: the host itself shows the menu."""

    @dbus_method(name="Scroll")
    def scroll(self, _delta: DBusInt32, _orientation: DBusStr) -> Nothing:
        """Ignore the wheel."""

    @dbus_signal(name="NewTitle")
    def new_title(self) -> Nothing:
        """Signal that the title has changed."""

    @dbus_signal(name="NewToolTip")
    def new_tool_tip(self) -> Nothing:
        """Signal that the tooltip has changed."""

    @dbus_signal(name="NewIcon")
    def new_icon(self) -> Nothing:
        """Signal that the pixmaps have changed."""

    @dbus_signal(name="NewAttentionIcon")
    def new_attention_icon(self) -> Nothing:
        """Signal that the pixmaps for the status NeedsAttention have changed."""

    @dbus_signal(name="NewStatus")
    def new_status(self) -> DBusStr:
        """Signal the new status."""
        return self.status()
