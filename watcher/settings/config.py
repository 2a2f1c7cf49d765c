"""Read config.toml into frozen dataclasses. An error names the file, the line and the key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from watcher import paths
from watcher.errors import UsageError, how_to_take_back
from watcher.matting.networks import providers
from watcher.recipe import BUILT_IN, FIELDS, Recipe, RecipeError, read_folder, read_recipe
from watcher.settings import toml_errors

LAST_GOOD_FILE = "config.last-good.toml"
"""The name of the copy of the last valid config.toml. It is in the state folder, for use while config.toml is wrong."""


_CORRECT = "Correct it there."
_MAX_PERIODS = 16
"""Periods in a line outside quotes: they separate the parts of keys, of which nobg's keys have at most three."""


@dataclass(frozen=True)
class Folder:
    """One watched folder. `enabled`: whether it is watched at present.

    `recipe`: the complete recipe. `base_recipe_name`: the name of the recipe that it starts from.
    `move_originals`: the sub-folder into which finished originals are moved; None leaves them.
    `default_overrides`: if the folder follows the default recipe, its changes to that recipe (at most `output`); None
    if the folder has a recipe of its own.
    """

    path: Path
    recursive: bool = False
    recipe: Recipe = field(default_factory=Recipe)
    move_originals: str | None = None
    base_recipe_name: str | None = None
    default_overrides: Recipe | None = None
    enabled: bool = True


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe from config.toml. `menu`: whether the right-click menu offers it, under the name `label`."""

    recipe: Recipe
    menu: bool = False
    label: str = ""


@dataclass(frozen=True)
class Config:
    """All settings. `provider`: the kind of processor that computes, one of `providers.NAMES`.

    `model`: the mode or model for recipes that name none; None stands for nobg's default.
    `default_recipe`: the name of the recipe for pictures without settings of their own; None stands for `Recipe()`.
    """

    folders: tuple[Folder, ...] = ()
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)
    model: str | None = None
    default_recipe: str | None = None
    notifications: bool = True
    provider: str = providers.AUTO

    def base_recipe(self, name: str | None, settings: Iterable[str]) -> Recipe:
        """Return the recipe to which a command or a folder applies its settings.

        `name`: the recipe that it names, if any. `settings`: the names of its settings. Raises UsageError if there is
        no such recipe.
        """
        if uses_default_recipe(name, settings):
            name = self.default_recipe
        return Recipe() if name is None else self.recipe(name)

    def recipe(self, name: str) -> Recipe:
        """Return the recipe of this name, the person's own or a built-in one. Raises UsageError."""
        if name in self.recipes:
            return self.recipes[name].recipe
        if name in BUILT_IN:
            return BUILT_IN[name]
        raise UsageError(f"There is no recipe called {name}. Choose one of: {', '.join(self.recipe_names())}.")

    def recipe_names(self) -> list[str]:
        """The names of all recipes, the built-in ones first."""
        return list({**BUILT_IN, **self.recipes})


def uses_default_recipe(name: str | None, settings: Iterable[str]) -> bool:
    """Return whether the default recipe applies: no recipe is named, and no setting but `output` is made.

    `output` does not count, because it says where the cut-out goes, not what it looks like.
    """
    return name is None and not set(settings) - {"output"}


