"""Compose the output's pixels from picture and alpha: cut-out, crop, canvas, size, shadow, background, mask.

compute_layout() decides where everything goes, purely; render() then does it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFilter, ImageOps

from watcher.picture.codecs import Picture
from watcher.recipe import Canvas, Recipe

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; right and bottom are the first column and row outside."""

Pixels = NDArray[np.uint8]
"""(H, W, 4) straight RGBA, (H, W, 3) RGB or (H, W, 1) grey."""

CLEARLY_VISIBLE_ALPHA = 26
"""Of 255. What is fainter than a tenth counts as nothing: it neither enlarges a subject's box nor makes a subject."""

_SHADOW_BLUR_FRACTION = 0.02
"""A shadow's standard deviation, and its offset downwards, as a fraction of the subject's longer side."""
_SHADOW_EXTENT_SIGMAS = 2.5  # standard deviations after which a shadow is invisible
_MAX_UNSEEN_DIFFERENCE = 8  # levels of 255
_BAND_ROWS = 256  # rows processed at a time, so that a 100-megapixel picture needs no second copy


@dataclass(frozen=True)
class Layout:
    """Where the picture goes on the output, which has `width` x `height` pixels.

    `source`: the part of the picture that is taken; it may reach beyond the picture. `target`: where that part goes on
    the output.
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
        """Return where a coordinate of the picture lies on the output, rounded; `axis` 0: across, 1: down."""
        start, end = self.source[axis], self.source[axis + 2]
        target_start, length = self.target[axis], self.target[axis + 2] - self.target[axis]
        return target_start + round((coordinate - start) * length / (end - start))


def subject_box(alpha: NDArray[np.uint8]) -> Box | None:
    """Return the box around everything clearly visible in `alpha` (H, W), 0..255; None if nothing is."""
    visible = alpha >= CLEARLY_VISIBLE_ALPHA
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def union_box(first: Box | None, second: Box | None) -> Box | None:
    """Return the smallest box that contains both; None is an empty box."""
    if first is None or second is None:
        return first or second
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def multiply_alpha(alpha: NDArray[np.uint8], picture_alpha: Image.Image) -> NDArray[np.uint8]:
    """Return `alpha` (H, W), 0..255, times the picture's own alpha, mode L of the same size: (H, W) uint8, rounded."""
    result = np.empty_like(alpha)
    for top in range(0, len(alpha), _BAND_ROWS):
        rows = alpha[top : top + _BAND_ROWS]
        picture_rows = np.asarray(picture_alpha.crop((0, top, picture_alpha.width, top + len(rows))), np.uint16)
        result[top : top + _BAND_ROWS] = (rows * picture_rows + 127) // 255
    return result


def cut_out(picture: Picture, alpha: NDArray[np.uint8]) -> Pixels:
    """Return the picture with `alpha` (H, W), 0..255, times its own alpha: straight RGBA, (H, W, 4).

    A pixel with alpha 0 has no colour: the file becomes smaller, and nothing is hidden in it.
    """
    if picture.alpha is not None:
        alpha = multiply_alpha(alpha, picture.alpha)
    result = np.empty((*alpha.shape, 4), np.uint8)
    for top in range(0, len(alpha), _BAND_ROWS):
        rows = alpha[top : top + _BAND_ROWS]
        band = result[top : top + _BAND_ROWS]
        band[...] = np.asarray(picture.rgb.crop((0, top, picture.rgb.width, top + len(rows))).convert("RGBA"))
        band[..., 3] = rows
        band.view(np.uint32)[..., 0] *= rows > 0  # all four bytes of a pixel at once
    return result


def compute_layout(width: int, height: int, subject: Box | None, recipe: Recipe) -> Layout:
    """Return where a picture of `width` x `height` pixels goes, by the recipe's crop, canvas, placement and size.

    `subject`: the box to crop to; None: there is no subject, so nothing is cropped.
    """
    source = (0, 0, width, height)
    if recipe.crop is not None and subject is not None:
        source = _crop_box(subject, recipe)
    source_width, source_height = source[2] - source[0], source[3] - source[1]
    size, scale, padding = (source_width, source_height), 1.0, 0.0
    if recipe.canvas is not None:
        size, scale, padding = _fit_canvas(source_width, source_height, recipe.canvas, recipe)
    if recipe.longest_side is not None and max(size) > recipe.longest_side:
        reduction = recipe.longest_side / max(size)
        size = (_round_length(size[0] * reduction), _round_length(size[1] * reduction))
        scale, padding = scale * reduction, padding * reduction
    row, column = _parse_placement(recipe.placement)
    left, right = _align_along_axis(size[0], min(size[0], _round_length(source_width * scale)), padding, column)
    top, bottom = _align_along_axis(size[1], min(size[1], _round_length(source_height * scale)), padding, row)
    return Layout(*size, source, (left, top, right, bottom))


