"""What is under a stroke of the brush, at any scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from watcher.matting.touchup.edits import Edit

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the photo."""

_MIN_DIAMETER = 1.0  # in pixels of the result: a stroke is never lost
_OVERSAMPLING = 2


def bounds(edit: Edit) -> Box:
    """Return the box of what the stroke covers, its soft rim included."""
    reach = edit.size * (0.5 + edit.softness) + 1
    columns, rows = [x for x, _ in edit.points], [y for _, y in edit.points]
    return min(columns) - reach, min(rows) - reach, max(columns) + reach, max(rows) + reach


def cover(edit: Edit, box: Box, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how far the stroke covers each pixel: (height, width), float32 in 0..1, for `size` (width, height).

    `box`: the part of the photo that the result shows.
    """
    across, down = (_OVERSAMPLING * size[0] / (box[2] - box[0]), _OVERSAMPLING * size[1] / (box[3] - box[1]))
    diameter = max(edit.size * across, edit.size * down, _MIN_DIAMETER * _OVERSAMPLING)
    mask = Image.new("L", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
    draw = ImageDraw.Draw(mask)
    points = [((x - box[0]) * across, (y - box[1]) * down) for x, y in edit.points]
    if len(points) > 1:
        draw.line(points, fill=255, width=max(1, round(diameter)), joint="curve")
    for x, y in (points[0], points[-1]):
        radius = diameter / 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    if edit.softness:
        mask = mask.filter(ImageFilter.GaussianBlur(edit.softness * diameter / 4))
    return np.asarray(mask.reduce(_OVERSAMPLING), np.float32) * np.float32(1 / 255)
