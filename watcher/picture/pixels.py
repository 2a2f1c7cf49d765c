"""A decoded picture in whatever mode -> RGB pixels, alpha, and the profile that describes the RGB pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin

from watcher.errors import PictureError
from watcher.picture import profiles, tiff

_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_ICC_SPACES = {"L": b"GRAY", "CMYK": b"CMYK", "RGB": b"RGB "}

Parts = tuple[Image.Image, Image.Image | None, bytes | None]


def to_rgb(image: Image.Image, icc: bytes | None) -> Parts:
    """The RGB pixels, the alpha (mode L; None: opaque), and the RGB profile to keep.

    Grey, CMYK and Lab become sRGB; RGB pixels stay as they are. Raises PictureError (`unsupported`).
    """
    image, alpha = _split_alpha(image)
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if image.mode in ("RGB", "RGBX", "P", "1", "YCbCr"):
        return image if image.mode == "RGB" else image.convert("RGB"), alpha, _usable_rgb_profile(icc)
    if image.mode == "LAB":
        return _lab_to_srgb(image), alpha, None
    if image.mode not in ("L", "CMYK"):
        raise PictureError("unsupported", f"nobg cannot open pictures of the colour mode {image.mode}. Save it as PNG.")
    return _grey_or_cmyk_to_srgb(image, icc), alpha, _usable_rgb_profile(icc)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours at eight bits without alpha, and the alpha."""
    if image.mode in _SIXTEEN_BIT_MODES:
        return _grey_to_eight_bits(image), _alpha_from_colour_key(image)
    if image.mode == "F":
        return Image.fromarray(tiff.to_eight_bits(np.asarray(image))), None
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")  # grey may have a profile
        if image.mode == "La":
            image = image.convert("LA")
        rgba = image.convert("RGBA")
        return rgba.convert("L" if grey else "RGB"), rgba.getchannel("A")
    return image, getattr(image, "separate_alpha", None)


def _alpha_from_colour_key(image: Image.Image) -> Image.Image | None:
    """Transparent where 16-bit grey has the transparent colour, or None where there is no such colour."""
    key = image.info.get("transparency")
    return None if key is None else Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))


def _grey_to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled, where Pillow's own conversion clips."""
    return Image.fromarray(tiff.to_eight_bits(np.asarray(image)))


def _usable_rgb_profile(icc: bytes | None) -> bytes | None:
    """The profile, if it is one for RGB pixels: an output that is RGB cannot carry one for CMYK or grey."""
    # ICC.1:2022, 7.2: the data colour space stands in bytes 16 to 19 of the profile's header.
    return icc if icc and icc[16:20] == b"RGB " and profiles.is_usable(icc) else None


def _grey_or_cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """A CMYK or grey picture in sRGB, by its profile if it has a usable one."""
    if icc and icc[16:20] == _ICC_SPACES[image.mode]:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            return _grey_to_srgb(image, profile) if image.mode == "L" else _to_srgb(image, profile)
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")  # a damaged profile: the plain conversion is the best there is
    return image.convert("RGB")


def _grey_to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Through a table of the 256 greys: littlecms' shortcut for pictures is ten levels off where curves are steep."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    table = np.asarray(_to_srgb(ramp, profile, ImageCms.Flags.NOOPTIMIZE))[0]
    return Image.merge("RGB", [image.point(table[:, channel].tolist()) for channel in range(3)])


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    """Lab has no profile: its numbers are colours, under D50."""
    return _to_srgb(image, ImageCms.createProfile("LAB"))


def _to_srgb(image: Image.Image, profile: Any, flags: int = 0) -> Image.Image:
    """Relative colorimetric with black point compensation, as photo editors convert by default.

    Colours that sRGB has stay what they are (perceptual would move all of them, as each profile's maker liked), and
    the paper's black becomes the screen's.
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


def load_png(image: PngImagePlugin.PngImageFile, data: bytes) -> Image.Image:
    """The loaded PNG, without what Pillow leaves out: the low bytes of 16-bit colour, transparent colours (tRNS).

    Before load(), the tile names the raw mode. PNG gives the key at the file's own depth (specification, 11.3.1);
    1-, 2- and 4-bit grey become 0..255.
    """
    raw_mode = str(image.tile[0].args) if image.tile and not image.is_animated else ""
    if raw_mode in _LOW_BYTE_RAW_MODES:
        return _load_sixteen_bit_colour(image, data, raw_mode)
    scale = {"L;2": 85, "L;4": 17, "1": 255}.get(raw_mode)
    key = image.info.get("transparency")
    if isinstance(key, int) and scale is not None:
        image.info["transparency"] = min(key * scale, 255)  # from 13 on, Pillow scales the key of one bit itself
    image.load()
    return image


def _load_sixteen_bit_colour(image: PngImagePlugin.PngImageFile, data: bytes, raw_mode: str) -> Image.Image:
    """16-bit colour rounded to eight. Pillow gives the high bytes; asked for the other byte order, the low ones."""
    image.load()
    with Image.open(io.BytesIO(data), formats=("PNG",)) as low:
        assert isinstance(low, ImageFile.ImageFile)
        low.tile = [low.tile[0]._replace(args=_LOW_BYTE_RAW_MODES[raw_mode])]
        low.load()
        return _round_to_eight_bits(image, low, image.info.get("transparency"))


def _round_to_eight_bits(high: Image.Image, low: Image.Image, key: tuple[int, ...] | None) -> Image.Image:
    """(256 high + low) / 257 = high + (low - high) / 257, which rounds to high, or one up or down."""
    result = np.empty((high.height, high.width, 4), np.uint8)
    for top in range(0, high.height, _BAND_ROWS):
        box = (0, top, high.width, min(top + _BAND_ROWS, high.height))
        first, second = (np.asarray(part.crop(box), np.int32) for part in (high, low))
        rows: NDArray[np.uint8] = result[top : box[3]]
        rows[..., 3] = 255
        rows[..., : first.shape[2]] = first + (second - first > 128) - (first - second > 128)
        if key is not None:
            same = np.all(first * 256 + second == np.array(key), axis=2)
            rows[..., 3] = np.where(same, 0, 255)
    return Image.fromarray(result) if high.mode == "RGBA" or key is not None else Image.fromarray(result).convert("RGB")


_BAND_ROWS = 256  # rows at a time
