"""Pure: pystray's menu as com.canonical.dbusmenu describes it, and what changes from one layout to the next."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dbus_fast import Variant

from watcher.desktop.status_notifier import pystray_base
from watcher.desktop.status_notifier.protocol import Properties, sanitize

ROOT = 0  # the number of the menu itself
MAX_REMEMBERED_NUMBERS = 10_000  # with more items than this, those that are not in the menu are forgotten

_SEPARATOR: Any = pystray_base.load().Menu.SEPARATOR


@dataclass(frozen=True)
class Entry:
    """An item of the menu as it was when the layout was built. `children` are numbers; `item` is pystray's."""

    properties: Properties
    children: tuple[int, ...] = ()
    item: Any = None


Layout = Mapping[int, Entry]
ItemPath = tuple[tuple[object, int], ...]
"""The names down to an item, each with the count of equal names before it in the same menu.

The name of an item is its attribute `key` if it has one, otherwise its label; the name of a separator is None.
"""


class ItemNumbers:
    """The numbers of items on the bus. No number is used for a second item: a host may still show an older menu."""

    def __init__(self) -> None:
        self._number_by_path: dict[ItemPath, int] = {}
        self._counter = itertools.count(ROOT + 1)
        self.newest = ROOT

    def number_of(self, path: ItemPath) -> int:
        """Return the number of the item with this path; a new path gets a new number."""
        number = self._number_by_path.get(path)
        if number is None:
            number = self._number_by_path[path] = self.newest = next(self._counter)
        return number

    def forget_unused(self, layout: Layout) -> None:
        """Forget items that are not in `layout` once there are too many: labels that keep changing must not pile up."""
        if len(self._number_by_path) > MAX_REMEMBERED_NUMBERS:
            self._number_by_path = {path: number for path, number in self._number_by_path.items() if number in layout}


def build_layout(menu: Any, numbers: ItemNumbers) -> Layout:
    """Return the entries of pystray's `menu` (None: no menu) by number; `ROOT` is the menu itself."""
    entries: dict[int, Entry] = {}

    def add(items: Iterable[Any], parent_path: ItemPath) -> tuple[int, ...]:
        name_counts: Counter[object] = Counter()
        children = []
        for item in items:
            label = None if item is _SEPARATOR else sanitize(item.text)
            name = getattr(item, "key", label)
            path = (*parent_path, (name, name_counts[name]))
            name_counts[name] += 1
            number = numbers.number_of(path)
            grandchildren = () if item.submenu is None else add(item.submenu, path)
            entries[number] = Entry(_item_properties(item, label), grandchildren, item)
            children.append(number)
        return tuple(children)

    top_level = add(() if menu is None else menu, ())
    return {ROOT: Entry({"children-display": Variant("s", "submenu")}, top_level), **entries}


def _item_properties(item: Any, label: str | None) -> Properties:
    if label is None:
        return {"type": Variant("s", "separator"), "visible": Variant("b", True)}
    properties = {
        "label": Variant("s", label.replace("_", "__")),  # a single underscore marks the key to press
        "enabled": Variant("b", bool(item.enabled)),
        "visible": Variant("b", True),
    }
    if item.submenu is not None:
        properties["children-display"] = Variant("s", "submenu")
    checked = item.checked
    if checked is not None:
        properties["toggle-type"] = Variant("s", "radio" if item.radio else "checkmark")
        properties["toggle-state"] = Variant("i", int(bool(checked)))
    return properties


def find_default_item(layout: Layout) -> Any:
    """Return the item that a click on the icon itself chooses, or None."""
    items = (layout[number].item for number in layout[ROOT].children)
    return next((item for item in items if item.default and item.enabled), None)


def has_same_structure(old: Layout, new: Layout) -> bool:
    """Return whether both layouts have the same items in the same places."""
    return _children_by_number(old) == _children_by_number(new)


def _children_by_number(layout: Layout) -> dict[int, tuple[int, ...]]:
    return {number: entry.children for number, entry in layout.items()}


def diff_properties(
    old: Layout, new: Layout, newest_known: int
) -> tuple[list[tuple[int, Properties]], list[tuple[int, list[str]]]]:
    """Return the properties that changed and the names of those that were removed, by the item's number.

    Items with numbers above `newest_known` are new: hosts request their properties unasked. An item that comes back
    is not new: the host may still have its old properties.
    """
    updated, removed = [], []
    for number, entry in new.items():
        old_properties = old[number].properties if number in old else {}
        changed = {name: value for name, value in entry.properties.items() if old_properties.get(name) != value}
        removed_names = [name for name in old_properties if name not in entry.properties]
        if changed and number <= newest_known:
            updated.append((number, changed))
        if removed_names:
            removed.append((number, removed_names))
    return updated, removed
