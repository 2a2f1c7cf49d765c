"""What moves the view: fit, zoom and pan, by wheel, pinch and arrow keys. Events have points, all else pixels."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QInputDevice, QKeyEvent, QNativeGestureEvent, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QLabel, QPinchGesture

from watcher.editor.window.canvas.layers import Layers
from watcher.editor.window.canvas.tiles import View
from watcher.matting.touchup.edits import Point

_MARGIN = 24  # points around a whole picture
_LARGEST = 4096  # pixels of a side that the worker sends


class Viewport(QLabel):
    """A widget that shows a part of a photo. `view_changed`: zoom or place. `resize_brush`: some steps.

    It is a QLabel with a picture because a screen reader takes that for a picture, and a QWidget for nothing.
    """

    view_changed = Signal()
    resize_brush = Signal(int)

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.layers = layers
        self.view = View()
        self._is_fitted = True
        self.setPixmap(QPixmap(1, 1))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.grabGesture(Qt.GestureType.PinchGesture)

    def redraw(self) -> None:
        """Draw everything anew, and ask for what is missing."""
        self.update()

    def cancel(self) -> bool:
        """Forget what is being drawn. Returns whether there was something."""
        return False

    def fit(self) -> None:
        """Show the whole photo."""
        self._is_fitted = True
        size, room = self.pixels(), self.room()
        fitted = View.fitted(self._photo(), room)
        self._set_view(fitted.moved((size[0] - room[0]) / 2, (size[1] - room[1]) / 2))

    def full(self) -> None:
        """Show one pixel of the photo as one of the screen."""
        self.zoom(1 / self.view.scale)

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by a factor; `at`: the point (of the widget) that stays where it is, otherwise the middle."""
        point = self._pixel(at if at is not None else QPointF(self.width() / 2, self.height() / 2))
        self._is_fitted = False
        self._set_view(self.view.zoomed(factor, point).kept_near(self._photo(), self.pixels()))

    def pixels(self) -> tuple[int, int]:
        """Return the canvas's size in pixels of the screen."""
        ratio = self.devicePixelRatioF()
        return max(1, math.ceil(self.width() * ratio)), max(1, math.ceil(self.height() * ratio))

    def room(self) -> tuple[int, int]:
        """Return the same without a margin: how large a whole picture is shown."""
        width, height = self.pixels()
        margin = round(2 * _MARGIN * self.devicePixelRatioF())
        return min(_LARGEST, max(1, width - margin)), min(_LARGEST, max(1, height - margin))

    def _photo(self) -> tuple[int, int]:
        return self.layers.pyramid.width, self.layers.pyramid.height

    def _set_view(self, view: View) -> None:
        """Show another part of the photo."""
        self.view = view
        self.redraw()
        self.view_changed.emit()

    def _pixel(self, at: QPointF) -> Point:
        ratio = self.devicePixelRatioF()
        return at.x() * ratio, at.y() * ratio

    def _in_photo(self, at: QPointF) -> Point:
        return self.view.to_photo(*self._pixel(at))

    def resizeEvent(self, _event: QResizeEvent) -> None:
        """Keep the whole photo visible if it was."""
        if self._is_fitted:
            self.fit()
        else:
            self._set_view(self.view.kept_near(self._photo(), self.pixels()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer; two fingers on a touchpad move the picture; with Shift, the brush grows."""
        turned = event.angleDelta().y() or event.angleDelta().x()
        is_touchpad = event.device() is not None and event.device().type() == QInputDevice.DeviceType.TouchPad
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.resize_brush.emit(1 if turned > 0 else -1)
        elif is_touchpad and not event.pixelDelta().isNull() and not event.modifiers():
            self.pan(QPointF(event.pixelDelta()))
        else:
            self.zoom(1.0015**turned, event.position())

    def pan(self, moved: QPointF) -> None:
        """Move the picture by points of the widget."""
        self._is_fitted = False
        self._set_view(self.view.moved(*self._pixel(moved)).kept_near(self._photo(), self.pixels()))

    def event(self, event: QEvent) -> bool:
        """Zoom by two fingers: a touchpad's gesture comes from the system, a touch screen's from Qt."""
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom(1 + event.value(), event.position())
                return True
        elif isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self.cancel()
                self.zoom(pinch.scaleFactor(), QPointF(self.mapFromGlobal(pinch.centerPoint().toPoint())))
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the picture by the arrow keys; the window has all other keys."""
        step = max(self.width(), self.height()) / 10
        keys = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
        steps = (QPointF(step, 0), QPointF(-step, 0), QPointF(0, step), QPointF(0, -step))
        arrows = dict(zip(keys, steps, strict=True))
        moved = arrows.get(Qt.Key(event.key()))
        if moved is None:
            super().keyPressEvent(event)
        else:
            self.pan(moved)
