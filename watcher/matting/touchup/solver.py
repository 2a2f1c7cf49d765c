"""Smart strokes: what belongs to a stroke by colour, outline and the networks' opinions follows it.

A random walker with a prior (Grady, "Multilabel random walker image segmentation using prior models", CVPR 2005). Each
pixel is joined to its neighbours and to the pixels that resemble it most in colour, place and opinions, wherever they
are (as in KNN matting; Chen, Li and Tang, TPAMI 2013). Strokes hold their pixels, the automatic alpha pulls weakly at
all others, and the alpha of least tension between them is the answer. It is found on a small grid, and then along
outlines at the size of the solver's pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import cg
from scipy.spatial import KDTree

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Stroke = tuple[bool, BoolArray]
"""Whether what is under the stroke is subject, and the pixels under it: (h, w)."""

SIDE = 480
"""The longest side of the solver's pictures, in pixels."""
_GRID_SIDE = 160  # of the small grid
_OPINION_WEIGHT, _PLACE_WEIGHT = 2.0, 1.5  # of features, against the colours in their standard deviations
_NEIGHBOURS = 10
_LIKENESS_WEIGHT = 0.3  # of an edge to a pixel that resembles this one, against one to its neighbour
_NEIGHBOUR_SPREAD = 2.0  # neighbours may differ by this many times the median distance of pixels that resemble
_PRIOR_WEIGHT = 0.03  # of the automatic alpha
_FINE_PRIOR_WEIGHT = 0.05  # of the small grid's answer, where that is sure
_FINE_OPINION_WEIGHT = 20.0
_SEED_WEIGHT = 100.0
_SHARPENING = 3.0  # of the small grid's answer, whose outlines are wide
_MIN_CHANGE = 0.35  # by less, the automatic alpha stays
_MIN_EDGE = 1e-4
_KEPT_ANSWERS = 64
_MIN_COVER = 0.1  # of a pixel of the small grid by a stroke


