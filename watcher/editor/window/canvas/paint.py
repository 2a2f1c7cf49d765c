"""Draws the picture: tiles over what is behind them, the mask alone, strokes before their answer, box and brush.

All coordinates are pixels of the screen, unless a name says "photo".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF

from watcher.editor.window.canvas.layers import CUTOUT, PHOTO, Layers
from watcher.editor.window.canvas.selection import HANDLES, Selection
from watcher.editor.window.canvas.tiles import Tile, View
from watcher.editor.window.look import TINTS
from watcher.editor.window.tools import BRUSHES, ERASE, Brush
from watcher.matting.touchup.edits import Edit, Point

_CHECK = 10
_SHARP_FROM = 3.0
"""From this scale on, pixels are squares: who paints exactly wants to see them."""
_VEIL = QColor(255, 255, 255, 130)
HANDLE = 5.0
"""Half a side of a handle."""

HANDLE_CURSORS = {
    "inside": Qt.CursorShape.SizeAllCursor,
    "left": Qt.CursorShape.SizeHorCursor,
    "right": Qt.CursorShape.SizeHorCursor,
    "top": Qt.CursorShape.SizeVerCursor,
    "bottom": Qt.CursorShape.SizeVerCursor,
    "left top": Qt.CursorShape.SizeFDiagCursor,
    "right bottom": Qt.CursorShape.SizeFDiagCursor,
    "right top": Qt.CursorShape.SizeBDiagCursor,
    "left bottom": Qt.CursorShape.SizeBDiagCursor,
}
"""The pointer over each handle of the box, and over the box."""


@dataclass(frozen=True)
class Backdrop:
    """What is behind the cut-out: a kind of strings.VIEWS, the colour of two of them, and `canvas` around it."""

    kind: str
    colour: QColor
    canvas: QColor


def rectangle(box: tuple[int, int, int, int]) -> QRect:
    """Return a box as Qt has it."""
    left, top, right, bottom = box
    return QRect(left, top, right - left, bottom - top)


def draw_scene(scene: QImage, dirty: QRect, layers: Layers, view: View, backdrop: Backdrop, *, before: bool) -> None:
    """Draw a part of the scene anew. `before`: the photo alone, as it was."""
    photo = rectangle(view.on_screen((0, 0, layers.pyramid.width, layers.pyramid.height)))
    painter = QPainter(scene)
    painter.setClipRect(dirty)
    painter.fillRect(dirty, backdrop.canvas)
    if before:
        draw_tiles(painter, dirty, layers, PHOTO, view)
        return
    area = dirty & photo
    if area.isEmpty():
        return
    cutout = QImage(area.size(), QImage.Format.Format_ARGB32_Premultiplied)
    cutout.fill(Qt.GlobalColor.transparent)
    inner = QPainter(cutout)
    inner.translate(-area.topLeft())
    inner.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    draw_tiles(inner, area, layers, CUTOUT, view)
    if backdrop.kind == "mask":
        inner.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        inner.fillRect(area, QColor("white"))
    inner.end()
    if backdrop.kind == "original":
        draw_tiles(painter, area, layers, PHOTO, view)
        painter.fillRect(area, _VEIL)
    else:
        fill_backdrop(painter, area, backdrop, photo.topLeft())
    painter.drawImage(area.topLeft(), cutout)


def draw_tiles(painter: QPainter, area: QRect, layers: Layers, layer: str, view: View) -> None:
    """Draw what is here of a layer; a coarser or finer tile stands in for one that has not come."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, view.scale < _SHARP_FROM)
    left, top = view.to_photo(area.left(), area.top())
    right, bottom = view.to_photo(area.right() + 1, area.bottom() + 1)
    box = int(left) - 1, int(top) - 1, int(right) + 2, int(bottom) + 2
    for tile in layers.pyramid.covering(layer, layers.pyramid.level(view.scale), box):
        target = rectangle(view.on_screen(layers.pyramid.box(tile)))
        image = layers.image(tile)
        if image is not None:
            painter.drawImage(target, image)
            continue
        _draw_ancestor(painter, target, layers, tile)
        for child in layers.pyramid.children(tile):
            image = layers.image(child)
            if image is not None:
                painter.drawImage(rectangle(view.on_screen(layers.pyramid.box(child))), image)


def _draw_ancestor(painter: QPainter, target: QRect, layers: Layers, tile: Tile) -> None:
    """Draw the part of the next coarser tile that is here."""
    ancestor = tile
    while ancestor.level < layers.pyramid.top:
        ancestor = layers.pyramid.parent(ancestor)
        image = layers.image(ancestor)
        if image is None:
            continue
        outer, inner = layers.pyramid.box(ancestor), layers.pyramid.box(tile)
        across, down = image.width() / (outer[2] - outer[0]), image.height() / (outer[3] - outer[1])
        source = QRectF(
            (inner[0] - outer[0]) * across,
            (inner[1] - outer[1]) * down,
            (inner[2] - inner[0]) * across,
            (inner[3] - inner[1]) * down,
        )
        painter.drawImage(QRectF(target), image, source)
        return


