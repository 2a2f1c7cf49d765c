"""How Windows asks the program to end: events of its console, and messages to a window when the person logs off.

Python's signals are not enough there: they are handled in the main thread, which waits in calls that no signal
interrupts on Windows; and at log-off, Windows sends a message to each window instead. Sources: "HandlerRoutine",
"WM_QUERYENDSESSION" and "WM_ENDSESSION" in Microsoft's documentation. Tried under wine, not on Windows.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable
from ctypes import wintypes
from typing import Any, Self

logger = logging.getLogger(__name__)

CTRL_C, CTRL_BREAK, CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN = 0, 1, 2, 5, 6  # wincon.h
WM_DESTROY, WM_CLOSE, WM_QUERYENDSESSION, WM_ENDSESSION = 0x0002, 0x0010, 0x0011, 0x0016  # winuser.h
_WM_LEAVE = 0x8000  # WM_APP: from this module to its window
TITLE = "nobg"
"""Of the window, which nobody sees: by it, tests find the window."""
END_TIMEOUT_SECONDS = 20.0
"""The longest time for which an answer to Windows waits for the end of the work; Windows itself waits 5 s."""


def _load(library: str) -> Any:
    return getattr(ctypes, "WinDLL")(library)  # noqa: B009  only Windows has it


def _function_type(*types: Any) -> Any:
    """Return the type of a callback of Windows; ctypes has it only there."""
    return getattr(ctypes, "WINFUNCTYPE")(*types)  # noqa: B009  only Windows has it


class EndRequests:
    """While its block runs, passes on to `request_stop` each way in which Windows asks this process to end.

    Windows ends a process as soon as it has answered that its console closes or that the session ends. So these answers
    wait for the end of the block.
    """

    def __init__(
        self, request_stop: Callable[[], object], kernel32: Any | None = None, user32: Any | None = None
    ) -> None:
        """`request_stop`: any thread may call it, more than once. `kernel32` and `user32`: the system's libraries."""
        self._kernel32: Any = kernel32 or _load("kernel32")
        self._user32: Any = user32 or _load("user32")
        self._request_stop = request_stop
        self._has_ended = threading.Event()
        self._is_ready = threading.Event()
        self._window = 0
        handler_type = _function_type(wintypes.BOOL, wintypes.DWORD)
        procedure_type = _function_type(
            ctypes.c_ssize_t, wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM
        )
        self._handler = handler_type(self._on_console_event)  # Windows keeps no reference to these two
        self._procedure = procedure_type(self._on_message)
        self._window_class = _window_class(procedure_type)
        self._thread = threading.Thread(target=self._serve_window, name="windows", daemon=True)

    def __enter__(self) -> Self:
        if not self._kernel32.SetConsoleCtrlHandler(self._handler, True):
            logger.warning("Windows does not tell nobg when its console closes")
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._has_ended.set()
        self._kernel32.SetConsoleCtrlHandler(self._handler, False)
        if self._window:
            self._user32.PostMessageW(self._window, _WM_LEAVE, 0, 0)
        self._thread.join()

    def _on_console_event(self, event: int) -> bool:
        """Handle an event of the console, in a thread that Windows makes for it."""
        self._request_stop()
        if event not in (CTRL_C, CTRL_BREAK):
            self._has_ended.wait(END_TIMEOUT_SECONDS)
        return True

    def _serve_window(self) -> None:
        """Make the hidden window, and handle its messages until the block ends."""
        try:
            self._window = self._create_window()
        except OSError as error:
            logger.warning("Windows does not tell nobg when the session ends: %s", error)
            return
        finally:
            self._is_ready.set()
        message = wintypes.MSG()
        while self._user32.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
            self._user32.DispatchMessageW(ctypes.byref(message))

    def _create_window(self) -> int:
        """Make a window that is never shown. It is no message-only window: those get no broadcasts. Raises OSError."""
        user32, kernel32 = self._user32, self._kernel32
        kernel32.GetModuleHandleW.restype = wintypes.HMODULE
        user32.CreateWindowExW.restype = wintypes.HWND
        user32.CreateWindowExW.argtypes = (
            (wintypes.DWORD, wintypes.LPCWSTR, wintypes.LPCWSTR, wintypes.DWORD)
            + (ctypes.c_int,) * 4
            + (wintypes.HWND, wintypes.HMENU, wintypes.HINSTANCE, wintypes.LPVOID)
        )
        user32.DefWindowProcW.argtypes = (wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)
        user32.DefWindowProcW.restype = ctypes.c_ssize_t
        user32.PostMessageW.argtypes = user32.DefWindowProcW.argtypes
        user32.DestroyWindow.argtypes = (wintypes.HWND,)
        module = kernel32.GetModuleHandleW(None)
        name = f"nobg.end.{id(self)}"  # a class keeps the procedure that it was registered with
        data = self._window_class(lpfnWndProc=self._procedure, hInstance=module, lpszClassName=name)
        data.cbSize = ctypes.sizeof(data)
        window = None
        if user32.RegisterClassExW(ctypes.byref(data)):
            window = user32.CreateWindowExW(0, name, TITLE, 0, 0, 0, 0, 0, None, None, module, None)
        if not window:
            raise OSError("no window can be made")
        return int(window)

    def _on_message(self, window: int, message: int, first: int, second: int) -> int:
        """Handle a message to the window."""
        if message == WM_QUERYENDSESSION:
            return 1  # nobg never keeps a session from ending
        if message == WM_ENDSESSION:
            if first:  # 0: another program has refused, so the session goes on
                self._request_stop()
                self._has_ended.wait(END_TIMEOUT_SECONDS)
            return 0
        if message == WM_CLOSE:  # `taskkill` without /F, and installers that replace nobg
            self._request_stop()
            return 0
        if message == _WM_LEAVE:
            self._user32.DestroyWindow(window)
            return 0
        if message == WM_DESTROY:
            self._user32.PostQuitMessage(0)
            return 0
        return int(self._user32.DefWindowProcW(window, message, first, second))


def _window_class(procedure_type: Any) -> Any:
    """Return WNDCLASSEXW."""

    class WindowClass(ctypes.Structure):
        _fields_ = (
            ("cbSize", wintypes.UINT),
            ("style", wintypes.UINT),
            ("lpfnWndProc", procedure_type),
            ("cbClsExtra", ctypes.c_int),
            ("cbWndExtra", ctypes.c_int),
            ("hInstance", wintypes.HINSTANCE),
            ("hIcon", wintypes.HANDLE),
            ("hCursor", wintypes.HANDLE),
            ("hbrBackground", wintypes.HANDLE),
            ("lpszMenuName", wintypes.LPCWSTR),
            ("lpszClassName", wintypes.LPCWSTR),
            ("hIconSm", wintypes.HANDLE),
        )

    return WindowClass
