"""Starts a process in nobg's AppContainer, and undoes what that has left on the computer.

An AppContainer may read "Windows" and "Program Files". Where Python, nobg or a package lies elsewhere, as in the
person's own folder, its folder gets an entry that lets the AppContainer read it. A list says where, for `undo`.
"""

from __future__ import annotations

import contextlib
import json
import ntpath
import os
from collections.abc import Iterator, Mapping, Sequence

from watcher.jail.appcontainer import access, library, process, profile
from watcher.jail.appcontainer.library import AppContainerError, Windows


def start(
    command: Sequence[str], environment: Mapping[str, str], readable: Sequence[str], record_path: str, errors: int
) -> process.ContainedProcess:
    """Start `command` in the AppContainer, with pipes for its input and output.

    `environment`: all of its variables. `readable`: the folders that it may read. `record_path`: where the list of
    changed folders is kept. `errors`: the descriptor for what it prints. Raises AppContainerError, OSError.
    """
    folders = outermost(readable)
    check_folders(folders, os.path.expanduser("~"))
    windows = library.load()
    with _sid(windows, make=True) as sid:
        grant(windows, sid, folders, record_path)
        own_folder = profile.folder(windows, sid)
        close_own_folder(windows, sid, own_folder)
        variables = {**environment, "TEMP": ntpath.join(own_folder, "Temp"), "TMP": ntpath.join(own_folder, "Temp")}
        if "LOCALAPPDATA" in os.environ:  # Windows puts the container's own folder in its place
            variables.setdefault("LOCALAPPDATA", os.environ["LOCALAPPDATA"])
        working_folder = environment.get("SYSTEMROOT", "C:\\Windows")  # it may not read the root of the drive
        return process.start(windows, process.Program(command, variables, working_folder), sid, errors)


@contextlib.contextmanager
def _sid(windows: Windows, *, make: bool) -> Iterator[int]:
    """Give the address of the profile's SID as long as it is valid. Raises AppContainerError."""
    sid = profile.make(windows) if make else profile.find_sid(windows)
    try:
        yield sid
    finally:
        profile.free(windows, sid)


def outermost(folders: Sequence[str]) -> list[str]:
    """Return the folders that exist and lie below no other of them."""
    found = dict.fromkeys(ntpath.normpath(folder) for folder in folders if os.path.isdir(folder))
    return [folder for folder in found if not any(_is_below(folder, other) for other in found)]


def _is_below(folder: str, other: str) -> bool:
    one, two = ntpath.normcase(folder), ntpath.normcase(other)
    return one != two and one.startswith(two.rstrip("\\") + "\\")


def check_folders(folders: Sequence[str], home: str) -> None:
    """Raise AppContainerError if a folder holds more than programs: a drive, or the home folder or one above it."""
    for folder in folders:
        is_drive = ntpath.splitdrive(folder)[1] in ("", "\\")
        if is_drive or ntpath.normcase(folder) == ntpath.normcase(home) or _is_below(home, folder):
            raise AppContainerError(f"Python finds modules in {folder}, where your own files are")


def grant(windows: Windows, sid: int, folders: Sequence[str], record_path: str) -> None:
    """Let the AppContainer read these folders, where it may not yet. Raises AppContainerError, OSError."""
    missing = [folder for folder in folders if not access.is_granted(windows, sid, folder)]
    if missing or not os.path.exists(record_path):
        write_record(record_path, [*read_record(record_path), *missing])  # before the change, so that none is forgotten
    for folder in missing:
        access.change(windows, sid, folder, access.GRANT)


def close_own_folder(windows: Windows, sid: int, own_folder: str) -> None:
    """Take the AppContainer's right to write from the folder that Windows makes for it.

    If that fails, the worker may write there, and nowhere else; `nobg doctor` tries it.
    """
    for folder in profile.folders(own_folder):
        with contextlib.suppress(AppContainerError):
            access.change(windows, sid, folder, access.SET)


def undo(record_path: str) -> list[str]:
    """Remove the AppContainer and its entries. Return what could not be removed, as sentences. Raises OSError."""
    folders = read_record(record_path)
    if not folders and not os.path.exists(record_path):
        return []
    problems = []
    try:
        windows = library.load()
        with _sid(windows, make=False) as sid:
            for folder in folders:
                try:
                    if os.path.isdir(folder):
                        access.change(windows, sid, folder, access.REVOKE)
                except AppContainerError as error:
                    problems.append(f"An entry of nobg.worker stays in the permissions of {folder}: {error}.")
            profile.delete(windows)
    except AppContainerError as error:
        problems.append(f"The AppContainer nobg.worker stays: {error}.")
    if not problems:
        os.unlink(record_path)
    return problems


def read_record(path: str) -> list[str]:
    """Return the folders in which nobg added an entry. A damaged record names none."""
    try:
        with open(path, encoding="utf-8") as file:
            folders = json.load(file)["folders"]
        return [folder for folder in folders if isinstance(folder, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_record(path: str, folders: Sequence[str]) -> None:
    """Write the list of folders in one step. Raises OSError."""
    new_path = f"{path}.{os.getpid()}.new"
    with open(new_path, "w", encoding="utf-8") as file:
        json.dump({"folders": list(dict.fromkeys(folders))}, file)
    os.replace(new_path, path)
