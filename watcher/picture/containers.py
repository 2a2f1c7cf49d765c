"""Read what a file says outside its pixels: its kind, colour tags that Pillow ignores, and whether its end is missing.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF items), ISO/IEC 18181-2 (JPEG XL), the PNG specification
(third edition), ITU-T T.81 (JPEG), RFC 9649 (WebP); for camera raw, TIFF revision 6.0, TIFF/EP (ISO 12234-2), Adobe's
DNG specification, and the magic numbers in libraw and file(1). For damaged bytes, these functions raise nothing but
ValueError.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction

JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_MAX_BRANDS_END = 4096  # bytes of the brands' box that are read
_RAW_MAGIC = {
    (0, b"FUJIFILMCCD-RAW"): "RAF",
    (0, b"IIRO"): "ORF",
    (0, b"IIRS"): "ORF",
    (0, b"MMOR"): "ORF",
    (0, b"IIU\0"): "RW2",
    (0, b"\0MRM"): "MRW",
    (0, b"FOVb"): "X3F",
    (4, b"ftypcrx "): "CR3",
    (4, b"\x10\0\0\0CR\2"): "CR2",
    (6, b"HEAPCCDR"): "CRW",
    (8, b"IIII"): "IIQ",
    (8, b"MMMM"): "IIQ",
}
"""Offset and bytes -> the raw format."""
_BIG_TIFF_STARTS = (b"II+\0", b"MM\0+")
_TIFF_STARTS = (b"II*\0", b"MM\0*", *_BIG_TIFF_STARTS)

_SUBFILE_TYPE, _PHOTOMETRIC, _MAKE, _SUBDIRECTORIES, _DNG_VERSION = 254, 262, 271, 330, 50706
_PIXELS = (273, 324, 513)  # tags that say where pixels are: strips, tiles, old-style JPEG
_PREVIEW, _MASK = 1, 4  # bits of NewSubfileType
_SENSOR_DATA = (32803, 34892)  # PhotometricInterpretation: colour filter array, LinearRaw
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # TIFF's types of unsigned integers, text and directories
_MAX_DIRECTORIES, _MAX_ENTRIES, _MAX_VALUES = 32, 4096, 256  # read of a file; libtiff takes no more entries either

_RAW_MAKERS = {b"nikon": "NEF", b"canon": "CR2", b"sony": "ARW", b"pentax": "PEF", b"ricoh": "PEF", b"samsung": "SRW"}


_SAVE = "Open it in its program, and save the picture from there."
_VIDEO = ("a video", "Take a still picture from it in a video player.")
_WEB_PAGE = ("a web page", "Download the picture itself: right-click it in the browser, and save it.")
_PDF = ("a PDF document", "Save its page as PNG in a PDF viewer.")
_ARCHIVE = ("an archive of files", "Unpack it first.")
_DOCUMENT = ("an office document", _SAVE)
_VECTOR = ("a drawing of lines (SVG)", "Save it as PNG in a drawing program.")
_SOUND = ("a sound recording", "Check which file you meant.")
_PROGRAM = ("a program", "Check which file you meant.")
_TEXT = ("a text", "Check which file you meant.")
_OTHER_MAGIC: dict[tuple[int, bytes], tuple[str, str]] = {
    (0, b"%PDF-"): _PDF,
    (0, b"%!PS"): ("a PostScript document", _SAVE),
    (0, b"\xc5\xd0\xd3\xc6"): ("a PostScript document", _SAVE),
    (0, b"8BPS"): ("a Photoshop document", _SAVE),
    (0, b"gimp xcf"): ("a GIMP document", _SAVE),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"): _DOCUMENT,
    (0, b"{\\rtf"): _DOCUMENT,
    (0, b"\x1aE\xdf\xa3"): _VIDEO,
    (0, b"FLV\1"): _VIDEO,
    (0, b"\0\0\1\xba"): _VIDEO,
    (0, b"\0\0\1\xb3"): _VIDEO,
    (0, b"0&\xb2u\x8ef\xcf\x11"): _VIDEO,
    (8, b"AVI LIST"): _VIDEO,
    (4, b"moov"): _VIDEO,
    (4, b"mdat"): _VIDEO,
    (8, b"WAVE"): _SOUND,
    (0, b"ID3"): _SOUND,
    (0, b"fLaC"): _SOUND,
    (0, b"OggS"): ("a sound recording or a video", "Check which file you meant."),
    (0, b"Rar!\x1a\7"): _ARCHIVE,
    (0, b"7z\xbc\xaf\x27\x1c"): _ARCHIVE,
    (0, b"\x1f\x8b"): _ARCHIVE,
    (0, b"BZh"): _ARCHIVE,
    (0, b"\xfd7zXZ\0"): _ARCHIVE,
    (0, b"(\xb5/\xfd"): _ARCHIVE,
    (257, b"ustar"): _ARCHIVE,
    (0, b"\x7fELF"): _PROGRAM,
    (0, b"MZ"): _PROGRAM,
}
"""Offset and bytes -> what a file is that is no picture, and what to do. From file(1)."""
_VIDEO_BRANDS = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  ", b"dash")
_VIDEO_BRAND_STARTS = (b"3g", b"M4V", b"mp4", b"f4v")
_MARKUP = re.compile(
    rb"(?>(?:<\?xml[^>]*>|<!--.*?-->|<!doctype[^>[]*(?:\[[^]]*\])?>|\s)*)<(?P<tag>[a-z]+)", re.IGNORECASE | re.DOTALL
)
"""What may be before the first tag is not tried in other ways (?>): many comments would take exponential time."""
_MAX_SNIFFED = 4096  # bytes at the start of a file that tell what it is


def other_kind(data: bytes) -> tuple[str, str] | None:
    """Return what a file that is no picture is, and what a person can do; None: nothing shows what it is."""
    for (offset, magic), kind in _OTHER_MAGIC.items():
        if data.startswith(magic, offset):
            return kind
    if data[4:8] == b"ftyp":
        is_sound = data[8:11] == b"M4A"
        is_video = data[8:12] in _VIDEO_BRANDS or data[8:12].startswith(_VIDEO_BRAND_STARTS)
        return _SOUND if is_sound else _VIDEO if is_video else None
    start = data[:_MAX_SNIFFED]
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        is_document = any(name in start for name in (b"[Content_Types].xml", b"mimetypeapplication/", b"word/", b"xl/"))
        return _DOCUMENT if is_document else _ARCHIVE
    text = start.removeprefix(b"\xef\xbb\xbf")
    if (markup := _MARKUP.match(text)) is not None:
        tag = markup["tag"].lower()
        return (
            _VECTOR if tag == b"svg" else _WEB_PAGE if tag in _WEB_TAGS or b"<!doctype html" in text.lower() else _TEXT
        )
    return _TEXT if _is_text(start, is_whole=len(data) <= _MAX_SNIFFED) else None


_WEB_TAGS = (b"html", b"head", b"body", b"script", b"title", b"meta", b"div", b"p", b"a")


def _is_text(start: bytes, *, is_whole: bool) -> bool:
    """Return whether the start of a file reads as text, in UTF-16 or a superset of ASCII."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start[: len(start) // 2 * 2]
        return start.decode("utf-16", "replace").isprintable() or b"\n\0" in start or b"\0\n" in start
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in start):
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return not is_whole and error.end == len(start) and error.start > len(start) - 4
    return True


def brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file (b"heic", b"avif", …); none for any other file."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4]), _MAX_BRANDS_END)
    return {data[8:12]} | {data[offset : offset + 4] for offset in range(16, end - 3, 4)}


def is_truncated(data: bytes) -> bool:
    """Return whether the end of the file is missing, as far as its format shows. For files that failed to decode."""
    if data[:4] == b"RIFF":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[4:8] == b"ftyp" or data.startswith(JXL_CONTAINER):
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
        for kind, start, end in _primary_properties(data):
            if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
                primaries, transfer = struct.unpack_from(">HH", data, start + 4)
                return primaries, transfer
    except (ValueError, struct.error, IndexError):
        pass
    return None


def clean_aperture(data: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of the clean aperture of an AVIF's or HEIF's primary item, before irot.

    None if there is none, or if it is not whole pixels within the picture, whose width and height are `size`; libavif
    calls such a box invalid. Source: ISO/IEC 14496-12, 12.1.4: size and offset of the centre, each as a fraction.
    """
    try:
        start = next(start for kind, start, _ in _primary_properties(data) if kind == b"clap")
        numbers = struct.unpack_from(">IIIIiIiI", data, start)
        width, height, right, down = (Fraction(*numbers[index : index + 2]) for index in (0, 2, 4, 6))
    except (ValueError, struct.error, IndexError, ZeroDivisionError, StopIteration):
        return None
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    box = (left, top, left + width, top + height)
    is_valid = all(edge.denominator == 1 for edge in box) and min(width, height) > 0 <= min(left, top)
    if not is_valid or box[2] > size[0] or box[3] > size[1]:
        return None
    return int(box[0]), int(box[1]), int(box[2]), int(box[3])


def _primary_properties(data: bytes) -> list[tuple[bytes, int, int]]:
    """The boxes that describe the primary item of an AVIF or HEIF. Raises ValueError, IndexError or struct.error."""
    properties = list(boxes(data, *_find_box(data, (b"meta", b"iprp", b"ipco"))))
    indices = _property_indices(data).get(_primary_item(data), [])
    return [properties[index - 1] for index in indices if 0 < index <= len(properties)]


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


def without_damaged_chunks(data: bytes) -> bytes:
    """Return the file `data`; if it is a PNG, without ancillary chunks whose checksum is wrong, as libpng drops them.

    If such a chunk belongs to an animation, all of the animation's chunks go: the default image remains.
    """
    if not data.startswith(_PNG_SIGNATURE):
        return data
    chunks = list(_png_chunks(data))
    damaged = {
        (kind, start)
        for kind, start, end in chunks
        if kind[0] & 0x20 and zlib.crc32(memoryview(data)[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end])
    }
    if not damaged:
        return data
    if any(kind in _PNG_ANIMATION for kind, _ in damaged):
        damaged |= {(kind, start) for kind, start, _ in chunks if kind in _PNG_ANIMATION}
    kept = [data[start:end] for kind, start, end in chunks if (kind, start) not in damaged]
    return b"".join([_PNG_SIGNATURE, *kept, data[chunks[-1][2] :]])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each whole chunk of a PNG, and where it starts and ends, length and checksum included."""
    offset = len(_PNG_SIGNATURE)
    while offset + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + size
        if end > len(data):
            return
        yield kind, offset, end
        offset = end


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


def raw_format(data: bytes) -> str:
    """Return the usual name of the raw format of the file `data`; "" if it is no camera raw file."""
    for (offset, magic), name in _RAW_MAGIC.items():
        if data.startswith(magic, offset):
            return name
    if data[:4] not in _TIFF_STARTS:
        return ""
    directories = list(_directories(data).values())
    if not any(_integer(data, directory, _PHOTOMETRIC) in _SENSOR_DATA for directory in directories):
        return ""
    if any(_DNG_VERSION in directory for directory in directories):
        return "DNG"
    make = data[slice(*directories[0].get(_MAKE, (0, 0, 0))[:2])].lower()
    return next((name for maker, name in _RAW_MAKERS.items() if make.startswith(maker)), "TIFF/EP")


def with_full_page_first(data: bytes) -> bytes:
    """Return the file `data`; if it is a TIFF that starts with a preview or a mask, opened at its first full page."""
    pages = full_pages(data)
    field = _offset_field(data)
    if not pages or pages[0] == _read(data, field, field):
        return data
    offset = pages[0].to_bytes(field, "little" if data.startswith(b"II") else "big")
    return data[:field] + offset + data[2 * field :]


def full_pages(data: bytes) -> list[int]:
    """Return the offsets of a TIFF's directories that describe neither a preview nor a mask; none for other files."""
    if data[:4] not in _TIFF_STARTS:
        return []
    return [
        offset
        for offset, directory in _directories(data).items()
        if not directory.keys().isdisjoint(_PIXELS)
        and not _integer(data, directory, _SUBFILE_TYPE) & (_PREVIEW | _MASK)
    ]


Directory = dict[int, tuple[int, int, int]]
"""Tag -> where its values start and end in the file, and the bytes of one value."""


def _directories(data: bytes) -> dict[int, Directory]:
    """The directories of a TIFF at their offsets: those of the pages, each before those below it.

    Sources: TIFF 6.0, section 2; TIFF/EP; libtiff's BigTIFF, in which numbers are longer.
    """
    field = _offset_field(data)
    count_bytes, entry_bytes = (8, 20) if field == 8 else (2, 12)
    pending, found = [_read(data, field, field)], dict[int, Directory]()
    while pending and len(found) < _MAX_DIRECTORIES:
        offset = pending.pop(0)
        if offset in found or not 2 * field <= offset < len(data) - count_bytes:
            continue
        found[offset] = directory = {}
        first = offset + count_bytes
        end = first + entry_bytes * _read(data, offset, count_bytes)
        last = min(end, first + _MAX_ENTRIES * entry_bytes, len(data) - entry_bytes + 1)
        for entry in range(first, last, entry_bytes):
            size = _VALUE_BYTES.get(_read(data, entry + 2, 2))
            if size is not None:
                length = size * min(_read(data, entry + 4, field), _MAX_VALUES)
                value = entry + 4 + field
                start = value if length <= field else _read(data, value, field)
                directory[_read(data, entry, 2)] = start, start + length, size
        start, stop, size = directory.get(_SUBDIRECTORIES, (0, 0, field))
        pending[:0] = [_read(data, position, field) for position in range(start, stop, size)]
        pending.append(_read(data, end, field))
    return found


def _offset_field(data: bytes) -> int:
    """The bytes of an offset in this TIFF; where the first directory's stands, too."""
    return 8 if data[:4] in _BIG_TIFF_STARTS else 4


def _read(data: bytes, offset: int, size: int) -> int:
    """The unsigned integer of `size` bytes at `offset`, in the byte order of the TIFF; less if the file ends there."""
    return int.from_bytes(data[offset : offset + size], "little" if data.startswith(b"II") else "big")


def _integer(data: bytes, directory: Directory, tag: int) -> int:
    """The first value of a tag; 0 if the directory does not have it."""
    start, _, size = directory.get(tag, (0, 0, 0))
    return _read(data, start, size)
