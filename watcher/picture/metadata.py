"""What a picture tells in words: the EXIF and XMP that its cut-out may carry, as far as the person asked for it.

EXIF 3.0 (CIPA DC-008-2023), XMP specification part 3.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable

from PIL import Image

DROP, KEEP, ALL = "drop", "keep", "all"
"""Nothing; EXIF without places; EXIF with places, and XMP."""

_ORIENTATION, _EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x0112, 0x8769, 0x8825, 0xA005
_KEPT_MAIN_TAGS = frozenset(
    {
        0x010D,  # the document's name
        0x010E,  # description
        0x010F,  # make
        0x0110,  # model
        0x011A,  # resolution, across and down, and its unit
        0x011B,
        0x0128,
        0x0131,  # software
        0x0132,  # date and time
        0x013B,  # artist
        0x013C,  # computer
        0x4746,  # stars
        0x4749,
        0x8298,  # copyright
        0x9C9B,  # title and author, as Windows writes them
        0x9C9D,
    }
)
"""Of the main directory; what else it has describes the stored pixels, which the cut-out's are not any more."""
_KEPT_EXIF_TAGS = frozenset(
    {
        *range(0x829A, 0x829E),  # exposure time, f-number
        *range(0x8822, 0x8834),  # exposure program, sensitivity
        *range(0x9000, 0x9013),  # version, dates and their zones
        *range(0x9201, 0x920B),  # shutter, aperture, brightness, distance, light, flash, focal length
        *range(0x9290, 0x9293),  # parts of seconds of the dates
        0xA001,  # colour space
        *range(0xA20E, 0xA218),  # sensor
        0xA402,  # exposure mode, white balance, zoom, scene, contrast, saturation, sharpness
        *range(0xA403, 0xA40B),
        0xA40C,  # subject distance range
        0xA430,  # owner of the camera
        *range(0xA432, 0xA435),  # lens
    }
)
"""Of the photo's directory at level "keep". Left out: what may name a place or a serial number or hold a preview
(comments, the maker's note, tags of no standard), and what describes the stored pixels (size, subject area).
"""
_DROPPED_EXIF_TAGS = {
    0x927C,  # MakerNote: previews, in ways only the maker knows
    0xA002,  # width and height of the stored picture
    0xA003,
    _INTEROP_IFD,  # a place in the old block; kept by its content
}
"""Of the photo's directory at any level."""
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
"""What Pillow raises over damaged EXIF blocks."""


def orientation(image: Image.Image) -> int:
    """1..8, as EXIF says, or XMP where EXIF does not; 1 where that is damaged. After load()."""
    try:
        with warnings.catch_warnings(action="ignore"):
            value = image.getexif().get(_ORIENTATION, 1)
    except _EXIF_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def is_adobe_rgb(image: Image.Image) -> bool:
    """Does EXIF say so? DCF 2.0: interoperability index R03; some cameras write colour space 2."""
    try:
        with warnings.catch_warnings(action="ignore"):
            exif = image.getexif()
            space = exif.get_ifd(_EXIF_IFD).get(0xA001)
            index = exif.get_ifd(_INTEROP_IFD).get(1)
    except _EXIF_ERRORS:
        return False
    return space == 2 or (space != 1 and str(index).rstrip("\0") == "R03")


def exif_for_output(image: Image.Image, level: str) -> bytes | None:
    r"""The EXIF block for the upright output: b"Exif\0\0" and a TIFF, as Pillow's save() takes it; None: nothing kept.

    Without orientation, thumbnail, MakerNote and what describes the stored pixels; GPS at level "all" only.
    A damaged block gives None.
    """
    if level == DROP:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return _filter_exif(image.getexif(), with_gps=level == ALL)
    except _EXIF_ERRORS:
        return None


def _filter_exif(old: Image.Exif, *, with_gps: bool) -> bytes | None:
    new = Image.Exif()
    _copy_tags(dict(old), new, lambda tag: tag in _KEPT_MAIN_TAGS)
    inner = Image.Exif()
    _copy_tags(
        old.get_ifd(_EXIF_IFD), inner, lambda tag: tag not in _DROPPED_EXIF_TAGS if with_gps else tag in _KEPT_EXIF_TAGS
    )
    if inner:
        new.get_ifd(_EXIF_IFD).update(dict(inner))
    if index := old.get_ifd(_INTEROP_IFD).get(1):
        new.get_ifd(_EXIF_IFD)[_INTEROP_IFD] = {1: index}
    if with_gps and (places := old.get_ifd(_GPS_IFD)):
        new.get_ifd(_GPS_IFD).update(places)
    return new.tobytes() if len(new) or inner or (with_gps and places) else None


def _copy_tags(old: dict[int, object], new: Image.Exif, should_keep: Callable[[int], bool]) -> None:
    """Tag by tag: a value that cannot be written again would cost the whole block."""
    for tag, value in old.items():
        if not should_keep(tag):
            continue
        trial = Image.Exif()
        trial[tag] = value
        try:
            trial.tobytes()
        except _EXIF_ERRORS:
            continue
        new[tag] = value


def xmp_for_output(image: Image.Image, level: str) -> bytes | None:
    """The XMP packet as it is, but for the orientation, at level "all"; else None."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if level != ALL or not packet:
        return None
    found = packet.encode() if isinstance(packet, str) else bytes(packet)
    found = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d([\"'])", rb"\g<1>1\2", found)
    return re.sub(rb"(<tiff:Orientation>)\s*\d\s*(</tiff:Orientation>)", rb"\g<1>1\2", found)
