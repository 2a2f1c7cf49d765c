"""Tests of foreground.py."""

import numpy as np
import pytest
from PIL import Image

from tests.support.mattes import INSIDE, blur, composite, disc, noise_photo
from watcher.matting.foreground import estimate_foreground


def test_the_old_background_is_gone_from_the_outline() -> None:
    alpha = blur(disc(300, 100), 4)
    grey = np.rint(alpha * 255).astype(np.uint8)
    photo = composite(alpha)
    outline = (grey > 0) & (grey < 255)
    before, after = (  # on black; on any ground, the difference is the same
        (np.abs(np.asarray(image, np.float32) - INSIDE) * alpha[..., None])[outline].mean()
        for image in (photo, estimate_foreground(photo, grey))
    )
    assert after < 0.5 * before


def test_all_but_the_outline_stays_byte_for_byte() -> None:
    grey = np.rint(blur(disc(300, 100), 4) * 255).astype(np.uint8)
    photo = noise_photo(300, 300)
    changed = (np.asarray(estimate_foreground(photo, grey)) != np.asarray(photo)).any(axis=2)
    assert changed.any()
    assert not changed[(grey == 0) | (grey == 255)].any()


def test_the_fainter_a_pixel_the_smoother_its_colour() -> None:
    photo = noise_photo(200, 200)
    before = np.asarray(photo, np.float32)
    faint = np.asarray(estimate_foreground(photo, np.full((200, 200), 10, np.uint8)), np.float32)
    strong = np.asarray(estimate_foreground(photo, np.full((200, 200), 250, np.uint8)), np.float32)
    assert faint.std() < 0.5 * before.std()
    assert np.abs(strong - before).mean() < 3


def test_without_an_outline_it_is_the_photo_itself() -> None:
    photo = noise_photo(70, 300)
    grey = np.zeros((300, 70), np.uint8)
    grey[100:, 30:] = 255
    assert estimate_foreground(photo, grey) is photo


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 900), (3000, 2), (65, 129)])
def test_odd_sizes(width: int, height: int) -> None:
    grey = np.full((height, width), 128, np.uint8)
    photo = Image.new("RGB", (width, height), INSIDE)
    colours = np.asarray(estimate_foreground(photo, grey), np.int16)
    assert np.abs(colours - INSIDE).max() <= 1  # although every pixel is soft


def test_the_photo_given_is_not_changed() -> None:
    photo = noise_photo(64, 64)
    before = photo.copy()
    estimate_foreground(photo, np.full((64, 64), 100, np.uint8))
    assert photo == before
