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
from integrations.base import Done, Manager, Setup, Status, TakenError
from integrations.verbs import verbs
from watcher import config, paths
from watcher.cli import terminal
from watcher.errors import UsageError
from watcher.formats import MIME_TYPES, SUFFIXES
from watcher.queue import store

RECORD = "menu.json"

_one_at_a_time = threading.Lock()  # two clicks at once would lose entries of the record


def install(options: argparse.Namespace) -> int:
    """`nobg menu install`: also repairs, and follows a nobg that has moved."""
    if options.print:
        setup = make_setup()
        pieces = (piece for manager in _to_install(options.managers, setup) for piece in manager.pieces(setup))
        _show("\n".join(piece.text() for piece in pieces))
        return 0
    return _report(switch(options.managers, on=True), options, "installed in", "is installed already, in")


def uninstall(options: argparse.Namespace) -> int:
    """`nobg menu uninstall`."""
    return _report(switch(options.managers, on=False), options, "removed from", "was not installed")


def switch(names: Sequence[str] = (), *, on: bool) -> list[Done]:
    """Put nobg into the menus of these file managers, or of all that are here; or take it out. Raises UsageError."""
    setup = make_setup()
    if on:
        return [_acted(base.install, manager, setup) for manager in _to_install(names, setup)]
    chosen = _chosen(names, [*integrations.managers(), *_former(setup)])
    return [_acted(base.uninstall, manager, setup) for manager in chosen]


def _to_install(names: Sequence[str], setup: Setup) -> list[Manager]:
    return _chosen(names, [one for one in integrations.managers() if one.present(setup)])


def switch_autostart(*, on: bool) -> Done:
    """Start at login from now on; or not. Raises UsageError."""
    return _acted(base.install if on else base.uninstall, integrations.start_at_login(), make_setup())


def status(options: argparse.Namespace) -> int:
    """`nobg menu status`."""
    found = _statuses(options.managers)
    if options.json:
        terminal.print_json({"file_managers": [_described(one) for one in found]})
        return 0
    for one in found:
        terminal.tell(f"{one.manager.key:<10} {one.manager.label}: {_words(one)}")
    return 0


def autostart_on(options: argparse.Namespace) -> int:
    """`nobg autostart on`."""
    return _report_autostart(switch_autostart(on=True), options, on=True)


def autostart_off(options: argparse.Namespace) -> int:
    """`nobg autostart off`."""
    return _report_autostart(switch_autostart(on=False), options, on=False)


def autostart_status(options: argparse.Namespace) -> int:
    """`nobg autostart status`."""
    one = base.status(integrations.start_at_login(), make_setup())
    if options.json:
        terminal.print_json({"autostart": one.state != "not installed", "problems": list(one.problems)})
    elif one.state == "not installed":
        terminal.tell("nobg does not start at login. It does after: nobg autostart on")
    else:
        terminal.tell("nobg starts at login.")
        for problem in one.problems:
            terminal.tell(f"{problem}. This repairs it: nobg autostart on")
    return 0


def checks() -> list[tuple[str, str, str]]:
    """For `nobg doctor`: name, state (good or warning) and detail, of each file manager here and of the autostart."""
    found = [one for one in _statuses([]) if one.present or one.state != "absent"]
    lines = [
        (f"Menu of {one.manager.label}", "warning" if one.state == "stale" else "good", _words(one)) for one in found
    ]
    start = base.status(integrations.start_at_login(), make_setup())
    words = "no; nobg autostart on changes that" if start.state == "not installed" else "yes"
    if start.problems:
        words = f"needs repair; {'; '.join(start.problems)}; this repairs it: nobg autostart on"
    return [*lines, (start.manager.label, "warning" if start.problems else "good", words)]


def _show(text: str) -> None:
    """On Windows, text is a .reg file: straight into a file, it goes as regedit writes such files.

    It is ASCII and stays valid where PowerShell reads it and writes it anew.
    """
    with contextlib.suppress(OSError):  # whoever read it may have gone
        if sys.platform == "win32" and stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            from integrations.windows.registry import encoded

            sys.stdout.buffer.write(encoded(text))
        else:
            print(text, end="")


def make_setup() -> Setup:
    """What the integrations need to know. Raises UsageError where nobg lies in a folder that cannot be named."""
    home = Path.home()
    return Setup(
        client=_remembering(_command("nobg-add", "add")),
        program=_remembering(_command("nobg", "run")),
        verbs=verbs(_own_recipes()),
        suffixes=tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes),
        mime_types=MIME_TYPES,
        icon=paths.asset("icon.svg"),
        record=Path(store.state_folder()) / RECORD,
        home=home,
        config=_config_folder(home),
        data=_folder("XDG_DATA_HOME", home / ".local" / "share"),
        config_dirs=_folders("XDG_CONFIG_DIRS", "/etc/xdg"),
        data_dirs=_folders("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
        desktops=tuple(filter(None, os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"))),
        search=_folders("PATH", os.defpath),
    )


def _config_folder(home: Path) -> Path:
    if sys.platform == "win32":
        return _folder("APPDATA", home / "AppData" / "Roaming")
    return _folder("XDG_CONFIG_HOME", home / ".config")


def _command(script: str, command: str) -> tuple[str, ...]:
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


def _remembering(command: tuple[str, ...]) -> tuple[str, ...]:
    """With NOBG_HOME as it is now: whoever starts the command later does not have it, and recipes are there."""
    home = os.environ.get("NOBG_HOME")
    if home and sys.platform != "win32":
        command = ("/usr/bin/env", f"NOBG_HOME={os.path.abspath(home)}", *command)
    for word in command:
        if _has_controls(word) or word != os.fsencode(word).decode(errors="replace"):
            raise UsageError(f"The name {word} is not valid text, and menus are. Install nobg in another folder.")
    return command


def _own_recipes() -> list[tuple[str, str]]:
    """Name and label of those that the person wants in the menu."""
    found = []
    for name, named in config.load(paths.config_path()).recipes.items():
        if named.menu and _has_controls(name):
            terminal.say(f"The recipe {name!a} is not in the menu: its name has a line end or the like.")
        elif named.menu:
            found.append(
                (name, " ".join("".join(" " if _has_controls(sign) else sign for sign in named.label).split()))
            )
    return found


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) == "Cc" for sign in text)


