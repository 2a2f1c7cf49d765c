"""Pictures for the tests of this wing, made by Pillow or byte by byte."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from watcher.picture import codecs


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> codecs.Picture:
    """Return the picture as nobg decodes it, without metadata."""
    return codecs.decode(codecs.open_header(data))


def noise(width: int = 40, height: int = 30, channels: int = 3) -> Image.Image:
    """Return random pixels, the same in every call."""
    values = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", body)


@functools.cache  # a profile contains the second in which it was made
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


def bomb() -> bytes:
    """Return a PNG of 900 megapixels of one bit each, in a few kilobytes."""
    rows = zlib.compress(b"\0" * (30000 // 8 + 1) * 100)
    return png_header(30000, 30000, depth=1, colour=0) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def animation(kind: str, **options: Any) -> tuple[bytes, list[np.ndarray[Any, Any]]]:
    """Return an animation, and its three frames (40, 60, 4): an opaque rectangle at a different place in each."""
    pixels = np.zeros((3, 40, 60, 4), np.uint8)
    for number in range(3):
        pixels[number, 10:30, 20 * number : 20 * number + 15] = (250, 80 * number, 10, 255)
    images = [Image.fromarray(frame) for frame in pixels]
    options = {"duration": [100, 200, 300], "append_images": images[1:], "save_all": True, **options}
    return saved(images[0], kind, **options), list(pixels)


ANIMATION_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("GIF", {"disposal": 2}),
    ("PNG", {"disposal": 1, "blend": 0}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
]
"""Format -> options with which Pillow stores the frames of animation() as they are."""


def rich_exif() -> Image.Exif:
    """Return EXIF with an orientation, a place, a MakerNote and tags worth keeping."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8298], exif[0x011A] = "Maker", 6, "Ada", 300.0
    inner = exif.get_ifd(0x8769)
    inner[0x829A], inner[0x9003], inner[0x927C], inner[0xA002] = 0.01, "2024:05:06 07:08:09", b"SECRET" * 9, 4000
    inner[0xA001], inner[0xA005] = 1, {1: "R98"}
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    return exif


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" exif:GPSLatitude="48,8N"/></x:xmpmeta>'


def rgba_pixels(picture: codecs.Picture) -> NDArray[np.int64]:
    """Return the pixels and the alpha, (H, W, 4); opaque if the picture has no alpha."""
    alpha = picture.alpha or Image.new("L", picture.rgb.size, 255)
    return np.dstack([np.asarray(picture.rgb), np.asarray(alpha)]).astype(np.int64)


def heif_with_code_points(files: Path, kind: str, code_points: tuple[int, int]) -> bytes:
    """Return a HEIC or AVIF of the scene whose colr box has these primaries and transfer."""
    data = io.BytesIO()
    image = Image.open(files / "rgb8.png")
    if kind == "avif":
        image.save(data, "AVIF", quality=90)
    else:
        image.save(data, "HEIF", quality=90, color_primaries=9, transfer_characteristics=13, save_nclx_profile=True)
    content = bytearray(data.getvalue())
    offset = content.index(b"colrnclx") + 8
    content[offset : offset + 4] = struct.pack(">HH", *code_points)
    return bytes(content)
