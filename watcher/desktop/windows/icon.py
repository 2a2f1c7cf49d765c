"""pystray's icon for Windows, with what pystray lacks: a menu that keeps, sharp pictures, and clicks on balloons."""

from __future__ import annotations

import ctypes
import io
import threading
from collections.abc import Callable, Sequence
from ctypes import wintypes
from typing import Any

from watcher.desktop.windows import dpi

WM_QUERYENDSESSION = 0x0011  # winuser.h
NIN_BALLOONUSERCLICK = 0x0405  # shellapi.h
NIIF_USER = 0x4  # shellapi.h: a balloon shows the icon's own picture
_LONGEST = {"szTip": 127, "szInfo": 255, "szInfoTitle": 63}
"""UTF-16 units that the fields of NOTIFYICONDATAW hold, without the 0 at their end."""
_ICON_HEADER_BYTES = 6 + 16  # ICONDIR and one ICONDIRENTRY
_RESOURCE_VERSION = 0x00030000  # the only one that CreateIconFromResourceEx takes


def adapt(icon_class: Any) -> Any:
    """Return a subclass of pystray's icon for Windows. It takes its picture as a list of PIL images, one per size."""

    class WindowsIcon(_Extras, icon_class):  # type: ignore[misc]  # pystray has no types
        pass

    return WindowsIcon


class _Extras:
    """Goes before pystray's icon for Windows."""

    icon: Sequence[Any]
    visible: bool
    update_menu: Callable[[], None]
    _icon_handle: Any
    _message_handlers: dict[int, Callable[[int, int], object]]
    _release_icon: Callable[[], None]
    _is_open = _is_outdated = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._changing = threading.Lock()  # the menu is changed by another thread than the one that opens it
        self._user32 = getattr(ctypes, "WinDLL")("user32")  # noqa: B009  only Windows has it
        self._on_balloon_click: Callable[[], object] | None = None
        super().__init__(*arguments, **options)
        # pystray answers 0 to what it does not know: "do not end the session". `program.windows_end` ends nobg.
        self._message_handlers[WM_QUERYENDSESSION] = lambda _first, _second: 1

    def show_balloon(self, title: str, text: str, on_click: Callable[[], object] | None) -> None:
        """Show a notification without buttons, beside the icon. Windows 10 and later draw it as their own."""
        self._on_balloon_click = on_click
        self.notify(text, title)  # type: ignore[attr-defined]  # pystray's

    def _on_notify(self, first: int, second: int) -> None:
        """Handle a click; Windows calls this for each movement of the mouse above the icon, too."""
        if second == NIN_BALLOONUSERCLICK:
            callback, self._on_balloon_click = self._on_balloon_click, None
            if callback is not None:
                threading.Thread(target=callback, name="notification", daemon=True).start()
            return
        with self._changing:
            self._is_open = True
        try:
            super()._on_notify(first, second)  # type: ignore[misc]
        finally:
            self._is_open = False
        if self._is_outdated:
            self.update_menu()

    def _update_menu(self) -> None:
        """Change the menu unless it is open: pystray destroys it."""
        with self._changing:
            self._is_outdated = self._is_open
            if not self._is_open:
                super()._update_menu()  # type: ignore[misc]

    def _assert_icon_handle(self) -> None:
        """Make the icon in the size of the taskbar. pystray makes a large one, which Windows then has to shrink."""
        if not self._icon_handle:
            data = icon_resource(self.icon, dpi.small_icon_size(self._user32))
            create = self._user32.CreateIconFromResourceEx
            create.argtypes = (ctypes.c_char_p, wintypes.DWORD, wintypes.BOOL, wintypes.DWORD) + (ctypes.c_int,) * 3
            create.restype = wintypes.HICON
            self._icon_handle = create(data, len(data), True, _RESOURCE_VERSION, 0, 0, 0)

    def _on_display_change(self, first: int, second: int) -> None:
        """Draw the icon anew: the screen may be another one."""
        if self.visible:
            self._release_icon()
        super()._on_display_change(first, second)  # type: ignore[misc]

    def _message(self, code: int, flags: int, **fields: Any) -> None:
        """Send a change of the icon to Windows, with texts that fit."""
        for name, longest in _LONGEST.items():
            if name in fields:
                fields[name] = shorten(fields[name], longest)
        if "szInfo" in fields:
            fields["dwInfoFlags"] = NIIF_USER
        super()._message(code, flags, **fields)  # type: ignore[misc]


def icon_resource(pictures: Sequence[Any], size: int) -> bytes:
    """Return the icon as Windows keeps it in a program: from the drawing of that size, or the next larger one.

    `pictures`: PIL images of the same icon in several sizes, the largest last. `size`: pixels.
    """
    picture = next((picture for picture in pictures if picture.width >= size), pictures[-1])
    if picture.width != size:
        picture = picture.resize((size, size))
    file = io.BytesIO()
    picture.save(file, "ICO", sizes=[(size, size)], bitmap_format="bmp")
    return file.getvalue()[_ICON_HEADER_BYTES:]


def shorten(text: str, longest: int) -> str:
    """Return the start of the text that fits into so many UTF-16 units, with … at the end if some is left out."""
    data = text.encode("utf-16-le", "surrogatepass")
    if len(data) <= 2 * longest:
        return text
    return data[: 2 * (longest - 1)].decode("utf-16-le", "ignore") + "…"
