"""Tests of edges.py."""

import numpy as np
import pytest
from PIL import Image

from tests.support.mattes import bilinear, blur, composite, disc, noise_photo
from watcher.matting.edges import upscale_alpha


@pytest.mark.parametrize(("width", "height"), [(700, 1301), (64, 64), (1, 1), (1030, 60)])
def test_bands_join_without_a_seam(width: int, height: int) -> None:
    small = np.random.default_rng(3).random((64, 64), np.float32) * np.float32(0.01)  # no outline in it
    stretched = upscale_alpha(small, noise_photo(width, height))
    assert stretched.shape == (height, width)
    assert stretched.dtype == np.uint8
    assert np.abs(stretched - bilinear(small, width, height)).max() <= 0.51


def test_a_photo_little_larger_than_alpha_changes_nothing() -> None:
    small = np.random.default_rng(3).random((64, 64), np.float32)
    assert np.abs(upscale_alpha(small, noise_photo(80, 200)) - bilinear(small, 80, 200)).max() <= 0.51


def test_an_empty_and_a_full_alpha_stay_unchanged() -> None:
    assert upscale_alpha(np.zeros((8, 8), np.float32), noise_photo(100, 50)).max() == 0
    assert upscale_alpha(np.ones((8, 8), np.float32), noise_photo(100, 50)).min() == 255


def test_the_outline_follows_the_photo() -> None:
    true = disc(512, 170)
    small = blur(np.asarray(Image.fromarray(true).resize((128, 128), Image.Resampling.BOX)), 1.5)
    band = (bilinear(small, 512, 512) > 1) & (bilinear(small, 512, 512) < 254)
    before = np.abs(bilinear(small, 512, 512) - true * 255)[band].mean()
    after = np.abs(upscale_alpha(small, composite(true)) - true * 255)[band].mean()
    assert after < 0.5 * before


def test_an_outline_across_tiles_has_no_seam() -> None:
    small = blur(np.asarray(Image.fromarray(disc(400, 150)).resize((100, 100), Image.Resampling.BOX)), 1.5)
    photo = Image.new("RGB", (400, 400), "grey")  # without information: only the slope of alpha itself can change
    upscaled = upscale_alpha(small, photo).astype(np.int16)
    assert np.abs(upscaled - upscaled[::-1]).max() <= 2  # tiles of 32 do not lie evenly on 100 pixels
    assert np.abs(upscaled - upscaled[:, ::-1]).max() <= 2


def test_texture_stays_out_of_flat_areas() -> None:
    small = blur(disc(128, 40), 1.5)
    # The subject of the photo is larger than that of alpha.
    photo = Image.blend(composite(disc(512, 185)), noise_photo(512, 512), 0.3)
    upscaled, plain = upscale_alpha(small, photo), bilinear(small, 512, 512)
    assert upscaled[plain == 0].max() == 0
    assert upscaled[plain == 255].min() == 255


def test_interpolation_reaches_into_a_flat_tile() -> None:
    small = np.zeros((64, 64), np.float32)
    small[:, 32:] = 0.019  # tiles are 32 wide
    assert np.abs(upscale_alpha(small, noise_photo(512, 512)) - bilinear(small, 512, 512)).max() <= 0.51


def test_no_rim_appears_beside_alphas_that_are_not_quite_0_or_1() -> None:
    small = blur(disc(128, 40), 1.5) * np.float32(0.9) + np.float32(0.05)
    upscaled = upscale_alpha(small, composite(disc(512, 160)))
    assert upscaled.min() >= 12
    assert upscaled.max() <= 243


def test_texture_stays_out_of_wide_uncertain_areas() -> None:
    small = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    assert np.abs(upscale_alpha(small, noise_photo(512, 512)) - bilinear(small, 512, 512)).max() <= 0.51
