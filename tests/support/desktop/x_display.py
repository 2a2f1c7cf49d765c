"""An X server, and a bar for icons by the System Tray Protocol of X11, as old window managers have it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import pytest

ICON_SIZE = 32  # pixels, in the bar


class XServer:
    """Xvfb, while it runs. `name`: for DISPLAY."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process

    def kill(self) -> None:
        """End it as a crash does: its socket stays behind."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """End it as a logout does: its socket goes with it."""
        self._process.terminate()
        self._process.wait()

    def freeze(self) -> None:
        """Make it take requests and answer none."""
        self._process.send_signal(signal.SIGSTOP)


@contextmanager
def x_server() -> Iterator[XServer]:
    """Run an X server for the length of the block."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb (Debian: xvfb)")
    command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield XServer(f":{int(process.stdout.readline())}", process)
        finally:
            process.kill()


def has_window(server: XServer, name: str) -> bool:
    """Return whether a window of that name is on the X server."""
    from Xlib.display import Display

    display = Display(f"unix/{server.name}")
    try:
        return any(window.get_wm_name() == name for window in display.screen().root.query_tree().children)
    finally:
        display.close()


class XBar:
    """A bar on an X server: it takes in each icon that asks for it, when the test looks."""

    def __init__(self, server: XServer) -> None:
        from Xlib.display import Display

        self._display = Display(f"unix/{server.name}")
        self._display.set_error_handler(lambda *_: None)  # an icon may go at any time
        self._icon: Any = None

    def __enter__(self) -> Self:
        from Xlib import X

        screen = self._display.screen()
        self._window = screen.root.create_window(0, 0, ICON_SIZE, ICON_SIZE, 0, screen.root_depth)
        self._window.map()
        self._window.set_selection_owner(self._display.intern_atom("_NET_SYSTEM_TRAY_S0"), X.CurrentTime)
        self._display.sync()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from Xlib.error import ConnectionClosedError

        try:
            self._display.close()
        except ConnectionClosedError:  # the server has ended before
            return

    def has_icon(self) -> bool:
        """Return whether an icon is in the bar and has drawn its picture."""
        from Xlib import X

        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.ClientMessage:
                self._icon = self._display.create_resource_object("window", event.data[1][2])
                self._icon.reparent(self._window, 0, 0)
                self._icon.configure(width=ICON_SIZE, height=ICON_SIZE)
                self._icon.map()
        return len(set(self._picture())) > 2

    def click(self) -> None:
        """Press and release the left button on the icon."""
        from Xlib import X
        from Xlib.ext import xtest

        xtest.fake_input(self._display, X.MotionNotify, x=ICON_SIZE // 2, y=ICON_SIZE // 2)
        for kind in (X.ButtonPress, X.ButtonRelease):
            xtest.fake_input(self._display, kind, 1)
        self._display.sync()

    def _picture(self) -> bytes:
        from Xlib import X, error

        if self._icon is None:
            return b""
        try:
            return bytes(self._icon.get_image(0, 0, ICON_SIZE, ICON_SIZE, X.ZPixmap, 0xFFFFFFFF).data)
        except error.XError:  # the icon has gone with the last bar, just after it asked for a place in this one
            return b""
