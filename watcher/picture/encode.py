"""Pixels -> the file: PNG, WebP, JPEG or TIFF, one frame or an animation, with profile and metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from watcher.errors import PictureError
from watcher.picture import png
from watcher.recipe import Recipe

JPEG_QUALITY = 92
MAX_SIDE_PIXELS = {"webp": 16_383, "jpeg": 65_535}
"""The longest side that a format can have (libwebp's WEBP_MAX_DIMENSION; JPEG, ISO/IEC 10918-1, 16 bits)."""

_EXIF_PREFIX = b"Exif\0\0"
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825  # EXIF's own directories


@dataclass(frozen=True)
class Extras:
    """What goes into the file beside its pixels, each None where there is none.

    `icc`: the RGB profile. `exif`: as Pillow takes it. `xmp`: the packet. `durations`: milliseconds of each frame.
    `loops`: how often an animation is played, 0 for ever.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    durations: tuple[int, ...] = ()
    loop_count: int = 0


def encode(frames: Sequence[NDArray[np.uint8]], recipe: Recipe, extras: Extras) -> bytes:
    """The file of frames (H, W, C) uint8, C 4 (straight RGBA), 3 (RGB) or 1 (grey). Raises PictureError.

    More than one frame makes an animated PNG or WebP.
    """
    height, width, channels = frames[0].shape
    if max(width, height) > MAX_SIDE_PIXELS.get(recipe.format, max(width, height)):
        raise PictureError(
            "too_large", _TOO_LARGE_DETAIL.format(width, height, recipe.format, MAX_SIDE_PIXELS[recipe.format])
        )
    icc = None if channels == 1 else extras.icc  # it describes colours
    if recipe.format == "png" and len(frames) == 1 and recipe.effort != "small" and extras.xmp is None:
        exif = None if extras.exif is None else extras.exif.removeprefix(_EXIF_PREFIX)
        return png.encode(frames[0], icc, exif, fast=recipe.effort == "fast")
    images = [Image.fromarray(frame if channels > 1 else frame[..., 0]) for frame in frames]
    options: dict[str, Any] = {
        name: value for name, value in (("icc_profile", icc), ("exif", extras.exif)) if value is not None
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


_TOO_LARGE_DETAIL = "the result, {} x {}, is larger than a {} file can be ({} pixels). Choose png, or a longest side."


def _save_png(image: Image.Image, file: io.BytesIO, recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    if extras.xmp is not None:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", extras.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    level = {"fast": 1, "normal": 4, "small": 9}[recipe.effort]
    if "append_images" in options:  # each frame stands for itself; nothing of the one before shows through
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
    # at full colour resolution: the outline of a coloured subject on white is what one looks at
    image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True, **options)


def _save_tiff(image: Image.Image, file: io.BytesIO, _recipe: Recipe, extras: Extras, options: dict[str, Any]) -> None:
    tags = Image.Exif()  # in a TIFF, these are tags like all others
    tags.load(options.pop("exif", None))
    compression = "tiff_adobe_deflate"
    if tags.get_ifd(_EXIF_IFD) or tags.get_ifd(_GPS_IFD):
        compression = "raw"  # Pillow writes directories within the directory only so
    else:
        tags[317] = 2  # horizontal differencing (TIFF 6.0, section 14): smaller
    if extras.xmp is not None:
        tags[700] = extras.xmp
    image.save(file, "TIFF", compression=compression, tiffinfo=tags, **options)


_SAVERS = {"png": _save_png, "webp": _save_webp, "jpeg": _save_jpeg, "tiff": _save_tiff}
ANIMATED_FORMATS = ("png", "webp")
"""The formats that can hold an animation; others get its first frame."""
