"""An application for "Open With", which every file manager has; and double clicks go on doing what they did.

GLib takes the first program it finds for a kind of file unless one was chosen, and looks at the person's own before the
system's: just being there would make us what opens photos. So we offer ourselves only for kinds that something else
opens, and write down in mimeapps.list that this goes on opening them, where nothing was chosen yet.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from integrations.base import Artifact, File, PathArtifact, RecordEntry, Setup, Target, make_entry, write_atomically
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.linux.merged_file import MergedFile
from integrations.verbs import PROGRAM_NAME, TOOLTIP

DESKTOP_FILE = "nobg.desktop"
_DEFAULTS_GROUP, _ADDED_GROUP, _REMOVED_GROUP, _CACHE_GROUP = (
    "Default Applications",
    "Added Associations",
    "Removed Associations",
    "MIME Cache",
)

Associations = Mapping[str, Mapping[str, list[str]]]
"""Of a mimeapps.list or mimeinfo.cache: group -> kind of file -> programs."""


def artifacts(setup: Setup) -> list[Artifact]:
    """The application, who opens what, and the index that GLib reads in place of the application itself."""
    folder = setup.data_home / "applications"
    types = tuple(mime for mime in setup.mime_types if _other_programs(mime, setup, _all_associations(setup)))
    found: list[Artifact] = [
        DefaultApplications(setup.config_home / "mimeapps.list", types, setup),
        File(folder / DESKTOP_FILE, application_entry(setup, types)),
        icon_file(setup),
    ]
    program = next(
        (path for path in (one / "update-desktop-database" for one in setup.search_path) if path.is_file()), None
    )
    return [*found, MimeCache(folder / "mimeinfo.cache", str(program))] if program else found


def application_entry(setup: Setup, mime_types: tuple[str, ...]) -> bytes:
    """Not in the menus of programs: it does nothing without pictures."""
    return quoting.key_file(
        (
            "Desktop Entry",
            [
                ("Type", "Application"),
                ("Name", PROGRAM_NAME),  # beside the entries of the same menu, "Remove background" would stand twice
                ("Comment", quoting.string_value(TOOLTIP)),
                ("Exec", quoting.string_value(quoting.exec_line([*setup.client_command, "--"], "%U"))),
                ("Icon", "nobg"),
                ("Terminal", "false"),
                ("NoDisplay", "true"),
                ("MimeType", quoting.list_value(mime_types)),
            ],
        )
    )


@dataclass(frozen=True)
class DefaultApplications(MergedFile):
    """Lines in the person's mimeapps.list, for kinds where nothing was chosen: what opens them now goes on doing so."""

    mime_types: tuple[str, ...]
    setup: Setup
    kind: ClassVar[str] = "mimeapps"

    def initial_content(self) -> bytes:
        """Nothing."""
        return b""

    def insert(self, before: bytes) -> bytes:
        """Below the group's header; with a new group at the end where there is none."""
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
        places = _all_associations(self.setup, own_associations=parse_associations(before))
        chosen = {mime for place in places for mime in place.get(_DEFAULTS_GROUP, {})}
        programs = {mime: _other_programs(mime, self.setup, places) for mime in self.mime_types if mime not in chosen}
        return [f"{mime}={quoting.list_value(others)}" for mime, others in programs.items() if others]

    def has_our_part(self, current: bytes) -> bool:
        """Is something chosen for all kinds?"""
        return not self._missing_default_lines(current)

    def our_part(self) -> list[str]:
        """The lines themselves."""
        return self._missing_default_lines(b"")

    @classmethod
    def strip(cls, current: bytes, part: list[str]) -> bytes:
        """Without our lines, where they still are as we wrote them, and without a group that is empty then."""
        for line in part:
            current = re.sub(rf"^{re.escape(line)}\r?\n".encode(), b"", current, flags=re.MULTILINE)
        return (
            re.sub(rf"\n?^\[{_DEFAULTS_GROUP}\]\s*(?=^\[|\Z)".encode(), b"", current, flags=re.MULTILINE)
            if part
            else current
        )

    def preview(self) -> str:
        """The lines."""
        lines = "".join(f"{line}\n" for line in self.our_part())
        return f"# {self.path}, below [{_DEFAULTS_GROUP}], what is not chosen there yet:\n{lines}"


