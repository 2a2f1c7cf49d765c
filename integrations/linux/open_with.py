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

from integrations.base import Entry, File, Manager, OnDisk, Piece, Setup, entry_of, write_atomically
from integrations.linux import quoting
from integrations.linux.icon import icon
from integrations.linux.merged_file import Merged
from integrations.verbs import NAME, TOOLTIP

DESKTOP = "nobg.desktop"
_CHOSEN, _ADDED, _REMOVED, _CACHE = "Default Applications", "Added Associations", "Removed Associations", "MIME Cache"

Lists = Mapping[str, Mapping[str, list[str]]]
"""Of a mimeapps.list or mimeinfo.cache: group -> kind of file -> programs."""


def pieces(setup: Setup) -> list[Piece]:
    """The application, who opens what, and the index that GLib reads in place of the application itself."""
    folder = setup.data / "applications"
    types = tuple(mime for mime in setup.mime_types if _others(mime, setup, _places(setup)))
    found: list[Piece] = [
        Choices(setup.config / "mimeapps.list", types, setup),
        File(folder / DESKTOP, application(setup, types)),
        icon(setup),
    ]
    program = next((path for path in (one / "update-desktop-database" for one in setup.search) if path.is_file()), None)
    return [*found, Index(folder / "mimeinfo.cache", str(program))] if program else found


def application(setup: Setup, types: tuple[str, ...]) -> bytes:
    """Not in the menus of programs: it does nothing without pictures."""
    return quoting.groups(
        (
            "Desktop Entry",
            [
                ("Type", "Application"),
                ("Name", NAME),  # beside the entries of the same menu, "Remove background" would stand twice
                ("Comment", quoting.value(TOOLTIP)),
                ("Exec", quoting.value(quoting.command([*setup.client, "--"], "%U"))),
                ("Icon", "nobg"),
                ("Terminal", "false"),
                ("NoDisplay", "true"),
                ("MimeType", quoting.items(types)),
            ],
        )
    )


@dataclass(frozen=True)
class Choices(Merged):
    """Lines in the person's mimeapps.list, for kinds where nothing was chosen: what opens them now goes on doing so."""

    types: tuple[str, ...]
    setup: Setup
    kind: ClassVar[str] = "mimeapps"

    def start(self) -> bytes:
        """Nothing."""
        return b""

    def insert(self, before: bytes) -> bytes:
        """Below the group's header; with a new group at the end where there is none."""
        lines = self._lines(before)
        if not lines:
            return before
        block = "".join(f"{line}\n" for line in lines).encode()
        header = re.search(rf"^\[{_CHOSEN}\][ \t]*\r?\n".encode(), before, re.MULTILINE)
        if header:
            return before[: header.end()] + block + before[header.end() :]
        gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
        return before + gap + f"[{_CHOSEN}]\n".encode() + block

    def _lines(self, before: bytes) -> list[str]:
        places = _places(self.setup, own=parse(before))
        chosen = {mime for place in places for mime in place.get(_CHOSEN, {})}
        programs = {mime: _others(mime, self.setup, places) for mime in self.types if mime not in chosen}
        return [f"{mime}={quoting.items(others)}" for mime, others in programs.items() if others]

    def holds(self, now: bytes) -> bool:
        """Is something chosen for all kinds?"""
        return not self._lines(now)

    def part(self) -> list[str]:
        """The lines themselves."""
        return self._lines(b"")

    @classmethod
    def strip(cls, now: bytes, part: list[str]) -> bytes:
        """Without our lines, where they still are as we wrote them, and without a group that is empty then."""
        for line in part:
            now = re.sub(rf"^{re.escape(line)}\r?\n".encode(), b"", now, flags=re.MULTILINE)
        return re.sub(rf"\n?^\[{_CHOSEN}\]\s*(?=^\[|\Z)".encode(), b"", now, flags=re.MULTILINE) if part else now

    def text(self) -> str:
        """The lines."""
        lines = "".join(f"{line}\n" for line in self.part())
        return f"# {self.path}, below [{_CHOSEN}], what is not chosen there yet:\n{lines}"


