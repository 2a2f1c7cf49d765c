"""The pixels of the layers `photo` and `cutout`: asked for where they are visible, kept, and replaced after edits."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from watcher.editor.window.canvas.tiles import Box, Cache, Pyramid, Requests, Tile, View
from watcher.editor.window.connection import Connection
from watcher.worker.protocol import Header

PHOTO, CUTOUT = "photo", "cutout"
_CHANNELS = {PHOTO: 3}
"""Bytes of a pixel; every other layer has 4."""


class Layers(QObject):
    """Asks the host for tiles. `changed`: new pixels have come for a box of the photo."""

    changed = Signal(object)

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._cache: Cache[QImage] = Cache()
        self._requests = Requests()
        self._wanted: list[Tile] = []
        self._generation = 0
        self.pyramid = Pyramid(1, 1)

    def open(self, width: int, height: int) -> None:
        """Start with another photo."""
        self._cache.clear()
        self._requests = Requests()
        self._wanted = []
        self._generation += 1
        self.pyramid = Pyramid(width, height)

    def want(self, view: View, canvas: tuple[int, int], layers: Sequence[str]) -> None:
        """Ask for what a view of these layers needs, and no longer for anything else."""
        if not self._generation:
            return  # no photo yet
        level, box = self.pyramid.level(view.scale), view.visible(canvas)
        self._wanted = [Tile(layer, self.pyramid.top, 0, 0) for layer in layers]  # stands in wherever others lack
        for layer in layers:
            self._wanted += [tile for tile in self.pyramid.covering(layer, level, box) if tile not in self._wanted]
        self._ask()

    def outdate(self, box: Box) -> None:
        """The edits have changed the cut-out in a box: fetch it again where it is visible."""
        self._cache.outdate(CUTOUT, box, self.pyramid)
        self._requests.outdate_box(CUTOUT, box, self.pyramid)
        self._ask()

    def image(self, tile: Tile) -> QImage | None:
        """Return a tile's pixels, if they are here; after edits, the old ones until the new ones come."""
        return self._cache.get(tile)

    def is_settled(self) -> bool:
        """Whether all tiles that were asked for are here."""
        return not self._requests.pending

    def alpha_at(self, x: float, y: float) -> int | None:
        """Return the cut-out's alpha, 0 to 255, at a pixel of the photo; None outside, or before its tile is here."""
        if not (0 <= x < self.pyramid.width and 0 <= y < self.pyramid.height):
            return None
        for level in range(self.pyramid.top + 1):
            side = 512 << level
            tile = Tile(CUTOUT, level, int(x) // side, int(y) // side)
            image = self._cache.get(tile)
            if image is not None:
                left, top, right, bottom = self.pyramid.box(tile)
                column = int((x - left) / (right - left) * image.width())
                row = int((y - top) / (bottom - top) * image.height())
                return image.pixel(min(column, image.width() - 1), min(row, image.height() - 1)) >> 24
        return None

    def _ask(self) -> None:
        new, cancelled = self._requests.plan(self._wanted, self._cache.is_fresh)
        if cancelled:
            self._connection.ask("cancel", ids=cancelled)
        for tile in new:
            self._ask_for(tile)

    def _ask_for(self, tile: Tile) -> None:
        generation = self._generation

        def receive(header: Header, payload: bytes) -> None:
            if generation == self._generation:
                self._receive(tile, header, payload)

        box, size = self.pyramid.box(tile), self.pyramid.size(tile)
        self._requests.asked(tile, self._connection.ask("tile", receive, layer=tile.layer, box=box, pixels=size))

    def _receive(self, tile: Tile, header: Header, payload: bytes) -> None:
        is_old = self._requests.answered(tile, header["answer"])
        image = None
        if header.get("state") == "done":
            image = to_image(payload, self.pyramid.size(tile), _CHANNELS.get(tile.layer, 4))
        if image is not None:
            self._cache.put(tile, image, image.sizeInBytes(), stale=is_old)
            if is_old:
                self._ask()
        self.changed.emit(self.pyramid.box(tile))


def to_image(pixels: bytes, size: tuple[int, int], channels: int) -> QImage | None:
    """Return RGB, or RGBA with straight alpha, in the form that Qt draws fastest. None if bytes lack."""
    width, height = size
    if width < 1 or height < 1 or len(pixels) != width * height * channels:
        return None
    if channels == 3:
        image = QImage(pixels, width, height, width * 3, QImage.Format.Format_RGB888)
        return image.convertToFormat(QImage.Format.Format_RGB32)
    image = QImage(pixels, width, height, width * 4, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
