"""What happens at the subject's outline: alpha at the size of the picture, and colours without the old background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; the last two are outside."""

_BAND_ROWS = 512  # rows of the result at a time: float32 at full size would take 400 MB for a 100-megapixel picture

# Alpha by the photo; benchmarks/edges.py measures what comes of it.
_MIN_GUIDED_SCALE = (
    1.4  # from here on along both sides; below, the photo knows no more of the outline than the network saw
)
_RADIUS = 2  # of the windows, in pixels of the small alpha
_FILTER_EPSILON = 3e-4  # how flat a window's colours must be (variance, 0..1) to say nothing
_SLOPE_GAIN = 1.2  # windows blur the ends of a slope, and this takes that back
_SOFT_MARGIN = 0.02  # alphas nearer to 0 or 1 are no outline
_MIN_OUTLINE_VARIANCE = 0.002  # variance of alpha in a window from which on it is an outline, not a wide uncertain area
_TILE_SIDE = 32  # pixels of the small alpha along a tile
_TILES_PER_BATCH = 16  # tiles worked on at once: they fit the processor's cache

# Colours by blur fusion.
_BLUR_LONGER_SIDE = 320  # longer side, in pixels, at which the smooth colours are made
_FAR_RADIUS, _NEAR_RADIUS = 8, 1  # radii of the two blurs there
_BLUR_EPSILON = 1e-3  # weight of a pixel's own colour where there is nothing else nearby
_VISIBLE_MARGIN = (
    3  # of 255: alphas nearer to 0 or 255 change a composite by less than one step, and there are many of them
)
_COLOUR_TILE_SIDE = 64  # pixels along a tile at full size


def upscale_alpha(alpha: FloatArray, rgb: Image.Image) -> NDArray[np.uint8]:
    """Alpha (h, w) float32 in 0..1, stretched to the size of the upright photo `rgb`: (H, W) uint8 in 0..255.

    Bilinear; where that makes outlines wide, on photos much larger than alpha, they follow the photo's colours: the
    fast guided filter (He and Sun, arXiv 1505.00996), its coefficients made at the size of alpha, near outlines only.
    """
    height, width = alpha.shape
    alpha = np.ascontiguousarray(alpha, np.float32)
    stretch = min(rgb.width / width, rgb.height / height)
    if stretch < _MIN_GUIDED_SCALE:
        return _resize_bilinear(alpha, rgb.width, rgb.height)
    guide = rgb.reduce(int(stretch / _MIN_GUIDED_SCALE))  # the grain of a large photo would fray the outline
    small = guide.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    return _render_alpha(_fit_coefficients(alpha, np.asarray(small)), guide, rgb.size)


def _resize_bilinear(alpha: FloatArray, width: int, height: int) -> NDArray[np.uint8]:
    """Alpha (h, w), stretched bilinearly to (height, width)."""
    small = Image.fromarray(alpha)
    result = np.empty((height, width), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        rows = min(_BAND_ROWS, height - top)
        box = (0.0, top * small.height / height, float(small.width), (top + rows) * small.height / height)
        band = np.asarray(small.resize((width, rows), Image.Resampling.BILINEAR, box=box))
        result[top : top + rows] = _to_uint8(band)
    return result


def _to_uint8(values: FloatArray) -> NDArray[np.uint8]:
    """0..1 -> 0..255; what is beyond is cut off."""
    scaled = values * np.float32(255.0)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8)


@dataclass(frozen=True)
class LinearCoefficients:
    """At each pixel of the small alpha, alpha as a line in the photo's colour I (0..1): slope . I + offset.

    `slope` (3, h, w) is 0 and `offset` (h, w) is alpha itself but near outlines. The result is to stay within `least`
    and `most` (h, w), which alpha has nearby: else a steeper outline had a rim between it and what is not quite 0 or 1.
    """

    slope: FloatArray
    offset: FloatArray
    minimum: FloatArray
    maximum: FloatArray


