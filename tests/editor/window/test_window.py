"""The window as a person uses it, by pointer and keys: tools, views, undo, zoom, save and close."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QInputDevice, QNativeGestureEvent, QPalette, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QMessageBox, QSlider, QToolButton

from tests.editor.window.conftest import Shown
from tests.support.editor.stand_in_host import GROUND, SUBJECT, StandInHost, plain_photo
from watcher.editor import strings
from watcher.editor.window.bars import VIEW_KEYS
from watcher.editor.window.canvas.tiles import Tile
from watcher.editor.window.tools import TOOL_KEYS
from watcher.matting.touchup.edits import Edit

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
INSIDE, OUTSIDE = (600.0, 400.0), (100.0, 100.0)
"""A point of the photo in the subject, and one outside."""


def is_near(colour: tuple[int, int, int], other: tuple[int, int, int], most: int = 6) -> bool:
    return all(abs(one - two) <= most for one, two in zip(colour, other, strict=True))


# Painting


def test_a_stroke_is_sent_in_pixels_of_the_photo_and_changes_what_is_visible(opened: Shown) -> None:
    assert is_near(opened.colour(*INSIDE), SUBJECT)
    opened.key(Qt.Key.Key_E)
    opened.drag(INSIDE, (620, 420), (650, 400))
    opened.wait(lambda: len(opened.host.edit_lists()) == 2 and opened.is_quiet())
    (edit,) = opened.host.edit_lists()[-1]
    assert edit.tool == "erase"
    assert edit.points[0] == pytest.approx(INSIDE, abs=2)
    assert edit.points[-1] == pytest.approx((650, 400), abs=2)
    assert edit.size == pytest.approx(40 / opened.canvas.view.scale, abs=0.01)
    red, green, blue = opened.colour(*INSIDE)
    assert red == green == blue  # the checkerboard


def test_a_stroke_is_tinted_at_once_and_until_its_answer_is_visible(opened: Shown) -> None:
    opened.key(Qt.Key.Key_2)
    opened.host.hold.add("edits")
    opened.drag((100, 100), (150, 100), release=False)
    painted = opened.colour(105, 100)
    assert painted[1] > painted[0] + 40  # green on white: Keep
    QTest.mouseRelease(opened.canvas, Qt.MouseButton.LeftButton, pos=opened.at(150, 100))
    opened.wait(lambda: len(opened.host.edit_lists()) == 2)
    waiting = opened.colour(105, 100)
    assert painted[0] < waiting[0] < 250  # fainter
    assert opened.page.bottom.state.text() == strings.WORKING
    opened.host.release("edits")
    opened.wait(opened.is_quiet)
    assert is_near(opened.colour(105, 100), GROUND)
    assert opened.page.bottom.state.text() == ""


def test_the_right_button_and_alt_do_the_opposite(opened: Shown) -> None:
    opened.drag(INSIDE, (620, 420), button=Qt.MouseButton.RightButton)
    opened.drag(INSIDE, (620, 420), modifier=ALT)
    opened.key(Qt.Key.Key_E)
    opened.drag(INSIDE, (620, 420), button=Qt.MouseButton.RightButton)
    opened.wait(lambda: len(opened.host.edit_lists()) == 4)
    assert [edit.tool for edit in opened.host.edit_lists()[-1]] == ["erase", "erase", "keep"]


def test_escape_forgets_the_stroke_that_is_being_painted(opened: Shown) -> None:
    opened.drag(INSIDE, (650, 450), release=False)
    opened.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(opened.canvas, Qt.MouseButton.LeftButton, pos=opened.at(650, 450))
    assert is_near(opened.colour(*INSIDE), SUBJECT)
    assert not opened.page.top.undo.isEnabled()
    assert len(opened.host.edit_lists()) == 1


def test_undo_and_redo_send_shorter_and_longer_lists(opened: Shown) -> None:
    for y in (300, 400, 500):
        opened.drag((550, y), (650, y))
    opened.key(Qt.Key.Key_Z, CTRL)
    opened.key(Qt.Key.Key_Z, CTRL)
    opened.key(Qt.Key.Key_Z, CTRL | SHIFT)
    opened.click(opened.page.top.redo)
    opened.click(opened.page.top.undo)
    opened.wait(lambda: len(opened.host.edit_lists()) == 9)
    assert [len(edits) for edits in opened.host.edit_lists()] == [0, 1, 2, 3, 2, 1, 2, 3, 2]
    assert opened.page.top.undo.isEnabled()
    assert opened.page.top.redo.isEnabled()


def test_size_softness_and_exact_go_into_the_edit(opened: Shown) -> None:
    size = opened.canvas.brush.size
    opened.key(Qt.Key.Key_BracketRight)
    assert opened.canvas.brush.size > size
    opened.key(Qt.Key.Key_BracketLeft)
    opened.key(Qt.Key.Key_BracketLeft)
    assert opened.canvas.brush.size < size
    opened.page.tools.softness_slider.setValue(80)
    opened.key(Qt.Key.Key_S)
    assert opened.page.tools.exact.isChecked()
    opened.drag(INSIDE, (650, 400))
    opened.wait(lambda: len(opened.host.edit_lists()) == 2)
    (edit,) = opened.host.edit_lists()[-1]
    assert (edit.exact, edit.softness) == (True, 0.8)


def test_edits_of_an_earlier_sitting_are_there_and_can_be_undone(shown: Shown) -> None:
    earlier = (Edit("erase", (INSIDE,), 80.0), Edit("box", ((100.0, 100.0), (900.0, 700.0))))
    shown.open(edits=earlier)
    assert shown.host.edit_lists() == [earlier]
    shown.key(Qt.Key.Key_Z, CTRL)
    shown.wait(lambda: len(shown.host.edit_lists()) == 2)
    assert shown.host.edit_lists()[-1] == earlier[:1]


def test_an_edit_that_fails_says_so(opened: Shown) -> None:
    opened.host.failing["edits"] = ""
    opened.drag(INSIDE, (650, 400))
    opened.wait(opened.is_quiet)
    assert opened.page.bottom.state.text() == strings.FAILED


# The other tools


def test_a_dragged_box_is_sent_moved_and_removed(opened: Shown) -> None:
    opened.key(Qt.Key.Key_B)
    opened.drag((300, 200), (500, 400), (800, 600))
    opened.drag((300, 200), (350, 250))  # by its handle
    opened.key(Qt.Key.Key_Delete)
    opened.wait(lambda: len(opened.host.edit_lists()) == 4)
    first, second = (edits[0] for edits in opened.host.edit_lists()[1:3])
    assert first.tool == second.tool == "box"
    assert [x for point in first.points for x in point] == pytest.approx([300, 200, 800, 600], abs=3)
    assert [x for point in second.points for x in point] == pytest.approx([350, 250, 800, 600], abs=5)
    assert opened.host.edit_lists()[-1] == ()


def test_a_click_drops_a_part_or_brings_it_back(opened: Shown) -> None:
    opened.key(Qt.Key.Key_P)
    QTest.mouseClick(opened.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*INSIDE))
    opened.wait(lambda: len(opened.host.edit_lists()) == 2 and opened.is_quiet())
    QTest.mouseClick(opened.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*INSIDE))
    opened.wait(lambda: len(opened.host.edit_lists()) == 3)
    assert [edit.tool for edit in opened.host.edit_lists()[-1]] == ["drop_part", "keep_part"]


def test_another_way_is_chosen_from_thumbnails(opened: Shown) -> None:
    opened.key(Qt.Key.Key_W)
    assert opened.page.ways.isVisible()

    def ways() -> list[str]:
        layers = [header["layer"] for header in opened.host.requests("tile")]
        return [layer for layer in layers if layer.startswith("way:")]

    opened.wait(lambda: len(ways()) == 4)
    assert ways() == ["way:fast", "way:balanced", "way:best", "way:isnet"]
    (best,) = [button for button in opened.page.ways.findChildren(QToolButton) if button.text() == "Best"]
    opened.click(best)
    opened.wait(lambda: len(opened.host.edit_lists()) == 2)
    assert opened.host.edit_lists()[-1] == (Edit("way", name="best"),)
    assert best.isChecked()
    opened.key(Qt.Key.Key_K)
    assert not opened.page.ways.isVisible()


@pytest.mark.parametrize(("tool", "key"), TOOL_KEYS.items())
def test_each_tool_has_its_key_and_its_tooltip_names_it(opened: Shown, tool: str, key: str) -> None:
    opened.key(Qt.Key(ord(key)))
    assert opened.canvas.brush.tool == tool
    button = opened.page.tools.buttons[tool]
    assert button.isChecked()
    assert button.toolTip().endswith(f"({key})")


def test_show_me_where_starts_with_the_box(shown: Shown) -> None:
    shown.open(tool="box")
    assert shown.canvas.brush.tool == "box"
    assert shown.page.bottom.state.text() == strings.NO_SUBJECT_BOX


# Views


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        ("white", SUBJECT, (255, 255, 255)),
        ("black", SUBJECT, (0, 0, 0)),
        ("colour", SUBJECT, (255, 176, 59)),
        ("recipe", SUBJECT, (18, 52, 86)),
        ("mask", (255, 255, 255), (0, 0, 0)),
    ],
)
def test_each_view_shows_the_cutout_on_its_background(
    shown: Shown, kind: str, inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    shown.open(background="#123456")
    shown.key(Qt.Key(ord(VIEW_KEYS[kind])))
    assert is_near(shown.colour(*INSIDE), inside)
    assert is_near(shown.colour(*OUTSIDE), outside)


def test_the_original_shines_through_paler_than_it_is(opened: Shown) -> None:
    opened.key(Qt.Key.Key_7)
    opened.wait(opened.is_quiet)
    assert is_near(opened.colour(*INSIDE), SUBJECT)
    shining = opened.colour(*OUTSIDE)
    assert all(ground + 20 < seen < 255 for ground, seen in zip(GROUND, shining, strict=True))


def test_the_photo_is_visible_while_a_key_or_the_button_is_held(opened: Shown) -> None:
    opened.key(Qt.Key.Key_2)
    QTest.keyPress(opened.canvas, Qt.Key.Key_O)
    opened.wait(opened.is_quiet)
    assert is_near(opened.colour(*OUTSIDE), GROUND)
    QTest.keyRelease(opened.canvas, Qt.Key.Key_O)
    assert opened.colour(*OUTSIDE) == (255, 255, 255)
    QTest.mousePress(opened.page.top.compare, Qt.MouseButton.LeftButton)
    assert is_near(opened.colour(*OUTSIDE), GROUND)
    QTest.mouseRelease(opened.page.top.compare, Qt.MouseButton.LeftButton)
    assert opened.colour(*OUTSIDE) == (255, 255, 255)


def test_the_preview_shows_the_whole_result_until_a_tool_is_chosen(opened: Shown) -> None:
    opened.page.bottom.recipe.setCurrentIndex(1)
    opened.key(Qt.Key.Key_R)
    opened.wait(opened.is_quiet)
    (request,) = opened.host.requests("preview")
    assert (request["recipe"], request["pixels"]) == ("white", list(opened.canvas.room()))
    middle = QPoint(opened.canvas.width() // 2, opened.canvas.height() // 2)
    corner = middle - QPoint(262, 262)  # of the crop, which is white
    image = opened.canvas.grab().toImage()
    assert image.pixelColor(corner) == QColor("white")
    opened.drag(INSIDE, (650, 400))  # does not paint
    opened.key(Qt.Key.Key_K)
    assert not opened.page.top.preview.isChecked()
    assert len(opened.host.edit_lists()) == 1


def test_a_preview_that_fails_says_so(opened: Shown) -> None:
    opened.host.failing["preview"] = "The background picture is missing."
    opened.click(opened.page.top.preview)
    opened.wait(opened.is_quiet)
    assert opened.page.bottom.state.text() == "The background picture is missing."
    assert not opened.page.top.preview.isChecked()


# Zoom


def test_fit_and_one_hundred_percent_have_keys(opened: Shown) -> None:
    fitted = opened.canvas.view
    opened.key(Qt.Key.Key_1, CTRL)
    assert opened.canvas.view.scale == 1
    opened.key(Qt.Key.Key_Plus)
    assert opened.canvas.view.scale == 1.25
    opened.key(Qt.Key.Key_Minus)
    opened.key(Qt.Key.Key_0, CTRL)
    assert opened.canvas.view == fitted


def test_the_wheel_zooms_at_the_pointer(opened: Shown) -> None:
    at = QPointF(opened.at(700, 300))
    wheel = QWheelEvent(
        at,
        opened.canvas.mapToGlobal(at),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    scale = opened.canvas.view.scale
    QApplication.sendEvent(opened.canvas, wheel)
    assert opened.canvas.view.scale == pytest.approx(scale * 1.0015**240)
    assert opened.canvas.view.to_photo(at.x(), at.y()) == pytest.approx((700, 300), abs=2)


def test_a_pinch_zooms(opened: Shown) -> None:
    at, scale = QPointF(opened.at(*INSIDE)), opened.canvas.view.scale
    device = QPointingDevice.primaryPointingDevice()
    pinch = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture, device, 2, at, at, opened.canvas.mapToGlobal(at), 0.5, QPointF()
    )
    QApplication.sendEvent(opened.canvas, pinch)
    assert opened.canvas.view.scale == pytest.approx(1.5 * scale)
    assert QInputDevice.DeviceType.TouchPad != device.type()


@pytest.mark.parametrize("how", ["space", "middle"])
def test_space_and_the_middle_button_move_the_picture(opened: Shown, how: str) -> None:
    opened.key(Qt.Key.Key_1, CTRL)
    before, start = opened.canvas.view, opened.at(600, 400)
    if how == "space":
        QTest.keyPress(opened.canvas, Qt.Key.Key_Space)
    button = Qt.MouseButton.LeftButton if how == "space" else Qt.MouseButton.MiddleButton
    QTest.mousePress(opened.canvas, button, pos=start)
    QTest.mouseMove(opened.canvas, start + QPoint(40, -30))
    QTest.mouseRelease(opened.canvas, button, pos=start + QPoint(40, -30))
    if how == "space":
        QTest.keyRelease(opened.canvas, Qt.Key.Key_Space)
    after = opened.canvas.view
    assert (after.x - before.x, after.y - before.y) == (40, -30)
    assert len(opened.host.edit_lists()) == 1
    opened.drag((600, 400), (620, 400))  # paints again
    opened.wait(lambda: len(opened.host.edit_lists()) == 2)


# Tiles


def test_the_photo_comes_before_the_networks_are_asked(shown: Shown) -> None:
    shown.host.photo, shown.host.alpha = plain_photo(4_000, 3_000)
    shown.host.hold |= {"edits", "tile"}
    shown.host.open()
    shown.wait(lambda: len(shown.host.requests("tile")) > 4)
    shown.host.release_one("tile")
    shown.wait(lambda: shown.canvas.layers.image(Tile("photo", shown.canvas.layers.pyramid.top, 0, 0)) is not None)
    assert not shown.page.is_waiting
    shown.host.release("tile")
    shown.wait(lambda: bool(shown.host.requests("edits")))
    assert {header["layer"] for header in shown.host.requests("tile")} == {"photo"}
    assert is_near(shown.colour(*OUTSIDE), GROUND)
    assert shown.page.bottom.state.text() == strings.LOOKING


def test_tiles_that_come_while_the_view_changes_are_the_last_that_are_missing(shown: Shown) -> None:
    shown.host.hold.add("tile")
    shown.host.open()
    shown.wait(lambda: bool(shown.host.requests("tile")))
    shown.canvas._want.start(500)  # as if the window was being resized
    shown.host.release("tile")
    shown.wait(lambda: bool(shown.host.requests("edits")))


def test_only_changed_tiles_are_fetched_again(application: QApplication) -> None:
    shown = Shown(StandInHost(*plain_photo(4_000, 3_000)))
    try:
        shown.open()
        shown.key(Qt.Key.Key_1, CTRL)
        shown.wait(shown.is_quiet)
        before = len(shown.host.requests("tile"))
        shown.key(Qt.Key.Key_E)
        shown.drag((1_800, 1_300), (1_810, 1_310))
        shown.wait(lambda: len(shown.host.edit_lists()) == 2 and shown.is_quiet())
        new = shown.host.requests("tile")[before:]
        assert {header["layer"] for header in new} == {"cutout"}
        assert sorted(header["box"] for header in new) == [[0, 0, 4_000, 3_000], [1_536, 1_024, 2_048, 1_536]]
    finally:
        shown.close()
        application.processEvents()


def test_tiles_that_are_out_of_sight_are_cancelled(application: QApplication) -> None:
    shown = Shown(StandInHost(*plain_photo(6_000, 4_500)))
    try:
        shown.open()
        shown.host.hold.add("tile")
        shown.canvas.full()
        shown.wait(lambda: len(shown.host.requests("tile")) > 6)
        shown.canvas.fit()
        shown.wait(lambda: bool(shown.host.requests("cancel")))
        asked = {header["id"] for header in shown.host.requests("tile") if header["box"][2] - header["box"][0] <= 512}
        cancelled = {number for header in shown.host.requests("cancel") for number in header["ids"]}
        assert cancelled == asked
        assert is_near(shown.colour(3_000, 2_250), SUBJECT)  # what is here stays visible
        shown.host.release("tile")
        shown.wait(shown.is_quiet)
    finally:
        shown.close()
        application.processEvents()


# Saving and closing


def test_saving_shows_the_name_of_the_file(opened: Shown) -> None:
    opened.drag(INSIDE, (650, 400))
    assert opened.window.isWindowModified()
    opened.key(Qt.Key.Key_S, CTRL)
    opened.wait(opened.is_quiet)
    assert opened.page.bottom.saved.text() == "Saved: photo_nobg.png"
    assert not opened.window.isWindowModified()
    assert opened.host.requests("save")[0]["recipe"] == "transparent"
    opened.drag(INSIDE, (650, 420))
    assert opened.page.bottom.saved.text() == ""


def test_a_failed_save_shows_why_and_can_be_tried_again(opened: Shown) -> None:
    opened.host.failing["save"] = "The folder is read-only. Save a copy elsewhere."
    opened.click(opened.page.bottom.save)
    opened.wait(opened.is_quiet)
    assert opened.page.bottom.state.text() == "The folder is read-only. Save a copy elsewhere."
    assert opened.page.bottom.save.isEnabled()


@pytest.mark.parametrize(
    ("answer", "saves", "closes"),
    [(strings.SAVE, True, True), (strings.CLOSE_WITHOUT, False, True), (strings.CANCEL, False, False)],
)
def test_closing_with_changes_asks_first(opened: Shown, answer: str, saves: bool, closes: bool) -> None:
    opened.drag(INSIDE, (650, 400))
    opened.wait(opened.is_quiet)
    opened.window.close()
    (question,) = opened.window.findChildren(QMessageBox)
    (button,) = [button for button in question.buttons() if button.text() == answer]
    button.click()
    opened.wait(lambda: not opened.page.is_waiting)
    assert opened.window.isVisible() != closes
    assert bool(opened.host.requests("save")) == saves


def test_closing_without_changes_asks_nothing_and_tells_the_host(opened: Shown) -> None:
    opened.window.close()
    assert not opened.window.isVisible()
    opened.wait(lambda: bool(opened.host.requests("close")))


# What the host tells


def test_a_refusal_is_a_sentence_and_a_button_that_closes(shown: Shown) -> None:
    shown.host.tell("refused", text="This photo is open in another window already.")
    shown.wait(shown.window.message.close_button.isVisible)
    assert shown.window.message.sentence.text() == "This photo is open in another window already."
    shown.click(shown.window.message.close_button)
    assert not shown.window.isVisible()


def test_busy_and_trouble_are_in_the_status_bar(opened: Shown) -> None:
    opened.host.tell("busy", text="Starting again…")
    opened.wait(lambda: opened.page.bottom.state.text() == "Starting again…")
    opened.host.tell("busy", text="")
    opened.host.tell("trouble", text="nobg has started again. Your strokes are here.")
    opened.wait(lambda: opened.page.bottom.state.text() == "nobg has started again. Your strokes are here.")


def test_the_window_closes_when_the_host_has_gone(opened: Shown) -> None:
    opened.drag(INSIDE, (650, 400))
    opened.wait(opened.is_quiet)
    opened.end_host()
    opened.wait(lambda: not opened.window.isVisible())


# For everybody


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None cannot end any more")
def test_drawing_takes_no_references_from_none(opened: Shown) -> None:
    before = sys.getrefcount(None)
    for _ in range(50):
        opened.canvas.grab()
    assert sys.getrefcount(None) > before - 200  # PySide6 6.12.0 takes 700; without any left, Python 3.11 ends


def test_every_control_has_a_name_for_a_screen_reader(opened: Shown) -> None:
    controls = [*opened.window.findChildren(QAbstractButton), *opened.window.findChildren(QSlider)]
    controls += opened.window.findChildren(QComboBox)
    own = [control for control in controls if not control.objectName().startswith("qt_")]
    assert [control for control in own if not control.accessibleName()] == []
    assert opened.canvas.accessibleName() == "Picture photo.jpg, 1200 by 800 pixels"
    opened.key(Qt.Key.Key_H)
    opened.key(Qt.Key.Key_6)
    opened.drag(INSIDE, (650, 400))
    zoom = round(100 * opened.canvas.view.scale)
    assert opened.canvas.accessibleDescription() == f"Hair; The mask alone; {zoom} %; 1 changes"


def test_a_screen_reader_hears_the_picture_and_which_tool_is_chosen(opened: Shown) -> None:
    picture = QAccessible.queryAccessibleInterface(opened.canvas)
    assert picture.role() == QAccessible.Role.Graphic
    assert picture.text(QAccessible.Text.Name) == "Picture photo.jpg, 1200 by 800 pixels"
    opened.key(Qt.Key.Key_E)
    keep, erase = (QAccessible.queryAccessibleInterface(opened.page.tools.buttons[tool]) for tool in ("keep", "erase"))
    assert (keep.text(QAccessible.Text.Name), erase.text(QAccessible.Text.Name)) == ("Keep", "Erase")
    assert (bool(keep.state().checked), bool(erase.state().checked)) == (False, True)


def test_the_window_follows_the_system_into_the_dark(opened: Shown, application: QApplication) -> None:
    light = application.palette()
    try:
        application.setPalette(QPalette(QColor(40, 40, 44)))
        opened.wait(lambda: "#28282c" in opened.window.styleSheet())
        assert opened.colour(-20, -20)[0] < 60
    finally:
        application.setPalette(light)
