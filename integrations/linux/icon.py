"""nobg's icon in the person's icon theme, where the targets find it under the name `nobg`."""

from __future__ import annotations

from integrations.context import Setup
from integrations.files import File


def icon_file(setup: Setup) -> File:
    """Return a copy of the icon. It is a copy because the installed package may move."""
    return File(setup.data_home / "icons" / "hicolor" / "scalable" / "apps" / "nobg.svg", setup.icon_path.read_bytes())
