"""config.toml <-> frozen dataclasses. What is wrong with it is said with file, line and key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from watcher.errors import UsageError
from watcher.matting import providers
from watcher.recipe import BUILT_IN, FIELDS, Recipe, RecipeError
from watcher.recipe import read_recipe as read_recipe

LAST_GOOD_FILE = "config.last-good.toml"
"""Where the resident program keeps a copy in the state folder, for the time when the file is wrong."""


@dataclass(frozen=True)
class Folder:
    """One watched folder. `move_originals`: the sub-folder into which originals go once they are done; None: stay.

    `recipe`: all of it; `based_on`: the name of the recipe that it starts from. `follows`: where the folder says no
    more of its cut-outs than `output`, and so the default recipe counts, what it says; None: it has its own recipe.
    `enabled`: is it watched at all?
    """

    path: Path
    recursive: bool = False
    recipe: Recipe = field(default_factory=Recipe)
    move_originals: str | None = None
    based_on: str | None = None
    default_overrides: Recipe | None = None
    enabled: bool = True


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with a name; `menu`: it is offered in the right-click menu, as `label`."""

    recipe: Recipe
    menu: bool = False
    label: str = ""


@dataclass(frozen=True)
class Config:
    """All settings. `provider`: what computes, one of providers.NAMES.

    `model`: the one to be used where a recipe names none; None: nobg's own.
    `default_recipe`: the name of the one that counts where nothing is said of the result; None: the plain one.
    """

    folders: tuple[Folder, ...] = ()
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)
    model: str | None = None
    default_recipe: str | None = None
    notifications: bool = True
    provider: str = providers.AUTO

    def base_recipe(self, name: str | None, settings: Iterable[str]) -> Recipe:
        """What a command or a folder that says `said` puts its settings on top of; `name`: of its recipe, if any.

        Raises UsageError where there is no such recipe.
        """
        if uses_default_recipe(name, settings):
            name = self.default_recipe
        return Recipe() if name is None else self.recipe(name)

    def recipe(self, name: str) -> Recipe:
        """The recipe of this name, the person's own or a built-in one. Raises UsageError."""
        if name in self.recipes:
            return self.recipes[name].recipe
        if name in BUILT_IN:
            return BUILT_IN[name]
        raise UsageError(f"There is no recipe called {name}. There is: {', '.join(self.recipe_names())}.")

    def recipe_names(self) -> list[str]:
        """All recipes by name, the built-in ones first."""
        return list({**BUILT_IN, **self.recipes})


def uses_default_recipe(name: str | None, settings: Iterable[str]) -> bool:
    """Is nothing said of the result? `name`: of a recipe; `said`: settings. Where it goes is not what it looks like."""
    return name is None and not set(settings) - {"output"}


class _InvalidValueError(Exception):
    """A key whose value makes no sense."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def parse(text: str, path: Path) -> Config:
    """The configuration in `text`; `path` is where it came from. Raises UsageError with file, line and key."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        last = text.count("\n") + 1
        raise UsageError(f"{path}, line {line[1] if line else last}: {error}. Correct it there.") from error
    where = _TableLocation()
    try:
        return _build_config(values, where)
    except _InvalidValueError as error:
        place = f"{path}, line {_line_of(text, error.key, where)}, {error.key}"
        raise UsageError(f"{place}: {error.reason}. Correct it there.") from error


@dataclass
class _TableLocation:
    """The table that is being read: the `number`-th of those whose header `header` matches."""

    header_pattern: str = ""
    occurrence: int = 0


def _build_config(values: dict[str, Any], location: _TableLocation) -> Config:
    _check_keys_and_types(
        values, {"folders": list, "recipes": dict, "model": str, "recipe": str, "notifications": bool, "provider": str}
    )
    recipes = {}
    for name, entry in values.get("recipes", {}).items():
        if not isinstance(entry, dict):
            raise _InvalidValueError(name, f"a recipe is a table: [recipes.{name}]")
        location.header_pattern, location.occurrence = rf"\[\s*recipes\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\]", 1
        recipes[name] = _build_named_recipe(name, entry)
    config = Config(
        (),
        recipes,
        values.get("model"),
        values.get("recipe"),
        values.get("notifications", True),
        values.get("provider", providers.AUTO),
    )
    location.header_pattern, location.occurrence = "", 0
    if config.provider not in providers.NAMES:
        raise _InvalidValueError("provider", f"it is one of {', '.join(providers.NAMES)}")
    _check_recipe(config.default_recipe, config)
    location.header_pattern, location.occurrence = r"\[\[\s*folders\s*\]\]", 0
    folders: list[Folder] = []
    for entry in values.get("folders", []):
        location.occurrence += 1
        folders.append(_build_folder(entry, folders, config))
    return replace(config, folders=tuple(folders))


def _build_named_recipe(name: str, entry: dict[str, Any]) -> NamedRecipe:
    own = {"menu": bool, "label": str}
    settings = {key: value for key, value in entry.items() if key not in own}
    _check_keys_and_types({key: value for key, value in entry.items() if key in own}, own)
    return NamedRecipe(_build_recipe(settings, Recipe(), own), entry.get("menu", False), entry.get("label", name))


