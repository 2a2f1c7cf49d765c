"""Start at login on Windows: a value in the person's Run key."""

from __future__ import annotations

from subprocess import list2cmdline

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.target import Target
from integrations.verbs import AUTOSTART_LABEL, PROGRAM_NAME
from integrations.windows.registry import RegistryValue, RegistryValues

RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the Run key's value `nobg`: the command line of the resident program."""
    value = RegistryValue(RUN_KEY, PROGRAM_NAME, list2cmdline(setup.resident_command))
    return [RegistryValues(rf"{RUN_KEY}\{PROGRAM_NAME}", (value,))]


RUN_KEY_AUTOSTART = Target(
    key="autostart",
    label=AUTOSTART_LABEL,
    is_present=lambda _setup: True,
    artifacts=artifacts,
    artifact_types=(RegistryValues,),
)
