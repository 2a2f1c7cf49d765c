"""Pictures that are partly transparent already: what is seen of them, and whether they are cut out already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from watcher.picture.compose import CLEARLY_VISIBLE_ALPHA

_MAX_VISIBLE_OF_CUT_OUT = 0.5
"""A picture of which less is visible is a cut-out: a logo, a sticker, line art.

A photo that is still to be cut out shows more, whatever it was fitted into: a circle keeps 79 % of its square, a photo
of 16:9 56 % of a square, one turned by 45 degrees half of its box.
"""
_GROUNDS = (255, 128, 0)  # white, grey, black: what may lie behind the visible picture
_LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601): how much a difference is seen
_NEAREST_SHARE = 10  # percent of the outline that may be nearer to the ground than the contrast that counts
_EXAMINED_SIDE = 1024  # pixels: the outline of a larger picture is looked at in every second, third, ... pixel


def visible_fraction(alpha: NDArray[np.uint8] | Image.Image) -> float:
    """Return the share of the picture, 0..1, that is clearly visible; `alpha`: (H, W), 0..255, or mode L."""
    if isinstance(alpha, Image.Image):
        return sum(alpha.histogram()[CLEARLY_VISIBLE_ALPHA:]) / (alpha.width * alpha.height)
    return float(np.count_nonzero(alpha >= CLEARLY_VISIBLE_ALPHA) / alpha.size)


def is_cut_out(alpha: Image.Image) -> bool:
    """Return whether most of a picture with this alpha (mode L) is transparent, so that it is a cut-out already."""
    return visible_fraction(alpha) < _MAX_VISIBLE_OF_CUT_OUT


def visible_picture(rgb: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return what is seen of the picture on the ground that contrasts with its outline most: mode RGB.

    `rgb`: its colours; those hidden where `alpha` (mode L, of the same size) is 0 have no influence.
    """
    ground = _contrasting_ground(rgb, alpha)
    return Image.composite(rgb, Image.new("RGB", rgb.size, (ground, ground, ground)), alpha)


def _contrasting_ground(rgb: Image.Image, alpha: Image.Image) -> int:
    """The grey value of the ground from which the outline's colours differ most.

    What counts is its least different tenth, not the mean: white and black parts at once are seen on grey only.
    """
    step = max(1, max(rgb.size) // _EXAMINED_SIDE)
    size = (max(1, rgb.width // step), max(1, rgb.height // step))
    small_alpha = alpha.resize(size, Image.Resampling.NEAREST)  # mixes no hidden colour into a visible one
    visible = small_alpha.point([0] * CLEARLY_VISIBLE_ALPHA + [255] * (256 - CLEARLY_VISIBLE_ALPHA))
    shown = np.asarray(visible) > 0
    # a margin of nothing around it, because a subject that was cropped tightly has outlines at the border, too
    inner = ImageOps.expand(visible, 1).filter(ImageFilter.MinFilter(3)).crop((1, 1, size[0] + 1, size[1] + 1))
    outline = shown & (np.asarray(inner) == 0)
    colours = np.asarray(rgb.resize(size, Image.Resampling.NEAREST))[outline].astype(np.float32)
    if not len(colours):
        return _GROUNDS[0]

    def contrast(ground: int) -> float:
        differences = (colours - np.float32(ground)) ** 2 @ np.array(_LUMA_WEIGHTS, np.float32)
        rank = len(differences) * _NEAREST_SHARE // 100
        return float(np.partition(differences, rank)[rank])  # np.percentile imports a module, which the jail refuses

    return max(_GROUNDS, key=contrast)
