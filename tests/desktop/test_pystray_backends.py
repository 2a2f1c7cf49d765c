"""Our menu and icon on Windows and macOS: pystray's own code for them, over stand-ins for the two systems."""

# ruff: noqa: D101, D102, N802, N815  names and meanings are those of Windows and AppKit, and of `System`

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.support.program import ROOT, wait_for
from watcher import paths
from watcher.desktop import overview, strings, tray
from watcher.desktop.actions import Actions
from watcher.desktop.notifications import Notification
from watcher.desktop.overview import Overview, WatchedFolder
from watcher.desktop.tray import MenuBuilder, Tray
from watcher.program import control
from watcher.queue.journal import Journal

# What stands in the menu, and what each line does


@dataclass(frozen=True)
class Line:
    """A line of a menu, as a person sees it. An empty label is a separator."""

    label: str
    below: tuple[Line, ...] = ()
    checked: bool = False
    radio: bool = False
    enabled: bool = True
    bold: bool = False


LINE = Line("")
HOLIDAY, SHOP, STICK = Path("/srv/holiday"), Path("/srv/shop"), Path("/mnt/stick")
ONE, OTHER = Path("/srv/a/photo_nobg.png"), Path("/srv/b/photo_nobg.png")

FULL = Overview(
    waiting=9,
    folders=(
        WatchedFolder(HOLIDAY),
        WatchedFolder(SHOP, enabled=False),
        WatchedFolder(STICK, problem="it is not there."),
    ),
    recipe="white",
    recent=(ONE, OTHER),  # two of one name
    problems=("/mnt/stick: it is not there.", "the model is damaged"),
    is_in_menu=True,
    model="isnet",
    offline_by="seccomp",
    offers=(overview.SETUP_MENU, overview.SETUP_LOGIN),
)


def folder(path: Path, *lines: Line, on: bool = True) -> Line:
    """A watched folder's line."""
    watch, opened = Line(strings.WATCH, checked=on), Line(strings.OPEN)
    return Line(str(path), (*lines, watch, opened, Line(strings.REMOVE_FOLDER)), checked=on)


def said(text: str) -> Line:
    """A line that only says something."""
    return Line(text, enabled=False)


def full() -> list[Line]:
    """The menu that FULL makes."""
    from watcher import __version__

    result = Line("photo_nobg.png", (Line(strings.OPEN), Line(strings.SHOW_IN_FOLDER)))
    return [
        said("Something needs you: see below"),
        said("/mnt/stick: it is not there."),
        said("the model is damaged"),
        LINE,
        Line(
            strings.SET_UP,
            (Line(strings.OFFER_MENU), Line(strings.OFFER_LOGIN), LINE, Line(strings.DECLINE_SETUP)),
        ),
        LINE,
        Line("Pause"),
        Line(
            "Watched folders",
            (
                folder(HOLIDAY),
                folder(SHOP, on=False),
                folder(STICK, said("it is not there.")),
                LINE,
                Line(strings.ADD_FOLDER),
            ),
        ),
        Line(
            "Output",
            (
                Line("Transparent", radio=True),
                Line("White background", radio=True, checked=True),
                Line("Crop to subject", radio=True),
            ),
        ),
        LINE,
        Line("Recent", (result, result)),
        Line("Undo last"),
        Line("History…", bold=True),
        LINE,
        Line("Right-click menu", checked=True),
        Line("Start at login"),
        Line("Notifications", checked=True),
        Line(strings.SETTINGS),
        Line("About", (said(f"nobg {__version__}"), said("Model: isnet"), said("Offline: verified by seccomp"))),
        LINE,
        Line("Quit"),
    ]


