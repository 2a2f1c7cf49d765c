"""Our icon, where themes find it: the targets name it `nobg`."""

from __future__ import annotations

from integrations.base import File, Setup


def icon(setup: Setup) -> File:
    """A copy, since the package may move."""
    return File(setup.data / "icons" / "hicolor" / "scalable" / "apps" / "nobg.svg", setup.icon.read_bytes())
