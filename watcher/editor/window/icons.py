"""The icons of the tools and views, drawn: the window decodes no file."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

SIDE = 24
"""Units of a drawing's side."""


def icon(name: str, colour: QColor, dim: QColor, side: int = SIDE) -> QIcon:
    """Return the icon of a name in DRAWINGS, for screens of one to three pixels a point. `dim`: when it is disabled."""
    result = QIcon()
    for ratio in (1, 2, 3):
        for mode, used in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, dim)):
            pixmap = QPixmap(side * ratio, side * ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.scale(side * ratio / SIDE, side * ratio / SIDE)
            pen = QPen(used, 1.9)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            DRAWINGS[name](painter, used)
            painter.end()
            pixmap.setDevicePixelRatio(ratio)
            result.addPixmap(pixmap, mode)
    return result


def swatch(name: str, custom: QColor, line: QColor, side: int = SIDE) -> QIcon:
    """Return the icon of a view: what is behind the picture. `custom`: the colour of the person, or of the recipe."""
    result = QIcon()
    for ratio in (1, 2, 3):
        pixmap = QPixmap(side * ratio, side * ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(side * ratio / SIDE, side * ratio / SIDE)
        path = QPainterPath()
        path.addRoundedRect(QRectF(2, 2, 20, 20), 5, 5)
        painter.setClipPath(path)
        _SWATCHES[name](painter, custom)
        painter.setClipping(False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(line, 1.5))
        painter.drawPath(path)
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        result.addPixmap(pixmap)
    return result


def _polyline(*points: tuple[float, float]) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(*point)
    return path


def _plus(painter: QPainter, x: float, y: float, reach: float = 3.5) -> None:
    painter.drawLine(QPointF(x - reach, y), QPointF(x + reach, y))
    painter.drawLine(QPointF(x, y - reach), QPointF(x, y + reach))


def _keep(painter: QPainter, colour: QColor) -> None:
    """A brush, and a plus."""
    painter.drawPath(_polyline((21, 3), (12.2, 11.2)))
    painter.drawPath(_polyline((21, 3), (14.2, 13.2)))
    tip = QPainterPath(QPointF(10.2, 12))
    tip.cubicTo(7, 12.4, 7.6, 17, 3.5, 19.6)
    tip.cubicTo(7.5, 21.6, 14.2, 20.2, 14, 15.4)
    tip.cubicTo(13.8, 13, 12, 11.8, 10.2, 12)
    painter.fillPath(tip, QBrush(colour))
    painter.drawPath(tip)
    _plus(painter, 6, 6)


def _erase(painter: QPainter, colour: QColor) -> None:
    """An eraser on a line."""
    painter.save()
    painter.translate(12.5, 10.5)
    painter.rotate(-42)
    painter.drawRoundedRect(QRectF(-9, -4.6, 18, 9.2), 2, 2)
    painter.fillRect(QRectF(-9, -4.6, 7, 9.2), QBrush(colour))
    painter.restore()
    painter.drawLine(QPointF(9, 21), QPointF(21, 21))


def _hair(painter: QPainter, _colour: QColor) -> None:
    """Three strands."""
    for x in (4.0, 10.0, 16.0):
        strand = QPainterPath(QPointF(x, 21))
        strand.cubicTo(x - 3, 15, x + 7, 11, x + 3, 3)
        painter.drawPath(strand)


def _box(painter: QPainter, colour: QColor) -> None:
    """A dashed box with handles."""
    pen = QPen(painter.pen())
    pen.setDashPattern([1.6, 2.2])
    pen.setWidthF(1.6)
    painter.setPen(pen)
    painter.drawRect(QRectF(4, 5, 16, 14))
    for x in (4, 20):
        for y in (5, 19):
            painter.fillRect(QRectF(x - 2.2, y - 2.2, 4.4, 4.4), QBrush(colour))


def _part(painter: QPainter, colour: QColor) -> None:
    """A pointer that clicks."""
    arrow = _polyline((9, 9), (21, 13.6), (15.8, 15.8), (13.6, 21))
    arrow.closeSubpath()
    painter.fillPath(arrow, QBrush(colour))
    painter.drawPath(arrow)
    for x, y, x2, y2 in ((8, 2.5, 8, 5), (2.5, 8, 5, 8), (4, 4, 5.6, 5.6), (12.4, 4, 10.9, 5.6), (4, 12.4, 5.6, 10.9)):
        painter.drawLine(QPointF(x, y), QPointF(x2, y2))


def _way(painter: QPainter, colour: QColor) -> None:
    """Four pictures, one of them chosen."""
    for x in (3.5, 13.5):
        for y in (3.5, 13.5):
            painter.drawRoundedRect(QRectF(x, y, 7, 7), 1.6, 1.6)
    painter.fillRect(QRectF(3.5, 3.5, 7, 7), QBrush(colour))


def _undo(painter: QPainter, _colour: QColor) -> None:
    painter.drawPath(_polyline((8, 4), (3.5, 8.5), (8, 13)))
    path = QPainterPath(QPointF(4, 8.5))
    path.lineTo(14, 8.5)
    path.cubicTo(22.5, 8.5, 22.5, 20, 14, 20)
    path.lineTo(9, 20)
    painter.drawPath(path)


def _redo(painter: QPainter, colour: QColor) -> None:
    painter.translate(SIDE, 0)
    painter.scale(-1, 1)
    _undo(painter, colour)


def _back(painter: QPainter, _colour: QColor) -> None:
    painter.drawPath(_polyline((14.5, 4.5), (7, 12), (14.5, 19.5)))


def _compare(painter: QPainter, colour: QColor) -> None:
    """A picture, half of it filled."""
    painter.drawRoundedRect(QRectF(3, 4.5, 18, 15), 2.5, 2.5)
    painter.fillRect(QRectF(4, 5.5, 8, 13), QBrush(colour))
    painter.drawLine(QPointF(12, 2), QPointF(12, 22))


def _preview(painter: QPainter, colour: QColor) -> None:
    """An eye."""
    eye = QPainterPath(QPointF(2, 12))
    eye.cubicTo(6, 5, 18, 5, 22, 12)
    eye.cubicTo(18, 19, 6, 19, 2, 12)
    painter.drawPath(eye)
    painter.setBrush(QBrush(colour))
    painter.drawEllipse(QPointF(12, 12), 2.6, 2.6)


def _fit(painter: QPainter, _colour: QColor) -> None:
    for x, y, across, down in ((3, 3, 1, 1), (21, 3, -1, 1), (3, 21, 1, -1), (21, 21, -1, -1)):
        painter.drawPath(_polyline((x + 5 * across, y), (x, y), (x, y + 5 * down)))


def _zoom_in(painter: QPainter, _colour: QColor) -> None:
    _plus(painter, 12, 12, 6)


def _zoom_out(painter: QPainter, _colour: QColor) -> None:
    painter.drawLine(QPointF(6, 12), QPointF(18, 12))


Drawing = Callable[[QPainter, QColor], None]

DRAWINGS: dict[str, Drawing] = {
    "keep": _keep,
    "erase": _erase,
    "hair": _hair,
    "box": _box,
    "part": _part,
    "way": _way,
    "undo": _undo,
    "redo": _redo,
    "back": _back,
    "compare": _compare,
    "preview": _preview,
    "fit": _fit,
    "zoom_in": _zoom_in,
    "zoom_out": _zoom_out,
}
"""The icons by their names."""


def _plain(colour: QColor) -> Drawing:
    return lambda painter, _custom: painter.fillRect(0, 0, SIDE, SIDE, colour)


def _checks(painter: QPainter, _custom: QColor) -> None:
    painter.fillRect(0, 0, SIDE, SIDE, QColor("white"))
    for x in range(0, SIDE, 6):
        for y in range(0, SIDE, 6):
            if (x + y) % 12:
                painter.fillRect(x, y, 6, 6, QColor(176, 176, 176))


def _person(painter: QPainter, head: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(head)
    painter.drawEllipse(QPointF(12, 9.5), 4, 4)
    painter.drawEllipse(QPointF(12, 22), 7.5, 7)


def _mask(painter: QPainter, _custom: QColor) -> None:
    painter.fillRect(0, 0, SIDE, SIDE, QColor("black"))
    _person(painter, QColor("white"))


def _custom_colour(painter: QPainter, custom: QColor) -> None:
    painter.fillRect(0, 0, SIDE, SIDE, custom)


def _recipe(painter: QPainter, custom: QColor) -> None:
    painter.fillRect(0, 0, SIDE, SIDE, custom)
    _person(painter, QColor(90, 96, 110))


def _shining(painter: QPainter, _custom: QColor) -> None:
    for row in range(SIDE):
        painter.fillRect(0, row, SIDE, 1, QColor(120 + 4 * row, 170, 215 - 4 * row))
    _person(painter, QColor(50, 60, 80))


_SWATCHES: dict[str, Drawing] = {
    "checkerboard": _checks,
    "white": _plain(QColor("white")),
    "black": _plain(QColor("black")),
    "colour": _custom_colour,
    "recipe": _recipe,
    "mask": _mask,
    "original": _shining,
}
