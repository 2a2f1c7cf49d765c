"""candidates.py: folders by their names, files by their status."""

import stat
from types import SimpleNamespace

import pytest

from watcher.folders.candidates import is_excluded_folder, is_local_nonempty_file


@pytest.mark.parametrize("name", [".git", "@eaDir", "#recycle", "$RECYCLE.BIN", ".Trash-1000", "Trash", "~x"])
def test_a_recursive_watch_skips_hidden_folders_and_trash(name: str) -> None:
    assert is_excluded_folder(name)
    assert not is_excluded_folder("holiday")


def test_a_placeholder_of_a_cloud_service_is_not_a_local_file() -> None:
    regular = {"st_mode": stat.S_IFREG | 0o644, "st_size": 5}
    assert is_local_nonempty_file(SimpleNamespace(**regular))  # type: ignore[arg-type]
    for mark in ({"st_file_attributes": 0x400000}, {"st_file_attributes": 0x1000}, {"st_flags": 0x40000000}):
        assert not is_local_nonempty_file(SimpleNamespace(**regular, **mark))  # type: ignore[arg-type]
