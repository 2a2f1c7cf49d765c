"""File managers' menus and the start at login: switches them, and describes nobg to the integrations."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import sysconfig
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import integrations
from integrations import installer
from integrations.artifact import IntegrationError
from integrations.context import Setup
from integrations.record import Record
from integrations.target import InstallResult, LoginStart, Status, Target
from integrations.verbs import TOUCH_UP, build_verbs
from watcher import paths
from watcher.errors import UsageError, refused_access_error, unwritable_records_error
from watcher.formats import MIME_TYPES, SUFFIXES
from watcher.program import edit_config
from watcher.settings import config
from watcher.worker import starter

RECORD_FILE_NAME = "menu.json"


def switch_menus(names: Sequence[str] = (), *, on: bool) -> list[InstallResult]:
    """Add nobg to the menus of these file managers, or remove it from them.

    `names`: keys of file managers; empty: all on this computer. Raises UsageError for an unknown name.
    """
    setup = make_setup()
    if on:
        return [_run_locked(installer.install, manager, setup) for manager in managers_to_install(names, setup)]
    managers = _select_managers(names, [*integrations.file_managers(), *_obsolete_managers(setup)])
    return [_run_locked(installer.uninstall, manager, setup) for manager in managers]


def remove_container() -> list[str]:
    """Remove the AppContainer that Windows keeps for nobg; a worker that starts later makes it anew.

    Return what could not be removed, as sentences. Raises DestinationError.
    """
    try:
        return starter.forget_container()
    except OSError as error:
        raise unwritable_records_error(paths.state_folder(), error) from error


def managers_to_install(names: Sequence[str], setup: Setup) -> list[Target]:
    """Return the file managers of these names; without names, those on this computer. Raises UsageError."""
    return _select_managers(names, [manager for manager in integrations.file_managers() if manager.is_present(setup)])


def switch_autostart(*, on: bool) -> InstallResult:
    """Make nobg start at login from now on, or not. If it then does not as asked, the problems say so.

    Raises UsageError.
    """
    before = login_start()
    action = installer.install if on else installer.uninstall
    result = _run_locked(action, integrations.autostart_target(), make_setup() if on else _make_setup(()))
    after, problems = login_start(), result.problems
    if on and not problems and after.reason:
        problems = (after.reason,)
    elif not on and after.starts:
        problems = (*problems, f"nobg still starts at login. To end that, delete the file {after.path}.")
    return replace(result, problems=problems, changed=result.changed or before != after)


def menu_statuses(names: Sequence[str]) -> list[Status]:
    """Return the state of nobg's entries in these file managers; without names, in all that this system can have.

    Raises UsageError for an unknown name, or if the record of installed files is damaged.
    """
    setup = make_setup()
    with _translated_errors():
        return [installer.status(manager, setup) for manager in _select_managers(names, integrations.file_managers())]


def autostart_status() -> Status:
    """Return the state of the start at login. Raises UsageError if the record of installed files is damaged."""
    with _translated_errors():
        return installer.status(integrations.autostart_target(), make_setup())


def login_start() -> LoginStart:
    """Return whether nobg starts at login, as the desktop will find it. It needs no sound config.toml.

    Raises UsageError.
    """
    target, setup = integrations.autostart_target(), _make_setup(())
    start = target.read_start(setup)
    if start is not None:
        return start
    try:
        entries = Record.load(setup.record_path).entries_of(target)
    except IntegrationError as error:
        raise UsageError(str(error)) from error
    files = [address for address, entry in entries.items() if entry["kind"] == "file"]
    return LoginStart(files[0] if files else "", starts=bool(entries) and all(map(os.path.exists, files)))


def make_setup() -> Setup:
    """Return what the integrations need to know about nobg. Raises UsageError if its path is not valid text."""
    return _make_setup(_menu_recipes())


def _make_setup(recipes: Iterable[tuple[str, str]]) -> Setup:
    home = Path(paths.home_folder())
    return Setup(
        client_command=_with_home_variable(_command_line("nobg-add", "add")),
        resident_command=_with_home_variable(_command_line("nobg", "run")),
        verbs=build_verbs(recipes),
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
        touch_up=TOUCH_UP if importlib.util.find_spec("PySide6") else None,  # what the window needs
    )


def _config_folder(home: Path) -> Path:
    if sys.platform == "win32":
        return _environment_folder("APPDATA", home / "AppData" / "Roaming")
    return _environment_folder("XDG_CONFIG_HOME", home / ".config")


def _command_line(script: str, command: str) -> tuple[str, ...]:
    """Return the command line that starts `script` by its absolute path, inside the environment that runs this code.

    The link that pipx and uv put into ~/.local/bin is not used, because it can be moved or belong to another nobg; both
    tools keep the environment's path when they upgrade it. The path is not resolved: Python finds a venv by it.
    `command`: the command of `nobg`, used where the script itself cannot be.
    """
    folders = [os.path.dirname(sys.executable), sysconfig.get_path("scripts")]
    suffix = ".exe" if sys.platform == "win32" else ""
    for folder in folders:
        path = os.path.join(folder, script + suffix)
        if os.access(path, os.X_OK):
            if script == "nobg-add":
                return (path,)
            return (_python_path(), "-P", "-m", "watcher", command) if sys.platform == "win32" else (path, command)
    return (_python_path(), "-P", os.path.join(os.path.dirname(integrations.__file__), "checkout.py"), command)


def _python_path() -> str:
    """Return the path of Python; on Windows pythonw.exe, because python.exe and nobg.exe open a console window."""
    if sys.platform == "win32":
        return os.path.join(os.path.dirname(sys.executable), "pythonw.exe")
    return sys.executable


def _with_home_variable(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command with NOBG_HOME set as it is now: a file manager does not set it, and it leads to the recipes.

    Raises UsageError if a word of the command is not valid text.
    """
    home = os.environ.get("NOBG_HOME")
    if home and sys.platform != "win32":
        command = ("/usr/bin/env", f"NOBG_HOME={os.path.abspath(home)}", *command)
    for word in command:
        if _has_control_characters(word) or word != os.fsencode(word).decode(errors="replace"):
            raise UsageError(
                f"The path {word} is not valid text, so menus cannot hold it. Install nobg in another folder."
            )
    return command


