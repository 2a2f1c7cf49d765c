"""What the tools do, without Qt: the tools, the brush, one stroke, and the list of edits with undo and redo."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from watcher.matting.touchup.edits import MAX_EDITS, MAX_POINTS, STROKES, Edit, Point

KEEP, ERASE, HAIR, BOX, PART, WAY = "keep", "erase", "hair", "box", "part", "way"
TOOL_KEYS = {KEEP: "K", ERASE: "E", HAIR: "H", BOX: "B", PART: "P", WAY: "W"}
"""The tools of the window in their order, and the key of each."""
BRUSHES = STROKES
"""The tools that paint; the edits have the same names."""

_SMALLEST, _LARGEST = 3.0, 400.0
SIZE_STEPS = 100
"""The positions of the slider for the brush's size."""
_ONLY_ONE = ("box", "way", "keep_only")
"""Edits of which a list has one at most: a second one takes its place."""


@dataclass(frozen=True)
class Brush:
    """The chosen tool and its settings. `size`: the diameter in pixels of the screen."""

    tool: str = KEEP
    size: float = 40.0
    softness: float = 0.3
    exact: bool = False

    def swapped(self) -> Brush:
        """Return the brush that Alt or the right button makes of this one: Keep erases, Erase keeps."""
        return replace(self, tool={KEEP: ERASE, ERASE: KEEP}.get(self.tool, self.tool))

    def resized(self, steps: int) -> Brush:
        """Return the brush, larger (or smaller) by some steps of a key or of the wheel."""
        return replace(self, size=min(_LARGEST, max(_SMALLEST, self.size * 1.15**steps)))


def size_at(position: int) -> float:
    """Return the brush's size at a position of the slider. Each step is the same share: small sizes are easy to set."""
    return float(_SMALLEST * (_LARGEST / _SMALLEST) ** (position / SIZE_STEPS))


def position_of(size: float) -> int:
    """Return the slider's position for a size."""
    return round(SIZE_STEPS * math.log(size / _SMALLEST) / math.log(_LARGEST / _SMALLEST))


class Stroke:
    """One stroke while it is painted, in pixels of the photo."""

    def __init__(self, brush: Brush, scale: float) -> None:
        self._brush = brush
        self._scale = scale
        self._step = max(1.0, 0.04 * brush.size) / scale
        self._last: Point | None = None
        self.points: list[Point] = []

    def add(self, point: Point) -> None:
        """Add where the pointer is. Points that the brush cannot tell apart are left out."""
        self._last = point
        if self.points and math.dist(self.points[-1], point) < self._step:
            return
        self.points.append(point)
        if len(self.points) >= MAX_POINTS:  # an hour of scribbling: every second point is enough
            self.points = self.points[::2]

    def edit(self) -> Edit:
        """Return the stroke as an edit; it ends exactly where the pointer has ended."""
        points = list(self.points)
        if self._last is not None and points[-1] != self._last:
            points.append(self._last)
        size = self._brush.size / self._scale
        exact = self._brush.exact and self._brush.tool != HAIR
        return Edit(self._brush.tool, tuple(points), size, self._brush.softness, exact)


@dataclass(frozen=True)
class _Step:
    """One change of the list: at `index`, `old` becomes `new`; None is "nothing there"."""

    index: int
    old: Edit | None
    new: Edit | None


class History:
    """The list of edits, with undo and redo without limit."""

    def __init__(self, edits: Iterable[Edit] = ()) -> None:
        self.edits: tuple[Edit, ...] = tuple(edits)
        self._undo = [_Step(index, None, edit) for index, edit in enumerate(self.edits)]
        self._redo: list[_Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back that can come again."""
        return bool(self._redo)

    def find(self, tool: str) -> Edit | None:
        """Return the list's edit of a tool that it has once at most."""
        return next((edit for edit in self.edits if edit.tool == tool), None)

    def add(self, edit: Edit) -> bool:
        """Add an edit; a box, a way or a `keep_only` replaces an earlier one. Returns whether there was room."""
        index = len(self.edits)
        if edit.tool in _ONLY_ONE:
            index = next((at for at, other in enumerate(self.edits) if other.tool == edit.tool), index)
        if index >= MAX_EDITS:
            return False
        old = self.edits[index] if index < len(self.edits) else None
        self._change(_Step(index, old, edit))
        return True

    def remove(self, tool: str) -> bool:
        """Remove the edit of a tool that the list has once at most. Returns whether there was one."""
        for index, edit in enumerate(self.edits):
            if edit.tool == tool:
                self._change(_Step(index, edit, None))
                return True
        return False

    def undo(self) -> bool:
        """Take back the last change. Returns whether there was one."""
        if not self._undo:
            return False
        step = self._undo.pop()
        self._redo.append(step)
        self._apply(_Step(step.index, step.new, step.old))
        return True

    def redo(self) -> bool:
        """Make the change that was taken back last again. Returns whether there was one."""
        if not self._redo:
            return False
        step = self._redo.pop()
        self._undo.append(step)
        self._apply(step)
        return True

    def _change(self, step: _Step) -> None:
        self._redo.clear()
        self._undo.append(step)
        self._apply(step)

    def _apply(self, step: _Step) -> None:
        before, after = self.edits[: step.index], self.edits[step.index + (step.old is not None) :]
        self.edits = (*before, *([] if step.new is None else [step.new]), *after)
