"""Smart strokes: what belongs to a stroke follows it, with outlines that follow the photo.

A stroke says: what is here is subject, or is not. The odds that another pixel goes with it are those of `reach`. A
random walk smooths them on a small grid; then the new outline is sought at full size, along the edges of the photo. A
stroke only ever adds to its own side, and no stroke undoes what another has painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from watcher.matting.touchup.graphs import Mask, Vector, connected, graph, laplacian, pairs, walk
from watcher.matting.touchup.reach import Grid, Situation

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stroke:
    """`keeps`: whether what is under it is subject. `mask`: these pixels, (h, w). `spreads`: whether others follow."""

    keeps: bool
    mask: Mask
    spreads: bool = True


SIDE = 480
"""The longer side of the solver's pictures, in pixels."""
_GRID_SIDE = 144
_OUTLINE_REACH = 5  # pixels of the solver's pictures in which the outline is sought anew: 1.5 of the grid's
_FLAT_ODDS = 0.95  # of a region of one colour with a clear outline
_SEED_PULL = 20.0  # of a stroke, where the odds are smoothed
_OWN_SIDE_PULL, _ODDS_PULL = 1.0, 0.5  # of what is on the stroke's side already, and of a pixel's own odds
_SEAM_REACH = 3  # pixels of the solver's pictures beside what was added
_OUTLINE_PULL = 0.03  # of the smoothed odds, where they are sure
_MIN_EDGE = 1e-4
_HARDENING = 6.0  # of the odds into alpha: outlines of two pixels
_KEPT_STATES = 256  # answers for undo: 0.7 MB each