def recipes_not_in_menu() -> list[str]:
    """Return the names of recipes that are meant for the menu but have control characters, which menus cannot hold."""
    recipes = config.load(paths.config_path()).recipes
    return [name for name, recipe in recipes.items() if recipe.menu and _has_control_characters(name)]


def _menu_recipes() -> list[tuple[str, str]]:
    """Return name and label of each recipe for the menu, without those that recipes_not_in_menu() returns."""
    recipes = config.load(paths.config_path()).recipes
    return [
        (name, _one_line(recipe.label))
        for name, recipe in recipes.items()
        if recipe.menu and not _has_control_characters(name)
    ]


def _one_line(label: str) -> str:
    """Return the label without control characters and runs of spaces."""
    return " ".join("".join(" " if _has_control_characters(character) else character for character in label).split())


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _environment_folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else default


def _environment_folders(variable: str, default: str) -> tuple[Path, ...]:
    value = os.environ.get(variable) or default
    return tuple(Path(folder) for folder in value.split(os.pathsep) if os.path.isabs(folder))


def _select_managers(names: Sequence[str], default: Iterable[Target]) -> list[Target]:
    """Return the file managers of these names, or `default` without names. Raises UsageError for an unknown name."""
    managers = {manager.key: manager for manager in integrations.file_managers()}
    for name in names:
        if name not in managers:
            raise UsageError(
                f"This system has no file manager called {name}. Choose from: {', '.join(managers) or 'none yet'}."
            )
    return [managers[name] for name in names] if names else list(default)


def _obsolete_managers(setup: Setup) -> list[Target]:
    """Return the targets that an older nobg installed and this version no longer has. Raises UsageError."""
    with _translated_errors():
        entries = Record.load(setup.record_path).entries.values()
    managers = integrations.file_managers()
    keys = {key for entry in entries for key in entry["users"]} - {manager.key for manager in managers} - {"autostart"}
    types = tuple({artifact_type for manager in managers for artifact_type in manager.artifact_types})
    return [Target(key, key, lambda _: False, lambda _: (), types) for key in sorted(keys)]


def _run_locked(action: Callable[[Target, Setup], InstallResult], target: Target, setup: Setup) -> InstallResult:
    """Run `action`, alone among all nobg processes: otherwise two would lose entries of each other in the record.

    Raises UsageError if the record of installed files is damaged, and DestinationError.
    """
    with _translated_errors(), edit_config.changes_lock():
        return action(target, setup)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise UsageError if the record of installed files is damaged, and DestinationError if a file is refused."""
    try:
        yield
    except IntegrationError as error:
        raise UsageError(str(error)) from error
    except PermissionError as error:
        raise refused_access_error(error) from error