FOLDERS, RESULT = (strings.FOLDERS,), ("Recent", "photo_nobg.png")
DEEDS: list[tuple[tuple[str, ...], tuple[Any, ...]]] = [
    ((strings.SET_UP, strings.OFFER_MENU), ("accept_offers", ["menu"])),
    ((strings.SET_UP, strings.OFFER_LOGIN), ("accept_offers", ["login"])),
    ((strings.SET_UP, strings.DECLINE_SETUP), ("dismiss_setup",)),
    (("Pause",), ("set_paused", True)),
    ((*FOLDERS, "/srv/holiday", strings.WATCH), ("set_folder_enabled", HOLIDAY, False)),
    ((*FOLDERS, "/srv/holiday", strings.OPEN), ("open", HOLIDAY)),
    ((*FOLDERS, "/srv/holiday", strings.REMOVE_FOLDER), ("stop_watching", HOLIDAY)),
    ((*FOLDERS, "/srv/shop", strings.WATCH), ("set_folder_enabled", SHOP, True)),
    ((*FOLDERS, "/srv/shop", strings.OPEN), ("open", SHOP)),
    ((*FOLDERS, "/srv/shop", strings.REMOVE_FOLDER), ("stop_watching", SHOP)),
    ((*FOLDERS, "/mnt/stick", strings.WATCH), ("set_folder_enabled", STICK, False)),
    ((*FOLDERS, "/mnt/stick", strings.OPEN), ("open", STICK)),
    ((*FOLDERS, "/mnt/stick", strings.REMOVE_FOLDER), ("stop_watching", STICK)),
    ((*FOLDERS, strings.ADD_FOLDER), ("add_folder",)),
    (("Output", "Transparent"), ("choose_output", "transparent")),
    (("Output", "White background"), ("choose_output", "white")),
    (("Output", "Crop to subject"), ("choose_output", "crop")),
    ((*RESULT, strings.OPEN), ("open", ONE)),
    ((*RESULT, strings.SHOW_IN_FOLDER), ("reveal", ONE)),
    ((*RESULT, strings.OPEN), ("open", OTHER)),
    ((*RESULT, strings.SHOW_IN_FOLDER), ("reveal", OTHER)),
    (("Undo last",), ("undo_last",)),
    (("History…",), ("open_history",)),
    (("Right-click menu",), ("set_in_menu", False)),
    (("Start at login",), ("set_start_at_login", True)),
    (("Notifications",), ("set_notifications", False)),
    ((strings.SETTINGS,), ("open_settings",)),
    (("Quit",), ("quit",)),
]


class Recorded(Actions):
    """Deeds that only say what was done; `answers` are failures."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.answers: list[Notification] = []
        super().__init__(self.answers.append, lambda: None)
        for name in [name for name in vars(Actions) if not name.startswith("_") and name != "with_error_notification"]:
            setattr(self, name, partial(self._record, name))

    def _record(self, name: str, *given: Any, **named: Any) -> None:
        self.done.append((name, *given, *named.values()))


# The two systems


class System:
    """What the tests ask of either: what a person sees, and clicks on. `menu` is what the icon has now."""

    menu: Any

    def lines(self, menu: Any) -> list[tuple[Line, Any]]:
        """The lines of a menu of the system's, each with the system's item; without what is below."""
        raise NotImplementedError

    def below(self, item: Any) -> Any:
        """The menu below an item, or None."""
        raise NotImplementedError

    def click(self, icon: Any, item: Any) -> None:
        """Open the menu and choose an item of it. For icons without a loop."""
        raise NotImplementedError

    def picture(self) -> Image.Image | None:
        """What is to be seen of the icon, if anything is."""
        raise NotImplementedError

    def tip(self) -> str:
        """What is said under the pointer."""
        raise NotImplementedError

    def open(self) -> Any:
        """The person opens the menu, which stays open until `choose`. For icons with a loop."""
        raise NotImplementedError

    def choose(self, item: Any) -> None:
        """An item of the menu that is open."""
        raise NotImplementedError

    def leave(self) -> None:
        """Close the menu, if it is open."""
        raise NotImplementedError

    def settle(self) -> None:
        """Return when the loop has done what it was asked to do before this, as far as an open menu lets it."""
        raise NotImplementedError

    def is_clean(self) -> bool:
        """Is nothing left of the icon?"""
        raise NotImplementedError

    def read(self, menu: Any) -> list[Line]:
        """A menu as a person sees it."""
        return [
            replace(line, below=tuple(self.read(self.below(item))) if self.below(item) else ())
            for line, item in self.lines(menu)
        ]

    def targets(self, menu: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """All that can be clicked on, from top to bottom, with the labels on the way there."""
        for line, item in self.lines(menu):
            if self.below(item):
                yield from self.targets(self.below(item), *above, line.label)
            elif line.label and line.enabled:
                yield (*above, line.label), item


class Function:
    """A function of a DLL, as ctypes has them: it looks at its arguments, and at the result."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self._act = act
        self.argtypes: tuple[Any, ...] = ()
        self.restype: Any = None
        self.errcheck: Callable[..., Any] | None = None

    def __call__(self, *given: Any) -> Any:
        for kind, value in zip(self.argtypes, given, strict=True):
            kind.from_param(value)
        result = self._act(*given)
        return result if self.errcheck is None else self.errcheck(result, self, given)


