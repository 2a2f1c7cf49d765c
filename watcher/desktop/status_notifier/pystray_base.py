"""pystray's base classes, imported without a display."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def load() -> Any:
    """Return pystray's module with `Menu`, `MenuItem` and the base class of all icons, the same on every system.

    `import pystray` chooses a backend and fails if that backend finds no display. The backend "dummy" looks for none.
    """
    previous = os.environ.get("PYSTRAY_BACKEND")
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        return import_module("pystray._base")
    finally:
        if previous is None:
            del os.environ["PYSTRAY_BACKEND"]
        else:
            os.environ["PYSTRAY_BACKEND"] = previous