@dataclass(frozen=True)
class Index(OnDisk):
    """mimeinfo.cache, which update-desktop-database makes of all applications in the folder."""

    program: str
    kind: ClassVar[str] = "mime-index"

    def plan(self, old: Entry | None) -> Entry:
        """Was there one before us?"""
        return entry_of(self, program=self.program, existed=self.path.exists() if old is None else old["existed"])

    def write(self, entry: Entry) -> None:
        """Only where it is not so already."""
        if self.problem(entry):
            _make_index(self.program, self.path)

    def text(self) -> str:
        """What is done."""
        return f"# {self.path}, by: {self.program} {self.path.parent}\n"

    def problem(self, _entry: Entry) -> str | None:
        """Does it name us for the kinds that we offer?"""
        types = _parsed(self.path.parent / DESKTOP).get("Desktop Entry", {}).get("MimeType", [])
        index = _parsed(self.path).get(_CACHE, {})
        offered = [mime for mime, programs in index.items() if DESKTOP in programs]
        return None if sorted(offered) == sorted(types) else f"{self.path} is not up to date"

    @classmethod
    def remove(cls, entry: Entry) -> str | None:
        """Made anew without us; deleted if there was none before and nothing else is in it."""
        path = Path(entry["address"])
        _make_index(entry["program"], path)
        if path.is_file() and DESKTOP.encode() in path.read_bytes():  # the program is not there any more
            alone = re.sub(rf"^[^=\n]*={DESKTOP};\n".encode(), b"", path.read_bytes(), flags=re.MULTILINE)
            write_atomically(path, alone.replace(f"{DESKTOP};".encode(), b""), 0o644)
        if not entry["existed"] and path.is_file() and not _parsed(path).get(_CACHE):
            path.unlink()
        return None


def _make_index(program: str, path: Path) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):  # whether it worked is seen in the file
        if path.parent.is_dir():
            subprocess.run([program, str(path.parent)], capture_output=True, timeout=30, check=False)


def parse(content: bytes) -> Lists:
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


def _parsed(path: Path) -> Lists:
    try:
        return parse(path.read_bytes())
    except OSError:
        return {}


def _places(setup: Setup, own: Lists | None = None) -> list[Lists]:
    """All that GLib reads, in its order (MIME Applications Associations); `own`: the person's list as it will be."""
    mine = setup.config / "mimeapps.list"
    return [own if own is not None and path == mine else _parsed(path) for path in _files(setup)]


def _files(setup: Setup) -> Iterator[Path]:
    names = [*(f"{desktop.lower()}-mimeapps.list" for desktop in setup.desktops), "mimeapps.list"]
    for folder in (setup.config, *setup.config_dirs):
        yield from (folder / name for name in names)
    for data in (setup.data, *setup.data_dirs):
        yield from (data / "applications" / name for name in [*names, "mimeinfo.cache"])


def _others(mime: str, setup: Setup, places: list[Lists]) -> list[str]:
    """What opens this kind of file without us, first what does so now."""
    programs: dict[str, None] = {}
    for group in (_CHOSEN, None):
        for place in places:
            for name in [group] if group else [_ADDED, _CACHE]:
                programs.update(dict.fromkeys(place.get(name, {}).get(mime, [])))
    removed = {program for place in places for program in place.get(_REMOVED, {}).get(mime, [])}
    folders = [one / "applications" for one in (setup.data, *setup.data_dirs)]
    return [
        program
        for program in programs
        if program != DESKTOP and program not in removed and any((one / program).is_file() for one in folders)
    ]


OPEN_WITH = Manager(
    key="open-with",
    label='"Open With" in all file managers',
    present=lambda _setup: True,
    pieces=pieces,
    kinds=(File, Choices, Index),
)
