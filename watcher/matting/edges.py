"""What happens at the subject's outline: alpha at the size of the picture, and colours without the old background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; the last two are outside."""

_BAND = 512  # rows of the result at a time: float32 at full size would take 400 MB for a 100-megapixel picture

# Alpha by the photo; benchmarks/edges.py measures what comes of it.
_STRETCH = 1.4  # from here on along both sides; below, the photo knows no more of the outline than the network saw
_RADIUS = 2  # of the windows, in pixels of the small alpha
_EPS = 3e-4  # how flat a window's colours must be (variance, 0..1) to say nothing
_STEEPER = 1.2  # windows blur the ends of a slope, and this takes that back
_SOFT = 0.02  # alphas nearer to 0 or 1 are no outline
_STEEP = 0.002  # variance of alpha in a window from which on it is an outline, not a wide uncertain area
_TILE = 32  # pixels of the small alpha along a tile
_TOGETHER = 16  # tiles worked on at once: they fit the processor's cache

# Colours by blur fusion.
_SMALL = 320  # longer side, in pixels, at which the smooth colours are made
_FAR, _NEAR = 8, 1  # radii of the two blurs there
_LITTLE = 1e-3  # weight of a pixel's own colour where there is nothing else nearby
_SEEN = 3  # of 255: alphas nearer to 0 or 255 change a composite by less than one step, and there are many of them
_PIECE = 64  # pixels along a tile at full size


def full_size(alpha: Values, rgb: Image.Image) -> NDArray[np.uint8]:
    """Alpha (h, w) float32 in 0..1, stretched to the size of the upright photo `rgb`: (H, W) uint8 in 0..255.

    Bilinear; where that makes outlines wide, on photos much larger than alpha, they follow the photo's colours: the
    fast guided filter (He and Sun, arXiv 1505.00996), its coefficients made at the size of alpha, near outlines only.
    """
    height, width = alpha.shape
    alpha = np.ascontiguousarray(alpha, np.float32)
    stretch = min(rgb.width / width, rgb.height / height)
    if stretch < _STRETCH:
        return _stretched(alpha, rgb.width, rgb.height)
    guide = rgb.reduce(int(stretch / _STRETCH))  # the grain of a large photo would fray the outline
    small = guide.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    return _painted(_lines(alpha, np.asarray(small)), guide, rgb.size)


def _stretched(alpha: Values, width: int, height: int) -> NDArray[np.uint8]:
    """Alpha (h, w), stretched bilinearly to (height, width)."""
    small = Image.fromarray(alpha)
    result = np.empty((height, width), np.uint8)
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        box = (0.0, top * small.height / height, float(small.width), (top + rows) * small.height / height)
        band = np.asarray(small.resize((width, rows), Image.Resampling.BILINEAR, box=box))
        result[top : top + rows] = _bytes(band)
    return result


def _bytes(values: Values) -> NDArray[np.uint8]:
    """0..1 -> 0..255; what is beyond is cut off."""
    scaled = values * np.float32(255.0)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8)


@dataclass(frozen=True)
class Lines:
    """At each pixel of the small alpha, alpha as a line in the photo's colour I (0..1): slope . I + offset.

    `slope` (3, h, w) is 0 and `offset` (h, w) is alpha itself but near outlines. The result is to stay within `least`
    and `most` (h, w), which alpha has nearby: else a steeper outline had a rim between it and what is not quite 0 or 1.
    """

    slope: Values
    offset: Values
    least: Values
    most: Values


