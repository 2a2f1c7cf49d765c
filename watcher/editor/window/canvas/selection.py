"""The box that the box tool draws, with its handles, and what a drag makes of it. Without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from watcher.matting.touchup.edits import Edit, Point

REACH = 12.0
"""How far from a handle the pointer still takes it, in pixels of the screen."""
_LEAST_DRAG = 4.0

HANDLES = ("left top", "top", "right top", "right", "right bottom", "bottom", "left bottom", "left")
"""The handles of a box, clockwise."""


@dataclass(frozen=True)
class Selection:
    """The box that the box tool draws, in pixels of the photo; its corners may be in any order."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, edit: Edit) -> Selection:
        """Return the box of an edit `box`."""
        return cls(*edit.points[0], *edit.points[1])

    def handle(self, name: str) -> Point:
        """Return where a handle is."""
        x = self.left if "left" in name else self.right if "right" in name else (self.left + self.right) / 2
        y = self.top if "top" in name else self.bottom if "bottom" in name else (self.top + self.bottom) / 2
        return x, y

    def handle_at(self, point: Point, reach: float) -> str:
        """Return the handle within `reach` of a point, or "inside", or ""."""
        near = min(HANDLES, key=lambda name: math.dist(self.handle(name), point))
        if math.dist(self.handle(near), point) <= reach:
            return near
        box = self.ordered()
        return "inside" if box.left < point[0] < box.right and box.top < point[1] < box.bottom else ""

    def dragged(self, handle: str, x: float, y: float) -> Selection:
        """Return the box after its handle ("inside": all of it) was dragged by some pixels."""
        return Selection(
            self.left + (x if "left" in handle or handle == "inside" else 0),
            self.top + (y if "top" in handle or handle == "inside" else 0),
            self.right + (x if "right" in handle or handle == "inside" else 0),
            self.bottom + (y if "bottom" in handle or handle == "inside" else 0),
        )

    def ordered(self) -> Selection:
        """Return the box with its corners in order."""
        (left, right), (top, bottom) = sorted((self.left, self.right)), sorted((self.top, self.bottom))
        return Selection(left, top, right, bottom)

    def edit(self, width: int, height: int) -> Edit | None:
        """Return the box as an edit within the photo, in whole pixels; None if nothing is left of it."""
        box = self.ordered()
        left, right = (min(width, max(0, round(x))) for x in (box.left, box.right))
        top, bottom = (min(height, max(0, round(y))) for y in (box.top, box.bottom))
        if right - left < 1 or bottom - top < 1:
            return None
        return Edit("box", ((float(left), float(top)), (float(right), float(bottom))))


class BoxDrag:
    """The box of the edits, and the drag that changes it. Points are pixels of the photo."""

    def __init__(self) -> None:
        self.selection: Selection | None = None
        self._before: Selection | None = None
        self._handle = ""
        self._last: Point = (0.0, 0.0)

    @property
    def is_active(self) -> bool:
        """Whether a drag is under way."""
        return bool(self._handle)

    def handle_at(self, point: Point, scale: float) -> str:
        """Return what a press at a point would take: a handle, "inside", or "" for a new box."""
        return "" if self.selection is None else self.selection.handle_at(point, REACH / scale)

    def start(self, point: Point, scale: float) -> None:
        """The button was pressed: take a handle, the whole box, or start another one."""
        self._before, self._last = self.selection, point
        self._handle = self.handle_at(point, scale)
        if not self._handle:
            self.selection, self._handle = Selection(*point, *point), "right bottom"

    def move(self, point: Point) -> None:
        """The pointer has moved."""
        if self.selection is not None:
            x, y = point[0] - self._last[0], point[1] - self._last[1]
            self.selection = self.selection.dragged(self._handle, x, y)
        self._last = point

    def finish(self, photo: tuple[int, int], scale: float) -> Edit | None:
        """The button was released. Returns the edit, or None if the box is as before, or too small to be meant."""
        self._handle = ""
        assert self.selection is not None
        box, edit = self.selection.ordered(), self.selection.edit(*photo)
        if edit is None or min(box.right - box.left, box.bottom - box.top) * scale < _LEAST_DRAG:
            self.selection = self._before
            return None
        self.selection = Selection.of(edit)
        return None if self._before is not None and edit == self._before.edit(*photo) else edit

    def cancel(self) -> None:
        """Forget the drag."""
        if self._handle:
            self.selection, self._handle = self._before, ""
