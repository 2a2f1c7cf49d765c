"""Tests of the animations in codecs.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture.samples import ANIMATION_OPTIONS, animation, decoded, noise, saved
from tests.support.pictures import run_tool
from watcher.errors import PictureError
from watcher.picture import codecs
from watcher.picture.jxl import jxl_header


@pytest.mark.parametrize(("kind", "options"), ANIMATION_OPTIONS, ids=[kind for kind, _ in ANIMATION_OPTIONS])
def test_each_frame_of_an_animation_is_decoded_as_it_is_seen_and_stays_unchanged(
    kind: str, options: dict[str, Any]
) -> None:
    data, frames = animation(kind, **options)
    image = codecs.open_header(data)
    assert codecs.frame_count(image) == 3
    pictures = list(codecs.decode_frames(image))
    assert [picture.duration for picture in pictures] == [100, 200, 300]
    assert [picture.notes for picture in pictures] == [()] * 3
    for picture, frame in zip(pictures, frames, strict=True):
        assert picture.alpha is not None
        assert np.abs(np.asarray(picture.alpha).astype(int) - frame[..., 3]).max() <= 3
        difference = np.abs(np.asarray(picture.rgb).astype(int) - frame[..., :3])
        assert difference[frame[..., 3] > 0].max() <= 3
    assert decoded(data).notes == ("first_frame",)


def test_frames_without_alpha_are_independent_of_each_other() -> None:
    images = [noise(), noise().transpose(Image.Transpose.ROTATE_180)]
    for kind in ("PNG", "GIF"):
        data = saved(images[0], kind, save_all=True, append_images=images[1:])
        first, second = codecs.decode_frames(codecs.open_header(data))
        assert np.abs(np.asarray(first.rgb).astype(int) - np.asarray(decoded(data).rgb)).max() == 0
        assert np.array_equal(np.asarray(second.rgb.rotate(180)), np.asarray(first.rgb))


def test_a_default_image_that_is_not_part_of_the_animation_is_skipped() -> None:
    images = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    data = saved(images[0], "PNG", save_all=True, append_images=images[1:], default_image=True, duration=50)
    image = codecs.open_header(data)
    assert codecs.frame_count(image) == 2
    assert [picture.rgb.getpixel((9, 9)) for picture in codecs.decode_frames(image)] == [(0, 255, 0), (0, 0, 255)]


def jxl_start(*fields: tuple[int, int]) -> bytes:
    """Return the start of a JPEG XL of 8 x 8 pixels, up to `fields` of (value, bits), the lowest bit first."""
    stored, bits = 0, 0
    for value, size in ((1, 1), (0, 5), (1, 3), (0, 1), (1, 1), (0, 3), (0, 1), *fields):
        stored |= value << bits
        bits += size
    return b"\xff\x0a" + stored.to_bytes(40, "little")


@pytest.mark.parametrize("is_animated", [0, 1])
@pytest.mark.parametrize(
    "preview",
    [
        [(0, 1)],
        [(1, 1), (1, 1), (0, 2), (1, 3)],
        [(1, 1), (1, 1), (3, 2), (511, 9), (0, 3), (2, 2), (31, 5)],
        [(1, 1), (0, 1), (1, 2), (255, 8), (0, 3), (3, 2), (4095, 12)],
    ],
)
def test_a_jpeg_xl_with_a_preview_is_animated_if_it_says_so(preview: list[tuple[int, int]], is_animated: int) -> None:
    header = jxl_header(jxl_start(*preview, (is_animated, 1)))
    assert (header.width, header.height, header.is_animated) == (8, 8, bool(is_animated))


def test_of_an_animated_jpeg_xl_the_last_frame_is_done_and_a_note_says_so(tmp_path: Path) -> None:
    data, frames = animation("GIF", disposal=2)
    (tmp_path / "film.gif").write_bytes(data)
    run_tool("cjxl", "-d", "0", tmp_path / "film.gif", tmp_path / "film.jxl")
    picture = decoded((tmp_path / "film.jxl").read_bytes())
    assert picture.notes == ("last_frame",)
    assert np.array_equal(np.asarray(picture.alpha) > 0, frames[-1][..., 3] > 0)


@pytest.mark.parametrize("kind", ["TIFF", "MPO", "HEIF", "JPEG", "PNG"])
def test_pages_and_further_images_are_not_an_animation(kind: str) -> None:
    options = {"save_all": True, "append_images": [noise(), noise()]} if kind in ("TIFF", "MPO", "HEIF") else {}
    data = saved(noise(), kind, **options)
    assert codecs.frame_count(codecs.open_header(data)) == 1
    assert decoded(data).notes == (("first_frame",) if kind == "TIFF" else ())


@pytest.mark.parametrize(
    ("kind", "loop", "times"),
    [("GIF", None, 1), ("GIF", 0, 0), ("GIF", 4, 5), ("PNG", 0, 0), ("PNG", 3, 3), ("WEBP", 0, 0), ("WEBP", 3, 3)],
)
def test_an_animation_plays_as_often_as_its_file_says(kind: str, loop: int | None, times: int) -> None:
    data, _ = animation(kind, **({} if loop is None else {"loop": loop}))
    assert codecs.loop_count(codecs.open_header(data)) == times


def test_too_many_frames_and_too_large_ones_are_refused_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = animation("GIF", disposal=2)
    for name, limit in (("MAX_FRAMES", 2), ("MAX_TOTAL_FRAME_PIXELS", 40 * 60 * 3 - 1)):
        with monkeypatch.context() as patch:
            patch.setattr(codecs, name, limit)
            with pytest.raises(PictureError, match=r"`--first-frame`, only its first frame is done\.$") as caught:
                next(codecs.decode_frames(codecs.open_header(data)))
            assert caught.value.reason == "too_large"
    assert len(list(codecs.decode_frames(codecs.open_header(data)))) == 3