def _lines(alpha: Values, guide: NDArray[np.uint8]) -> Lines:
    """The guided filter's coefficients (He, Sun and Tang, TPAMI 2013, equations 19-21) from guide (h, w, 3)."""
    height, width = alpha.shape
    tiles = (-(-height // _TILE), -(-width // _TILE))
    margin = 2 * _RADIUS
    after = ((margin, tiles[0] * _TILE - height + margin), (margin, tiles[1] * _TILE - width + margin))
    padded = np.pad(alpha, after, "edge")
    colours = np.pad(guide, (*after, (0, 0)), "edge")
    slope = np.zeros((3, tiles[0] * _TILE, tiles[1] * _TILE), np.float32)
    offset = padded[margin:-margin, margin:-margin].copy()
    least, most = np.zeros_like(offset), np.ones_like(offset)
    soft = (offset > _SOFT) & (offset < 1 - _SOFT)
    places = np.argwhere(soft.reshape(tiles[0], _TILE, tiles[1], _TILE).any(axis=(1, 3)))
    side = _TILE + 2 * margin
    for first in range(0, len(places), _TOGETHER):
        some = places[first : first + _TOGETHER]
        windows = [(slice(y, y + side), slice(x, x + side)) for y, x in some * _TILE]
        p = np.stack([padded[window] for window in windows])
        i = np.stack([colours[window] for window in windows], dtype=np.float32) / np.float32(255.0)
        a, b, low, high = _fitted(p, np.ascontiguousarray(i.transpose(3, 0, 1, 2)))
        for number, (y, x) in enumerate(some * _TILE):
            slope[:, y : y + _TILE, x : x + _TILE] = a[:, number]
            tile = (slice(y, y + _TILE), slice(x, x + _TILE))
            offset[tile], least[tile], most[tile] = b[number], low[number], high[number]
    return Lines(*(np.ascontiguousarray(plane[..., :height, :width]) for plane in (slope, offset, least, most)))


def _fitted(p: Values, i: Values) -> tuple[Values, Values, Values, Values]:
    """Slope (3, n, s, s), offset, least and most (n, s, s) of n tiles, from alpha (n, t, t) and colours (3, n, t, t),
    t = s + 4 r.
    """
    mean_i, mean_p = _mean(i), _mean(p)
    with_p = _mean(i * p) - mean_i * mean_p
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    second = {pair: _mean(i[pair[0]] * i[pair[1]]) - mean_i[pair[0]] * mean_i[pair[1]] for pair in pairs}
    for channel in range(3):
        second[channel, channel] += np.float32(_EPS)
    a = _solved(second, with_p)
    b = mean_p - (a * mean_i).sum(axis=0)
    weight = _mean(p * p) - mean_p * mean_p
    a, b, steep = _mean(a), _mean(b), _mean(weight)
    least, most = _extreme(p, np.minimum), _extreme(p, np.maximum)
    inner = slice(2 * _RADIUS, -2 * _RADIUS)
    p = p[:, inner, inner]
    share = np.clip(steep / np.float32(_STEEP) - 1, 0, 1)
    share *= np.clip(np.minimum(p, 1 - p) / np.float32(_SOFT) - 1, 0, 1)
    a *= share * np.float32(_STEEPER)
    b *= np.float32(_STEEPER)
    b -= np.float32((_STEEPER - 1) / 2) + p
    b *= share
    b += p
    return a, b, least, most


def _extreme(values: Values, choose: np.ufunc) -> Values:
    """The least or most of each window of (4 r + 1)^2 in the last two axes, which become shorter by 4 r."""
    size = 4 * _RADIUS + 1
    rows, columns = (length - size + 1 for length in values.shape[-2:])
    down = values[..., :rows, :].copy()
    for shift in range(1, size):
        choose(down, values[..., shift : shift + rows, :], out=down)
    across = down[..., :columns].copy()
    for shift in range(1, size):
        choose(across, down[..., shift : shift + columns], out=across)
    return across


def _mean(values: Values) -> Values:
    """The mean of each window of (2 r + 1)^2 in the last two axes, which become shorter by 2 r."""
    size = 2 * _RADIUS + 1
    rows, columns = (length - size + 1 for length in values.shape[-2:])
    down = values[..., :rows, :].copy()
    for shift in range(1, size):
        down += values[..., shift : shift + rows, :]
    across = down[..., :columns].copy()
    for shift in range(1, size):
        across += down[..., shift : shift + columns]
    across *= np.float32(1 / size**2)
    return across


def _solved(matrix: dict[tuple[int, int], Values], right: Values) -> Values:
    """The x of matrix x = right, for symmetric 3 x 3 matrices given by their upper parts, by cofactors."""
    xx, xy, xz, yy, yz, zz = (matrix[pair] for pair in sorted(matrix))
    c0, c1, c2 = yy * zz - yz * yz, yz * xz - xy * zz, xy * yz - yy * xz
    c3, c4, c5 = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    whole = 1 / (xx * c0 + xy * c1 + xz * c2)
    x, y, z = right
    return np.stack(
        [(c0 * x + c1 * y + c2 * z) * whole, (c1 * x + c3 * y + c4 * z) * whole, (c2 * x + c4 * y + c5 * z) * whole]
    )


def _painted(lines: Lines, guide: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Alpha (H, W) uint8 at the photo's `size` from the lines and the photo, perhaps a smaller one, all stretched
    bilinearly. Flat tiles cost next to nothing.
    """
    planes = Planes(lines, guide, size)
    height, width = lines.offset.shape
    result = np.zeros((size[1], size[0]), np.uint8)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            bottom, right = min(top + _TILE, height), min(left + _TILE, width)
            seen = (
                slice(max(top - 2, 0), bottom + 2),
                slice(max(left - 2, 0), right + 2),
            )  # also the neighbours' edges
            by_photo = bool(lines.slope[0][seen].any())
            if not by_photo and lines.offset[seen].max() < 0.5 / 255:
                continue
            across, down = size[0] / width, size[1] / height
            place = (round(left * across), round(top * down), round(right * across), round(bottom * down))
            target = result[place[1] : place[3], place[0] : place[2]]
            if not by_photo and lines.offset[seen].min() >= 1 - 0.5 / 255:
                target[...] = 255
            else:
                target[...] = _bytes(planes.by_photo(place) if by_photo else planes.plain(place))
    return result


class Planes:
    """The lines and the photo, as Pillow stretches them to `size`, part by part."""

    def __init__(self, lines: Lines, guide: Image.Image, size: tuple[int, int]) -> None:
        self._offset, self._least, self._most = map(Image.fromarray, (lines.offset, lines.least, lines.most))
        self._slopes = [Image.fromarray(plane) for plane in lines.slope]
        self._guide, self._size = guide, size

    def plain(self, place: Box) -> Values:
        """Alpha in this box, where the photo has no say."""
        return _part(self._offset, place, self._size)

    def by_photo(self, place: Box) -> Values:
        """Alpha in this box by the photo's colours."""
        values = self.plain(place).copy()
        colours = _part(self._guide, place, self._size)
        for channel, slope in enumerate(self._slopes):
            values += _part(slope, place, self._size) * (colours[..., channel] * np.float32(1 / 255))
        least, most = (_part(small, place, self._size) for small in (self._least, self._most))
        return np.clip(values, least, most, out=values)


def _part(small: Image.Image, place: Box, size: tuple[int, int]) -> Values:
    """What is in the box `place` of a small picture stretched bilinearly to `size`, without seams: float32."""
    across, down = small.width / size[0], small.height / size[1]
    box = (place[0] * across, place[1] * down, min(place[2] * across, small.width), min(place[3] * down, small.height))
    wanted = (place[2] - place[0], place[3] - place[1])
    return np.asarray(small.resize(wanted, Image.Resampling.BILINEAR, box=box), np.float32)


def foreground(rgb: Image.Image, alpha: NDArray[np.uint8]) -> Image.Image:
    """The photo `rgb` without its background's colour in the pixels of its outline, those of alpha (H, W) in 3..252.

    All other pixels stay what they are; without an outline, it is `rgb` itself. For straight alpha. Blur fusion
    (Forte, "Approximate fast foreground colour estimation", ICIP 2021): the two colours F^ and B^ are smooth, so they
    are made small; the last step, which gives the detail back, is at full size.
    """
    pieces = list(_outline(alpha))
    if not pieces:
        return rgb
    front, back = _smooth_colours(rgb, alpha)
    result = rgb.copy()
    for piece in pieces:
        part = alpha[piece[1] : piece[3], piece[0] : piece[2]]
        result.paste(_cleared(rgb, part, piece, front, back), piece[:2])
    return result


def _outline(alpha: NDArray[np.uint8]) -> Iterator[Box]:
    """The tiles with pixels of the outline."""
    height, width = alpha.shape
    starts = np.arange(0, width, _PIECE)
    for top in range(0, height, _PIECE):
        band = alpha[top : top + _PIECE]
        soft = _between(band).any(axis=0)
        for left in starts[np.logical_or.reduceat(soft, starts)].tolist():
            yield left, top, min(left + _PIECE, width), top + len(band)


def _between(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where it is neither (nearly) 0 nor (nearly) 255; 0 - 3 is 253."""
    seen: NDArray[np.bool_] = (alpha - np.uint8(_SEEN)) <= 255 - 2 * _SEEN
    return seen


def _smooth_colours(rgb: Image.Image, alpha: NDArray[np.uint8]) -> tuple[Image.Image, Image.Image]:
    """F^ and B^, small: two blurs, the near one of what the far one made of the picture."""
    share = min(1.0, _SMALL / max(rgb.size))
    size = (max(1, round(rgb.width * share)), max(1, round(rgb.height * share)))
    small = rgb.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    i = np.ascontiguousarray(np.asarray(small, np.float32).transpose(2, 0, 1))
    a = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BOX, reducing_gap=1.0), np.float32)
    a = a * np.float32(1 / 255)
    front, back = _fused(i, i, i, a, _FAR)
    detail = i - a * front - (1 - a) * back
    front, back = _fused(i, np.clip(front + a * detail, 0, 255), back, a, _NEAR)
    made = [np.clip(values + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0) for values in (front, back)]
    return Image.fromarray(np.ascontiguousarray(made[0])), Image.fromarray(np.ascontiguousarray(made[1]))


def _fused(i: Values, front: Values, back: Values, a: Values, radius: int) -> tuple[Values, Values]:
    """blur(w F) / blur(w) for w = a^2, and the same of B for w = (1 - a)^2; where that vanishes, the picture's own
    colour. The paper has no squares: with them, mixed pixels count for less, and the colours are 5 to 10 % nearer.
    """
    little = np.float32(_LITTLE)
    shares = np.stack([a, 1 - a])
    shares *= shares
    blurred = _blurred(np.concatenate([front * shares[0], back * shares[1], shares]), radius)
    weights = np.maximum(blurred[6:], 0) + little
    return (blurred[:3] + little * i) / weights[0], (blurred[3:6] + little * i) / weights[1]


def _blurred(planes: Values, radius: int) -> Values:
    """The mean of each window of (2 r + 1)^2 in the last two axes; at the frame, the last pixel is repeated."""
    size = 2 * radius + 1
    for axis in (1, 2):
        wide = [(0, 0), (0, 0), (0, 0)]
        wide[axis] = (radius + 1, radius)
        sums = np.pad(planes, wide, "edge")
        np.cumsum(sums, axis=axis, out=sums)
        far, near = (sums[:, size:], sums[:, :-size]) if axis == 1 else (sums[..., size:], sums[..., :-size])
        planes = (far - near) * np.float32(1 / size)
    return planes


def _cleared(
    rgb: Image.Image, alpha: NDArray[np.uint8], piece: Box, front: Image.Image, back: Image.Image
) -> Image.Image:
    """F = F^ + a (I - a F^ - (1 - a) B^) of one tile, and I outside the outline."""
    width, height = piece[2] - piece[0], piece[3] - piece[1]
    f, b = (_part(small, piece, rgb.size).reshape(height, -1) for small in (front, back))
    pixels = np.asarray(rgb.crop(piece)).reshape(height, -1)
    thrice = np.repeat(alpha, 3, axis=1)  # rows of r g b r g b ...: numpy is slow on axes of three
    a = thrice * np.float32(1 / 255)
    mixed = b + a * (f - b)
    np.subtract(pixels, mixed, out=mixed)
    mixed *= a
    f += mixed
    f += np.float32(0.5)
    np.clip(f, 0, 255, out=f)
    return Image.fromarray(np.where(_between(thrice), f.astype(np.uint8), pixels).reshape(height, width, 3))
