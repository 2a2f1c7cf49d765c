"""Read a picture's EXIF and XMP, and filter them for its cut-out by the level that the person chose.

Sources: EXIF 3.0 (CIPA DC-008-2023); XMP specification, part 3.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable

from PIL import Image, TiffImagePlugin

DROP, KEEP, ALL = "drop", "keep", "all"
"""Levels of metadata in the output: none; EXIF without places; EXIF with places, and XMP."""

_ORIENTATION, _COLOUR_SPACE, _INTEROP_INDEX = 0x0112, 0xA001, 1
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
"""Tags that point to the directories of the photo, of places and of interoperability."""
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_INCH = 2
_UNITS_PER_INCH = {_INCH: 1.0, 3: 2.54}  # EXIF's unit -> how many of it are an inch; 3: centimetre
_MIN_DPI, _MAX_DPI = 1, 65_535  # what JFIF can state; anything else is no resolution
_KEPT_MAIN_TAGS = frozenset(
    {
        0x010D,  # DocumentName
        0x010E,  # ImageDescription
        0x010F,  # Make
        0x0110,  # Model
        0x011A,  # XResolution
        0x011B,  # YResolution
        0x0128,  # ResolutionUnit
        0x0131,  # Software
        0x0132,  # DateTime
        0x013B,  # Artist
        0x013C,  # HostComputer
        0x4746,  # Rating
        0x4749,  # RatingPercent
        0x8298,  # Copyright
        0x9C9B,  # XPTitle, written by Windows
        0x9C9D,  # XPAuthor, written by Windows
    }
)
"""Tags kept of the main directory. The others describe the stored pixels, which differ from the cut-out's."""
_KEPT_EXIF_TAGS = frozenset(
    {
        *range(0x829A, 0x829E),  # exposure time, f-number
        *range(0x8822, 0x8834),  # exposure program, sensitivity
        *range(0x9000, 0x9013),  # version, dates and their zones
        *range(0x9201, 0x920B),  # shutter, aperture, brightness, distance, light, flash, focal length
        *range(0x9290, 0x9293),  # fractions of seconds of the dates
        0xA001,  # colour space
        *range(0xA20E, 0xA218),  # sensor
        *range(0xA402, 0xA40B),  # exposure mode, white balance, zoom, scene, contrast, saturation, sharpness
        0xA40C,  # subject distance range
        0xA430,  # owner of the camera
        *range(0xA432, 0xA435),  # lens
    }
)
"""Tags kept of the photo's directory at level "keep".

Left out: what may name a place or a serial number or contain a preview (comments, MakerNote, private tags), and what
describes the stored pixels (size, subject area).
"""
_DROPPED_EXIF_TAGS = {
    0x927C,  # MakerNote: may contain previews, in an undocumented format
    0xA002,  # PixelXDimension, of the stored picture
    0xA003,  # PixelYDimension
    _INTEROP_IFD,  # an offset in the old block; _filter_exif() copies what it points to
}
"""Tags dropped from the photo's directory at every level."""
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the operation that makes the picture upright (EXIF 3.0, table 6)."""
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")  # in Pillow's `info`
_EXIF_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    AttributeError,
    struct.error,
)
"""What Pillow raises for damaged EXIF blocks."""


def orientation(image: Image.Image) -> int:
    """Return the orientation, 1..8, that EXIF states; 1 if it states none or the block is damaged.

    Call it after load(). An orientation in XMP alone does not count, unlike in Pillow: browsers do not read it. AVIF's
    own irot and imir are in the EXIF block that Pillow makes.
    """
    without_xmp = Image.new("1", (1, 1))
    without_xmp.info = {key: value for key, value in image.info.items() if key not in _XMP_KEYS}
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else without_xmp.getexif()
            value = tags.get(_ORIENTATION, 1)
    except _EXIF_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_transpose(image: Image.Image) -> Image.Transpose | None:
    """Return the operation that makes the picture upright by its orientation; None if it is upright."""
    return _TRANSPOSES.get(orientation(image))


def is_adobe_rgb(image: Image.Image) -> bool:
    """Return whether EXIF declares Adobe RGB.

    DCF 2.0 declares it by interoperability index R03; some cameras write colour space 2 instead.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            exif = image.getexif()
            colour_space = exif.get_ifd(_EXIF_IFD).get(_COLOUR_SPACE)
            index = exif.get_ifd(_INTEROP_IFD).get(_INTEROP_INDEX)
    except _EXIF_ERRORS:
        return False
    return colour_space == 2 or (colour_space != 1 and str(index).rstrip("\0") == "R03")


def resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the pixels per inch, across and down as stored, that JFIF, pHYs, BMP's header or EXIF state; else None.

    Call it after load().
    """
    info = image.info
    # Pillow states 72 for a JPEG whose EXIF has no resolution
    is_stated = image.format != "JPEG" or info.get("jfif_unit") in (1, 2)
    try:
        with warnings.catch_warnings(action="ignore"):
            stored = info.get("dpi") if is_stated and image.format != "TIFF" else None
            across, down = map(float, stored or _exif_resolution(image.getexif()))
    except (*_EXIF_ERRORS, ArithmeticError):
        return None
    return scaled_resolution((across, down), 1)


def scaled_resolution(dpi: tuple[float, float] | None, scale: float) -> tuple[float, float] | None:
    """Return the resolution of a picture resized by `scale`, which stays as large on paper, or None if it is absurd."""
    scaled = dpi and (dpi[0] * scale, dpi[1] * scale)
    return scaled if scaled and all(_MIN_DPI <= value <= _MAX_DPI for value in scaled) else None


def _exif_resolution(exif: Image.Exif) -> tuple[float, float]:
    """The pixels per inch that EXIF, or a TIFF, states. Raises KeyError if it states none."""
    unit = _UNITS_PER_INCH[exif.get(_RESOLUTION_UNIT, _INCH)]
    return float(exif[_X_RESOLUTION]) * unit, float(exif[_Y_RESOLUTION]) * unit


def with_resolution(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    r"""Return the EXIF block (b"Exif\0\0" and a TIFF; None: a new one) with this resolution, in pixels per inch."""
    result = Image.Exif()
    if exif is not None:
        result.load(exif)
    result[_X_RESOLUTION], result[_Y_RESOLUTION] = (round(value, 2) for value in dpi)
    result[_RESOLUTION_UNIT] = _INCH
    return result.tobytes()


def exif_for_output(image: Image.Image, level: str) -> bytes | None:
    r"""Return the EXIF block for the upright output: b"Exif\0\0" and a TIFF, as Pillow's save() takes it.

    Orientation, thumbnail, MakerNote and what describes the stored pixels are dropped; places (GPS) are kept at level
    "all" only. None if nothing is kept, or if the block is damaged. `level`: "drop", "keep" or "all".
    """
    if level == DROP:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return _filter_exif(image.getexif(), with_gps=level == ALL)
    except _EXIF_ERRORS:
        return None


def _filter_exif(source: Image.Exif, *, with_gps: bool) -> bytes | None:
    """The block of what is kept of `source`, or None if that is nothing."""
    result = Image.Exif()
    _copy_tags(dict(source), result, lambda tag: tag in _KEPT_MAIN_TAGS)
    photo = Image.Exif()
    _copy_tags(
        source.get_ifd(_EXIF_IFD),
        photo,
        lambda tag: tag not in _DROPPED_EXIF_TAGS if with_gps else tag in _KEPT_EXIF_TAGS,
    )
    if photo:
        result.get_ifd(_EXIF_IFD).update(dict(photo))
    if index := source.get_ifd(_INTEROP_IFD).get(_INTEROP_INDEX):
        result.get_ifd(_EXIF_IFD)[_INTEROP_IFD] = {_INTEROP_INDEX: index}
    if with_gps and (gps := source.get_ifd(_GPS_IFD)):
        result.get_ifd(_GPS_IFD).update(gps)
    return result.tobytes() if len(result) or photo or (with_gps and gps) else None


def _copy_tags(source: dict[int, object], result: Image.Exif, should_keep: Callable[[int], bool]) -> None:
    """Copy the tags that `should_keep` accepts, except those whose value Pillow cannot write.

    Each tag is tried alone, because one such value would cost the whole block.
    """
    for tag, value in source.items():
        if not should_keep(tag):
            continue
        trial = Image.Exif()
        trial[tag] = value
        try:
            trial.tobytes()
        except _EXIF_ERRORS:
            continue
        result[tag] = value


def xmp_for_output(image: Image.Image, level: str) -> bytes | None:
    """Return the XMP packet at level "all", unchanged but for the orientation, which becomes 1; else None."""
    stored = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if level != ALL or not stored:
        return None
    packet = stored.encode() if isinstance(stored, str) else bytes(stored)
    packet = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d([\"'])", rb"\g<1>1\2", packet)
    return re.sub(rb"(<tiff:Orientation>)\s*\d\s*(</tiff:Orientation>)", rb"\g<1>1\2", packet)
