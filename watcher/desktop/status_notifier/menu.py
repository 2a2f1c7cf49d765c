"""The icon's menu on the bus: the interface com.canonical.dbusmenu."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from dbus_fast import DBusError, ErrorType, PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusInt32, DBusSignature, DBusStr, DBusUInt32, DBusVariant
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from watcher.desktop.status_notifier.menu_layout import (
    ROOT,
    Entry,
    ItemNumbers,
    Layout,
    build_layout,
    diff_properties,
    find_default_item,
    has_same_structure,
)
from watcher.desktop.status_notifier.protocol import MENU, Nothing, Properties

logger = logging.getLogger(__name__)

Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]


class DBusMenu(ServiceInterface):
    """The menu of `icon` (an `icon.Icon`). `activate_item` gets pystray's item that a person clicked."""

    def __init__(self, icon: Any, activate_item: Callable[[Any], None]) -> None:
        super().__init__(MENU)
        self._icon = icon
        self._activate_item = activate_item
        self._numbers = ItemNumbers()
        self._layout: Layout = build_layout(None, self._numbers)
        self._revision = 0
        self.default_item: Any = None

    def refresh(self) -> bool:
        """Build the layout again and send hosts what changed. Return whether the structure changed."""
        newest_known = self._numbers.newest
        try:
            layout = build_layout(self._icon.menu, self._numbers)
            self.default_item = find_default_item(layout)
        except Exception:  # the menu calls functions of the caller, which may raise anything
            logger.exception("The menu could not be built; it stays as it was")
            return False
        old_layout, self._layout = self._layout, layout
        self._numbers.forget_unused(layout)
        restructured = not has_same_structure(old_layout, layout)
        if restructured:
            self._revision += 1
            self.layout_updated(self._revision, ROOT)
        updated, removed = diff_properties(old_layout, layout, newest_known)
        if updated or removed:  # GNOME redraws check marks only on this signal
            self.items_properties_updated(updated, removed)
        return restructured

    def _find_entry(self, number: int) -> Entry:
        if number not in self._layout:
            raise DBusError(ErrorType.INVALID_ARGS, f"There is no item {number}.")
        return self._layout[number]

    def _tree(self, number: int, depth: int, names: Sequence[str]) -> list[Any]:
        """Return the item with `depth` levels of items below it; a negative depth means all levels."""
        entry = self._find_entry(number)
        child_numbers = entry.children if depth else ()
        children = [Variant("(ia{sv}av)", self._tree(child, depth - 1, names)) for child in child_numbers]
        return [number, _filter_properties(entry.properties, names), children]

    def _handle_event(self, number: int, kind: str) -> bool:
        """Activate the item if it was clicked and is enabled. Return whether the menu has such an item."""
        entry = self._layout.get(number)
        if entry is None:
            return False
        enabled = entry.properties.get("enabled")
        if kind == "clicked" and enabled is not None and enabled.value:
            self._activate_item(entry.item)
        return True

    @dbus_property(PropertyAccess.READ, name="Version")
    def version(self) -> DBusUInt32:
        """Return the version of the protocol."""
        return 3

    @dbus_property(PropertyAccess.READ, name="TextDirection")
    def text_direction(self) -> DBusStr:
        """Return "ltr": the menu is in English."""
        return "ltr"

    @dbus_property(PropertyAccess.READ, name="Status")
    def status(self) -> DBusStr:
        """Return "notice" if the person should look at the menu."""
        return "notice" if self._icon.attention else "normal"

    @dbus_property(PropertyAccess.READ, name="IconThemePath")
    def icon_theme_path(self) -> Names:
        """Return no folders: items have no icons."""
        return []

    @dbus_method(name="GetLayout")
    def get_layout(
        self, parent: DBusInt32, depth: DBusInt32, names: Names
    ) -> Annotated[tuple[int, list[Any]], DBusSignature("u(ia{sv}av)")]:
        """Return the revision and the menu from `parent` down."""
        return self._revision, self._tree(parent, depth, names)

    @dbus_method(name="GetGroupProperties")
    def get_group_properties(
        self, ids: Ids, names: Names
    ) -> Annotated[list[tuple[int, Properties]], DBusSignature("a(ia{sv})")]:
        """Return the properties of these items; without ids, of all items."""
        numbers = [number for number in ids or self._layout if number in self._layout]
        return [(number, _filter_properties(self._layout[number].properties, names)) for number in numbers]

    @dbus_method(name="GetProperty")
    def get_property(self, number: DBusInt32, name: DBusStr) -> DBusVariant:
        """Return one property of one item."""
        value = self._find_entry(number).properties.get(name)
        if value is None:
            raise DBusError(ErrorType.INVALID_ARGS, f"Item {number} has no property {name!r}.")
        return value

    @dbus_method(name="Event")
    def event(self, number: DBusInt32, kind: DBusStr, _data: DBusVariant, _timestamp: DBusUInt32) -> Nothing:
        """Handle what the person did. If the item is gone, the click came from an older menu and does nothing."""
        self._handle_event(number, kind)

    @dbus_method(name="EventGroup")
    def event_group(self, events: Annotated[list[tuple[int, str, Variant, int]], DBusSignature("a(isvu)")]) -> Ids:
        """Handle several events; return the ids that the menu does not have."""
        return [number for number, kind, _, _ in events if not self._handle_event(number, kind)]

    @dbus_method(name="AboutToShow")
    def about_to_show(self, number: DBusInt32) -> DBusBool:
        """Refresh the menu; return whether the host has to fetch it again."""
        self._find_entry(number)
        return self.refresh()

    @dbus_method(name="AboutToShowGroup")
    def about_to_show_group(self, ids: Ids) -> Annotated[tuple[list[int], list[int]], DBusSignature("aiai")]:
        """Refresh the menu; return the ids that the host has to fetch again and those that the menu does not have."""
        unknown = [number for number in ids if number not in self._layout]
        known = [number for number in ids if number in self._layout]
        return known if self.refresh() else [], unknown

    @dbus_signal(name="LayoutUpdated")
    def layout_updated(self, revision: int, parent: int) -> Annotated[tuple[int, int], DBusSignature("ui")]:
        """Signal that the structure below `parent` has changed."""
        return revision, parent

    @dbus_signal(name="ItemsPropertiesUpdated")
    def items_properties_updated(
        self, updated: list[tuple[int, Properties]], removed: list[tuple[int, list[str]]]
    ) -> Annotated[tuple[list[Any], list[Any]], DBusSignature("a(ia{sv})a(ias)")]:
        """Signal that properties of items have changed."""
        return updated, removed


def _filter_properties(properties: Properties, names: Sequence[str]) -> Properties:
    return {name: value for name, value in properties.items() if not names or name in names}