def _crop_box(subject: Box, recipe: Recipe) -> Box:
    """The subject's box with its margin, and room for its shadow beside and below it."""
    assert recipe.crop is not None
    longer_side = max(subject[2] - subject[0], subject[3] - subject[1])
    margin = recipe.crop.to_pixels(longer_side)
    blur = _SHADOW_BLUR_FRACTION * longer_side if recipe.shadow else 0.0
    border = round(margin + _SHADOW_EXTENT_SIGMAS * blur)
    return subject[0] - border, subject[1] - border, subject[2] + border, subject[3] + border + round(blur)


def _fit_canvas(width: int, height: int, canvas: Canvas, recipe: Recipe) -> tuple[tuple[int, int], float, float]:
    """Size of the output, scale of the picture (`width` x `height`), and padding, in output pixels."""
    padding = recipe.padding.to_pixels(min(canvas.width, canvas.height))
    if not canvas.is_ratio:
        scale = min((canvas.width - 2 * padding) / width, (canvas.height - 2 * padding) / height)
        return (canvas.width, canvas.height), scale, padding
    if recipe.padding.is_percent:
        unit = max(width / (canvas.width - 2 * padding), height / (canvas.height - 2 * padding))
        padding *= unit
    else:
        padding = recipe.padding.amount
        unit = max((width + 2 * padding) / canvas.width, (height + 2 * padding) / canvas.height)
    return (_round_length(canvas.width * unit), _round_length(canvas.height * unit)), 1.0, padding


def _parse_placement(name: str) -> tuple[int, int]:
    """Alignment of the row and of the column that a placement names: -1 start, 0 middle, 1 end."""
    directions = {"top": (-1, 0), "bottom": (1, 0), "left": (0, -1), "right": (0, 1), "center": (0, 0)}
    rows, columns = zip(*(directions[word] for word in name.split("-")), strict=True)
    return sum(rows), sum(columns)


