"""The resident program on Windows, with a stand-in for its worker: folders, kills, two programs, a lost drive."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

assert sys.platform == "win32"

from tests.conftest import Nobg
from tests.support import program as support
from tests.support.outputs import stand_in_output
from tests.support.program import Program, outputs
from tests.windows.native import windows


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until `condition` returns a true value. Programs start slowly under wine."""
    support.wait_for(condition, 500)


def pictures(folder: Path, count: int, word: str = "ok") -> None:
    """Write pictures whose contents differ."""
    for number in range(count):
        (folder / f"{number}.jpg").write_text(f"{word} {number}")


def test_a_watched_folder_takes_what_is_saved_moved_in_and_renamed(stand_in: Program, tmp_path: Path) -> None:
    """Windows reports the changes (ReadDirectoryChangesW): the next sweep is minutes away."""
    folder = stand_in.folder
    stand_in.watch("--recursive")
    stand_in.start()
    names = ["a b.jpg", "ü 写 & 100% (1).jpg", "it's ^caret;semi,.JPG", "x" * 150 + ".jpg"]
    for name in names:
        (folder / name).write_text(f"ok {name}")
    (folder / "download.crdownload").write_text("ok download")
    (folder / "download.crdownload").rename(folder / "download.jpg")
    (tmp_path / "moved.jpg").write_text("ok moved")
    deep = folder.joinpath("deep", *["d" * 60] * 4)
    deep.mkdir(parents=True)
    (tmp_path / "moved.jpg").rename(deep / "moved.jpg")
    wait_for(stand_in.has_done(len(names) + 2))
    expected = [f"{os.path.splitext(name)[0]}_nobg.png" for name in [*names, "download.jpg", "moved.jpg"]]
    assert outputs(folder) == sorted(expected)


def test_a_picture_that_another_program_has_for_itself_is_done_when_it_is_free(stand_in: Program) -> None:
    stand_in.watch()
    pictures(stand_in.folder, 2)
    with windows.open_alone(stand_in.folder / "0.jpg"):
        stand_in.start()
        wait_for(lambda: stand_in.counts()["done"] == 1)
        assert stand_in.counts()["failed"] == 0
        assert outputs(stand_in.folder) == ["1_nobg.png"]
    wait_for(stand_in.has_done(2))
    assert outputs(stand_in.folder) == ["0_nobg.png", "1_nobg.png"]


def test_names_that_differ_in_their_ending_alone_get_two_cut_outs(stand_in: Program) -> None:
    stand_in.watch()
    (stand_in.folder / "a.jpg").write_text("ok one")
    (stand_in.folder / "A.jpeg").write_text("ok two")
    stand_in.start()
    wait_for(stand_in.has_done(2))
    contents = {path.read_bytes() for path in stand_in.folder.glob("*.png")}
    assert contents == {stand_in_output(b"ok one"), stand_in_output(b"ok two")}
    assert {name.lower() for name in outputs(stand_in.folder)} == {"a_nobg-2.png", "a_nobg.png"}


def test_slashes_and_case_of_a_folder_do_not_matter(stand_in: Program) -> None:
    stand_in("watch", "add", stand_in.folder.as_posix())
    stand_in("watch", "add", str(stand_in.folder).upper())
    assert len(stand_in.run_json("watch", "list")["folders"]) == 1
    stand_in.start()
    pictures(stand_in.folder, 1)
    stand_in("add", f"{stand_in.folder.as_posix().lower()}/0.JPG")
    wait_for(lambda: outputs(stand_in.folder))
    wait_for(lambda: not stand_in.counts()["queued"] + stand_in.counts()["active"])
    assert outputs(stand_in.folder) == ["0_nobg.png"]


def test_a_second_program_ends_at_once(stand_in: Program, nobg: Nobg) -> None:
    stand_in.start()
    second = nobg("run", "--no-tray")
    assert (second.returncode, "already running" in second.stdout) == (0, True)
    assert stand_in.run_json("status")["running"]


@pytest.mark.slow
def test_two_programs_started_at_once_do_each_picture_once(stand_in: Program) -> None:
    stand_in.watch()
    pictures(stand_in.folder, 30)
    command = [*stand_in.command, "run", "--no-tray"]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        wait_for(stand_in.has_done(30))
        assert sum(start.poll() is None for start in starts) == 1
        assert len(outputs(stand_in.folder)) == 30
        assert sorted(stand_in.worker_inputs()) == sorted(f"ok {number}" for number in range(30))
    finally:
        for start in starts:
            start.kill()
            start.communicate()


@pytest.mark.slow
def test_of_20_programs_that_are_terminated_nothing_is_lost_double_or_half_done(stand_in: Program) -> None:
    count, random_source = 100, random.Random(7)
    stand_in.watch()
    pictures(stand_in.folder, count, "large")
    for number in range(1, 21):
        stand_in.start()
        enough = min(count - 1, number * 4 + random_source.randrange(4))
        wait_for(lambda enough=enough: len(outputs(stand_in.folder)) >= enough)  # type: ignore[misc]
        stand_in.kill()
    stand_in.start()
    wait_for(stand_in.has_done(count))
    names = {name for name in outputs(stand_in.folder) if not name.endswith(".tmp")}  # those stay for an hour
    assert names == {f"{number}_nobg.png" for number in range(count)}
    for number in range(count):
        content = f"large {number}".encode() + bytes(1 << 20)
        assert (stand_in.folder / f"{number}_nobg.png").read_bytes() == stand_in_output(content)


@pytest.mark.slow
def test_undo_puts_the_cut_out_into_the_recycle_bin_and_leaves_the_picture(stand_in: Program, nobg: Nobg) -> None:
    stand_in.watch()
    pictures(stand_in.folder, 2)
    stand_in.start()
    wait_for(stand_in.has_done(2))
    undone = nobg("undo", "1", "2")
    assert "Traceback" not in undone.stderr
    if "Not implemented" in undone.stderr:
        assert len(outputs(stand_in.folder)) == 2
        pytest.skip("wine 8 has no IFileOperation, by which Send2Trash reaches the recycle bin")
    assert undone.returncode == 0
    assert sorted(os.listdir(stand_in.folder)) == ["0.jpg", "1.jpg"]


@pytest.mark.slow
def test_a_drive_that_goes_away_and_comes_back_loses_nothing(stand_in: Program) -> None:
    """The kit has a drive N. In place of the plug, the folder behind it gets another name."""
    behind = Path(sys.prefix).parent / "prefix" / "drive_n"
    if not behind.is_dir():
        pytest.skip("only the kit has a drive that a test can take away")
    folder = Path("N:\\") / stand_in.state.parent.name
    folder.mkdir()
    stand_in("watch", "add", folder)
    stand_in.start()
    (folder / "before.jpg").write_text("ok before")
    wait_for(stand_in.has_done(1))
    behind.rename(behind.with_name("unplugged"))
    try:
        wait_for(lambda: stand_in.run_json("status")["folders"][0]["state"] == "missing")
        assert stand_in.counts()["failed"] == 0
    finally:
        behind.with_name("unplugged").rename(behind)
    (folder / "after.jpg").write_text("ok after")
    wait_for(stand_in.has_done(2))
    assert outputs(folder) == ["after_nobg.png", "before_nobg.png"]