@dataclass
class Popup:
    """A menu of Windows'."""

    lines: list[tuple[Line, tuple[int, Popup | None]]]
    alive: bool = True


class Windows(System):
    """So much of user32, kernel32 and shell32 as an icon needs; numbers are those of Microsoft's headers."""

    WM_QUIT, WM_LBUTTONUP, WM_RBUTTONUP, TASKBAR_CREATED = 0x12, 0x202, 0x205, 0xC123

    def __init__(self) -> None:
        self.popups: dict[int, Popup] = {}
        self.pictures: dict[int, Image.Image] = {}
        self.icons: dict[int, dict[str, Any]] = {}
        self.windows: dict[int, Any] = {}
        self.classes: dict[int, Any] = {}
        self.messages: queue.Queue[tuple[int, int, int, int]] = queue.Queue()
        self.track: Callable[[Popup], int] = lambda _popup: 0
        self.functions: dict[str, Function] = {}
        self._handles = iter(range(0x10000, 0x7FFFFFFF))
        self._chosen: queue.Queue[int] = queue.Queue()

    def __getattr__(self, name: str) -> Function:
        """A function; all of one program's uses of it are one object."""
        if name not in self.functions:
            self.functions[name] = Function(object.__getattribute__(self, f"do_{name}"))
        return self.functions[name]

    # Windows' side

    def do_CreatePopupMenu(self) -> int:
        handle = next(self._handles)
        self.popups[handle] = Popup([])
        return handle

    def do_DestroyMenu(self, handle: int) -> bool:
        """With the menus below it."""
        popup = self.popups.pop(handle, None)
        if popup is None:
            return False
        popup.alive = False
        for _, (_, below) in popup.lines:
            if below is not None:
                self.do_DestroyMenu(next(one for one, it in self.popups.items() if it is below))
        return True

    def do_InsertMenuItemW(self, handle: int, position: int, by_position: bool, reference: Any) -> bool:
        info = reference._obj
        assert by_position
        assert info.cbSize == ctypes.sizeof(info)
        lines = self.popups[handle].lines
        if info.fType & 0x800:  # MFT_SEPARATOR
            lines.insert(position, (LINE, (0, None)))
            return True
        assert info.fMask & 0x147 == 0x147  # it sets text, state, type, number and sub-menu
        line = Line(
            re.sub("&(.)", r"\1", info.dwTypeData),  # & underlines the next character, && is &
            checked=bool(info.fState & 0x8),  # MFS_CHECKED
            radio=bool(info.fType & 0x200),  # MFT_RADIOCHECK
            enabled=not info.fState & 0x3,  # MFS_DISABLED
            bold=bool(info.fState & 0x1000),  # MFS_DEFAULT
        )
        lines.insert(position, (line, (info.wID, self.popups[info.hSubMenu] if info.hSubMenu else None)))
        return True

    def do_TrackPopupMenuEx(self, handle: int, flags: int, *_rest: Any) -> int:
        assert flags & 0x100  # TPM_RETURNCMD
        return self.track(self.popups[handle])

    def do_RegisterClassExW(self, window_class: Any) -> int:
        atom = next(self._handles) & 0xFFFF | 0xC000
        self.classes[atom] = window_class
        return atom

    def do_UnregisterClassW(self, atom: int, _module: int) -> bool:
        return self.classes.pop(atom, None) is not None

    def do_CreateWindowExW(self, _style: int, atom: int, *_rest: Any) -> int:
        handle = next(self._handles)
        self.windows[handle] = self.classes[atom].lpfnWndProc
        return handle

    def do_DestroyWindow(self, handle: int) -> bool:
        return self.windows.pop(handle, None) is not None

    def do_Shell_NotifyIconW(self, code: int, data: Any) -> bool:
        assert data.cbSize == ctypes.sizeof(data)
        if code == 2:  # NIM_DELETE
            return self.icons.pop(data.hWnd, None) is not None
        if (code == 0) == (data.hWnd in self.icons):  # NIM_ADD what is there, NIM_MODIFY what is not
            return False
        icon = self.icons.setdefault(data.hWnd, {})
        parts = {0x1: "uCallbackMessage", 0x2: "hIcon", 0x4: "szTip"}
        icon.update({name: getattr(data, name) for flag, name in parts.items() if data.uFlags & flag})
        return True

    def do_LoadImageW(self, _module: None, name: str, kind: int, _x: int, _y: int, flags: int) -> int:
        assert (kind, flags & 0x10) == (1, 0x10)  # an icon, from a file
        handle = next(self._handles)
        with Image.open(name) as picture:
            assert picture.format == "ICO"
            picture.load()
            self.pictures[handle] = picture
        return handle

    def do_DestroyIcon(self, handle: int) -> bool:
        return self.pictures.pop(handle, None) is not None

    def do_GetMessageW(self, reference: Any, *_rest: Any) -> int:
        message = reference._obj
        message.hWnd, message.message, message.wParam, message.lParam = self.messages.get(timeout=60)
        return int(message.message != self.WM_QUIT)

    def do_DispatchMessageW(self, reference: Any) -> int:
        message = reference._obj
        if message.hWnd in self.windows:
            return int(self.windows[message.hWnd](message.hWnd, message.message, message.wParam, message.lParam))
        return 0

    def do_PostMessageW(self, window: int, message: int, first: int, second: int) -> bool:
        self.messages.put((window, message, first, second))
        return True

    def do_PostQuitMessage(self, _code: int) -> None:
        self.messages.put((0, self.WM_QUIT, 0, 0))

    def do_RegisterWindowMessageW(self, name: str) -> int:
        assert name == "TaskbarCreated"
        return self.TASKBAR_CREATED

    def _fine(self, *_given: Any) -> int:
        return 1

    do_ChangeWindowMessageFilterEx = do_GetCursorPos = do_GetModuleHandleW = do_PeekMessageW = _fine
    do_SetForegroundWindow = do_TranslateMessage = do_DefWindowProcW = _fine

    # The person's side

    @property
    def menu(self) -> Popup:
        below = [below for popup in self.popups.values() for _, (_, below) in popup.lines]
        (top,) = [popup for popup in self.popups.values() if not any(popup is one for one in below)]
        return top

    def lines(self, menu: Popup) -> list[tuple[Line, Any]]:
        return list(menu.lines)

    def below(self, item: tuple[int, Popup | None]) -> Popup | None:
        return item[1]

    def click(self, icon: Any, item: tuple[int, Popup | None]) -> None:
        self.track = lambda _popup: item[0]
        icon._on_notify(0, self.WM_RBUTTONUP)

    def picture(self) -> Image.Image | None:
        handles = [icon["hIcon"] for icon in self.icons.values()]
        return self.pictures.get(handles[0]) if handles else None

    def tip(self) -> str:
        return "".join(icon["szTip"] for icon in self.icons.values())

    def tell(self, message: int, second: int) -> None:
        """Send the icon's window a message."""
        (window,) = self.icons
        self.messages.put((window, message, 0, second))

    def mouse(self, button: int) -> None:
        """Let go of a mouse button over the icon."""
        (icon,) = self.icons.values()
        self.tell(icon["uCallbackMessage"], button)

    def open(self) -> Popup:
        opened: queue.Queue[Popup] = queue.Queue()

        def track(popup: Popup) -> int:
            opened.put(popup)
            return self._chosen.get(timeout=60)

        self.track = track
        self.mouse(self.WM_RBUTTONUP)
        return opened.get(timeout=60)

    def choose(self, item: tuple[int, Popup | None]) -> None:
        self._chosen.put(item[0])

    def leave(self) -> None:
        self._chosen.put(0)

    def settle(self) -> None:
        """What happens beside the menu does so in other threads."""

    def is_clean(self) -> bool:
        return not (self.icons or self.popups or self.windows or self.classes)


