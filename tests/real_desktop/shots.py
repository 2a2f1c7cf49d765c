"""Make docs/menus/*.png, the open menu of each file manager: `python -m tests.real_desktop.shots [MANAGER…]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.conftest import SAMPLES
from tests.real_desktop.others import CASES, Case, ordinary_user
from tests.real_desktop.session import Desktop
from tests.real_desktop.suite import give, person
from tests.support.program import ROOT

NAUTILUS = Case("nautilus", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background")

STYLE = "popover.menu > contents { margin: 0; box-shadow: none; border: 1px solid #bbb; border-radius: 0; }"
"""For GTK 4: without a compositor, the shadow around its menus would be black."""


def main(managers: list[str]) -> None:
    """One of each, or those named."""
    for case in (NAUTILUS, *CASES):
        if not managers or case.manager in managers:
            with tempfile.TemporaryDirectory() as place:
                Path(place).chmod(0o755)
                with person(Path(place), ordinary_user()) as desktop:
                    _shoot(desktop, case, ROOT / "docs" / "menus" / f"{case.manager}.png")


def _shoot(desktop: Desktop, case: Case, target: Path) -> None:
    """With the sub-menu open where it is beside the menu; in GTK 4 it would be in place of it."""
    folder = desktop.home / "Pictures"
    folder.mkdir()
    for name in ("astronaut", "coffee"):
        (folder / f"{name}.jpg").write_bytes((SAMPLES / f"{name}.jpg").read_bytes())
    style = desktop.home / ".config" / "gtk-4.0" / "gtk.css"
    style.parent.mkdir(parents=True)
    style.write_text(STYLE)
    give(desktop.home, desktop.before)
    shot = desktop.runtime / "shot.png"
    keys = ("--keys", case.white_keys) if case.white_keys else ()
    item = case.remove if case is NAUTILUS else case.white
    desktop.visit(case.manager, folder, item, "--shot", str(shot), *keys)
    target.parent.mkdir(exist_ok=True)
    with Image.open(shot) as image:
        image.convert("RGB").quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
