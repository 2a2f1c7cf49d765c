"""Make small pictures that unpack to much, lead decoders in circles, or say the same thing again and again."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Entry = tuple[int, int, int, int]
"""Tag, type, count and value or offset of a TIFF's directory entry."""

SHORT, LONG, UNDEFINED = 3, 4, 7


def deflated(size: int) -> bytes:
    """Zeros, which Deflate makes a thousand times smaller."""
    packer = zlib.compressobj(9)
    mebibyte = bytes(1 << 20)
    parts = [packer.compress(mebibyte) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size & 0xFFFFF)), packer.flush()])


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """The first chunk of a PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    """A sound PNG of 8 x 8 pixels with these chunks before its pixels."""
    pixels = zlib.compress((b"\0" + b"\x40\x80\xc0" * 8) * 8)
    return PNG_SIGNATURE + header(8, 8) + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def large_png(width: int, height: int, depth: int, colour: int, row_bytes: int) -> bytes:
    """A PNG of zeros, however large."""
    pixels = deflated((row_bytes + 1) * height)
    return PNG_SIGNATURE + header(width, height, depth, colour) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def apng(count: int) -> bytes:
    """A PNG that says it has `count` frames, and has three."""
    pixels = zlib.compress((b"\0" + b"\x40\x80\xc0" * 8) * 8)
    body = chunk(b"acTL", struct.pack(">II", count, 0))
    for number in range(3):
        body += chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number, 8, 8, 0, 0, 1, 100, 0, 0))
        body += chunk(b"IDAT", pixels) if number == 0 else chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + pixels)
    return PNG_SIGNATURE + header(8, 8) + body + chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF of this size whose frames are one pixel each."""
    frame = b"\x21\xf9\x04\x04\0\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def tiff(entries: Sequence[Entry], rest: bytes = b"", next_directory: int = 0) -> bytes:
    """A TIFF with one directory at its start, and what follows it."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", next_directory) + rest


def page(bits: int = 8, width: int = 8, height: int = 8, offset: int = 200, length: int = 64) -> list[Entry]:
    """The entries of a grey page with one strip; from 16 bits on, the strip is deflated."""
    compression = 1 if bits == 8 else 8
    return [
        *((256, LONG, 1, width), (257, LONG, 1, height), (258, SHORT, 1, bits), (259, SHORT, 1, compression)),
        *((262, SHORT, 1, 1), (273, LONG, 1, offset), (277, SHORT, 1, 1)),
        *((278, LONG, 1, height), (279, LONG, 1, length)),
    ]


def strips(rows: int, bits: int = 16, samples: int = 1) -> bytes:
    """A TIFF one pixel wide with a strip for each row, or each row of each plane: 8 bytes a strip."""
    count, first = rows * samples, 400
    entries = [
        *((256, LONG, 1, 1), (257, LONG, 1, rows), (258, SHORT, 1, bits), (259, SHORT, 1, 8)),
        *((262, SHORT, 1, 1 if samples == 1 else 2), (273, LONG, count, first), (277, SHORT, 1, samples)),
        *((278, LONG, 1, 1), (279, LONG, count, first + 4 * count), (284, SHORT, 1, 1 if samples == 1 else 2)),
    ]
    data = zlib.compress(bytes((bits + 7) // 8))
    places = struct.pack("<I", first + 8 * count) * count + struct.pack("<I", len(data)) * count
    return tiff(entries).ljust(first, b"\0") + places + data


def tiles(count: int) -> bytes:
    """A TIFF with this many tiles of 16 x 16 pixels in one row."""
    first = 400
    entries = [
        *((256, LONG, 1, 16 * count), (257, LONG, 1, 16), (258, SHORT, 1, 16), (259, SHORT, 1, 8)),
        *((262, SHORT, 1, 1), (277, SHORT, 1, 1), (322, LONG, 1, 16), (323, LONG, 1, 16)),
        *((324, LONG, count, first), (325, LONG, count, first + 4 * count)),
    ]
    data = zlib.compress(bytes(512))
    places = struct.pack("<I", first + 8 * count) * count + struct.pack("<I", len(data)) * count
    return tiff(entries).ljust(first, b"\0") + places + data


def pages(count: int) -> bytes:
    """A TIFF with this many pages."""
    size = 2 + 12 * len(page()) + 4
    directories = [tiff(page(), next_directory=8 + size * (number + 1))[8:] for number in range(count)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directories)[:-4] + bytes(500)


def same_bytes_tiff(count: int) -> bytes:
    """A TIFF with `count` tags that all are the same bytes, which are most of the file."""
    size = 16 * count
    extra = [(1000 + number, UNDEFINED, size, 8) for number in range(count)]
    return tiff([*page(), *extra]).ljust(size + 300, b"\0")


def same_bytes_exif(count: int) -> bytes:
    """A PNG whose EXIF has `count` tags that all are the same bytes."""
    size = 16 * count
    main = struct.pack(">HHHIII", 1, 0x8769, LONG, 1, 26, 0)
    tags = b"".join(struct.pack(">HHII", 0x1000 + number, UNDEFINED, size, 64) for number in range(count))
    block = b"MM\0*" + struct.pack(">I", 8) + main + struct.pack(">H", count) + tags + bytes(4)
    return png(chunk(b"eXIf", block.ljust(size + 128, b"\0")))


def circular_exif() -> bytes:
    """A JPEG whose EXIF's directories are inside themselves."""
    entries = [(0x8769, LONG, 1, 8), (0x8825, LONG, 1, 8), (0xA005, LONG, 1, 8), (0x0112, SHORT, 0xFFFFFFFF, 8)]
    directory = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *entry) for entry in entries)
    block = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + directory + struct.pack(">I", 8)
    return jpeg(segment(0xE1, block))


def segment(marker: int, data: bytes) -> bytes:
    """A marker segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(segments: bytes = b"", scans: int = 0, end: bytes = b"\xff\xd9") -> bytes:
    """A progressive JPEG with these segments at its start, and its last scan `scans` times more."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 77).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last_scan = data[data.rfind(b"\xff\xda") : -2]
    return data[:2] + segments + data[2:-2] + last_scan * scans + end


def boxes(count: int, kind: str = "AVIF") -> bytes:
    """An AVIF or HEIC with this many empty boxes at its end."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 199)).save(buffer, kind)
    return buffer.getvalue() + struct.pack(">I4s", 8, b"free") * count


def announced(kind: str, width: int, height: int) -> bytes:
    """An AVIF or HEIC of 64 x 64 pixels that says it has others."""
    data = boxes(0, kind)
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]
