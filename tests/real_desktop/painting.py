"""The window "Touch up" on a test's desktop, used with pointer and keys alone."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.real_desktop.screen import find_element, visible_elements, wait_for_drawing
from tests.real_desktop.session import Desktop
from tests.support.program import wait_for
from watcher.editor import strings
from watcher.matting.touchup.edits import Edit, parse
from watcher.queue.journal import Journal

LONGEST = 120.0
"""Seconds after which a test fails that waits for something in the window."""
STEPS = 8
"""Places that the pointer reports between two points of a stroke."""
WHEEL_STEP = 1.0015**120
"""How much a step of the wheel enlarges."""

Point = tuple[int, int]


class Painter:
    """A person in front of the window on one photo. Points are pixels of the photo, which fits at 100 %."""

    def __init__(self, desktop: Desktop, photo: Path, size: Point) -> None:
        """Wait until the window shows `photo`, which has `size`."""
        self._desktop = desktop
        self._content = hashlib.sha256(photo.read_bytes()).hexdigest()
        canvas = find_element(desktop, f"Picture {photo.name}, {size[0]} by {size[1]} pixels", "image", seconds=LONGEST)
        self._scale = 1.0
        self._left = canvas.x + (canvas.width - size[0]) / 2
        self._top = canvas.y + (canvas.height - size[1]) / 2

    def press(self, *keys: str) -> None:
        """Press keys, named as xdotool names them."""
        self._desktop.run("xdotool", "key", "--delay", "60", *keys).check_returncode()

    def paint(self, *points: Point, release: bool = True) -> None:
        """Paint a stroke along points with the left button; `release`: and let go."""
        moves = [f"mousemove {x} {y}" for x, y in self._way(points)]
        words = [moves[0], "mousedown 1", *moves[1:], *(["mouseup 1"] if release else [])]
        self._desktop.run("xdotool", *" ".join(words).split()).check_returncode()

    def release(self) -> None:
        """Let go."""
        self._desktop.run("xdotool", "mouseup", "1").check_returncode()

    def _way(self, points: Sequence[Point]) -> list[Point]:
        """Return where the pointer goes on the screen: steps between the points."""
        way = [self._on_screen(*points[0])]
        for start, end in itertools.pairwise(points):
            for step in range(1, STEPS + 1):
                x, y = (first + (last - first) * step / STEPS for first, last in zip(start, end, strict=True))
                way.append(self._on_screen(x, y))
        return way

    def _on_screen(self, x: float, y: float) -> Point:
        return round(self._left + x * self._scale), round(self._top + y * self._scale)

    def turn_wheel(self, at: Point, steps: int) -> None:
        """Turn the wheel away from the person, with the pointer at a point."""
        x, y = self._on_screen(*at)
        words = f"mousemove {x} {y} click --repeat {steps} --delay 60 4"
        self._desktop.run("xdotool", *words.split()).check_returncode()
        self._scale *= WHEEL_STEP**steps
        self._left, self._top = x - at[0] * self._scale, y - at[1] * self._scale

    def wait_until_idle(self) -> None:
        """Wait until the worker has nothing to do for the window."""
        busy = {strings.LOOKING, strings.WORKING, strings.SAVING}
        wait_for_drawing(1)  # nothing signals that the window has asked for it
        wait_for(
            lambda: not busy & {element.name for element in visible_elements(self._desktop) if element.role == "label"}
        )

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
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command
