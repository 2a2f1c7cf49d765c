"""links.py: which links are followed, with openat2 and step by step."""

import gc
import os
import sys
from pathlib import Path

import pytest

from watcher.guard import links
from watcher.guard.links import RefusedLinkError, Rule

pytestmark = pytest.mark.skipif(not links._HAS_DESCRIPTORS, reason="this system has no links that others can lay")

ANOTHER_USER = 65534


@pytest.fixture(params=["openat2", "steps"], autouse=True)
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "steps":
        monkeypatch.setattr(links, "_has_openat2", lambda: False)


def read(path: Path, below: Path | None = None, rule: Rule = Rule.NONE) -> bytes:
    with os.fdopen(links.open_path(path, os.O_RDONLY, below, rule), "rb") as file:
        return file.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, and links to the file and to the folder, below a link that leads there."""
    path = tmp_path / "real" / "folder"
    path.mkdir(parents=True)
    (path / "a.jpg").write_bytes(b"a")
    (path / "link.jpg").symlink_to("a.jpg")
    (path / "inside").symlink_to(path)
    (path / "up").symlink_to("../folder/inside")
    (tmp_path / "way").symlink_to("real")
    return tmp_path / "way" / "folder"


def test_without_links_a_path_is_opened_under_every_rule(folder: Path) -> None:
    for below in (None, folder, folder.parent):
        for rule in Rule:
            assert read(folder / "a.jpg", below, rule) == b"a"


def test_what_a_person_named_may_lead_through_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("link.jpg", "inside/a.jpg", "up/inside/link.jpg", "./inside/../folder/a.jpg"):
        assert read(folder / name) == b"a"
    monkeypatch.chdir(folder)
    assert read(Path("up/link.jpg")) == b"a"


def test_below_what_a_person_named_no_link_is_followed_or_only_own_ones(folder: Path) -> None:
    for name in ("link.jpg", "inside/a.jpg", "up/a.jpg"):
        with pytest.raises(RefusedLinkError):
            read(folder / name, folder)
        assert read(folder / name, folder, Rule.OWN) == b"a"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can make a link of another user")
def test_a_link_of_another_user_is_followed_only_if_a_person_named_it_and_to_that_users_files(folder: Path) -> None:
    os.chown(folder / "link.jpg", ANOTHER_USER, -1, follow_symlinks=False)
    for below in (None, folder):
        for rule in Rule:
            with pytest.raises(RefusedLinkError):
                read(folder / "link.jpg", below, rule)
    os.chown(folder / "a.jpg", ANOTHER_USER, -1)
    assert read(folder / "link.jpg") == b"a"
    for rule in Rule:
        with pytest.raises(RefusedLinkError):
            read(folder / "link.jpg", folder, rule)


def test_a_link_that_leads_back_to_itself_ends(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="levels of symbolic links"):
        read(folder / "loop")


def test_what_is_missing_and_what_is_no_folder_are_told_apart(folder: Path) -> None:
    (folder / "broken").symlink_to("nowhere")
    for name in ("gone", "gone/a.jpg", "broken"):
        with pytest.raises(FileNotFoundError):
            read(folder / name)
    with pytest.raises(NotADirectoryError):
        read(folder / "a.jpg" / "b.jpg")


def test_folders_are_made_below_own_links_and_a_file_in_the_way_is_left(folder: Path) -> None:
    for name in ("x/y/z", "inside/w", "x"):
        links.make_folder(folder / name, folder)
        assert (folder / name).is_dir()
    (folder / "broken").symlink_to("nowhere")
    for name in ("a.jpg", "broken"):
        with pytest.raises(FileExistsError):
            links.make_folder(folder / name, folder)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_no_descriptor_is_left_open(folder: Path) -> None:
    gc.collect()  # what earlier tests have left open may close while this one runs, so fewer are no fault
    before = set(os.listdir("/proc/self/fd"))
    test_below_what_a_person_named_no_link_is_followed_or_only_own_ones(folder)
    with pytest.raises(FileNotFoundError):
        read(folder / "inside" / "gone" / "a.jpg")
    assert set(os.listdir("/proc/self/fd")) <= before
