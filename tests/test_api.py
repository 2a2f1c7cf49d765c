"""api.py: the Python call."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import watcher
from watcher import remove_background
from watcher.codecs import frame_count
from watcher.errors import ModelError, PictureError, UsageError
from watcher.recipe import Recipe, read

from .conftest import SAMPLES, make_photo
from .test_codecs import saved

ASTRONAUT = SAMPLES / "astronaut.jpg"


def seen(image: Image.Image) -> float:
    """The share that is subject."""
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
    assert 0.35 < seen(results[0]) < 0.65
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]  # nothing was written


def test_in_this_process_it_gives_the_same_as_in_the_jail() -> None:
    code = (
        "import sys; from watcher import remove_background; a = remove_background(sys.argv[1]);"
        "assert 'onnxruntime' not in sys.modules; b = remove_background(sys.argv[1], jailed=False);"
        "assert a.tobytes() == b.tobytes(); print('same')"
    )
    done = subprocess.run([sys.executable, "-c", code, ASTRONAUT], capture_output=True, text=True, check=True)
    assert done.stdout == "same\n"


def test_settings_are_those_of_a_recipe(home: Path) -> None:
    values = {"background": "#00ff00", "longest_side": 64}
    expected = remove_background(ASTRONAUT, values)
    assert (expected.mode, expected.size, expected.getpixel((1, 1))) == ("RGB", (64, 64), (0, 255, 0))
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('[recipes.small]\nbackground = "#00ff00"\nlongest_side = 64\n')
    for recipe in (read(values), "small"):
        assert remove_background(ASTRONAUT, recipe).tobytes() == expected.tobytes()
    assert remove_background(ASTRONAUT, "mask").mode == "L"


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "RGBa", "PA"]
)
def test_an_image_of_any_mode_is_taken(mode: str) -> None:
    with Image.open(ASTRONAUT) as image:
        small = image.resize((96, 96))
    if mode == "I;16":
        given = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    elif mode in ("RGBa", "PA"):
        given = small.convert("RGBA").convert({"PA": "P"}.get(mode, mode)).convert(mode)
    elif mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.profileToProfile(
            small, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert lab is not None
        given = lab
    else:
        given = small.convert(mode)
    assert given.mode == mode
    result = remove_background(given, force=True)
    assert (result.mode, result.size) == ("RGBA", (96, 96))
    if mode == "1":
        return  # of black and white dots, the network makes little
    face = np.asarray(result)[20:30, 38:46, :3].astype(int)
    assert np.abs(face - np.asarray(small)[20:30, 38:46].astype(int)).mean() < (
        90 if mode in ("L", "LA", "I;16") else 25
    )


def test_the_orientation_and_the_transparency_of_an_image_count() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(saved(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif))) as image:
        assert remove_background(image, force=True).size == (20, 40)
    clear = Image.new("RGBA", (64, 64), (9, 9, 9, 0))
    assert seen(remove_background(clear, force=True)) == 0


def test_an_animation_comes_back_as_one() -> None:
    with Image.open(ASTRONAUT) as image:
        frame = image.resize((64, 64))
    film = saved(
        frame, "GIF", save_all=True, append_images=[frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)], duration=70
    )
    result = remove_background(film, force=True)
    assert (frame_count(result), result.info["duration"]) == (2, 70)
    assert remove_background(film, {"first_frame": True}, force=True).info.get("duration") is None


def test_what_goes_wrong_is_said() -> None:
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


def test_the_package_names_its_call_and_nothing_that_is_not_there() -> None:
    assert watcher.__all__ == ["remove_background"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        watcher.nothing  # noqa: B018
