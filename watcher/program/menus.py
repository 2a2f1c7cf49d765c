"""`nobg menu` and `nobg autostart`: the words, and what the integrations need to know of us and of this machine."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
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
from watcher.cli import terminal
from watcher.errors import UsageError
from watcher.formats import MIME_TYPES, SUFFIXES
from watcher.queue import store

RECORD_FILE_NAME = "menu.json"

_record_lock = threading.Lock()  # two clicks at once would lose entries of the record


def install(options: argparse.Namespace) -> int:
    """`nobg menu install`: also repairs, and follows a nobg that has moved."""
    if options.print:
        setup = make_setup()
        pieces = (
            piece for manager in _managers_to_install(options.managers, setup) for piece in manager.artifacts(setup)
        )
        _print_text("\n".join(piece.preview() for piece in pieces))
        return 0
    return _report(switch_menus(options.managers, on=True), options, "installed in", "is installed already, in")


def uninstall(options: argparse.Namespace) -> int:
    """`nobg menu uninstall`."""
    return _report(switch_menus(options.managers, on=False), options, "removed from", "was not installed")


def switch_menus(names: Sequence[str] = (), *, on: bool) -> list[InstallResult]:
    """Put nobg into the menus of these file managers, or of all that are here; or take it out. Raises UsageError."""
    setup = make_setup()
    if on:
        return [_run_locked(base.install, manager, setup) for manager in _managers_to_install(names, setup)]
    chosen = _select_managers(names, [*integrations.file_managers(), *_obsolete_managers(setup)])
    return [_run_locked(base.uninstall, manager, setup) for manager in chosen]


def _managers_to_install(names: Sequence[str], setup: Setup) -> list[Target]:
    return _select_managers(names, [one for one in integrations.file_managers() if one.is_present(setup)])


def switch_autostart(*, on: bool) -> InstallResult:
    """Start at login from now on; or not. Raises UsageError."""
    return _run_locked(base.install if on else base.uninstall, integrations.autostart_target(), make_setup())


def status(options: argparse.Namespace) -> int:
    """`nobg menu status`."""
    found = _statuses(options.managers)
    if options.json:
        terminal.print_json({"file_managers": [_status_as_dict(one) for one in found]})
        return 0
    for one in found:
        terminal.print_line(f"{one.target.key:<10} {one.target.label}: {_describe_status(one)}")
    return 0


def autostart_on(options: argparse.Namespace) -> int:
    """`nobg autostart on`."""
    return _report_autostart(switch_autostart(on=True), options, on=True)


def autostart_off(options: argparse.Namespace) -> int:
    """`nobg autostart off`."""
    return _report_autostart(switch_autostart(on=False), options, on=False)


def autostart_status(options: argparse.Namespace) -> int:
    """`nobg autostart status`."""
    one = base.status(integrations.autostart_target(), make_setup())
    if options.json:
        terminal.print_json({"autostart": one.state != "not installed", "problems": list(one.problems)})
    elif one.state == "not installed":
        terminal.print_line("nobg does not start at login. It does after: nobg autostart on")
    else:
        terminal.print_line("nobg starts at login.")
        for problem in one.problems:
            terminal.print_line(f"{problem}. This repairs it: nobg autostart on")
    return 0


def checks() -> list[tuple[str, str, str]]:
    """For `nobg doctor`: name, state (good or warning) and detail, of each file manager here and of the autostart."""
    found = [one for one in _statuses([]) if one.is_present or one.state != "absent"]
    lines = [
        (f"Menu of {one.target.label}", "warning" if one.state == "stale" else "good", _describe_status(one))
        for one in found
    ]
    start = base.status(integrations.autostart_target(), make_setup())
    words = "no; nobg autostart on changes that" if start.state == "not installed" else "yes"
    if start.problems:
        words = f"needs repair; {'; '.join(start.problems)}; this repairs it: nobg autostart on"
    return [*lines, (start.target.label, "warning" if start.problems else "good", words)]


def _print_text(text: str) -> None:
    """On Windows, text is a .reg file: straight into a file, it goes as regedit writes such files.

    It is ASCII and stays valid where PowerShell reads it and writes it anew.
    """
    with contextlib.suppress(OSError):  # whoever read it may have gone
        if sys.platform == "win32" and stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            from integrations.windows.registry import encode_reg_file

            sys.stdout.buffer.write(encode_reg_file(text))
        else:
            print(text, end="")


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
        record_path=Path(store.state_folder()) / RECORD_FILE_NAME,
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


def _menu_recipes() -> list[tuple[str, str]]:
    """Name and label of those that the person wants in the menu."""
    found = []
    for name, named in config.load(paths.config_path()).recipes.items():
        if named.menu and _has_control_characters(name):
            terminal.print_error(f"The recipe {name!a} is not in the menu: its name has a line end or the like.")
        elif named.menu:
            found.append(
                (
                    name,
                    " ".join("".join(" " if _has_control_characters(sign) else sign for sign in named.label).split()),
                )
            )
    return found


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


def _statuses(names: Sequence[str]) -> list[Status]:
    setup = make_setup()
    try:
        return [base.status(manager, setup) for manager in _select_managers(names, integrations.file_managers())]
    except IntegrationError as error:
        raise UsageError(str(error)) from error


def _report(results: list[InstallResult], options: argparse.Namespace, changed_text: str, unchanged_text: str) -> int:
    """What was done where, and what the person has to do to see it; 1 if something could not be done."""
    if options.json:
        terminal.print_json(
            {
                "file_managers": [
                    {
                        "name": result.target.key,
                        "changed": result.changed,
                        "where": list(result.addresses),
                        "problems": list(result.problems),
                        "notice": result.target.restart_instruction if result.changed else "",
                    }
                    for result in results
                ]
            }
        )
    if not any(result.addresses or result.problems for result in results):
        terminal.print_error("Nothing was installed.")
    for result in results:
        for problem in result.problems:
            terminal.print_error(f"{result.target.label}: {problem}")
        if options.json or not (result.addresses or result.changed or options.managers):
            continue
        terminal.print_line(
            f"{result.target.label}: {changed_text if result.changed else unchanged_text}{_describe_locations(result.addresses)}"
        )
        if result.changed and result.target.restart_instruction:
            terminal.print_line(f"  To see the change, restart it: {result.target.restart_instruction}")
        if lacks := result.target.hint(make_setup()) if changed_text.startswith("installed") else "":
            terminal.print_line(f"  {lacks}")
    return 1 if any(result.problems for result in results) else 0


def _describe_locations(addresses: Iterable[str]) -> str:
    """The folders concerned, but those within others, and the icon's."""
    folders = sorted({os.path.dirname(address) for address in addresses if not address.endswith("nobg.svg")})
    outer = [one for one in folders if not any(one.startswith(other + os.sep) for other in folders)]
    home = str(Path.home()) + os.sep
    shown = [f"~{os.sep}{one[len(home) :]}" if one.startswith(home) else one for one in outer]
    return f" {' and '.join(shown)}" if shown else ""


