"""Hostile pictures: each is decoded or fails by name, its time grows as its size, and its memory is bounded."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

from tests.attacks import hostile_files as files
from tests.attacks.hostile_files import LONG
from tests.conftest import ROOT
from tests.support.growth import assert_linear
from watcher.errors import PictureError
from watcher.formats import MAX_FRAMES
from watcher.picture import codecs


def decode(data: bytes) -> str:
    """Decode a picture with all its frames and metadata, as the worker does. Returns "done" or why not."""
    try:
        image = codecs.open_header(data)
        if codecs.frame_count(image) == 1:
            codecs.decode(image, "all")
        else:
            for _ in codecs.decode_frames(image, "all"):
                pass
    except PictureError as error:
        return error.reason
    return "done"


GROWING: dict[str, tuple[Callable[[int], bytes], int]] = {
    "TIFF, strips": (files.strips, 10_000),
    "TIFF, strips of 12 bits": (lambda size: files.strips(size, bits=12), 10_000),
    "TIFF, strips that Pillow decodes": (lambda size: files.strips(size, bits=8), 20_000),
    "TIFF, strips of planes": (lambda size: files.strips(size, bits=8, samples=3), 4000),
    "TIFF, strips of deep planes": (lambda size: files.strips(size, samples=3), 4000),
    "TIFF, tiles": (files.tiles, 4000),
    "TIFF, pages": (files.pages, 4000),
    "TIFF, tags of which only the type is sound": (
        lambda size: files.tiff([(1000, LONG, 1, 0)] * min(size, 65535), bytes(12 * size)),
        20_000,
    ),
    "TIFF, tags of the same bytes": (files.same_bytes_tiff, 1000),
    "EXIF, tags of the same bytes": (files.same_bytes_exif, 1000),
    "JPEG, markers": (lambda size: files.jpeg(files.segment(0xFE, b"x") * size), 20_000),
    "JPEG, markers and no end": (lambda size: files.jpeg(files.segment(0xFE, b"x") * size, end=b""), 20_000),
    "JPEG, parts of EXIF": (lambda size: files.jpeg(files.segment(0xE1, b"Exif\0\0MM\0*") * size), 100_000),
    "JPEG, parts of a profile": (lambda size: files.jpeg(files.segment(0xE2, b"ICC_PROFILE\0\1\1x") * size), 20_000),
    "JPEG, scans": (lambda size: files.jpeg(scans=size), 1000),
    "JPEG, scans and no end": (lambda size: files.jpeg(scans=size, end=b""), 1000),
    "JPEG, fill bytes": (lambda size: files.jpeg(b"\xff" * size, end=b""), 50_000),
    "PNG, texts": (lambda size: files.png(files.chunk(b"tEXt", b"k\0v") * size), 10_000),
    "PNG, damaged texts": (lambda size: files.png((files.chunk(b"tEXt", b"k\0v")[:-1] + b"x") * size), 10_000),
    "PNG, XMP with blanks": (
        lambda size: files.png(
            files.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + (b"tiff:Orientation" + b" " * 9) * size)
        ),
        10_000,
    ),
    "GIF, frames": (lambda size: files.gif(8, 8, size), MAX_FRAMES // 4),
    "GIF, too many frames": (lambda size: files.gif(8, 8, size), 4000),
    "AVIF, boxes": (files.boxes, 20_000),
    "HEIC, boxes": (lambda size: files.boxes(size, "HEIF"), 20_000),
}


@pytest.mark.filterwarnings("ignore")  # Pillow warns of tags that it skips
@pytest.mark.parametrize("name", GROWING)
def test_the_time_grows_as_the_file(name: str) -> None:
    make, size = GROWING[name]
    assert_linear(decode, make, size)


@pytest.mark.parametrize("piece", [b"<!---->", b"<!-- ", b"<?xml>", b"<!doctype [", b"\n", b"a\xc3"])
def test_a_text_in_a_picture_s_name_is_told_in_no_time(piece: bytes) -> None:
    assert_linear(decode, lambda size: piece * size, 1000)  # forty comments took hours


ZEROS = 64 << 20
BOMBS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "PNG, text that unpacks to much": (
        lambda: files.png(files.chunk(b"zTXt", b"k\0\0" + files.deflated(ZEROS))),
        {"unreadable", "done"},
    ),
    "PNG, international text": (
        lambda: files.png(files.chunk(b"iTXt", b"k\0\1\0\0\0" + files.deflated(ZEROS))),
        {"unreadable", "done"},
    ),
    "PNG, profile": (
        lambda: files.png(files.chunk(b"iCCP", b"x\0\0" + files.deflated(ZEROS))),
        {"unreadable", "done"},
    ),
    "PNG, thousands of texts": (
        lambda: files.png(files.chunk(b"zTXt", b"k\0\0" + files.deflated(15 << 20)) * 60),
        {"unreadable", "done"},
    ),
    "PNG, more pixels than it says": (
        lambda: (
            files.PNG_SIGNATURE
            + files.header(8, 8)
            + files.chunk(b"IDAT", files.deflated(ZEROS))
            + files.chunk(b"IEND", b"")
        ),
        {"done"},
    ),
    "PNG, sides of 2^31": (lambda: files.large_png(0x7FFFFFFF, 1, 1, 0, 1), {"too_large"}),
    "PNG, thin": (
        lambda: files.PNG_SIGNATURE + files.header(1, 0x7FFFFFFF) + files.chunk(b"IDAT", bytes(9)),
        {"too_large"},
    ),
    "PNG, 4 000 000 000 frames": (lambda: files.apng(0xFFFFFFFF), {"too_large", "unreadable", "done"}),
    "PNG, frames that are not there": (lambda: files.apng(MAX_FRAMES), {"truncated", "unreadable", "done"}),
    "PNG, no frames": (lambda: files.apng(0), {"unreadable", "done"}),
    "PNG, directories of EXIF without end": (
        lambda: files.png(
            files.chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\x00\x03\xff\xff\xff\xff\0\0\0\0" * 65535)
        ),
        {"done"},
    ),
    "JPEG, EXIF in circles": (files.circular_exif, {"done"}),
    "JPEG, more profile than there is": (
        lambda: files.jpeg(files.segment(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(65000)) * 255),
        {"done"},
    ),
    "GIF, 4 gigapixels": (lambda: files.gif(65535, 65535, 1), {"too_large"}),
    "GIF, frames of 225 megapixels": (lambda: files.gif(15000, 15000, MAX_FRAMES), {"too_large"}),
    "TIFF, pages in circles": (lambda: files.tiff(files.page(), bytes(400), 8), {"done"}),
    "TIFF, directories in circles": (
        lambda: files.tiff([*files.page(), (330, 4, 1, 8), (34665, 4, 1, 8), (34853, 4, 1, 8)], bytes(400)),
        {"done"},
    ),
    "TIFF, tags of 4 GiB": (
        lambda: files.tiff([*files.page(), (305, 2, 0x7FFFFFFF, 8), (700, 1, 0xFFFFFFFF, 8)], bytes(400)),
        {"done", "unreadable", "unsupported"},
    ),
    "TIFF, 65535 tags": (
        lambda: files.tiff([(number, 4, 1, number) for number in range(65535)]),
        {"unreadable", "unsupported", "too_large"},
    ),
    "TIFF, 65535 samples": (
        lambda: files.tiff([*files.page()[:6], (277, 3, 1, 65535), *files.page()[7:]], bytes(400)),
        {"unreadable", "unsupported"},
    ),
    "TIFF, infinite numbers": (
        lambda: files.tiff([*files.page()[:2], (258, 11, 1, 0x7F800000), *files.page()[3:]], bytes(400)),
        {"unreadable", "unsupported", "done"},
    ),
    "TIFF, one strip of a small file": (
        lambda: files.tiff(files.page(16, 4000, 4000, 400, 31_116)).ljust(400, b"\0") + files.deflated(32_000_000),
        {"done"},
    ),
    "AVIF, says 65535 x 65535": (lambda: files.announced("AVIF", 65535, 65535), {"too_large", "unreadable"}),
    "HEIC, says 2^31": (lambda: files.announced("HEIF", 0x7FFFFFFF, 0x7FFFFFFF), {"too_large", "unreadable"}),
    "WebP, says 4 GiB": (lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(100), {"truncated", "unreadable"}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_decoded_or_fails_by_name(name: str) -> None:
    make, outcomes = BOMBS[name]
    assert decode(make()) in outcomes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux's")
def test_no_bomb_takes_more_than_a_few_hundred_megabytes() -> None:
    code = """
        import resource, warnings
        from tests.attacks.test_hostile_pictures import BOMBS, decode
        warnings.simplefilter("ignore")
        for name, (make, _) in BOMBS.items():
            data = make()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            decode(data)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, name, sep="\\t")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    growth = {name: int(kibibytes) for kibibytes, name in (line.split("\t") for line in result.stdout.splitlines())}
    assert set(growth) == set(BOMBS)
    assert {name: kibibytes for name, kibibytes in growth.items() if kibibytes > 400 << 10} == {}
