"""Start at login on Linux desktops: an XDG autostart entry.

Desktops let a person switch such an entry off, or delay it, and write that into the same file. So only nobg's own keys
show whether the file is nobg's; all others belong to the person.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integrations.artifact import Artifact, RecordEntry
from integrations.context import Setup
from integrations.files import File, file_digest, sha256
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import LoginStart, Target
from integrations.verbs import AUTOSTART_COMMENT, AUTOSTART_LABEL, PROGRAM_NAME

_GROUP = "Desktop Entry"
_OWN_KEYS = ("Type", "Name", "Comment", "Exec", "TryExec", "Icon", "Terminal")
"""The keys that nobg writes or ever wrote, in the order in which it writes them."""

_DESKTOPS_BY_SWITCH = {
    "X-GNOME-Autostart-enabled": ("GNOME", "Unity", "Budgie", "Pantheon", "X-Cinnamon", "Cinnamon"),
    "X-MATE-Autostart-enabled": ("MATE",),
}
"""Which desktops do not start an entry with this key and the value false; the others start it."""

_DELAY_KEYS = {
    "X-GNOME-Autostart-Delay": _DESKTOPS_BY_SWITCH["X-GNOME-Autostart-enabled"],
    "X-MATE-Autostart-Delay": ("MATE",),
}

_NO_AUTOSTART = ("sway", "i3", "hyprland", "river", "dwm", "awesome", "bspwm", "qtile", "xmonad", "labwc", "wayfire")
"""Desktops, in lower case, that by themselves start nothing from autostart entries."""


@dataclass(frozen=True)
class AutostartEntry(File):
    """The autostart entry, in which the person's desktop may have added its own keys.

    It has the kind of other files, because an older nobg recorded it so.
    """

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Plan to write the file as it is intended, without the keys of the desktop: that switches it on again."""
        if previous is not None and _own_digest(self.path) in previous["sha256"]:
            current_digest = file_digest(self.path)
            previous = {**previous, "sha256": [current_digest, *previous["sha256"]]}
        return super().plan(previous)

    def find_problem(self, entry: RecordEntry) -> str | None:
        """Return a problem as for other files. What the desktop added is none; see `read_start`."""
        return None if _own_digest(self.path) == sha256(self.content) else super().find_problem(entry)

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Delete the file, whatever the desktop added; keep it if nobg's own keys were changed."""
        path = Path(entry["address"])
        if _own_digest(path) in entry["sha256"]:
            path.unlink()
            return None
        return super().remove(entry)


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the autostart entry and the icon that it names."""
    return [AutostartEntry(_entry_path(setup), desktop_entry(setup)), icon_file(setup)]


def desktop_entry(setup: Setup) -> bytes:
    """Return the entry's content (Desktop Application Autostart Specification)."""
    values = {
        "Type": "Application",
        "Name": PROGRAM_NAME,
        "Comment": quoting.string_value(AUTOSTART_COMMENT),
        "Exec": quoting.string_value(quoting.exec_line(setup.resident_command)),
        "TryExec": quoting.string_value(setup.resident_program),
        "Icon": "nobg",
        "Terminal": "false",
    }
    return _own_content(values)


def read_start(setup: Setup) -> LoginStart:
    """Return whether this desktop starts the entry, whoever wrote or changed it; the file decides, not the record."""
    path = _entry_path(setup)
    keys = _read_keys(path)
    if not keys.get("Exec"):
        return LoginStart(str(path), starts=False)
    desktop = _desktop_without_autostart(setup)
    if desktop:
        command = quoting.shell_command(setup.resident_command)
        reason = (
            f"{desktop} starts nothing from autostart files by itself. "
            f"To start nobg with it, let its own configuration run: {command}"
        )
        return LoginStart(str(path), starts=False, reason=reason, can_switch=False)
    program = keys.get("TryExec", "").replace("\\\\", "\\")
    if program.startswith("/") and ("\0" in program or not os.access(program, os.X_OK)):
        return LoginStart(str(path), starts=False, reason=f"{program}, which it starts, is gone.")
    if setup.desktops and not _is_shown_on(setup.desktops, keys):
        return LoginStart(str(path), starts=False, reason="Its file leaves out this desktop (OnlyShowIn, NotShowIn).")
    switches = list(_off_switches(keys))
    for text, desktops in switches:
        if not desktops or _is_one_of(setup.desktops, desktops):
            return LoginStart(str(path), starts=False, reason=f"It is switched off in the desktop's settings ({text}).")
    notes = [f"It does not on {desktops[0]}, where it is switched off ({text})." for text, desktops in switches]
    notes += [
        f"It waits {keys[key]} s after the login, as the desktop's settings say ({key})."
        for key, desktops in _DELAY_KEYS.items()
        if keys.get(key, "0") != "0" and (not setup.desktops or _is_one_of(setup.desktops, desktops))
    ]
    return LoginStart(str(path), starts=True, notes=tuple(notes))


def _off_switches(keys: dict[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each line that switches the entry off, and the desktops that heed it; none means all."""
    if keys.get("Hidden", "").lower() == "true":
        yield "Hidden=true", ()
    for key, desktops in _DESKTOPS_BY_SWITCH.items():
        if keys.get(key) == "false":
            yield f"{key}=false", desktops


def _is_shown_on(desktops: tuple[str, ...], keys: dict[str, str]) -> bool:
    only, excluded = (tuple(keys.get(key, "").strip(";").split(";")) for key in ("OnlyShowIn", "NotShowIn"))
    return not _is_one_of(desktops, excluded) and (only == ("",) or _is_one_of(desktops, only))


def _desktop_without_autostart(setup: Setup) -> str:
    return next((desktop for desktop in setup.desktops if desktop.lower() in _NO_AUTOSTART), "")


def _is_one_of(desktops: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return any(desktop in others for desktop in desktops)


def _entry_path(setup: Setup) -> Path:
    return setup.config_home / "autostart" / "nobg.desktop"


def _own_digest(path: Path) -> str | None:
    """Return the SHA-256 of the file as it would be with nobg's own keys alone; None if it is no entry."""
    keys = {} if file_digest(path) == "" else _read_keys(path)  # a link is never nobg's
    return sha256(_own_content(keys)) if keys else None


def _own_content(keys: dict[str, str]) -> bytes:
    return quoting.key_file((_GROUP, [(key, keys[key]) for key in _OWN_KEYS if key in keys]))


def _read_keys(path: Path) -> dict[str, str]:
    """Return the keys of the entry, as they are written; nothing if there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    keys: dict[str, str] = {}
    group = ""
    for line in lines:
        if line.startswith("["):
            group = line.strip()[1:-1]
        elif group == _GROUP and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            keys[key.strip()] = value.strip()
    return keys


XDG_AUTOSTART = Target(
    key="autostart",
    label=AUTOSTART_LABEL,
    is_present=lambda _setup: True,
    artifacts=artifacts,
    artifact_types=(AutostartEntry,),
    read_start=read_start,
)