class _InvalidValueError(Exception):
    """A key whose value makes no sense."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def parse(text: str, path: Path) -> Config:
    """Return the configuration in `text`, which was read from `path`. Raises UsageError with file, line and key."""
    _check_key_depth(text, path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        number, sentence = toml_errors.describe(text, str(error))
        line = text.split("\n")[number - 1].strip()
        raise UsageError(f"{path}, line {number} ({line}): {sentence}. {_CORRECT}") from error
    except RecursionError as error:
        brackets = [len(re.findall(r"[\[{]", line)) for line in text.split("\n")]
        number = brackets.index(max(brackets)) + 1
        raise UsageError(f"{path}, line {number}: there are too many brackets inside each other. {_CORRECT}") from error
    location = _TableLocation()
    try:
        return _build_config(values, location)
    except _InvalidValueError as error:
        position = f"{path}, line {_line_of(text, error.key, location)}, {error.key}"
        raise UsageError(f"{position}: {error.reason}. {_CORRECT}") from error


_STRINGS_AND_COMMENTS = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*', re.DOTALL
)


def _check_key_depth(text: str, path: Path) -> None:
    """Raise UsageError for a line with a key of absurdly many parts, for which tomllib would take minutes."""
    bare_text = _STRINGS_AND_COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(bare_text.split("\n"), start=1):
        if line.count(".") > _MAX_PERIODS:
            raise UsageError(
                f"{path}, line {number}: there are more than {_MAX_PERIODS} periods outside quotes. {_CORRECT}"
            )


@dataclass
class _TableLocation:
    """The table being read: number `occurrence`, from 1, of the tables whose header matches `header_pattern`.

    `occurrence` 0: the settings before the first table.
    """

    header_pattern: str = ""
    occurrence: int = 0


def _build_config(values: dict[str, Any], location: _TableLocation) -> Config:
    """Build the configuration. `location` always says which table is being read, for error messages."""
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
        recipes=recipes,
        model=values.get("model"),
        default_recipe=values.get("recipe"),
        notifications=values.get("notifications", True),
        provider=values.get("provider", providers.AUTO),
    )
    location.header_pattern, location.occurrence = "", 0
    if config.provider not in providers.NAMES:
        raise _InvalidValueError("provider", f"it must be one of {', '.join(providers.NAMES)}")
    _check_recipe_name(config.default_recipe, config)
    location.header_pattern, location.occurrence = r"\[\[\s*folders\s*\]\]", 0
    folders: dict[Path, Folder] = {}
    for entry in values.get("folders", []):
        location.occurrence += 1
        folder = _build_folder(entry, folders, config)
        folders[folder.path] = folder
    return replace(config, folders=tuple(folders.values()))


def _build_named_recipe(name: str, entry: dict[str, Any]) -> NamedRecipe:
    other_keys = {"menu": bool, "label": str}
    settings = {key: value for key, value in entry.items() if key not in other_keys}
    _check_keys_and_types({key: value for key, value in entry.items() if key in other_keys}, other_keys)
    recipe = _build_recipe(settings, Recipe(), other_keys)
    return NamedRecipe(recipe, entry.get("menu", False), entry.get("label", name))


def _build_recipe(settings: Mapping[str, Any], base: Recipe, other_keys: Iterable[str]) -> Recipe:
    """Return `base` with these settings. `other_keys`: what else the table may contain, for error messages."""
    allowed_keys = [*(field.name for field in FIELDS), *other_keys]
    for key in settings:
        if key not in allowed_keys:
            raise _InvalidValueError(key, f"there is no such setting; the settings are {', '.join(allowed_keys)}")
    try:
        return read_recipe(settings, base)
    except RecipeError as error:
        raise _InvalidValueError(error.field, str(error)) from error


def _build_folder(entry: Any, previous_folders: Container[Path], config: Config) -> Folder:
    if not isinstance(entry, dict):
        raise _InvalidValueError("folders", "each folder is a table: [[folders]]")
    settings = {key: value for key, value in entry.items() if key not in FOLDER_KEYS}
    _check_keys_and_types({key: value for key, value in entry.items() if key in FOLDER_KEYS}, FOLDER_KEYS)
    path = _read_folder_path(entry)
    if path in previous_folders:
        raise _InvalidValueError("path", f"{path} is listed twice")
    move_originals = entry.get("move_originals")
    if move_originals is not None and not is_valid_folder_name(move_originals):
        raise _InvalidValueError("move_originals", "it must be the name of a sub-folder")
    name = entry.get("recipe")
    _check_recipe_name(name, config)
    recipe = _build_recipe(settings, config.base_recipe(name, settings), FOLDER_KEYS)
    follows_default = uses_default_recipe(name, settings)
    return Folder(
        path,
        entry.get("recursive", False),
        recipe,
        move_originals,
        base_recipe_name=config.default_recipe if follows_default else name,
        default_overrides=Recipe(output=read_recipe(settings).output) if follows_default else None,
        enabled=entry.get("enabled", True),
    )


def _read_folder_path(entry: Mapping[str, str]) -> Path:
    if "path" not in entry:
        raise _InvalidValueError("folders", "a folder needs a path")
    if set("\b\t\n\f\r") & set(entry["path"]):  # "C:\\temp" is valid, but \\t is a tab
        raise _InvalidValueError("path", "a path with backslashes belongs in single quotes")
    try:
        path = read_folder(entry["path"])
    except ValueError as error:
        raise _InvalidValueError("path", str(error)) from error
    if not path.is_absolute():
        raise _InvalidValueError("path", f'"{entry["path"]}" must be a full path, from the root')
    return Path(os.path.abspath(path))


def _check_recipe_name(name: str | None, config: Config) -> None:
    """Raise _InvalidValueError if there is no recipe of this name."""
    names = config.recipe_names()
    if name is not None and name not in names:
        raise _InvalidValueError("recipe", f"there is no recipe called {name}; choose one of {', '.join(names)}")


FOLDER_KEYS = {"path": str, "enabled": bool, "recursive": bool, "recipe": str, "move_originals": str}
"""The keys of a watched folder's table that are not settings of a recipe, and their types."""


