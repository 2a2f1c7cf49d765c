"""Helpers for the tests of file managers: pictures with odd names, and checks of what a click has done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.conftest import make_photo
from tests.real_desktop.session import Desktop
from tests.support.program import wait_for
from watcher import lock

ODD_NAMES = (
    'it\'s "quoted" $HOME `id`.jpg',
    "two\nlines.jpg",
    "Grüße 写真 🙂.jpg",
    "--from-env.jpg",
    "back\\slash \\n.jpg",
    "100%20 %f %% %U.jpg",
    "semi;colon & <more> #1?.png",  # another type than the others: the entry must be offered for both
)


@contextlib.contextmanager
def person(folder: Path, command_prefix: tuple[str, ...] = ()) -> Iterator[Desktop]:
    """Yield the desktop of a person who has just installed nobg and its menu entries."""
    home = folder / "person"
    home.mkdir()
    give(folder, command_prefix)
    with Desktop(home, command_prefix) as desktop:
        desktop.nobg("menu", "install")
        yield desktop


def give(folder: Path, command_prefix: tuple[str, ...]) -> None:
    """Give the folder and everything in it to the user that `command_prefix` switches to, if it switches."""
    user_ids = [int(word.partition("=")[2]) for word in command_prefix if word.startswith("--reuid=")]
    if user_ids:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user_ids[0], user_ids[0])


def pictures(folder: Path, names: tuple[str, ...] = ODD_NAMES) -> dict[Path, bytes]:
    """Make small photos with these names; return their contents by path."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path: path.read_bytes() for path in (make_photo(folder / name) for name in names)}


def is_running(desktop: Desktop) -> bool:
    """Return whether nobg is running for this person."""
    return lock.holder_pid(str(desktop.home / ".local" / "state" / "nobg")) is not None


def assert_done(originals: dict[Path, bytes]) -> None:
    """Wait for a cut-out beside each picture; check that there is no other and that the pictures are unchanged."""
    cut_outs = {cut_out(path) for path in originals}
    try:
        wait_for(lambda: all(path.exists() for path in cut_outs), 300)
    finally:  # pytest shows it if the test fails
        print("missing:", [path.name for path in cut_outs if not path.exists()])
    folders = {path.parent for path in originals}
    assert {path for folder in folders for path in folder.rglob("*_nobg*")} == cut_outs
    for path, content in originals.items():
        assert path.read_bytes() == content
        with Image.open(cut_out(path)) as image:
            assert image.size == (256, 256)
            assert image.getchannel("A").getextrema() == (0, 255)


def assert_white(original: Path) -> None:
    """Wait for the picture's cut-out; check that its background is white."""
    wait_for(cut_out(original).exists)
    with Image.open(cut_out(original)) as image:
        assert image.convert("RGBA").getpixel((60, 2)) == (255, 255, 255, 255)


def cut_out(path: Path) -> Path:
    """Return the path of the picture's cut-out."""
    return path.with_name(f"{path.stem}_nobg.png")


def mixed(folder: Path) -> dict[Path, bytes]:
    """Make `a.jpg`, `holiday/b c.jpg` and `holiday/deeper/e.jpg`; return those that nobg must process.

    All of `folder` will be selected; nobg does not descend into sub-folders of a selected folder.
    """
    pictures(folder / "holiday" / "deeper", ("e.jpg",))
    return {**pictures(folder, ("a.jpg",)), **pictures(folder / "holiday", ("b c.jpg",))}
