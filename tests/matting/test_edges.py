"""edges.py"""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from watcher.matting.edges import estimate_foreground, upscale_alpha

INSIDE, OUTSIDE = (200, 40, 40), (30, 60, 190)


def noise(width: int, height: int) -> Image.Image:
    """A photo full of texture."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8))


def bilinear(small: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    wide = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return wide * np.float32(255.0)


def disc(side: int, radius: float) -> NDArray[np.float32]:
    """1 inside, 0 outside, in between where the outline goes through a pixel."""
    down, across = np.mgrid[0:side, 0:side] + 0.5 - side / 2
    values: NDArray[np.float64] = np.clip(radius + 0.5 - np.hypot(down, across), 0, 1)
    return values.astype(np.float32)


def blurred(alpha: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """As soft as a network's answer."""
    grey = Image.fromarray((alpha * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(grey, np.float32) * np.float32(1 / 255)


def mixed(alpha: NDArray[np.float32]) -> Image.Image:
    """A photo of one colour before another."""
    pixels = alpha[..., None] * np.array(INSIDE) + (1 - alpha[..., None]) * np.array(OUTSIDE)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(700, 1301), (64, 64), (1, 1), (1030, 60)])
def test_bands_join_without_a_seam(width: int, height: int) -> None:
    small = np.random.default_rng(3).random((64, 64), np.float32) * np.float32(0.01)  # no outline in it
    stretched = upscale_alpha(small, noise(width, height))
    assert stretched.shape == (height, width)
    assert stretched.dtype == np.uint8
    assert np.abs(stretched - bilinear(small, width, height)).max() <= 0.51


def test_a_photo_little_larger_than_alpha_changes_nothing() -> None:
    small = np.random.default_rng(3).random((64, 64), np.float32)
    assert np.abs(upscale_alpha(small, noise(80, 200)) - bilinear(small, 80, 200)).max() <= 0.51


def test_nothing_and_everything_stay_what_they_are() -> None:
    assert upscale_alpha(np.zeros((8, 8), np.float32), noise(100, 50)).max() == 0
    assert upscale_alpha(np.ones((8, 8), np.float32), noise(100, 50)).min() == 255


def test_the_outline_follows_the_photo() -> None:
    true = disc(512, 170)
    small = blurred(np.asarray(Image.fromarray(true).resize((128, 128), Image.Resampling.BOX)), 1.5)
    band = (bilinear(small, 512, 512) > 1) & (bilinear(small, 512, 512) < 254)
    before = np.abs(bilinear(small, 512, 512) - true * 255)[band].mean()
    after = np.abs(upscale_alpha(small, mixed(true)) - true * 255)[band].mean()
    assert after < 0.5 * before


def test_an_outline_across_tiles_has_no_seam() -> None:
    small = blurred(np.asarray(Image.fromarray(disc(400, 150)).resize((100, 100), Image.Resampling.BOX)), 1.5)
    photo = Image.new("RGB", (400, 400), "grey")  # says nothing: only the slope of alpha itself can change
    found = upscale_alpha(small, photo).astype(np.int16)
    assert np.abs(found - found[::-1]).max() <= 2  # tiles of 32 do not lie evenly on 100 pixels
    assert np.abs(found - found[:, ::-1]).max() <= 2


def test_texture_stays_out_of_flat_areas() -> None:
    small = blurred(disc(128, 40), 1.5)
    photo = Image.blend(mixed(disc(512, 185)), noise(512, 512), 0.3)  # its subject is larger than alpha has it
    found, plain = upscale_alpha(small, photo), bilinear(small, 512, 512)
    assert found[plain == 0].max() == 0
    assert found[plain == 255].min() == 255


def test_what_is_just_beside_a_flat_tile_reaches_into_it() -> None:
    small = np.zeros((64, 64), np.float32)
    small[:, 32:] = 0.019  # tiles are 32 wide
    assert np.abs(upscale_alpha(small, noise(512, 512)) - bilinear(small, 512, 512)).max() <= 0.51


def test_there_is_no_rim_between_an_outline_and_what_is_not_quite_nothing() -> None:
    small = blurred(disc(128, 40), 1.5) * np.float32(0.9) + np.float32(0.05)
    found = upscale_alpha(small, mixed(disc(512, 160)))
    assert found.min() >= 12
    assert found.max() <= 243


def test_texture_stays_out_of_wide_uncertain_areas() -> None:
    small = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    assert np.abs(upscale_alpha(small, noise(512, 512)) - bilinear(small, 512, 512)).max() <= 0.51


def test_the_old_background_is_gone_from_the_outline() -> None:
    alpha = blurred(disc(300, 100), 4)
    grey = np.rint(alpha * 255).astype(np.uint8)
    photo = mixed(alpha)
    seen = (grey > 0) & (grey < 255)
    before, after = (  # on black; on any ground, the difference is the same
        (np.abs(np.asarray(image, np.float32) - INSIDE) * alpha[..., None])[seen].mean()
        for image in (photo, estimate_foreground(photo, grey))
    )
    assert after < 0.5 * before


def test_all_but_the_outline_stays_byte_for_byte() -> None:
    grey = np.rint(blurred(disc(300, 100), 4) * 255).astype(np.uint8)
    photo = noise(300, 300)
    changed = (np.asarray(estimate_foreground(photo, grey)) != np.asarray(photo)).any(axis=2)
    assert changed.any()
    assert not changed[(grey == 0) | (grey == 255)].any()


def test_the_less_is_seen_the_smoother_are_the_colours() -> None:
    photo = noise(200, 200)
    before = np.asarray(photo, np.float32)
    hardly = np.asarray(estimate_foreground(photo, np.full((200, 200), 10, np.uint8)), np.float32)
    nearly = np.asarray(estimate_foreground(photo, np.full((200, 200), 250, np.uint8)), np.float32)
    assert hardly.std() < 0.5 * before.std()
    assert np.abs(nearly - before).mean() < 3


def test_without_an_outline_it_is_the_photo_itself() -> None:
    photo = noise(70, 300)
    grey = np.zeros((300, 70), np.uint8)
    grey[100:, 30:] = 255
    assert estimate_foreground(photo, grey) is photo


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 900), (3000, 2), (65, 129)])
def test_odd_sizes(width: int, height: int) -> None:
    grey = np.full((height, width), 128, np.uint8)
    photo = Image.new("RGB", (width, height), INSIDE)
    assert (
        np.abs(np.asarray(estimate_foreground(photo, grey), np.int16) - INSIDE).max() <= 1
    )  # also where all of it is soft


def test_the_photo_given_is_not_changed() -> None:
    photo = noise(64, 64)
    before = photo.copy()
    estimate_foreground(photo, np.full((64, 64), 100, np.uint8))
    assert photo == before
