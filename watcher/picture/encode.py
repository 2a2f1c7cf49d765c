"""Encode pixels as PNG, WebP, JPEG or TIFF: one frame or an animation, with profile and metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from watcher.errors import PictureError
from watcher.picture import metadata, png
from watcher.picture.tiff_layout import HORIZONTAL_PREDICTOR, Tag
from watcher.recipe import Recipe

JPEG_QUALITY = 92
MAX_SIDE_PIXELS = {"webp": 16_383, "jpeg": 65_535}
"""Format -> the most pixels on a side (libwebp's WEBP_MAX_DIMENSION; JPEG: the 16 bits of ISO/IEC 10918-1)."""
ANIMATED_FORMATS = ("png", "webp")
"""The formats that can contain an animation; the others contain its first frame."""

_EXIF_PREFIX = b"Exif\0\0"
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825  # tags that point to EXIF's own directories


@dataclass(frozen=True)
class Extras:
    r"""What goes into the file beside its pixels.

    `icc`: the RGB profile. `exif`: b"Exif\0\0" and a TIFF, as Pillow's save() takes it. `xmp`: the packet. Each is None
    if there is none. `durations`: how long each frame is shown, in milliseconds. `loop_count`: how many times an
    animation plays; 0: for ever. `dpi`: the output's pixels per inch, across and down, or None.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    durations: tuple[int, ...] = ()
    loop_count: int = 0
    dpi: tuple[float, float] | None = None


def encode(frames: Sequence[NDArray[np.uint8]], recipe: Recipe, extras: Extras) -> bytes:
    """Return the file of `frames`, each (H, W, C) uint8; C: 4 straight RGBA, 3 RGB, 1 grey.

    More than one frame makes an animated PNG or WebP. Raises PictureError: `too_large` for the format, `unsupported` if
    the encoder fails.
    """
    height, width, channels = frames[0].shape
    if max(width, height) > MAX_SIDE_PIXELS.get(recipe.format, max(width, height)):
        raise PictureError(
            "too_large",
            f"the result, {width} x {height}, is larger than a {recipe.format} file can be "
            f"({MAX_SIDE_PIXELS[recipe.format]} pixels a side). Choose png, or set a longest side.",
        )
    if extras.dpi is not None and (extras.exif is not None or recipe.format == "webp"):  # WebP has no other place
        extras = replace(extras, exif=metadata.with_resolution(extras.exif, extras.dpi))
    icc = None if channels == 1 else extras.icc  # the profile is one for RGB
    if recipe.format == "png" and len(frames) == 1 and recipe.effort != "small" and extras.xmp is None:
        exif = None if extras.exif is None else extras.exif.removeprefix(_EXIF_PREFIX)
        return png.encode(frames[0], icc, exif, extras.dpi, fast=recipe.effort == "fast")
    images = [Image.fromarray(frame if channels > 1 else frame[..., 0]) for frame in frames]
    options: dict[str, Any] = {
        name: value
        for name, value in (("icc_profile", icc), ("exif", extras.exif), ("dpi", extras.dpi))
        if value is not None
    }
    if len(images) > 1:
        options |= {
            "save_all": True,
            "append_images": images[1:],
            "duration": list(extras.durations),
            "loop": extras.loop_count,
        }
    buffer = io.BytesIO()
    try:
        _SAVERS[recipe.format](images[0], buffer, recipe, extras, options)
    except (OSError, ValueError, RuntimeError, TypeError, struct.error) as error:
        text = f"the result could not be written as {recipe.format} ({error}). Choose png, or leave the metadata out."
        raise PictureError("unsupported", text) from error
    return buffer.getvalue()


_SIGNATURES = {"png": b"\x89PNG", "webp": b"RIFF", "tiff": b"II*\0"}
"""Format with transparency -> the first bytes of its files."""


def is_encoding_of(pixels: NDArray[np.uint8], recipe: Recipe, extras: Extras, file: bytes) -> bool:
    """Return whether `file` is what encode() makes of these pixels, (H, W, 4), with any usual effort."""
    file_format = next((name for name, signature in _SIGNATURES.items() if file.startswith(signature)), None)
    if file_format is None:
        return False
    efforts = dict.fromkeys((recipe.effort, "normal", "fast") if file_format == "png" else (recipe.effort,))
    variants = (replace(recipe, format=file_format, effort=effort) for effort in efforts)
    try:
        return any(encode([pixels], variant, extras) == file for variant in variants)
    except PictureError:
        return False


def _save_png(image: Image.Image, file: io.BytesIO, recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    if extras.xmp is not None:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", extras.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    level = {"fast": 1, "normal": 4, "small": 9}[recipe.effort]
    if "append_images" in options:  # each frame replaces the one before, so that nothing of that shows through
        options |= {"disposal": PngImagePlugin.Disposal.OP_NONE, "blend": PngImagePlugin.Blend.OP_SOURCE}
    image.save(file, "PNG", compress_level=level, **options)


def _save_webp(image: Image.Image, file: io.BytesIO, recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    if extras.xmp is not None:
        options["xmp"] = extras.xmp
    if recipe.quality is None:
        options |= {"lossless": True, "method": 0, "quality": 50}
    else:
        options |= {"quality": recipe.quality, "method": 4}
    image.save(file, "WEBP", **options)


def _save_jpeg(image: Image.Image, file: io.BytesIO, recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    if extras.xmp is not None:
        options["xmp"] = extras.xmp
    quality = JPEG_QUALITY if recipe.quality is None else recipe.quality
    # full colour resolution, because the outline of a coloured subject on white is conspicuous
    image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True, **options)


def _save_tiff(image: Image.Image, file: io.BytesIO, _recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    tags = Image.Exif()  # in a TIFF, EXIF is no block of its own: its tags are among the others
    tags.load(options.pop("exif", None))
    compression = "tiff_adobe_deflate"
    if tags.get_ifd(_EXIF_IFD) or tags.get_ifd(_GPS_IFD):
        compression = "raw"  # Pillow writes nested directories only into uncompressed files
    else:
        tags[Tag.PREDICTOR] = HORIZONTAL_PREDICTOR  # makes the file smaller
    if extras.xmp is not None:
        tags[Tag.XMP] = extras.xmp
    image.save(file, "TIFF", compression=compression, tiffinfo=tags, **options)


_SAVERS = {"png": _save_png, "webp": _save_webp, "jpeg": _save_jpeg, "tiff": _save_tiff}
