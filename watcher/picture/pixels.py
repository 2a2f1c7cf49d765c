"""Convert a decoded picture of any Pillow mode to RGB pixels, an alpha, and the profile of the RGB pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin

from watcher.errors import PictureError
from watcher.picture import profiles

_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_ICC_COLOUR_SPACES = {"L": b"GRAY", "CMYK": b"CMYK", "RGB": b"RGB "}
"""Pillow's mode -> the data colour space in bytes 16 to 19 of a profile's header (ICC.1:2022, 7.2)."""
_BAND_ROWS = 256  # rows converted at a time


def to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, Image.Image | None, bytes | None]:
    """Return the pixels (mode RGB), the alpha (mode L; None: opaque), and the RGB profile to keep (None: sRGB).

    `icc`: the profile that the file carries. Grey, CMYK and Lab become sRGB; RGB pixels stay as they are.
    Raises PictureError (`unsupported`) for any other mode.
    """
    image, alpha = _split_alpha(image)
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if image.mode in ("RGB", "RGBX", "P", "1", "YCbCr"):
        return image if image.mode == "RGB" else image.convert("RGB"), alpha, _usable_rgb_profile(icc)
    if image.mode == "LAB":
        return _lab_to_srgb(image), alpha, None
    if image.mode not in ("L", "CMYK"):
        raise PictureError(
            "unsupported", f"nobg cannot open pictures in the colour mode {image.mode}. Save the picture as PNG."
        )
    return _grey_or_cmyk_to_srgb(image, icc), alpha, _usable_rgb_profile(icc)


def to_eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return samples of any shape and type as 0..255, rounded.

    Integers run from 0 to the maximum of their type, floats from 0 to 1. What lies outside is clipped; NaN becomes 0.
    """
    dtype = values.dtype
    if dtype.kind == "f":
        finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        return (np.clip(finite, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    if dtype == np.uint8:
        return values.astype(np.uint8)
    if dtype == np.dtype("u2").newbyteorder(dtype.byteorder):
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    maximum = float(np.iinfo(dtype.str).max)
    return (np.clip(values.astype(np.float64), 0, maximum) * (255 / maximum) + 0.5).astype(np.uint8)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours at eight bits without alpha, and the alpha (mode L) or None."""
    if image.mode in _SIXTEEN_BIT_MODES:  # Pillow's own conversion clips instead of scaling
        return Image.fromarray(to_eight_bits(np.asarray(image))), _alpha_from_colour_key(image)
    if image.mode == "F":
        return Image.fromarray(to_eight_bits(np.asarray(image))), None
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        is_grey = image.mode in ("L", "LA", "La")  # stays grey, because its profile may be one for grey
        if image.mode == "La":  # Pillow converts it to LA only
            image = image.convert("LA")
        rgba = image.convert("RGBA")
        return rgba.convert("L" if is_grey else "RGB"), rgba.getchannel("A")
    return image, getattr(image, "separate_alpha", None)


def _alpha_from_colour_key(image: Image.Image) -> Image.Image | None:
    """The alpha of 16-bit grey: 0 where a pixel has the transparent grey; None if the file names no such grey."""
    key = image.info.get("transparency")
    return None if key is None else Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))


def _usable_rgb_profile(icc: bytes | None) -> bytes | None:
    """The profile if it describes RGB pixels and is undamaged, else None: the output's pixels are RGB."""
    return icc if icc and icc[16:20] == _ICC_COLOUR_SPACES["RGB"] and profiles.is_usable(icc) else None


def _grey_or_cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """A grey or CMYK picture in sRGB, converted by its profile if that is usable."""
    if icc and icc[16:20] == _ICC_COLOUR_SPACES[image.mode]:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            return _grey_to_srgb(image, profile) if image.mode == "L" else _to_srgb(image, profile)
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")  # the profile is damaged
    return image.convert("RGB")


def _grey_to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """A grey picture in sRGB, through a table of the 256 greys.

    Converting the whole picture would let littlecms take a shortcut that is ten levels off where curves are steep.
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    table = np.asarray(_to_srgb(ramp, profile, ImageCms.Flags.NOOPTIMIZE))[0]
    return Image.merge("RGB", [image.point(table[:, channel].tolist()) for channel in range(3)])


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    """A Lab picture in sRGB. Lab needs no profile of its own: the numbers are colours under D50."""
    return _to_srgb(image, ImageCms.createProfile("LAB"))


def _to_srgb(image: Image.Image, profile: Any, flags: int = 0) -> Image.Image:
    """The picture in sRGB: relative colorimetric with black point compensation, as photo editors convert by default.

    Colours inside sRGB stay the same, and the darkest black of the paper becomes that of the screen. The perceptual
    intent would move all colours, in a way that each profile's maker chose.
    """
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | flags,
    )
    assert converted is not None
    return converted


_LOW_BYTE_RAW_MODES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
"""Raw mode of a PNG's 16-bit colour -> the raw mode by which Pillow reads the low bytes instead of the high ones."""
_GREY_SCALES = {"1": 255, "L;2": 85, "L;4": 17}
"""Raw mode of 1-, 2- and 4-bit grey -> the factor that makes it 0..255."""


def load_png(image: PngImagePlugin.PngImageFile, data: bytes) -> Image.Image:
    """Return the loaded PNG with what Pillow drops: the low bytes of 16-bit colour, and transparent colours (tRNS).

    `image`: opened and not yet loaded. `data`: its file.
    """
    # Until load(), the tile names the raw mode.
    raw_mode = str(image.tile[0].args) if image.tile and not image.is_animated else ""
    if raw_mode in _LOW_BYTE_RAW_MODES:
        return _load_sixteen_bit_colour(image, data, raw_mode)
    scale = _GREY_SCALES.get(raw_mode)
    key = image.info.get("transparency")
    # The key is stored at the file's own depth (PNG specification, 11.3.1). The limit is for Pillow 13 and later, which
    # scale the key of 1-bit grey themselves.
    if isinstance(key, int) and scale is not None:
        image.info["transparency"] = min(key * scale, 255)
    image.load()
    return image


def _load_sixteen_bit_colour(image: PngImagePlugin.PngImageFile, data: bytes, raw_mode: str) -> Image.Image:
    """The PNG's 16-bit colour rounded to eight bits.

    Pillow gives the high bytes only. With the other byte order, it gives the low bytes; so the file is decoded
    twice.
    """
    image.load()
    with Image.open(io.BytesIO(data), formats=("PNG",)) as low:
        assert isinstance(low, ImageFile.ImageFile)
        low.tile = [low.tile[0]._replace(args=_LOW_BYTE_RAW_MODES[raw_mode])]
        low.load()
        return _round_to_eight_bits(image, low, image.info.get("transparency"))


def _round_to_eight_bits(high: Image.Image, low: Image.Image, key: tuple[int, ...] | None) -> Image.Image:
    """The 16-bit colours, given as pictures of high and low bytes, rounded to eight bits: RGB or RGBA.

    `key`: the transparent colour at 16 bits, or None. (256 high + low) / 257 = high + (low - high) / 257, which rounds
    to high, high + 1 or high - 1.
    """
    result = np.empty((high.height, high.width, 4), np.uint8)
    for top in range(0, high.height, _BAND_ROWS):
        box = (0, top, high.width, min(top + _BAND_ROWS, high.height))
        high_bytes, low_bytes = (np.asarray(image.crop(box), np.int32) for image in (high, low))
        rows: NDArray[np.uint8] = result[top : box[3]]
        rows[..., 3] = 255
        rows[..., : high_bytes.shape[2]] = high_bytes + (low_bytes - high_bytes > 128) - (high_bytes - low_bytes > 128)
        if key is not None:
            is_key = np.all(high_bytes * 256 + low_bytes == np.array(key), axis=2)
            rows[..., 3] = np.where(is_key, 0, 255)
    return Image.fromarray(result) if high.mode == "RGBA" or key is not None else Image.fromarray(result).convert("RGB")