def _build_recipe(settings: Mapping[str, Any], base: Recipe, other_keys: Iterable[str]) -> Recipe:
    """The recipe's settings on top of `start`; `others`: what else may stand in the table."""
    known = [*(field.name for field in FIELDS), *other_keys]
    for key in settings:
        if key not in known:
            raise _InvalidValueError(key, f"there is no such setting; there is {', '.join(known)}")
    try:
        return read_recipe(settings, base)
    except RecipeError as error:
        raise _InvalidValueError(error.field, str(error)) from error


def _build_folder(entry: Any, previous_folders: list[Folder], config: Config) -> Folder:
    if not isinstance(entry, dict):
        raise _InvalidValueError("folders", "each folder is a table: [[folders]]")
    settings = {key: value for key, value in entry.items() if key not in FOLDER_KEYS}
    _check_keys_and_types({key: value for key, value in entry.items() if key in FOLDER_KEYS}, FOLDER_KEYS)
    if "path" not in entry:
        raise _InvalidValueError("folders", "a folder needs a path")
    path = _read_path(entry, "path")
    if not path.is_absolute():
        raise _InvalidValueError("path", f'"{entry["path"]}" must be a whole path, from the root on')
    path = Path(os.path.abspath(path))
    if path in [folder.path for folder in previous_folders]:
        raise _InvalidValueError("path", f"{path} is there twice")
    sub = entry.get("move_originals")
    if sub is not None and not is_valid_folder_name(sub):
        raise _InvalidValueError("move_originals", "it must be the name of a sub-folder")
    name = entry.get("recipe")
    _check_recipe(name, config)
    recipe = _build_recipe(settings, config.base_recipe(name, settings), FOLDER_KEYS)
    follows = Recipe(output=read_recipe(settings).output) if uses_default_recipe(name, settings) else None
    based_on = name if follows is None else config.default_recipe
    recursive, enabled = entry.get("recursive", False), entry.get("enabled", True)
    return Folder(path, recursive, recipe, sub, based_on, follows, enabled)


def _check_recipe(name: str | None, config: Config) -> None:
    if name is not None and name not in config.recipe_names():
        raise _InvalidValueError(
            "recipe", f"there is no recipe called {name}; there is {', '.join(config.recipe_names())}"
        )


FOLDER_KEYS = {"path": str, "enabled": bool, "recursive": bool, "recipe": str, "move_originals": str}
"""What a watched folder has beside the settings of a recipe."""


def is_valid_folder_name(text: str) -> bool:
    """Can a sub-folder be called so?"""
    return text not in ("", ".", "..") and not {"/", os.sep, "\0"} & set(text)


def _read_path(entry: dict[str, str], key: str) -> Path:
    if entry[key] == "" or "\0" in entry[key]:
        raise _InvalidValueError(key, "it must name a folder")
    try:
        return Path(entry[key]).expanduser()
    except RuntimeError as error:
        raise _InvalidValueError(key, "there is no such user") from error


def _check_keys_and_types(values: dict[str, Any], expected_types: Mapping[str, type]) -> None:
    """Each key is known and its value of the right kind."""
    names = {str: "text in quotes", bool: "true or false", list: "a list of tables: [[folders]]"}
    for key, value in values.items():
        if key not in expected_types:
            raise _InvalidValueError(key, f"there is no such setting; there is {', '.join(expected_types)}")
        if type(value) is not expected_types[key]:
            raise _InvalidValueError(
                key, f"it must be {names.get(expected_types[key], 'tables, such as [recipes.shop]')}"
            )


def _line_of(text: str, key: str, location: _TableLocation) -> int:
    """The line of `key` in the table `where`, or before all tables; where it cannot be told, that of the table."""
    seen, start, inside = 0, 1, not location.occurrence
    for number, line in enumerate(text.split("\n"), start=1):
        if location.header_pattern and re.match(rf"\s*{location.header_pattern}", line):
            seen += 1
            inside = seen == location.occurrence
            start = number if inside else start
        elif re.match(r"\s*\[", line) and location.occurrence:
            inside = False
        if inside and re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=\].]", line):
            return number
    return start


def load(path: Path) -> Config:
    """The configuration; where there is no file, the defaults. Raises UsageError."""
    text = read_text(path)
    return Config() if text is None else parse(text, path)


def load_last_good(copy: Path) -> Config:
    """What `copy` has, while the file itself is wrong; the defaults where the copy is of no use either."""
    try:
        return load(copy)
    except UsageError:
        return Config()


def load_or_last_good(path: Path, copy: Path) -> Config:
    """What the file says or, while that is wrong, what its last good copy has."""
    try:
        return load(path)
    except UsageError:
        return load_last_good(copy)


def read_text(path: Path) -> str | None:
    """The text of the file, None if there is none. Raises UsageError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is not UTF-8 text. Save it as UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
