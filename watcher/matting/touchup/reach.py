"""How far a smart stroke reaches: the odds of each pixel that it goes with the stroke, from plain cues."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import KDTree

from watcher.matting.touchup.graphs import Mask, Vector, connected, graph, laplacian, pairs, walk

SEED_WEIGHT = 100.0
"""Of a stroke's pixels in a random walk, against an edge of 1."""
_NEIGHBOURS = 10  # in colours, opinions and place, for each pixel
_LIKENESS_WEIGHT = 0.3  # of an edge to such a pixel, against one to a neighbour on the grid
_OPINION_WEIGHT, _PLACE_WEIGHT = 2.0, 1.5  # against colours in standard deviations
_BINS = (16, 20, 20)  # of the histogram in L*a*b*
_SHORT_WALK, _LONG_WALK, _FREE_WALK = 0.03, 0.004, 0.01  # weights of the automatic alpha in random walks
_FLAT_DIFFERENCE = 6.0  # in L*a*b*, from the stroke's nearest colour
_MIN_FLAT_CONTRAST, _UNCLEAR_SHARE = 12.0, 0.1  # across the outline of a flat region, but for a tenth of it
_MAX_FLAT_AREA = 0.5  # of the photo
_MAX_SAMPLE = 500  # of a stroke's pixels, that others are compared with
MAX_DEVIATION = 4.0
"""Of a cue from its mean, in standard deviations: more counts as this."""

Cues = dict[str, Vector | float]
"""By name, what is known of n pixels: (n,), or one number for all."""


@dataclass(frozen=True)
class Regression:
    """A logistic regression. `weights`: cue -> its mean, its standard deviation, and its weight."""

    bias: float
    weights: Mapping[str, tuple[float, float, float]]

    def probability(self, cues: Cues, count: int) -> Vector:
        """Return the probabilities (count,), 0..1, of what the cues tell of `count` pixels."""
        total = np.full(count, self.bias)
        for name, (mean, deviation, weight) in self.weights.items():
            total += weight * np.clip((cues[name] - mean) / deviation, -MAX_DEVIATION, MAX_DEVIATION)
        result: Vector = 1 / (1 + np.exp(-total))
        return result


# Fitted to strokes of a simulated person, and checked with each set of photos left out: assets/models/fit_strokes.py.
FIRST = Regression(-6.400, {
    "alpha": (-4.36, 0.838, 0.318),
    "automatic alpha": (-4.22, 1.39, -0.267),
    "opinions, mean": (-3.37, 1.8, 0.994),
    "opinions, most": (-1.48, 4.18, 0.308),
    "opinions, least": (-4.41, 0.866, -0.160),
    "opinions, by their trust in the stroke": (-0.658, 1.36, 0.166),
    "opinion that trusts the stroke most": (0.0706, 2.28, -0.399),
    "opinions unlike those at the stroke, mean": (0.263, 0.219, 0.056),
    "opinions unlike those at the stroke, most": (0.508, 0.349, -0.330),
    "far along colours": (-1.14, 0.622, -0.569),
    "nearer than the other side along colours": (0.988, 1.34, 0.612),
    "far along opinions": (-0.595, 0.96, -0.111),
    "nearer than the other side along opinions": (0.985, 1.29, 0.128),
    "far along edges": (-2.23, 0.567, 0.336),
    "nearer than the other side along edges": (1.51, 1.78, -0.259),
    "away": (-1.13, 0.629, 0.030),
    "colour unlike the stroke's nearest": (2.9, 0.813, -0.093),
    "colour unlike the stroke's mean": (3.26, 0.692, 0.274),
    "unlike the stroke's nearest": (2.76, 0.712, 0.089),
    "colour of the stroke against the other side": (-2.63, 2.44, 0.377),
    "colour of its side against the other side": (-2.06, 1.78, 0.486),
    "colour of the stroke against its side": (-0.929, 2.68, 0.085),
    "the stroke's colour is its side's": (-0.196, 1.55, -0.148),
    "short walk": (-4.45, 1.8, 0.511),
    "long walk": (-3.34, 2.07, 0.371),
    "walk from the stroke": (-5.63, 1.8, -0.083),
    "in the part": (0.927, 0.262, -0.287),
    "area of the part": (-1.08, 1.25, 0.673),
    "part against subject": (0.69, 1.49, -0.609),
    "keeps": (0.565, 0.496, 0.310),
    "automatic alpha at the stroke": (-1.74, 2.68, -0.211),
    "best opinion at the stroke": (1.53, 3.01, 0.058),
    "depth": (-2.49, 0.926, -0.963),
    "depth at the stroke": (-3.31, 0.609, 0.777),
    "strokes": (0.871, 0.614, 0.045),
})  # fmt: skip
# The second look, at the odds of the first one and their surroundings (auto-context; Tu, CVPR 2008).
SECOND = Regression(-4.483, {  # the bias is 0.4 less than fitted: in doubt, a stroke reaches less far
    "odds": (-3.51, 2.17, 0.752),
    "odds nearby": (-2.67, 2.01, 0.729),
    "odds around": (-2, 2.04, 0.534),
    "walk from the odds": (-3.2, 2.18, 0.843),
    "colour that the odds favour": (-0.495, 1.57, 0.124),
    "area that the odds favour": (-3.2, 0.954, 0.104),
})  # fmt: skip


