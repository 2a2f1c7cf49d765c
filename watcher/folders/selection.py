"""Which pictures the arguments of `nobg remove` stand for, judged by name alone. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from watcher import places
from watcher.errors import NoAnswerError
from watcher.guard.long_paths import for_system
from watcher.naming import is_source_name


def find_pictures(selected: Iterable[Path], *, recursive: bool = False) -> dict[Path, Path | None]:
    """Return the absolute paths of the pictures. A folder stands for the pictures in it, sorted by name.

    The value of each is the selected folder in which it was found; None: it was selected itself.

    A file stands for itself, whatever its name. So does a folder without pictures: the error for it comes later, when
    it cannot be read as a picture. So does one whose drive does not answer.
    """
    pictures: dict[Path, Path | None] = {}
    for path in selected:
        absolute = Path(os.path.abspath(path))  # not resolve(): the output belongs beside the link that a person sees
        try:
            inside = places.ask(absolute, _pictures_in, absolute, recursive)
        except NoAnswerError:
            inside = []
        for picture in inside:
            pictures.setdefault(picture, absolute)
        if not inside:
            pictures[absolute] = None
    return pictures


def _pictures_in(path: Path, recursive: bool) -> list[Path]:
    return list(_walk(path, recursive=recursive)) if os.path.isdir(for_system(path)) else []


def _walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield the pictures in `folder`, sorted by name; hidden files and folders are skipped, links not followed."""
    try:
        names = sorted(os.listdir(for_system(folder)))
    except OSError:
        return
    for name in names:
        places.note_progress()
        path = folder / name
        if name.startswith("."):
            continue
        system_path = for_system(path)
        if recursive and os.path.isdir(system_path) and not os.path.islink(system_path):
            yield from _walk(path, recursive=True)
        elif is_source_name(name) and not os.path.islink(system_path):
            yield path
