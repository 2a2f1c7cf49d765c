"""From a file in a watched folder to its cut-out, with the real networks and the real worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import make_photo, wait_for
from tests.support.program import Program, outputs


@pytest.mark.usefixtures("fast_model")
def test_photos_in_a_watched_folder_are_cut_out(program: Program, folder: Path) -> None:
    program.watch()
    program.start()
    make_photo(folder / "ü & 100% (1).jpg")
    make_photo(folder / "two.webp", quarter_turns=1)
    wait_for(program.has_done(2), 300)
    assert outputs(folder) == ["two_nobg.png", "ü & 100% (1)_nobg.png"]
    for name in outputs(folder):
        with Image.open(folder / name) as cut_out:
            assert (cut_out.mode, cut_out.size) == ("RGBA", (256, 256))
            assert cut_out.getchannel("A").getextrema() == (0, 255)
