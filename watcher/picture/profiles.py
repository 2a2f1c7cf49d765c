"""Build ICC profiles for files that carry only colour tags, check those that files carry, and take their names out.

Sources: ICC.1:2022 (profile version 4.4) for the layout; ITU-T H.273 (07/2024) tables 2 and 3 for code points,
primaries and curves; IEC 61966-2-1 (sRGB); SMPTE RP 177 for primaries -> matrix; SMPTE ST 2084 (PQ), ITU-R BT.2100
(HLG) and BT.2408 (reference white) for HDR; Adobe RGB (1998) Color Image Encoding, version 2005-05.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Matrix = NDArray[np.float64]
"""A 3 x 3 matrix, or values of any shape."""


@dataclass(frozen=True)
class Primaries:
    """The CIE 1931 chromaticities (x, y) of white and of the three primary colours."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


_D65 = (0.3127, 0.3290)
SRGB = Primaries(_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE_RGB = Primaries(_D65, (0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
DISPLAY_P3 = Primaries(_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT2020 = Primaries(_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))

_CICP_PRIMARIES = {
    1: SRGB,
    4: Primaries((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Primaries(_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Primaries(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Primaries(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: BT2020,
    11: Primaries((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: DISPLAY_P3,
}
"""Code point -> primaries (H.273, table 2)."""
_CICP_UNSPECIFIED, _CICP_BT709 = 2, 1
_LINEAR, _PQ, _HLG = 8, 16, 18
_SRGB_LIKE_TRANSFERS = (1, 2, 6, 11, 13, 14, 15)
"""Transfer code points that are shown with sRGB's curve (H.273, table 3); 2 is "unspecified".

Those of BT.709, BT.601 and BT.2020 describe how a camera encodes, not how a screen shows. Viewers show still pictures
that have them like sRGB.
"""
_TRANSFER_GAMMAS = {4: 2.2, 5: 2.8, _LINEAR: 1.0, 17: 2.6}
"""Transfer code point -> exponent of a power function."""

_D50 = np.array([0.9642, 1.0, 0.8249])
"""XYZ of the white of the profile connection space (ICC.1:2022, 7.2.16)."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""The linearised Bradford matrix (ICC.1:2022, annex E)."""
_CURVE_POINTS = 4096  # of a sampled curve
_NAME, _COPYRIGHT = "nobg: from the picture's colour tags", "No copyright, use freely"
_DATE = (2022, 1, 1, 0, 0, 0)  # fixed, so that equal colours give equal bytes
_COLOUR_TAGS = frozenset(
    [*(name + b"XYZ" for name in (b"r", b"g", b"b")), *(name + b"TRC" for name in (b"r", b"g", b"b")), b"wtpt", b"chad"]
    + [kind + str(intent).encode() for kind in (b"A2B", b"B2A", b"D2B", b"B2D") for intent in range(4)]
)
"""Tags from which colours are computed (ICC.1:2022, 8.4 and 9.2). All others describe, or are private."""
_TEXT_TYPES = (b"desc", b"mluc", b"text", b"dict", b"utf8", b"zut8")
_MAX_TAGS = 100
_ELEMENT_HEADER_BYTES = 12  # type, reserved bytes, and the number of values or kind of curve
"""Tags that are read of a profile; real ones have some twenty."""
_REFERENCE_WHITE_NITS = 203.0  # cd/m2: the white of a printed page in an HDR picture (BT.2408)


def from_cicp(primaries: int, transfer: int) -> bytes | None:
    """Return the RGB profile of H.273's code points; None: they mean sRGB, or nobg does not know them.

    HDR (PQ 16, HLG 18) is shown up to the reference white; what is brighter becomes white.
    """
    colours = _CICP_PRIMARIES.get(_CICP_BT709 if primaries == _CICP_UNSPECIFIED else primaries)
    if colours is None or (colours == SRGB and transfer in _SRGB_LIKE_TRANSFERS):
        return None
    if transfer in _SRGB_LIKE_TRANSFERS:
        return build_profile(colours, _srgb_curve())
    if transfer in _TRANSFER_GAMMAS:
        return build_profile(colours, gamma_curve(_TRANSFER_GAMMAS[transfer]))
    to_light = {_PQ: _pq_to_light, _HLG: _hlg_to_light}.get(transfer)
    return None if to_light is None else build_profile(colours, _sampled_curve(to_light))


def from_png(gamma: float | None, chromaticities: tuple[float, ...] | None) -> bytes | None:
    """Return the RGB profile of a PNG's gAMA and cHRM; None: they mean sRGB, or the values are not plausible.

    `gamma`: the exponent of the encoding. `chromaticities`: x and y of white, red, green and blue. Source: PNG
    specification, third edition, 11.3.2.1 and 11.3.2.2. Programs that mean sRGB write a gamma of 1/2.2 without cHRM.
    """
    primaries = SRGB
    if chromaticities is not None and len(chromaticities) == 8:
        xy = chromaticities
        primaries = Primaries((xy[0], xy[1]), (xy[2], xy[3]), (xy[4], xy[5]), (xy[6], xy[7]))
    like_srgb = gamma is None or abs(gamma - 1 / 2.2) < 0.01
    if not _are_plausible(primaries) or (gamma is not None and not 0.1 < gamma < 5):
        return None
    if like_srgb and _are_close(primaries, SRGB):
        return None
    return build_profile(primaries, _srgb_curve() if gamma is None or like_srgb else gamma_curve(1 / gamma))


@cache
def adobe_rgb() -> bytes:
    """Return the profile of Adobe RGB (1998); its gamma is exactly 2 + 51/256 (Adobe's specification, 4.3.4.2)."""
    return build_profile(ADOBE_RGB, gamma_curve(2 + 51 / 256))


def is_usable(icc: bytes) -> bool:
    """Return whether colours can be converted from this profile (RGB, grey or CMYK).

    The output must not carry a damaged profile to its viewers.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}[icc[16:20]]
        ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, KeyError):
        return False
    return True


def is_srgb(icc: bytes) -> bool:
    """Return whether colours of this RGB profile have the same numbers in sRGB, up to one of 255 levels."""
    steps = np.arange(0, 256, 51).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError):
        return False
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return bool(np.abs(converted.astype(int) - colours).max() <= 1)


@lru_cache(maxsize=1)  # the next picture most likely has the same profile
def without_names(icc: bytes) -> bytes:
    """Return this RGB profile, which is_usable() accepts, with neutral texts and without private tags and dates.

    A calibrated screen's profile names the device and says when it was measured. The colours stay the same.
    """
    elements = list(_elements(icc))
    colours = [(tag, element) for tag, element in elements if tag in _COLOUR_TAGS]
    nameless = _assemble_like(icc, colours)
    if is_usable(nameless):
        return nameless
    return _assemble_like(icc, [(tag, element) for tag, element in elements if element[:4] not in _TEXT_TYPES])


def _elements(icc: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the element of each tag, cut to what its type has (ICC.1:2022, 7.3 and 10).

    Tags may share an element, but their elements together are not larger than the profile.
    """
    count = min(int.from_bytes(icc[128:132]), _MAX_TAGS, (len(icc) - 132) // 12)
    positions, remaining_bytes = set[tuple[int, int]](), len(icc)
    for tag, offset, size in struct.iter_unpack(">4sII", icc[132 : 132 + 12 * max(count, 0)]):
        if offset + size > len(icc):  # Little CMS leaves such tags out, too
            continue
        # Little CMS reads as many bytes as the type has, also where the tag says that it has fewer.
        element = icc[offset : offset + _element_bytes(icc[offset : offset + max(size, _ELEMENT_HEADER_BYTES)], size)]
        if (offset, len(element)) not in positions:
            positions.add((offset, len(element)))
            remaining_bytes -= len(element)
        if remaining_bytes < 0:
            return
        yield tag, element


def _element_bytes(element: bytes, size: int) -> int:
    """The length of an element of numbers by its type, or `size`, that of its tag, for another type.

    What follows the numbers is not read by anyone, but could name somebody.
    """
    if element[:4] == b"XYZ ":
        return 8 + 12
    if element[:4] == b"sf32":
        return 8 + 36
    if element[:4] == b"curv":
        return 12 + 2 * int.from_bytes(element[8:12])
    if element[:4] == b"para":
        return 12 + 4 * {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(int.from_bytes(element[8:10]), 7)
    return size


def _assemble_like(icc: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """A profile of these tags and neutral texts, of the version, class, spaces, intent and white of `icc`."""
    if icc[8] < 4:  # version 2 has other types for texts (ICC.1:2001-04, 6.5.17 and 6.5.18)
        name = _NAME.encode() + b"\0"
        description = struct.pack(">4sII", b"desc", 0, len(name)) + name + bytes(4 + 4 + 2 + 1 + 67)
        texts = [(b"desc", description), (b"cprt", b"text\0\0\0\0" + _COPYRIGHT.encode() + b"\0")]
    else:
        texts = [(b"desc", _text_element(_NAME)), (b"cprt", _text_element(_COPYRIGHT))]
    built = _assemble([*texts, *tags])
    own = _header(len(built))
    return own[:8] + icc[8:24] + own[24:64] + icc[64:80] + own[80:128] + built[128:]


def lab_to_srgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert L* (0..100), a*, b* under D50, (..., 3), to sRGB, (..., 3), 0..1, clipped.

    Sources: CIE 15:2004, 8.2.1; IEC 61966-2-1, 5.2.
    """
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f * f * f, (f - 4 / 29) * (3 * (6 / 29) ** 2)) * _D50.astype(np.float32)
    linear = np.clip(xyz @ np.linalg.inv(rgb_to_xyz_d50(SRGB)[0]).T.astype(np.float32), 0, 1)
    codes: NDArray[np.float32] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return codes


def build_profile(primaries: Primaries, curve: bytes) -> bytes:
    """Return a display profile, version 4, of three primaries and one curve (a `para` or `curv` element) for all three.

    It has about 500 bytes with a `para` curve.
    """
    matrix, adaptation = rgb_to_xyz_d50(primaries)
    tags = [
        (b"desc", _text_element(_NAME)),
        (b"cprt", _text_element(_COPYRIGHT)),
        (b"wtpt", _xyz_element(_D50)),
        (b"chad", b"sf32\0\0\0\0" + b"".join(_s15fixed16(value) for value in adaptation.flat)),
        *((name, _xyz_element(matrix[:, column])) for column, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))),
        *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    return _assemble(tags)


def rgb_to_xyz_d50(primaries: Primaries) -> tuple[Matrix, Matrix]:
    """Return the matrix from linear RGB to XYZ relative to D50, and the adaptation of the white that it includes."""
    matrix = _rgb_to_xyz(primaries)
    adaptation = _adaptation_matrix(matrix.sum(axis=1))
    return adaptation @ matrix, adaptation


def _rgb_to_xyz(primaries: Primaries) -> Matrix:
    """SMPTE RP 177, 3.3: the columns are the primary colours, scaled so that their sum is the white."""
    colours = np.array([_xy_to_xyz(xy) for xy in (primaries.red, primaries.green, primaries.blue)]).T
    scaled: Matrix = colours * np.linalg.solve(colours, _xy_to_xyz(primaries.white))
    return scaled


def _xy_to_xyz(xy: tuple[float, float]) -> Matrix:
    """XYZ, (3,), of a chromaticity, for Y = 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation_matrix(white: Matrix) -> Matrix:
    """The matrix that adapts XYZ from `white`, (3,), to D50 (ICC.1:2022, annex E)."""
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Matrix = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD
    return adapted


def _are_plausible(primaries: Primaries) -> bool:
    """Whether the chromaticities are possible colours that span a space."""
    points = (primaries.white, primaries.red, primaries.green, primaries.blue)
    if any(y < 0.01 or x < 0 or x + y > 1.2 for x, y in points):
        return False
    colours = np.array([_xy_to_xyz(xy) for xy in points[1:]]).T
    return bool(abs(np.linalg.det(colours)) > 0.01 and (_rgb_to_xyz(primaries).sum(axis=0) > 0).all())


def _are_close(first: Primaries, second: Primaries) -> bool:
    values = [np.array((p.white, p.red, p.green, p.blue)) for p in (first, second)]
    return bool(np.abs(values[0] - values[1]).max() < 0.002)


def gamma_curve(exponent: float) -> bytes:
    """Return a power function as an ICC curve: light = code value ** exponent (ICC.1:2022, 10.18, function type 0)."""
    return struct.pack(">4sIHH", b"para", 0, 0, 0) + _s15fixed16(exponent)


def _srgb_curve() -> bytes:
    """The curve of sRGB (IEC 61966-2-1, 5.2) as function type 3: (a x + b) ** g from x = d on, c x below."""
    values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return struct.pack(">4sIHH", b"para", 0, 3, 0) + b"".join(_s15fixed16(value) for value in values)


def _sampled_curve(to_light: Callable[[Matrix], Matrix]) -> bytes:
    """A curve of samples: light, 0..65535, at evenly spaced code values (ICC.1:2022, 10.6)."""
    light = np.clip(to_light(np.linspace(0, 1, _CURVE_POINTS)), 0, 1)
    return struct.pack(">4sII", b"curv", 0, _CURVE_POINTS) + np.round(light * 65535).astype(">u2").tobytes()


def _pq_to_light(code: Matrix) -> Matrix:
    """Code values, 0..1 -> light, where 1 is the reference white (ST 2084, 5.1)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = code ** (1 / m2)
    light: Matrix = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light / _REFERENCE_WHITE_NITS


def _hlg_to_light(code: Matrix) -> Matrix:
    """Code values, 0..1 -> light, where 1 is the reference white: 75 % of the signal (BT.2408).

    The inverse OETF, then the system gamma 1.2 for each colour alone (BT.2100, table 5).
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073

    def to_scene_light(signal: Matrix) -> Matrix:
        return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)

    light: Matrix = (to_scene_light(code) / to_scene_light(np.array([0.75]))) ** 1.2
    return light


def _s15fixed16(value: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(">i", round(value * 65536))


def _xyz_element(value: Matrix) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_s15fixed16(part) for part in value)


def _text_element(text: str) -> bytes:
    """A multi-localised text of one record, in US English (ICC.1:2022, 10.15)."""
    encoded = text.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _assemble(tags: list[tuple[bytes, bytes]]) -> bytes:
    """The profile: header, tag table, elements at multiples of four; equal elements are stored once (ICC.1:2022, 7)."""
    table = struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    body = b""
    offsets: dict[bytes, int] = {}
    for name, element in tags:
        if element not in offsets:
            offsets[element] = start + len(body)
            body += element + b"\0" * (-len(element) % 4)
        table += struct.pack(">4sII", name, offsets[element], len(element))
    return _header(start + len(body)) + table + body


def _header(size: int) -> bytes:
    """The header, 128 bytes, of a profile of `size` bytes (ICC.1:2022, 7.2).

    A display, RGB to XYZ, version 4.4.
    """
    fields = (
        size,
        b"\0" * 4,  # preferred CMM
        0x04400000,  # version
        b"mntr",
        b"RGB ",
        b"XYZ ",
        *_DATE,
        b"acsp",
        b"\0" * 4,  # platform
        0,  # flags
        b"\0" * 4,  # manufacturer
        b"\0" * 4,  # model
    )
    attributes, relative_colorimetric = 0, 1
    head = struct.pack(">I4sI4s4s4s6H4s4sI4s4s", *fields) + struct.pack(">QI", attributes, relative_colorimetric)
    return head + b"".join(_s15fixed16(value) for value in _D50) + b"\0" * 48