def fill_backdrop(painter: QPainter, area: QRect, backdrop: Backdrop, origin: QPoint) -> None:
    """Fill an area with what is behind the cut-out."""
    colours = {"white": QColor("white"), "black": QColor("black"), "mask": QColor("black")}
    if backdrop.kind in ("colour", "recipe") and backdrop.colour.alpha():
        painter.fillRect(area, backdrop.colour)
    elif backdrop.kind in colours:
        painter.fillRect(area, colours[backdrop.kind])
    else:
        painter.setBrushOrigin(origin)
        painter.fillRect(area, QBrush(_checks()))


def _checks() -> QImage:
    image = QImage(2 * _CHECK, 2 * _CHECK, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    for x, y in ((0, 0), (_CHECK, _CHECK)):
        painter.fillRect(x, y, _CHECK, _CHECK, QColor(218, 218, 218))
    painter.end()
    return image


class Overlay:
    """Strokes that are drawn at once, before the worker has answered: their colour where the brush was."""

    def __init__(self) -> None:
        self.image = QImage()
        self.is_empty = True

    def clear(self, width: int, height: int) -> None:
        """Forget all strokes."""
        if (self.image.width(), self.image.height()) != (width, height):
            self.image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
            self.is_empty = False
        if not self.is_empty:
            self.image.fill(Qt.GlobalColor.transparent)
        self.is_empty = True

    def draw(self, points: Sequence[Point], diameter: float, colour: QColor) -> QRect:
        """Draw a piece of a stroke. Returns what has changed."""
        self.is_empty = False
        painter = QPainter(self.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(colour, max(1.0, diameter))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        line = QPolygonF([QPointF(*point) for point in points])
        if len(points) == 1:
            painter.drawPoint(QPointF(*points[0]))
        else:
            painter.drawPolyline(line)
        painter.end()
        reach = int(diameter / 2) + 3
        return line.boundingRect().toAlignedRect().adjusted(-reach, -reach, reach, reach)

    def draw_edits(self, edits: Iterable[Edit], view: View) -> None:
        """Draw edits whose answer has not come."""
        for edit in edits:
            points = [view.to_screen(*point) for point in edit.points]
            if edit.tool in BRUSHES:
                self.draw(points, edit.size * view.scale, TINTS[edit.tool])
            elif edit.tool in ("keep_part", "drop_part"):
                self.draw(points, 22, TINTS[edit.tool])


def draw_brush(painter: QPainter, at: QPointF, diameter: float, brush: Brush) -> None:
    """Draw the brush at the pointer: a ring that is visible on everything, its hard core, and plus or minus."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    radius = max(1.5, diameter / 2)
    for pen in (QPen(QColor(0, 0, 0, 150), 3.4), QPen(QColor("white"), 1.8)):
        painter.setPen(pen)
        painter.drawEllipse(at, radius, radius)
    if brush.softness > 0.05 and radius > 8:
        pen = QPen(QColor(255, 255, 255, 170), 1.2)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.drawEllipse(at, radius * (1 - brush.softness), radius * (1 - brush.softness))
    reach = min(6.0, max(2.0, radius / 3))
    for pen in (QPen(QColor("white"), 4.4), QPen(TINTS[brush.tool], 2.4)):
        painter.setPen(pen)
        painter.drawLine(at - QPointF(reach, 0), at + QPointF(reach, 0))
        if brush.tool != ERASE:
            painter.drawLine(at - QPointF(0, reach), at + QPointF(0, reach))


def draw_selection(painter: QPainter, box: Selection, view: View, photo: QRect) -> None:
    """Draw the box: what is outside it is dark, and it has handles."""
    ordered = box.ordered()
    inside = QRectF(
        QPointF(*view.to_screen(ordered.left, ordered.top)), QPointF(*view.to_screen(ordered.right, ordered.bottom))
    )
    around = QPainterPath()
    around.addRect(QRectF(photo))
    hole = QPainterPath()
    hole.addRect(inside)
    painter.fillPath(around - hole, QColor(0, 0, 0, 120))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(QColor(0, 0, 0, 160), 3), QPen(QColor("white"), 1.6)):
        painter.setPen(pen)
        painter.drawRect(inside)
    for name in HANDLES:
        centre = QPointF(*view.to_screen(*box.handle(name)))
        painter.setPen(QPen(TINTS["box"], 2))
        painter.setBrush(QColor("white"))
        painter.drawRect(QRectF(centre.x() - HANDLE, centre.y() - HANDLE, 2 * HANDLE, 2 * HANDLE))


def draw_whole(painter: QPainter, image: QImage, canvas: tuple[int, int], backdrop: Backdrop) -> None:
    """Draw a preview of the whole result in the middle, on a checkerboard where it is transparent."""
    scale = min(1.0, canvas[0] / image.width(), canvas[1] / image.height())
    width, height = round(image.width() * scale), round(image.height() * scale)
    target = QRect((canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height)
    painter.fillRect(QRect(0, 0, *canvas), backdrop.canvas)
    fill_backdrop(painter, target, Backdrop("checkerboard", backdrop.colour, backdrop.canvas), target.topLeft())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(target, image)
