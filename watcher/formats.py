"""The kinds of pictures nobg takes: the one list that file filter, decoder and tests share. Standard library only."""

from __future__ import annotations

import os

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
}
"""Pillow's name of the format -> the endings its files have."""

MAX_PIXELS = 250_000_000
MAX_BYTES = 1 << 30

_ALL_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Does the name end like a picture's?"""
    return os.path.splitext(path)[1].lower() in _ALL_SUFFIXES
