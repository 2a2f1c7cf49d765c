"""`nobg menu` and `nobg autostart`: what they print. What they do is in `program.menus`."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from integrations.target import InstallResult, LoginStart, Status
from watcher.cli import terminal
from watcher.program import menus


def install(options: argparse.Namespace) -> int:
    """Run `nobg menu install`, which also repairs entries and points them to a nobg that has moved."""
    _warn_about_recipes()
    if options.print:
        setup = menus.make_setup()
        artifacts = (
            artifact
            for manager in menus.managers_to_install(options.managers, setup)
            for artifact in manager.artifacts(setup)
        )
        _print_text("\n".join(artifact.preview() for artifact in artifacts))
        return 0
    return _report(menus.switch_menus(options.managers, on=True), options, "installed in", "is already installed in")


def uninstall(options: argparse.Namespace) -> int:
    """Run `nobg menu uninstall`. Without names, it removes what else nobg has left in the system, too."""
    _warn_about_recipes()
    code = _report(menus.switch_menus(options.managers, on=False), options, "removed from", "was not installed")
    problems = [] if options.managers else menus.remove_container()
    for problem in problems:
        terminal.print_error(problem)
    return 1 if problems else code


def status(options: argparse.Namespace) -> int:
    """Run `nobg menu status`."""
    _warn_about_recipes()
    statuses = menus.menu_statuses(options.managers)
    if options.json:
        terminal.print_json({"file_managers": [_status_as_dict(manager_status) for manager_status in statuses]})
        return 0
    for manager_status in statuses:
        target = manager_status.target
        terminal.print_line(f"{target.key:<10} {target.label}: {_describe_status(manager_status)}")
    return 0


def autostart_on(options: argparse.Namespace) -> int:
    """Run `nobg autostart on`."""
    return _report_autostart(menus.switch_autostart(on=True), options, on=True)


def autostart_off(options: argparse.Namespace) -> int:
    """Run `nobg autostart off`."""
    return _report_autostart(menus.switch_autostart(on=False), options, on=False)


def autostart_status(options: argparse.Namespace) -> int:
    """Run `nobg autostart status`."""
    start, problems = menus.login_start(), list(menus.autostart_status().problems)
    if options.json:
        reasons = [start.reason] if start.reason else []
        terminal.print_json({"autostart": start.starts, "problems": [*reasons, *problems], "notes": list(start.notes)})
        return 0
    terminal.print_line(_describe_start(start, problems))
    for note in start.notes:
        terminal.print_line(note)
    for problem in problems:
        terminal.print_line(f"{problem}. To repair it: nobg autostart on")
    return 0


def _describe_start(start: LoginStart, problems: Sequence[str]) -> str:
    """Return in one line whether nobg starts at login; where nothing else says what to do, with the command."""
    if start.starts:
        return "nobg starts at login."
    parts = ["nobg does not start at login.", *filter(None, [start.reason])]
    if start.can_switch and not problems:
        parts.append("To change that: nobg autostart on")
    return " ".join(parts)


def checks() -> list[tuple[str, str, str]]:
    """Return the rows for `nobg doctor`: name, state ("good" or "warning") and detail.

    There is a row for each file manager that is present or has an entry, and one for the autostart.
    """
    rows = [
        (
            f"Menu of {manager_status.target.label}",
            "warning" if manager_status.state == "stale" else "good",
            _describe_status(manager_status),
        )
        for manager_status in menus.menu_statuses([])
        if manager_status.is_present or manager_status.state != "absent"
    ]
    autostart, start = menus.autostart_status(), menus.login_start()
    detail = " ".join(["yes.", *start.notes]) if start.starts else _describe_start(start, autostart.problems)
    if autostart.problems:
        detail = f"needs repair; {'; '.join(autostart.problems)}; to repair it: nobg autostart on"
    return [*rows, (autostart.target.label, "warning" if autostart.problems else "good", detail)]


def _warn_about_recipes() -> None:
    for name in menus.recipes_not_in_menu():
        terminal.print_error(
            f"The recipe {name!a} is not in the menu: its name has a line end or another control character. Rename it."
        )


def _print_text(text: str) -> None:
    """Print a preview of artifacts.

    On Windows it is a .reg file. If it is redirected into a file, it gets the encoding that regedit uses. Elsewhere it
    stays ASCII, which PowerShell can read and write again without damage.
    """
    with contextlib.suppress(OSError):  # the reader may have closed the pipe
        if sys.platform == "win32" and stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            from integrations.windows.registry import encode_reg_file

            sys.stdout.buffer.write(encode_reg_file(text))
        else:
            print(terminal.printable_lines(text) if sys.stdout.isatty() else text, end="")


def _report(results: list[InstallResult], options: argparse.Namespace, changed_text: str, unchanged_text: str) -> int:
    """Print what changed where, and how to make the change visible. Return 1 if there was a problem, else 0."""
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
        outcome = changed_text if result.changed else unchanged_text
        terminal.print_line(f"{result.target.label}: {outcome}{_describe_locations(result.addresses)}")
        if result.changed and result.target.restart_instruction:
            terminal.print_line(f"  To see the change, restart it: {result.target.restart_instruction}")
        if hint := result.target.hint(menus.make_setup()) if changed_text.startswith("installed") else "":
            terminal.print_line(f"  {hint}")
    return 1 if any(result.problems for result in results) else 0


def _describe_locations(addresses: Iterable[str]) -> str:
    """Return the folders of these addresses, without the icon's and those inside another of them."""
    folders = sorted({os.path.dirname(address) for address in addresses if not address.endswith("nobg.svg")})
    outer = [folder for folder in folders if not any(folder.startswith(other + os.sep) for other in folders)]
    home = str(Path.home()) + os.sep
    shown = [f"~{os.sep}{folder[len(home) :]}" if folder.startswith(home) else folder for folder in outer]
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
    """Return the state of a target in words, and what to do about it."""
    if manager_status.state == "absent":
        return "not on this computer"
    if manager_status.state == "not installed":
        return "not installed; to install it: nobg menu install"
    parts = [
        "installed" if manager_status.state == "current" else "; ".join(["needs repair", *manager_status.problems])
    ]
    if manager_status.state == "stale":
        parts.append("to repair it: nobg menu install")
    if manager_status.needs_restart:
        parts.append(f"to see the last change, restart it: {manager_status.target.restart_instruction}")
    return ". ".join([*parts, manager_status.hint] if manager_status.hint else parts)


def _report_autostart(result: InstallResult, options: argparse.Namespace, *, on: bool) -> int:
    for problem in result.problems:
        terminal.print_error(problem)
    if options.json:
        starts = menus.login_start().starts
        terminal.print_json({"autostart": starts, "changed": result.changed, "problems": list(result.problems)})
    elif not result.problems:
        terminal.print_line("nobg starts at login." if on else "nobg does not start at login any more.")
    return 1 if result.problems else 0
