"""What a person selected -> the pictures meant. Looks at names only. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from watcher.naming import is_source_name


def find_pictures(selected: Iterable[Path], *, recursive: bool = False) -> list[Path]:
    """Absolute paths, each once. A file stands for itself, a folder for the pictures in it, sorted by name.

    A folder without pictures stands for itself too, so that whoever opens it can say what is wrong with it.
    """
    found: dict[Path, None] = {}
    for path in selected:
        absolute = Path(os.path.abspath(path))  # not resolve(): the output belongs beside the link a person sees
        inside = list(_pictures_in(absolute, recursive=recursive)) if os.path.isdir(absolute) else []
        found.update(dict.fromkeys(inside or [absolute]))
    return list(found)


def _pictures_in(folder: Path, *, recursive: bool) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if recursive and path.is_dir() and not path.is_symlink():
            yield from _pictures_in(path, recursive=True)
        elif is_source_name(name):
            yield path
