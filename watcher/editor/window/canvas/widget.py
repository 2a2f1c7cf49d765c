"""The canvas: the picture in the middle, and what pointer and tools do on it. Events have points, all else pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QSizePolicy

from watcher.editor.window.canvas import paint
from watcher.editor.window.canvas.layers import CUTOUT, PHOTO, Layers
from watcher.editor.window.canvas.selection import BoxDrag, Selection
from watcher.editor.window.canvas.tiles import Box, View
from watcher.editor.window.canvas.viewport import Viewport
from watcher.editor.window.look import TINTS, colours
from watcher.editor.window.tools import BOX, BRUSHES, PART, Brush, Stroke
from watcher.matting.touchup.edits import Edit, Point

_STROKE_OPACITY, _PENDING_OPACITY = 0.5, 0.28


class Canvas(Viewport):
    """Shows the layers, and turns what the person does on them into edits.

    `stroke_done`, `box_done`: an Edit. `part_clicked`: a point of the photo. `asked`: for all tiles that are needed.
    """

    stroke_done = Signal(object)
    box_done = Signal(object)
    part_clicked = Signal(object)
    asked = Signal()

    def __init__(self, layers: Layers) -> None:
        super().__init__(layers)
        self.brush = Brush()
        self.has_cutout = False
        self._kind, self._colour = "checkerboard", QColor("white")
        self._before = False
        self._preview: QImage | None = None
        self._scene, self._dirty = QImage(), QRect()
        self._stroke: Stroke | None = None
        self._stroke_brush = Brush()
        self._painted, self._pending = paint.Overlay(), paint.Overlay()
        self.pending_edits: Sequence[Edit] = ()
        self._box = BoxDrag()
        self._pan_from: QPointF | None = None
        self._space = False
        self._pointer: QPointF | None = None
        self._want = QTimer(self, singleShot=True, interval=0)
        self._want.timeout.connect(self._ask_for_tiles)
        layers.changed.connect(self._redraw_box)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    # What the window sets

    def open(self) -> None:
        """Show the photo that the layers have opened, all of it."""
        self.has_cutout, self._is_fitted, self._preview = False, True, None
        self.pending_edits, self._box = (), BoxDrag()
        self.cancel()
        self.fit()

    def show_cutout(self) -> None:
        """The networks have answered: show the cut-out from now on."""
        self.has_cutout = True
        self.redraw()

    def set_brush(self, brush: Brush) -> None:
        """Use another tool, or another brush."""
        if brush.tool != self.brush.tool:
            self.cancel()
        self.brush = brush
        self._set_cursor()
        self.update()

    def set_backdrop(self, kind: str, colour: QColor) -> None:
        """Show the cut-out on something else: a kind of strings.VIEWS."""
        self._kind, self._colour = kind, colour
        self.redraw()

    def set_before(self, before: bool) -> None:
        """Show the photo as it was."""
        if before != self._before:
            self._before = before
            self.redraw()

    def set_preview(self, image: QImage | None) -> None:
        """Show a picture of the whole result instead, or no longer."""
        self._preview = image
        self._set_cursor()
        self.update()

    def set_pending(self, edits: Sequence[Edit]) -> None:
        """Keep these edits faintly visible: their answer has not come."""
        self.pending_edits = edits
        self._pending.clear(*self.pixels())
        self._pending.draw_edits(edits, self.view)
        self.update()

    def set_selection(self, selection: Selection | None) -> None:
        """Show the box of the edits."""
        self._box.cancel()
        self._box.selection = selection
        self.update()

    def hold_space(self, held: bool) -> None:
        """While the space key is held, the left button moves the picture."""
        self._space = held
        self._set_cursor()
        self.update()

    def cancel(self) -> bool:
        """Forget the stroke or the box that is being drawn. Returns whether there was one."""
        was_busy = self._stroke is not None or self._box.is_active
        self._box.cancel()
        self._stroke = None
        self._painted.clear(*self.pixels())
        self.update()
        return was_busy

    def is_settled(self) -> bool:
        """Whether what is visible is what the worker has."""
        return not self._want.isActive() and self.layers.is_settled()

    def redraw(self) -> None:
        """Draw everything anew, and ask for what is missing."""
        self._dirty = QRect(0, 0, *self.pixels())
        self._want.start()
        self.update()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the scene, then what is above it."""
        size, ratio = self.pixels(), self.devicePixelRatioF()
        if (self._scene.width(), self._scene.height()) != size:
            self._scene = QImage(*size, QImage.Format.Format_RGB32)
            self._dirty = QRect(0, 0, *size)
        backdrop = paint.Backdrop(self._kind, self._colour, colours(self.palette()).canvas)
        painter = QPainter(self)
        painter.setClipRegion(event.region())
        painter.scale(1 / ratio, 1 / ratio)
        if self._preview is not None:
            paint.draw_whole(painter, self._preview, size, backdrop)
            return
        if not self._dirty.isEmpty():
            before = self._before or not self.has_cutout
            paint.draw_scene(self._scene, self._dirty, self.layers, self.view, backdrop, before=before)
            self._dirty = QRect()
        painter.drawImage(0, 0, self._scene)
        if self._before:
            return
        for overlay, opacity in ((self._pending, _PENDING_OPACITY), (self._painted, _STROKE_OPACITY)):
            if not overlay.is_empty:
                painter.setOpacity(opacity)
                painter.drawImage(0, 0, overlay.image)
        painter.setOpacity(1)
        if self.brush.tool == BOX and self._box.selection is not None:
            photo = paint.rectangle(self.view.on_screen((0, 0, *self._photo())))
            paint.draw_selection(painter, self._box.selection, self.view, photo)
        if self._pointer is not None and self._paints() and self._pan_from is None:
            brush = self._stroke_brush if self._stroke is not None else self.brush
            at = QPointF(*self._pixel(self._pointer))
            paint.draw_brush(painter, at, brush.size * ratio, brush)

    def _redraw_box(self, box: Box) -> None:
        """New pixels have come for a box of the photo."""
        area = paint.rectangle(self.view.on_screen(box)).adjusted(-2, -2, 2, 2) & QRect(0, 0, *self.pixels())
        self._dirty = self._dirty.united(area)
        self.update(self._points(area))

    def _points(self, area: QRect) -> QRect:
        ratio = self.devicePixelRatioF()
        left, top = math.floor(area.left() / ratio), math.floor(area.top() / ratio)
        size = QSize(math.ceil(area.width() / ratio) + 2, math.ceil(area.height() / ratio) + 2)
        return QRect(QPoint(left - 1, top - 1), size + QSize(1, 1))

    # The view

    def _set_view(self, view: View) -> None:
        super()._set_view(view)
        self._painted.clear(*self.pixels())
        if self._stroke is not None:
            self._draw_stroke(self._stroke.points)
        self._pending.clear(*self.pixels())
        self._pending.draw_edits(self.pending_edits, view)

    def _ask_for_tiles(self) -> None:
        shows_photo = self._before or self._kind == "original" or not self.has_cutout
        layers = [layer for layer, is_shown in ((PHOTO, shows_photo), (CUTOUT, self.has_cutout)) if is_shown]
        self.layers.want(self.view, self.pixels(), layers)
        self.asked.emit()

    # Pointer

    def _paints(self) -> bool:
        return self.brush.tool in BRUSHES and self._preview is None and not self._space and not self._before

    def _set_cursor(self) -> None:
        if self._pan_from is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif self._paints():
            self.setCursor(Qt.CursorShape.BlankCursor)
        elif self._preview is None and self.brush.tool in (BOX, PART):
            shapes = {BOX: Qt.CursorShape.CrossCursor, PART: Qt.CursorShape.PointingHandCursor}
            self.setCursor(shapes[self.brush.tool])
        else:
            self.unsetCursor()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start a stroke, a box, a click, or to move the picture."""
        button, at = event.button(), event.position()
        self._pointer = at
        if self._stroke is not None or self._box.is_active or self._pan_from is not None:
            return  # a second button changes nothing
        if button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and self._space):
            self._pan_from = at
            self._set_cursor()
        elif self._preview is not None or self._before:
            return
        elif self._paints() and button in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            swaps = button == Qt.MouseButton.RightButton or bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self._stroke_brush = self.brush.swapped() if swaps else self.brush
            self._stroke = Stroke(self._stroke_brush, self.view.scale / self.devicePixelRatioF())
            self._continue_stroke(at)
        elif button == Qt.MouseButton.LeftButton and self.brush.tool == BOX:
            self._box.start(self._in_photo(at), self.view.scale / self.devicePixelRatioF())
            self.update()
        elif button == Qt.MouseButton.LeftButton and self.brush.tool == PART:
            self.part_clicked.emit(self._in_photo(at))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        at, last = event.position(), self._pointer
        self._pointer = at
        if self._pan_from is not None:
            moved, self._pan_from = at - self._pan_from, at
            self.pan(moved)
        elif self._stroke is not None:
            self._continue_stroke(at)
        elif self._box.is_active:
            self._box.move(self._in_photo(at))
            self.update()
        elif self.brush.tool == BOX and self._preview is None and not self._space:
            handle = self._box.handle_at(self._in_photo(at), self.view.scale / self.devicePixelRatioF())
            self.setCursor(paint.HANDLE_CURSORS.get(handle, Qt.CursorShape.CrossCursor))
        self._update_brush(last)
        self._update_brush(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Finish what the press has started."""
        if event.buttons() & (Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton | Qt.MouseButton.MiddleButton):
            return  # another button is still held
        if self._pan_from is not None:
            self._pan_from = None
            self._set_cursor()
        elif self._stroke is not None:
            edit, self._stroke = self._stroke.edit(), None
            self._painted.clear(*self.pixels())
            self.update()
            self.stroke_done.emit(edit)
        elif self._box.is_active:
            box = self._box.finish(self._photo(), self.view.scale / self.devicePixelRatioF())
            self.update()
            if box is not None:
                self.box_done.emit(box)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the brush."""
        self._pointer = event.position()
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        """Hide the brush."""
        self._pointer = None
        self.update()

    def _continue_stroke(self, at: QPointF) -> None:
        assert self._stroke is not None
        last = self._stroke.points[-1:]
        self._stroke.add(self._in_photo(at))
        new = self._stroke.points[-1:]
        if last != new:
            self._draw_stroke([*last, *new])

    def _draw_stroke(self, points: Sequence[Point]) -> None:
        pixels = [self.view.to_screen(*point) for point in points]
        diameter = self._stroke_brush.size * self.devicePixelRatioF()
        self.update(self._points(self._painted.draw(pixels, diameter, TINTS[self._stroke_brush.tool])))

    def _update_brush(self, at: QPointF | None) -> None:
        if at is not None and self._paints():
            reach = math.ceil(self.brush.size / 2) + 5
            self.update(QRect(at.toPoint(), QSize(1, 1)).adjusted(-reach, -reach, reach, reach))
