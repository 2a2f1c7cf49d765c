"""Our icon, where themes find it: the targets name it `nobg`."""

from __future__ import annotations

from integrations.base import File, Setup


def icon_file(setup: Setup) -> File:
    """A copy, since the package may move."""
    return File(setup.data_home / "icons" / "hicolor" / "scalable" / "apps" / "nobg.svg", setup.icon_path.read_bytes())
