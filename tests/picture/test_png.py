"""Tests of png.py."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.picture.samples import srgb_profile
from watcher.picture import png


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (256, 3), (257, 31), (1030, 64)])
def test_every_pixel_comes_back_as_it_was(height: int, width: int) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 4), np.uint8)
    with Image.open(io.BytesIO(png.encode(pixels, None))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (width, height))
        assert np.array_equal(np.asarray(image), pixels)
        assert image.info == {}


def test_the_profile_comes_back_as_it_was() -> None:
    with Image.open(io.BytesIO(png.encode(np.zeros((3, 3, 4), np.uint8), srgb_profile()))) as image:
        assert image.info == {"icc_profile": srgb_profile()}


def test_a_smooth_picture_is_no_larger_than_pillow_makes_it() -> None:
    down, across = np.mgrid[0:400, 0:600]
    pixels = np.dstack([down // 2, across // 3, (down + across) // 4, np.full_like(down, 255)]).astype(np.uint8)
    reference = io.BytesIO()
    Image.fromarray(pixels).save(reference, "PNG", compress_level=1)
    assert len(png.encode(pixels, None)) < 1.2 * len(reference.getvalue())


@pytest.mark.skipif(not shutil.which("pngcheck"), reason="needs pngcheck (Debian: pngcheck)")
def test_an_independent_checker_finds_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png.encode(np.random.default_rng(1).integers(0, 9, (700, 90, 4), np.uint8), srgb_profile()))
    result = subprocess.run(["pngcheck", "-v", str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "No errors detected" in result.stdout
