"""What the tools do: strokes, sizes, the box, and the list of edits with undo and redo."""

from __future__ import annotations

import pytest

from watcher.editor import strings
from watcher.editor.window.canvas.selection import BoxDrag, Selection
from watcher.editor.window.tools import (
    SIZE_STEPS,
    TOOL_KEYS,
    Brush,
    History,
    Stroke,
    position_of,
    size_at,
)
from watcher.matting.touchup.edits import MAX_EDITS, MAX_POINTS, Edit, encode, parse

PHOTO = (1_000, 800)


def stroke(number: int) -> Edit:
    return Edit("keep", ((float(number), 0.0),), 10.0)


def box(left: float, top: float, right: float, bottom: float) -> Edit:
    return Edit("box", ((left, top), (right, bottom)))


def test_each_tool_has_a_name_and_a_key_of_its_own() -> None:
    assert set(TOOL_KEYS) == set(strings.TOOLS)
    assert "".join(TOOL_KEYS.values()) == "KEHBPW"


def test_a_stroke_is_in_pixels_of_the_photo_and_ends_where_the_pointer_ends() -> None:
    line = Stroke(Brush("erase", size=40, softness=0.25, exact=True), scale=0.5)
    line.add((10.0, 10.0))
    line.add((10.5, 10.0))  # the brush cannot tell these apart
    line.add((90.0, 10.0))
    line.add((90.5, 10.0))
    assert line.edit() == Edit("erase", ((10.0, 10.0), (90.0, 10.0), (90.5, 10.0)), 80.0, 0.25, exact=True)
    assert parse(encode([line.edit()])) == (line.edit(),)


def test_hair_is_never_exact() -> None:
    line = Stroke(Brush("hair", exact=True), scale=1.0)
    line.add((1.0, 1.0))
    assert not line.edit().exact


def test_an_endless_stroke_stays_within_what_an_edit_may_have() -> None:
    line = Stroke(Brush(size=3), scale=1.0)
    for number in range(3 * MAX_POINTS):
        line.add((float(number % 1_000), float(number % 700)))
    assert len(parse(encode([line.edit()]))[0].points) <= MAX_POINTS


def test_alt_or_the_right_button_swaps_keep_and_erase_only() -> None:
    assert [Brush(tool).swapped().tool for tool in ("keep", "erase", "hair")] == ["erase", "keep", "hair"]


def test_the_slider_reaches_every_size_of_the_brush() -> None:
    assert [position_of(size_at(position)) for position in (0, 50, SIZE_STEPS)] == [0, 50, SIZE_STEPS]
    brush = Brush()
    for _ in range(100):
        brush = brush.resized(1)
    assert position_of(brush.size) == SIZE_STEPS
    for _ in range(100):
        brush = brush.resized(-1)
    assert position_of(brush.size) == 0


def test_undo_and_redo_go_through_all_edits() -> None:
    history = History([stroke(0)])
    for number in range(1, 50):
        assert history.add(stroke(number))
    lists = []
    while history.undo():
        lists.append(len(history.edits))
    assert lists == list(range(49, -1, -1))
    assert not history.can_undo
    while history.redo():
        pass
    assert history.edits == tuple(map(stroke, range(50)))


def test_a_new_edit_ends_what_could_be_redone() -> None:
    history = History()
    history.add(stroke(1))
    history.undo()
    history.add(stroke(2))
    assert not history.redo()
    assert history.edits == (stroke(2),)


def test_a_second_box_takes_the_place_of_the_first_and_undo_brings_it_back() -> None:
    first, second = box(0, 0, 9, 9), box(1, 1, 5, 5)
    history = History([first, stroke(1)])
    history.add(second)
    assert list(history.edits) == [second, stroke(1)]
    history.undo()
    assert list(history.edits) == [first, stroke(1)]
    assert history.remove("box")
    assert list(history.edits) == [stroke(1)]
    history.undo()
    assert list(history.edits) == [first, stroke(1)]
    assert not history.remove("way")


def test_another_way_takes_the_place_of_the_way_before() -> None:
    history = History()
    for name in ("fast", "best"):
        history.add(Edit("way", name=name))
    assert history.edits == (Edit("way", name="best"),)


def test_a_full_list_takes_no_further_edit_but_another_box() -> None:
    history = History([box(0, 0, 9, 9), *map(stroke, range(MAX_EDITS - 1))])
    assert not history.add(stroke(0))
    assert history.add(box(0, 0, 5, 5))


def drag(boxes: BoxDrag, start: tuple[float, float], end: tuple[float, float]) -> Edit | None:
    boxes.start(start, 1.0)
    boxes.move(end)
    return boxes.finish(PHOTO, 1.0)


def test_a_drag_in_any_direction_makes_a_box_within_the_photo() -> None:
    assert drag(BoxDrag(), (300, 400), (100.4, -50)) == box(100, 0, 300, 400)


def test_a_click_makes_no_box() -> None:
    boxes = BoxDrag()
    assert drag(boxes, (300, 400), (301, 401)) is None
    assert boxes.selection is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((100, 100), (90, 80), (90, 80, 300, 200)),
        ((200, 100), (250, 50), (100, 50, 300, 200)),
        ((300, 150), (50, 150), (50, 100, 100, 200)),  # beyond the other side
        ((150, 150), (160, 170), (110, 120, 310, 220)),
        ((600, 600), (700, 700), (600, 600, 700, 700)),  # outside: another box
    ],
)
def test_handles_change_the_box_and_its_inside_moves_it(
    start: tuple[float, float], end: tuple[float, float], expected: tuple[float, float, float, float]
) -> None:
    boxes = BoxDrag()
    boxes.selection = Selection(100, 100, 300, 200)
    assert drag(boxes, start, end) == box(*expected)


def test_a_cancelled_drag_leaves_the_box_as_it_was() -> None:
    boxes = BoxDrag()
    boxes.selection = Selection(100, 100, 300, 200)
    boxes.start((300, 200), 1.0)
    boxes.move((500, 500))
    boxes.cancel()
    assert not boxes.is_active
    assert boxes.selection == Selection(100, 100, 300, 200)
