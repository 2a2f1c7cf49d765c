"""An application for "Open With", which every file manager has, without changing what a double click does.

Unless a default was chosen, GLib takes the first program that it finds for a type and searches the person's folders
before the system's. So its mere presence would make nobg the default for photos. Therefore nobg offers itself only for
types that another program opens, and writes that program into mimeapps.list as the default if none was chosen yet.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from integrations.artifact import Artifact, RecordEntry, make_entry
from integrations.context import Setup
from integrations.files import File, PathArtifact, write_atomically
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.linux.merged_file import MergedFile
from integrations.target import Target
from integrations.verbs import PROGRAM_NAME, TOOLTIP

DESKTOP_FILE = "nobg.desktop"
_DEFAULTS_GROUP, _ADDED_GROUP, _REMOVED_GROUP, _CACHE_GROUP = (
    "Default Applications",
    "Added Associations",
    "Removed Associations",
    "MIME Cache",
)

Associations = Mapping[str, Mapping[str, list[str]]]
"""The content of a mimeapps.list or mimeinfo.cache: group -> MIME type -> desktop files."""


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the default applications, nobg's desktop file, the icon, and the cache that GLib reads instead of it."""
    folder = setup.data_home / "applications"
    associations = _all_associations(setup)
    mime_types = tuple(mime_type for mime_type in setup.mime_types if _other_programs(mime_type, setup, associations))
    without_cache: list[Artifact] = [
        DefaultApplications(setup.config_home / "mimeapps.list", mime_types, setup),
        File(folder / DESKTOP_FILE, application_entry(setup, mime_types)),
        icon_file(setup),
    ]
    candidates = (program_folder / "update-desktop-database" for program_folder in setup.search_path)
    program = next((path for path in candidates if os.path.isfile(path)), None)
    return [*without_cache, MimeCache(folder / "mimeinfo.cache", str(program))] if program else without_cache


def application_entry(setup: Setup, mime_types: tuple[str, ...]) -> bytes:
    """Return the desktop file. It is hidden from the menus of programs because nobg needs pictures to work on."""
    return quoting.key_file(
        (
            "Desktop Entry",
            [
                ("Type", "Application"),
                ("Name", PROGRAM_NAME),  # "Remove background" would appear in the same menu twice
                ("Comment", quoting.string_value(TOOLTIP)),
                ("Exec", quoting.string_value(quoting.exec_line([*setup.client_command, "--"], "%U"))),
                ("TryExec", quoting.string_value(setup.client_program)),
                ("Icon", "nobg"),
                ("Terminal", "false"),
                ("NoDisplay", "true"),
                ("MimeType", quoting.list_value(mime_types)),
            ],
        )
    )


@dataclass(frozen=True)
class DefaultApplications(MergedFile):
    """Lines in the person's mimeapps.list that keep the present default for each type without a chosen one."""

    mime_types: tuple[str, ...]
    setup: Setup
    kind: ClassVar[str] = "mimeapps"

    def initial_content(self) -> bytes:
        """Return nothing."""
        return b""

    def insert(self, before: bytes) -> bytes:
        """Return `before` with the lines below the group's header, or with a new group at the end."""
        lines = self._missing_default_lines(before)
        if not lines:
            return before
        block = "".join(f"{line}\n" for line in lines).encode()
        header = re.search(rf"^\[{_DEFAULTS_GROUP}\][ \t]*\r?\n".encode(), before, re.MULTILINE)
        if header:
            return before[: header.end()] + block + before[header.end() :]
        gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
        return before + gap + f"[{_DEFAULTS_GROUP}]\n".encode() + block

    def _missing_default_lines(self, before: bytes) -> list[str]:
        all_associations = _all_associations(self.setup, person_associations=parse_associations(before))
        chosen_types = {
            mime_type for associations in all_associations for mime_type in associations.get(_DEFAULTS_GROUP, {})
        }
        programs_by_type = {
            mime_type: _other_programs(mime_type, self.setup, all_associations)
            for mime_type in self.mime_types
            if mime_type not in chosen_types
        }
        return [
            f"{mime_type}={quoting.list_value(programs)}"
            for mime_type, programs in programs_by_type.items()
            if programs
        ]

    def is_merged(self, current: bytes) -> bool:
        """Return whether every type has a default."""
        return not self._missing_default_lines(current)

    def part_to_strip(self) -> list[str]:
        """Return the lines that a file without any default would get."""
        return self._missing_default_lines(b"")

    @classmethod
    def strip(cls, current: bytes, part: list[str]) -> bytes:
        """Return `current` without those lines that still are as nobg wrote them, and without a group left empty."""
        for line in part:
            current = re.sub(rf"^{re.escape(line)}\r?\n".encode(), b"", current, flags=re.MULTILINE)
        if not part:
            return current
        empty_group = rf"\n?^\[{_DEFAULTS_GROUP}\]\s*(?=^\[|\Z)".encode()
        return re.sub(empty_group, b"", current, flags=re.MULTILINE)

    def preview(self) -> str:
        """Return the lines."""
        lines = "".join(f"{line}\n" for line in self.part_to_strip())
        return f"# {self.path}, below [{_DEFAULTS_GROUP}], what is not chosen there yet:\n{lines}"