def is_valid_folder_name(text: str) -> bool:
    """Return whether a sub-folder can have this name."""
    return text not in ("", ".", "..") and not {"/", os.sep, "\0"} & set(text)


def _check_keys_and_types(values: dict[str, Any], expected_types: Mapping[str, type]) -> None:
    """Raise _InvalidValueError for the first key that is unknown or whose value has another type."""
    type_descriptions = {
        str: "text in quotes",
        bool: "true or false",
        list: "a list of tables: [[folders]]",
        dict: "tables, such as [recipes.shop]",
    }
    for key, value in values.items():
        if key not in expected_types:
            raise _InvalidValueError(key, f"there is no such setting; the settings are {', '.join(expected_types)}")
        if type(value) is not expected_types[key]:
            raise _InvalidValueError(key, f"it must be {type_descriptions[expected_types[key]]}")


def _line_of(text: str, key: str, location: _TableLocation) -> int:
    """Return the line number of `key` at `location`, or that of the table's header if the key is not found."""
    matching_headers, fallback, is_inside = 0, 1, not location.occurrence
    for number, line in enumerate(text.split("\n"), start=1):
        if location.header_pattern and re.match(rf"\s*{location.header_pattern}", line):
            matching_headers += 1
            is_inside = matching_headers == location.occurrence
            fallback = number if is_inside else fallback
        elif re.match(r"\s*\[", line) and location.occurrence:
            is_inside = False
        if is_inside and re.match(rf"\s*(?:\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]", line):
            return number
    return fallback


def load(path: Path) -> Config:
    """Return the configuration in the file, or the defaults if there is no file. Raises UsageError."""
    text = read_text(path)
    return Config() if text is None else parse(text, path)


def load_last_good(copy: Path) -> Config:
    """Return the configuration in `copy`, for use while config.toml is wrong; the defaults if `copy` is wrong too."""
    try:
        return load(copy)
    except UsageError:
        return Config()


def load_or_last_good(path: Path, copy: Path) -> Config:
    """Return the configuration in the file or, while that is wrong, in its last good copy."""
    try:
        return load(path)
    except UsageError:
        return load_last_good(copy)


def read_text(path: Path) -> str | None:
    """Return the text of the file, or None if there is no file. Raises UsageError."""
    try:
        with open(paths.open_regular(str(path)), encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is not UTF-8 text. Save it as UTF-8.") from error
    except OSError as error:
        is_odd = isinstance(error, paths.IrregularFileError)
        advice = how_to_take_back(path) or ("Put a file in its place." if is_odd else "Check its permissions.")
        raise UsageError(f"{path} cannot be read ({error.strerror}). {advice}") from error
