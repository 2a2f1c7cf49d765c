"""matting.py"""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from watcher import matting
from watcher.models import DEFAULT


def test_the_input_is_x_over_255_minus_mean_over_std_plane_by_plane() -> None:
    model = replace(DEFAULT, side=2, mean=(0.5, 0.25, 0.0), std=(1.0, 0.5, 2.0))
    image = Image.new("RGB", (2, 2), (255, 51, 102))
    image.putpixel((1, 0), (0, 0, 0))
    values = matting.network_input(image, model)
    assert values.shape == (1, 3, 2, 2)
    assert values.dtype == np.float32
    assert values[0, :, 0, 0] == pytest.approx([0.5, (0.2 - 0.25) / 0.5, 0.4 / 2.0])
    assert values[0, :, 0, 1] == pytest.approx([-0.5, -0.5, 0.0])


def test_a_picture_of_any_shape_is_squashed_to_the_square() -> None:
    assert matting.network_input(Image.new("RGB", (3000, 10)), DEFAULT).shape == (1, 3, 1024, 1024)


def test_the_subject_is_what_is_more_than_half_there() -> None:
    assert matting.subject_share(np.array([[0.0, 0.49], [0.5, 1.0]], np.float32)) == 0.5
