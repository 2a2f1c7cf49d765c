"""Whole regions of an alpha, at a small size: where a guide lacks one, and specks and dents that nobody wants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.intp]

_SIDE = 224  # of the longer side at which regions are found: a region is larger than a pixel of it

# Where a guide and the decided alpha differ this much in a whole window of 5 x 5, the guide lacks or invents a region.
_MIN_CONTRADICTION, _FULL_CONTRADICTION = 0.3, 0.6
_WINDOW_RADIUS = 2
_REACH = 3  # pixels around such a window: as far as the outline of a region that only the decided alpha has
_RAMP_RADIUS = 2  # the guide passes over into the decided alpha


def complete_guide(guide: FloatArray, decided: FloatArray) -> FloatArray:
    """Return `guide` with `decided` in its place where the two contradict each other over a whole region.

    Both are (h, w), float32 in 0..1. The guide of an outline filter must have an outline to give: beside a region that
    it lacks, the filter only blurs. Narrow contradictions stay, as outlines and small holes are the guide's to draw.
    """
    small_guide, small_decided = _shrink(guide), _shrink(decided)
    contradiction = np.abs(small_decided - small_guide)
    if contradiction.max() <= _MIN_CONTRADICTION:
        return guide
    depth = _over_windows(contradiction, _WINDOW_RADIUS, np.minimum)
    if depth.max() <= _MIN_CONTRADICTION:
        return guide
    depth = _over_windows(depth, _WINDOW_RADIUS + _REACH, np.maximum)
    share = np.clip((depth - _MIN_CONTRADICTION) / (_FULL_CONTRADICTION - _MIN_CONTRADICTION), 0, 1)
    share = _over_windows(share, _RAMP_RADIUS, np.add) * np.float32(1 / (2 * _RAMP_RADIUS + 1) ** 2)
    completed: FloatArray = guide + _stretch(share, guide.shape) * (decided - guide)
    return completed


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
    """Return the alpha with a longer side of at most 224: each pixel is the mean of the area that it covers."""
    height, width = alpha.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize(size, Image.Resampling.BOX))


def _stretch(small: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Stretch `small` bilinearly to `shape` (h, w)."""
    whole = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(whole.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
