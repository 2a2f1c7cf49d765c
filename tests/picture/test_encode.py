"""Tests of encode.py."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from watcher.errors import PictureError
from watcher.picture.codecs import frame_count
from watcher.picture.encode import Extras, encode
from watcher.recipe import Recipe, read_recipe

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixels(channels: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (30, 40, channels), np.uint8)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


LOSSLESS = [
    Recipe(),
    read_recipe({"effort": "fast"}),
    read_recipe({"effort": "small"}),
    read_recipe({"format": "webp"}),
    read_recipe({"format": "tiff"}),
]


@pytest.mark.parametrize("recipe", LOSSLESS, ids=lambda recipe: recipe.key())
@pytest.mark.parametrize("channels", [4, 3, 1])
def test_a_lossless_output_comes_back_bit_for_bit_with_its_profile(recipe: Recipe, channels: int) -> None:
    values = pixels(channels)
    if channels == 4:
        values[values[..., 3] == 0] = 0  # as every cut-out has it
    image = opened(encode([values], recipe, Extras(ICC)))
    assert image.format == {"png": "PNG", "webp": "WEBP", "tiff": "TIFF"}[recipe.format]
    decoded = np.asarray(image.convert({4: "RGBA", 3: "RGB", 1: "L"}[channels]))
    assert np.array_equal(decoded.reshape(values.shape), values)
    assert image.info.get("icc_profile") == (ICC if channels > 1 else None)


def smooth() -> NDArray[np.uint8]:
    rows, columns = np.indices((60, 80))
    return np.dstack([rows * 4, columns * 3, rows + columns]).astype(np.uint8)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_quality_trades_size_for_fidelity(kind: str) -> None:
    sizes, errors = [], []
    for quality in (20, 60, 95):
        data = encode([smooth()], read_recipe({"format": kind, "quality": quality, "background": "white"}), Extras(ICC))
        image = opened(data)
        sizes.append(len(data))
        errors.append(np.abs(np.asarray(image.convert("RGB")).astype(int) - smooth()).mean())
        assert image.info["icc_profile"] == ICC
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 2


def test_a_jpeg_keeps_its_colours_at_full_resolution() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    decoded = np.asarray(opened(encode([stripes], read_recipe({"format": "jpeg", "background": "white"}), Extras())))
    assert np.abs(decoded.astype(int) - stripes).max() < 60


@pytest.mark.parametrize(
    "recipe",
    [*LOSSLESS[:1], *LOSSLESS[2:], read_recipe({"format": "jpeg", "background": "white"})],
    ids=lambda recipe: recipe.key(),
)
def test_metadata_is_written_where_readers_find_it(recipe: Recipe) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">caption</x:xmpmeta>'
    channels = 3 if recipe.format == "jpeg" else 4
    for packet in (None, xmp):
        image = opened(encode([pixels(channels)], recipe, Extras(exif=exif.tobytes(), xmp=packet)))
        assert image.getexif()[0x010F] == "Camera"
        assert (image.info.get("xmp") is not None) == (packet is not None)
    plain = encode([pixels(channels)], recipe, Extras())
    assert b"Camera" not in plain
    assert opened(plain).getexif().get(0x010F) is None


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("loop_count", [0, 1, 3])
def test_an_animation_keeps_its_frames_durations_and_loop_count(kind: str, loop_count: int) -> None:
    frames = [pixels(4, seed) for seed in range(3)]
    frames[1][..., 3] = 0  # nothing of the frame before may show through
    frames[1][...] = 0
    image = opened(
        encode(frames, read_recipe({"format": kind}), Extras(ICC, durations=(100, 250, 40), loop_count=loop_count))
    )
    assert (frame_count(image), image.info["loop"]) == (3, loop_count)
    for number, frame in enumerate(frames):
        image.seek(number)
        image.load()
        decoded = np.asarray(image.convert("RGBA"))
        visible = frame[..., 3:] > 0
        assert np.array_equal(decoded[..., 3], frame[..., 3])
        assert np.array_equal(decoded * visible, frame * visible)
        assert round(image.info["duration"]) == (100, 250, 40)[number]


def test_equal_frames_keep_their_duration() -> None:
    frames = [pixels(4), pixels(4), pixels(4, 2)]
    for kind in ("png", "webp"):
        image = opened(encode(frames, read_recipe({"format": kind}), Extras(durations=(100, 100, 100))))
        total = 0.0
        for number in range(frame_count(image)):
            image.seek(number)
            image.load()
            total += image.info["duration"]
        assert round(total) == 300


@pytest.mark.parametrize(("kind", "size"), [("webp", 16_384), ("jpeg", 65_536)])
def test_an_output_too_large_for_its_format_fails_and_says_what_to_do(kind: str, size: int) -> None:
    with pytest.raises(PictureError, match="Choose png") as caught:
        encode([np.zeros((1, size, 3), np.uint8)], read_recipe({"format": kind, "background": "white"}), Extras())
    assert caught.value.reason == "too_large"


def test_a_tiff_keeps_the_directories_of_exif() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:24 12:00:00"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    image = opened(encode([pixels(4)], read_recipe({"format": "tiff"}), Extras(ICC, exif=exif.tobytes())))
    assert image.getexif().get_ifd(0x8769)[0x9003] == "2026:11:24 12:00:00"
    assert image.getexif().get_ifd(0x8825)[2] == (48.0, 8.0, 0.0)


def test_an_encoder_error_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the encoder failed")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(PictureError, match="could not be written as tiff") as caught:
        encode([pixels(4)], read_recipe({"format": "tiff"}), Extras())
    assert caught.value.reason == "unsupported"
