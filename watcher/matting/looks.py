"""Where the networks look, and how closely: glances at the whole picture first, then looks that depend on them.

Most pictures are clear: there, the glances say where the subject is, and the finer network looks at its surroundings
alone. Where a glance is undecided, it looks at the whole picture, and once more at the surroundings of what may be the
subject.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from watcher.matting import fusion, regions
from watcher.matting.fusion import Opinion
from watcher.matting.modes import Mode, View

FloatArray = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture, 0..1."""
Size = tuple[int, int]
"""Width and height, in pixels."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

_CLEAR_SOFTNESS = 0.045  # of a glance; less in three quarters of 217 photos. Only the others gain by more looks
_MIN_ALPHA = 0.25  # of a glance: more may be subject
_MARGIN = 0.12  # around the subject, as a share of its width and height: a network needs to see what it ends at
_MIN_MARGIN = 0.04  # as a share of the picture's

_MAX_CUT = 4  # pixels of subject at a side of the box: a hair or a shadow may reach it

_WIDE = 2.0  # from this ratio of the sides on, a look keeps the picture's shape; below, it is squashed to a square
_MAX_RATIO = 16.0  # a longer picture is squashed to this one
_MAX_GLANCE_PIXELS = 2.0  # times those of a square: a glance at a long picture would see too little of its shorter side
_MAX_CROP_RATIO = 3.0
_MIN_MULTIPLES = 3  # of an input's side, in what the network divides it by: in its deepest layer, these are 3 pixels
_MIN_CROP_MULTIPLES = 4


@dataclass(frozen=True)
class Look:
    """One inference: the network of `view` sees what is in `box`, resized to `size`."""

    view: View
    size: Size
    box: Box = WHOLE


def whole_look(view: View, picture: Size, pixels: float = 1.0, *, square: bool = False) -> Look:
    """Return the view's look at a whole picture of the size `picture`: about side^2 pixels of input.

    Each picture becomes a square, since the networks were trained on squares; but from 2:1 on, it keeps its shape where
    the network takes one, unless `square`: things in it would become too narrow to be recognised. It then has `pixels`
    times as many pixels.
    """
    ratio = picture[0] / picture[1]
    if square or not view.model.multiple or 1 / _WIDE < ratio < _WIDE:
        return Look(view, (view.side, view.side))
    return Look(view, _input_size(view, view.side * math.sqrt(pixels), ratio, _MAX_RATIO, _MIN_MULTIPLES))


def first_looks(mode: Mode, picture: Size, *, square: bool = False) -> list[Look]:
    """Return the looks that come first: the mode's glances, or its views if it has none."""
    if not mode.glances:
        return [whole_look(view, picture, square=square) for view in mode.views]
    length = max(picture[0] / picture[1], picture[1] / picture[0])
    pixels = min(max(length / _WIDE, 1.0), _MAX_GLANCE_PIXELS)
    return [whole_look(view, picture, pixels, square=square) for view in mode.glances]


def closer_looks(mode: Mode, glances: Sequence[Opinion], picture: Size, *, square: bool = False) -> list[Look]:
    """Return the looks of the mode's views after its glances: none for a mode without glances.

    With `square`, they are looks at the whole picture.
    """
    if not mode.glances:
        return []
    whole = [whole_look(view, picture, square=square) for view in mode.views]
    if square:
        return whole
    box = surroundings(glances, whole[0].size)
    width, height = box[2] - box[0], box[3] - box[1]
    softness = max(fusion.softness(opinion.alpha) for opinion in fusion.of_any_subject(glances))
    if mode.saves_work and softness <= _CLEAR_SOFTNESS:
        return [_part(look, box) for look in whole]
    view, ratio = mode.views[0], picture[0] * width / (picture[1] * height)
    size = _input_size(view, view.side * math.sqrt(width * height), ratio, _MAX_CROP_RATIO, _MIN_CROP_MULTIPLES)
    return list(dict.fromkeys([*whole, Look(view, size, box)]))


