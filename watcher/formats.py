"""The kinds of pictures nobg takes: the one list that file filter, decoder, menus, README and tests share.

Standard library only, and little of it: the right-click client reads it.
"""

from __future__ import annotations

import os

FORMATS = {
    "JPEG": ("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ("image/jpeg",), "also CMYK and progressive"),
    "PNG": ("PNG", (".png", ".apng"), ("image/png", "image/apng"), "also 16 bits, grey, palette; animations"),
    "HEIF": ("HEIC, HEIF", (".heic", ".heif", ".hif"), ("image/heic", "image/heif"), "photos of iPhones; also 10 bits"),
    "AVIF": ("AVIF", (".avif",), ("image/avif",), "8, 10 and 12 bits; animations"),
    "WEBP": ("WebP", (".webp",), ("image/webp",), "also lossless; animations"),
    "JXL": ("JPEG XL", (".jxl",), ("image/jxl",), "with `pip install 'nobg-watcher[jxl]'`; the first frame"),
    "TIFF": ("TIFF", (".tif", ".tiff"), ("image/tiff",), "8, 16 and 32 bits, CMYK, Lab, tiles; the first page"),
    "GIF": ("GIF", (".gif",), ("image/gif",), "animations"),
    "BMP": ("BMP", (".bmp", ".dib"), ("image/bmp", "image/x-ms-bmp"), ""),
}
"""Pillow's name of the format -> its name for people, the endings of its files, its MIME types, a remark."""

SUFFIXES = {name: kind[1] for name, kind in FORMATS.items()}
"""Pillow's name of the format -> the endings its files have."""

NOT_IN_BROWSERS = ("HEIF", "JXL", "TIFF")
"""Kinds that browsers do not show, or only some of them."""

MIME_TYPES = tuple(mime for kind in FORMATS.values() for mime in kind[2])
"""What the system calls these kinds: for menus and the desktop's "Open with"."""

MAX_PIXELS = 250_000_000
MAX_BYTES = 1 << 30
MAX_FRAMES = 600
"""Frames of an animation."""
MAX_TOTAL_FRAME_PIXELS = 100_000_000
"""Pixels of all frames of an animation together: all of them are in memory when it is written."""

_ALL_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def is_shown_by_browsers(path: str | os.PathLike[str]) -> bool:
    """By its name, is it a picture that every browser shows?"""
    suffix = os.path.splitext(path)[1].lower()
    return is_picture_name(path) and not any(suffix in SUFFIXES[name] for name in NOT_IN_BROWSERS)


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Does the name end like a picture's?"""
    return os.path.splitext(path)[1].lower() in _ALL_SUFFIXES
