"""The hair brush: under it nothing is known, and alpha is solved anew from the colours around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

FloatArray = NDArray[np.float32]

MAX_PIXELS = 60_000
"""Of the picture that is solved: 0.6 s of one processor."""
_EPSILON = 1e-5  # variance of the colours (0..1) below which a window counts as flat
_KNOWN_WEIGHT = 100.0
_WINDOW = 9  # pixels of 3 x 3


def solve_unknown(rgb: NDArray[np.uint8], alpha: FloatArray, unknown: NDArray[np.bool_]) -> FloatArray:
    """Return alpha (h, w), float32 in 0..1, found anew where it is `unknown` (h, w). `rgb` (h, w, 3), uint8.

    This is closed-form matting (Levin, Lischinski and Weiss, TPAMI 2008): alpha is a linear function of the colours in
    each window of 3 x 3. All pixels that are not unknown keep their alpha.
    """
    if not unknown.any() or min(alpha.shape) < 3:
        return alpha
    weights = np.where(unknown, 0.0, _KNOWN_WEIGHT).ravel()
    system = (_matting_laplacian(rgb) + sparse.diags(weights)).tocsr()
    inverse = sparse.diags(1 / np.maximum(system.diagonal(), 1e-9))
    values, _ = cg(system, weights * alpha.ravel(), x0=alpha.ravel(), rtol=1e-5, maxiter=300, M=inverse)
    solved: FloatArray = np.clip(values, 0, 1).reshape(alpha.shape).astype(np.float32)
    return np.where(unknown, solved, alpha)


def _matting_laplacian(rgb: NDArray[np.uint8]) -> sparse.csr_matrix:
    """Return the matting Laplacian of the paper's equation 12: (n, n) for n pixels."""
    height, width = rgb.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (3, 3)).reshape(-1, _WINDOW)
    colours = rgb.reshape(-1, 3).astype(np.float64)[windows] / 255  # (windows, 9, 3)
    centred = colours - colours.mean(axis=1, keepdims=True)
    covariance = np.einsum("nki,nkj->nij", centred, centred) / _WINDOW + np.eye(3) * (_EPSILON / _WINDOW)
    affinity = (1 + np.einsum("nki,nij,nlj->nkl", centred, np.linalg.inv(covariance), centred, optimize=True)) / _WINDOW
    rows = np.repeat(windows, _WINDOW, axis=1).ravel()
    columns = np.tile(windows, (1, _WINDOW)).ravel()
    count = height * width
    likeness = sparse.coo_matrix((affinity.ravel(), (rows, columns)), shape=(count, count)).tocsr()
    return sparse.diags(np.asarray(likeness.sum(axis=1)).ravel()).tocsr() - likeness