def _folder(variable: str, usual: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else usual


def _folders(variable: str, usual: str) -> tuple[Path, ...]:
    value = os.environ.get(variable) or usual
    return tuple(Path(folder) for folder in value.split(os.pathsep) if os.path.isabs(folder))


def _chosen(names: Sequence[str], usual: Iterable[Manager]) -> list[Manager]:
    """The targets that a person named, or the usual ones. Raises UsageError."""
    known = {manager.key: manager for manager in integrations.managers()}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no file manager called {name} here. There is: {', '.join(known) or 'none yet'}."
            )
    return [known[name] for name in names] if names else list(usual)


def _former(setup: Setup) -> list[Manager]:
    """Targets that are in the record and that this version does not know any more."""
    try:
        entries = base.Record.load(setup.record).entries.values()
    except TakenError as error:
        raise UsageError(str(error)) from error
    known = integrations.managers()
    keys = {key for entry in entries for key in entry["users"]} - {manager.key for manager in known} - {"autostart"}
    kinds = tuple({kind for manager in known for kind in manager.kinds})
    return [Manager(key, key, lambda _: False, lambda _: (), kinds) for key in sorted(keys)]


def _acted(act: Any, manager: Manager, setup: Setup) -> Done:
    try:
        with _one_at_a_time:
            done: Done = act(manager, setup)
    except TakenError as error:
        raise UsageError(str(error)) from error
    return done


def _statuses(names: Sequence[str]) -> list[Status]:
    setup = make_setup()
    try:
        return [base.status(manager, setup) for manager in _chosen(names, integrations.managers())]
    except TakenError as error:
        raise UsageError(str(error)) from error


def _report(results: list[Done], options: argparse.Namespace, done: str, not_needed: str) -> int:
    """What was done where, and what the person has to do to see it; 1 if something could not be done."""
    if options.json:
        terminal.print_json(
            {
                "file_managers": [
                    {
                        "name": result.manager.key,
                        "changed": result.changed,
                        "where": list(result.where),
                        "problems": list(result.problems),
                        "notice": result.manager.notice if result.changed else "",
                    }
                    for result in results
                ]
            }
        )
    if not any(result.where or result.problems for result in results):
        terminal.say("Nothing was installed.")
    for result in results:
        for problem in result.problems:
            terminal.say(f"{result.manager.label}: {problem}")
        if options.json or not (result.where or result.changed or options.managers):
            continue
        terminal.tell(f"{result.manager.label}: {done if result.changed else not_needed}{_places(result.where)}")
        if result.changed and result.manager.notice:
            terminal.tell(f"  To see the change, restart it: {result.manager.notice}")
        if lacks := result.manager.lacks(make_setup()) if done.startswith("installed") else "":
            terminal.tell(f"  {lacks}")
    return 1 if any(result.problems for result in results) else 0


def _places(addresses: Iterable[str]) -> str:
    """The folders concerned, but those within others, and the icon's."""
    folders = sorted({os.path.dirname(address) for address in addresses if not address.endswith("nobg.svg")})
    outer = [one for one in folders if not any(one.startswith(other + os.sep) for other in folders)]
    home = str(Path.home()) + os.sep
    shown = [f"~{os.sep}{one[len(home) :]}" if one.startswith(home) else one for one in outer]
    return f" {' and '.join(shown)}" if shown else ""


def _described(one: Status) -> dict[str, Any]:
    return {
        "name": one.manager.key,
        "label": one.manager.label,
        "present": one.present,
        "state": one.state,
        "problems": list(one.problems),
        "lacks": one.lacks,
        "restart": one.manager.notice if one.restart else "",
    }


def _words(one: Status) -> str:
    """How a target is, and what to do about it."""
    if one.state == "absent":
        return "not on this computer"
    if one.state == "not installed":
        return "not installed; nobg menu install puts it there"
    parts = ["installed" if one.state == "current" else "; ".join(["needs repair", *one.problems])]
    if one.state == "stale":
        parts.append("this repairs it: nobg menu install")
    if one.restart:
        parts.append(f"to see the last change, restart it: {one.manager.notice}")
    return ". ".join([*parts, one.lacks] if one.lacks else parts)


def _report_autostart(done: Done, options: argparse.Namespace, *, on: bool) -> int:
    for problem in done.problems:
        terminal.say(problem)
    if options.json:
        terminal.print_json({"autostart": on, "changed": done.changed, "problems": list(done.problems)})
    elif not done.problems:
        terminal.tell("nobg starts at login." if on else "nobg does not start at login any more.")
    return 1 if done.problems else 0