@dataclass(frozen=True)
class MimeCache(PathArtifact):
    """mimeinfo.cache, which update-desktop-database makes of all applications in the folder."""

    program: str
    kind: ClassVar[str] = "mime-index"

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Was there one before us?"""
        return make_entry(
            self, program=self.program, existed=self.path.exists() if previous is None else previous["existed"]
        )

    def write(self, entry: RecordEntry) -> None:
        """Only where it is not so already."""
        if self.find_problem(entry):
            _update_mime_cache(self.program, self.path)

    def preview(self) -> str:
        """What is done."""
        return f"# {self.path}, by: {self.program} {self.path.parent}\n"

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """Does it name us for the kinds that we offer?"""
        types = _read_associations(self.path.parent / DESKTOP_FILE).get("Desktop Entry", {}).get("MimeType", [])
        index = _read_associations(self.path).get(_CACHE_GROUP, {})
        offered = [mime for mime, programs in index.items() if DESKTOP_FILE in programs]
        return None if sorted(offered) == sorted(types) else f"{self.path} is not up to date"

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Made anew without us; deleted if there was none before and nothing else is in it."""
        path = Path(entry["address"])
        _update_mime_cache(entry["program"], path)
        if path.is_file() and DESKTOP_FILE.encode() in path.read_bytes():  # the program is not there any more
            alone = re.sub(rf"^[^=\n]*={DESKTOP_FILE};\n".encode(), b"", path.read_bytes(), flags=re.MULTILINE)
            write_atomically(path, alone.replace(f"{DESKTOP_FILE};".encode(), b""), 0o644)
        if not entry["existed"] and path.is_file() and not _read_associations(path).get(_CACHE_GROUP):
            path.unlink()
        return None


def _update_mime_cache(program: str, path: Path) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):  # whether it worked is seen in the file
        if path.parent.is_dir():
            subprocess.run([program, str(path.parent)], capture_output=True, timeout=30, check=False)


def parse_associations(content: bytes) -> Associations:
    """A key file whose values are lists."""
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


def _all_associations(setup: Setup, own_associations: Associations | None = None) -> list[Associations]:
    """All that GLib reads, in its order (MIME Applications Associations); `own`: the person's list as it will be."""
    mine = setup.config_home / "mimeapps.list"
    return [
        own_associations if own_associations is not None and path == mine else _read_associations(path)
        for path in _association_paths(setup)
    ]


def _association_paths(setup: Setup) -> Iterator[Path]:
    names = [*(f"{desktop.lower()}-mimeapps.list" for desktop in setup.desktops), "mimeapps.list"]
    for folder in (setup.config_home, *setup.config_dirs):
        yield from (folder / name for name in names)
    for data in (setup.data_home, *setup.data_dirs):
        yield from (data / "applications" / name for name in [*names, "mimeinfo.cache"])


def _other_programs(mime: str, setup: Setup, associations: list[Associations]) -> list[str]:
    """What opens this kind of file without us, first what does so now."""
    programs: dict[str, None] = {}
    for group in (_DEFAULTS_GROUP, None):
        for place in associations:
            for name in [group] if group else [_ADDED_GROUP, _CACHE_GROUP]:
                programs.update(dict.fromkeys(place.get(name, {}).get(mime, [])))
    removed = {program for place in associations for program in place.get(_REMOVED_GROUP, {}).get(mime, [])}
    folders = [one / "applications" for one in (setup.data_home, *setup.data_dirs)]
    return [
        program
        for program in programs
        if program != DESKTOP_FILE and program not in removed and any((one / program).is_file() for one in folders)
    ]


OPEN_WITH = Target(
    key="open-with",
    label='"Open With" in all file managers',
    is_present=lambda _setup: True,
    artifacts=artifacts,
    artifact_types=(File, DefaultApplications, MimeCache),
)