class Native:
    """An object of AppKit's: after setX_(value) it has the attribute x. `owner`: only in its main thread, please."""

    owner: Mac | None = None

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)

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
                self.owner.touched()
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
    """So much of AppKit as an icon needs, and its main thread: the one that made the icon.

    While a menu is open, the main thread does what callAfter has brought; what callLater brings (with some delay)
    waits until the menu is closed: performSelector:withObject:afterDelay: is for the default mode of the run loop.
    """

    def __init__(self) -> None:
        self.elsewhere: list[str] = []  # threads that touched what they may not
        self.removed = False
        self._main: int | None = None
        self._asked: queue.Queue[Callable[[], object]] = queue.Queue()
        self._over = False
        self._is_open = False
        self._later: list[Callable[[], object]] = []
        self.button = Native(owner=self, hidden=True, tooltip="", image=None)
        self.item = Native(owner=self, menu=None, button=lambda: self.button)

    def modules(self) -> dict[str, ModuleType]:
        """What pystray and we import."""

        def module(name: str, **contents: Any) -> ModuleType:
            made = ModuleType(name)
            vars(made).update(contents)
            return made

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
            NSEvent=SimpleNamespace(**{post: lambda *given: given}),
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
        return {made.__name__: made for made in (appkit, foundation, objc, tools, signals, helper)}

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
        self.touched()

    def touched(self) -> None:
        """Something visible was changed."""
        if threading.get_ident() != self._main:
            self.elsewhere.append(threading.current_thread().name)

    def call_after(self, act: Callable[..., object], *given: Any) -> None:
        self._asked.put(partial(act, *given))

    def call_later(self, delay: float, act: Callable[..., object], *given: Any) -> None:
        call = partial(act, *given)
        self._asked.put(call if not delay else lambda: self._later.append(call) if self._is_open else call())

    def run(self) -> None:
        """The loop of NSApplication."""
        while not self._over:
            self._asked.get(timeout=60)()

    def stop_(self, _sender: object) -> None:
        """Ends the loop after the next event."""
        self.stopped = True

    def postEvent_atStart_(self, _event: object, _first: bool) -> None:
        self._asked.put(lambda: setattr(self, "_over", self.stopped))

    def _send(self, item: NSMenuItem) -> None:
        methods = vars(type(item.target)).values()
        (method,) = [one for one in methods if getattr(one, "selector", None) == item.action]
        method(item.target, item)

    # The person's side

    @property
    def menu(self) -> NSMenu:
        found = self.item.menu
        assert isinstance(found, NSMenu)
        return found

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

        self._asked.put(show)
        return opened.get(timeout=60)

    def choose(self, item: NSMenuItem) -> None:
        def close() -> None:
            self._is_open = False
            self._send(item)
            while self._later:
                self._later.pop(0)()

        self._asked.put(close)

    def leave(self) -> None:
        self._is_open = False

    def settle(self) -> None:
        done = threading.Event()
        self._asked.put(done.set)
        assert done.wait(60)

    def is_clean(self) -> bool:
        return self.removed and not self.elsewhere


