"""Edits as data."""

from __future__ import annotations

import json

import pytest

from watcher.matting.touchup.edits import MAX_EDITS, Edit, EditsError, encode, parse

EDITS = (
    Edit("keep", ((1.0, 2.5), (30.25, 4.0)), 12.0, 0.25),
    Edit("erase", ((5.0, 5.0),), 8.0, exact=True),
    Edit("box", ((0.0, 0.0), (100.0, 80.0))),
    Edit("drop_part", ((40.0, 40.0),)),
    Edit("way", name="best"),
    Edit("keep_only", name="largest"),
)


def test_edits_survive_the_journal() -> None:
    assert parse(encode(EDITS)) == EDITS


def test_no_edits_are_an_empty_text() -> None:
    assert encode(()) == ""
    assert parse("") == parse(b"") == ()


def test_equal_edits_give_equal_text() -> None:
    assert encode(parse(encode(EDITS))) == encode(EDITS)


@pytest.mark.parametrize(
    "entry",
    [
        {"tool": "explode"},
        {"tool": "keep"},
        {"tool": "keep", "points": [[1]]},
        {"tool": "keep", "points": [[1, "2"]]},
        {"tool": "keep", "points": [[1, True]]},
        {"tool": "keep", "points": [[1, 1e300]]},
        {"tool": "keep", "points": [[1, 2]], "size": -1},
        {"tool": "keep", "points": [[1, 2]], "softness": 2},
        {"tool": "keep", "points": [[1, 2]], "exact": "yes"},
        {"tool": "keep", "points": [[1, 2]], "colour": "red"},
        {"tool": "box", "points": [[1, 2]]},
        {"tool": "keep_only", "name": "smallest"},
        {"tool": "way", "name": "x" * 65},
        "keep",
        None,
    ],
)
def test_nonsense_is_refused(entry: object) -> None:
    with pytest.raises(EditsError):
        parse(json.dumps([entry]))


@pytest.mark.parametrize("text", ["{}", "[", "[" * 100_000, "NaN", "[NaN]", f"[{','.join(['1'] * (MAX_EDITS + 1))}]"])
def test_what_is_no_list_of_edits_is_refused(text: str) -> None:
    with pytest.raises(EditsError):
        parse(text)
