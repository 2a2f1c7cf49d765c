"""Make docs/pictures/menus/*.png, each file manager's open menu: `python -m tests.real_desktop.shots [MANAGER…]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.conftest import SAMPLES
from tests.real_desktop.other_file_managers import CASES, Case, ordinary_user
from tests.real_desktop.session import Desktop
from tests.real_desktop.suite import give, person
from tests.support.program import ROOT

NAUTILUS = Case("nautilus", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background")

STYLE = "popover.menu > contents { margin: 0; box-shadow: none; border: 1px solid #bbb; border-radius: 0; }"
"""A style for GTK 4, whose menus would have a black shadow without a compositor."""


def main(managers: list[str]) -> None:
    """Make the screenshots of the named file managers, or of all."""
    for case in (NAUTILUS, *CASES):
        if not managers or case.manager in managers:
            with tempfile.TemporaryDirectory() as folder:
                Path(folder).chmod(0o755)
                with person(Path(folder), ordinary_user()) as desktop:
                    _save_screenshot(desktop, case, ROOT / "docs" / "pictures" / "menus" / f"{case.manager}.png")


def _save_screenshot(desktop: Desktop, case: Case, destination: Path) -> None:
    """Save the open menu; its sub-menu is open, too, except in GTK 4, where it would replace the menu."""
    folder = desktop.home / "Pictures"
    folder.mkdir()
    for name in ("astronaut", "coffee"):
        (folder / f"{name}.jpg").write_bytes((SAMPLES / f"{name}.jpg").read_bytes())
    style = desktop.home / ".config" / "gtk-4.0" / "gtk.css"
    style.parent.mkdir(parents=True)
    style.write_text(STYLE)
    give(desktop.home, desktop.command_prefix)
    screenshot = desktop.runtime / "screenshot.png"
    item = case.remove if case is NAUTILUS else case.white
    desktop.visit(case.manager, folder, item, "--screenshot", str(screenshot))
    destination.parent.mkdir(exist_ok=True)
    with Image.open(screenshot) as image:
        image.convert("RGB").quantize(128).save(destination, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
