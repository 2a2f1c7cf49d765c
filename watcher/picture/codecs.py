"""Bytes of a file -> upright pixels; pixels and alpha -> the cut-out. Faithfully."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from watcher.errors import PictureError
from watcher.formats import MAX_FRAMES, MAX_PIXELS, MAX_TOTAL_FRAME_PIXELS, SUFFIXES
from watcher.picture import containers, jxl, metadata, pixels, profiles, tiff

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # large profiles and edit histories are no reason to refuse a picture

_ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
_ORIENTATION_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright (EXIF 3.0, table 6)."""


@dataclass(frozen=True)
class Picture:
    r"""An upright picture.

    `rgb`: mode RGB. `alpha`: mode L, the picture's own transparency, or None where all of it is opaque. `icc`: the
    RGB colour profile to keep, or None (sRGB). `notes`: what a person should know about how it was read
    (`first_frame`). `duration`: how long this frame of an animation is shown, milliseconds; 0 for a still.
    `exif`: b"Exif\0\0" and a TIFF, as Pillow's save() takes it; `xmp`: the packet; None unless asked for.
    """

    rgb: Image.Image
    alpha: Image.Image | None
    icc: bytes | None
    notes: tuple[str, ...] = ()
    duration: int = 0
    exif: bytes | None = None
    xmp: bytes | None = None


def load_decoders() -> None:
    """Import every decoder now: inside the jail no file can be read, so none can be imported later."""
    Image.init()
    # Only the pictures themselves; the lists of thumbnails, depth maps and the like cost time and may be damaged.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    jxl.register()
    tiff.register()
    profiles.is_usable(profiles.adobe_rgb())  # colour management, and Python's codec for the texts of profiles


load_decoders()


def open_header(data: bytes) -> Image.Image:
    """The picture with its size known and its pixels not yet decoded.

    Raises PictureError: `unreadable` (empty, damaged), `truncated`, `unsupported` (none of our formats, or a kind of
    one of them that cannot be decoded), `too_large`.
    """
    if not data:
        raise PictureError("unreadable", "the file is empty. Copy or download it again.")
    with _convert_decoder_errors(data):
        try:
            image = Image.open(io.BytesIO(data), formats=_candidate_formats(data))
        except UnidentifiedImageError as error:
            raise _open_error(data) from error
    if image.width * image.height > MAX_PIXELS:
        raise PictureError("too_large")
    if isinstance(image, WebPImagePlugin.WebPImageFile) and image.is_animated:
        # Opaque frames may leave parts of the canvas free; the file tells of no alpha then, and Pillow shows black
        image.rawmode = image._mode = "RGBA"  # noqa: SLF001  Pillow offers no other way
    return image


def _candidate_formats(data: bytes) -> tuple[str, ...]:
    """AVIF and HEIC share a container, and each plugin takes some files of the other's; the brands tell."""
    brands = containers.brands(data)
    if not brands:
        return tuple(SUFFIXES)
    return ("AVIF",) if brands & {b"avif", b"avis"} else ("HEIF",)


def _open_error(data: bytes) -> PictureError:
    """Pillow says only that no plugin wants it. If it begins like one of our kinds, it is damaged or a rare variety."""
    kinds = [name for name in SUFFIXES if (accept := Image.OPEN[name][1]) and accept(data[:16]) is True]
    if not kinds:
        return PictureError("unsupported")
    if containers.is_truncated(data):
        return PictureError("truncated", f"{kinds[0]}: the header is incomplete")
    depth = containers.jpeg_bits_per_sample(data) if kinds == ["JPEG"] else 8
    if depth not in (0, 8):
        return PictureError(
            "unsupported",
            f"this JPEG has {depth} bits for each colour, and nobg opens 8. Save it as an 8-bit JPEG or as PNG.",
        )
    if kinds == ["TIFF"]:
        return PictureError(
            "unsupported",
            "this TIFF stores its colours in a way nobg does not know. Save it as TIFF with 8 or 16 bits, or as PNG.",
        )
    return PictureError("unreadable", f"{kinds[0]}: no header that makes sense")


def decode(image: Image.Image, metadata_level: str = "drop") -> Picture:
    """Decode what open_header returned; of several frames or pages the first. It can be done once for each image.

    `metadata`: "drop"; "keep", EXIF without places; "all", EXIF with places, and XMP. Raises PictureError.
    """
    data = _file_bytes(image)
    with _convert_decoder_errors(data):
        notes = ("first_frame",) if _has_more_frames(image) else ()
        return replace(_decode_current_frame(image, data, metadata_level), notes=notes)


def _has_more_frames(image: Image.Image) -> bool:
    """Several frames or pages? An MPO or HEIF has one picture; its other images are previews, or the other eye's."""
    return image.format not in ("MPO", "HEIF") and bool(getattr(image, "is_animated", False))


def frame_count(image: Image.Image) -> int:
    """The number of frames, if it is an animation, else 1 (also for pages and further images). Raises PictureError."""
    if image.format not in _ANIMATED_FORMATS:
        return 1
    with _convert_decoder_errors(_file_bytes(image)):
        return max(1, int(getattr(image, "n_frames", 1)) - _first_frame_index(image))


def _first_frame_index(image: Image.Image) -> int:
    """1 where a PNG's default image is for programs that know no animation, and no part of it."""
    return int(bool(getattr(image, "default_image", False)))


def loop_count(image: Image.Image) -> int:
    """How many times the animation is played; 0: for ever.

    PNG and WebP say this number, and Pillow's save() takes it for them. A GIF says how often it is repeated after the
    first time, or nothing if it is not. AVIF's number is not known to Pillow; its animations go on for ever.
    """
    said = image.info.get("loop")
    if image.format != "GIF":
        return int(said or 0)
    return 1 if said is None else int(said) + bool(said)


