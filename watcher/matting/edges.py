"""Alpha at the size of the picture: stretched, with outlines that follow the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; right and bottom are exclusive."""

# Rows computed at a time: at full size, float32 takes 400 MB for a picture of 100 megapixels.
_BAND_ROWS = 512

# For alpha, by the guided filter; benchmarks/edges.py measures the result.
# From this factor on along both sides, the photo decides; below, it shows no more of the outline than the network saw.
_MIN_GUIDED_SCALE = 1.4
_RADIUS = 2  # of the windows, in pixels of the small alpha
_FILTER_EPSILON = 3e-4  # variance of the colours (0..1) below which a window counts as flat
_SLOPE_GAIN = 1.2  # windows blur the ends of a slope; this compensates for it
_SOFT_MARGIN = 0.02  # alphas nearer to 0 or 1 do not count as an outline
_MIN_OUTLINE_VARIANCE = 0.002  # of alpha in a window; below, it is a wide uncertain area and no outline
_TILE_SIDE = 32  # in pixels of the small alpha
_TILES_PER_BATCH = 16  # as many as fit into the processor's cache


def upscale_alpha(alpha: FloatArray, rgb: Image.Image) -> NDArray[np.uint8]:
    """Stretch `alpha` (h, w), float32 in 0..1, to the size of the upright photo `rgb`: (H, W) uint8 in 0..255.

    The stretching is bilinear. On photos at least 1.4 times as large as alpha, it would make outlines wide: there, they
    follow the photo's colours by the fast guided filter (He and Sun, arXiv 1505.00996), with coefficients computed at
    the size of alpha, near outlines only.
    """
    alpha = np.ascontiguousarray(alpha, np.float32)
    if not is_guided(alpha, rgb.size):
        return _resize_bilinear(alpha, rgb.width, rgb.height)
    guide = make_guide(alpha, rgb)
    return AlphaRenderer(fit_coefficients(alpha, guide), guide).alpha(rgb.size, (0, 0, *rgb.size))


def is_guided(alpha: FloatArray, size: tuple[int, int]) -> bool:
    """Return whether the photo's colours decide about outlines when alpha (h, w) becomes `size` (width, height)."""
    return bool(min(size[0] / alpha.shape[1], size[1] / alpha.shape[0]) >= _MIN_GUIDED_SCALE)


def make_guide(alpha: FloatArray, rgb: Image.Image) -> Image.Image:
    """Return the photo reduced to about the size of alpha (h, w): that averages its noise, which frays outlines."""
    stretch = min(rgb.width / alpha.shape[1], rgb.height / alpha.shape[0])
    return rgb.reduce(int(stretch / _MIN_GUIDED_SCALE))


def _resize_bilinear(alpha: FloatArray, width: int, height: int) -> NDArray[np.uint8]:
    """Stretch alpha (h, w), float32 in 0..1, bilinearly to (height, width), uint8 in 0..255."""
    small = Image.fromarray(alpha)
    result = np.empty((height, width), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        rows = min(_BAND_ROWS, height - top)
        box = (0.0, top * small.height / height, float(small.width), (top + rows) * small.height / height)
        band = np.asarray(small.resize((width, rows), Image.Resampling.BILINEAR, box=box))
        result[top : top + rows] = to_uint8(band)
    return result


def to_uint8(values: FloatArray) -> NDArray[np.uint8]:
    """Convert float32 in 0..1 to uint8 in 0..255, clipping what lies outside."""
    scaled = values * np.float32(255.0)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8)


@dataclass(frozen=True)
class LinearCoefficients:
    """Alpha at each pixel as a linear function of the photo's colour I (0..1): slope . I + offset. All float32.

    Near outlines, `slope` (3, h, w) and `offset` (h, w) are the guided filter's; elsewhere, `slope` is 0 and `offset`
    is alpha itself. `minimum` and `maximum` (h, w) are those of alpha nearby, and bound the result: a steeper outline
    would overshoot, and leave a rim beside alphas that are not quite 0 or 1.
    """

    slope: FloatArray
    offset: FloatArray
    minimum: FloatArray
    maximum: FloatArray


def fit_coefficients(alpha: FloatArray, guide: Image.Image) -> LinearCoefficients:
    """Return the guided filter's coefficients (He, Sun and Tang, TPAMI 2013, equations 19-21).

    `alpha` (h, w), float32 in 0..1; `guide`: what `make_guide` returns.
    """
    size = (alpha.shape[1], alpha.shape[0])
    return _fit_coefficients(alpha, np.asarray(guide.resize(size, Image.Resampling.BOX, reducing_gap=1.0)))


