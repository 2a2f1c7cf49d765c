"""edit_config.py: changes to config.toml keep what a person wrote."""

import contextlib
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import NoReturn

import pytest

from tests.settings.test_config import FOLDER_A, plain_folder
from watcher.errors import DestinationError, UsageError
from watcher.program import edit_config
from watcher.recipe import config_values
from watcher.settings import config
from watcher.settings.config import Config, Folder

WRITTEN = """\
# mine
[[folders]]  # the camera
path = "/camera"  # a card
recursive = true  # with its months

[[folders]]
# what others send
path = '/inbox'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a configuration that a person wrote."""
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    return path


def folder_table(folder: Folder) -> dict[str, object]:
    """Return the folder's table in config.toml."""
    keys = {"path": str(folder.path), "recursive": folder.recursive, "move_originals": folder.move_originals}
    settings = config_values(folder.recipe, folder.recipe.non_default_settings())
    return {key: value for key, value in keys.items() if value} | settings


def test_the_first_folder_creates_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    folder = plain_folder("/a", "out", recursive=True, move_originals="old")
    assert edit_config.add_folder(path, folder_table(folder)) == config.load(path) == Config((folder,))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text().startswith("# ")


def test_comments_survive_adding_and_removing_a_folder(file: Path) -> None:
    edit_config.add_folder(file, folder_table(Folder(Path("/new"))))
    assert file.read_text().startswith(WRITTEN)
    assert [folder.path.name for folder in config.load(file).folders] == ["camera", "inbox", "new"]
    edit_config.remove_folder(file, Path("/new"))
    assert file.read_text().rstrip() == WRITTEN.rstrip()
    edit_config.remove_folder(file, Path("/camera"))
    assert re.fullmatch(r"# mine\n\s*\[\[folders]]\n# what others send\npath = '/inbox'\n", file.read_text())


def test_the_last_folder_can_be_removed(file: Path) -> None:
    edit_config.remove_folder(file, Path("/camera"))
    assert edit_config.remove_folder(file, Path("/inbox")) == config.load(file) == Config(())
    assert edit_config.add_folder(file, folder_table(Folder(Path("/inbox")))) == Config((plain_folder("/inbox"),))


@pytest.mark.parametrize("before", ["folders = []\n", 'folders = [{path = "/a", recursive = true}]\n'])
def test_folders_in_an_inline_list_stay(file: Path, before: str) -> None:
    file.write_text(before)
    existing = config.load(file).folders
    assert edit_config.add_folder(file, folder_table(Folder(Path("/b")))).folders == (
        *existing,
        plain_folder("/b"),
    )


def test_a_folder_added_again_changes_in_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    file.write_text(WRITTEN.replace("/camera", "~/camera"))
    changed = plain_folder("/camera", "out", move_originals="old")
    assert edit_config.add_folder(file, folder_table(changed)).folders == (changed, plain_folder("/inbox"))
    assert 'path = "~/camera"  # a card\n' in file.read_text()
    assert edit_config.add_folder(file, folder_table(plain_folder("/camera"))).folders[0] == plain_folder("/camera")


def test_a_change_without_effect_writes_nothing(file: Path) -> None:
    before = file.stat()
    edit_config.add_folder(file, folder_table(Folder(Path("/camera"), recursive=True)))
    assert file.stat() == before


