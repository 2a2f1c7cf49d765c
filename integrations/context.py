"""The setup: everything that the targets need to know of nobg, the person and the system."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from integrations.verbs import Verb


@dataclass(frozen=True)
class Setup:
    """Everything that a target needs and cannot import.

    `client_command` takes pictures; `resident_command` starts the resident program. Their programs are absolute paths;
    no word has control characters. The first of `verbs` goes into the menu itself, the others into a sub-menu.
    `touch_up` is the verb for one picture, in the menu itself; None: the window that it opens is not installed.
    `suffixes` are lower case with their period. `icon_path` is nobg's icon, an SVG file. `record_path` is the file
    that records what nobg installed. `home`, `config_home` and `data_home` are the person's folders, `config_dirs` and
    `data_dirs` the system's. `desktops` are the names in XDG_CURRENT_DESKTOP. `search_path` lists the folders with
    programs. `root` is / except in tests.
    """

    client_command: tuple[str, ...]
    resident_command: tuple[str, ...]
    verbs: tuple[Verb, ...]
    suffixes: tuple[str, ...]
    mime_types: tuple[str, ...]
    icon_path: Path
    record_path: Path
    home: Path
    config_home: Path
    data_home: Path
    config_dirs: tuple[Path, ...] = (Path("/etc/xdg"),)
    data_dirs: tuple[Path, ...] = (Path("/usr/local/share"), Path("/usr/share"))
    desktops: tuple[str, ...] = ()
    search_path: tuple[Path, ...] = ()
    root: Path = Path("/")
    touch_up: Verb | None = None

    @property
    def all_verbs(self) -> tuple[Verb, ...]:
        """All verbs: those for any selection, then `touch_up`, if there is one."""
        return self.verbs if self.touch_up is None else (*self.verbs, self.touch_up)

    @property
    def client_program(self) -> str:
        """The program in `client_command`, without which the command cannot work."""
        return _program(self.client_command)

    @property
    def resident_program(self) -> str:
        """The program in `resident_command`."""
        return _program(self.resident_command)

    def has_program(self, *programs: str) -> bool:
        """Return whether at least one of these programs is installed."""
        return any(os.path.isfile(folder / program) for folder in self.search_path for program in programs)

    def has_library(self, name: str) -> bool:
        """Return whether this plug-in library is in one of the system's library folders.

        `name` is a path below such a folder and may have wildcards.
        """
        library_folders = ("usr/lib", "usr/lib64", "usr/lib/*")
        return any(any(self.root.glob(f"{folder}/{name}")) for folder in library_folders)


def _program(command: tuple[str, ...]) -> str:
    """Return the program that the command runs: not env, which only sets variables for it."""
    words = [word for word in command if "=" not in word.partition("/")[0]]
    return words[1] if words[0] == "/usr/bin/env" else words[0]
