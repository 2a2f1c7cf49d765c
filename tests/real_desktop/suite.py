"""What every file manager has to pass: pictures with names that break things, and what must be there after a click."""

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
    "semi;colon & <more> #1?.png",  # another kind than the others: what fits to both must be offered
)


@contextlib.contextmanager
def person(folder: Path, before: tuple[str, ...] = ()) -> Iterator[Desktop]:
    """A desktop with a fresh home, of somebody who has just installed nobg and its menu entries."""
    home = folder / "person"
    home.mkdir()
    give(folder, before)
    with Desktop(home, before) as desktop:
        desktop.nobg("menu", "install")
        yield desktop


def give(folder: Path, before: tuple[str, ...]) -> None:
    """Make another user own the folder and all in it, if `before` makes commands run as another one."""
    user = [int(word.partition("=")[2]) for word in before if word.startswith("--reuid=")]
    if user:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user[0], user[0])


def pictures(folder: Path, names: tuple[str, ...] = ODD_NAMES) -> dict[Path, bytes]:
    """Small photos with these names, and what is in them."""
    folder.mkdir(parents=True, exist_ok=True)
    return {path: path.read_bytes() for path in (make_photo(folder / name) for name in names)}


def is_running(desktop: Desktop) -> bool:
    """Does nobg run for this person?"""
    return lock.holder_pid(str(desktop.home / ".local" / "state" / "nobg")) is not None


def assert_done(originals: dict[Path, bytes]) -> None:
    """Soon there is a cut-out beside each picture, but no other one, and the pictures are as they were."""
    cut_outs = {cut_out(path) for path in originals}
    try:
        wait_for(lambda: all(path.exists() for path in cut_outs))
    finally:  # shown where it fails
        print("missing:", [path.name for path in cut_outs if not path.exists()])
    folders = {path.parent for path in originals}
    assert {path for folder in folders for path in folder.rglob("*_nobg*")} == cut_outs
    for path, content in originals.items():
        assert path.read_bytes() == content
        with Image.open(cut_out(path)) as image:
            assert image.size == (256, 256)
            assert image.getchannel("A").getextrema() == (0, 255)


def assert_white(original: Path) -> None:
    """Soon its cut-out is there, with a white background."""
    wait_for(cut_out(original).exists)
    with Image.open(cut_out(original)) as image:
        assert image.convert("RGBA").getpixel((60, 2)) == (255, 255, 255, 255)


def cut_out(path: Path) -> Path:
    """Where its cut-out appears."""
    return path.with_name(f"{path.stem}_nobg.png")


def mixed(folder: Path) -> dict[Path, bytes]:
    """A picture, and a folder with one and with a folder that has another: the pictures to be done of these."""
    pictures(folder / "holiday" / "deeper", ("e.jpg",))
    return {**pictures(folder, ("a.jpg",)), **pictures(folder / "holiday", ("b c.jpg",))}