@dataclass(frozen=True)
class MimeCache(PathArtifact):
    """mimeinfo.cache, which update-desktop-database (`program`) makes from all desktop files in the folder."""

    program: str
    kind: ClassVar[str] = "mime-index"

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Record whether the file existed before nobg."""
        existed = self.path.exists() if previous is None else previous["existed"]
        return make_entry(self, program=self.program, existed=existed)

    def write(self, entry: RecordEntry) -> None:
        """Update the cache if it is not up to date."""
        if self.find_problem(entry):
            _update_mime_cache(self.program, self.path)

    def preview(self) -> str:
        """Return the command that writes the cache."""
        return f"# {self.path}, by: {self.program} {self.path.parent}\n"

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """Return a problem if the cache names nobg for other types than its desktop file does."""
        desktop_file = _read_associations(self.path.parent / DESKTOP_FILE)
        offered_types = desktop_file.get("Desktop Entry", {}).get("MimeType", [])
        cache = _read_associations(self.path).get(_CACHE_GROUP, {})
        cached_types = [mime_type for mime_type, programs in cache.items() if DESKTOP_FILE in programs]
        return None if sorted(cached_types) == sorted(offered_types) else f"{self.path} is not up to date"

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Update the cache without nobg; delete it if it did not exist before nobg and is empty now."""
        path = Path(entry["address"])
        _update_mime_cache(entry["program"], path)
        # If update-desktop-database was uninstalled since, the cache still names nobg.
        if path.is_file() and DESKTOP_FILE.encode() in path.read_bytes():
            only_nobg = rf"^[^=\n]*={DESKTOP_FILE};\n".encode()
            content = re.sub(only_nobg, b"", path.read_bytes(), flags=re.MULTILINE)
            write_atomically(path, content.replace(f"{DESKTOP_FILE};".encode(), b""), 0o644)
        if not entry["existed"] and path.is_file() and not _read_associations(path).get(_CACHE_GROUP):
            path.unlink()
        return None


def _update_mime_cache(program: str, path: Path) -> None:
    """Run update-desktop-database; failures show in the file, which the callers check."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if path.parent.is_dir():
            subprocess.run([program, str(path.parent)], capture_output=True, timeout=30, check=False)


def parse_associations(content: bytes) -> Associations:
    """Return the groups of a key file whose values are lists."""
    groups: dict[str, dict[str, list[str]]] = {}
    group: dict[str, list[str]] = {}
    for line in content.decode(errors="replace").splitlines():
        if line.startswith("["):
            group = groups.setdefault(line.strip()[1:-1], {})
        elif "=" in line and not line.startswith("#"):
            key, _, text = line.partition("=")
            group[key.strip()] = [item for item in text.strip().split(";") if item]
    return groups


def _read_associations(path: Path) -> Associations:
    try:
        return parse_associations(path.read_bytes())
    except OSError:
        return {}


def _all_associations(setup: Setup, person_associations: Associations | None = None) -> list[Associations]:
    """Return all associations that GLib reads, by precedence (MIME Applications Associations specification).

    `person_associations` stands for the content of the person's mimeapps.list as it will be.
    """
    person_path = setup.config_home / "mimeapps.list"
    return [
        person_associations if person_associations is not None and path == person_path else _read_associations(path)
        for path in _association_paths(setup)
    ]


def _association_paths(setup: Setup) -> Iterator[Path]:
    names = [*(f"{desktop.lower()}-mimeapps.list" for desktop in setup.desktops), "mimeapps.list"]
    for folder in (setup.config_home, *setup.config_dirs):
        yield from (folder / name for name in names)
    for data_folder in (setup.data_home, *setup.data_dirs):
        yield from (data_folder / "applications" / name for name in [*names, "mimeinfo.cache"])


def _other_programs(mime_type: str, setup: Setup, all_associations: list[Associations]) -> list[str]:
    """Return the installed programs other than nobg that open this type; the present default is the first."""
    programs: dict[str, None] = {}  # a set in order
    for groups in ((_DEFAULTS_GROUP,), (_ADDED_GROUP, _CACHE_GROUP)):
        for associations in all_associations:
            for group in groups:
                programs.update(dict.fromkeys(associations.get(group, {}).get(mime_type, [])))
    removed = {
        program
        for associations in all_associations
        for program in associations.get(_REMOVED_GROUP, {}).get(mime_type, [])
    }
    folders = [data_folder / "applications" for data_folder in (setup.data_home, *setup.data_dirs)]
    return [
        program
        for program in programs
        if program != DESKTOP_FILE
        and program not in removed
        and any(os.path.isfile(folder / program) for folder in folders)  # is_file() raises for names that are too long
    ]


OPEN_WITH = Target(
    key="open-with",
    label='"Open With" in all file managers',
    is_present=lambda _setup: True,
    artifacts=artifacts,
    artifact_types=(File, DefaultApplications, MimeCache),
)