def _fit_coefficients(alpha: FloatArray, guide: NDArray[np.uint8]) -> LinearCoefficients:
    """Return the coefficients for a guide (h, w, 3), uint8: the photo at the size of alpha."""
    height, width = alpha.shape
    tiles = (-(-height // _TILE_SIDE), -(-width // _TILE_SIDE))
    margin = 2 * _RADIUS
    padding = ((margin, tiles[0] * _TILE_SIDE - height + margin), (margin, tiles[1] * _TILE_SIDE - width + margin))
    padded = np.pad(alpha, padding, "edge")
    colours = np.pad(guide, (*padding, (0, 0)), "edge")
    slope = np.zeros((3, tiles[0] * _TILE_SIDE, tiles[1] * _TILE_SIDE), np.float32)
    offset = padded[margin:-margin, margin:-margin].copy()
    minimum, maximum = np.zeros_like(offset), np.ones_like(offset)
    soft = (offset > _SOFT_MARGIN) & (offset < 1 - _SOFT_MARGIN)
    outline_tiles = np.argwhere(soft.reshape(tiles[0], _TILE_SIDE, tiles[1], _TILE_SIDE).any(axis=(1, 3)))
    padded_side = _TILE_SIDE + 2 * margin
    for start in range(0, len(outline_tiles), _TILES_PER_BATCH):
        batch = outline_tiles[start : start + _TILES_PER_BATCH]
        windows = [(slice(y, y + padded_side), slice(x, x + padded_side)) for y, x in batch * _TILE_SIDE]
        alphas = np.stack([padded[window] for window in windows])
        colour_tiles = np.stack([colours[window] for window in windows], dtype=np.float32) / np.float32(255.0)
        slopes, offsets, minima, maxima = _fit_tiles(alphas, np.ascontiguousarray(colour_tiles.transpose(3, 0, 1, 2)))
        for number, (y, x) in enumerate(batch * _TILE_SIDE):
            slope[:, y : y + _TILE_SIDE, x : x + _TILE_SIDE] = slopes[:, number]
            tile = (slice(y, y + _TILE_SIDE), slice(x, x + _TILE_SIDE))
            offset[tile], minimum[tile], maximum[tile] = offsets[number], minima[number], maxima[number]
    return LinearCoefficients(
        *(np.ascontiguousarray(plane[..., :height, :width]) for plane in (slope, offset, minimum, maximum))
    )


def _fit_tiles(p: FloatArray, i: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return slope (3, n, s, s), offset, minimum and maximum (n, s, s) of n tiles, as `LinearCoefficients` has them.

    `p`: alpha (n, t, t), and `i`: colours (3, n, t, t), both in 0..1, with t = s + 4 r. The letters are the paper's.
    """
    mean_i, mean_p = _window_mean(i), _window_mean(p)
    covariance_ip = _window_mean(i * p) - mean_i * mean_p
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    covariance_ii = {pair: _window_mean(i[pair[0]] * i[pair[1]]) - mean_i[pair[0]] * mean_i[pair[1]] for pair in pairs}
    for channel in range(3):
        covariance_ii[channel, channel] += np.float32(_FILTER_EPSILON)
    a = _solve_symmetric(covariance_ii, covariance_ip)
    b = mean_p - (a * mean_i).sum(axis=0)
    variance_p = _window_mean(p * p) - mean_p * mean_p
    a, b, mean_variance = _window_mean(a), _window_mean(b), _window_mean(variance_p)
    minimum, maximum = _window_extremum(p, np.minimum), _window_extremum(p, np.maximum)
    inner = slice(2 * _RADIUS, -2 * _RADIUS)
    p = p[:, inner, inner]
    guided_share = np.clip(mean_variance / np.float32(_MIN_OUTLINE_VARIANCE) - 1, 0, 1)
    guided_share *= np.clip(np.minimum(p, 1 - p) / np.float32(_SOFT_MARGIN) - 1, 0, 1)
    a *= guided_share * np.float32(_SLOPE_GAIN)
    b *= np.float32(_SLOPE_GAIN)
    b -= np.float32((_SLOPE_GAIN - 1) / 2) + p
    b *= guided_share
    b += p
    return a, b, minimum, maximum


def _window_extremum(values: FloatArray, choose: np.ufunc) -> FloatArray:
    """Return the extremum of each window of (4 r + 1)^2 in the last two axes, which become shorter by 4 r.

    `choose`: `np.minimum` or `np.maximum`.
    """
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
    """Return the mean of each window of (2 r + 1)^2 in the last two axes, which become shorter by 2 r."""
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
    """Return the x of matrix x = right, by cofactors, for each of many symmetric 3 x 3 matrices.

    `matrix`: the six entries of the upper triangle by (row, column), each an array of shape (...); `right`: (3, ...).
    """
    xx, xy, xz, yy, yz, zz = (matrix[pair] for pair in sorted(matrix))
    c0, c1, c2 = yy * zz - yz * yz, yz * xz - xy * zz, xy * yz - yy * xz
    c3, c4, c5 = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    inverse_determinant = 1 / (xx * c0 + xy * c1 + xz * c2)
    x, y, z = right
    return np.stack(
        [
            (c0 * x + c1 * y + c2 * z) * inverse_determinant,
            (c1 * x + c3 * y + c4 * z) * inverse_determinant,
            (c2 * x + c4 * y + c5 * z) * inverse_determinant,
        ]
    )


class AlphaRenderer:
    """Evaluates linear coefficients and the guide at the size of a photo, one region at a time."""

    def __init__(self, coefficients: LinearCoefficients, guide: Image.Image) -> None:
        """`guide`: the photo, or a reduced copy."""
        self._coefficients = coefficients
        self._offset, self._minimum, self._maximum = map(
            Image.fromarray, (coefficients.offset, coefficients.minimum, coefficients.maximum)
        )
        self._slopes = [Image.fromarray(plane) for plane in coefficients.slope]
        self._guide = guide

    def alpha(self, size: tuple[int, int], region: Box) -> NDArray[np.uint8]:
        """Return alpha (h, w), uint8, of a region of the photo at `size` (width, height).

        Coefficients and guide are stretched bilinearly. Tiles where alpha is 0 or 1 throughout cost almost nothing.
        """
        height, width = self._coefficients.offset.shape
        across, down = size[0] / width, size[1] / height
        result = np.zeros((region[3] - region[1], region[2] - region[0]), np.uint8)
        for top in range(0, height, _TILE_SIDE):
            bottom = min(top + _TILE_SIDE, height)
            rows = max(round(top * down), region[1]), min(round(bottom * down), region[3])
            for left in range(0, width, _TILE_SIDE) if rows[0] < rows[1] else ():
                right = min(left + _TILE_SIDE, width)
                columns = max(round(left * across), region[0]), min(round(right * across), region[2])
                if columns[0] < columns[1]:
                    # The bilinear filter reaches into the neighbouring tiles.
                    reach = (slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2))
                    part = (columns[0], rows[0], columns[1], rows[1])
                    target = result[rows[0] - region[1] : rows[1] - region[1], columns[0] - region[0] :]
                    target[:, : columns[1] - columns[0]] = self._tile_alpha(size, part, reach)
        return result

    def _tile_alpha(self, size: tuple[int, int], part: Box, reach: tuple[slice, slice]) -> NDArray[np.uint8] | int:
        """Return alpha (h, w), uint8, in `part` of one tile, or one number for all. `reach`: what it depends on."""
        if self._coefficients.slope[0][reach].any():
            return to_uint8(self._guided_alpha(size, part))
        offset = self._coefficients.offset[reach]
        if offset.max() < 0.5 / 255:
            return 0
        if offset.min() >= 1 - 0.5 / 255:
            return 255
        return to_uint8(resize_region(self._offset, part, size))

    def _guided_alpha(self, size: tuple[int, int], region: Box) -> FloatArray:
        """Return alpha (h, w), float32, in this region by the photo's colours."""
        values = resize_region(self._offset, region, size).copy()
        colours = resize_region(self._guide, region, size)
        for channel, slope in enumerate(self._slopes):
            values += resize_region(slope, region, size) * (colours[..., channel] * np.float32(1 / 255))
        minimum, maximum = (resize_region(small, region, size) for small in (self._minimum, self._maximum))
        return np.clip(values, minimum, maximum, out=values)


def resize_region(small: Image.Image, region: Box, size: tuple[int, int]) -> FloatArray:
    """Stretch a `small` picture bilinearly to `size` (width, height), and return the part `region` of it as float32.

    Adjacent regions join without a seam.
    """
    across, down = small.width / size[0], small.height / size[1]
    box = (
        region[0] * across,
        region[1] * down,
        min(region[2] * across, small.width),
        min(region[3] * down, small.height),
    )
    region_size = (region[2] - region[0], region[3] - region[1])
    return np.asarray(small.resize(region_size, Image.Resampling.BILINEAR, box=box), np.float32)
