"""Edits: what a person has done to one picture's cut-out, as data. Standard library only.

The journal keeps them by the picture's content, so that another recipe, a second sitting or a newer nobg starts from
them. All coordinates are pixels of the upright photo at full size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TOOLS = ("keep", "erase", "hair", "box", "keep_part", "drop_part", "way", "keep_only")
"""What an edit may be:

- `keep`, `erase`: a stroke of the brush. If `exact`, it changes what is under it; otherwise it is a hint, and what
  belongs to it by colour, outline and the networks' opinions follows.
- `hair`: a stroke under which nothing is known; alpha is solved anew there.
- `box`: only what is in it is subject; `points` are its left top and right bottom corners.
- `keep_part`, `drop_part`: a click on a part, which comes back, or goes.
- `way`: start from another automatic alpha, called `name`: a mode, or a model.
- `keep_only`: `name` is `largest` or `all`: the largest part alone, or all parts again.
"""

STROKES = ("keep", "erase", "hair")
MAX_EDITS = 5_000
MAX_POINTS = 20_000  # of one stroke
MAX_TEXT_BYTES = 8 << 20
_MAX_COORDINATE = 1 << 20
_MAX_NAME = 64
_POINT_COUNTS = {"box": (2, 2), "keep_part": (1, 1), "drop_part": (1, 1), "way": (0, 0), "keep_only": (0, 0)}

Point = tuple[float, float]
"""x and y; (0, 0) is the top left corner of the photo."""


class EditsError(ValueError):
    """The text is not a list of edits. The message says what is wrong with it."""


@dataclass(frozen=True)
class Edit:
    """One edit: see TOOLS.

    `size`: the diameter of the brush in pixels of the photo. `softness`: 0 (a hard brush) to 1. `name`: of a `way` or a
    `keep_only`.
    """

    tool: str
    points: tuple[Point, ...] = ()
    size: float = 0.0
    softness: float = 0.0
    exact: bool = False
    name: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the edit as JSON has it: fields that say nothing are left out."""
        values: dict[str, Any] = {"tool": self.tool}
        if self.points:
            values["points"] = [[round(x, 2), round(y, 2)] for x, y in self.points]
        if self.tool in STROKES:
            values |= {"size": round(self.size, 2), "softness": round(self.softness, 3)}
        if self.exact:
            values["exact"] = True
        if self.name:
            values["name"] = self.name
        return values


def encode(edits: Sequence[Edit]) -> str:
    """Return the edits as JSON text: equal edits give equal text. No edits give ""."""
    if not edits:
        return ""
    return json.dumps([edit.as_dict() for edit in edits], separators=(",", ":"), sort_keys=True)


def parse(text: str | bytes) -> tuple[Edit, ...]:
    """Return the edits in a text that `encode` wrote, or a person. Raises EditsError."""
    if not text:
        return ()
    if len(text) > MAX_TEXT_BYTES:
        raise EditsError("the edits are longer than 8 MB")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EditsError("the edits are not JSON") from error
    if not isinstance(entries, list) or len(entries) > MAX_EDITS:
        raise EditsError(f"the edits are not a list of at most {MAX_EDITS} entries")
    return tuple(map(_parse_edit, entries))


def _parse_edit(entry: Any) -> Edit:
    if not isinstance(entry, dict) or entry.get("tool") not in TOOLS:
        raise EditsError("an edit has no known tool")
    tool = entry["tool"]
    unknown = entry.keys() - {"tool", "points", "size", "softness", "exact", "name"}
    if unknown:
        raise EditsError(f"an edit has an unknown field, {min(map(str, unknown))}")
    points = entry.get("points", [])
    least, most = _POINT_COUNTS.get(tool, (1, MAX_POINTS))
    if not isinstance(points, list) or not least <= len(points) <= most:
        raise EditsError(f"an edit of the tool {tool} has a wrong number of points")
    name, exact = entry.get("name", ""), entry.get("exact", False)
    if not isinstance(name, str) or len(name) > _MAX_NAME or not isinstance(exact, bool):
        raise EditsError(f"an edit of the tool {tool} has a wrong name")
    if tool == "keep_only" and name not in ("largest", "all"):
        raise EditsError("keep_only takes largest or all")
    return Edit(
        tool,
        tuple(map(_parse_point, points)),
        _number(entry.get("size", 0.0), _MAX_COORDINATE, "size"),
        _number(entry.get("softness", 0.0), 1.0, "softness"),
        exact,
        name,
    )


def _parse_point(point: Any) -> Point:
    if not isinstance(point, list) or len(point) != 2:
        raise EditsError("a point is not a pair of numbers")
    x, y = (_number(value, _MAX_COORDINATE, "point", -_MAX_COORDINATE) for value in point)
    return x, y


def _number(value: Any, maximum: float, what: str, minimum: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EditsError(f"a {what} is not a number")
    if not minimum <= value <= maximum:  # NaN is not in the range; a very large integer is no float
        raise EditsError(f"a {what} is out of range")
    return float(value)
