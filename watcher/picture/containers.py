"""Read what a file says outside its pixels: its kind, colour tags that Pillow ignores, and whether its end is missing.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF items), ISO/IEC 18181-1 and -2 (JPEG XL), the PNG
specification (third edition), ITU-T T.81 (JPEG), RFC 9649 (WebP). For damaged bytes, these functions raise nothing but
ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_JXL_CODESTREAM = b"\xff\x0a"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_BRANDS_END = 4096  # bytes of the brands' box that are read


def brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file (b"heic", b"avif", …); none for any other file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4]), _MAX_BRANDS_END)
    return {data[8:12]} | {data[offset : offset + 4] for offset in range(16, end - 3, 4)}


def is_jxl(data: bytes) -> bool:
    """Return whether the file is JPEG XL, bare or in its container."""
    return data.startswith((_JXL_CODESTREAM, _JXL_CONTAINER))


def is_truncated(data: bytes) -> bool:
    """Return whether the end of the file is missing, as far as its format shows. For files that failed to decode."""
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
    """The offset at which the last box should end; -1 if the boxes are followed by something else."""
    offset = 0
    while offset < len(data):
        size, header_size = _box_size(data, offset, len(data))
        if size < header_size:
            return -1
        offset += size
    return offset


def _box_size(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """The size of the box at `offset`, header included, and the size of its header; (0, 8): there is no box."""
    if offset + 8 > end:
        return 0, 8
    size = int.from_bytes(data[offset : offset + 4])
    if size == 1:
        return int.from_bytes(data[offset + 8 : offset + 16]), 16
    return (end - offset, 8) if size == 0 else (size, 8)


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box between `start` and `end`, and where its content starts and ends.

    The last box may be cut off.
    """
    offset, end = start, len(data) if end is None else end
    while offset < end:
        size, header_size = _box_size(data, offset, end)
        if size < header_size:
            return
        yield data[offset + 4 : offset + 8], offset + header_size, min(offset + size, end)
        offset += size


def _find_box(data: bytes, path: tuple[bytes, ...]) -> tuple[int, int]:
    """Where the content of the first box at this path of kinds starts and ends. Raises ValueError if there is none."""
    start, end = 0, len(data)
    for kind in path:
        start, end = next(((s, e) for name, s, e in boxes(data, start, end) if name == kind), (0, 0))
        if kind == b"meta":
            start += 4  # version and flags
        if start >= end:
            raise ValueError(f"no {kind!r}")
    return start, end


def nclx(data: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer (H.273) of the primary item of an AVIF or HEIF; None if no `colr` names them."""
    try:
        properties = list(boxes(data, *_find_box(data, (b"meta", b"iprp", b"ipco"))))
        item = _primary_item(data)
        for index in _property_indices(data).get(item, []):
            kind, start, end = properties[index - 1] if 0 < index <= len(properties) else (b"", 0, 0)
            if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
                primaries, transfer = struct.unpack_from(">HH", data, start + 4)
                return primaries, transfer
    except (ValueError, struct.error, IndexError):
        pass
    return None


def _primary_item(data: bytes) -> int:
    """The number of the item that is the picture itself (ISO/IEC 14496-12, 8.11.4)."""
    start, _ = _find_box(data, (b"meta", b"pitm"))
    version = data[start]
    return int.from_bytes(data[start + 4 : start + (6 if version == 0 else 8)])


def _property_indices(data: bytes) -> dict[int, list[int]]:
    """Item -> the numbers of its properties, counted from 1 (ISO/IEC 14496-12, 8.11.14)."""
    start, end = _find_box(data, (b"meta", b"iprp", b"ipma"))
    item_bytes, index_bytes = (4 if data[start] else 2), (2 if data[start + 3] & 1 else 1)
    index_mask = 0x7FFF if index_bytes == 2 else 0x7F  # without the bit that marks a property as essential
    offset, indices = start + 8, {}
    while offset < end:
        item = int.from_bytes(data[offset : offset + item_bytes])
        offset += item_bytes + 1
        count = data[offset - 1]
        fields = [data[offset + i * index_bytes : offset + (i + 1) * index_bytes] for i in range(count)]
        indices[item] = [int.from_bytes(field) & index_mask for field in fields]
        offset += count * index_bytes
    return indices


def png_cicp(data: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer (H.273) of a PNG's cICP chunk (11.3.2.6); None if none precedes the pixels."""
    offset = len(_PNG_SIGNATURE)
    while offset + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"cICP" and size == 4:
            return data[offset + 8], data[offset + 9]
        if kind in (b"IDAT", b"IEND"):
            break
        offset += 12 + size
    return None


def jpeg_bits_per_sample(data: bytes) -> int:
    """Return the bits per sample that a JPEG's frame header declares (T.81, B.2.2); 0 if it has no such header."""
    offset = 2
    while offset + 5 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[offset + 4]
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4])
    return 0


@dataclass(frozen=True)
class JxlHeader:
    """Width and height in pixels as shown (after the codestream's own orientation), and whether it is an animation."""

    width: int
    height: int
    is_animated: bool


def jxl_header(data: bytes) -> JxlHeader:
    """Read a JPEG XL's header without decoding (ISO/IEC 18181-1, annex D: SizeHeader, start of ImageMetadata).

    Raises ValueError if there is no codestream or its header is cut off.
    """
    bits = _BitReader(_jxl_codestream(data)[2:])
    width, height = _read_jxl_size(bits)
    orientation, is_animated = 1, False
    if not bits.read(1) and bits.read(1):  # not all_default, and extra_fields
        orientation = 1 + bits.read(3)
        if bits.read(1):  # intrinsic size, which only recommends how to show the picture
            _read_jxl_size(bits)
        if not bits.read(1):  # after a preview, the field would be further on; it then counts as absent
            is_animated = bool(bits.read(1))
    return JxlHeader(*((height, width) if orientation > 4 else (width, height)), is_animated)


def jxl_box(data: bytes, kind: bytes) -> bytes | None:
    """Return the content of the first box of that kind in JPEG XL's container; None if there is none."""
    if not data.startswith(_JXL_CONTAINER):
        return None
    return next((data[start:end] for name, start, end in boxes(data) if name == kind), None)


def _jxl_codestream(data: bytes) -> bytes:
    """The start of the codestream: the file itself, the box jxlc, or the boxes jxlp, each after its 4-byte number."""
    if data.startswith(_JXL_CODESTREAM):
        return data[:_MAX_HEADER_BYTES]
    codestream = b""
    for kind, start, end in boxes(data):
        number_bytes = {b"jxlc": 0, b"jxlp": 4}.get(kind)
        if number_bytes is not None and len(codestream) < _MAX_HEADER_BYTES:
            codestream += data[start + number_bytes : min(end, start + number_bytes + _MAX_HEADER_BYTES)]
    if not codestream.startswith(_JXL_CODESTREAM):
        raise ValueError("no codestream")
    return codestream


_MAX_HEADER_BYTES = 64  # the fields that are read take much less


class _BitReader:
    """Reads bits, the least significant of each byte first."""

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
    """Width and height in pixels, from a SizeHeader."""
    is_small = bits.read(1)

    def read_length() -> int:
        return 8 * (1 + bits.read(5)) if is_small else 1 + bits.read((9, 13, 18, 30)[bits.read(2)])

    height = read_length()
    ratio = bits.read(3)
    if ratio == 0:
        return read_length(), height
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * across // down, height
