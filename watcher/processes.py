"""How nobg starts its own processes on Windows, where a program may open a console window. Standard library only."""

from __future__ import annotations

import os
import sys

NO_CONSOLE = 0x08000000 if sys.platform == "win32" else 0
"""For Popen's `creationflags`: a console of its own, without a window (CREATE_NO_WINDOW).

So no window flashes if the parent has no console, and Ctrl-C in the parent's does not reach the process.
"""


def background_python(executable: str | None = None, platform: str = sys.platform) -> str:
    """Return the path of a Python that opens no console: on Windows pythonw.exe, if it is beside this one.

    `executable`: the path of Python; None: that of this process.
    """
    path = sys.executable if executable is None else executable
    if platform == "win32":
        without_console = os.path.join(os.path.dirname(path), "pythonw.exe")
        if os.path.isfile(without_console):
            return without_console
    return path
