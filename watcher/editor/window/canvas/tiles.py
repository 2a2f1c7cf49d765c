"""Which tiles of the picture are visible, which are kept, and which are asked for. No Qt, no pixels.

A picture is a pyramid: on level 0, one pixel of a tile is one of the photo; on each further level, a tile covers twice
as much in each direction.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

TILE = 512
"""Pixels of a tile's side."""
CACHE_BYTES = 192 << 20
"""Bytes of tiles that the window keeps: what a screen of 4K shows of both layers, and room to look around."""
MAX_SCALE = 32.0

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the photo."""


class Tile(NamedTuple):
    """One tile of one layer: its level, and its place in the level's grid."""

    layer: str
    level: int
    column: int
    row: int


@dataclass(frozen=True)
class Pyramid:
    """The tiles of a photo of `width` x `height` pixels."""

    width: int
    height: int

    @property
    def top(self) -> int:
        """The level on which one tile covers the whole photo."""
        return max(0, math.ceil(math.log2(max(self.width, self.height, 1) / TILE)))

    def level(self, scale: float) -> int:
        """Return the level for `scale`, in pixels of the screen per pixel of the photo."""
        return min(self.top, max(0, round(math.log2(1 / scale))))

    def box(self, tile: Tile) -> Box:
        """Return what the tile covers, in pixels of the photo."""
        side = TILE << tile.level
        left, top = tile.column * side, tile.row * side
        return left, top, min(left + side, self.width), min(top + side, self.height)

    def size(self, tile: Tile) -> tuple[int, int]:
        """Return the pixels of the tile: width and height."""
        left, top, right, bottom = self.box(tile)
        return -(-(right - left) >> tile.level), -(-(bottom - top) >> tile.level)

    def covering(self, layer: str, level: int, box: Box) -> list[Tile]:
        """Return the tiles of a level that touch `box`, those near its centre first."""
        left, top, right, bottom = intersect(box, (0, 0, self.width, self.height))
        if right <= left or bottom <= top:
            return []
        side = TILE << level
        tiles = [
            Tile(layer, level, column, row)
            for row in range(top // side, (bottom - 1) // side + 1)
            for column in range(left // side, (right - 1) // side + 1)
        ]
        x, y = (left + right) / 2 / side - 0.5, (top + bottom) / 2 / side - 0.5
        return sorted(tiles, key=lambda tile: (tile.column - x) ** 2 + (tile.row - y) ** 2)

    def parent(self, tile: Tile) -> Tile:
        """Return the tile of the next level that covers this one."""
        return Tile(tile.layer, tile.level + 1, tile.column >> 1, tile.row >> 1)

    def children(self, tile: Tile) -> list[Tile]:
        """Return the tiles of the level below that this one covers."""
        if tile.level == 0:
            return []
        return self.covering(tile.layer, tile.level - 1, self.box(tile))


def intersect(first: Box, second: Box) -> Box:
    """Return what both boxes cover. If that is nothing, right or bottom is not beyond left or top."""
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def touch(first: Box, second: Box) -> bool:
    """Whether the boxes share a pixel."""
    left, top, right, bottom = intersect(first, second)
    return left < right and top < bottom


@dataclass(frozen=True)
class View:
    """Where the photo is on the canvas: `scale` in pixels of the screen per pixel of the photo, `x`, `y` its corner."""

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def fitted(cls, photo: tuple[int, int], canvas: tuple[int, int]) -> View:
        """Return the view that shows the whole photo, centred. A small photo is not enlarged."""
        scale = min(1.0, canvas[0] / photo[0], canvas[1] / photo[1])
        return cls(scale, (canvas[0] - photo[0] * scale) / 2, (canvas[1] - photo[1] * scale) / 2)

    def zoomed(self, factor: float, at: tuple[float, float]) -> View:
        """Return the view at `factor` times the scale; the point `at` of the screen stays where it is."""
        scale = min(MAX_SCALE, max(0.005, self.scale * factor))
        ratio = scale / self.scale
        return View(scale, at[0] - (at[0] - self.x) * ratio, at[1] - (at[1] - self.y) * ratio)

    def moved(self, x: float, y: float) -> View:
        """Return the view, moved by pixels of the screen."""
        return View(self.scale, self.x + x, self.y + y)

    def kept_near(self, photo: tuple[int, int], canvas: tuple[int, int]) -> View:
        """Return the view, moved so that the photo's edge is at most half a canvas away: it cannot get lost."""

        def clamp(value: float, photo_side: int, canvas_side: int) -> float:
            return max(canvas_side / 2 - photo_side * self.scale, min(canvas_side / 2, value))

        return View(self.scale, clamp(self.x, photo[0], canvas[0]), clamp(self.y, photo[1], canvas[1]))

    def to_photo(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the photo that is at a point of the screen."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the photo is on the screen."""
        return x * self.scale + self.x, y * self.scale + self.y

    def on_screen(self, box: Box) -> Box:
        """Return the pixels of the screen of a box; boxes that meet in the photo meet here, too."""
        left, top = self.to_screen(box[0], box[1])
        right, bottom = self.to_screen(box[2], box[3])
        return round(left), round(top), round(right), round(bottom)

    def visible(self, canvas: tuple[int, int]) -> Box:
        """Return the pixels of the photo that a canvas of this size shows; it may reach beyond the photo."""
        left, top = self.to_photo(0, 0)
        right, bottom = self.to_photo(*canvas)
        return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


Image = TypeVar("Image")


class Cache(Generic[Image]):
    """The tiles that the window has, at most `limit` bytes: those drawn least recently go first."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._images: OrderedDict[Tile, tuple[Image, int]] = OrderedDict()
        self._stale: set[Tile] = set()
        self.bytes = 0

    def put(self, tile: Tile, image: Image, size: int, *, stale: bool = False) -> None:
        """Keep a tile of `size` bytes; `stale`: it is shown until a newer one has come."""
        self._remove(tile)
        self._images[tile] = image, size
        self.bytes += size
        if stale:
            self._stale.add(tile)
        while self.bytes > self._limit and len(self._images) > 1:
            self._remove(next(iter(self._images)))

    def get(self, tile: Tile) -> Image | None:
        """Return the tile's pixels, and count it as used."""
        if tile not in self._images:
            return None
        self._images.move_to_end(tile)
        return self._images[tile][0]

    def is_fresh(self, tile: Tile) -> bool:
        """Whether the tile is here and shows what the worker has."""
        return tile in self._images and tile not in self._stale

    def outdate(self, layer: str, box: Box, pyramid: Pyramid) -> None:
        """Mark the tiles of a layer that touch the box as stale."""
        self._stale |= {tile for tile in self._images if tile.layer == layer and touch(pyramid.box(tile), box)}

    def clear(self) -> None:
        """Forget all tiles."""
        self._images.clear()
        self._stale.clear()
        self.bytes = 0

    def _remove(self, tile: Tile) -> None:
        if tile in self._images:
            self.bytes -= self._images.pop(tile)[1]
            self._stale.discard(tile)


class Requests:
    """The tiles that the window has asked for and not got yet."""

    def __init__(self) -> None:
        self._ids: dict[Tile, int] = {}
        self._old: set[int] = set()

    def plan(self, wanted: Sequence[Tile], is_fresh: Callable[[Tile], bool]) -> tuple[list[Tile], list[int]]:
        """Return what to ask for, in this order, and the requests to cancel."""
        needed = [tile for tile in wanted if not is_fresh(tile)]
        keep = set(needed)
        cancelled = [number for tile, number in self._ids.items() if tile not in keep]
        for tile in [tile for tile in self._ids if tile not in keep]:
            del self._ids[tile]
        return [tile for tile in needed if tile not in self._ids], cancelled

    def asked(self, tile: Tile, number: int) -> None:
        """Note that the request `number` is for the tile."""
        self._ids[tile] = number

    def answered(self, tile: Tile, number: int) -> bool:
        """Note that an answer has come. Returns whether the worker has changed the tile's pixels since."""
        if self._ids.get(tile) == number:
            del self._ids[tile]
        is_old = number in self._old
        self._old.discard(number)
        return is_old

    def outdate(self, tiles: Iterable[Tile]) -> None:
        """The worker changes these tiles: answers that are under way show what was before."""
        self._old |= {self._ids[tile] for tile in tiles if tile in self._ids}

    def outdate_box(self, layer: str, box: Box, pyramid: Pyramid) -> None:
        """The same for all tiles of a layer that touch the box."""
        self.outdate([tile for tile in self._ids if tile.layer == layer and touch(pyramid.box(tile), box)])

    @property
    def pending(self) -> set[Tile]:
        """The tiles that are asked for."""
        return set(self._ids)
