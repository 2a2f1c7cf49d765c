"""`nobg menu` and `nobg autostart`: what a person reads and a program gets; what they do is in `program.menus`."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from integrations.base import InstallResult, Status
from watcher.cli import terminal
from watcher.program import menus


def install(options: argparse.Namespace) -> int:
    """`nobg menu install`: also repairs, and follows a nobg that has moved."""
    _warn_about_recipes()
    if options.print:
        setup = menus.make_setup()
        pieces = (
            piece
            for manager in menus.managers_to_install(options.managers, setup)
            for piece in manager.artifacts(setup)
        )
        _print_text("\n".join(piece.preview() for piece in pieces))
        return 0
    return _report(menus.switch_menus(options.managers, on=True), options, "installed in", "is installed already, in")


def uninstall(options: argparse.Namespace) -> int:
    """`nobg menu uninstall`."""
    _warn_about_recipes()
    return _report(menus.switch_menus(options.managers, on=False), options, "removed from", "was not installed")


def status(options: argparse.Namespace) -> int:
    """`nobg menu status`."""
    _warn_about_recipes()
    found = menus.menu_statuses(options.managers)
    if options.json:
        terminal.print_json({"file_managers": [_status_as_dict(one) for one in found]})
        return 0
    for one in found:
        terminal.print_line(f"{one.target.key:<10} {one.target.label}: {_describe_status(one)}")
    return 0


def autostart_on(options: argparse.Namespace) -> int:
    """`nobg autostart on`."""
    return _report_autostart(menus.switch_autostart(on=True), options, on=True)


def autostart_off(options: argparse.Namespace) -> int:
    """`nobg autostart off`."""
    return _report_autostart(menus.switch_autostart(on=False), options, on=False)


def autostart_status(options: argparse.Namespace) -> int:
    """`nobg autostart status`."""
    one = menus.autostart_status()
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
    found = [one for one in menus.menu_statuses([]) if one.is_present or one.state != "absent"]
    lines = [
        (f"Menu of {one.target.label}", "warning" if one.state == "stale" else "good", _describe_status(one))
        for one in found
    ]
    start = menus.autostart_status()
    words = "no; nobg autostart on changes that" if start.state == "not installed" else "yes"
    if start.problems:
        words = f"needs repair; {'; '.join(start.problems)}; this repairs it: nobg autostart on"
    return [*lines, (start.target.label, "warning" if start.problems else "good", words)]


def _warn_about_recipes() -> None:
    for name in menus.recipes_not_in_menu():
        terminal.print_error(f"The recipe {name!a} is not in the menu: its name has a line end or the like.")


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
        if lacks := result.target.hint(menus.make_setup()) if changed_text.startswith("installed") else "":
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
