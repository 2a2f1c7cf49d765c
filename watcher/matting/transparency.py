"""Pictures that are partly transparent already: what is seen of them, and whether they are cut out already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from watcher.picture.compose import CLEARLY_VISIBLE_ALPHA

_SURELY_CUT_OUT = 0.5
"""A picture of which less is visible is a cut-out: a logo, a sticker, line art.

A photo that is still to be cut out shows more, whatever it was fitted into: a circle keeps 79 % of its square, a photo
of 16:9 56 % of a square, one turned by 45 degrees half of its box.
"""
_MAX_VISIBLE_BORDER = 0.5
"""A cut-out shows less of the canvas's border. A photo of which a part was erased still fills two sides and more."""
_MIN_LIKENESS_OF_FRAME = 0.95
"""A frame (circle, rounded corners, a turned rectangle) is this much the same when turned upside down.

Of 217 subjects cropped to their boxes, 156 show more than half of them; of these, the two rules tell 97 % to be
cut-outs, and none of 651 pictures of which a part was erased, nor a frame.
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
    """Return whether a picture with this alpha (mode L) is a cut-out already.

    Most of it is transparent; or, if it was cropped to the subject, most of its border is, and what is visible has the
    outline of a subject and not of a frame.
    """
    if visible_fraction(alpha) < _SURELY_CUT_OUT:
        return True
    small, _ = _reduced(alpha)
    shown = np.asarray(_visible_mask(small)) > 0
    border = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    return bool(border.mean() < _MAX_VISIBLE_BORDER) and not _is_frame(shown)


def _is_frame(shown: NDArray[np.bool_]) -> bool:
    """Whether what is shown (H, W) has the shape of a frame: the same upside down, and without a gap in any row."""
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    shape = shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    turned = shape[::-1, ::-1]
    from_left = np.logical_or.accumulate(shape, axis=1)
    from_right = np.logical_or.accumulate(shape[:, ::-1], axis=1)[:, ::-1]
    likeness = np.count_nonzero(shape & turned) / np.count_nonzero(shape | turned)
    fullness = np.count_nonzero(shape) / np.count_nonzero(from_left & from_right)
    return bool(min(likeness, fullness) >= _MIN_LIKENESS_OF_FRAME)


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
    small_alpha, size = _reduced(alpha)
    visible = _visible_mask(small_alpha)
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


def _reduced(alpha: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """The alpha, or every second, third, ... pixel of a large one, which mixes no two; and its size."""
    step = max(1, max(alpha.size) // _EXAMINED_SIDE)
    size = (max(1, alpha.width // step), max(1, alpha.height // step))
    return alpha.resize(size, Image.Resampling.NEAREST), size


def _visible_mask(alpha: Image.Image) -> Image.Image:
    """The alpha as 0 and 255: what is clearly visible."""
    return alpha.point([0] * CLEARLY_VISIBLE_ALPHA + [255] * (256 - CLEARLY_VISIBLE_ALPHA))
