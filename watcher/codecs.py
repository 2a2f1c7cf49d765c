"""Bytes of a file -> upright pixels; pixels and alpha -> the cut-out. Faithfully."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from watcher.errors import PictureError
from watcher.formats import MAX_PIXELS, SUFFIXES

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # large profiles and edit histories are no reason to refuse a picture

_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Picture:
    """An upright picture.

    `rgb`: mode RGB. `alpha`: mode L, the picture's own transparency, or None where all of it is opaque. `icc`: the
    RGB colour profile to keep, or None. `notes`: what a person should know about how it was read (`first_frame`).
    """

    rgb: Image.Image
    alpha: Image.Image | None
    icc: bytes | None
    notes: tuple[str, ...] = ()


def prepare() -> None:
    """Import every decoder now: inside the jail no file can be read, so none can be imported later."""
    Image.init()
    ImageCms.createProfile("sRGB")


def open_header(data: bytes) -> Image.Image:
    """The picture with its size and mode known and its pixels not yet decoded.

    Raises PictureError: `unreadable` (empty), `unsupported` (none of our formats), `too_large`.
    """
    if not data:
        raise PictureError("unreadable", "the file is empty. Copy or download it again.")
    try:
        image = Image.open(io.BytesIO(data), formats=tuple(SUFFIXES))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too_large") from error
    except UnidentifiedImageError as error:
        raise PictureError("unsupported") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise _damaged(error) from error
    if image.width * image.height > MAX_PIXELS:
        raise PictureError("too_large")
    return image


def decode(image: Image.Image) -> Picture:
    """Decode what open_header returned. Raises PictureError."""
    try:
        notes = ("first_frame",) if image.format != "MPO" and getattr(image, "is_animated", False) else ()
        _correct_colour_key(image)
        image.load()
        icc = image.info.get("icc_profile")
        _turn_upright(image)
        rgb, alpha, icc = _to_rgb(image, icc)
    except MemoryError as error:
        raise PictureError("too_large") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too_large") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error) as error:
        raise _damaged(error) from error
    return Picture(rgb, alpha, icc, notes)


def _turn_upright(image: Image.Image) -> None:
    """As the EXIF block says; a picture whose EXIF block is damaged stays as it is stored."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)


def _correct_colour_key(image: Image.Image) -> None:
    """Bring a PNG's transparent colour (tRNS) to the scale of the pixels that Pillow will decode.

    Before load(), the tile names the raw mode. PNG gives the key at the file's own depth (specification, 11.3.1);
    2- and 4-bit grey become 0..255, and of 16-bit colour only the high bytes are left.
    """
    key = image.info.get("transparency")
    if not isinstance(image, PngImagePlugin.PngImageFile) or key is None or not image.tile:
        return
    raw_mode = str(image.tile[0].args)
    scale = {"L;2": 85, "L;4": 17}.get(raw_mode)
    if scale is not None:
        image.info["transparency"] = key * scale
    elif raw_mode == "RGB;16B":
        image.info["transparency"] = tuple(part >> 8 for part in key)


def _damaged(error: Exception) -> PictureError:
    """Pillow tells a cut-off file from a garbled one only in its message."""
    text = str(error).lower()
    cut_off = isinstance(error, EOFError) or any(word in text for word in ("truncated", "not enough", "unexpected end"))
    return PictureError("truncated" if cut_off else "unreadable", str(error)[:200])


def _to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, Image.Image | None, bytes | None]:
    """The RGB pixels, the alpha (None: opaque), and the profile that describes those RGB pixels."""
    alpha = None
    if image.mode in _SIXTEEN_BIT:
        alpha = _sixteen_bit_alpha(image)
        image = _eight_bit(image)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = rgba.convert("L" if image.mode in ("L", "LA", "La") else "RGB")  # grey may have a profile
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if image.mode in ("RGB", "RGBX", "P", "1"):
        return image if image.mode == "RGB" else image.convert("RGB"), alpha, _rgb_profile(icc)
    if image.mode not in ("L", "CMYK", "YCbCr"):
        raise PictureError("unsupported", f"colour mode {image.mode}")
    return _through_profile(image, icc), alpha, _rgb_profile(icc)


def _sixteen_bit_alpha(image: Image.Image) -> Image.Image | None:
    """Transparent where 16-bit grey has the transparent colour, or None where there is no such colour."""
    key = image.info.get("transparency")
    return None if key is None else Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled, where Pillow's own conversion clips: 0..65535 -> 0..255, rounded (65535 / 255 = 257)."""
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _rgb_profile(icc: bytes | None) -> bytes | None:
    """The profile, if it is one for RGB pixels: an output that is RGB cannot carry one for CMYK or grey."""
    # ICC.1:2022, 7.2: the data colour space stands in bytes 16 to 19 of the profile's header.
    return icc if icc and icc[16:20] == b"RGB " else None


def _through_profile(image: Image.Image, icc: bytes | None) -> Image.Image:
    """A CMYK or grey picture in sRGB, by its profile if it has a usable one."""
    if icc and icc[16:20] in (b"CMYK", b"GRAY"):
        try:
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(icc), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except ImageCms.PyCMSError:
            converted = None  # a damaged profile: the plain conversion below is the best there is
        if converted is not None:
            return converted
    return image.convert("RGB")


def cut_out(picture: Picture, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with `alpha` (H, W) uint8, times the picture's own, as (H, W, 4) uint8: straight RGBA.

    A pixel that nobody can see (alpha 0) carries no colour: smaller, and nothing is hidden in the file.
    """
    result = np.empty((*alpha.shape, 4), np.uint8)
    for top in range(0, len(alpha), _BAND):
        rows = alpha[top : top + _BAND]
        box = (0, top, picture.rgb.width, top + len(rows))
        if picture.alpha is not None:
            own = np.asarray(picture.alpha.crop(box), np.uint16)
            rows = ((rows * own + 127) // 255).astype(np.uint8)
        band = result[top : top + _BAND]
        band[...] = np.asarray(picture.rgb.crop(box).convert("RGBA"))
        band[..., 3] = rows
        band.view(np.uint32)[..., 0] *= rows > 0  # all four bytes of a pixel at once
    return result


_BAND = 256  # rows worked on at a time, so that a 100-megapixel picture needs no second copy
