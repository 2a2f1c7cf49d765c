"""config.py: the settings are read strictly, and changed without harm to what a person wrote."""

import contextlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any, NoReturn

import pytest

from watcher import config
from watcher.config import Config, Folder
from watcher.errors import DestinationError, UsageError
from watcher.program import edit_config
from watcher.recipe import Canvas, Measure, Recipe, config_values

FILE = Path("/etc/nobg.toml")

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
    """A configuration as a person wrote it."""
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    return path


def silent(path: str, output: str | None = None, **options: Any) -> Folder:
    """A folder that says nothing of its cut-outs but where they go."""
    said = Recipe(None if output is None else Path(output))
    return Folder(Path(path), recipe=said, default_overrides=said, **options)


def table(folder: Folder) -> dict[str, object]:
    """The folder as config.toml has it."""
    own = {"path": str(folder.path), "recursive": folder.recursive, "move_originals": folder.move_originals}
    return {key: value for key, value in own.items() if value} | config_values(
        folder.recipe, folder.recipe.non_default_settings()
    )


def test_each_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = '[[folders]]\npath = "~/in/../new/"\nrecursive = true\noutput = "~/out"\nmove_originals = "old"'
    assert config.parse(text, FILE).folders == (
        silent("/home/me/new", "/home/me/out", recursive=True, move_originals="old"),
    )


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    assert config.parse('[[folders]]\npath = "/a"', FILE).folders == (silent("/a", enabled=True),)
    assert config.parse("", FILE) == config.load(tmp_path / "none.toml") == Config(())


