"""The right-click client `nobg-add`: hands the selected pictures over and is gone. Standard library only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from watcher.errors import words
from watcher.formats import is_picture_name


def to_path(argument: str) -> Path:
    """A path as it is, or the path in a `file://` URI (RFC 8089)."""
    if not argument.startswith("file://"):
        return Path(argument)
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(argument.replace("?", "%3F").replace("#", "%23")).path)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the work on the pictures named and return at once: 0, or 1 if some of what was named is no picture."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--" in given:
        given.remove("--")
    selected = [to_path(argument) for argument in given]
    taken = []
    for path in selected:
        reason = _unfit(path)
        if reason is None:
            taken.append(path)
        else:
            print(f"nobg: {path}: {words(reason)}", file=sys.stderr)
    if taken:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "watcher", "remove", "--", *map(str, taken)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return 0 if taken == selected and taken else 1


def _unfit(path: Path) -> str | None:
    """The reason why `path` is not taken, by its name and kind alone; None: it is taken."""
    if not os.path.lexists(path):
        return "vanished"
    return None if path.is_dir() or is_picture_name(path) else "unsupported"
