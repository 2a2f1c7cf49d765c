"""A stand-in for the parts of AppKit, Foundation and PyObjCTools that pystray's icon for macOS uses."""

# ruff: noqa: D101, D102, N802  names and meanings are those of AppKit, and of `System`

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

from PIL import Image

from tests.support.desktop.tray_system import Line, System


class Native:
    """An object of AppKit: after setX_(value) it has the attribute x. `owner` checks that its main thread calls it."""

    owner: Mac | None = None

    def __init__(self, **arguments: Any) -> None:
        vars(self).update(arguments)

    @classmethod
    def alloc(cls) -> Any:
        return cls()

    def init(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if not (name.startswith("set") and name.endswith("_")):
            raise AttributeError(name)

        def change(value: Any) -> None:
            if self.owner is not None:
                self.owner.check_thread()
            vars(self)[name.removeprefix("set").removesuffix("_").lower()] = value

        return change


class NSMenu(Native):
    def initWithTitle_(self, _title: str) -> NSMenu:
        self.items: list[NSMenuItem] = []
        return self

    def addItem_(self, item: NSMenuItem) -> None:
        self.items.append(item)


class NSMenuItem(Native):
    title, submenu, state, enabled, attributedtitle, number = "", None, 0, True, None, 0

    @classmethod
    def separatorItem(cls) -> NSMenuItem:
        return cls()

    def initWithTitle_action_keyEquivalent_(self, title: str, action: bytes, _key: str) -> NSMenuItem:
        self.title, self.action = title, action
        return self

    def setTag_(self, number: int) -> None:
        self.number = number

    def tag(self) -> int:
        return self.number


class NSImage(Native):
    def initWithData_(self, data: bytes) -> NSImage:
        self.picture = Image.open(io.BytesIO(data))
        self.picture.load()
        return self

    def size(self) -> tuple[int, int]:
        return self.picture.size


class Mac(System):
    """AppKit and its main thread, which is the thread that made the icon.

    While a menu is open, the main thread makes the calls of callAfter. Those of callLater (with a delay) wait until the
    menu is closed: performSelector:withObject:afterDelay: runs in the default mode of the run loop only.
    """

    def __init__(self) -> None:
        self.wrong_threads: list[str] = []  # names of other threads that changed something visible
        self.removed = False
        self._main: int | None = None
        self._calls: queue.Queue[Callable[[], object]] = queue.Queue()
        self._is_stopped = False
        self._is_open = False
        self._delayed_calls: list[Callable[[], object]] = []
        self.button = Native(owner=self, hidden=True, tooltip="", image=None)
        self.item = Native(owner=self, menu=None, button=lambda: self.button)

    def modules(self) -> dict[str, ModuleType]:
        """Return the modules that pystray and nobg import, by name."""

        def module(name: str, **contents: Any) -> ModuleType:
            new_module = ModuleType(name)
            vars(new_module).update(contents)
            return new_module

        bar = Native(thickness=lambda: 22.0, statusItemWithLength_=self._new_item, removeStatusItem_=self._remove)
        text = Native(initWithString_attributes_=lambda text, _attributes: text)
        attributes = Native(initWithObjectsAndKeys_=lambda *_: {})
        post = "otherEventWithType_location_modifierFlags_timestamp_windowNumber_context_subtype_data1_data2_"
        appkit = module(
            "AppKit",
            NSApplication=SimpleNamespace(sharedApplication=lambda: self),
            NSStatusBar=SimpleNamespace(systemStatusBar=lambda: bar),
            NSFont=SimpleNamespace(
                boldSystemFontOfSize_=lambda _size: "bold", menuFontOfSize_=lambda _: Native(pointSize=lambda: 13)
            ),
            NSEvent=SimpleNamespace(**{post: lambda *arguments: arguments}),
            **dict.fromkeys(("NSFontAttributeName", "NSApplicationDefined", "NSVariableStatusItemLength"), 0),
            NSPoint=lambda x, y: (x, y),
            NSMenu=NSMenu,
            NSMenuItem=NSMenuItem,
            NSImage=NSImage,
            NSOnState=1,
            NSOffState=0,
        )
        foundation = module(
            "Foundation",
            NSObject=Native,
            NSData=bytes,
            NSAttributedString=SimpleNamespace(alloc=lambda: text),
            NSDictionary=SimpleNamespace(alloc=lambda: attributes),
        )
        signals = module("PyObjCTools.MachSignals", signal=lambda *_: None, getsignal=lambda _number: None)
        helper = module("PyObjCTools.AppHelper", callAfter=self.call_after, callLater=self.call_later)
        tools = module("PyObjCTools", MachSignals=signals, AppHelper=helper)
        objc = module("objc", namedSelector=self._named)
        return {stand_in.__name__: stand_in for stand_in in (appkit, foundation, objc, tools, signals, helper)}

    # macOS's side

    @staticmethod
    def _named(selector: bytes) -> Callable[[Any], Any]:
        def name(method: Any) -> Any:
            method.selector = selector
            return method

        return name

    def _new_item(self, _length: int) -> Native:
        self._main = threading.get_ident()
        return self.item

    def _remove(self, item: Native) -> None:
        self.removed = item is self.item
        self.check_thread()

    def check_thread(self) -> None:
        """Note the current thread if it is not the main thread: something visible was changed."""
        if threading.get_ident() != self._main:
            self.wrong_threads.append(threading.current_thread().name)

    def call_after(self, function: Callable[..., object], *arguments: Any) -> None:
        self._calls.put(partial(function, *arguments))

    def call_later(self, delay: float, function: Callable[..., object], *arguments: Any) -> None:
        call = partial(function, *arguments)
        self._calls.put(call if not delay else lambda: self._delayed_calls.append(call) if self._is_open else call())

    def run(self) -> None:
        """Run the loop of NSApplication."""
        while not self._is_stopped:
            self._calls.get(timeout=60)()

    def stop_(self, _sender: object) -> None:
        """End the loop after the next event."""
        self.stopped = True

    def postEvent_atStart_(self, _event: object, _first: bool) -> None:
        self._calls.put(lambda: setattr(self, "_is_stopped", self.stopped))

    def _send(self, item: NSMenuItem) -> None:
        methods = vars(type(item.target)).values()
        (method,) = [method for method in methods if getattr(method, "selector", None) == item.action]
        method(item.target, item)

    # The person's side

    @property
    def menu(self) -> NSMenu:
        menu = self.item.menu
        assert isinstance(menu, NSMenu)
        return menu

    def lines(self, menu: NSMenu) -> list[tuple[Line, Any]]:
        return [
            (
                Line(
                    item.title,
                    checked=bool(item.state),
                    enabled=item.enabled,
                    bold=item.attributedtitle is not None,
                ),
                item,
            )
            for item in menu.items
        ]

    def below(self, item: NSMenuItem) -> NSMenu | None:
        return item.submenu

    def click(self, icon: Any, item: NSMenuItem) -> None:
        assert icon._delegate is item.target
        self._send(item)

    def picture(self) -> Image.Image | None:
        return None if self.button.hidden or self.removed else self.button.image.picture

    def tip(self) -> str:
        return str(self.button.tooltip)

    def open(self) -> NSMenu:
        opened: queue.Queue[NSMenu] = queue.Queue()

        def show() -> None:
            self._is_open = True
            opened.put(self.menu)

        self._calls.put(show)
        return opened.get(timeout=60)

    def choose(self, item: NSMenuItem) -> None:
        def close() -> None:
            self._is_open = False
            self._send(item)
            while self._delayed_calls:
                self._delayed_calls.pop(0)()

        self._calls.put(close)

    def leave(self) -> None:
        self._is_open = False

    def settle(self) -> None:
        done = threading.Event()
        self._calls.put(done.set)
        assert done.wait(60)

    def is_clean(self) -> bool:
        return self.removed and not self.wrong_threads
