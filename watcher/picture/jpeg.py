"""Take JPEGs whose end is missing, and tell how much of the picture is missing.

Source: ITU-T T.81 (markers: table B.1; scans: B.2.3). Like libjpeg and browsers, nobg ends such a file itself; the
decoder then fills what is missing. Pillow does not pass on libjpeg's warning, so missing_rows() finds out what was
filled.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

START, END = b"\xff\xd8", b"\xff\xd9"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_EXIF_PREFIX = b"Exif\0\0"
_MAX_EXIF_PARTS = 64  # of 64 KiB
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither a stuffed byte nor a restart
_ZERO_PADDING = b"\0" * 64  # no scan ends with so many zeros; a download that was given its size in advance does

_COEFFICIENTS = 64  # of a block
_SEQUENTIAL = bytes([0, _COEFFICIENTS - 1, 0])  # the parameters of a scan that brings everything
_FILLER = b"\0" + hashlib.shake_256(b"nobg").digest(2048).replace(b"\xff", b"\x7f")
"""Bytes that continue any scan with content of their own, and make a data byte of an 0xFF before them."""


def with_end(data: bytes) -> bytes:
    """Return the file `data`, ended by an end marker if it is a JPEG that reaches its pixels and has none after them.

    Zeros after the end of the data, which an unfinished download leaves, are dropped.
    """
    if not data.startswith(START):
        return data
    first_scan = next((offset for marker, offset in _segments(data) if marker == _START_OF_SCAN), None)
    if first_scan is None or data.find(END, first_scan) >= 0:
        return data
    if data.endswith(_ZERO_PADDING):
        data = data.rstrip(b"\0")
        data += b"\0" * data.endswith(b"\xff")  # a stuffed byte, not a marker
    return data + END


def without_excess_exif(data: bytes) -> bytes:
    """Return the file `data`; if it is a JPEG with EXIF in more parts than any camera writes, with the first ones only.

    Pillow joins the parts one by one, which takes quadratic time.
    """
    if not data.startswith(START):
        return data
    segments = itertools.takewhile(lambda segment: segment[0] != _START_OF_SCAN, _segments(data))
    starts = [start for marker, start in segments if marker == _APP1 and data.startswith(_EXIF_PREFIX, start)]
    kept, kept_until = [], 0
    for start in starts[_MAX_EXIF_PARTS:]:
        kept.append(data[kept_until : start - 4])
        kept_until = start - 2 + int.from_bytes(data[start - 2 : start])
    return b"".join([*kept, data[kept_until:]]) if kept else data


def from_tables(
    size: tuple[int, int],
    samplings: Sequence[tuple[int, int]],
    tables: Sequence[tuple[bytes, bytes, bytes]],
    scans: Sequence[bytes],
    restart_interval: int,
) -> bytes:
    """Return the baseline JPEG of these parts (T.81, B.2.2 to B.2.4), which are one each for each component.

    `samplings`: across and down. `tables`: quantization (64 bytes), DC and AC (16 counts, then the values). `scans`:
    the coded data between two restarts. `restart_interval`: in MCUs; 0: none.
    """
    count = len(tables)
    segments = [
        *((0xDB, bytes([number]) + tables[number][0]) for number in range(count)),
        (0xC0, struct.pack(">BHHB", 8, size[1], size[0], count) + b"".join(
            bytes([number + 1, across << 4 | down, number]) for number, (across, down) in enumerate(samplings)
        )),
        *((0xC4, bytes([kind << 4 | number]) + tables[number][kind + 1]) for number in range(count) for kind in (0, 1)),
        (0xDD, struct.pack(">H", restart_interval)),
        (_START_OF_SCAN, bytes([count]) + b"".join(bytes([number + 1, number * 0x11]) for number in range(count))
         + _SEQUENTIAL),
    ]  # fmt: skip
    header = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    scan = b"".join(
        part.removesuffix(END) + (bytes([0xFF, 0xD0 + number % 8]) if number + 1 < len(scans) else b"")
        for number, part in enumerate(scans)
    )
    return START + header + scan + END


def missing_rows(ended: bytes, decoded: Image.Image) -> int:
    """Return how many rows at the bottom the file does not contain, wholly or in part; 0 if every pixel is there.

    `ended`: what with_end() returned after it had added the marker. `decoded`: its pixels, as stored. Pixels are
    missing where they change with the bytes that are put in place of the missing ones. If later scans are missing, each
    row is there but coarse: that counts as one row, or as all of them if the whole scans show no more than blocks.
    """
    scans = _scans(ended)
    top = _changes_with_filler(ended, decoded)
    if len(scans) > 1:
        is_whole = top is None and _has_all_coefficients(ended, scans)
        return 0 if is_whole else 1 if _shows_more_than_blocks(scans[:-1]) else decoded.height
    if top is not None:
        return decoded.height - top
    return 0 if _has_all_coefficients(ended, scans) else decoded.height


def _changes_with_filler(ended: bytes, decoded: Image.Image) -> int | None:
    """The first row that differs if other bytes continue the file; None if no row does."""
    with Image.open(io.BytesIO(ended.removesuffix(END) + _FILLER + END), formats=("JPEG",)) as other:
        other.load()
        box = ImageChops.difference(decoded, other).getbbox()
    return box[1] if box else None


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker that has a segment, and where the segment's content starts; the last may be cut off."""
    offset = len(START)
    while offset + 4 <= len(data):
        if data[offset] != 0xFF:
            return
        marker = data[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker == END[1]:
            return
        yield marker, offset + 4
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4])
        if marker == _START_OF_SCAN:
            following = _MARKER_IN_SCAN.search(data, offset)
            if following is None:
                return
            offset = following.start()


