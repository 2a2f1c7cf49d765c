"""Touch up: how its window is started, and what to say if the library that draws it is missing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from watcher import enqueue
from watcher.errors import UsageError

LIBRARY = "PySide6"


def is_available() -> bool:
    """Return whether the window's library is installed. Does not import it."""
    return importlib.util.find_spec(LIBRARY) is not None


def check_available() -> None:
    """Raise UsageError if the window's library is not installed."""
    if not is_available():
        raise UsageError(enqueue.EDITOR_MISSING)


def command(path: Path, *, recipe: str | None = None, tool: str = "") -> list[str]:
    """Return the command that shows a photo, or the photo of a cut-out, in the window.

    `recipe`: the name of the recipe to start with. `tool`: the tool to start with, such as `box`. The process ends with
    the window.
    """
    options = [*([] if recipe is None else ["--recipe", recipe]), *(["--tool", tool] if tool else [])]
    return [*_BASE, *options, "--", str(path)]


def review_command() -> list[str]:
    """Return the command that shows the cut-outs that want a look in the window."""
    return [*_BASE, "--review"]


_BASE = [sys.executable, "-P", "-m", "watcher.editor"]
