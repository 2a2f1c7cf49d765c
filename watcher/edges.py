"""The network's small alpha -> alpha at the size of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BAND = 512  # rows of the result at a time: float32 at full size would take 400 MB for a 100-megapixel picture


def full_size(alpha: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """Alpha (h, w) float32 in 0..1, stretched bilinearly to (height, width) uint8 in 0..255."""
    small = Image.fromarray(alpha)
    result = np.empty((height, width), np.uint8)
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        box = (0.0, top * small.height / height, float(small.width), (top + rows) * small.height / height)
        band = np.asarray(small.resize((width, rows), Image.Resampling.BILINEAR, box=box))
        result[top : top + rows] = np.clip(band * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    return result