def decode_frames(image: Image.Image, metadata_level: str = "drop") -> Iterator[Picture]:
    """Each frame of an animation as it is seen, with its `duration`, decoded when it is asked for.

    Raises PictureError; before the first frame, if there are too many or they are too large.
    """
    data = _file_bytes(image)
    count = frame_count(image)
    if count > MAX_FRAMES or count * image.width * image.height > MAX_TOTAL_FRAME_PIXELS:
        raise PictureError(
            "too_large",
            f"this animation has {count} frames of {image.width} x {image.height} pixels: more than nobg can do. "
            "With `--first-frame` only its first frame is done.",
        )
    return _iter_frames(image, data, metadata_level, count)


def _iter_frames(image: Image.Image, data: bytes, metadata_level: str, count: int) -> Iterator[Picture]:
    first = _first_frame_index(image)
    for number in range(first, first + count):
        with _convert_decoder_errors(data):
            image.seek(number)
            picture = _decode_current_frame(image, data, metadata_level)
            own = picture.rgb.copy() if picture.rgb is image else picture.rgb  # seek() paints over the image's pixels
            duration = round(float(image.info.get("duration", 0)))
        yield replace(picture, rgb=own, duration=duration)


def _decode_current_frame(image: Image.Image, data: bytes, metadata_level: str) -> Picture:
    if isinstance(image, PngImagePlugin.PngImageFile):
        loaded = pixels.load_png(image, data)
    else:
        image.load()
        loaded = image
    if loaded.width * loaded.height > MAX_PIXELS:  # a HEIF may turn out to be larger than it says
        raise PictureError("too_large")
    icc = image.info.get("icc_profile")
    rgb, alpha, icc = pixels.to_rgb(loaded, icc)
    turn = _ORIENTATION_TRANSPOSES.get(_orientation(image))
    if turn is not None:
        rgb, alpha = rgb.transpose(turn), alpha and alpha.transpose(turn)
    icc = icc or _profile_from_tags(image, data)
    return Picture(
        rgb,
        alpha,
        icc,
        exif=metadata.exif_for_output(image, metadata_level),
        xmp=metadata.xmp_for_output(image, metadata_level),
    )


def _orientation(image: Image.Image) -> int:
    """HEIF's and JPEG XL's decoders turn the pixels themselves; there EXIF only repeats what was done."""
    return 1 if image.format in ("HEIF", "JXL") else metadata.orientation(image)


def _profile_from_tags(image: Image.Image, data: bytes) -> bytes | None:
    """A profile made from the colour tags of a picture that carries none; None: it is sRGB."""
    if image.info.get("icc_profile"):
        return None
    said, profile = _profile_from_container(image, data)
    if said or image.format == "JXL":
        return profile
    return profiles.adobe_rgb() if metadata.is_adobe_rgb(image) else None


def _profile_from_container(image: Image.Image, data: bytes) -> tuple[bool, bytes | None]:
    """Do the container's own tags say what the colours are, and the profile that means."""
    info = image.info
    if image.format in ("HEIF", "AVIF"):
        tags = containers.nclx(data)
        return tags is not None and tags[0] != _CICP_UNSPECIFIED, tags and profiles.from_cicp(*tags)
    if image.format != "PNG":
        return False, None
    if cicp := containers.png_cicp(data):
        return True, profiles.from_cicp(*cicp)
    if "srgb" in info:
        return True, None
    return bool({"gamma", "chromaticity"} & info.keys()), profiles.from_png(info.get("gamma"), info.get("chromaticity"))


_CICP_UNSPECIFIED = 2  # H.273


def _file_bytes(image: Image.Image) -> bytes:
    """The file, from an image that open_header returned; b"" once a plugin has let go of it."""
    file = getattr(image, "_fp", None) or getattr(image, "fp", None)
    return file.getvalue() if isinstance(file, io.BytesIO) else b""


@contextlib.contextmanager
def _convert_decoder_errors(data: bytes) -> Iterator[None]:
    """Whatever a decoder raises ends as a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too_large") from error
    except Exception as error:  # decoders meet hostile bytes, and each has its own ways to say no
        raise _decode_error(error, data) from error


def _decode_error(error: Exception, data: bytes) -> PictureError:
    """Decoders tell a cut-off file, a garbled one and one they were not built for in their messages, if at all."""
    text = str(error).lower()
    if "unsupported" in text or "not supported" in text:
        return PictureError("unsupported", _one_line(error))
    words = ("truncated", "not enough", "unexpected end")
    cut_off = isinstance(error, EOFError) or any(word in text for word in words) or containers.is_truncated(data)
    return PictureError("truncated" if cut_off else "unreadable", _one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")  # no period: it is no sentence for people


def multiply_alpha(alpha: NDArray[np.uint8], picture_alpha: Image.Image) -> NDArray[np.uint8]:
    """`alpha` (H, W) uint8 times a picture's own alpha, mode L of the same size: what is left to be seen."""
    result = np.empty_like(alpha)
    for top in range(0, len(alpha), _BAND_ROWS):
        rows = alpha[top : top + _BAND_ROWS]
        result[top : top + _BAND_ROWS] = (
            rows * np.asarray(picture_alpha.crop((0, top, picture_alpha.width, top + len(rows))), np.uint16) + 127
        ) // 255
    return result


def cut_out(picture: Picture, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with `alpha` (H, W) uint8, times the picture's own, as (H, W, 4) uint8: straight RGBA.

    A pixel that nobody can see (alpha 0) carries no colour: smaller, and nothing is hidden in the file.
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


_BAND_ROWS = 256  # rows worked on at a time, so that a 100-megapixel picture needs no second copy
