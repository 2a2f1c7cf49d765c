"""Graphs of the pixels of a grid, and random walks on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

_MAX_ITERATIONS = 150


def pairs(height: int, width: int, *, diagonals: bool) -> tuple[Indices, Indices, Vector]:
    """Return the pairs of neighbours on a grid as numbers of pixels, and their distance in pixels."""
    numbers = np.arange(height * width).reshape(height, width)
    some = [(numbers[:, :-1], numbers[:, 1:], 1.0), (numbers[:-1], numbers[1:], 1.0)]
    if diagonals:
        some += [(numbers[:-1, :-1], numbers[1:, 1:], 2**0.5), (numbers[:-1, 1:], numbers[1:, :-1], 2**0.5)]
    first = np.concatenate([pair[0].ravel() for pair in some])
    second = np.concatenate([pair[1].ravel() for pair in some])
    return first, second, np.concatenate([np.full(pair[0].size, pair[2]) for pair in some])


def graph(first: Indices, second: Indices, weight: Vector, count: int) -> sparse.csr_matrix:
    """Return the symmetric matrix of the weights of these edges, (count, count)."""
    ends = (np.concatenate([first, second]), np.concatenate([second, first]))
    return sparse.coo_matrix((np.concatenate([weight, weight]), ends), shape=(count, count)).tocsr()


def laplacian(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return degrees minus weights."""
    return (sparse.diags(np.asarray(weights.sum(axis=1)).ravel()) - weights).tocsr()


def walk(system: sparse.csr_matrix, pull: Vector, target: Vector, start: Vector, tolerance: float) -> Vector:
    """Return the random walker with a prior (Grady, CVPR 2005): x of least x' L x + sum of pull (x - target)^2.

    `system`: L, (n, n); the others (n,). The result is in 0..1. `tolerance` is relative to pull times target, in which
    strokes weigh most: it has to be small.
    """
    whole = (system + sparse.diags(pull)).tocsr()
    inverse = sparse.diags(1 / whole.diagonal())
    values, _ = cg(whole, pull * target, x0=start, rtol=tolerance, maxiter=_MAX_ITERATIONS, M=inverse)
    result: Vector = np.clip(values, 0, 1)
    return result


def connected(mask: Mask, seeds: Mask, *, diagonals: bool = False) -> Mask:
    """Return which pixels (n,) of `mask` (h, w) are in a connected part that has a pixel of `seeds` (n,).

    Pixels are connected by their sides; with `diagonals`, also by their corners.
    """
    labels = ndimage.label(mask, np.ones((3, 3)) if diagonals else None)[0].ravel()
    touched = np.unique(labels[seeds])
    result: Mask = np.isin(labels, touched[touched > 0])
    return result