def _status_as_dict(manager_status: Status) -> dict[str, Any]:
    return {
        "name": manager_status.target.key,
        "label": manager_status.target.label,
        "present": manager_status.is_present,
        "state": manager_status.state,
        "problems": list(manager_status.problems),
        "lacks": manager_status.hint,
        "restart": manager_status.target.restart_instruction if manager_status.needs_restart else "",
    }


def _describe_status(manager_status: Status) -> str:
    """How a target is, and what to do about it."""
    if manager_status.state == "absent":
        return "not on this computer"
    if manager_status.state == "not installed":
        return "not installed; nobg menu install puts it there"
    parts = [
        "installed" if manager_status.state == "current" else "; ".join(["needs repair", *manager_status.problems])
    ]
    if manager_status.state == "stale":
        parts.append("this repairs it: nobg menu install")
    if manager_status.needs_restart:
        parts.append(f"to see the last change, restart it: {manager_status.target.restart_instruction}")
    return ". ".join([*parts, manager_status.hint] if manager_status.hint else parts)


def _report_autostart(done: InstallResult, options: argparse.Namespace, *, on: bool) -> int:
    for problem in done.problems:
        terminal.print_error(problem)
    if options.json:
        terminal.print_json({"autostart": on, "changed": done.changed, "problems": list(done.problems)})
    elif not done.problems:
        terminal.print_line("nobg starts at login." if on else "nobg does not start at login any more.")
    return 1 if done.problems else 0
