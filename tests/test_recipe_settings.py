"""Each setting of a recipe, with the real worker: in a watched folder, from the menu, on the command line."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tomlkit
from PIL import Image

from tests.conftest import ROOT, make_photo, wait_for
from tests.support.program import Program
from tests.test_enqueue import CLIENT
from watcher.picture.codecs import frame_count
from watcher.recipe import FIELDS

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """Settings as in config.toml, and a check of the output. `source`: the name of the original."""

    settings: dict[str, object]
    matches: Callable[[Image.Image, Path], bool]
    source: str = "photo.jpg"


def pixels(image: Image.Image, mode: str = "RGBA") -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
    return np.asarray(image.convert(mode)).astype(np.int64)


def has_shadow(image: Image.Image, _path: Path) -> bool:
    values = pixels(image)
    dark = (values[..., :3].max(axis=2) == 0) & (values[..., 3] > 5) & (values[..., 3] < 250)
    return bool(dark.sum() > 300)


def has_camera_but_no_place(image: Image.Image, _path: Path) -> bool:
    exif = image.getexif()
    return exif.get(0x010F) == "Camera" and not exif.get_ifd(0x8825)


CASES = {
    "background": Case(
        {"background": "#00ff00"}, lambda image, _: image.mode == "RGB" and image.getpixel((3, 3)) == (0, 255, 0)
    ),
    "fit": Case(
        {"background": "{ground}", "fit": "contain"},
        lambda image, _: image.getpixel((3, 3)) == (255, 255, 255) and image.getpixel((3, 128)) == (0, 0, 255),
    ),
    "crop": Case({"crop": True}, lambda image, _: image.width <= 256 and 200 < image.height < 252),
    "canvas": Case({"canvas": "300x200"}, lambda image, _: image.size == (300, 200)),
    "padding": Case(
        {"canvas": "400x400", "padding": "25%"},
        lambda image, _: not pixels(image)[:100].any() and pixels(image)[100:300, 100:300, 3].mean() > 60,
    ),
    "placement": Case(
        {"canvas": "2:1", "placement": "right"},
        lambda image, _: image.width == 512 and not pixels(image)[:, :250].any() and bool(pixels(image)[:, 300:].any()),
    ),
    "longest_side": Case({"longest_side": 100}, lambda image, _: image.size == (100, 100)),
    "shadow": Case({"shadow": 80, "model": "balanced"}, has_shadow),  # the coarser edges of `fast` look like shadows
    "mask": Case({"mask": True}, lambda image, _: image.mode == "L" and image.getextrema() == (0, 255)),
    "format": Case({"format": "webp"}, lambda image, path: image.format == "WEBP" and path.name == "photo_nobg.webp"),
    "quality": Case({"format": "webp", "quality": 5}, lambda _, path: b"VP8 " in path.read_bytes()),
    "effort": Case({"effort": "small"}, lambda _, path: path.stat().st_size < 0.97 * default_size(path)),
    "metadata": Case({"metadata": "keep"}, has_camera_but_no_place),
    "first_frame": Case({"first_frame": True}, lambda image, _: getattr(image, "n_frames", 1) == 1, "film.gif"),
    "suffix": Case({"suffix": "_cut"}, lambda _, path: path.name == "photo_cut.png"),
    "model": Case({"model": "balanced"}, lambda image, _: image.mode == "RGBA"),
    "output": Case({"output": "into"}, lambda _, path: path.parent.name == "into"),
}
"""Field -> its case. A test below checks that each check fails without its setting."""


def default_size(path: Path) -> int:
    """The size of the output without settings."""
    return next(path.parents[2].glob("menu/usual/*_nobg.png")).stat().st_size


def make_originals(folder: Path) -> dict[str, Path]:
    """Make a photo with a camera's name and a place, an animation of two frames, and a wide blue background."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    folder.mkdir(parents=True)
    photo = make_photo(folder / "photo.jpg", exif=exif)
    with Image.open(photo) as image:
        image.save(folder / "film.gif", save_all=True, append_images=[image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    Image.new("RGB", (400, 100), (0, 0, 255)).save(folder.parent / "ground.png")
    return {"photo.jpg": photo, "film.gif": folder / "film.gif"}


class Lab:
    """A resident program with a recipe, a watched folder and a request from the menu for each field."""

    def __init__(self, top: Path, home: Path) -> None:
        self.top = top
        self.sources = make_originals(top / "originals")
        self.program = Program(home, top)
        self.write_settings(home / "config" / "config.toml")

    def settings(self, name: str) -> dict[str, object]:
        """The settings of this field's case, with the path of the background."""
        ground = str(self.top / "ground.png")
        return {key: ground if value == "{ground}" else value for key, value in CASES[name].settings.items()}

    def write_settings(self, path: Path) -> None:
        """A recipe and a watched folder for each field."""
        document: dict[str, object] = {
            "model": "fast",  # the quickest real networks: what is tested comes after them
            "recipes": {name: self.settings(name) | {"menu": True} for name in CASES},
            "folders": [{"path": str(self.folder("folder", name)), **self.settings(name)} for name in CASES],
        }
        path.parent.mkdir()
        path.write_text(tomlkit.dumps(document))

    def folder(self, route: str, name: str) -> Path:
        """The folder for this field on this route: `folder`, `menu` or `line`."""
        return self.top / route / name

    def copy_source(self, route: str, name: str) -> Path:
        """Copy the original of this case into its folder."""
        source = self.sources[CASES.get(name, CASES["crop"]).source]
        folder = self.folder(route, name)
        folder.mkdir(parents=True)
        copy = folder / source.name
        copy.write_bytes(source.read_bytes())
        return copy

    def do_all(self) -> None:
        """Do all cases in watched folders and from the menu. The client gets recipes by name only."""
        for name in CASES:
            self.copy_source("folder", name)
        self.program.start()
        for name in [*CASES, "usual"]:
            recipe = [] if name == "usual" else ["--recipe", name]
            photo = self.copy_source("menu", name)
            subprocess.run([*CLIENT, *recipe, "--", photo], check=True)
        wait_for(self.program.has_done(2 * len(CASES) + 1), seconds=240)

    def output(self, route: str, name: str) -> Path:
        """The output of this case on this route."""
        source = self.sources[CASES[name].source].name
        (output,) = [path for path in self.folder(route, name).rglob("*") if path.is_file() and path.name != source]
        return output


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All cases, done in folders and from the menu."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("settings-home")
        patch.setenv("NOBG_HOME", str(home))
        instance = Lab(tmp_path_factory.mktemp("settings"), home)
        try:
            instance.do_all()
            yield instance
        finally:
            instance.program.stop(signal.SIGKILL)


@pytest.mark.parametrize("route", ["folder", "menu"])
@pytest.mark.parametrize("name", CASES)
def test_a_setting_works_in_a_watched_folder_and_from_the_menu(lab: Lab, name: str, route: str) -> None:
    path = lab.output(route, name)
    with Image.open(path) as image:
        image.load()
        assert CASES[name].matches(image, path)


@pytest.mark.parametrize("name", CASES)
def test_a_setting_works_on_the_command_line(lab: Lab, name: str) -> None:
    photo = lab.copy_source("line", name)
    options = [part for key, value in lab.settings(name).items() for part in options_for(key, value, photo.parent)]
    if "model" not in lab.settings(name):
        options += ["--model", "fast"]  # as in config.toml, which has another home here
    command = [sys.executable, "-m", "watcher", "remove", str(photo), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    path = Path(result.stdout.rstrip("\n"))
    assert path == lab.output("line", name)
    with Image.open(path) as image, Image.open(lab.output("menu", name)) as from_menu:
        image.load()
        assert CASES[name].matches(image, path)
        # Not the bytes: once in many thousand times, ISA-L compresses the same pixels into other bytes.
        assert np.array_equal(np.asarray(image), np.asarray(from_menu))
        assert (image.format, image.mode, image.info) == (from_menu.format, from_menu.mode, from_menu.info)


def options_for(name: str, value: object, folder: Path) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if name == "output":
        return [flag, str(folder / str(value))]
    return [flag] if value is True else [flag, str(value)]


@pytest.mark.parametrize("name", [name for name in CASES if name != "model"])
def test_without_the_setting_the_output_differs(lab: Lab, name: str) -> None:
    """Each check fails for an output without its setting."""
    (path,) = lab.folder("menu", "usual").glob("*_nobg.png")
    if name == "shadow":  # which has another model, too: compared with that model alone
        path = lab.output("menu", "model")
    with Image.open(path) as image:
        image.load()
        if name == "first_frame":
            with Image.open(lab.output("folder", name).with_name("film.gif")) as film:
                assert frame_count(film) == 2
        else:
            assert not CASES[name].matches(image, path)


def test_each_setting_has_a_case_and_a_row_in_the_documents() -> None:
    names = [field.name for field in FIELDS]
    assert sorted(CASES) == sorted(names)
    rows = re.findall(r"^\| `(\w+)` \| `(--[\w-]+)", (ROOT / "docs" / "recipes.md").read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == names
    assert [flag for _, flag in rows] == [f"--{name.replace('_', '-')}" for name in names]