class Solver:
    """The graphs of one photo, and the answers to its strokes so far."""

    def __init__(self, rgb: NDArray[np.uint8], opinions: Sequence[FloatArray], alpha: FloatArray) -> None:
        """`rgb`: (h, w, 3), uint8, the longer side SIDE pixels. `opinions`, `alpha`: (h, w), float32 in 0..1.

        `alpha` is the automatic one.
        """
        self._alpha = alpha
        height, width = alpha.shape
        scale = min(1.0, _GRID_SIDE / max(height, width))
        self._size = (max(4, round(width * scale)), max(4, round(height * scale)))
        self._prior = _resize(alpha, self._size)
        self._coarse = _coarse_graph(rgb, opinions, self._size)
        self._fine = _fine_graph(rgb, opinions)
        self._answers: dict[tuple[int, ...], tuple[list[Stroke], FloatArray, FloatArray]] = {}

    def solve(self, strokes: Sequence[Stroke]) -> FloatArray:
        """Return the alpha (h, w), float32 in 0..1, after all strokes in their order; without any, the automatic one.

        The last answers are kept for undo and redo, as long as the strokes are the same objects.
        """
        if not strokes:
            return self._alpha
        key = tuple(map(id, strokes))
        if key not in self._answers:
            _, *start = self._answers.get(key[:-1], ((), self._prior, self._alpha))
            answer = self._answer(strokes, *start)
            self._answers[key] = (list(strokes), *answer)  # the list keeps the objects alive, and their ids unique
            if len(self._answers) > _KEPT_ANSWERS:
                del self._answers[next(iter(self._answers))]
        return self._answers[key][2]

    def _answer(
        self, strokes: Sequence[Stroke], coarse_start: FloatArray, fine_start: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the answer of the small grid, and the whole answer. The search starts at those of fewer strokes."""
        seeds = np.zeros(self._alpha.shape, np.int8)
        for is_subject, mask in strokes:
            seeds[mask] = 1 if is_subject else -1
        kept, erased = (_resize((seeds == sign).astype(np.float32), self._size) for sign in (1, -1))
        held = np.maximum(kept, erased) > _MIN_COVER
        target = np.where(held, (kept > erased).astype(np.float32), self._prior)
        coarse = _walk(self._coarse, target, np.where(held, _SEED_WEIGHT, _PRIOR_WEIGHT), coarse_start)
        height, width = self._alpha.shape
        answer, before = (_resize(values, (width, height)) for values in (coarse, self._prior))
        sharp = np.clip((answer - 0.5) * _SHARPENING + 0.5, 0, 1)
        is_same = ((answer >= 0.5) == (before >= 0.5)) & (np.abs(answer - before) < _MIN_CHANGE)
        held_to = (seeds > 0).astype(np.float32)
        target = np.where(seeds != 0, held_to, np.where(is_same, self._alpha, sharp))
        weight = np.where(seeds != 0, _SEED_WEIGHT, _FINE_PRIOR_WEIGHT * (2 * np.abs(answer - 0.5)) ** 2)
        return coarse, _walk(self._fine, target, weight, fine_start)


def _coarse_graph(rgb: NDArray[np.uint8], opinions: Sequence[FloatArray], size: tuple[int, int]) -> sparse.csr_matrix:
    """Return the Laplacian of the small grid of this size (width, height), with edges to pixels that resemble."""
    width, height = size
    colours = _lab(np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX)))
    rows, columns = np.mgrid[:height, :width] / max(size)
    features = np.concatenate(
        [
            colours / max(float(colours.std(axis=0).mean()), 1e-3),
            *(_resize(opinion, size).reshape(-1, 1) * _OPINION_WEIGHT for opinion in opinions),
            np.stack([rows, columns], -1).reshape(-1, 2) * _PLACE_WEIGHT,
        ],
        axis=1,
    )
    count = min(_NEIGHBOURS + 1, len(features))
    distances, nearest = KDTree(features).query(features, count)
    distances, nearest = distances[:, 1:], nearest[:, 1:]
    spread = float(np.median(distances)) + 1e-6
    first = [np.repeat(np.arange(len(features)), count - 1)]
    second = [nearest.ravel()]
    weights = [(_LIKENESS_WEIGHT * np.exp(-((distances / spread) ** 2) / 2)).ravel()]
    for a, b in _neighbours(height, width):
        difference = ((features[a] - features[b]) ** 2).sum(axis=1) / (spread * _NEIGHBOUR_SPREAD) ** 2
        first.append(a)
        second.append(b)
        weights.append(np.exp(-difference / 2) + _MIN_EDGE)
    return _laplacian(np.concatenate(first), np.concatenate(second), np.concatenate(weights), len(features))


def _fine_graph(rgb: NDArray[np.uint8], opinions: Sequence[FloatArray]) -> sparse.csr_matrix:
    """Return the Laplacian of the whole grid: neighbours are joined unless a colour or an opinion changes."""
    height, width = rgb.shape[:2]
    colours = _lab(rgb)
    seen = np.stack([opinion.ravel() for opinion in opinions]) if opinions else np.zeros((1, height * width))
    pairs = list(_neighbours(height, width))
    contrasts = [((colours[a] - colours[b]) ** 2).sum(axis=1) for a, b in pairs]
    mean = float(np.mean([contrast.mean() for contrast in contrasts])) + 1e-6
    weights = [
        np.exp(-contrast / mean - _FINE_OPINION_WEIGHT * ((seen[:, a] - seen[:, b]) ** 2).max(axis=0)) + _MIN_EDGE
        for contrast, (a, b) in zip(contrasts, pairs, strict=True)
    ]
    first, second = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    return _laplacian(first, second, np.concatenate(weights), height * width)


def _neighbours(height: int, width: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the pairs of pixels that are beside each other, and those below each other."""
    numbers = np.arange(height * width).reshape(height, width)
    yield numbers[:, :-1].ravel(), numbers[:, 1:].ravel()
    yield numbers[:-1].ravel(), numbers[1:].ravel()


def _laplacian(
    first: NDArray[np.intp], second: NDArray[np.intp], weights: NDArray[np.floating], count: int
) -> sparse.csr_matrix:
    """Return D - W, (count, count), of the graph with these edges."""
    both = (np.concatenate([first, second]), np.concatenate([second, first]))
    edges = sparse.coo_matrix((np.concatenate([weights, weights]), both), shape=(count, count)).tocsr()
    return sparse.diags(np.asarray(edges.sum(axis=1)).ravel()).tocsr() - edges


def _walk(
    laplacian: sparse.csr_matrix, target: NDArray[np.floating], weight: NDArray[np.floating], start: FloatArray
) -> FloatArray:
    """Return x of least x' L x + sum of weight (x - target)^2: (h, w), float32 in 0..1. All arrays have this shape."""
    weights = weight.ravel().astype(np.float64)
    system = laplacian + sparse.diags(weights)
    inverse = sparse.diags(1 / system.diagonal())
    values, _ = cg(system, weights * target.ravel(), x0=start.ravel(), rtol=1e-3, maxiter=300, M=inverse)
    result: FloatArray = np.clip(values, 0, 1).reshape(start.shape).astype(np.float32)
    return result


def _resize(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize values (h, w), float32, to size (width, height): the mean where that is smaller, else bilinearly."""
    method = Image.Resampling.BOX if size[0] < values.shape[1] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.ascontiguousarray(values, np.float32)).resize(size, method))


def _lab(rgb: NDArray[np.uint8]) -> FloatArray:
    """Return the colours (h, w, 3), uint8 in sRGB, as CIE L*a*b* with the white point D65: (h * w, 3), float32."""
    encoded = rgb.reshape(-1, 3).astype(np.float32) / np.float32(255)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)  # CIE 15
    lab: FloatArray = np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    ).astype(np.float32)
    return lab