def _fit_coefficients(alpha: FloatArray, guide: NDArray[np.uint8]) -> LinearCoefficients:
    """The guided filter's coefficients (He, Sun and Tang, TPAMI 2013, equations 19-21) from guide (h, w, 3)."""
    height, width = alpha.shape
    tiles = (-(-height // _TILE_SIDE), -(-width // _TILE_SIDE))
    margin = 2 * _RADIUS
    after = ((margin, tiles[0] * _TILE_SIDE - height + margin), (margin, tiles[1] * _TILE_SIDE - width + margin))
    padded = np.pad(alpha, after, "edge")
    colours = np.pad(guide, (*after, (0, 0)), "edge")
    slope = np.zeros((3, tiles[0] * _TILE_SIDE, tiles[1] * _TILE_SIDE), np.float32)
    offset = padded[margin:-margin, margin:-margin].copy()
    least, most = np.zeros_like(offset), np.ones_like(offset)
    soft = (offset > _SOFT_MARGIN) & (offset < 1 - _SOFT_MARGIN)
    places = np.argwhere(soft.reshape(tiles[0], _TILE_SIDE, tiles[1], _TILE_SIDE).any(axis=(1, 3)))
    side = _TILE_SIDE + 2 * margin
    for first in range(0, len(places), _TILES_PER_BATCH):
        some = places[first : first + _TILES_PER_BATCH]
        windows = [(slice(y, y + side), slice(x, x + side)) for y, x in some * _TILE_SIDE]
        p = np.stack([padded[window] for window in windows])
        i = np.stack([colours[window] for window in windows], dtype=np.float32) / np.float32(255.0)
        a, b, low, high = _fit_tiles(p, np.ascontiguousarray(i.transpose(3, 0, 1, 2)))
        for number, (y, x) in enumerate(some * _TILE_SIDE):
            slope[:, y : y + _TILE_SIDE, x : x + _TILE_SIDE] = a[:, number]
            tile = (slice(y, y + _TILE_SIDE), slice(x, x + _TILE_SIDE))
            offset[tile], least[tile], most[tile] = b[number], low[number], high[number]
    return LinearCoefficients(
        *(np.ascontiguousarray(plane[..., :height, :width]) for plane in (slope, offset, least, most))
    )


def _fit_tiles(p: FloatArray, i: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Slope (3, n, s, s), offset, least and most (n, s, s) of n tiles, from alpha (n, t, t) and colours (3, n, t, t),
    t = s + 4 r.
    """
    mean_i, mean_p = _window_mean(i), _window_mean(p)
    with_p = _window_mean(i * p) - mean_i * mean_p
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    second = {pair: _window_mean(i[pair[0]] * i[pair[1]]) - mean_i[pair[0]] * mean_i[pair[1]] for pair in pairs}
    for channel in range(3):
        second[channel, channel] += np.float32(_FILTER_EPSILON)
    a = _solve_symmetric(second, with_p)
    b = mean_p - (a * mean_i).sum(axis=0)
    weight = _window_mean(p * p) - mean_p * mean_p
    a, b, steep = _window_mean(a), _window_mean(b), _window_mean(weight)
    least, most = _window_extremum(p, np.minimum), _window_extremum(p, np.maximum)
    inner = slice(2 * _RADIUS, -2 * _RADIUS)
    p = p[:, inner, inner]
    share = np.clip(steep / np.float32(_MIN_OUTLINE_VARIANCE) - 1, 0, 1)
    share *= np.clip(np.minimum(p, 1 - p) / np.float32(_SOFT_MARGIN) - 1, 0, 1)
    a *= share * np.float32(_SLOPE_GAIN)
    b *= np.float32(_SLOPE_GAIN)
    b -= np.float32((_SLOPE_GAIN - 1) / 2) + p
    b *= share
    b += p
    return a, b, least, most


def _window_extremum(values: FloatArray, choose: np.ufunc) -> FloatArray:
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


def _window_mean(values: FloatArray) -> FloatArray:
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


def _solve_symmetric(matrix: dict[tuple[int, int], FloatArray], right: FloatArray) -> FloatArray:
    """The x of matrix x = right, for symmetric 3 x 3 matrices given by their upper parts, by cofactors."""
    xx, xy, xz, yy, yz, zz = (matrix[pair] for pair in sorted(matrix))
    c0, c1, c2 = yy * zz - yz * yz, yz * xz - xy * zz, xy * yz - yy * xz
    c3, c4, c5 = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    whole = 1 / (xx * c0 + xy * c1 + xz * c2)
    x, y, z = right
    return np.stack(
        [(c0 * x + c1 * y + c2 * z) * whole, (c1 * x + c3 * y + c4 * z) * whole, (c2 * x + c4 * y + c5 * z) * whole]
    )


def _render_alpha(coefficients: LinearCoefficients, guide: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Alpha (H, W) uint8 at the photo's `size` from the lines and the photo, perhaps a smaller one, all stretched
    bilinearly. Flat tiles cost next to nothing.
    """
    planes = AlphaRenderer(coefficients, guide, size)
    height, width = coefficients.offset.shape
    result = np.zeros((size[1], size[0]), np.uint8)
    for top in range(0, height, _TILE_SIDE):
        for left in range(0, width, _TILE_SIDE):
            bottom, right = min(top + _TILE_SIDE, height), min(left + _TILE_SIDE, width)
            seen = (
                slice(max(top - 2, 0), bottom + 2),
                slice(max(left - 2, 0), right + 2),
            )  # also the neighbours' edges
            by_photo = bool(coefficients.slope[0][seen].any())
            if not by_photo and coefficients.offset[seen].max() < 0.5 / 255:
                continue
            across, down = size[0] / width, size[1] / height
            place = (round(left * across), round(top * down), round(right * across), round(bottom * down))
            target = result[place[1] : place[3], place[0] : place[2]]
            if not by_photo and coefficients.offset[seen].min() >= 1 - 0.5 / 255:
                target[...] = 255
            else:
                target[...] = _to_uint8(planes.guided_alpha(place) if by_photo else planes.interpolated_alpha(place))
    return result


class AlphaRenderer:
    """The lines and the photo, as Pillow stretches them to `size`, part by part."""

    def __init__(self, coefficients: LinearCoefficients, guide: Image.Image, size: tuple[int, int]) -> None:
        self._offset, self._minimum, self._maximum = map(
            Image.fromarray, (coefficients.offset, coefficients.minimum, coefficients.maximum)
        )
        self._slopes = [Image.fromarray(plane) for plane in coefficients.slope]
        self._guide, self._size = guide, size

    def interpolated_alpha(self, region: Box) -> FloatArray:
        """Alpha in this box, where the photo has no say."""
        return _resize_region(self._offset, region, self._size)

    def guided_alpha(self, region: Box) -> FloatArray:
        """Alpha in this box by the photo's colours."""
        values = self.interpolated_alpha(region).copy()
        colours = _resize_region(self._guide, region, self._size)
        for channel, slope in enumerate(self._slopes):
            values += _resize_region(slope, region, self._size) * (colours[..., channel] * np.float32(1 / 255))
        least, most = (_resize_region(small, region, self._size) for small in (self._minimum, self._maximum))
        return np.clip(values, least, most, out=values)


def _resize_region(small: Image.Image, region: Box, size: tuple[int, int]) -> FloatArray:
    """What is in the box `place` of a small picture stretched bilinearly to `size`, without seams: float32."""
    across, down = small.width / size[0], small.height / size[1]
    box = (
        region[0] * across,
        region[1] * down,
        min(region[2] * across, small.width),
        min(region[3] * down, small.height),
    )
    wanted = (region[2] - region[0], region[3] - region[1])
    return np.asarray(small.resize(wanted, Image.Resampling.BILINEAR, box=box), np.float32)


def estimate_foreground(rgb: Image.Image, alpha: NDArray[np.uint8]) -> Image.Image:
    """The photo `rgb` without its background's colour in the pixels of its outline, those of alpha (H, W) in 3..252.

    All other pixels stay what they are; without an outline, it is `rgb` itself. For straight alpha. Blur fusion
    (Forte, "Approximate fast foreground colour estimation", ICIP 2021): the two colours F^ and B^ are smooth, so they
    are made small; the last step, which gives the detail back, is at full size.
    """
    pieces = list(_outline_tiles(alpha))
    if not pieces:
        return rgb
    front, back = _smooth_colours(rgb, alpha)
    result = rgb.copy()
    for piece in pieces:
        part = alpha[piece[1] : piece[3], piece[0] : piece[2]]
        result.paste(_recover_foreground(rgb, part, piece, front, back), piece[:2])
    return result


def _outline_tiles(alpha: NDArray[np.uint8]) -> Iterator[Box]:
    """The tiles with pixels of the outline."""
    height, width = alpha.shape
    starts = np.arange(0, width, _COLOUR_TILE_SIDE)
    for top in range(0, height, _COLOUR_TILE_SIDE):
        band = alpha[top : top + _COLOUR_TILE_SIDE]
        soft = _partial_alpha_mask(band).any(axis=0)
        for left in starts[np.logical_or.reduceat(soft, starts)].tolist():
            yield left, top, min(left + _COLOUR_TILE_SIDE, width), top + len(band)


def _partial_alpha_mask(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where it is neither (nearly) 0 nor (nearly) 255; 0 - 3 is 253."""
    seen: NDArray[np.bool_] = (alpha - np.uint8(_VISIBLE_MARGIN)) <= 255 - 2 * _VISIBLE_MARGIN
    return seen


def _smooth_colours(rgb: Image.Image, alpha: NDArray[np.uint8]) -> tuple[Image.Image, Image.Image]:
    """F^ and B^, small: two blurs, the near one of what the far one made of the picture."""
    share = min(1.0, _BLUR_LONGER_SIDE / max(rgb.size))
    size = (max(1, round(rgb.width * share)), max(1, round(rgb.height * share)))
    small = rgb.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    i = np.ascontiguousarray(np.asarray(small, np.float32).transpose(2, 0, 1))
    a = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BOX, reducing_gap=1.0), np.float32)
    a = a * np.float32(1 / 255)
    front, back = _fuse_blurred(i, i, i, a, _FAR_RADIUS)
    detail = i - a * front - (1 - a) * back
    front, back = _fuse_blurred(i, np.clip(front + a * detail, 0, 255), back, a, _NEAR_RADIUS)
    made = [np.clip(values + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0) for values in (front, back)]
    return Image.fromarray(np.ascontiguousarray(made[0])), Image.fromarray(np.ascontiguousarray(made[1]))


def _fuse_blurred(
    i: FloatArray, smooth_foreground: FloatArray, smooth_background: FloatArray, a: FloatArray, radius: int
) -> tuple[FloatArray, FloatArray]:
    """blur(w F) / blur(w) for w = a^2, and the same of B for w = (1 - a)^2; where that vanishes, the picture's own
    colour. The paper has no squares: with them, mixed pixels count for less, and the colours are 5 to 10 % nearer.
    """
    little = np.float32(_BLUR_EPSILON)
    shares = np.stack([a, 1 - a])
    shares *= shares
    blurred = _box_blur(np.concatenate([smooth_foreground * shares[0], smooth_background * shares[1], shares]), radius)
    weights = np.maximum(blurred[6:], 0) + little
    return (blurred[:3] + little * i) / weights[0], (blurred[3:6] + little * i) / weights[1]


def _box_blur(planes: FloatArray, radius: int) -> FloatArray:
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


def _recover_foreground(
    rgb: Image.Image,
    alpha: NDArray[np.uint8],
    tile: Box,
    smooth_foreground: Image.Image,
    smooth_background: Image.Image,
) -> Image.Image:
    """F = F^ + a (I - a F^ - (1 - a) B^) of one tile, and I outside the outline."""
    width, height = tile[2] - tile[0], tile[3] - tile[1]
    f, b = (
        _resize_region(small, tile, rgb.size).reshape(height, -1) for small in (smooth_foreground, smooth_background)
    )
    pixels = np.asarray(rgb.crop(tile)).reshape(height, -1)
    thrice = np.repeat(alpha, 3, axis=1)  # rows of r g b r g b ...: numpy is slow on axes of three
    a = thrice * np.float32(1 / 255)
    mixed = b + a * (f - b)
    np.subtract(pixels, mixed, out=mixed)
    mixed *= a
    f += mixed
    f += np.float32(0.5)
    np.clip(f, 0, 255, out=f)
    return Image.fromarray(np.where(_partial_alpha_mask(thrice), f.astype(np.uint8), pixels).reshape(height, width, 3))