@dataclass(frozen=True)
class _Scan:
    """One scan: its components, the coefficients `first` to `last` that it brings, and how many low bits it omits."""

    components: bytes
    first: int
    last: int
    missing_bits: int


def _scans(data: bytes) -> list[_Scan]:
    """The scans that have begun."""
    scans, is_progressive = [], False
    for marker, start in _segments(data):
        if marker in _FRAME_HEADERS:
            is_progressive = marker & 3 == 2
        elif marker == _START_OF_SCAN:
            end = start + 1 + 2 * int.from_bytes(data[start : start + 1])  # the file may end here
            parameters = data[end : end + 3] if is_progressive else _SEQUENTIAL
            first, last, bits = parameters.ljust(3, b"\xff")
            scans.append(_Scan(data[start + 1 : end : 2], first, last, bits & 15))
    return scans


def _has_all_coefficients(data: bytes, scans: list[_Scan]) -> bool:
    """Whether the scans bring every coefficient of every component to its last bit, and no header is cut off."""
    components = b""
    for marker, start in _segments(data):
        if start - 2 + int.from_bytes(data[start - 2 : start]) > len(data):
            return False
        if marker in _FRAME_HEADERS:
            components = data[start + 6 : start + 6 + 3 * int.from_bytes(data[start + 5 : start + 6]) : 3]
    bits: dict[tuple[int, int], int] = {}
    for scan in scans:
        numbers = range(scan.first, scan.last + 1)
        bits.update({(component, number): scan.missing_bits for component in scan.components for number in numbers})
    return len(bits) == _COEFFICIENTS * len(set(components)) and not any(bits.values())


def _shows_more_than_blocks(scans: list[_Scan]) -> bool:
    """Whether the brightness, which is the first component, has coefficients beyond the mean of each block."""
    return any(scan.last > 0 and scan.components[:1] == scans[0].components[:1] for scan in scans)


def bits_per_sample(data: bytes) -> int:
    """Return the bits per sample that a JPEG's frame header declares (T.81, B.2.2); 0 if it has no such header."""
    offset = 2
    while offset + 5 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[offset + 4]
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4])
    return 0
