"""Changes to config.toml that keep a person's comments and order: watched folders, single settings."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from watcher import config, paths
from watcher import lock as file_lock
from watcher.config import Config
from watcher.errors import DestinationError, UsageError

HEADER_COMMENT = "nobg's settings. A change counts as soon as the file is saved."


def change(path: Path, edit: Callable[[Any], None]) -> Config:
    """Let `act` change the document (tomlkit's, which keeps comments), check it, and write it in one step.

    Two that change it at once do so one after the other, and nothing is lost. Raises UsageError where the file is
    wrong before or would be after, and PlaceError where it cannot be written.
    """
    import tomlkit

    with _settings_lock():
        text = config.read_text(path)
        if text is None:
            document = tomlkit.document()
            document.add(tomlkit.comment(HEADER_COMMENT))
        else:
            config.parse(text, path)
            document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")  # a table would join the last line
        edit(document)
        changed = _reposition_added_lines(text or "", tomlkit.dumps(document))
        changed_config = config.parse(changed, path)
        if changed != text:
            _write(path, changed)
        return changed_config


@contextlib.contextmanager
def _settings_lock() -> Iterator[None]:
    """No other nobg changes the settings meanwhile; or not for long."""
    lock = file_lock.acquire(str(paths.state_dir()), timeout=5.0, name="settings.lock")
    try:
        yield
    finally:
        if lock is not None:
            file_lock.release(lock)


def _reposition_added_lines(before: str, after: str) -> str:
    """What tomlkit made of `before`, with the new lines where they belong: it puts them below all that stands in their
    table, also below a comment on the next table; so they go up, to the other lines of theirs.
    """
    old, new = before.split("\n"), after.split("\n")
    first = next((number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old))
    count = len(new) - len(old)
    added = new[first : first + count]
    if count <= 0 or new[first + count :] != old[first:] or any(line.lstrip().startswith("[") for line in added):
        return after
    above = [line.strip()[:1] for line in new[:first]]
    settings = [number for number, sign in enumerate(above) if sign not in ("", "#")]
    blanks = [number for number, sign in enumerate(above) if not sign]
    place = (settings or blanks or [first - 1])[-1] + 1  # with nothing but a title above them, they stay below it
    if place == first:
        return after
    return "\n".join([*new[:place], *filter(None, added), *new[place:first], *old[first:]])


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
        raise DestinationError(
            f"{path} cannot be written ({error.strerror}). Make room or check its permissions."
        ) from error


def add_folder(path: Path, table: Mapping[str, Any]) -> Config:
    """Watch a folder too, or in a new way: `table` is its [[folders]]; what is not in it is as if never said."""
    for value in table.values():
        try:
            os.fsencode(str(value)).decode()
        except UnicodeDecodeError as error:
            raise UsageError(f"The name {value} is not valid text, and the settings are. Rename the folder.") from error

    def act(document: Any) -> None:
        tables = _folder_tables(document)
        there = next((one for one in tables if _is_table_of(one, Path(table["path"]))), None)
        if there is None:
            tables.append({})
            there = tables[-1]
        for key in [key for key in there if key not in table]:
            there.pop(key)
        for key, value in table.items():
            if not (key == "path" and key in there):
                there[key] = value

    return change(path, act)


def _folder_tables(document: Any) -> Any:
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
        del tables[_index_of_folder(folder, tables)]
        if not tables:
            del document["folders"]

    return change(path, act)


def set_folder(path: Path, folder: Path, key: str, value: str | bool | None) -> Config:
    """Change one setting of a folder that is watched; None: as if never said. Raises UsageError as `change`."""

    def act(document: Any) -> None:
        tables = document.get("folders", [])
        _set_or_delete(tables[_index_of_folder(folder, tables)], key, value)

    return change(path, act)


def set_value(path: Path, key: str, value: str | bool | None) -> Config:
    """Change a setting that is in no table, such as `recipe`; None: as if never said. Raises UsageError as `change`."""
    return change(path, lambda document: _set_or_delete(document, key, value))


def _set_or_delete(table: Any, key: str, value: str | bool | None) -> None:
    if value is not None:
        table[key] = value
    elif key in table:
        del table[key]


def _index_of_folder(folder: Path, tables: Any) -> int:
    """Which of the [[folders]] it is. Raises UsageError if it is none."""
    found = next((number for number, table in enumerate(tables) if _is_table_of(table, folder)), None)
    if found is None:
        raise UsageError(f"{folder} is not watched. `nobg watch list` says which folders are.")
    return found


def _is_table_of(table: Any, folder: Path) -> bool:
    return Path(os.path.abspath(os.path.expanduser(str(table["path"])))) == folder
