"""edges.py"""

import numpy as np
import pytest
from PIL import Image

from watcher.edges import full_size


@pytest.mark.parametrize(("width", "height"), [(700, 1301), (64, 64), (1, 1), (1030, 515)])
def test_bands_join_without_a_seam(width: int, height: int) -> None:
    small = np.random.default_rng(3).random((64, 64), np.float32)
    whole = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))
    banded = full_size(small, width, height)
    assert banded.shape == (height, width)
    assert banded.dtype == np.uint8
    assert np.abs(banded - whole * 255.0).max() <= 0.51


def test_nothing_and_everything_stay_what_they_are() -> None:
    assert full_size(np.zeros((8, 8), np.float32), 100, 50).max() == 0
    assert full_size(np.ones((8, 8), np.float32), 100, 50).min() == 255
