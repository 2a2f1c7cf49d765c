"""Start at login on Linux desktops: an XDG autostart entry."""

from __future__ import annotations

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import Target
from integrations.verbs import AUTOSTART_COMMENT, AUTOSTART_LABEL, PROGRAM_NAME


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the autostart entry and the icon that it names."""
    return [File(setup.config_home / "autostart" / "nobg.desktop", desktop_entry(setup)), icon_file(setup)]


def desktop_entry(setup: Setup) -> bytes:
    """Return the entry's content (Desktop Application Autostart Specification)."""
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


XDG_AUTOSTART = Target(key="autostart", label=AUTOSTART_LABEL, is_present=lambda _setup: True, artifacts=artifacts)
