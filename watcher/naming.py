"""Names of sources and outputs, and where outputs go. Pure functions; the right-click client loads this module."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from watcher.formats import is_picture_name

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing or pathlib would cost the client milliseconds
    from pathlib import Path, PurePath
    from typing import AnyStr

DEFAULT_SUFFIX = "_nobg"
MAX_NAME_BYTES = 255  # the limit of almost every file system

_APPENDED = (  # what file managers and sync programs append to the name of a copy, or of the loser of a conflict
    r"( ?\([^()]*\)"  # "(copy)", "(1)", "(conflicted copy 2026-05-01 101500)"
    r"| - [^\W\d_]+"  # " - Copy", " - Kopie (2)"
    r"| copy( \d+)?| \d+"  # macOS
    r"|\.sync-conflict-\d{8}-\d{6}(-\w{7})?|_conflict-\d{8}-\d{6})*"  # Syncthing, ownCloud
)


def is_output_name(name: str, name_suffix: str = DEFAULT_SUFFIX) -> bool:
    """Return whether the name is `*_nobg.*` or `*_nobg-N.*`, or the same with `name_suffix` in place of `_nobg`.

    It may have what file managers and sync programs append to the name of a copy.
    """
    return _has_suffix(name, DEFAULT_SUFFIX) or (name_suffix != DEFAULT_SUFFIX and _has_suffix(name, name_suffix))


def _has_suffix(name: str, suffix: str) -> bool:
    if suffix not in name:  # most names; the right-click client has no time to compile the pattern for them
        return False
    return re.fullmatch(rf".*{re.escape(suffix)}(-\d+)?{_APPENDED}\.[^.]+", name, re.DOTALL) is not None


def is_source_name(name: str) -> bool:
    """Return whether a file of this name in a folder is a source: a picture, not hidden, not an output."""
    return is_picture_name(name) and not is_output_name(name) and not name.startswith(".")


def resolve_destination(folder: AnyStr, output: AnyStr) -> AnyStr:
    """The destination of pictures in `folder`. `output`: absolute, or relative to `folder`. Normalises the path."""
    return os.path.normpath(os.path.join(folder, output))


def escape_unprintable(text: str) -> str:
    """The text with each unprintable character, such as a line break, replaced by its code in hexadecimal digits."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def output_names(source: PurePath, name_suffix: str = DEFAULT_SUFFIX, extension: str = ".png") -> Iterator[str]:
    """`photo_nobg.png`, `photo_nobg-2.png`, `photo_nobg-3.png`, … for `photo.jpg`.

    If the name is longer than 255 bytes, the part that comes from the source loses characters at its end.
    """
    number = 1
    while True:
        ending = f"{name_suffix}{f'-{number}' if number > 1 else ''}{extension}"
        stem = source.stem
        while len(os.fsencode(stem + ending)) > MAX_NAME_BYTES:
            stem = stem[:-1]
        yield stem + ending
        number += 1


def output_paths(
    source: Path, folder: Path, name_suffix: str = DEFAULT_SUFFIX, extension: str = ".png"
) -> Iterator[Path]:
    """The paths to try in `folder` for the output of `source`."""
    for name in output_names(source, name_suffix, extension):
        yield folder / name


def numbered_names(name: str) -> Iterator[str]:
    """`photo.jpg`, `photo-2.jpg`, `photo-3.jpg`, …"""
    yield name
    stem, suffix = os.path.splitext(name)
    number = 2
    while True:
        yield f"{stem}-{number}{suffix}"
        number += 1