A = '[[folders]]\npath = "/a"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        ("\ncolour = 1", 2, "colour", "no such setting"),
        (A + "colour = 1", 3, "colour", "no such setting"),
        ("# colour\n" + A + "\n" + '[[folders]]\npath = "/b"\ncolour = 1', 7, "colour", "no such setting"),
        (A + '[[folders]]\npath = "/b"\n[folders.colour]\nred = 1', 3, "colour", "no such setting"),
        ("folders = 3", 1, "folders", "must be a list of tables"),
        ('[folders]\npath = "/a"', 1, "folders", "must be a list of tables"),
        ('folders = ["/a"]', 1, "folders", "each folder is a table"),
        (A + "[[folders]]\nrecursive = true", 3, "folders", "needs a path"),
        ("[[folders]]\npath = 1", 2, "path", "must be text in quotes"),
        (A + "recursive = 1", 3, "recursive", "must be true or false"),
        (A + 'recursive = "yes"', 3, "recursive", "must be true or false"),
        (A + "enabled = 0", 3, "enabled", "must be true or false"),
        ("\nnotifications = 0", 2, "notifications", "must be true or false"),
        ("recipe = true", 1, "recipe", "must be text in quotes"),
        ('# recipe\nrecipe = "ship"\n[recipes.shop]\n' + A + 'recipe = "shop"', 2, "recipe", "no recipe called ship"),
        (A + "output = false", 3, "output", "must be text in quotes"),
        (A + 'output = ""', 3, "output", "must name a folder"),
        (A + 'move_originals = ["old"]', 3, "move_originals", "must be text in quotes"),
        (A + 'move_originals = ""', 3, "move_originals", "name of a sub-folder"),
        (A + 'move_originals = ".."', 3, "move_originals", "name of a sub-folder"),
        (A + 'move_originals = "/old"', 3, "move_originals", "name of a sub-folder"),
        ('[[folders]]\npath = "a"', 2, "path", '"a" must be a whole path'),
        ('[[folders]]\npath = ""', 2, "path", "must name a folder"),
        ('[[folders]]\npath = "~nobody-of-this-name/a"', 2, "path", "there is no such user"),
        ('[[folders]]\npath = "/a\\u0000b"', 2, "path", "must name a folder"),
        (A + 'output = "~nobody-of-this-name"', 3, "output", "there is no such user"),
        (A + 'move_originals = "a\\u0000b"', 3, "move_originals", "name of a sub-folder"),
        ("# a\u2028bc\n" + A + "recursive = 1", 4, "recursive", "true or false"),
        (A + A, 4, "path", "/a is there twice"),
        (A + '[[folders]]\nrecursive = true\n"path" = "/b/../a/"', 5, "path", "/a is there twice"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(text: str, line: int, key: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"^{FILE}, line {line}, {key}: .*{why}.*\. Correct it there\.$"):
        config.parse(text, FILE)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"# title\n[[folders]\n", 2),
        (A.encode() + b'path = "/b"\nrecursive = true\n', 3),
        (A.encode() + b"output = '''", 3),
        (A.encode() + b"# caf\xe9\n", 3),
    ],
)
def test_what_is_no_toml_is_said_with_file_and_line(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(UsageError, match=rf"^{tmp_path}/config.toml, line {line}: "):
        config.load(tmp_path / "config.toml")


def test_a_file_that_cannot_be_read_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{tmp_path} cannot be read"):
        config.load(tmp_path)


def test_the_first_folder_begins_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    folder = silent("/a", "out", recursive=True, move_originals="old")
    assert edit_config.add_folder(path, table(folder)) == config.load(path) == Config((folder,))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text().startswith("# ")


def test_comments_survive_a_folder_more_and_a_folder_less(file: Path) -> None:
    edit_config.add_folder(file, table(Folder(Path("/new"))))
    assert file.read_text().startswith(WRITTEN)
    assert [folder.path.name for folder in config.load(file).folders] == ["camera", "inbox", "new"]
    edit_config.remove_folder(file, Path("/new"))
    assert file.read_text().rstrip() == WRITTEN.rstrip()
    edit_config.remove_folder(file, Path("/camera"))
    assert re.fullmatch(r"# mine\n\s*\[\[folders]]\n# what others send\npath = '/inbox'\n", file.read_text())


def test_the_last_folder_can_be_removed(file: Path) -> None:
    edit_config.remove_folder(file, Path("/camera"))
    assert edit_config.remove_folder(file, Path("/inbox")) == config.load(file) == Config(())
    assert edit_config.add_folder(file, table(Folder(Path("/inbox")))) == Config((silent("/inbox"),))


@pytest.mark.parametrize("before", ["folders = []\n", 'folders = [{path = "/a", recursive = true}]\n'])
def test_folders_that_somebody_wrote_as_a_list_stay(file: Path, before: str) -> None:
    file.write_text(before)
    kept = config.load(file).folders
    assert edit_config.add_folder(file, table(Folder(Path("/b")))).folders == (*kept, silent("/b"))


def test_a_folder_added_again_changes_in_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    file.write_text(WRITTEN.replace("/camera", "~/camera"))
    again = silent("/camera", "out", move_originals="old")
    assert edit_config.add_folder(file, table(again)).folders == (again, silent("/inbox"))
    assert 'path = "~/camera"  # a card\n' in file.read_text()
    assert edit_config.add_folder(file, table(silent("/camera"))).folders[0] == silent("/camera")


def test_what_changes_nothing_writes_nothing(file: Path) -> None:
    before = file.stat()
    edit_config.add_folder(file, table(Folder(Path("/camera"), recursive=True)))
    assert file.stat() == before


def test_a_link_stays_and_what_it_leads_to_changes(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "home" / "config.toml"
    link.parent.mkdir()
    link.symlink_to("../config.toml")
    edit_config.add_folder(link, table(Folder(Path("/new"))))
    assert link.readlink() == Path("../config.toml")
    assert len(config.load(file).folders) == 3
    assert os.listdir(link.parent) == ["config.toml"]


def test_whoever_reads_meanwhile_has_the_old_file_whole(file: Path) -> None:
    with file.open() as reader:
        edit_config.remove_folder(file, Path("/inbox"))
        assert reader.read() == WRITTEN


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DestinationError, match=rf"^{file} cannot be written \(No space"):
        edit_config.add_folder(file, table(Folder(Path("/new"))))
    assert file.read_text() == WRITTEN
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.parametrize("broken", ["[[folders]", A + A, "colour = 1"])
def test_a_file_that_is_wrong_already_is_not_changed(file: Path, broken: str) -> None:
    file.write_text(broken)
    with pytest.raises(UsageError, match=", line "):
        edit_config.add_folder(file, table(Folder(Path("/b"))))
    with pytest.raises(UsageError, match=", line "):
        edit_config.remove_folder(file, Path("/a"))
    assert file.read_text() == broken


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        (Folder(Path(os.fsdecode(b"/caf\xe9"))), "not valid text"),
        (Folder(Path("/new"), move_originals="a/b"), "name of a sub-folder"),
    ],
)
def test_what_would_make_the_file_wrong_is_refused(file: Path, folder: Folder, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        edit_config.add_folder(file, table(folder))
    assert file.read_text() == WRITTEN


def test_only_a_watched_folder_can_be_removed(file: Path) -> None:
    with pytest.raises(UsageError, match="/elsewhere is not watched"):
        edit_config.remove_folder(file, Path("/elsewhere"))
    assert file.read_text() == WRITTEN


SHOP = """\
model = "u2net"

[recipes.shop]
label = "White square"
menu = true
background = "white"
crop = true
canvas = "2000x2000"
padding = "5%"
format = "jpeg"
longest_side = 7

[[folders]]
path = "/in"
recipe = "shop"
quality = 80
"""


def test_recipes_are_read_and_a_folder_starts_from_one_and_changes_it() -> None:
    settings = config.parse(SHOP.replace("longest_side = 7\n", ""), FILE)
    shop = settings.recipes["shop"]
    assert (shop.menu, shop.label, settings.model) == (True, "White square", "u2net")
    assert shop.recipe == Recipe(
        background="#ffffff",
        crop=Measure(0),
        canvas=Canvas(2000, 2000),
        padding=Measure(5, is_percent=True),
        format="jpeg",
    )
    (folder,) = settings.folders
    assert folder.based_on == "shop"
    assert folder.recipe == replace(shop.recipe, quality=80)


def test_a_recipe_is_found_by_its_name_and_the_built_in_ones_are_always_there() -> None:
    settings = config.parse('[recipes.white]\nbackground = "#eee"\n', FILE)
    assert settings.recipe("white").background == "#eeeeee"
    assert settings.recipe("mask").mask
    with pytest.raises(UsageError, match=r"no recipe called shop\. There is: transparent, white, crop, mask"):
        settings.recipe("shop")


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        (SHOP, 11, "longest_side", "the canvas has a size already"),
        (SHOP.replace("longest_side = 7", "colour = 7"), 11, "colour", "no such setting"),
        (SHOP.replace("true\nback", "1\nback").replace("longest_side = 7\n", ""), 5, "menu", "true or false"),
        (
            SHOP.replace("longest_side = 7\n", "").replace('"shop"\nq', '"ship"\nq'),
            14,
            "recipe",
            "no recipe called ship",
        ),
        (SHOP.replace("longest_side = 7\n", "").replace("quality = 80", "quality = 800"), 15, "quality", "1 to 100"),
        ("recipes = 1", 1, "recipes", "tables, such as"),
        ("[recipes]\nshop = 1", 2, "shop", "a recipe is a table"),
        ('model = "a"\n[[folders]]\npath = "/a"\nmodel = 1', 4, "model", "name of a model"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_line_and_key(text: str, line: int, key: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"^{FILE}, line {line}, {key}: .*{why}.*\. Correct it there\.$"):
        config.parse(text, FILE)


@pytest.mark.parametrize(
    ("said", "recipe", "based_on", "follows"),
    [
        ("", Recipe(Path("shop"), background="#ffffff"), "shop", Recipe()),
        ('output = "cut"', Recipe(Path("cut"), background="#ffffff"), "shop", Recipe(Path("cut"))),
        ('output = "none"', Recipe(background="#ffffff"), "shop", Recipe()),
        ("crop = true", Recipe(crop=Measure(0)), None, None),
        ('background = "none"', Recipe(), None, None),
        ('recipe = "mask"', Recipe(mask=True), "mask", None),
        ('recipe = "shop"', Recipe(Path("shop"), background="#ffffff"), "shop", None),
    ],
)
def test_the_default_recipe_is_that_of_folders_that_say_nothing_but_where_cut_outs_go(
    said: str, recipe: Recipe, based_on: str | None, follows: Recipe | None
) -> None:
    shop = '[recipes.shop]\nbackground = "white"\noutput = "shop"\n'
    (folder,) = config.parse(f'recipe = "shop"\n{A}{said}\n{shop}', FILE).folders
    assert (folder.recipe, folder.based_on, folder.default_overrides) == (recipe, based_on, follows)


def test_what_is_not_watched_and_not_said_is_read() -> None:
    settings = config.parse(f"notifications = false\n{A}enabled = false", FILE)
    assert (settings.notifications, settings.default_recipe) == (False, None)
    assert settings.folders == (silent("/a", enabled=False),)
    assert config.parse("", FILE).notifications


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
def test_a_setting_in_no_table_goes_before_the_tables_and_away_again(file: Path, before: str, after: str) -> None:
    file.write_text(before)
    assert edit_config.set_value(file, "recipe", "shop").default_recipe == "shop"
    assert file.read_text().strip() == after.strip()
    assert edit_config.set_value(file, "recipe", None).default_recipe is None
    assert squeezed(file.read_text()) == squeezed(before.replace('recipe = "white"  # so\n', ""))
    gone = file.read_text()
    assert edit_config.set_value(file, "recipe", None).default_recipe is None
    for name in ("shop", None):
        edit_config.set_value(file, "recipe", name)
    assert file.read_text() == gone  # and it does not grow


def squeezed(text: str) -> list[str]:
    """Without empty lines."""
    return [line for line in text.split("\n") if line]


def test_the_first_setting_begins_the_file(tmp_path: Path) -> None:
    edit_config.set_value(tmp_path / "config.toml", "notifications", False)
    assert (tmp_path / "config.toml").read_text() == f"# {edit_config.HEADER_COMMENT}\nnotifications = false\n"


def test_a_folder_is_switched_off_and_on_in_its_place(file: Path) -> None:
    file.write_text(TITLED)
    assert [folder.enabled for folder in edit_config.set_folder(file, Path("/camera"), "enabled", False).folders] == [
        0,
        1,
    ]
    assert file.read_text() == TITLED.replace("# a card\n", "# a card\nenabled = false\n")
    assert edit_config.set_folder(file, Path("/camera"), "enabled", True).folders[0].enabled
    assert file.read_text() == TITLED.replace("# a card\n", "# a card\nenabled = true\n")
    assert edit_config.set_folder(file, Path("/camera"), "enabled", None).folders[0].enabled
    assert file.read_text() == TITLED
    with pytest.raises(UsageError, match="/elsewhere is not watched"):
        edit_config.set_folder(file, Path("/elsewhere"), "enabled", False)


def test_a_folder_that_somebody_wrote_in_a_list_is_switched_off(file: Path) -> None:
    file.write_text('folders = [{path = "/a"}, {path = "/b"}]\n')
    edit_config.set_folder(file, Path("/b"), "enabled", False)
    assert [folder.enabled for folder in config.load(file).folders] == [True, False]


def test_a_folder_that_is_added_again_is_on(file: Path) -> None:
    edit_config.set_folder(file, Path("/camera"), "enabled", False)
    assert edit_config.add_folder(file, table(silent("/camera"))).folders[0].enabled


@pytest.mark.parametrize(("key", "value", "why"), [("recipe", "ship", "no recipe called ship"), ("x", "", "no such")])
def test_a_value_that_makes_no_sense_is_refused(file: Path, key: str, value: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        edit_config.set_value(file, key, value)
    with pytest.raises(UsageError, match=why):
        edit_config.set_folder(file, Path("/inbox"), key, value)
    assert file.read_text() == WRITTEN


def test_two_that_change_it_at_once_lose_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read it before either writes, if nothing keeps them apart."""
    really, both = edit_config._write, Barrier(2)

    def slowly(path: Path, text: str) -> None:
        with contextlib.suppress(BrokenBarrierError):
            both.wait(0.3)
        really(path, text)

    monkeypatch.setattr(edit_config, "_write", slowly)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda key: edit_config.set_folder(file, Path(f"/{key}"), "enabled", False), ("camera", "inbox")))
    assert [folder.enabled for folder in config.load(file).folders] == [False, False]
