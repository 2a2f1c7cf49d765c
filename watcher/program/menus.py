"""File managers' menus and the start at login: switching them, and what the integrations need to know of us."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import integrations
from integrations import base
from integrations.base import InstallResult, IntegrationError, Setup, Status, Target
from integrations.verbs import build_verbs
from watcher import config, paths
from watcher.errors import UsageError
from watcher.formats import MIME_TYPES, SUFFIXES

RECORD_FILE_NAME = "menu.json"

_record_lock = threading.Lock()  # two clicks at once would lose entries of the record


def switch_menus(names: Sequence[str] = (), *, on: bool) -> list[InstallResult]:
    """Put nobg into the menus of these file managers, or of all that are here; or take it out. Raises UsageError."""
    setup = make_setup()
    if on:
        return [_run_locked(base.install, manager, setup) for manager in managers_to_install(names, setup)]
    chosen = _select_managers(names, [*integrations.file_managers(), *_obsolete_managers(setup)])
    return [_run_locked(base.uninstall, manager, setup) for manager in chosen]


def managers_to_install(names: Sequence[str], setup: Setup) -> list[Target]:
    """The file managers that were named or, without names, those that are on this computer. Raises UsageError."""
    return _select_managers(names, [one for one in integrations.file_managers() if one.is_present(setup)])


def switch_autostart(*, on: bool) -> InstallResult:
    """Start at login from now on; or not. Raises UsageError."""
    return _run_locked(base.install if on else base.uninstall, integrations.autostart_target(), make_setup())


def menu_statuses(names: Sequence[str]) -> list[Status]:
    """The state of our entries in these file managers or, without names, in all that this system can have.

    Raises UsageError for an unknown name, or where the record of what was installed is damaged.
    """
    setup = make_setup()
    try:
        return [base.status(manager, setup) for manager in _select_managers(names, integrations.file_managers())]
    except IntegrationError as error:
        raise UsageError(str(error)) from error


def autostart_status() -> Status:
    """Does nobg start at login? Raises IntegrationError where the record of what was installed is damaged."""
    return base.status(integrations.autostart_target(), make_setup())


def make_setup() -> Setup:
    """What the integrations need to know. Raises UsageError where nobg lies in a folder that cannot be named."""
    home = Path.home()
    return Setup(
        client_command=_with_home_variable(_command_line("nobg-add", "add")),
        resident_command=_with_home_variable(_command_line("nobg", "run")),
        verbs=build_verbs(_menu_recipes()),
        suffixes=tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes),
        mime_types=MIME_TYPES,
        icon_path=paths.asset("icon.svg"),
        record_path=Path(paths.state_folder()) / RECORD_FILE_NAME,
        home=home,
        config_home=_config_folder(home),
        data_home=_environment_folder("XDG_DATA_HOME", home / ".local" / "share"),
        config_dirs=_environment_folders("XDG_CONFIG_DIRS", "/etc/xdg"),
        data_dirs=_environment_folders("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
        desktops=tuple(filter(None, os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"))),
        search_path=_environment_folders("PATH", os.defpath),
    )


def _config_folder(home: Path) -> Path:
    if sys.platform == "win32":
        return _environment_folder("APPDATA", home / "AppData" / "Roaming")
    return _environment_folder("XDG_CONFIG_HOME", home / ".config")


def _command_line(script: str, command: str) -> tuple[str, ...]:
    """One of our commands by its absolute path, inside the environment that runs us.

    Not by the link that pipx and uv tool put into ~/.local/bin: that may be another nobg's, or moved, while this one is
    certain; both keep the environment's place when they upgrade. Not resolved: a venv is known by its own path.
    """
    folders = [os.path.dirname(sys.executable), sysconfig.get_path("scripts")]
    ending = ".exe" if sys.platform == "win32" else ""
    for folder in folders:
        path = os.path.join(folder, script + ending)
        if os.access(path, os.X_OK):
            if script == "nobg-add":
                return (path,)
            return (_python(), "-P", "-m", "watcher", command) if sys.platform == "win32" else (path, command)
    return (_python(), "-P", os.path.join(os.path.dirname(integrations.__file__), "checkout.py"), command)


def _python() -> str:
    """On Windows the one without a console window, which python.exe and nobg.exe open."""
    if sys.platform == "win32":
        return os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
    return sys.executable


def _with_home_variable(command: tuple[str, ...]) -> tuple[str, ...]:
    """With NOBG_HOME as it is now: whoever starts the command later does not have it, and recipes are there."""
    home = os.environ.get("NOBG_HOME")
    if home and sys.platform != "win32":
        command = ("/usr/bin/env", f"NOBG_HOME={os.path.abspath(home)}", *command)
    for word in command:
        if _has_control_characters(word) or word != os.fsencode(word).decode(errors="replace"):
            raise UsageError(f"The name {word} is not valid text, and menus are. Install nobg in another folder.")
    return command


def recipes_not_in_menu() -> list[str]:
    """Names of the recipes that ask to be in the menu and cannot be: a menu's file holds no control characters."""
    recipes = config.load(paths.config_path()).recipes
    return [name for name, named in recipes.items() if named.menu and _has_control_characters(name)]


def _menu_recipes() -> list[tuple[str, str]]:
    """Name and label of each recipe that the person wants in the menu; see also recipes_not_in_menu()."""
    recipes = config.load(paths.config_path()).recipes
    return [
        (name, _one_line(named.label))
        for name, named in recipes.items()
        if named.menu and not _has_control_characters(name)
    ]


def _one_line(label: str) -> str:
    """The label without control characters and without runs of spaces."""
    return " ".join("".join(" " if _has_control_characters(sign) else sign for sign in label).split())


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(sign) == "Cc" for sign in text)


def _environment_folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else default


def _environment_folders(variable: str, default: str) -> tuple[Path, ...]:
    value = os.environ.get(variable) or default
    return tuple(Path(folder) for folder in value.split(os.pathsep) if os.path.isabs(folder))


def _select_managers(names: Sequence[str], default: Iterable[Target]) -> list[Target]:
    """The targets that a person named, or the usual ones. Raises UsageError."""
    known = {manager.key: manager for manager in integrations.file_managers()}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no file manager called {name} here. There is: {', '.join(known) or 'none yet'}."
            )
    return [known[name] for name in names] if names else list(default)


def _obsolete_managers(setup: Setup) -> list[Target]:
    """Targets that are in the record and that this version does not know any more."""
    try:
        entries = base.Record.load(setup.record_path).entries.values()
    except IntegrationError as error:
        raise UsageError(str(error)) from error
    known = integrations.file_managers()
    keys = {key for entry in entries for key in entry["users"]} - {manager.key for manager in known} - {"autostart"}
    kinds = tuple({kind for manager in known for kind in manager.artifact_types})
    return [Target(key, key, lambda _: False, lambda _: (), kinds) for key in sorted(keys)]


def _run_locked(action: Any, manager: Target, setup: Setup) -> InstallResult:
    try:
        with _record_lock:
            done: InstallResult = action(manager, setup)
    except IntegrationError as error:
        raise UsageError(str(error)) from error
    return done
