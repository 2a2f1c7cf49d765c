"""A stand-in for the parts of user32, kernel32 and shell32 that pystray's icon for Windows uses."""

# ruff: noqa: D102, N802, N815  names and meanings are those of Windows, and of `System`

from __future__ import annotations

import ctypes
import io
import queue
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.support.desktop.tray_system import LINE, Line, System


class Function:
    """A function of a DLL as ctypes wraps it: it checks its arguments and its result."""

    def __init__(self, implementation: Callable[..., Any]) -> None:
        self._implementation = implementation
        self.argtypes: tuple[Any, ...] = ()
        self.restype: Any = None
        self.errcheck: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        for kind, value in zip(self.argtypes, arguments, strict=True):
            kind.from_param(value)
        result = self._implementation(*arguments)
        return result if self.errcheck is None else self.errcheck(result, self, arguments)


@dataclass
class Popup:
    """A menu of Windows. Each line has the number of its item and its sub-menu."""

    lines: list[tuple[Line, tuple[int, Popup | None]]]
    alive: bool = True


class Windows(System):
    """user32, kernel32 and shell32 in one object; numbers are those of Microsoft's headers."""

    WM_QUIT, WM_LBUTTONUP, WM_RBUTTONUP, TASKBAR_CREATED = 0x12, 0x202, 0x205, 0xC123
    TASKBAR = 0x7000

    def __init__(self) -> None:
        self.dpi = 96
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
        """Return a function of a DLL, always the same object."""
        if name not in self.functions:
            self.functions[name] = Function(object.__getattribute__(self, f"do_{name}"))
        return self.functions[name]

    # Windows' side

    def do_CreatePopupMenu(self) -> int:
        handle = next(self._handles)
        self.popups[handle] = Popup([])
        return handle

    def do_DestroyMenu(self, handle: int) -> bool:
        """Destroy a menu and its sub-menus."""
        popup = self.popups.pop(handle, None)
        if popup is None:
            return False
        popup.alive = False
        for _, (_, below) in popup.lines:
            if below is not None:
                self.do_DestroyMenu(next(number for number, popup in self.popups.items() if popup is below))
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
        if (code == 0) == (data.hWnd in self.icons):  # NIM_ADD of a known icon, or NIM_MODIFY of an unknown one
            return False
        icon = self.icons.setdefault(data.hWnd, {})
        parts = {0x1: "uCallbackMessage", 0x2: "hIcon", 0x4: "szTip", 0x10: "szInfo"}
        if data.uFlags & 0x10:  # NIF_INFO
            icon["szInfoTitle"] = data.szInfoTitle
        icon.update({name: getattr(data, name) for flag, name in parts.items() if data.uFlags & flag})
        return True

    def do_CreateIconFromResourceEx(self, data: bytes, size: int, is_icon: bool, version: int, *_rest: int) -> int:
        assert (len(data), is_icon, version) == (size, True, 0x30000)
        handle = next(self._handles)
        side = struct.unpack_from("<i", data, 4)[0]  # biWidth
        header = struct.pack("<HHH BBBBHHII", 0, 1, 1, side, side, 0, 0, 1, 32, size, 22)  # ICONDIR, ICONDIRENTRY
        with Image.open(io.BytesIO(header + data)) as picture:
            assert picture.format == "ICO"
            picture.load()
            self.pictures[handle] = picture
        return handle

    def do_FindWindowW(self, name: str, _title: None) -> int:
        return self.TASKBAR if name == "Shell_TrayWnd" else 0

    def do_GetDpiForWindow(self, window: int) -> int:
        return self.dpi if window == self.TASKBAR else 0

    def do_GetSystemMetricsForDpi(self, number: int, dpi: int) -> int:
        assert number == 49  # SM_CXSMICON
        return 16 * dpi // 96

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

    def _succeed(self, *_arguments: Any) -> int:
        return 1

    do_ChangeWindowMessageFilterEx = do_GetCursorPos = do_GetModuleHandleW = do_PeekMessageW = _succeed
    do_SetForegroundWindow = do_TranslateMessage = do_DefWindowProcW = do_LoadImageW = _succeed

    # The person's side

    @property
    def menu(self) -> Popup:
        submenus = [below for popup in self.popups.values() for _, (_, below) in popup.lines]
        (top,) = [popup for popup in self.popups.values() if not any(popup is submenu for submenu in submenus)]
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

    def post(self, message: int, second: int) -> None:
        """Post a message to the icon's window."""
        (window,) = self.icons
        self.messages.put((window, message, 0, second))

    def mouse(self, button: int) -> None:
        """Release a mouse button over the icon."""
        (icon,) = self.icons.values()
        self.post(icon["uCallbackMessage"], button)

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
        """Do nothing: an open menu blocks no other thread."""

    def is_clean(self) -> bool:
        return not (self.icons or self.popups or self.windows or self.classes)
