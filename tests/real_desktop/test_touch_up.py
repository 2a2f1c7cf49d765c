"""The window "Touch up", used as a person does: pointer and keys, the real window, the real worker."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from integrations.verbs import TOUCH_UP_LABEL
from tests.conftest import SAMPLES, wait_for
from tests.real_desktop.painting import Painter, child_of, host_of
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.suite import cut_out, person

MISSING = missing_programs()
if importlib.util.find_spec("PySide6") is None:
    MISSING.append("the extra `editor`")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")]

SIZE = (512, 512)
FACE, BACKGROUND = (235, 130), (20, 20)
SLEEVE = ((90, 330), (150, 330))
"""A stroke over the astronaut's suit."""
LEG = (77, 442)


@pytest.fixture
def photo(folder: Path) -> Path:
    return Path(shutil.copy(SAMPLES / "astronaut.jpg", folder / "photo.jpg"))


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    """A desktop without nobg's menu entries."""
    home = tmp_path / "person"
    home.mkdir()
    with Desktop(home) as bare_desktop:
        yield bare_desktop


def open_window(desktop: Desktop, photo: Path, *tracing: str) -> Painter:
    """Open the window by the command."""
    desktop.spawn(*tracing, sys.executable, "-m", "watcher", "edit", str(photo))
    return Painter(desktop, photo, SIZE)


def alphas(photo: Path, *points: tuple[int, int]) -> list[int]:
    """Return alpha at points of the cut-out."""
    with Image.open(cut_out(photo)) as image:
        alpha = image.convert("RGBA").getchannel("A")
        return [alpha.getpixel(point) for point in points]  # type: ignore[misc]  # one band


@pytest.mark.skipif(shutil.which("nautilus") is None, reason="not installed: nautilus")
def test_a_person_opens_paints_undoes_zooms_saves_and_takes_it_back(tmp_path: Path, photo: Path) -> None:
    with person(tmp_path) as desktop:
        if not (desktop.home / ".local/share/nautilus-python/extensions/nobg.py").exists():
            pytest.skip("not installed: python3-nautilus")
        desktop.visit("nautilus", photo.parent, TOUCH_UP_LABEL)
        painter = Painter(desktop, photo, SIZE)
        painter.press("e", "s")
        painter.paint(*SLEEVE)
        (stroke,) = painter.wait_for_edits(1)
        assert (stroke.tool, stroke.exact) == ("erase", True)
        painter.press("ctrl+z")
        painter.wait_for_edits(0)
        painter.press("ctrl+shift+z")
        assert painter.wait_for_edits(1) == (stroke,)
        painter.turn_wheel(LEG, 3)
        painter.wait_for_text("172 %")
        painter.paint(LEG, LEG)  # the wheel leaves what is under the pointer where it is
        assert painter.wait_for_edits(2)[1].size < stroke.size / 1.7
        painter.press("ctrl+s")
        painter.wait_for_text("Saved: photo_nobg.png")
        editor = host_of(desktop)
        painter.press("ctrl+w")
        wait_for(lambda: not editor.is_running())

        assert alphas(photo, *SLEEVE, LEG, BACKGROUND) == [0, 0, 0, 0]
        assert alphas(photo, FACE, (SLEEVE[0][0], SLEEVE[0][1] + 40), (LEG[0] + 30, LEG[1])) == [255, 255, 255]
        (job,) = json.loads(desktop.nobg("history", "--json"))["jobs"]
        assert (job["state"], Path(job["output"])) == ("done", cut_out(photo))
        assert "touched up" in desktop.nobg("history")
        assert "trash" in desktop.nobg("undo")
        assert not cut_out(photo).exists()
        assert (desktop.home / ".local/share/Trash/files/photo_nobg.png").exists()


def test_what_was_painted_survives_kill_9_of_worker_and_window(desktop: Desktop, photo: Path) -> None:
    painter = open_window(desktop, photo)
    painter.press("e", "s")
    painter.paint(*SLEEVE)
    painter.wait_for_edits(1)
    editor = host_of(desktop)
    worker = child_of(editor, "watcher.worker.process")
    worker.kill()
    painter.paint(LEG, LEG)
    strokes = painter.wait_for_edits(2)
    assert child_of(editor, "watcher.worker.process") != worker
    child_of(editor, "watcher.editor.window").kill()
    wait_for(lambda: not editor.is_running())

    painter = open_window(desktop, photo)
    assert painter.wait_for_edits(2) == strokes
    painter.press("ctrl+s")
    painter.wait_for_text("Saved: photo_nobg.png")
    assert alphas(photo, *SLEEVE, LEG, FACE) == [0, 0, 0, 255]
