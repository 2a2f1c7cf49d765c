"""What a file tells outside its pixels: its kind, colour tags that Pillow leaves out, and whether its end is missing.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF items), ISO/IEC 18181-1 and -2 (JPEG XL), the PNG
specification (third edition), ITU-T T.81 (JPEG), RFC 9649 (WebP). Nothing here raises for damaged bytes but ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_JXL_CODESTREAM = b"\xff\x0a"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def brands(data: bytes) -> set[bytes]:
    """The brands of an ISO base media file (`heic`, `avif`, ...); empty: it is none."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4]), 4096)
    return {data[8:12]} | {data[place : place + 4] for place in range(16, end - 3, 4)}


def is_jxl(data: bytes) -> bool:
    """Is it JPEG XL, bare or in its container?"""
    return data.startswith((_JXL_CODESTREAM, _JXL_CONTAINER))


def is_truncated(data: bytes) -> bool:
    """Of a file that could not be read: is its end missing, as far as its kind can tell?"""
    if data[:4] == b"RIFF":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[4:8] == b"ftyp" or data.startswith(_JXL_CONTAINER):
        return _boxes_end(data) != len(data)
    if data[:3] == b"GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if data[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in data[-1024:]
    if data[:4] in (b"II*\0", b"MM\0*"):
        return int.from_bytes(data[4:8], "little" if data[:1] == b"I" else "big") + 2 > len(data)
    return data.startswith(_PNG_SIGNATURE) and b"IEND" not in data[-1024:]


def _boxes_end(data: bytes) -> int:
    """Where the last box should end; -1 where what follows is no box."""
    place = 0
    while place < len(data):
        size, head = _box_size(data, place, len(data))
        if size < head:
            return -1
        place += size
    return place


def _box_size(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """The box's size, its header included, and that of its header; (0, 8): no box."""
    if offset + 8 > end:
        return 0, 8
    size = int.from_bytes(data[offset : offset + 4])
    if size == 1:
        return int.from_bytes(data[offset + 8 : offset + 16]), 16
    return (end - offset, 8) if size == 0 else (size, 8)


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each box, and where its content begins and ends; the last may be cut off."""
    place, end = start, len(data) if end is None else end
    while place < end:
        size, head = _box_size(data, place, end)
        if size < head:
            return
        yield data[place + 4 : place + 8], place + head, min(place + size, end)
        place += size


def _find_box(data: bytes, path: tuple[bytes, ...]) -> tuple[int, int]:
    """Where the content of the first box of that path lies."""
    start, end = 0, len(data)
    for kind in path:
        start, end = next(((s, e) for name, s, e in boxes(data, start, end) if name == kind), (0, 0))
        if kind == b"meta":
            start += 4  # version and flags
        if start >= end:
            raise ValueError(f"no {kind!r}")
    return start, end


def nclx(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer (H.273) of an AVIF's or HEIF's primary item, if its `colr` property says them."""
    try:
        properties = list(boxes(data, *_find_box(data, (b"meta", b"iprp", b"ipco"))))
        primary = _primary_item(data)
        for index in _associations(data).get(primary, []):
            kind, start, end = properties[index - 1] if 0 < index <= len(properties) else (b"", 0, 0)
            if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
                first, second = struct.unpack_from(">HH", data, start + 4)
                return first, second
    except (ValueError, struct.error, IndexError):
        pass
    return None


def _primary_item(data: bytes) -> int:
    start, _ = _find_box(data, (b"meta", b"pitm"))
    wide = data[start] > 0  # version
    return int.from_bytes(data[start + 4 : start + (8 if wide else 6)])


def _associations(data: bytes) -> dict[int, list[int]]:
    """Item -> the numbers of its properties, counted from 1 (ISO/IEC 14496-12, 8.11.14)."""
    start, end = _find_box(data, (b"meta", b"iprp", b"ipma"))
    item_bytes, index_bytes = (4 if data[start] else 2), (2 if data[start + 3] & 1 else 1)
    place, found = start + 8, {}
    while place < end:
        item = int.from_bytes(data[place : place + item_bytes])
        place += item_bytes + 1
        count = data[place - 1]
        raw = [data[place + i * index_bytes : place + (i + 1) * index_bytes] for i in range(count)]
        found[item] = [int.from_bytes(part) & (0x7FFF if index_bytes == 2 else 0x7F) for part in raw]
        place += count * index_bytes
    return found


def png_cicp(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of a PNG's cICP chunk (11.3.2.6), which stands before the pixels."""
    place = len(_PNG_SIGNATURE)
    while place + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"cICP" and size == 4:
            return data[place + 8], data[place + 9]
        if kind in (b"IDAT", b"IEND"):
            break
        place += 12 + size
    return None


def jpeg_bits_per_sample(data: bytes) -> int:
    """Bits a sample of a JPEG, from its frame header (T.81, B.2.2); 0: there is none."""
    place = 2
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[place + 4]
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return 0


@dataclass(frozen=True)
class JxlHeader:
    """Width and height as shown (the codestream's own orientation applied), and whether it moves."""

    width: int
    height: int
    is_animated: bool


def jxl_header(data: bytes) -> JxlHeader:
    """Read without decoding (ISO/IEC 18181-1, annex D: SizeHeader and the beginning of ImageMetadata)."""
    bits = _BitReader(_jxl_codestream(data)[2:])
    width, height = _read_jxl_size(bits)
    orientation, animated = 1, False
    if not bits.read(1) and bits.read(1):  # not all default, and extra fields
        orientation = 1 + bits.read(3)
        if bits.read(1):  # the size it is meant to be shown at
            _read_jxl_size(bits)
        if not bits.read(1):  # no preview; with one, what follows is further on
            animated = bool(bits.read(1))
    return JxlHeader(*((height, width) if orientation > 4 else (width, height)), animated)


def jxl_box(data: bytes, kind: bytes) -> bytes | None:
    """The content of a container's first box of that kind."""
    if not data.startswith(_JXL_CONTAINER):
        return None
    return next((data[start:end] for name, start, end in boxes(data) if name == kind), None)


def _jxl_codestream(data: bytes) -> bytes:
    """The codestream's beginning: the file itself, the box jxlc, or the boxes jxlp, each after its number."""
    if data.startswith(_JXL_CODESTREAM):
        return data[:_MAX_HEADER_BYTES]
    found = b""
    for kind, start, end in boxes(data):
        skip = {b"jxlc": 0, b"jxlp": 4}.get(kind)
        if skip is not None and len(found) < _MAX_HEADER_BYTES:
            found += data[start + skip : min(end, start + skip + _MAX_HEADER_BYTES)]
    if not found.startswith(_JXL_CODESTREAM):
        raise ValueError("no codestream")
    return found


_MAX_HEADER_BYTES = 64  # bytes: the fields read are much shorter


class _BitReader:
    """Bits from the least significant on."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._bits_left = 8 * len(data)

    def read(self, count: int) -> int:
        self._bits_left -= count
        if self._bits_left < 0:
            raise ValueError("the header is cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value


def _read_jxl_size(bits: _BitReader) -> tuple[int, int]:
    small = bits.read(1)

    def length() -> int:
        return 8 * (1 + bits.read(5)) if small else 1 + bits.read((9, 13, 18, 30)[bits.read(2)])

    height = length()
    ratio = bits.read(3)
    if ratio == 0:
        return length(), height
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * across // down, height