def _align_along_axis(size: int, length: int, padding: float, alignment: int) -> tuple[int, int]:
    """Start and end of `length` pixels on a side of `size`, with `padding` at the aligned end as far as it fits."""
    free = size - length
    start = {-1: min(round(padding), free), 0: free // 2, 1: max(free - round(padding), 0)}[alignment]
    return start, start + length


def _round_length(length: float) -> int:
    """Rounded, and at least 1."""
    return max(1, round(length))


def render(
    picture: Picture, alpha: NDArray[np.uint8], layout: Layout, recipe: Recipe, background: NDArray[np.uint8] | None
) -> Pixels:
    """Return the output's pixels: (H, W, 4) straight RGBA; (H, W, 3) RGB on a background; (H, W, 1) for a mask.

    `alpha`: (H, W), 0..255, of the picture's size. `background`: what render_background() returned.
    """
    pixels = _place_on_canvas(picture, alpha, layout)
    if recipe.mask:
        return np.ascontiguousarray(pixels[..., 3:])
    shadow = _render_shadow(pixels[..., 3], recipe.shadow) if recipe.shadow else None
    if background is None:
        return pixels if shadow is None else _composite_over_shadow(pixels, shadow)
    return _composite_over_background(pixels, background, shadow)


def _place_on_canvas(picture: Picture, alpha: NDArray[np.uint8], layout: Layout) -> Pixels:
    """The cut-out on its transparent canvas, RGBA."""
    width, height = picture.rgb.size
    left, top, right, bottom = layout.source
    inside = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    if inside != (0, 0, width, height):
        cropped_alpha = None if picture.alpha is None else picture.alpha.crop(inside)
        picture = replace(picture, rgb=picture.rgb.crop(inside), alpha=cropped_alpha)
        alpha = alpha[inside[1] : inside[3], inside[0] : inside[2]]
    pixels = cut_out(picture, alpha)
    x, y = min(layout.to_output(inside[0], 0), layout.width - 1), min(layout.to_output(inside[1], 1), layout.height - 1)
    size = (max(1, layout.to_output(inside[2], 0) - x), max(1, layout.to_output(inside[3], 1) - y))
    if size != (pixels.shape[1], pixels.shape[0]):
        pixels = _resize(pixels, size)
    if size == (layout.width, layout.height):
        return pixels
    canvas = np.zeros((layout.height, layout.width, 4), np.uint8)
    canvas[y : y + size[1], x : x + size[0]] = pixels
    return canvas


def _resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """RGBA at another size (width, height).

    Colours are resized multiplied by their alpha, so that transparent pixels lend no colour to their neighbours. In
    float32, because the filter overshoots at edges: clipped values would leave a bright line there.
    """
    resized_alpha = np.asarray(
        Image.fromarray(pixels[..., 3].astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    )
    result = np.empty((size[1], size[0], 4), np.uint8)
    for channel in range(3):
        premultiplied = pixels[..., channel].astype(np.float32)
        premultiplied *= pixels[..., 3]
        resized = np.asarray(Image.fromarray(premultiplied).resize(size, Image.Resampling.LANCZOS))
        result[..., channel] = np.clip(resized / np.maximum(resized_alpha, 0.5) + 0.5, 0, 255)
    result[..., 3] = np.clip(resized_alpha + 0.5, 0, 255)
    result[result[..., 3] == 0] = 0
    return result


def _render_shadow(alpha: NDArray[np.uint8], darkness: int) -> NDArray[np.uint8]:
    """The opacity of the shadow, (H, W), 0..255: the subject's shape, blurred and shifted down. `darkness`: percent."""
    box = subject_box(alpha)
    if box is None:
        return np.zeros_like(alpha)
    blur = _SHADOW_BLUR_FRACTION * max(box[2] - box[0], box[3] - box[1])
    reduction = max(1, int(blur / 4))  # a strong blur gives the same result on a reduced picture, and faster
    shadow = Image.fromarray(alpha).reduce(reduction)
    shadow = shadow.transform(
        shadow.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -blur / reduction), Image.Resampling.BILINEAR
    )
    shadow = shadow.filter(ImageFilter.GaussianBlur(blur / reduction))
    shadow = shadow.point([value * darkness // 100 for value in range(256)])
    return np.asarray(shadow.resize(alpha.shape[::-1], Image.Resampling.BILINEAR))


def _composite_over_shadow(pixels: Pixels, shadow: NDArray[np.uint8]) -> Pixels:
    """RGBA over a black shadow (H, W), RGBA (Porter and Duff, SIGGRAPH 1984: over)."""
    result = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND_ROWS):
        band = pixels[top : top + _BAND_ROWS].astype(np.uint32)
        alpha = band[..., 3]
        visible_shadow = (255 - alpha) * shadow[top : top + _BAND_ROWS]
        total = alpha * 255 + visible_shadow  # 0..255 * 255
        divisor = np.maximum(total, 1)[..., None]
        band[..., :3] = (band[..., :3] * (alpha * 255)[..., None] + total[..., None] // 2) // divisor
        band[..., 3] = (total + 127) // 255
        result[top : top + _BAND_ROWS] = band
    return result


def _composite_over_background(
    pixels: Pixels, background: NDArray[np.uint8], shadow: NDArray[np.uint8] | None
) -> Pixels:
    """RGBA over an opaque background, (H, W, 3) or (3,), which the shadow (H, W) darkens: RGB."""
    result = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        band = background if background.ndim == 1 else background[rows]
        behind = np.broadcast_to(band, result[rows].shape).astype(np.uint32)
        if shadow is not None:
            behind = (behind * (255 - shadow[rows, :, None].astype(np.uint32)) + 127) // 255
        alpha = pixels[rows, :, 3:].astype(np.uint32)
        result[rows] = (pixels[rows, :, :3] * alpha + behind * (255 - alpha) + 127) // 255
    return result


def render_background(
    recipe: Recipe, picture: Picture | None, icc: bytes | None, size: tuple[int, int]
) -> NDArray[np.uint8] | None:
    """Return what goes behind the subject, in the RGB profile `icc` (None: sRGB).

    With a background `picture`: its pixels at `size` (width, height), as (H, W, 3). Else the recipe's colour, as (3,),
    or None if the background stays transparent.
    """
    if picture is not None:
        return _fit_background(picture, recipe.fit, size, icc)
    if recipe.background is None:
        return None
    assert isinstance(recipe.background, str)
    return np.array(convert_profile(Image.new("RGB", (1, 1), recipe.background), None, icc).getpixel((0, 0)), np.uint8)


def _fit_background(picture: Picture, fit: str, size: tuple[int, int], icc: bytes | None) -> NDArray[np.uint8]:
    """The background picture at this size, (H, W, 3); white where it is transparent or does not reach."""
    image = picture.rgb
    if picture.alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), picture.alpha)
    if fit == "cover":
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    else:
        image = ImageOps.pad(image, size, Image.Resampling.LANCZOS, color="white")
    return np.asarray(convert_profile(image, picture.icc, icc))


def shows_nothing(frames: Sequence[Pixels], background: NDArray[np.uint8] | None) -> bool:
    """Whether no frame differs visibly from the colour `background`, (3,)."""
    assert background is not None
    extremes = np.array([extreme for frame in frames for extreme in (frame.min(axis=(0, 1)), frame.max(axis=(0, 1)))])
    return int(np.abs(extremes - background.astype(np.int16)).max()) <= _MAX_UNSEEN_DIFFERENCE


def convert_profile(image: Image.Image, source_icc: bytes | None, target_icc: bytes | None) -> Image.Image:
    """Return RGB pixels of one profile converted to another, so that they look the same; None: sRGB.

    If one of the profiles is damaged, the pixels stay as they are.
    """
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
