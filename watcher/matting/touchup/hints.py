"""Hints: the edits that a command line or a script can give, without a brush. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real

from watcher.matting.touchup.edits import Edit, EditsError, encode, parse

HINT_TOOLS = ("box", "keep_only", "keep_part", "drop_part")
"""The tools of hints, in the order in which they are applied: so a named point brings back what `largest` dropped."""
KEEP = ("largest", "all")

_SUBJECT_TOOLS = ("keep", "box", "keep_part")
_MAX_COORDINATE = 1 << 20


def make(
    box: Sequence[float] | None = None,
    keep_points: Iterable[Sequence[float]] = (),
    drop_points: Iterable[Sequence[float]] = (),
    keep: str | None = None,
) -> tuple[Edit, ...]:
    """Return the hints as edits. `box`: left, top, right, bottom; points: x and y; all in pixels of the upright photo.

    `keep`: one of KEEP. Raises EditsError, whose message follows the name of what is wrong, such as `box`.
    """
    edits = []
    if box is not None:
        left, top, right, bottom = _numbers(box, 4, "box")
        if left >= right or top >= bottom:
            raise EditsError("box: left must be less than right, and top less than bottom")
        edits.append(Edit("box", ((left, top), (right, bottom))))
    if keep is not None:
        if keep not in KEEP:
            raise EditsError(f"keep: it must be one of {', '.join(KEEP)}")
        edits.append(Edit("keep_only", name=keep))
    for tool, name, points in (("keep_part", "keep_points", keep_points), ("drop_part", "drop_points", drop_points)):
        for point in points:
            x, y = _numbers(point, 2, name)
            edits.append(Edit(tool, ((x, y),)))
    return tuple(edits)


def _numbers(values: Sequence[float], count: int, name: str) -> list[float]:
    texts = {2: "two numbers, X and Y", 4: "four numbers: left, top, right and bottom"}
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != count:
        raise EditsError(f"{name}: it takes {texts[count]}")
    for value in values:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= _MAX_COORDINATE:  # NaN is not in the range
            raise EditsError(f"{name}: it takes {texts[count]}, in pixels from the top left corner of the photo")
    return [float(value) for value in values]


def replace_hints(text: str, hints: Sequence[Edit]) -> str:
    """Return the edits in `text` with these hints in place of its own. They come first: strokes correct them.

    A text that is no list of edits counts as empty.
    """
    try:
        others = [edit for edit in parse(text) if edit.tool not in HINT_TOOLS]
    except EditsError:
        others = []
    return encode([*hints, *others])


def names_a_subject(edits: Iterable[Edit]) -> bool:
    """Return whether a person has shown something to keep: then it does not matter whether a subject is clear."""
    return any(edit.tool in _SUBJECT_TOOLS for edit in edits)
