"""Whole regions of an alpha, found at a small size: there, another alpha may take its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]

_SIDE = 224  # of the longer side at which regions are found: a region is larger than a pixel of it
_WINDOW_RADIUS = 2  # a region is where two alphas differ in a whole window of 5 x 5
_RAMP_RADIUS = 2  # one alpha passes over into the other


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
    adopted *= _stretch(share, alpha.shape)
    adopted += alpha
    return adopted


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
    """Return the alpha with a longer side of at most 224: each pixel is the mean of the area that it covers."""
    height, width = alpha.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize(size, Image.Resampling.BOX))


def _stretch(small: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Stretch `small` bilinearly to `shape` (h, w)."""
    whole = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(whole.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