class Solver:
    """One photo, and the answers to its strokes so far."""

    def __init__(self, rgb: NDArray[np.uint8], opinions: Sequence[FloatArray], alpha: FloatArray) -> None:
        """`rgb`: (h, w, 3), uint8, the longer side SIDE pixels. `opinions`, `alpha`: (h, w), float32 in 0..1.

        `alpha` is the automatic one.
        """
        self._alpha = np.ascontiguousarray(alpha, np.float32)
        height, width = alpha.shape
        scale = _GRID_SIDE / max(height, width)
        self._size = (max(8, round(width * scale)), max(8, round(height * scale)))
        self._shape = (self._size[1], self._size[0])
        lab = _lab(rgb)
        small_lab = np.stack([self._flat(lab[..., channel]) for channel in range(3)], axis=1)
        seen = np.stack([self._flat(each) for each in (opinions or [alpha])])
        self._grid = Grid(small_lab, seen, self._flat(alpha), self._shape)
        colours = lab.reshape(-1, 3)
        first, second, _ = pairs(height, width, diagonals=False)
        contrast = ((colours[first] - colours[second]) ** 2).sum(axis=1).astype(np.float64)
        weights = np.exp(-contrast / (contrast.mean() + 1e-3)) + _MIN_EDGE
        self._edges = laplacian(graph(first, second, weights, height * width))
        self._states: dict[tuple[int, ...], tuple[list[Stroke], FloatArray, Vector]] = {}

    def solve(self, strokes: Sequence[Stroke]) -> FloatArray:
        """Return the alpha (h, w), float32 in 0..1, after all strokes in their order; without any, the automatic one.

        The answers to earlier strokes are kept as long as these are the same objects.
        """
        if not strokes:
            return self._alpha
        first = len(strokes)
        while first and tuple(map(id, strokes[:first])) not in self._states:
            first -= 1
        alpha, seeds = self._alpha, np.zeros(self._size[0] * self._size[1])
        if first:
            _, alpha, seeds = self._states[tuple(map(id, strokes[:first]))]
        for count in range(first + 1, len(strokes) + 1):
            known = list(strokes[:count])  # keeps the objects alive, and their ids unique
            here = self._cover(known[-1])
            seeds = np.where(here, 1.0 if known[-1].keeps else -1.0, seeds)
            alpha = self._add_stroke(alpha, known, here, seeds)
            self._states[tuple(map(id, known))] = (known, alpha, seeds)
            if len(self._states) > _KEPT_STATES:
                del self._states[next(iter(self._states))]
        return alpha

    def _add_stroke(self, alpha: FloatArray, strokes: Sequence[Stroke], here: Mask, seeds: Vector) -> FloatArray:
        """Return the alpha after the last of the strokes; `alpha` (h, w) is the one after the others.

        `here` (n,): the last stroke on the grid. `seeds` (n,): all of them: 1 where one keeps, -1 where one erases,
        else 0.
        """
        if strokes[-1].spreads and here.any():
            alpha = self._spread(alpha, here, seeds, len(strokes), keeps=strokes[-1].keeps)
        new = alpha.copy()
        for painted in strokes:
            new[painted.mask] = painted.keeps
        return new

    def _spread(self, alpha: FloatArray, here: Mask, seeds: Vector, count: int, *, keeps: bool) -> FloatArray:
        """Return the alpha after what belongs to the last stroke has followed it. `count`: of all strokes."""
        small = self._flat(alpha)
        now, sign = (small, 1) if keeps else (1 - small, -1)
        same, other = seeds * sign > 0, seeds * sign < 0
        odds = self._grid.odds(Situation(now, same, other, here, count, keeps))
        odds[self._grid.flat_region(here) & (seeds == 0)] = _FLAT_ODDS
        odds = np.where(now >= 0.5, np.maximum(odds, now), odds)
        odds[same], odds[other] = 1, 0
        pull = np.where(seeds != 0, _SEED_PULL, np.where(now >= 0.5, _OWN_SIDE_PULL, _ODDS_PULL))
        odds = walk(self._grid.outlines, pull, odds, odds, 1e-4)
        is_reached = connected((odds > 0.5).reshape(self._shape), here, diagonals=True)
        odds = np.where(is_reached, odds, np.minimum(odds, 0.49))
        ours = alpha if keeps else 1 - alpha
        wide = self._find_outline(_resize(odds.reshape(self._shape).astype(np.float32), ours.shape), ours)
        is_added = (ours < 0.5) & (wide > 0.5)
        grown = np.where(is_added, np.clip(_HARDENING * (wide - 0.5) + 0.5, 0, 1), ours)
        # What was half-way on the old outline is inside now.
        window = (2 * _SEAM_REACH + 1, 2 * _SEAM_REACH + 1)
        is_seam = (ndimage.maximum_filter(is_added.astype(np.uint8), window) > 0) & (ours >= 0.5)
        grown = np.where(is_seam, ndimage.grey_closing(grown, window), grown)
        return (grown if keeps else 1 - grown).astype(np.float32)

    def _find_outline(self, wide: FloatArray, ours: FloatArray) -> FloatArray:
        """Return the odds `wide` (h, w), with their outline moved to the edges of the photo.

        `ours` (h, w): the alpha of the stroke's side so far. It is a random walk in a band along the new outline.
        """
        inside = (wide > 0.5) & (ours < 0.5)
        window = (2 * _OUTLINE_REACH + 1, 2 * _OUTLINE_REACH + 1)
        near = ndimage.maximum_filter(inside.astype(np.uint8), window) > 0
        deep = ndimage.minimum_filter((inside | (ours >= 0.5)).astype(np.uint8), window) > 0
        band = (near & ~deep).ravel()
        numbers = np.flatnonzero(band)
        if not len(numbers):
            return wide
        known = np.maximum(wide, ours).ravel() > 0.5
        start = wide.ravel()[numbers].astype(np.float64)
        pull = 2 * _OUTLINE_PULL * np.abs(start - 0.5) + 1e-3
        rows = self._edges[numbers]
        system = (rows[:, numbers] + sparse.diags(pull)).tocsr()
        target = pull * known[numbers] - rows @ (known & ~band).astype(np.float64)
        values, _ = cg(system, target, x0=start, rtol=1e-3, maxiter=80, M=sparse.diags(1 / system.diagonal()))
        result = wide.copy()
        result.ravel()[numbers] = values
        return result

    def _cover(self, stroke: Stroke) -> Mask:
        """Return which pixels of the grid a stroke covers, (n,)."""
        cover = self._flat(stroke.mask)
        is_covered: Mask = cover > min(0.3, 0.7 * float(cover.max()))
        return is_covered

    def _flat(self, values: NDArray[np.generic]) -> Vector:
        """Return values (h, w) on the small grid: (n,)."""
        return _resize(values.astype(np.float32), self._shape).ravel().astype(np.float64)


def _resize(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Resize values (h, w), float32, to (height, width): the mean where that is smaller, else bicubically."""
    method = Image.Resampling.BOX if shape[1] < values.shape[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(values)).resize((shape[1], shape[0]), method))


def _lab(rgb: NDArray[np.uint8]) -> FloatArray:
    """Return the colours (h, w, 3), uint8 in sRGB, as CIE L*a*b* with the white point D65: (h, w, 3), float32."""
    encoded = rgb.astype(np.float32) / np.float32(255)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)  # CIE 15
    lab: FloatArray = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    ).astype(np.float32)
    return lab