@dataclass(frozen=True)
class Situation:
    """What a stroke meets, on the grid of n pixels, in the sense of the stroke: 1 is its side, 0 the other.

    `alpha` (n,): the alpha so far. `same`, `other` (n,): pixels of all strokes of its side, and of the other side.
    `here` (n,): its own pixels. `count`: how many strokes there are with it. `keeps`: its side is the subject.
    """

    alpha: Vector
    same: Mask
    other: Mask
    here: Mask
    count: int
    keeps: bool


class Grid:
    """A photo on a small grid of (height, width) = n pixels: colours, opinions, and the graphs between its pixels."""

    def __init__(self, lab: Vector, opinions: Vector, prior: Vector, shape: tuple[int, int]) -> None:
        """`lab` (n, 3): L*a*b*. `opinions` (k, n), `prior` (n,): alphas of the networks and the automatic one, 0..1."""
        self.shape = shape
        self._lab, self._opinions, self._prior = lab, opinions, prior
        height, width = shape
        count, longest = height * width, max(shape)
        self._place = np.stack(list(np.mgrid[:height, :width]), -1).reshape(count, 2) / longest
        spread = float(lab.std(axis=0).mean()) + 1e-3
        self._likeness = np.concatenate(
            [lab / spread, opinions.T * _OPINION_WEIGHT, self._place * _PLACE_WEIGHT], axis=1
        )
        self._walks = self._likeness_graph()
        first, second, step = pairs(height, width, diagonals=True)
        step = step / longest
        colour = np.sqrt(((lab[first] - lab[second]) ** 2).sum(axis=1))
        colour /= colour.mean() + 1e-3
        opinion = np.abs(opinions[:, first] - opinions[:, second]).max(axis=0)
        lengths = {
            "colours": 0.01 * colour + 0.3 * step,
            "opinions": opinion + 0.3 * step,
            "edges": 0.003 * np.minimum(colour, 6) ** 3 + 0.1 * step,
        }
        self._distances = {name: graph(first, second, length, count) for name, length in lengths.items()}
        smoothness = np.exp(-(np.minimum(colour, 8) ** 2) / 4 - 4 * opinion) + 0.02
        self.outlines = laplacian(graph(first, second, smoothness, count))
        """The Laplacian of the graph on which the odds are smoothed: (n, n)."""
        bins = np.clip((lab - [0, -60, -60]) / [100, 120, 120], 0, 0.9999) * _BINS
        self._bins = np.ravel_multi_index(tuple(bins.astype(np.intp).T), _BINS)

    def flat_region(self, here: Mask) -> Mask:
        """Return the region (n,) of one colour that the pixels `here` (n,) are in, if its outline is clear: else none.

        There is no doubt about such a region, which is rare in photos, but usual in drawings and pictures of products.
        """
        is_alike = _sample_tree(self._lab[here]).query(self._lab)[0] <= _FLAT_DIFFERENCE
        region = connected(is_alike.reshape(self.shape), here)
        first, second, _ = pairs(*self.shape, diagonals=False)
        outline = region[first] != region[second]
        if not outline.any() or region.mean() > _MAX_FLAT_AREA:
            return np.zeros_like(region)
        contrast = np.sqrt(((self._lab[first[outline]] - self._lab[second[outline]]) ** 2).sum(axis=1))
        is_clear = np.quantile(contrast, _UNCLEAR_SHARE) > _MIN_FLAT_CONTRAST
        return region if is_clear else np.zeros_like(region)

    def odds(self, situation: Situation) -> Vector:
        """Return the probability (n,), 0..1, that a pixel goes with the stroke: two logistic regressions on cues."""
        first = FIRST.probability(self.cues(situation), len(situation.alpha))
        return SECOND.probability(self.second_cues(situation, first), len(first))

    def cues(self, situation: Situation) -> Cues:
        """Return what tells pixels that go with the stroke from others, by the names in FIRST: (n,), or a number."""
        here, now = situation.here, situation.alpha
        prior, opinions = (values if situation.keeps else 1 - values for values in (self._prior, self._opinions))
        odds, trust = log_odds(opinions), opinions[:, here].mean(axis=1)
        best = int(trust.argmax())
        unlike = np.abs(opinions - trust[:, None])
        away = np.sqrt(((self._place - self._place[here].mean(axis=0)) ** 2).sum(axis=1)) + 0.02
        cues: Cues = {
            "alpha": log_odds(now),
            "automatic alpha": log_odds(prior),
            "opinions, mean": odds.mean(axis=0),
            "opinions, most": odds.max(axis=0),
            "opinions, least": odds.min(axis=0),
            "opinions, by their trust in the stroke": (odds * trust[:, None]).mean(axis=0),
            "opinion that trusts the stroke most": odds[best] * max(0.0, float(trust[best]) - 0.3),
            "opinions unlike those at the stroke, mean": unlike.mean(axis=0),
            "opinions unlike those at the stroke, most": unlike.max(axis=0),
            "away": np.log(away),
            "automatic alpha at the stroke": float(log_odds(prior[here].mean())),
            "best opinion at the stroke": float(log_odds(trust).max()),
            "keeps": float(situation.keeps),
            "strokes": math.log(situation.count),
        }
        return {
            **cues,
            **self._path_cues(situation),
            **self._colour_cues(situation, away),
            **self._walk_cues(situation, prior),
            **self._part_cues(situation),
        }

    def _path_cues(self, situation: Situation) -> Cues:
        """How far the stroke is along paths, and how much farther the strokes of the other side are."""
        cues: Cues = {}
        for name, distances in self._distances.items():
            far = csgraph.dijkstra(distances, indices=np.flatnonzero(situation.here), min_only=True)
            against: Vector | float = 3.0
            if situation.other.any():
                against = csgraph.dijkstra(distances, indices=np.flatnonzero(situation.other), min_only=True)
            cues[f"far along {name}"] = np.log(far + 0.02)
            cues[f"nearer than the other side along {name}"] = np.clip(np.log((against + 0.02) / (far + 0.02)), -3, 5)
        return cues

    def _colour_cues(self, situation: Situation, away: Vector) -> Cues:
        """How like the stroke's colours, and those of both sides, a pixel's colour is."""
        here, now = situation.here, situation.alpha
        nearest = _sample_tree(self._lab[here]).query(self._lab, eps=0.1)[0]
        most_like = _sample_tree(self._likeness[here]).query(self._likeness, eps=0.1)[0]
        ours = self._density(now * ~here)
        stroke = self._density(here.astype(np.float64))
        theirs = self._density((1 - now) * (1 - np.exp(-((away / 0.15) ** 2))))
        side = _ratio(ours, theirs)
        return {
            "colour unlike the stroke's nearest": np.log(nearest + 2),
            "colour unlike the stroke's mean": np.log(
                np.sqrt(((self._lab - self._lab[here].mean(axis=0)) ** 2).sum(axis=1)) + 2
            ),
            "unlike the stroke's nearest": np.log(most_like / self._typical + 0.5),
            "colour of the stroke against the other side": _ratio(stroke, theirs),
            "colour of its side against the other side": side,
            "colour of the stroke against its side": _ratio(stroke, ours),
            "the stroke's colour is its side's": float(side[here].mean()),
        }

    def _walk_cues(self, situation: Situation, prior: Vector) -> Cues:
        """Where random walks from strokes and from the automatic alpha lead."""
        is_held = situation.same | situation.other
        target = np.where(situation.same, 1.0, np.where(situation.other, 0.0, prior))
        cues: Cues = {}
        for name, weight in (("short", _SHORT_WALK), ("long", _LONG_WALK)):
            pull = np.where(is_held, SEED_WEIGHT, weight)
            cues[f"{name} walk"] = log_odds(walk(self._walks, pull, target, situation.alpha, 1e-5), 0.003)
        source = situation.here.astype(np.float64)
        reached = walk(self._walks, np.where(is_held, SEED_WEIGHT, _FREE_WALK), source, source, 1e-5)
        cues["walk from the stroke"] = np.log(reached + 1e-3)
        return cues

    def _part_cues(self, situation: Situation) -> Cues:
        """The connected part of the other side that the stroke is on."""
        wrong = ((situation.alpha < 0.5) | situation.here).reshape(self.shape)
        part = connected(wrong, situation.here)
        depth = ndimage.distance_transform_edt(wrong).ravel() / max(self.shape)
        ours = np.count_nonzero(situation.alpha >= 0.5) if situation.keeps else np.count_nonzero(situation.alpha <= 0.5)
        return {
            "in the part": part.astype(np.float64),
            "area of the part": float(np.log(part.mean() + 0.002)),
            "part against subject": float(np.log(part.sum() / (ours + 1) + 0.01)),
            "depth": np.log(depth + 0.01),
            "depth at the stroke": float(np.log(depth[situation.here].max() + 0.01)),
        }

    def second_cues(self, situation: Situation, odds: Vector) -> Cues:
        """Return, by the names in SECOND, what the odds (n,) of the first look say about a pixel's surroundings."""
        is_wrong = situation.alpha < 0.5
        ours = np.where(is_wrong, odds, situation.alpha)
        plane = ours.reshape(self.shape)
        pull = np.where(situation.same | situation.other, 1.0, 0.05)
        favoured = self._density(odds * is_wrong + situation.here)
        return {
            "odds": log_odds(odds, 0.005),
            "odds nearby": log_odds(ndimage.gaussian_filter(plane, 2, mode="mirror").ravel()),
            "odds around": log_odds(ndimage.gaussian_filter(plane, 6, mode="mirror").ravel()),
            "walk from the odds": log_odds(walk(self._walks, pull, ours, ours, 1e-3), 0.005),
            "colour that the odds favour": _ratio(favoured, self._density((1 - odds) * is_wrong)),
            "area that the odds favour": float(np.log((odds * is_wrong).sum() / (ours.sum() + 1) + 0.005)),
        }

    def _likeness_graph(self) -> sparse.csr_matrix:
        """Return the Laplacian of the graph with edges to neighbours, and to the pixels that resemble a pixel most."""
        count = len(self._likeness)
        neighbours = min(_NEIGHBOURS, count - 1)
        near, which = KDTree(self._likeness).query(self._likeness, neighbours + 1, eps=0.3)
        self._typical = float(np.median(near[:, 1:])) + 1e-6
        alike = _LIKENESS_WEIGHT * np.exp(-((near[:, 1:] / self._typical) ** 2) / 2)
        first, second, _ = pairs(*self.shape, diagonals=False)
        apart = ((self._likeness[first] - self._likeness[second]) ** 2).sum(axis=1) / self._typical**2
        starts = np.concatenate([np.repeat(np.arange(count), neighbours), first])
        ends = np.concatenate([which[:, 1:].ravel(), second])
        return laplacian(graph(starts, ends, np.concatenate([alike.ravel(), np.exp(-apart / 8) + 1e-4]), count))

    def _density(self, weight: Vector) -> Vector:
        """Return how common each pixel's colour is among the weighted pixels, (n,), by a smoothed histogram."""
        table: Any = np.pad(np.bincount(self._bins, weight, int(np.prod(_BINS))).reshape(_BINS), 1)
        for axis in (0, 1, 2):
            for _ in range(2):  # twice 1 2 1: as good as a Gaussian of deviation 1
                table = (np.roll(table, 1, axis) + 2 * table + np.roll(table, -1, axis)) / 4
        table = table[1:-1, 1:-1, 1:-1]
        density: Vector = (table.ravel()[self._bins] + 1e-6) / (table.sum() + 1e-6)
        return density


def _sample_tree(points: Vector) -> KDTree:
    """Return a tree of points (k, d) that differ, or of a sample of them: many equal ones would make queries slow."""
    different = np.unique(np.round(points, 1 if points.shape[1] == 3 else 3), axis=0)
    return KDTree(different[:: -(-len(different) // _MAX_SAMPLE)])


def log_odds(probability: Vector, margin: float = 0.01) -> Vector:
    """Return log(p / (1 - p)) of probabilities, clipped to `margin` and 1 - `margin` first."""
    clipped = np.clip(probability, margin, 1 - margin)
    odds: Vector = np.log(clipped / (1 - clipped))
    return odds


def _ratio(first: Vector, second: Vector) -> Vector:
    """Return the logarithm of the ratio of two densities, in -5..5."""
    ratio: Vector = np.clip(np.log((first + 1e-5) / (second + 1e-5)), -5, 5)
    return ratio
