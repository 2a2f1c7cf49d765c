"""Start at login: XDG autostart, a LaunchAgent, the Run key."""

from __future__ import annotations

from integrations.base import File, Setup, Target
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.verbs import AUTOSTART_COMMENT, PROGRAM_NAME
from integrations.windows.registry import RegistryValue, RegistryValues

RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"


def desktop_entry(setup: Setup) -> bytes:
    """Desktop Application Autostart Specification."""
    return quoting.key_file(
        (
            "Desktop Entry",
            [
                ("Type", "Application"),
                ("Name", PROGRAM_NAME),
                ("Comment", quoting.string_value(AUTOSTART_COMMENT)),
                ("Exec", quoting.string_value(quoting.exec_line(setup.resident_command))),
                ("Icon", "nobg"),
                ("Terminal", "false"),
            ],
        )
    )


def launch_agent(setup: Setup) -> bytes:
    """launchd.plist(5); launchd reads it at the next login."""
    import plistlib

    values = {
        "Label": PROGRAM_NAME,
        "ProgramArguments": list(setup.resident_command),
        "RunAtLoad": True,
        "LimitLoadToSessionType": "Aqua",
    }
    return plistlib.dumps(values)


def run_key_command(setup: Setup) -> str:
    r"""The value of `nobg` in HKCU\Software\Microsoft\Windows\CurrentVersion\Run."""
    import subprocess

    return subprocess.list2cmdline(setup.resident_command)


XDG_AUTOSTART = Target(
    key="autostart",
    label="Start at login",
    is_present=lambda _setup: True,
    artifacts=lambda setup: [
        File(setup.config_home / "autostart" / "nobg.desktop", desktop_entry(setup)),
        icon_file(setup),
    ],
)

LAUNCH_AGENT = Target(
    key="autostart",
    label="Start at login",
    is_present=lambda _setup: True,
    artifacts=lambda setup: [
        File(setup.home / "Library" / "LaunchAgents" / f"{PROGRAM_NAME}.plist", launch_agent(setup))
    ],
)

RUN_KEY_AUTOSTART = Target(
    key="autostart",
    label="Start at login",
    is_present=lambda _setup: True,
    artifacts=lambda setup: [
        RegistryValues(rf"{RUN_KEY}\{PROGRAM_NAME}", (RegistryValue(RUN_KEY, PROGRAM_NAME, run_key_command(setup)),))
    ],
    artifact_types=(RegistryValues,),
)
