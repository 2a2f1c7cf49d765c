"""Start at login: XDG autostart, a LaunchAgent, the Run key."""

from __future__ import annotations

from integrations.base import File, Manager, Setup
from integrations.linux import quoting
from integrations.linux.icon import icon
from integrations.verbs import AUTOSTART, NAME
from integrations.windows.registry import Registry, Value

RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"


def desktop_entry(setup: Setup) -> bytes:
    """Desktop Application Autostart Specification."""
    return quoting.groups(
        (
            "Desktop Entry",
            [
                ("Type", "Application"),
                ("Name", NAME),
                ("Comment", quoting.value(AUTOSTART)),
                ("Exec", quoting.value(quoting.command(setup.program))),
                ("Icon", "nobg"),
                ("Terminal", "false"),
            ],
        )
    )


def launch_agent(setup: Setup) -> bytes:
    """launchd.plist(5); launchd reads it at the next login."""
    import plistlib

    values = {
        "Label": NAME,
        "ProgramArguments": list(setup.program),
        "RunAtLoad": True,
        "LimitLoadToSessionType": "Aqua",
    }
    return plistlib.dumps(values)


def run_command(setup: Setup) -> str:
    r"""The value of `nobg` in HKCU\Software\Microsoft\Windows\CurrentVersion\Run."""
    import subprocess

    return subprocess.list2cmdline(setup.program)


XDG = Manager(
    key="autostart",
    label="Start at login",
    present=lambda _setup: True,
    pieces=lambda setup: [File(setup.config / "autostart" / "nobg.desktop", desktop_entry(setup)), icon(setup)],
)

LAUNCH_AGENT = Manager(
    key="autostart",
    label="Start at login",
    present=lambda _setup: True,
    pieces=lambda setup: [File(setup.home / "Library" / "LaunchAgents" / f"{NAME}.plist", launch_agent(setup))],
)

RUN = Manager(
    key="autostart",
    label="Start at login",
    present=lambda _setup: True,
    pieces=lambda setup: [Registry(rf"{RUN_KEY}\{NAME}", (Value(RUN_KEY, NAME, run_command(setup)),))],
    kinds=(Registry,),
)
