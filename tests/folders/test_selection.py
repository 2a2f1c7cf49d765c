"""selection.py: which pictures the arguments of `nobg remove` stand for."""

import os
from pathlib import Path

import pytest

from watcher.folders.selection import find_pictures


def touch(*paths: Path) -> None:
    """Create empty files, and their folders."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pictures_of_a_folder_remember_it_and_links_in_it_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "sub/b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    found = find_pictures([tmp_path, tmp_path / "a.jpg", tmp_path / "link.jpg"], recursive=True)
    assert found == {tmp_path / "a.jpg": None, tmp_path / "sub" / "b.jpg": tmp_path, tmp_path / "link.jpg": None}


def test_a_folder_stands_for_the_pictures_directly_in_it(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "a_nobg.png", "sub/c.jpg")))
    assert list(find_pictures([tmp_path])) == [tmp_path / "a.png", tmp_path / "b.JPG"]


def test_recursive_includes_sub_folders_but_follows_no_link(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "sub/deep/c.jpg")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert list(find_pictures([tmp_path], recursive=True)) == [tmp_path / "a.jpg", tmp_path / "sub/deep/c.jpg"]


def test_a_file_stands_for_itself_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "a_nobg.png", tmp_path / "text")
    selected = [tmp_path / "a_nobg.png", tmp_path / "text", tmp_path / "missing.jpg"]
    assert list(find_pictures(selected)) == selected


def test_each_picture_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert list(find_pictures([Path("a.jpg"), Path(), tmp_path / "." / "a.jpg"])) == [tmp_path / "a.jpg"]


def test_a_folder_without_pictures_stands_for_itself_so_that_it_is_reported(tmp_path: Path) -> None:
    assert list(find_pictures([tmp_path])) == [tmp_path]


def test_a_link_keeps_its_own_name_and_place(tmp_path: Path) -> None:
    touch(tmp_path / "real.jpg")
    os.symlink("real.jpg", tmp_path / "link.jpg")
    assert list(find_pictures([tmp_path / "link.jpg"])) == [tmp_path / "link.jpg"]
