"""Sources and outputs on Windows' file systems: sharing, attributes, names, long paths, streams."""

from __future__ import annotations

import hashlib
import msvcrt
import os
import sys
from pathlib import Path

import pytest

assert sys.platform == "win32"

from tests.windows.native import windows
from watcher import commit
from watcher.errors import PassingError, PictureError
from watcher.folders.candidates import is_local_nonempty_file
from watcher.naming import output_paths


def test_a_source_that_another_program_has_for_itself_can_be_read_later(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"abc")
    with windows.open_alone(source), pytest.raises(PassingError) as failure:
        commit.read_source(source)
    assert failure.value.detail.startswith("another program has it open")
    assert commit.read_source(source).data == b"abc"


def test_a_source_of_which_another_program_has_locked_a_part_can_be_read_later(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"abc")
    with source.open("rb") as file:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 3)
        if _can_be_read(source):
            pytest.skip("wine lets others read what is locked")
        with pytest.raises(PassingError):
            commit.read_source(source)
    assert commit.read_source(source).data == b"abc"


def _can_be_read(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except PermissionError:
        return False


def test_a_folder_and_a_missing_file_are_not_taken_for_passing_trouble(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "unsupported"), (tmp_path / "gone.jpg", "vanished")):
        with pytest.raises(PictureError) as failure:
            commit.read_source(path)
        assert (failure.value.reason, type(failure.value)) == (reason, PictureError)


def test_the_source_can_be_read_while_another_program_writes_it(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"abc")
        assert commit.read_source(tmp_path / "a.jpg").data == b"abc"


@pytest.mark.parametrize("attributes", [windows.READ_ONLY, windows.HIDDEN | windows.SYSTEM])
def test_the_attributes_of_the_source_are_not_those_of_its_cut_out(tmp_path: Path, attributes: int) -> None:
    source, output = tmp_path / "a.jpg", tmp_path / "a_nobg.png"
    source.write_bytes(b"abc")
    windows.set_attributes(source, attributes)
    before = windows.attributes(source)
    commit.publish(output, b"cut-out", commit.read_source(source).access)
    assert windows.attributes(source) == before
    assert not windows.attributes(output) & 0x7
    windows.set_attributes(source, 0x80)  # pytest could not remove it


def test_a_cut_out_that_another_program_shows_is_replaced_later_and_named(tmp_path: Path) -> None:
    output = tmp_path / "a_nobg.png"
    output.write_bytes(b"old")
    digest = hashlib.sha256(b"old").hexdigest()
    with output.open("rb"), pytest.raises(PictureError, match=r"a_nobg\.png is read-only, or open in another program"):
        commit.replace(output, b"new", 0o666, digest)
    assert (os.listdir(tmp_path), output.read_bytes()) == (["a_nobg.png"], b"old")
    commit.replace(output, b"new", 0o666, digest)
    assert (os.listdir(tmp_path), output.read_bytes()) == (["a_nobg.png"], b"new")


def test_names_that_differ_in_case_alone_are_one_name(tmp_path: Path) -> None:
    (tmp_path / "A_NOBG.PNG").write_bytes(b"a person's")
    with pytest.raises(FileExistsError):
        commit.publish(tmp_path / "a_nobg.png", b"cut-out")
    commit.publish(tmp_path / "a_nobg-2.png", b"cut-out")
    assert (tmp_path / "a_nobg.png").read_bytes() == b"a person's"


def test_paths_longer_than_260_characters(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d" * 60] * 5)
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"abc")
    assert commit.read_source(folder / "a.jpg").data == b"abc"
    commit.publish(folder / "a_nobg.png", b"cut-out")
    assert (folder / "a_nobg.png").read_bytes() == b"cut-out"
    assert sorted(os.listdir(folder)) == ["a.jpg", "a_nobg.png"]


@pytest.mark.parametrize(
    "name", ["CON.jpg", "nul.jpg", "a .jpg", "b..jpg", " c.jpg", "lpt1.photo.jpg", "x" * 251 + ".jpg"]
)
def test_the_long_form_of_a_path_takes_odd_names(tmp_path: Path, name: str) -> None:
    folder = Path(f"\\\\?\\{tmp_path}")
    (folder / name).write_bytes(b"abc")
    output = next(output_paths(folder / name, folder))
    assert commit.read_source(folder / name).data == b"abc"
    commit.publish(output, b"cut-out")
    assert sorted(os.listdir(folder)) == sorted([name, output.name])


@pytest.mark.parametrize("name", ["CON.jpg", "nul.jpg"])
def test_the_name_of_a_device_is_no_picture(tmp_path: Path, name: str) -> None:
    """Without the long form, older systems open the device: reading it would never end."""
    with pytest.raises(PictureError):
        commit.read_source(Path(f"\\\\.\\{name[:3]}"))
    with pytest.raises(PictureError):
        commit.read_source(tmp_path / name)


def test_where_a_download_comes_from_is_not_copied_to_its_cut_out(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"abc")
    (tmp_path / "a.jpg:Zone.Identifier").write_bytes(b"[ZoneTransfer]\r\nZoneId=3\r\n")
    if len(os.listdir(tmp_path)) > 1:
        pytest.skip("wine makes a file of this name: it has no streams")
    commit.publish(tmp_path / "a_nobg.png", b"cut-out", commit.read_source(source).access)
    assert (tmp_path / "a.jpg:Zone.Identifier").exists()
    assert not (tmp_path / "a_nobg.png:Zone.Identifier").exists()


def test_a_placeholder_of_a_cloud_service_is_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"abc")
    windows.set_attributes(source, windows.OFFLINE)
    if not windows.attributes(source) & windows.OFFLINE:
        pytest.skip("wine keeps no attribute but read-only, hidden and system")
    assert not is_local_nonempty_file(source.lstat())


def test_a_share_of_this_machine_is_a_folder_like_others(tmp_path: Path) -> None:
    share = Path(f"\\\\localhost\\{tmp_path.drive[0]}$", *tmp_path.parts[1:])
    if not share.exists():
        pytest.skip("wine has no shares")
    (share / "a.jpg").write_bytes(b"abc")
    commit.publish(share / "a_nobg.png", b"cut-out", commit.read_source(share / "a.jpg").access)
    assert (tmp_path / "a_nobg.png").read_bytes() == b"cut-out"
