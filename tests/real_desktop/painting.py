"""The window "Touch up" on a test's desktop, used with pointer and keys alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psutil

from tests.real_desktop.screen import find_element
from tests.real_desktop.session import Desktop
from tests.support.program import wait_for
from watcher.matting.touchup.edits import Edit, parse
from watcher.queue.journal import Journal

LONGEST = 120.0
"""Seconds after which a test fails that waits for something in the window."""
STEPS = 8
"""Places on its way that the pointer reports in one stroke."""

Point = tuple[int, int]


class Painter:
    """A person in front of the window on one photo. Points are pixels of the photo, which is shown at 100 %."""

    def __init__(self, desktop: Desktop, photo: Path, size: Point) -> None:
        """Wait until the window shows `photo`, which has `size`."""
        self._desktop = desktop
        self._content = hashlib.sha256(photo.read_bytes()).hexdigest()
        canvas = find_element(desktop, f"Picture {photo.name}, {size[0]} by {size[1]} pixels", "image", seconds=LONGEST)
        self._left = canvas.x + (canvas.width - size[0]) / 2
        self._top = canvas.y + (canvas.height - size[1]) / 2

    def press(self, *keys: str) -> None:
        """Press keys, named as xdotool names them."""
        self._desktop.run("xdotool", "key", "--delay", "60", *keys).check_returncode()

    def paint(self, start: Point, end: Point) -> None:
        """Paint a stroke with the left button."""
        moves = []
        for step in range(1, STEPS + 1):
            x, y = (first + (last - first) * step / STEPS for first, last in zip(start, end, strict=True))
            moves += self._move(x, y)
        self._desktop.run("xdotool", *self._move(*start), "mousedown", "1", *moves, "mouseup", "1").check_returncode()

    def turn_wheel(self, at: Point, steps: int) -> None:
        """Turn the wheel away from the person, with the pointer at a point."""
        command = ("xdotool", *self._move(*at), "click", "--repeat", str(steps), "--delay", "60", "4")
        self._desktop.run(*command).check_returncode()

    def _move(self, x: float, y: float) -> list[str]:
        return ["mousemove", str(round(self._left + x)), str(round(self._top + y))]

    def wait_for_text(self, text: str) -> None:
        """Wait until the window shows a text."""
        find_element(self._desktop, text, "label", seconds=LONGEST)

    def wait_for_edits(self, count: int) -> tuple[Edit, ...]:
        """Wait until the records have this many edits of the photo. Returns them."""
        wait_for(lambda: len(self._edits()) == count)
        return self._edits()

    def _edits(self) -> tuple[Edit, ...]:
        journal = Journal(self._desktop.home / ".local" / "state" / "nobg")
        try:
            return tuple(parse(journal.edits.of(self._content)))
        finally:
            journal.close()


def host_of(desktop: Desktop) -> psutil.Process:
    """Return the process of the window's host."""
    (host,) = (process for process in desktop.processes() if "watcher.editor" in process.cmdline())
    return host


def child_of(host: psutil.Process, module: str) -> psutil.Process:
    """Return the host's child that runs a module; wait until there is one."""
    found: list[psutil.Process] = []

    def has_child() -> bool:
        found[:] = [child for child in host.children() if module in _command(child)]
        return len(found) == 1

    wait_for(has_child)
    return found[0]


def _command(process: psutil.Process) -> list[str]:
    """Return a process's command line; nothing if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
