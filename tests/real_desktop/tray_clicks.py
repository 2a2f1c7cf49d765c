"""The icon's menu, used with keys or with the pointer."""

from __future__ import annotations

from tests.real_desktop.screen import (
    Element,
    click_at,
    click_element,
    find_element,
    press_key,
    visible_elements,
    wait_for_drawing,
)
from tests.real_desktop.session import Desktop
from tests.real_desktop.tray_bus import is_checked, read_menu
from tests.support.program import wait_for
from watcher.desktop import strings


def find_icon(desktop: Desktop) -> Element:
    """Return the icon in the panel; wait until it appears."""
    icons: list[Element] = []

    def has_icon() -> bool:
        elements = visible_elements(desktop)
        icons[:] = [element for element in elements if element.name.startswith(strings.APP) and element.width > 1]
        return bool(icons)

    wait_for(has_icon)
    return icons[0]


class KeyboardMenu:
    """Use the menu with keys: the menus of Xfce's panel and of Qt are not on the accessibility bus.

    `place`: where the icon is on the screen; None: where the accessibility bus says.
    """

    def __init__(self, desktop: Desktop, place: tuple[int, int] | None = None) -> None:
        self._desktop = desktop
        self._place = place

    def open(self) -> None:
        """Open the menu by a click on the icon."""
        if self._place is None:
            click_element(self._desktop, find_icon(self._desktop), 3)
        else:
            click_at(self._desktop, *self._place, 3)
        self._desktop.run("xdotool", "mousemove", "500", "700")  # else the icon's tooltip covers the menu

    def leave(self) -> None:
        """Close the menu."""
        for _ in range(3):
            press_key(self._desktop, "Escape")
        wait_for_drawing(0.5)

    def go(self, *labels: str) -> None:
        """Go to an item by the labels on the way; if it is a sub-menu, open it."""
        items = read_menu(self._desktop)
        for label in labels:
            choices = [item for item in items if item.can_be_chosen]
            index = [item.label for item in choices].index(label)
            for _ in range(index + (label == labels[0])):  # a sub-menu opens with its first item selected
                press_key(self._desktop, "Down")
            items = choices[index].items
            if items:
                press_key(self._desktop, "Right")
        wait_for_drawing(0.5)

    def click(self, *labels: str) -> None:
        """Choose an item."""
        self.go(*labels)
        press_key(self._desktop, "Return")

    def is_checked(self, label: str) -> bool:
        """Return the mark on the bus; the screenshots show whether the panel draws it."""
        return is_checked(self._desktop, label)


class PointerMenu:
    """Use the menu with clicks on what the accessibility bus reports."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def open(self) -> None:
        """Open the menu by a click on the icon."""
        click_element(self._desktop, find_icon(self._desktop), 3)

    def leave(self) -> None:
        """Close the menu."""
        for _ in range(2):
            press_key(self._desktop, "Escape")
        wait_for_drawing(0.5)

    def go(self, *labels: str) -> None:
        """Click items by their labels; the items of a sub-menu appear with the click on it."""
        for label in labels:
            click_element(self._desktop, self._item(label))

    click = go

    def is_checked(self, label: str) -> bool:
        """Return whether the item has a mark."""
        return self._item(label).checked

    def _item(self, label: str) -> Element:
        return find_element(self._desktop, label, "menu item")
