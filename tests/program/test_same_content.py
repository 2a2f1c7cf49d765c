"""The same content is the same picture, whatever it is called, in watched folders and with the running program."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.outputs import stand_in_output
from tests.support.program import Program, wait_for, wait_until_settled

PICTURES = 50


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Program]:
    monkeypatch.setenv("NOBG_HOME", str(tmp_path / "home"))
    program = Program(tmp_path / "home", folder, stand_in=True)
    yield program
    program.stop()


def make_album(album: Path, count: int = PICTURES) -> None:
    """Make an album of pictures, each with its own content."""
    album.mkdir()
    for number in range(count):
        (album / f"{number:02}.jpg").write_text(f"ok {number}")


def files(*folders: Path) -> list[str]:
    """Return the names of all files below the folders."""
    return sorted(path.name for folder in folders for path in folder.rglob("*") if path.is_file())


def album_files(suffix: str = "_nobg", count: int = PICTURES) -> list[str]:
    """Return the names of the files in an album: its pictures, and one cut-out for each."""
    return sorted(name for number in range(count) for name in (f"{number:02}.jpg", f"{number:02}{suffix}.png"))


def has_settled(program: Program, album: Path, suffix: str = "_nobg") -> None:
    """Wait until each picture of the album has its cut-out, and until there is nothing more to do."""
    wait_for(lambda: len(list(album.glob(f"*{suffix}.png"))) >= PICTURES)
    wait_until_settled(program)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--suffix=-cut",)])
def test_a_renamed_album_is_not_done_again(program: Program, folder: Path, options: tuple[str, ...]) -> None:
    suffix = options[0].partition("=")[2] if options else "_nobg"
    make_album(folder / "a")
    program.watch("--recursive", *options)
    program.start()
    has_settled(program, folder / "a", suffix)
    for old, new in (("a", "b"), ("b", "c"), ("c", "d")):
        (folder / old).rename(folder / new)
        wait_until_settled(program)
    assert files(folder) == album_files(suffix)
    assert len(program.worker_inputs()) == PICTURES
    assert [job.source.parent for job in program.finished_jobs()] == [folder / "d"] * PICTURES  # for undo and history


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--suffix=-cut",)])
def test_an_album_that_is_moved_to_another_watched_folder_is_not_done_again(
    program: Program, folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    suffix = options[0].partition("=")[2] if options else "_nobg"
    other = tmp_path / "other"
    other.mkdir()
    make_album(folder / "a")
    program.watch("--recursive", *options)
    program("watch", "add", other, "--recursive", *options)
    program.start()
    has_settled(program, folder / "a", suffix)
    (folder / "a").rename(other / "b")
    wait_until_settled(program)
    assert files(folder, other) == album_files(suffix)
    assert len(program.worker_inputs()) == PICTURES


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--suffix=-cut",)])
def test_a_link_and_its_target_that_are_both_watched_give_one_cut_out(
    program: Program, folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    suffix = options[0].partition("=")[2] if options else "_nobg"
    link = tmp_path / "link"
    link.symlink_to(folder)
    make_album(folder / "a")
    program.watch("--recursive", *options)
    program("watch", "add", link, "--recursive", *options)
    program("watch", "add", link / "a", *options)
    program.start()
    has_settled(program, folder / "a", suffix)
    assert files(folder) == album_files(suffix)
    assert len(program.worker_inputs()) == PICTURES
    problems = {entry["path"]: entry["problem"] for entry in program.run_json("status")["folders"]}
    assert "the same folder as" in problems[str(link)]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--suffix=-cut",)])
def test_after_jobs_db_is_deleted_nothing_is_done_again(
    program: Program, folder: Path, options: tuple[str, ...]
) -> None:
    suffix = options[0].partition("=")[2] if options else "_nobg"
    make_album(folder / "a")
    program.watch("--recursive", *options)
    program.start()
    has_settled(program, folder / "a", suffix)
    program.stop()
    for path in program.state.glob("jobs.db*"):
        path.unlink()
    for _ in range(2):  # the second start sweeps without the rules for lost records
        program.start()
        wait_for(lambda: program.counts()["done"] == PICTURES)
        wait_until_settled(program)
        program.stop()
    assert files(folder) == album_files(suffix)
    assert len(program.worker_inputs()) == PICTURES


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--suffix=-cut",)])
def test_a_drive_at_another_mount_point_is_not_done_again(
    program: Program, folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    suffix = options[0].partition("=")[2] if options else "_nobg"
    image, mount_points = tmp_path / "drive", [folder / "CAMERA", folder / "CAMERA1"]
    with image.open("wb") as file:
        file.truncate(16 << 20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("apt-get install e2fsprogs")
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    program.watch("--recursive", *options)
    for number, mount_point in enumerate(mount_points):
        mount_point.mkdir()
        mounted = subprocess.run(["mount", "-o", "loop", image, mount_point], check=False, capture_output=True)
        if mounted.returncode:
            pytest.skip(f"nothing can be mounted here: {os.fsdecode(mounted.stderr)}")
        try:
            if number == 0:
                make_album(mount_point / "a")
            program.start()
            has_settled(program, mount_point / "a", suffix)
            program.stop()
            assert files(mount_point) == album_files(suffix)
        finally:
            program.stop()
            subprocess.run(["umount", mount_point], check=True)
    assert len(program.worker_inputs()) == PICTURES


@pytest.mark.slow
def test_a_cut_out_under_another_name_is_no_source_and_is_not_moved_to_done(program: Program, folder: Path) -> None:
    (folder / "a.jpg").write_text("ok a")
    program.watch("--move-originals", "done")
    program.start()
    wait_for((folder / "a_nobg.png").exists)
    wait_until_settled(program)
    copies = ["mug.png", "a_nobg (copy).png", "a_nobg(1).png", "a_nobg.sync-conflict-20261127-101010-ABCDEFG.png"]
    for name in copies:
        shutil.copy(folder / "a_nobg.png", folder / name)
    (folder / "z.jpg").write_text("ok z")
    wait_for((folder / "z_nobg.png").exists)
    wait_until_settled(program)
    assert sorted(os.listdir(folder)) == sorted([*copies, "a_nobg.png", "done", "z_nobg.png"])
    assert sorted(os.listdir(folder / "done")) == ["a.jpg", "z.jpg"]
    assert program.worker_inputs() == ["ok a", "ok z"]
    (folder / "mug.png").write_text("ok another picture")  # the name is free for a picture again
    wait_for((folder / "mug_nobg.png").exists)


@pytest.mark.slow
def test_copies_get_cut_outs_of_their_names_from_the_known_bytes(program: Program, folder: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):  # they arrive together
        (folder / name).write_text("ok same")
    program.watch()
    program.start()
    wait_for((folder / "c_nobg.png").exists)
    shutil.copy(folder / "a.jpg", folder / "later.jpg")
    wait_for((folder / "later_nobg.png").exists)
    wait_until_settled(program)
    assert len(files(folder)) == 8
    assert {path.read_bytes() for path in folder.glob("*.png")} == {stand_in_output("ok same")}
    assert program.worker_inputs() == ["ok same"]


@pytest.mark.slow
def test_a_second_computer_that_starts_later_on_a_synced_folder_makes_no_second_cut_outs(
    program: Program, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_album(folder / "a")
    program.watch("--recursive", "--suffix=-cut")
    program.start()
    has_settled(program, folder / "a", "-cut")
    monkeypatch.setenv("NOBG_HOME", str(tmp_path / "home2"))
    other = Program(tmp_path / "home2", tmp_path / "synced", stand_in=True)
    (tmp_path / "synced").mkdir()
    other.start()  # its records are not new when it gets the folder
    try:
        other.watch("--recursive", "--suffix=-cut")
        shutil.copytree(folder / "a", tmp_path / "synced" / "a", copy_function=shutil.copyfile)
        wait_for(lambda: other.counts()["done"] >= PICTURES)
        wait_until_settled(other)
        assert files(tmp_path / "synced") == album_files("-cut")
        assert len(other.worker_inputs()) == PICTURES
    finally:
        other.stop()
