"""The recipe's steps after the cut-out: crop, canvas, size, shadow, background, mask; where things go first, purely."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFilter, ImageOps

from watcher.picture.codecs import Picture, cut_out
from watcher.recipe import Canvas, Recipe

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; the last two are outside."""

Pixels = NDArray[np.uint8]
"""(H, W, 4) straight RGBA, (H, W, 3) RGB or (H, W, 1) grey."""

_MIN_SUBJECT_ALPHA = 26  # of 255: what is fainter than a tenth does not make the subject larger
_SHADOW_BLUR_FRACTION = (
    0.02  # standard deviation of a shadow, and how far it lies below, in parts of the subject's longer side
)
_SHADOW_EXTENT_SIGMAS = 2.5  # standard deviations after which nothing is seen of a shadow
_BAND_ROWS = 256  # rows worked on at a time


@dataclass(frozen=True)
class Layout:
    """`source`: the part of the picture that is taken; it may reach beyond. `target`: where that goes on the output,
    which is `width` x `height`.
    """

    width: int
    height: int
    source: Box
    target: Box

    @property
    def scale(self) -> float:
        """Output pixels per picture pixel."""
        return (self.target[2] - self.target[0]) / (self.source[2] - self.source[0])

    def to_output(self, coordinate: int, axis: int) -> int:
        """Where on the output a place in the picture is; axis 0: across, 1: down, which are rounded on their own."""
        start, end = self.source[axis], self.source[axis + 2]
        onto, length = self.target[axis], self.target[axis + 2] - self.target[axis]
        return onto + round((coordinate - start) * length / (end - start))


def subject_box(alpha: NDArray[np.uint8]) -> Box | None:
    """The box around all that can be seen well, of alpha (H, W) in 0..255; None if there is nothing."""
    seen = alpha >= _MIN_SUBJECT_ALPHA
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def visible_fraction(alpha: NDArray[np.uint8]) -> float:
    """The share, 0..1, of the picture that is seen more than not: alpha (H, W) of at least 128."""
    return float(np.count_nonzero(alpha >= 128) / alpha.size)


def union_box(first: Box | None, second: Box | None) -> Box | None:
    """The box around both."""
    if first is None or second is None:
        return first or second
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def compute_layout(width: int, height: int, subject: Box | None, recipe: Recipe) -> Layout:
    """Where a picture of `width` x `height` with its subject in that box goes. None: no subject, nothing to crop to."""
    source = (0, 0, width, height)
    if recipe.crop is not None and subject is not None:
        source = _crop_box(subject, recipe)
    wide, high = source[2] - source[0], source[3] - source[1]
    size, scale, pad = (wide, high), 1.0, 0.0
    if recipe.canvas is not None:
        size, scale, pad = _fit_canvas(wide, high, recipe.canvas, recipe)
    if recipe.longest_side is not None and max(size) > recipe.longest_side:
        smaller = recipe.longest_side / max(size)
        size, scale, pad = (
            (_at_least_1(size[0] * smaller), _at_least_1(size[1] * smaller)),
            scale * smaller,
            pad * smaller,
        )
    row, column = _parse_placement(recipe.placement)
    left, right = _align_along_axis(size[0], min(size[0], _at_least_1(wide * scale)), pad, column)
    top, bottom = _align_along_axis(size[1], min(size[1], _at_least_1(high * scale)), pad, row)
    return Layout(*size, source, (left, top, right, bottom))


def _crop_box(box: Box, recipe: Recipe) -> Box:
    """The subject with its margin and, below and beside it, room for its shadow."""
    assert recipe.crop is not None
    longer = max(box[2] - box[0], box[3] - box[1])
    margin = recipe.crop.to_pixels(longer)
    blur = _SHADOW_BLUR_FRACTION * longer if recipe.shadow else 0.0
    side = round(margin + _SHADOW_EXTENT_SIGMAS * blur)
    return box[0] - side, box[1] - side, box[2] + side, box[3] + side + round(blur)


