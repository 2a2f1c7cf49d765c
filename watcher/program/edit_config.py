"""Change watched folders and single settings in config.toml, keeping the person's comments and order."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from integrations.files import sync_folder
from watcher import lock as file_lock
from watcher import paths
from watcher.errors import DestinationError, UsageError, advise
from watcher.settings import config
from watcher.settings.config import Config

HEADER_COMMENT = "nobg's settings. A change takes effect as soon as the file is saved."


def change(path: Path, edit: Callable[[Any], None]) -> Config:
    """Let `edit` change the document, check the result, and write it in one step. Returns the new configuration.

    `edit`: takes a tomlkit document, which keeps comments. Of two processes that change the file at once, the second
    waits for the first, so that both changes stay. Raises UsageError if the file is wrong, or would be wrong after the
    change, and DestinationError if it cannot be written.
    """
    import tomlkit

    with changes_lock():
        text = config.read_text(path)
        if text is None:
            document = tomlkit.document()
            document.add(tomlkit.comment(HEADER_COMMENT))
        else:
            config.parse(text, path)
            # Without a line end there, tomlkit would write a new table on the last line.
            document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
        edit(document)
        changed = _reposition_added_lines(text or "", tomlkit.dumps(document))
        changed_config = config.parse(changed, path)
        if changed != text:
            _write(path, changed)
        return changed_config


_CHANGES_LOCK = "settings.lock"
CHANGES_LOCK_SECONDS = 60.0  # a program that installs menus waits for the desktop's own programs meanwhile


@contextlib.contextmanager
def changes_lock() -> Iterator[None]:
    """Keep other nobg processes and threads from changing settings, menus and the start at login meanwhile.

    Raises DestinationError if the lock is not free within CHANGES_LOCK_SECONDS.
    """
    lock = _take_changes_lock()
    try:
        yield
    finally:
        folder = paths.state_folder()
        with contextlib.suppress(OSError):  # Windows deletes no open file
            if os.listdir(folder) == [_CHANGES_LOCK]:  # leave nothing of nobg once all is uninstalled
                os.unlink(os.path.join(folder, _CHANGES_LOCK))
                os.rmdir(folder)
        file_lock.release(lock)


def _take_changes_lock() -> int:
    deadline = time.monotonic() + CHANGES_LOCK_SECONDS
    while True:
        folder = str(paths.state_dir())
        try:
            lock = file_lock.acquire(folder, max(0.0, deadline - time.monotonic()), _CHANGES_LOCK)
        except DestinationError:
            if os.path.isdir(folder):  # otherwise its last user has just removed it
                raise
            continue
        if lock is None:
            raise DestinationError(
                "Another nobg is changing settings or menus, and has not finished for a minute "
                f"({os.path.join(folder, _CHANGES_LOCK)} is locked). Try again later.",
                folder,
            )
        if file_lock.is_current(lock, folder, _CHANGES_LOCK):
            return lock
        file_lock.release(lock)


def _reposition_added_lines(before: str, after: str) -> str:
    """Return `after`, tomlkit's change of `before`, with the added lines moved up to the other settings of their table.

    tomlkit adds them at the end of the table, which is below a comment that belongs to the next table.
    """
    old, new = before.split("\n"), after.split("\n")
    pairs = enumerate(zip(old, new, strict=False))
    start = next((number for number, (old_line, new_line) in pairs if old_line != new_line), len(old))
    count = len(new) - len(old)
    added = new[start : start + count]
    if count <= 0 or new[start + count :] != old[start:] or any(line.lstrip().startswith("[") for line in added):
        return after
    first_characters = [line.strip()[:1] for line in new[:start]]
    settings = [number for number, character in enumerate(first_characters) if character not in ("", "#")]
    blanks = [number for number, character in enumerate(first_characters) if not character]
    target = (settings or blanks or [start - 1])[-1] + 1  # without settings above, below the title comment
    if target == start:
        return after
    return "\n".join([*new[:target], *filter(None, added), *new[target:start], *old[start:]])


def _write(path: Path, text: str) -> None:
    real_path = Path(os.path.realpath(path))  # a link stays a link: some people keep their settings elsewhere
    try:
        real_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=real_path.parent, prefix=".config-")  # 0600
        temporary = Path(name)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, real_path)
            sync_folder(real_path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DestinationError(
            f"{path} cannot be written ({error.strerror}). Make room or check its permissions."
        ) from error


def add_folder(path: Path, table: Mapping[str, Any]) -> Config:
    """Watch a folder, or change how it is watched. `table`: the [[folders]] table that replaces its present one.

    Raises what `change` raises.
    """
    for value in table.values():
        try:
            os.fsencode(str(value)).decode()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"The name {value} is not valid text, so config.toml cannot hold it. Rename the folder."
            ) from error

    def edit(document: Any) -> None:
        tables = _folder_tables(document)
        folder_table = next((entry for entry in tables if _is_table_of(entry, Path(table["path"]))), None)
        if folder_table is None:
            tables.append({})
            folder_table = tables[-1]
        for key in [key for key in folder_table if key not in table]:
            folder_table.pop(key)
        for key, value in table.items():
            if not (key == "path" and key in folder_table):  # the person may have written it with ~
                folder_table[key] = value

    return change(path, edit)


def _folder_tables(document: Any) -> Any:
    """Return the [[folders]] tables of the document. Creates them if they are missing or written as an inline list."""
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
    """Stop watching `folder`. Raises UsageError if it is not watched, and what `change` raises."""

    def edit(document: Any) -> None:
        tables = document.get("folders", [])
        del tables[_index_of_folder(folder, tables)]
        if not tables:
            del document["folders"]

    return change(path, edit)


def set_folder_value(path: Path, folder: Path, key: str, value: str | bool | None) -> Config:
    """Change one setting of a watched folder. `value`: None deletes it. Raises what `remove_folder` raises."""

    def edit(document: Any) -> None:
        tables = document.get("folders", [])
        _set_or_delete(tables[_index_of_folder(folder, tables)], key, value)

    return change(path, edit)


def set_value(path: Path, key: str, value: str | bool | None) -> Config:
    """Change a setting that is in no table, such as `recipe`. `value`: None deletes it. Raises what `change` raises."""
    return change(path, lambda document: _set_or_delete(document, key, value))


def _set_or_delete(table: Any, key: str, value: str | bool | None) -> None:
    if value is not None:
        table[key] = value
    elif key in table:
        del table[key]


def _index_of_folder(folder: Path, tables: Any) -> int:
    """Return the index of the folder's table. Raises UsageError if the folder is not watched."""
    index = next((index for index, table in enumerate(tables) if _is_table_of(table, folder)), None)
    if index is None:
        raise UsageError(advise(f"{folder} is not watched.", terminal="`nobg watch list` shows the folders that are."))
    return index


def _is_table_of(table: Any, folder: Path) -> bool:
    return Path(os.path.abspath(os.path.expanduser(str(table["path"])))) == folder