def cuts_the_subject(look: Look, alpha: FloatArray) -> bool:
    """Return whether a side of the look's box, inside the picture, goes through what `alpha` (h, w) sees as subject.

    If so, the glances have missed a part of the subject, or another one: the look has to be repeated at the whole.
    """
    left, top, right, bottom = look.box
    sides = [(alpha[:, 0], left > 0), (alpha[0], top > 0), (alpha[:, -1], right < 1), (alpha[-1], bottom < 1)]
    return any(is_inside and np.count_nonzero(side >= 0.5) > _MAX_CUT for side, is_inside in sides)


def _part(whole: Look, box: Box) -> Look:
    """Return the look at the part of the picture in `box` or a little more, as squashed as `whole`.

    Its pixels are exactly those of the whole look: a network answers differently if they are shifted.
    """
    multiple = whole.view.model.multiple
    spans, size = [], []
    for start, end, full in ((box[0], box[2], whole.size[0]), (box[1], box[3], whole.size[1])):
        needed = max(math.ceil((end - start) * full / multiple - 1e-6), _MIN_CROP_MULTIPLES)
        length = min(needed * multiple, full)
        first = min(max(round((start + end) / 2 * full - length / 2), 0), full - length)
        spans.append((first / full, (first + length) / full))
        size.append(length)
    (left, right), (top, bottom) = spans
    return replace(whole, size=(size[0], size[1]), box=(left, top, right, bottom))


def surroundings(glances: Sequence[Opinion], canvas: Size) -> Box:
    """Return the box of what may be subject in any glance, and a margin; on the pixels of a `canvas` (width, height).

    It is the whole picture if the glances see nothing.
    """
    small = np.maximum.reduce([fusion.downsample(opinion.alpha) for opinion in glances]) > _MIN_ALPHA
    if not small.any():
        return WHOLE
    left, right = _span(small.any(axis=0), canvas[0])
    top, bottom = _span(small.any(axis=1), canvas[1])
    return left, top, right, bottom


def _span(is_subject: NDArray[np.bool_], length: int) -> tuple[float, float]:
    """Return the first and last share of an axis that may be subject, with the margin, on one of `length` pixels."""
    places = np.flatnonzero(is_subject)
    start, end = places[0] / len(is_subject), (places[-1] + 1) / len(is_subject)
    margin = max(_MIN_MARGIN, _MARGIN * (end - start))
    return math.floor(max(start - margin, 0) * length) / length, math.ceil(min(end + margin, 1) * length) / length


def _input_size(view: View, side: float, ratio: float, max_ratio: float, min_multiples: int) -> Size:
    """Return the size of an input of about side^2 pixels, of the shape `ratio` (width / height), but not longer.

    Its sides are multiples of the network's, and at least `min_multiples` of these.
    """
    stretch = math.sqrt(min(max(ratio, 1 / max_ratio), max_ratio))
    multiple = view.model.multiple
    width, height = (
        max(round(length / multiple), min_multiples) * multiple for length in (side * stretch, side / stretch)
    )
    return width, height


def opinions_of(looks: Sequence[Look], alphas: Sequence[FloatArray], picture: Size) -> list[Opinion]:
    """Return what the looks make of the whole picture. `alphas`: of each look, (height, width), float32 in 0..1.

    What a look at a part of the picture does not see, it believes a look of the same view at the whole picture about;
    without one, it is no subject.
    """
    opinions = [Opinion(look.view, alpha) for look, alpha in zip(looks, alphas, strict=True) if look.box == WHOLE]
    for look, alpha in zip(looks, alphas, strict=True):
        if look.box != WHOLE:
            width, height = whole_look(look.view, picture).size
            behind = next((opinion.alpha for opinion in opinions if opinion.view == look.view), None)
            opinions.append(Opinion(look.view, _paste(alpha, look.box, behind, (height, width))))
    return opinions


def _paste(alpha: FloatArray, box: Box, behind: FloatArray | None, shape: tuple[int, int]) -> FloatArray:
    """Return `alpha` (h, w) in its box of the whole: `shape` (H, W), `behind` it elsewhere."""
    whole = np.zeros(shape, np.float32) if behind is None else behind.copy()
    left, top, right, bottom = (round(share * shape[1 - axis % 2]) for axis, share in enumerate(box))
    whole[top:bottom, left:right] = regions.resize_bilinear(alpha, (bottom - top, right - left))
    return whole
