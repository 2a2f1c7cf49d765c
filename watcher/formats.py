"""The kinds of pictures that nobg takes: the one list that file filter, decoder, menus, documents and tests share.

This module imports almost nothing, because the right-click client loads it.
"""

from __future__ import annotations

import os

FORMATS = {
    "JPEG": ("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ("image/jpeg",), "also CMYK and progressive"),
    "PNG": ("PNG", (".png", ".apng"), ("image/png", "image/apng"), "also 16 bits, grey, palette; animations"),
    "HEIF": ("HEIC, HEIF", (".heic", ".heif", ".hif"), ("image/heic", "image/heif"), "photos of iPhones; also 10 bits"),
    "AVIF": ("AVIF", (".avif",), ("image/avif",), "8, 10 and 12 bits; animations"),
    "WEBP": ("WebP", (".webp",), ("image/webp",), "also lossless; animations"),
    "JXL": (
        "JPEG XL",
        (".jxl",),
        ("image/jxl",),
        "with `pip install 'nobg-watcher[jxl]'`; of an animation, the last frame",
    ),
    "TIFF": ("TIFF", (".tif", ".tiff"), ("image/tiff",), "8, 16 and 32 bits, CMYK, Lab, tiles; the first page"),
    "GIF": ("GIF", (".gif",), ("image/gif",), "animations"),
    "BMP": ("BMP", (".bmp", ".dib"), ("image/bmp", "image/x-ms-bmp"), ""),
}
"""Pillow's name of the format -> its name for people, its file name extensions, its MIME types, a remark."""

SUFFIXES = {name: suffixes for name, (_, suffixes, _, _) in FORMATS.items()}
"""Pillow's name of the format -> its file name extensions."""

NOT_IN_BROWSERS = ("HEIF", "JXL", "TIFF")
"""Formats that some or all browsers do not show."""

MIME_TYPES = tuple(mime_type for _, _, mime_types, _ in FORMATS.values() for mime_type in mime_types)
"""The MIME types of all formats, for menus and the desktop's "Open with"."""

END_MISSING = "end_missing"
"""The note of a picture whose lowest rows, or last details, are not in its file."""

MAX_PIXELS = 250_000_000
"""The largest picture: width times height, in pixels."""
MAX_BYTES = 1 << 30
"""The largest file."""
MAX_FRAMES = 600
"""The most frames of an animation."""
MAX_TOTAL_FRAME_PIXELS = 100_000_000
"""The most pixels of all frames of an animation together: all are in memory while the output is written."""

_ALL_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def is_shown_by_browsers(path: str | os.PathLike[str]) -> bool:
    """Return whether the name is that of a picture that every browser shows."""
    suffix = os.path.splitext(path)[1].lower()
    return is_picture_name(path) and not any(suffix in SUFFIXES[name] for name in NOT_IN_BROWSERS)


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Return whether the name has the extension of a picture."""
    return os.path.splitext(path)[1].lower() in _ALL_SUFFIXES