@pytest.fixture(autouse=True)
def _own_pystray() -> Iterator[None]:
    """Import pystray anew, for the system that a test chooses; afterwards all is as it was."""

    def known() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "pystray"}

    before = known()
    for name in before:
        del sys.modules[name]
    yield
    for name in known():
        del sys.modules[name]
    sys.modules.update(before)


def start_windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """From now on, this is Windows to pystray and to our tray."""
    made = Windows()
    monkeypatch.setattr(ctypes, "WinDLL", lambda _name: made, raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "HRESULT", ctypes.c_long, raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda: OSError("Windows refuses"), raising=False)
    monkeypatch.setenv("PYSTRAY_BACKEND", "win32")
    monkeypatch.setattr(tray, "sys", SimpleNamespace(platform="win32"))
    return made


def start_mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    """From now on, this is a Mac to pystray and to our tray."""
    made = Mac()
    for name, module in made.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("PYSTRAY_BACKEND", "darwin")
    monkeypatch.setattr(tray, "sys", SimpleNamespace(platform="darwin"))
    return made


@pytest.fixture(params=[start_windows, start_mac], ids=["windows", "macos"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    started: System = request.param(monkeypatch)
    return started


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    return start_windows(monkeypatch)


def icon_of(seen: Overview, deeds: Actions | None = None, state: str = tray.IDLE) -> Any:
    """An icon of pystray's with our menu and picture, not shown, without its loop."""
    pystray = importlib.import_module("pystray")
    like_it = SimpleNamespace(Menu=pystray.Menu, MenuItem=pystray.MenuItem, modern=False)
    entries = MenuBuilder(like_it, deeds or Recorded())
    status = tray.describe_status(seen, "3 of 12, about 8 s")
    menu = pystray.Menu(lambda: entries.build(seen, status))
    icon = pystray.Icon(strings.APP, tray._icon_images(state, (64,)), strings.APP, menu)
    icon.update_menu()
    return icon


# The menu


def test_the_menu_reads_as_it_should(system: System) -> None:
    kept = icon_of(FULL)
    expected = full() if isinstance(system, Windows) else without_radios(full())
    assert system.read(system.menu) == expected
    del kept


def without_radios(lines: Sequence[Line]) -> list[Line]:
    """As macOS draws them: chosen ones have a check mark like all others."""
    return [replace(line, radio=False, below=tuple(without_radios(line.below))) for line in lines]


def test_each_line_does_what_it_says(system: System) -> None:
    deeds = Recorded()
    icon = icon_of(FULL, deeds)
    assert [labels for labels, _ in system.targets(system.menu)] == [labels for labels, _ in DEEDS]
    for number, (labels, deed) in enumerate(DEEDS):
        deeds.done.clear()
        _, item = list(system.targets(system.menu))[number]  # the menu is made anew after each click
        system.click(icon, item)
        assert (labels, deeds.done) == (labels, [deed])
    assert deeds.answers == []


def test_what_goes_wrong_in_a_click_is_said_and_ends_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    deeds = Recorded()

    def fail() -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(deeds, "undo_last", fail)
    icon = icon_of(FULL, deeds)
    targets = dict(system.targets(system.menu))
    system.click(icon, targets["Undo last",])
    assert [notice.title for notice in deeds.answers] == [strings.FAILED]


@pytest.mark.parametrize(
    ("seen", "marked"),
    [
        (Overview(), {"Transparent", "Notifications"}),
        (Overview(paused=True, recipe="crop", notifications=False), {"Pause", "Crop to subject"}),
        (Overview(recipe="my own", starts_at_login=True), {"my own", "Start at login", "Notifications"}),
        (
            Overview(
                folders=(WatchedFolder(SHOP, enabled=False), WatchedFolder(HOLIDAY)),
                is_in_menu=True,
                notifications=False,
            ),
            {"/srv/holiday", strings.WATCH, "Transparent", "Right-click menu"},
        ),
    ],
    ids=["new", "paused", "own", "folders"],
)
def test_check_marks_say_what_is_so(seen: Overview, marked: set[str], system: System) -> None:
    def checked(lines: Sequence[Line]) -> set[str]:
        return {line.label for line in lines if line.checked}.union(*(checked(line.below) for line in lines))

    kept = icon_of(seen)
    assert checked(system.read(system.menu)) == marked
    del kept


def test_what_cannot_be_done_cannot_be_clicked_on(system: System) -> None:
    kept = icon_of(Overview())
    labels = [labels for labels, _ in system.targets(system.menu)]
    assert ("Undo last",) not in labels
    assert not [one for one in labels if one[0] in {"Recent", "About", strings.READY, strings.SET_UP}]
    assert [one for one in labels if one[0] == strings.FOLDERS] == [(strings.FOLDERS, strings.ADD_FOLDER)]
    del kept


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(
            start_windows,
            id="windows",
        ),
        pytest.param(start_mac, id="macos"),
    ],
)
def test_names_are_shown_as_they_are(
    start: Callable[[pytest.MonkeyPatch], System], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = start(monkeypatch)
    name = "Tom & Jerry && _100%_ 'x' ~1_nobg.png"
    kept = icon_of(Overview(recent=(Path("/srv") / name,), folders=(WatchedFolder(Path("/srv/R&D")),), recipe="B&W"))
    lines = {line.label: line for line in system.read(system.menu)}
    below = [lines[label].below[0].label for label in ("Recent", "Watched folders")]
    assert [*below, lines["Output"].below[-1].label] == [name, "/srv/R&D", "B&W"]
    del kept


def test_a_left_click_on_windows_shows_the_history(windows: Windows) -> None:
    deeds = Recorded()
    icon_of(FULL, deeds)._on_notify(0, windows.WM_LBUTTONUP)
    assert deeds.done == [("open_history",)]


def test_closing_the_menu_on_windows_does_nothing(windows: Windows) -> None:
    deeds = Recorded()
    icon_of(FULL, deeds)._on_notify(0, windows.WM_RBUTTONUP)  # TrackPopupMenuEx returns 0
    assert deeds.done == []


# The icon


@pytest.mark.parametrize("state", [tray.IDLE, tray.WORKING, tray.PAUSED, tray.ATTENTION])
def test_windows_gets_the_picture_in_the_sizes_of_its_bar(state: str, windows: Windows, tmp_path: Path) -> None:
    icon = icon_of(Overview(), state=state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        icon._assert_icon_handle()
    (picture,) = windows.pictures.values()
    assert {(16, 16), (24, 24), (32, 32), (48, 48), (64, 64)} <= set(picture.info["sizes"])  # 100 to 400 %
    with Image.open(ROOT / "assets" / "tray" / f"{state}-64.png") as drawn:
        assert picture.convert("RGBA").tobytes() == drawn.convert("RGBA").tobytes()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def shown(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """Our tray, running on the system."""
    monkeypatch.setattr(tray, "POLL_SECONDS", 0.01)
    one = Shown(system)
    one.thread.start()
    try:
        wait_for(lambda: one.system.picture() is not None and one.looks())
        yield one
    finally:
        one.system.leave()
        one.stop.set()
        one.thread.join(60)
    assert not one.thread.is_alive()
    assert one.deeds.answers == []


class Shown:
    """A tray that runs, in a thread of its own that is macOS's main thread."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.deeds = Recorded()
        self.stop = threading.Event()
        self.state = paths.state_dir()
        self.journal = Journal(self.state)
        self.journal.close()
        self.tray = Tray(self.state, self.deeds, lambda waiting: f"1 of {waiting + 1}")
        self.thread = threading.Thread(target=self.tray.run, args=(self.stop,), name="main")

    def looks(self) -> bool:
        """Has it seen how everything stands?"""
        return self.system.tip().startswith(f"{strings.APP}: ")

    @contextlib.contextmanager
    def changing(self) -> Iterator[Journal]:
        """The journal, to change what is to be shown."""
        with contextlib.closing(Journal(self.state)) as journal:
            yield journal

    def notice(self) -> None:
        """Return when what has changed was noticed, and what comes of that is done."""
        seen = self.tray.snapshot
        wait_for(lambda: self.tray.snapshot is not seen)
        looked = threading.Event()

        def changed(_look: overview.OverviewReader) -> bool:
            looked.set()
            return False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(overview.OverviewReader, "has_changed", changed)
            assert looked.wait(60)  # this look began when the one before was over
        self.system.settle()

    def labels(self) -> list[str]:
        """The menu's lines, when it is complete."""
        with contextlib.suppress(ValueError):  # Windows' is being made anew
            return [line.label for line in self.system.read(self.system.menu)]
        return []


def looks_like(picture: Image.Image | None, state: str) -> bool:
    """Is it the drawing of this state, in whatever size it is?"""
    if picture is None:
        return False
    with Image.open(ROOT / "assets" / "tray" / f"{state}-64.png") as drawn:
        expected = drawn.convert("RGBA").resize(picture.size, Image.Resampling.LANCZOS)
    return picture.convert("RGBA").tobytes() == expected.tobytes()


def test_the_icon_follows_what_is_so_and_ends_with_the_program(shown: Shown) -> None:
    system = shown.system
    assert looks_like(system.picture(), "idle")
    assert system.tip() == "nobg: Ready"
    with shown.changing() as journal:
        control.set_paused(journal, paused=True)
    wait_for(lambda: system.tip() == "nobg: Paused" and looks_like(system.picture(), "paused"))
    wait_for(lambda: shown.labels()[:1] == ["Paused"])
    with shown.changing() as journal:
        control.set_paused(journal, paused=False)
        journal.set_setting("trouble", "the model is damaged")
    wait_for(lambda: looks_like(system.picture(), "attention"))
    wait_for(lambda: "the model is damaged" in shown.labels())
    shown.stop.set()
    shown.thread.join(60)
    assert not shown.thread.is_alive()
    assert system.picture() is None
    assert system.is_clean()


def test_a_click_in_the_running_icon_is_carried_out(shown: Shown) -> None:
    menu = shown.system.open()
    shown.system.choose(dict(shown.system.targets(menu))["Quit",])
    wait_for(lambda: shown.deeds.done == [("quit",)])


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(
            start_windows,
            id="windows",
        ),
        pytest.param(
            start_mac,
            id="macos",
        ),
    ],
    indirect=True,
)
def test_a_menu_that_is_open_stays_as_it_is_whatever_changes(shown: Shown) -> None:
    menu = shown.system.open()
    line = dict(shown.system.targets(menu))["History…",]
    with shown.changing() as journal:
        journal.set_setting("trouble", "the model is damaged")  # one line more, above all that can be clicked on
    shown.notice()
    is_whole = not isinstance(menu, Popup) or menu.alive
    shown.system.choose(line)
    wait_for(lambda: shown.deeds.done)
    assert (is_whole, shown.deeds.done) == (True, [("open_history",)])
    wait_for(lambda: "the model is damaged" in shown.labels())


@pytest.mark.parametrize("system", [start_windows], ids=["windows"], indirect=True)
def test_the_icon_is_there_again_when_explorer_was_started_anew(shown: Shown) -> None:
    system = shown.system
    assert isinstance(system, Windows)
    (window,) = system.icons
    system.icons.clear()
    system.messages.put((window, system.TASKBAR_CREATED, 0, 0))
    wait_for(lambda: looks_like(system.picture(), "idle"))
    assert system.tip() == "nobg: Ready"


def test_on_a_mac_the_icon_is_changed_in_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    mac = start_mac(monkeypatch)
    threads: list[int] = []
    tray._call_on_ui_thread(lambda: threads.append(threading.get_ident()))
    assert threads == []
    loop = threading.Thread(target=mac.run)
    loop.start()
    wait_for(lambda: threads)
    mac.stop_(None)
    mac.postEvent_atStart_(None, _first=False)
    loop.join(60)
    assert threads == [loop.ident]


def test_elsewhere_the_icon_is_changed_at_once(windows: Windows) -> None:
    done: list[Windows] = []
    tray._call_on_ui_thread(lambda: done.append(windows))
    assert done == [windows]
