"""api.py: the Python call."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import watcher
from tests.conftest import SAMPLES, make_photo
from tests.picture.samples import saved
from watcher import api, remove_background
from watcher.errors import ModelError, PictureError, UsageError
from watcher.picture.codecs import frame_count
from watcher.recipe import Recipe, read_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fast_model")]

ASTRONAUT = SAMPLES / "astronaut.jpg"


def subject_share(image: Image.Image) -> float:
    """The share of the pixels with alpha above 127."""
    return float((np.asarray(image.getchannel("A")) > 127).mean())


def test_a_path_bytes_and_an_image_give_the_same(tmp_path: Path) -> None:
    photo = make_photo(tmp_path / "photo.png")
    before = photo.stat()
    results = [remove_background(photo)]
    assert photo.stat() == before
    results += [remove_background(str(photo)), remove_background(photo.read_bytes())]
    with Image.open(photo) as image:
        results.append(remove_background(image))
    assert {(result.mode, result.size) for result in results} == {("RGBA", (256, 256))}
    assert {result.tobytes() for result in results} == {results[0].tobytes()}
    assert 0.35 < subject_share(results[0]) < 0.65
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]  # nothing was written


def test_in_this_process_it_gives_the_same_as_in_the_jail() -> None:
    code = (
        "import sys; from watcher import remove_background; a = remove_background(sys.argv[1]);"
        "assert 'onnxruntime' not in sys.modules; b = remove_background(sys.argv[1], jailed=False);"
        "assert a.tobytes() == b.tobytes(); print('same')"
    )
    result = subprocess.run([sys.executable, "-c", code, ASTRONAUT], capture_output=True, text=True, check=True)
    assert result.stdout == "same\n"


@pytest.mark.parametrize(
    "values", [{}, {"background": "white"}, {"format": "webp"}, {"format": "tiff"}, {"mask": True}]
)
def test_the_result_says_how_doubtful_it_is(values: dict[str, object]) -> None:
    result = remove_background(ASTRONAUT, values)
    assert 0 < result.info["doubt"] < 0.5
    assert remove_background(ASTRONAUT, values, jailed=False).info["doubt"] == result.info["doubt"]
    assert result.convert("RGB").info["doubt"] == result.info["doubt"]


def test_a_cut_out_has_no_doubt() -> None:
    logo = np.zeros((64, 64, 4), np.uint8)
    logo[20:40, 20:40] = (9, 9, 9, 255)
    assert remove_background(Image.fromarray(logo)).info["doubt"] is None


def test_settings_are_those_of_a_recipe(home: Path) -> None:
    values = {"background": "#00ff00", "longest_side": 64}
    expected = remove_background(ASTRONAUT, values)
    assert (expected.mode, expected.size, expected.getpixel((1, 1))) == ("RGB", (64, 64), (0, 255, 0))
    recipe_lines = '[recipes.small]\nbackground = "#00ff00"\nlongest_side = 64\n'
    (home / "config" / "config.toml").write_text(f'model = "fast"\n{recipe_lines}')
    for recipe in (read_recipe(values), "small"):
        assert remove_background(ASTRONAUT, recipe).tobytes() == expected.tobytes()
    assert remove_background(ASTRONAUT, "mask").mode == "L"


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "RGBa", "PA"]
)
def test_an_image_of_any_mode_is_taken(mode: str) -> None:
    with Image.open(ASTRONAUT) as image:
        small = image.resize((96, 96))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    elif mode in ("RGBa", "PA"):
        picture = small.convert("RGBA").convert({"PA": "P"}.get(mode, mode)).convert(mode)
    elif mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.profileToProfile(
            small, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert lab is not None
        picture = lab
    else:
        picture = small.convert(mode)
    assert picture.mode == mode
    result = remove_background(picture, force=True)
    assert (result.mode, result.size) == ("RGBA", (96, 96))
    if mode == "1":
        return  # the network finds little in black and white dots
    face = np.asarray(result)[20:30, 38:46, :3].astype(int)
    difference = np.abs(face - np.asarray(small)[20:30, 38:46].astype(int)).mean()
    assert difference < (90 if mode in ("L", "LA", "I;16") else 25)


def test_the_orientation_and_the_transparency_of_an_image_are_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(ASTRONAUT) as photo:
        turned = saved(photo.resize((400, 200)), "JPEG", exif=exif)
    with Image.open(io.BytesIO(turned)) as image:
        assert remove_background(image, force=True).size == (200, 400)
    half = np.zeros((64, 64, 4), np.uint8)
    half[:, :16] = (9, 9, 9, 255)
    assert np.array_equal(np.asarray(remove_background(Image.fromarray(half))), half)


def test_an_image_keeps_its_resolution() -> None:
    with Image.open(ASTRONAUT) as photo:
        data = saved(photo, "JPEG", dpi=(300, 300))
    with Image.open(io.BytesIO(data)) as image:
        assert remove_background(image).info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_force_returns_no_picture_without_a_visible_pixel() -> None:
    clear = Image.new("RGBA", (64, 64), (9, 9, 9, 0))
    with pytest.raises(PictureError, match="nothing would be visible") as caught:
        remove_background(clear, force=True)
    assert caught.value.reason == "no_clear_subject"


def test_an_animation_comes_back_as_one() -> None:
    with Image.open(ASTRONAUT) as image:
        frame = image.resize((64, 64))
    animation = saved(
        frame, "GIF", save_all=True, append_images=[frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)], duration=70
    )
    result = remove_background(animation, force=True)
    assert (frame_count(result), result.info["duration"]) == (2, 70)
    assert 0 <= result.info["doubt"] <= 1
    result.seek(1)
    assert 0 <= result.info["doubt"] <= 1
    assert remove_background(animation, {"first_frame": True}, force=True).info.get("duration") is None


def test_each_error_is_raised() -> None:
    with pytest.raises(PictureError) as caught:
        remove_background(saved(Image.new("RGB", (64, 64), "white"), "PNG"))
    assert caught.value.reason == "no_clear_subject"
    with pytest.raises(PictureError) as caught:
        remove_background("/nowhere.jpg")
    assert caught.value.reason == "vanished"
    with pytest.raises(PictureError) as caught:
        remove_background(b"nonsense")
    assert caught.value.reason == "unsupported"
    with pytest.raises(UsageError, match=r"^crop: it must be a number"):
        remove_background(ASTRONAUT, {"crop": "much"})
    with pytest.raises(UsageError, match="no recipe called shop"):
        remove_background(ASTRONAUT, "shop")
    with pytest.raises(ModelError, match="nosuch"):
        remove_background(ASTRONAUT, Recipe(model="nosuch"))


def test_the_package_exports_its_call_and_nothing_else() -> None:
    assert watcher.__all__ == ["remove_background"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        watcher.nothing  # noqa: B018


def test_after_an_interrupt_the_next_call_gets_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with Image.open(SAMPLES / "chelsea.jpg") as image:
        other = image.size
    remove_background(ASTRONAUT, force=True)
    worker = api._supervisor.ensure_worker()
    monkeypatch.setattr(worker, "receive", raise_interrupt)
    with pytest.raises(KeyboardInterrupt):
        remove_background(SAMPLES / "chelsea.jpg", force=True)
    assert remove_background(ASTRONAUT, force=True).size == (512, 512) != other


def raise_interrupt(*_: object) -> Any:
    raise KeyboardInterrupt


def test_a_forked_process_starts_a_worker_of_its_own() -> None:
    code = (
        "import os, sys; from watcher import remove_background; a = remove_background(sys.argv[1]); pid = os.fork();\n"
        "if pid == 0:\n"
        "    b = remove_background(sys.argv[1]); os._exit(0 if a.tobytes() == b.tobytes() else 3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), remove_background(sys.argv[1]).size)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, ASTRONAUT], capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout == "0 (512, 512)\n"


def test_the_tags_of_the_file_that_the_image_came_from_do_not_matter() -> None:
    exif = Image.Exif()
    for tag, value in ((256, 77), (257, 77), (258, 8), (262, 0), (277, 3)):
        exif[tag] = value
    with Image.open(ASTRONAUT) as image:
        small = image.resize((96, 96))
    with Image.open(io.BytesIO(saved(small, "JPEG", exif=exif))) as original:
        resized = original.resize((64, 64))
        result = remove_background(resized, force=True)
    opaque = np.asarray(result)[..., 3] == 255  # edge pixels lose the colour of the background
    assert np.array_equal(np.asarray(result)[opaque][:, :3], np.asarray(resized)[opaque])


def test_floating_point_and_integer_images_have_the_ranges_of_pillow() -> None:
    with Image.open(ASTRONAUT) as image:
        grey = image.resize((96, 96)).convert("L")
    expected = remove_background(grey, {"format": "tiff"}, force=True).tobytes()
    for mode in ("F", "I"):
        assert remove_background(grey.convert(mode), {"format": "tiff"}, force=True).tobytes() == expected


def test_a_cut_out_that_pillow_refuses_as_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureError, match="MAX_IMAGE_PIXELS"):
        remove_background(ASTRONAUT)


def test_hints_reach_the_worker_and_nothing_is_stored(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    requests: list[dict[str, Any]] = []

    def process(_mode: Any, request: dict[str, Any], _data: bytes, _format: str) -> Any:
        requests.append(request)
        raise PictureError("no_clear_subject")

    monkeypatch.setattr(api, "_process_in_worker", process)
    all_hints: list[dict[str, Any]] = [{"box": (1, 2, 30, 40), "keep": "largest"}, {"drop_points": [(5, 6)]}, {}]
    for hints in all_hints:
        with pytest.raises(PictureError):
            remove_background(ASTRONAUT, hints=hints)
    assert [request["force"] for request in requests] == [True, False, False]
    assert requests[0]["edits"] == (
        '[{"points":[[1.0,2.0],[30.0,40.0]],"tool":"box"},{"name":"largest","tool":"keep_only"}]'
    )
    assert "edits" not in requests[2]
    assert not (home / "state" / "jobs.db").exists()


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"boxes": []}, "hints: there is no boxes. Choose from: box, keep_points, drop_points, keep."),
        ({"box": (5, 0, 1, 1)}, "hints: box: left must be less than right, and top less than bottom."),
        ({"keep_points": 3}, "hints: "),
    ],
)
def test_hints_that_make_no_sense_are_a_usage_error(hints: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        remove_background(ASTRONAUT, hints=hints)
    assert str(caught.value).startswith(message)