def _fit_canvas(wide: int, high: int, canvas: Canvas, recipe: Recipe) -> tuple[tuple[int, int], float, float]:
    """Size of the output, scale of the picture, and padding in output pixels."""
    pad = recipe.padding.to_pixels(min(canvas.width, canvas.height))
    if not canvas.is_ratio:
        return (
            (canvas.width, canvas.height),
            min((canvas.width - 2 * pad) / wide, (canvas.height - 2 * pad) / high),
            pad,
        )
    if recipe.padding.is_percent:
        unit = max(wide / (canvas.width - 2 * pad), high / (canvas.height - 2 * pad))
        pad *= unit
    else:
        pad = recipe.padding.amount
        unit = max((wide + 2 * pad) / canvas.width, (high + 2 * pad) / canvas.height)
    return (_at_least_1(canvas.width * unit), _at_least_1(canvas.height * unit)), 1.0, pad


def _parse_placement(name: str) -> tuple[int, int]:
    """-1, 0 or 1 for the row and the column: at the start, in the middle, at the end."""
    parts = {"top": (-1, 0), "bottom": (1, 0), "left": (0, -1), "right": (0, 1), "center": (0, 0)}
    places = [parts[part] for part in name.split("-")]
    return sum(place[0] for place in places), sum(place[1] for place in places)


def _align_along_axis(size: int, length: int, pad: float, alignment: int) -> tuple[int, int]:
    """Start and end of something so long on a side of `size`, with `pad` at either end if it fits."""
    free = size - length
    start = {-1: min(round(pad), free), 0: free // 2, 1: max(free - round(pad), 0)}[alignment]
    return start, start + length


def _at_least_1(length: float) -> int:
    return max(1, round(length))


def render(
    picture: Picture, alpha: NDArray[np.uint8], layout: Layout, recipe: Recipe, background: NDArray[np.uint8] | None
) -> Pixels:
    """The output's pixels, of `alpha` (H, W) in 0..255 at the picture's size; `behind`: from ground()."""
    pixels = _place_on_canvas(picture, alpha, layout)
    if recipe.mask:
        return np.ascontiguousarray(pixels[..., 3:])
    shade = _render_shadow(pixels[..., 3], recipe.shadow) if recipe.shadow else None
    if background is None:
        return pixels if shade is None else _composite_over_shadow(pixels, shade)
    return _composite_over_background(pixels, background, shade)


def _place_on_canvas(picture: Picture, alpha: NDArray[np.uint8], layout: Layout) -> Pixels:
    """The cut-out on its transparent canvas, RGBA."""
    width, height = picture.rgb.size
    left, top, right, bottom = layout.source
    inside = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    if inside != (0, 0, width, height):
        own = None if picture.alpha is None else picture.alpha.crop(inside)
        picture = replace(picture, rgb=picture.rgb.crop(inside), alpha=own)
        alpha = alpha[inside[1] : inside[3], inside[0] : inside[2]]
    piece = cut_out(picture, alpha)
    x, y = min(layout.to_output(inside[0], 0), layout.width - 1), min(layout.to_output(inside[1], 1), layout.height - 1)
    size = (max(1, layout.to_output(inside[2], 0) - x), max(1, layout.to_output(inside[3], 1) - y))
    if size != (piece.shape[1], piece.shape[0]):
        piece = _resize(piece, size)
    if size == (layout.width, layout.height):
        return piece
    canvas = np.zeros((layout.height, layout.width, 4), np.uint8)
    canvas[y : y + size[1], x : x + size[0]] = piece
    return canvas


def _resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """RGBA at another size. What is transparent lends no colour to its neighbours: colours are multiplied by alpha
    meanwhile. In float32, since the filter overshoots at edges, and clipping that would leave a bright line there.
    """
    alpha = Image.fromarray(pixels[..., 3].astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    below = np.asarray(alpha)
    result = np.empty((size[1], size[0], 4), np.uint8)
    for channel in range(3):
        plane = pixels[..., channel].astype(np.float32)
        plane *= pixels[..., 3]
        values = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS)) / np.maximum(below, 0.5)
        result[..., channel] = np.clip(values + 0.5, 0, 255)
    result[..., 3] = np.clip(below + 0.5, 0, 255)
    result[result[..., 3] == 0] = 0
    return result


