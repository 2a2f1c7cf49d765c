"""config.toml <-> frozen dataclasses. What is wrong with it is said with file, line and key."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watcher.errors import PlaceError, UsageError
from watcher.recipe import Recipe

LAST_GOOD = "config.last-good.toml"
"""Where the resident program keeps a copy in the state folder, for the time when the file is wrong."""

TITLE = "nobg's settings. A change counts as soon as the file is saved."


@dataclass(frozen=True)
class Folder:
    """One watched folder. `move_originals`: the sub-folder into which originals go once they are done; None: stay."""

    path: Path
    recursive: bool = False
    recipe: Recipe = field(default_factory=Recipe)
    move_originals: str | None = None


@dataclass(frozen=True)
class Config:
    """All settings."""

    folders: tuple[Folder, ...] = ()


class _WrongError(Exception):
    """A key whose value makes no sense."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key
        self.why = why


def parse(text: str, path: Path) -> Config:
    """The configuration in `text`; `path` is where it came from. Raises UsageError with file, line and key."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        last = text.count("\n") + 1
        raise UsageError(f"{path}, line {line[1] if line else last}: {error}. Correct it there.") from error
    table = 0
    folders: list[Folder] = []
    try:
        _only(values, {"folders": list})
        for entry in values.get("folders", []):
            table += 1
            folders.append(_folder(entry, folders))
    except _WrongError as error:
        place = f"{path}, line {_line_of(text, error.key, table)}, {error.key}"
        raise UsageError(f"{place}: {error.why}. Correct it there.") from error
    return Config(tuple(folders))


def _folder(entry: Any, before: list[Folder]) -> Folder:
    if not isinstance(entry, dict):
        raise _WrongError("folders", "each folder is a table: [[folders]]")
    _only(entry, {"path": str, "recursive": bool, "output": str, "move_originals": str})
    if "path" not in entry:
        raise _WrongError("folders", "a folder needs a path")
    path = _path(entry, "path")
    if not path.is_absolute():
        raise _WrongError("path", f'"{entry["path"]}" must be a whole path, from the root on')
    path = Path(os.path.abspath(path))
    if path in [folder.path for folder in before]:
        raise _WrongError("path", f"{path} is there twice")
    sub = entry.get("move_originals")
    if sub is not None and not is_name(sub):
        raise _WrongError("move_originals", "it must be the name of a sub-folder")
    recipe = Recipe(_path(entry, "output") if "output" in entry else None)
    return Folder(path, entry.get("recursive", False), recipe, sub)


def is_name(text: str) -> bool:
    """Can a sub-folder be called so?"""
    return text not in ("", ".", "..") and not {"/", os.sep, "\0"} & set(text)


def _path(entry: dict[str, str], key: str) -> Path:
    if entry[key] == "" or "\0" in entry[key]:
        raise _WrongError(key, "it must name a folder")
    try:
        return Path(entry[key]).expanduser()
    except RuntimeError as error:
        raise _WrongError(key, "there is no such user") from error


def _only(values: dict[str, Any], kinds: dict[str, type]) -> None:
    """Each key is known and its value of the right kind."""
    names = {str: "text in quotes", bool: "true or false", list: "a list of tables: [[folders]]"}
    for key, value in values.items():
        if key not in kinds:
            raise _WrongError(key, f"there is no such setting; there is {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            raise _WrongError(key, f"it must be {names[kinds[key]]}")


def _line_of(text: str, key: str, table: int) -> int:
    """The line of `key` in the `table`-th [[folders]] (0: before them); where it cannot be told, of that table."""
    seen, start = 0, 1
    for number, line in enumerate(text.split("\n"), start=1):
        if re.match(r"\s*\[\[\s*folders\s*\]\]", line):
            seen, start = seen + 1, number if seen + 1 <= table else start
        if seen == table and re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=\].]", line):
            return number
    return start


def load(path: Path) -> Config:
    """The configuration; where there is no file, the defaults. Raises UsageError."""
    text = read(path)
    return Config() if text is None else parse(text, path)


def last_good(copy: Path) -> Config:
    """What `copy` has, while the file itself is wrong; the defaults where the copy is of no use either."""
    try:
        return load(copy)
    except UsageError:
        return Config()


def read(path: Path) -> str | None:
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


def change(path: Path, act: Callable[[Any], None]) -> Config:
    """Let `act` change the document (tomlkit's, which keeps comments), check it, and write it in one step.

    Raises UsageError where the file is wrong before or would be after, and PlaceError where it cannot be written.
    """
    import tomlkit

    text = read(path)
    if text is None:
        document = tomlkit.document()
        document.add(tomlkit.comment(TITLE))
    else:
        parse(text, path)
        document = tomlkit.parse(text)
    act(document)
    changed = tomlkit.dumps(document)
    config = parse(changed, path)
    if changed != text:
        _write(path, changed)
    return config


def _write(path: Path, text: str) -> None:
    real = Path(os.path.realpath(path))  # people keep their settings elsewhere and leave a link
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=".config-")  # 0600
        temporary = Path(name)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, real)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PlaceError(f"{path} cannot be written ({error.strerror}). Make room or check its permissions.") from error


def add_folder(path: Path, folder: Folder) -> Config:
    """Watch `folder` too, or in a new way."""
    output = folder.recipe.output
    for name in (folder.path, output or "", folder.move_originals or ""):
        try:
            os.fsencode(name).decode()
        except UnicodeDecodeError as error:
            raise UsageError(f"The name {name} is not valid text, and the settings are. Rename the folder.") from error

    def act(document: Any) -> None:
        tables = _tables(document)
        table = next((table for table in tables if _is(table, folder.path)), None)
        if table is None:
            tables.append({})
            table = tables[-1]
        wanted = {
            "path": str(folder.path),
            "recursive": folder.recursive or None,
            "output": None if output is None else str(output),
            "move_originals": folder.move_originals,
        }
        for key, value in wanted.items():
            if value is None:
                table.pop(key, None)
            elif not (key == "path" and key in table):
                table[key] = value

    return change(path, act)


def _tables(document: Any) -> Any:
    """The [[folders]] of the document, made if need be; somebody may have written them as one list."""
    import tomlkit

    tables = document.get("folders")
    if isinstance(tables, tomlkit.items.AoT):
        return tables
    document.pop("folders", None)
    document["folders"] = tomlkit.aot()
    for entry in tables or []:
        document["folders"].append(entry.unwrap())
    return document["folders"]


def remove_folder(path: Path, folder: Path) -> Config:
    """Watch `folder` no longer. Raises UsageError if it is not watched."""

    def act(document: Any) -> None:
        tables = document.get("folders", [])
        for number, table in enumerate(tables):
            if _is(table, folder):
                del tables[number]
                if not tables:
                    del document["folders"]
                return
        raise UsageError(f"{folder} is not watched. `nobg watch list` says which folders are.")

    return change(path, act)


def _is(table: Any, folder: Path) -> bool:
    return Path(os.path.abspath(os.path.expanduser(str(table["path"])))) == folder
