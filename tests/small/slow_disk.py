"""nobg with its pictures, or its records, on a slow disk: `bash tests/run tests/small/slow_disk.py -s`.

The disk is bindfs with a limited rate: 100 KB a second for pictures, as a bad USB stick or a distant share. `-s` shows
how long a click took.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.support.drive import CAN_MOUNT, BindDrive
from tests.support.program import Program, outputs, wait_for

pytestmark = pytest.mark.skipif(not CAN_MOUNT, reason="bindfs, fusermount3 or /dev/fuse is missing")

SLOW = ("--read-rate=100k", "--write-rate=100k")


def photo(path: Path, number: int) -> Path:
    """Write a photo of about 600 KB, which the slow disk reads in 6 seconds."""
    noise = np.random.default_rng(number).integers(-25, 25, (800, 800, 3))
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        pixels = np.asarray(image.convert("RGB").resize((800, 800))) + noise
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=95)
    assert path.stat().st_size > 400_000
    return path


def click(*paths: Path) -> None:
    """Run the client, as a file manager does, and print how long it took."""
    code = "import sys; from watcher import enqueue; sys.exit(enqueue.main())"
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True, timeout=120)
    print(f"the click on {len(paths)} took {time.monotonic() - start:.2f} s")


def assert_complete(folder: Path, names: list[str]) -> None:
    """Fail unless each of these pictures has one complete cut-out in the folder, and nothing else has.

    A kill may leave a temporary file, which nobg removes when it is an hour old.
    """
    found = [name for name in outputs(folder) if not name.startswith(".nobg-")]
    assert found == sorted(f"{Path(name).stem}_nobg.png" for name in names)
    for name in names:
        with Image.open(folder / f"{Path(name).stem}_nobg.png") as image:
            image.load()
            assert image.mode == "RGBA"


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[BindDrive]:
    drive = BindDrive(tmp_path / "disk", tmp_path / "stick", *SLOW)
    yield drive
    drive.close()


@pytest.mark.usefixtures("fast_model")
def test_a_click_returns_before_the_slow_disk_has_read_the_pictures_and_all_are_done(
    stick: BindDrive, program: Program
) -> None:
    names = [photo(stick.disk / f"{number}.jpg", number).name for number in range(3)]
    before = {name: hashlib.sha256((stick.disk / name).read_bytes()).digest() for name in names}
    stick.mount()
    program.start()
    click(*(stick.point / name for name in names))
    assert outputs(stick.disk) == []
    assert not program.finished_jobs()
    wait_for(program.has_done(len(names)), 300)
    assert_complete(stick.disk, names)
    assert {name: hashlib.sha256((stick.disk / name).read_bytes()).digest() for name in names} == before


@pytest.mark.usefixtures("fast_model")
def test_kills_while_the_slow_disk_reads_and_writes_lose_nothing(stick: BindDrive, program: Program) -> None:
    names = [photo(stick.disk / f"{number}.jpg", number).name for number in range(3)]
    stick.mount()
    program.start()
    click(*(stick.point / name for name in names))
    for seconds in (1, 5, 9, 14):
        time.sleep(seconds)  # a kill at another stage of the work each time
        for name in outputs(stick.disk):
            if not name.startswith("."):
                assert_complete_picture(stick.disk / name)
        program.stop(9)
        program.start()
    wait_for(program.has_done(len(names)), 300)
    assert_complete(stick.disk, names)
    assert {job.source.name for job in program.finished_jobs()} == set(names)


def assert_complete_picture(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


@pytest.mark.usefixtures("fast_model")
def test_pictures_that_are_copied_into_a_slow_watched_folder_are_done_once_they_are_whole(
    stick: BindDrive, program: Program, tmp_path: Path
) -> None:
    originals = [photo(tmp_path / f"{number}.jpg", number) for number in range(2)]
    stick.mount()
    program("watch", "add", stick.point)
    program.start()
    for original in originals:
        shutil.copy(original, stick.point / original.name)
    wait_for(program.has_done(len(originals)), 300)
    assert_complete(stick.disk, [original.name for original in originals])


def test_records_on_a_slow_disk_lose_no_click(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = BindDrive(tmp_path / "home-disk", tmp_path / "slow-home", *SLOW)
    (home.disk / "config").mkdir()
    (home.disk / "config" / "config.toml").write_text('model = "fast"\n')
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = [photo(folder / f"{number}.jpg", number).name for number in range(3)]
    monkeypatch.setenv("NOBG_HOME", str(home.point))
    home.mount()
    program = Program(home.point, folder)
    try:
        program.start()
        for name in names:
            click(folder / name)
        wait_for(program.has_done(len(names)), 300)
        assert program.stop() == 0
        assert_complete(folder, names)
    finally:
        program.stop(9)
        home.close()
        os.sync()