def _render_shadow(alpha: NDArray[np.uint8], darkness: int) -> NDArray[np.uint8]:
    """How dark the shadow is, (H, W) in 0..255: the subject's shape, blurred, and a little below it."""
    box = subject_box(alpha)
    if box is None:
        return np.zeros_like(alpha)
    blur = _SHADOW_BLUR_FRACTION * max(box[2] - box[0], box[3] - box[1])
    step = max(1, int(blur / 4))  # what is blurred so much can be worked on small
    small = Image.fromarray(alpha).reduce(step)
    small = small.transform(
        small.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -blur / step), Image.Resampling.BILINEAR
    )
    small = small.filter(ImageFilter.GaussianBlur(blur / step))
    small = small.point([value * darkness // 100 for value in range(256)])
    return np.asarray(small.resize(alpha.shape[::-1], Image.Resampling.BILINEAR))


def _composite_over_shadow(pixels: Pixels, shadow: NDArray[np.uint8]) -> Pixels:
    """RGBA over a black shadow, RGBA (Porter and Duff, SIGGRAPH 1984: over)."""
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND_ROWS):
        band = pixels[top : top + _BAND_ROWS].astype(np.uint32)
        alpha = band[..., 3]
        below = (255 - alpha) * shadow[top : top + _BAND_ROWS]
        total = alpha * 255 + below  # in 255ths of 255ths
        band[..., :3] = (band[..., :3] * (alpha * 255)[..., None] + total[..., None] // 2) // np.maximum(total, 1)[
            ..., None
        ]
        band[..., 3] = (total + 127) // 255
        result[top : top + _BAND_ROWS] = band
    return result


def _composite_over_background(
    pixels: Pixels, background: NDArray[np.uint8], shadow: NDArray[np.uint8] | None
) -> Pixels:
    """RGBA over an opaque ground, (H, W, 3) or (3,), which the shadow darkens: RGB."""
    result = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        below = np.broadcast_to(background if background.ndim == 1 else background[rows], result[rows].shape).astype(
            np.uint32
        )
        if shadow is not None:
            below = (below * (255 - shadow[rows, :, None].astype(np.uint32)) + 127) // 255
        alpha = pixels[rows, :, 3:].astype(np.uint32)
        result[rows] = (pixels[rows, :, :3] * alpha + below * (255 - alpha) + 127) // 255
    return result


def render_background(
    recipe: Recipe, picture: Picture | None, icc: bytes | None, size: tuple[int, int]
) -> NDArray[np.uint8] | None:
    """What is behind the subject, in the RGB profile `icc` (None: sRGB): a colour, (3,), or the background `picture`
    at that size, (H, W, 3); None: nothing.
    """
    if picture is not None:
        return _fit_background(picture, recipe.fit, size, icc)
    if recipe.background is None:
        return None
    assert isinstance(recipe.background, str)
    return np.array(convert_profile(Image.new("RGB", (1, 1), recipe.background), None, icc).getpixel((0, 0)), np.uint8)


def _fit_background(picture: Picture, fit: str, size: tuple[int, int], icc: bytes | None) -> NDArray[np.uint8]:
    """The background picture at this size, (H, W, 3); what it leaves free, or shows through it, is white."""
    image = picture.rgb
    if picture.alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), picture.alpha)
    if fit == "cover":
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    else:
        image = ImageOps.pad(image, size, Image.Resampling.LANCZOS, color="white")
    return np.asarray(convert_profile(image, picture.icc, icc))


def convert_profile(image: Image.Image, source_icc: bytes | None, target_icc: bytes | None) -> Image.Image:
    """RGB pixels of one profile (None: sRGB) in another, so that they look the same; as they are if one is damaged."""
    if source_icc == target_icc:
        return image
    try:
        converted = ImageCms.profileToProfile(
            image,
            _open_profile(source_icc),
            _open_profile(target_icc),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if converted is None else converted


@lru_cache(maxsize=4)
def _open_profile(icc: bytes | None) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB") if icc is None else io.BytesIO(icc))
