"""Pure: which output name for which source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from watcher.formats import is_picture_name

TYPE_CHECKING = False
if TYPE_CHECKING:  # as typing's, without the milliseconds that importing it or pathlib costs the client
    from pathlib import Path, PurePath
    from typing import AnyStr

DEFAULT_SUFFIX = "_nobg"
MAX_NAME_BYTES = 255  # bytes; the limit of almost every file system

_OUTPUT_NAME = re.compile(rf".*{DEFAULT_SUFFIX}(-\d+)?\.[^.]+", re.DOTALL)


def is_output_name(name: str, name_suffix: str = DEFAULT_SUFFIX) -> bool:
    """Is it `*_nobg.*` or `*_nobg-N.*`, or the same with `mark`? A folder never offers such a file as a source."""
    if _OUTPUT_NAME.fullmatch(name) is not None:
        return True
    return (
        name_suffix != DEFAULT_SUFFIX
        and re.fullmatch(rf".*{re.escape(name_suffix)}(-\d+)?\.[^.]+", name, re.DOTALL) is not None
    )


def is_source_name(name: str) -> bool:
    """Does a folder offer a file of this name as a source: a picture, not hidden, not ours?"""
    return is_picture_name(name) and not is_output_name(name) and not name.startswith(".")


def resolve_destination(folder: AnyStr, output: AnyStr) -> AnyStr:
    """Where the outputs of pictures in `folder` go: `output` is absolute or seen from there. One spelling for all."""
    return os.path.normpath(os.path.join(folder, output))


def escape_unprintable(text: str) -> str:
    """The text on one line of a log or a message: what a file's name may hold beyond that is spelled out."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def output_names(source: PurePath, name_suffix: str = DEFAULT_SUFFIX, extension: str = ".png") -> Iterator[str]:
    """`photo_nobg.png`, `photo_nobg-2.png`, `photo_nobg-3.png`, … for `photo.jpg`.

    A name that would be longer than 255 bytes loses characters at the end of the source's part.
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
