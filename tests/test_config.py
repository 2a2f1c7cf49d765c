"""config.py: the settings are read strictly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher import config
from watcher.config import Config, Folder
from watcher.errors import UsageError
from watcher.recipe import Canvas, Measure, Recipe

FILE = Path("/etc/nobg.toml")


def plain_folder(path: str, output: str | None = None, **options: Any) -> Folder:
    """A folder whose table sets nothing of its recipe but `output`."""
    recipe = Recipe(None if output is None else Path(output))
    return Folder(Path(path), recipe=recipe, default_overrides=recipe, **options)


def test_each_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = '[[folders]]\npath = "~/in/../new/"\nrecursive = true\noutput = "~/out"\nmove_originals = "old"'
    assert config.parse(text, FILE).folders == (
        plain_folder("/home/me/new", "/home/me/out", recursive=True, move_originals="old"),
    )


def test_a_setting_that_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert config.parse('[[folders]]\npath = "/a"', FILE).folders == (plain_folder("/a", enabled=True),)
    assert config.parse("", FILE) == config.load(tmp_path / "none.toml") == Config(())


FOLDER_A = '[[folders]]\npath = "/a"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ("\ncolour = 1", 2, "colour", "no such setting"),
        (FOLDER_A + "colour = 1", 3, "colour", "no such setting"),
        ("# colour\n" + FOLDER_A + "\n" + '[[folders]]\npath = "/b"\ncolour = 1', 7, "colour", "no such setting"),
        (FOLDER_A + '[[folders]]\npath = "/b"\n[folders.colour]\nred = 1', 3, "colour", "no such setting"),
        ("folders = 3", 1, "folders", "must be a list of tables"),
        ('[folders]\npath = "/a"', 1, "folders", "must be a list of tables"),
        ('folders = ["/a"]', 1, "folders", "each folder is a table"),
        (FOLDER_A + "[[folders]]\nrecursive = true", 3, "folders", "needs a path"),
        ("[[folders]]\npath = 1", 2, "path", "must be text in quotes"),
        (FOLDER_A + "recursive = 1", 3, "recursive", "must be true or false"),
        (FOLDER_A + 'recursive = "yes"', 3, "recursive", "must be true or false"),
        (FOLDER_A + "enabled = 0", 3, "enabled", "must be true or false"),
        ("\nnotifications = 0", 2, "notifications", "must be true or false"),
        ("recipe = true", 1, "recipe", "must be text in quotes"),
        (
            '# recipe\nrecipe = "ship"\n[recipes.shop]\n' + FOLDER_A + 'recipe = "shop"',
            2,
            "recipe",
            "no recipe called ship",
        ),
        (FOLDER_A + "output = false", 3, "output", "must be text in quotes"),
        (FOLDER_A + 'output = ""', 3, "output", "must name a folder"),
        (FOLDER_A + 'move_originals = ["old"]', 3, "move_originals", "must be text in quotes"),
        (FOLDER_A + 'move_originals = ""', 3, "move_originals", "name of a sub-folder"),
        (FOLDER_A + 'move_originals = ".."', 3, "move_originals", "name of a sub-folder"),
        (FOLDER_A + 'move_originals = "/old"', 3, "move_originals", "name of a sub-folder"),
        ('[[folders]]\npath = "a"', 2, "path", '"a" must be a full path'),
        ('[[folders]]\npath = ""', 2, "path", "must name a folder"),
        ('[[folders]]\npath = "~nobody-of-this-name/a"', 2, "path", "there is no such user"),
        ('[[folders]]\npath = "/a\\u0000b"', 2, "path", "must name a folder"),
        (FOLDER_A + 'output = "~nobody-of-this-name"', 3, "output", "there is no such user"),
        (FOLDER_A + 'move_originals = "a\\u0000b"', 3, "move_originals", "name of a sub-folder"),
        ("# a\u2028bc\n" + FOLDER_A + "recursive = 1", 4, "recursive", "true or false"),
        (FOLDER_A + FOLDER_A, 4, "path", "/a is listed twice"),
        (FOLDER_A + '[[folders]]\nrecursive = true\n"path" = "/b/../a/"', 5, "path", "/a is listed twice"),
    ],
)
def test_an_error_names_file_line_and_key(text: str, line: int, key: str, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^{FILE}, line {line}, {key}: .*{reason}.*\. Correct it there\.$"):
        config.parse(text, FILE)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"# title\n[[folders]\n", 2),
        (FOLDER_A.encode() + b'path = "/b"\nrecursive = true\n', 3),
        (FOLDER_A.encode() + b"output = '''", 3),
        (FOLDER_A.encode() + b"# caf\xe9\n", 3),
    ],
)
def test_text_that_is_not_toml_is_reported_with_file_and_line(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(UsageError, match=rf"^{tmp_path}/config.toml, line {line}( \(.*\))?: "):
        config.load(tmp_path / "config.toml")


def test_a_file_that_cannot_be_read_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{tmp_path} cannot be read"):
        config.load(tmp_path)


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
    assert folder.base_recipe_name == "shop"
    assert folder.recipe == replace(shop.recipe, quality=80)


def test_a_recipe_is_found_by_its_name_and_the_built_in_ones_are_always_there() -> None:
    settings = config.parse('[recipes.white]\nbackground = "#eee"\n', FILE)
    assert settings.recipe("white").background == "#eeeeee"
    assert settings.recipe("mask").mask
    with pytest.raises(UsageError, match=r"no recipe called shop\. Choose one of: transparent, white, crop, mask"):
        settings.recipe("shop")


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
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
def test_an_error_in_a_recipe_names_line_and_key(text: str, line: int, key: str, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^{FILE}, line {line}, {key}: .*{reason}.*\. Correct it there\.$"):
        config.parse(text, FILE)


@pytest.mark.parametrize(
    ("settings", "recipe", "base_recipe_name", "default_overrides"),
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
def test_the_default_recipe_is_for_folders_that_set_nothing_but_the_output(
    settings: str, recipe: Recipe, base_recipe_name: str | None, default_overrides: Recipe | None
) -> None:
    shop = '[recipes.shop]\nbackground = "white"\noutput = "shop"\n'
    (folder,) = config.parse(f'recipe = "shop"\n{FOLDER_A}{settings}\n{shop}', FILE).folders
    assert (folder.recipe, folder.base_recipe_name, folder.default_overrides) == (
        recipe,
        base_recipe_name,
        default_overrides,
    )


def test_disabled_folders_and_notifications_are_read() -> None:
    settings = config.parse(f"notifications = false\n{FOLDER_A}enabled = false", FILE)
    assert (settings.notifications, settings.default_recipe) == (False, None)
    assert settings.folders == (plain_folder("/a", enabled=False),)
    assert config.parse("", FILE).notifications
