"""An icon of status_notifier while it runs, and menus for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from tests.support.desktop.tray_host import Host
from tests.support.program import wait_for
from watcher.desktop.status_notifier import pystray_base
from watcher.desktop.status_notifier.icon import Icon

_pystray = pystray_base.load()
Menu, Item, LINE = _pystray.Menu, _pystray.MenuItem, _pystray.Menu.SEPARATOR

RED = Image.new("RGBA", (16, 16), (255, 0, 0, 255))


class Run:
    """`icon.run()` in a thread. `error`: what it raised."""

    def __init__(self, icon: Icon, setup: Callable[[Any], None] | None = None) -> None:
        self.icon = icon
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(setup,))
        self._thread.start()

    def _run(self, setup: Callable[[Any], None] | None) -> None:
        try:
            self.icon.run(setup)
        except BaseException as error:  # noqa: BLE001  the test examines it
            self.error = error

    def wait(self, seconds: float = 5.0) -> None:
        """Wait until `run` has ended without being stopped."""
        self._thread.join(seconds)
        assert not self._thread.is_alive()

    def end(self) -> None:
        """Stop the icon, and fail if `run` does not end."""
        self.icon.stop()
        self.wait()


@contextlib.contextmanager
def running(icon: Icon, setup: Callable[[Any], None] | None = None) -> Iterator[Run]:
    """Run an icon for the length of the block."""
    run = Run(icon, setup)
    try:
        yield run
    finally:
        run.end()


@contextlib.contextmanager
def shown(host: Host, *items: Any) -> Iterator[Icon]:
    """Run an icon, accepted by the host, with these items or with those that a single function returns."""
    icon = Icon("nobg", RED, "nobg", Menu(*items))
    with running(icon):
        host.wait_for_icon()
        wait_for(lambda: icon.registered)
        yield icon


class ChangingMenu:
    """A menu that the test changes. `build_count`: how often pystray has called it for its items."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.build_count = 0

    def __call__(self) -> tuple[Any, ...]:
        """Return the items. Called by pystray."""
        self.build_count += 1
        return self.items

    def change(self, icon: Icon, *items: Any) -> None:
        """Change the items, and wait until the icon has built the menu from them."""
        self.items = items
        count_before = self.build_count
        icon.update_menu()
        wait_for(lambda: self.build_count > count_before)


def named(*labels: str) -> list[Any]:
    """Return items with these labels, which do nothing."""
    return [Item(label, None) for label in labels]


def checkable(label: str, checked: bool, **options: Any) -> Any:
    """Return an item with a check mark, or with none if it is not `checked`."""
    return Item(label, None, checked=lambda _: checked, **options)