def test_a_link_stays_and_its_target_changes(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "home" / "config.toml"
    link.parent.mkdir()
    link.symlink_to("../config.toml")
    edit_config.add_folder(link, folder_table(Folder(Path("/new"))))
    assert link.readlink() == Path("../config.toml")
    assert len(config.load(file).folders) == 3
    assert os.listdir(link.parent) == ["config.toml"]


def test_a_process_that_is_reading_gets_the_whole_old_file(file: Path) -> None:
    with file.open() as reader:
        edit_config.remove_folder(file, Path("/inbox"))
        assert reader.read() == WRITTEN


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def raise_no_space(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, raise_no_space)
    with pytest.raises(DestinationError, match=rf"^{file} cannot be written \(No space"):
        edit_config.add_folder(file, folder_table(Folder(Path("/new"))))
    assert file.read_text() == WRITTEN
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.parametrize("broken", ["[[folders]", FOLDER_A + FOLDER_A, "colour = 1"])
def test_an_invalid_file_is_not_changed(file: Path, broken: str) -> None:
    file.write_text(broken)
    with pytest.raises(UsageError, match=", line "):
        edit_config.add_folder(file, folder_table(Folder(Path("/b"))))
    with pytest.raises(UsageError, match=", line "):
        edit_config.remove_folder(file, Path("/a"))
    assert file.read_text() == broken


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (Folder(Path(os.fsdecode(b"/caf\xe9"))), "not valid text"),
        (Folder(Path("/new"), move_originals="a/b"), "name of a sub-folder"),
    ],
)
def test_a_change_that_would_make_the_file_invalid_is_refused(file: Path, folder: Folder, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        edit_config.add_folder(file, folder_table(folder))
    assert file.read_text() == WRITTEN


def test_only_a_watched_folder_can_be_removed(file: Path) -> None:
    with pytest.raises(UsageError, match="/elsewhere is not watched"):
        edit_config.remove_folder(file, Path("/elsewhere"))
    assert file.read_text() == WRITTEN


TITLED = f"""\
# {edit_config.HEADER_COMMENT}
# It is mine.

# what the camera has
[[folders]]
path = "/camera"  # a card

# what others send
[[folders]]
path = "/inbox"

[recipes.shop]  # for the shop
mask = true
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TITLED, TITLED.replace("# what the", 'recipe = "shop"\n# what the')),
        (f'model = "u2net"\n\n{TITLED}', f'model = "u2net"\nrecipe = "shop"\n\n{TITLED}'),
        (f'# mine\nrecipe = "white"  # so\n{TITLED}', f'# mine\nrecipe = "shop"  # so\n{TITLED}'),
        ("# mine\n[recipes.shop]\n", '# mine\nrecipe = "shop"\n\n[recipes.shop]\n'),
        ("[recipes.shop]\n", 'recipe = "shop"\n\n[recipes.shop]\n'),
        ("# a\n\n# b\n[recipes.shop]\n", '# a\n\nrecipe = "shop"\n# b\n[recipes.shop]\n'),
        ("recipes.shop.mask = true\n", 'recipes.shop.mask = true\nrecipe = "shop"\n'),
    ],
)
def test_a_setting_outside_the_tables_is_added_before_them_and_removed_again(
    file: Path, before: str, after: str
) -> None:
    file.write_text(before)
    assert edit_config.set_value(file, "recipe", "shop").default_recipe == "shop"
    assert file.read_text().strip() == after.strip()
    assert edit_config.set_value(file, "recipe", None).default_recipe is None
    assert non_empty_lines(file.read_text()) == non_empty_lines(before.replace('recipe = "white"  # so\n', ""))
    without_recipe = file.read_text()
    assert edit_config.set_value(file, "recipe", None).default_recipe is None
    for name in ("shop", None):
        edit_config.set_value(file, "recipe", name)
    assert file.read_text() == without_recipe  # the file does not grow


def non_empty_lines(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line for line in text.split("\n") if line]


def test_the_first_setting_creates_the_file(tmp_path: Path) -> None:
    edit_config.set_value(tmp_path / "config.toml", "notifications", False)
    assert (tmp_path / "config.toml").read_text() == f"# {edit_config.HEADER_COMMENT}\nnotifications = false\n"


def test_a_folder_is_switched_off_and_on_in_its_place(file: Path) -> None:
    file.write_text(TITLED)
    folders = edit_config.set_folder_value(file, Path("/camera"), "enabled", False).folders
    assert [folder.enabled for folder in folders] == [0, 1]
    assert file.read_text() == TITLED.replace("# a card\n", "# a card\nenabled = false\n")
    assert edit_config.set_folder_value(file, Path("/camera"), "enabled", True).folders[0].enabled
    assert file.read_text() == TITLED.replace("# a card\n", "# a card\nenabled = true\n")
    assert edit_config.set_folder_value(file, Path("/camera"), "enabled", None).folders[0].enabled
    assert file.read_text() == TITLED
    with pytest.raises(UsageError, match="/elsewhere is not watched"):
        edit_config.set_folder_value(file, Path("/elsewhere"), "enabled", False)


def test_a_folder_in_an_inline_list_is_switched_off(file: Path) -> None:
    file.write_text('folders = [{path = "/a"}, {path = "/b"}]\n')
    edit_config.set_folder_value(file, Path("/b"), "enabled", False)
    assert [folder.enabled for folder in config.load(file).folders] == [True, False]


def test_a_folder_that_is_added_again_is_on(file: Path) -> None:
    edit_config.set_folder_value(file, Path("/camera"), "enabled", False)
    assert edit_config.add_folder(file, folder_table(plain_folder("/camera"))).folders[0].enabled


@pytest.mark.parametrize(
    ("key", "value", "reason"), [("recipe", "ship", "no recipe called ship"), ("x", "", "no such")]
)
def test_an_invalid_value_is_refused(file: Path, key: str, value: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        edit_config.set_value(file, key, value)
    with pytest.raises(UsageError, match=reason):
        edit_config.set_folder_value(file, Path("/inbox"), key, value)
    assert file.read_text() == WRITTEN


def test_two_changes_at_once_are_both_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lock, both would read the file before either writes it."""
    original_write, barrier = edit_config._write, Barrier(2)

    def write_slowly(path: Path, text: str) -> None:
        with contextlib.suppress(BrokenBarrierError):
            barrier.wait(0.3)
        original_write(path, text)

    def disable(name: str) -> Config:
        return edit_config.set_folder_value(file, Path(f"/{name}"), "enabled", False)

    monkeypatch.setattr(edit_config, "_write", write_slowly)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(disable, ("camera", "inbox")))
    assert [folder.enabled for folder in config.load(file).folders] == [False, False]


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
def test_a_folder_that_was_added_is_on_the_disk_when_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_sync(descriptor)

    def rename(source: Path, destination: Path) -> None:
        steps.append("rename")
        real_replace(source, destination)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    edit_config.add_folder(tmp_path / "config.toml", {"path": "/pictures"})
    assert steps == ["file", "rename", "folder"]
