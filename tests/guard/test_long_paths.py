"""Long paths on Windows: which get a prefix, and that all of nobg's calls with pictures ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher import commit, enqueue
from watcher.folders import left_out, listing, selection
from watcher.guard import links, long_paths
from watcher.guard.long_paths import LONGEST, for_system
from watcher.queue import journal_queue, outputs, store
from watcher.worker import tasks

FOLDER = "C:\\" + "d" * 250


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{FOLDER}\\a.jpg", f"\\\\?\\{FOLDER}\\a.jpg"),
        (f"{FOLDER}/x/../a.jpg", f"\\\\?\\{FOLDER}\\a.jpg"),
        (f"\\\\server\\share\\{'d' * 250}", f"\\\\?\\UNC\\server\\share\\{'d' * 250}"),
        (f"\\\\?\\{FOLDER}", f"\\\\?\\{FOLDER}"),
        ("d" * 300, "d" * 300),
        ("C:\\a.jpg", "C:\\a.jpg"),
        ("C:\\" + "d" * (LONGEST - 3), "C:\\" + "d" * (LONGEST - 3)),
    ],
    ids=["long", "slashes", "share", "has one", "relative", "short", "limit"],
)
def test_only_a_long_absolute_path_gets_a_prefix(path: str, expected: str) -> None:
    assert for_system(path, "win32") == expected
    assert for_system(path, "linux") == path


def test_an_entry_of_a_long_folder_is_stored_without_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with os.scandir(tmp_path) as entries:
        (entry,) = entries
    assert long_paths.entry_path(FOLDER, entry, "win32") == f"{FOLDER}\\a.jpg"
    assert long_paths.entry_path(FOLDER, entry, "linux") == str(tmp_path / "a.jpg")


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the system takes only as `for_system` returns it; a picture is in it, and one in a sub-folder."""
    long, real = tmp_path / "long", tmp_path / "prefixed"
    (real / "inside").mkdir(parents=True)
    for name in ("a.jpg", "inside/b.jpg"):
        (real / name).write_bytes(b"a picture")

    def prefixed(path: str | Path) -> str:
        return str(path).replace(str(long), str(real))

    def stored(folder: str, entry: os.DirEntry[str]) -> str:
        return os.path.join(folder, entry.name)

    for module in (
        commit,
        enqueue,
        journal_queue,
        left_out,
        links,
        listing,
        long_paths,
        outputs,
        selection,
        store,
        tasks,
    ):
        monkeypatch.setattr(module, "for_system", prefixed, raising=False)
        monkeypatch.setattr(module, "entry_path", stored, raising=False)
    monkeypatch.setattr(links, "_HAS_DESCRIPTORS", False)
    yield long
    assert not long.exists()


def test_a_click_finds_pictures_in_a_long_folder(long: Path) -> None:
    silent: dict[str, None] = {}
    assert list(enqueue._find_pictures(str(long), silent)) == [str(long / "a.jpg")]
    assert list(enqueue._find_pictures(str(long / "a.jpg"), silent)) == [str(long / "a.jpg")]


def test_a_command_finds_pictures_in_a_long_folder(long: Path) -> None:
    assert list(selection.find_pictures([long], recursive=True)) == [long / "a.jpg", long / "inside" / "b.jpg"]


def test_a_watch_finds_pictures_in_a_long_folder(long: Path) -> None:
    found = listing.list_folder(str(long), listing.Rules(lambda _name: True))
    assert [path for path, _status in found.files] == [str(long / "a.jpg")]
    assert found.subfolders == [str(long / "inside")]
    assert not found.problem


def test_a_picture_in_a_long_folder_is_read_and_known_again(long: Path) -> None:
    source = commit.read_source(long / "a.jpg")
    assert source.data == b"a picture"
    assert store.signature_of(os.fsencode(long / "a.jpg")) == source.signature
    assert outputs._is_other_picture(str(long / "inside" / "b.jpg"), long / "a.jpg")
    assert not outputs._is_other_picture(str(long / "a.jpg"), long / "a.jpg")


def test_outputs_of_a_long_folder_go_where_the_system_takes_them(long: Path, tmp_path: Path) -> None:
    links.make_folder(long / "new" / "inside", long)
    assert (tmp_path / "prefixed" / "new" / "inside").is_dir()
    with links.opened(long / "new", long) as folder:
        assert folder.at("a_nobg.png") == str(tmp_path / "prefixed" / "new" / "a_nobg.png")
