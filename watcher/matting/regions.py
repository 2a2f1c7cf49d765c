"""Regions of an alpha, found at a small size: another alpha may take the place of a whole one, and specks go."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.intp]

_SIDE = 224  # of the square at which regions are found (or as many pixels of another shape)
_WINDOW_RADIUS = 2  # a region is where two alphas differ in a whole window of 5 x 5
_RAMP_RADIUS = 2  # one alpha passes over into the other

# 209 specks on 65 of 217 photos are such; at 41 of them, the truth has a subject.
_MAX_SPECK = 0.001  # of the subject
_MAX_HAZE = 0.1  # alpha of what surrounds an island
_MIN_ISLAND = 0.5


def adopt_regions(alpha: FloatArray, other: FloatArray, difference: float, reach: int) -> FloatArray:
    """Return `alpha`, but `other` where the two differ by more than `difference` over a whole region.

    Both are (h, w), float32 in 0..1. Where they differ by twice as much, it is `other` alone, also `reach` pixels (of
    224) around. Narrow differences do not count: outlines, fine lines and small holes stay those of `alpha`.
    """
    small_difference = np.abs(_shrink(other) - _shrink(alpha))
    depth = _over_windows(small_difference, _WINDOW_RADIUS, np.minimum)
    if depth.max() <= difference:
        return alpha
    depth = _over_windows(depth, _WINDOW_RADIUS + reach, np.maximum)
    share = np.clip(depth / np.float32(difference) - 1, 0, 1)
    share = _over_windows(share, _RAMP_RADIUS, np.add) * np.float32(1 / (2 * _RAMP_RADIUS + 1) ** 2)
    adopted: FloatArray = other - alpha
    adopted *= resize_bilinear(share, alpha.shape)
    adopted += alpha
    return adopted


def remove_specks(alpha: FloatArray) -> FloatArray:
    """Return alpha (h, w), float32 in 0..1, without specks: islands of less than a thousandth of the subject.

    An island with an alpha of at least one half stays, as it may be a bird or a ball.
    """
    small = _shrink(alpha)
    islands = label(small > _MAX_HAZE)
    is_speck = _sum_regions(islands, small) < _MAX_SPECK * float(small.sum())
    is_speck &= _sum_regions(islands, small >= _MIN_ISLAND) == 0
    is_speck[0] = False  # what is in no region
    if not is_speck.any():
        return alpha
    specks = _over_windows(is_speck[islands].astype(np.float32), 1, np.maximum)
    rest = _over_windows(((islands > 0) & ~is_speck[islands]).astype(np.float32), 1, np.maximum)
    cleared: FloatArray = alpha * (1 - resize_bilinear(specks * (1 - rest), alpha.shape))
    return cleared


def _sum_regions(labels: LabelArray, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the sum of `values` in each region, by its number."""
    sums: NDArray[np.float64] = np.bincount(labels.ravel(), values.ravel().astype(np.float64)).astype(np.float64)
    return sums


def label(mask: NDArray[np.bool_]) -> LabelArray:
    """Number the connected regions (by sides) of a mask (h, w): 0 outside, 1 and up inside, in no special order."""
    height, width = mask.shape
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    first_runs = np.searchsorted(rows, np.arange(height + 1)).tolist()
    start_list, end_list = starts.tolist(), ends.tolist()
    for row in range(1, height):
        above, here = first_runs[row - 1], first_runs[row]
        end_above, end_here = here, first_runs[row + 1]
        while above < end_above and here < end_here:
            if start_list[above] < end_list[here] and start_list[here] < end_list[above]:
                parents[root(here)] = root(above)
            if end_list[above] < end_list[here]:
                above += 1
            else:
                here += 1
    labels = np.zeros((height, width + 1), np.intp)
    numbers = np.unique([root(run) for run in range(len(rows))], return_inverse=True)[1] + 1
    labels[rows, starts] = numbers
    labels[rows, ends] -= numbers  # the running sum falls back to 0 after each run
    return np.cumsum(labels, axis=1)[:, :width]


def _over_windows(values: FloatArray, radius: int, combine: np.ufunc) -> FloatArray:
    """Combine each window of (2 radius + 1)^2 by `np.minimum`, `np.maximum` or `np.add`; the border is repeated."""
    for axis in (0, 1):
        padded = np.pad(values, [(radius, radius) if axis == along else (0, 0) for along in (0, 1)], "edge")
        length = values.shape[axis]
        values = np.take(padded, range(length), axis)
        for shift in range(1, 2 * radius + 1):
            combine(values, np.take(padded, range(shift, shift + length), axis), out=values)
    return values


def _shrink(alpha: FloatArray) -> FloatArray:
    """Return the alpha with at most 224^2 pixels: each pixel is the mean of the area that it covers."""
    height, width = alpha.shape
    scale = min(1.0, _SIDE / math.sqrt(height * width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize(size, Image.Resampling.BOX))


def resize_bilinear(alpha: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Resize alpha (h, w) bilinearly to `shape` (H, W), float32."""
    if alpha.shape == shape:
        return alpha
    size = (shape[1], shape[0])
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize(size, Image.Resampling.BILINEAR))
