"""Start at login on macOS: a LaunchAgent."""

from __future__ import annotations

import plistlib

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.target import Target
from integrations.verbs import AUTOSTART_LABEL, PROGRAM_NAME


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the agent's property list. launchd reads it at the next login."""
    return [File(setup.home / "Library" / "LaunchAgents" / f"{PROGRAM_NAME}.plist", launch_agent(setup))]


def launch_agent(setup: Setup) -> bytes:
    """Return the content of the property list (launchd.plist(5))."""
    values = {
        "Label": PROGRAM_NAME,
        "ProgramArguments": list(setup.resident_command),
        "RunAtLoad": True,
        "LimitLoadToSessionType": "Aqua",
    }
    return plistlib.dumps(values)


LAUNCH_AGENT = Target(key="autostart", label=AUTOSTART_LABEL, is_present=lambda _setup: True, artifacts=artifacts)
