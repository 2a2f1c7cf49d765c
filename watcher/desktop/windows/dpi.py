"""How large Windows draws for this process: in the pixels of each screen, instead of enlarged and blurred.

Sources: "SetProcessDpiAwarenessContext" and "GetSystemMetricsForDpi" in Microsoft's documentation. Tried under wine,
not on Windows.
"""

from __future__ import annotations

import ctypes
from ctypes import wintypes
from typing import Any

_PER_MONITOR_AWARE_V2 = -4  # windef.h
_SMALL_ICON_WIDTH = 49  # SM_CXSMICON
DEFAULT_SIZE = 16
"""Pixels of a small icon at 96 dots per inch, which Windows calls 100 %."""


def use_pixels_of_each_screen(user32: Any) -> None:
    """Make Windows stretch nothing that this process draws. To be called before the process has a window.

    Does nothing if the program's manifest has decided already.
    """
    try:
        set_awareness = user32.SetProcessDpiAwarenessContext
    except AttributeError:  # before Windows 10, version 1703
        user32.SetProcessDPIAware()
        return
    set_awareness.argtypes = (ctypes.c_void_p,)
    set_awareness(_PER_MONITOR_AWARE_V2)


def small_icon_size(user32: Any) -> int:
    """Return how many pixels wide the taskbar draws an icon: 16 at 100 %, 24 at 150 %, 32 at 200 %."""
    try:
        find, dpi_of = user32.FindWindowW, user32.GetDpiForWindow
        find.argtypes, find.restype = (wintypes.LPCWSTR, wintypes.LPCWSTR), wintypes.HWND
        dpi_of.argtypes = (wintypes.HWND,)
        taskbar = find("Shell_TrayWnd", None)
        dpi = (dpi_of(taskbar) if taskbar else 0) or user32.GetDpiForSystem()
        measure = user32.GetSystemMetricsForDpi
        measure.argtypes = (ctypes.c_int, wintypes.UINT)
        size = measure(_SMALL_ICON_WIDTH, dpi)
    except AttributeError:  # before Windows 10, version 1607
        user32.GetSystemMetrics.argtypes = (ctypes.c_int,)
        size = user32.GetSystemMetrics(_SMALL_ICON_WIDTH)
    return int(size) or DEFAULT_SIZE
