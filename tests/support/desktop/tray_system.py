"""The interface of the stand-ins for a system: how a person sees and clicks icon and menu."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Line:
    """A line of a menu as a person sees it; `below` is its sub-menu. An empty label means a separator."""

    label: str
    below: tuple[Line, ...] = ()
    checked: bool = False
    radio: bool = False
    enabled: bool = True
    bold: bool = False


LINE = Line("")


class System:
    """The interface of both stand-ins. `menu`: the icon's present menu, an object of the system."""

    menu: Any

    def lines(self, menu: Any) -> list[tuple[Line, Any]]:
        """Return the lines of a menu without their sub-menus, each with the system's item."""
        raise NotImplementedError

    def below(self, item: Any) -> Any:
        """Return the sub-menu of an item, or None."""
        raise NotImplementedError

    def click(self, icon: Any, item: Any) -> None:
        """Open the menu and choose an item. For icons without a loop."""
        raise NotImplementedError

    def picture(self) -> Image.Image | None:
        """Return the picture that the icon shows; None: the icon is not visible."""
        raise NotImplementedError

    def tip(self) -> str:
        """Return the tooltip."""
        raise NotImplementedError

    def open(self) -> Any:
        """Open the menu, which stays open until `choose` or `leave`. For icons with a loop."""
        raise NotImplementedError

    def choose(self, item: Any) -> None:
        """Choose an item of the open menu."""
        raise NotImplementedError

    def leave(self) -> None:
        """Close the menu, if it is open."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until the loop has handled all earlier calls, as far as an open menu allows."""
        raise NotImplementedError

    def is_clean(self) -> bool:
        """Return whether the icon has released everything and broken no rule of the system."""
        raise NotImplementedError

    def read(self, menu: Any) -> list[Line]:
        """Return a menu as a person sees it."""
        return [
            replace(line, below=tuple(self.read(self.below(item))) if self.below(item) else ())
            for line, item in self.lines(menu)
        ]

    def targets(self, menu: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield all items that can be clicked, from top to bottom, with the labels on the way there."""
        for line, item in self.lines(menu):
            if self.below(item):
                yield from self.targets(self.below(item), *above, line.label)
            elif line.label and line.enabled:
                yield (*above, line.label), item
