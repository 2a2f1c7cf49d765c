"""hints.py: what a command line says about a photo, as edits."""

from __future__ import annotations

import math
from typing import Any

import pytest

from watcher.matting.touchup import hints
from watcher.matting.touchup.edits import Edit, EditsError, encode, parse

STROKE = Edit("keep", ((1.0, 2.0),), 5.0)


def test_hints_are_edits_in_an_order_in_which_a_point_brings_back_what_largest_dropped() -> None:
    made = hints.make((1, 2, 30, 40), [(5, 6), (7, 8)], [(9, 10)], "largest")
    assert [edit.tool for edit in made] == ["box", "keep_only", "keep_part", "keep_part", "drop_part"]
    assert parse(encode(made)) == made
    assert hints.make() == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"box": (10, 0, 5, 5)}, "box: left must be less than right"),
        ({"box": (0, 5, 5, 5)}, "box: left must be less"),
        ({"box": (0, 0, 5)}, "box: it takes four numbers"),
        ({"box": "0,0,5,5"}, "box: it takes four numbers"),
        ({"box": (-1, 0, 5, 5)}, "box: .* in pixels"),
        ({"keep_points": [(1, math.nan)]}, "keep_points: .* in pixels"),
        ({"keep_points": [(1, 1 << 21)]}, "keep_points: .* in pixels"),
        ({"keep_points": [(1, 10**400)]}, "keep_points: .* in pixels"),
        ({"drop_points": [(1, 2, 3)]}, "drop_points: it takes two numbers"),
        ({"drop_points": [(True, 2)]}, "drop_points: .* in pixels"),
        ({"keep": "most"}, "keep: it must be one of largest, all"),
    ],
    ids=str,
)
def test_nonsense_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(EditsError, match=message):
        hints.make(**values)


def test_new_hints_replace_earlier_ones_and_come_before_the_strokes() -> None:
    first = hints.make((1, 2, 30, 40), [(5, 6)], [(7, 8)], "largest")
    way = Edit("way", name="best")
    text = hints.replace_hints(encode([way, *first, STROKE]), hints.make(drop_points=[(9, 10)]))
    assert parse(text) == (*hints.make(drop_points=[(9, 10)]), way, STROKE)
    assert hints.replace_hints(text, hints.make(drop_points=[(9, 10)])) == text
    assert hints.replace_hints("nonsense", first) == encode(first)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([STROKE], True),
        (hints.make(box=(0, 0, 1, 1)), True),
        (hints.make(keep_points=[(0, 0)]), True),
        (hints.make(drop_points=[(0, 0)], keep="largest"), False),
        ([Edit("erase", ((1.0, 2.0),), 5.0), Edit("way", name="best")], False),
    ],
    ids=str,
)
def test_what_shows_a_subject_makes_it_moot_whether_one_is_clear(edits: list[Edit], *, expected: bool) -> None:
    assert hints.names_a_subject(edits) is expected
