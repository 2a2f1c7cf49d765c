r"""Explorer (Windows 7 to 11): verbs in the registry, and a shortcut in "Send to". All of it is the person's own.

`Software\Classes\SystemFileAssociations\.png\shell\…` adds to what opens the file, whichever program that is. Static
verbs are all that needs neither an administrator nor a library of ours inside Explorer; Windows 11 shows them below
"Show more options" only: its first menu wants a signed package.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import list2cmdline

from integrations.base import Artifact, File, Setup, Target, Verb
from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL, TOOLTIP
from integrations.windows.registry import RegistryValue, RegistryValues
from integrations.windows.shell_link import shell_link

CLASSES_KEY = r"Software\Classes"
SUBMENU_KEY = "nobg.menu"
"""The sub-menu's entries, once for all kinds of files: ExtendedSubCommandsKey names them (Microsoft: "How to Create
Cascading Menus with the ExtendedSubCommandsKey Registry Entry", Windows 7 and later, HKEY_CURRENT_USER will do)."""


def artifacts(setup: Setup) -> list[Artifact]:
    """All values are one piece, for --print: the .reg file has one head."""
    values = RegistryValues(rf"{CLASSES_KEY}\SystemFileAssociations", tuple(registry_values(setup)))
    return [values, send_to_shortcut(setup)]


def registry_values(setup: Setup) -> Iterator[RegistryValue]:
    """The menu of each kind of file, then the sub-menu. Explorer sorts by the keys' names."""
    first, *others = setup.verbs
    for suffix in setup.suffixes:
        shell = rf"{CLASSES_KEY}\SystemFileAssociations\{suffix}\shell"
        yield from _verb_values(rf"{shell}\nobg.remove", setup, first)
        if others:
            more = {"MUIVerb": SUBMENU_LABEL, "ExtendedSubCommandsKey": SUBMENU_KEY}
            yield from _entry_values(rf"{shell}\nobg.remove.more", setup, more)
    for number, verb in enumerate(others, 1):
        yield from _verb_values(rf"{CLASSES_KEY}\{SUBMENU_KEY}\shell\{number:02}-{verb.key}", setup, verb)


def _verb_values(key: str, setup: Setup, verb: Verb) -> Iterator[RegistryValue]:
    yield from _entry_values(key, setup, {"MUIVerb": _escape_label(verb.label)})
    yield RegistryValue(rf"{key}\command", "", command_line(setup, verb))


def _entry_values(key: str, setup: Setup, texts: dict[str, str]) -> Iterator[RegistryValue]:
    """Player: up to 100 pictures. Without it, an entry is gone as soon as more than 15 are selected."""
    for name, text in {**texts, "Icon": f"{_icon_source(setup)},0", "MultiSelectModel": "Player"}.items():
        yield RegistryValue(key, name, text)


def _escape_label(label: str) -> str:
    """& underlines the next letter; @ at the start would be a text in a library."""
    label = label.replace("&", "&&")
    return f"\N{FULLWIDTH COMMERCIAL AT}{label[1:]}" if label.startswith("@") else label


def command_line(setup: Setup, verb: Verb) -> str:
    """Explorer starts it once for each picture, by CreateProcess: no cmd.exe reads it, only % means something."""
    program, *words = setup.client_command
    line = f'"{program}" {list2cmdline([*words, *verb.arguments, "--"])}'
    return line.replace("%", "%%") + ' "%1"'


def _icon_source(setup: Setup) -> str:
    """The .ico that lies beside our picture, if there is one; else what the client itself shows."""
    ico = setup.icon_path.with_suffix(".ico")
    return str(ico) if ico.is_file() else setup.client_command[0]


@dataclass(frozen=True)
class Shortcut(File):
    """A file that --print names in a comment, so that what it prints is a .reg file."""

    shown_command: str = ""

    def preview(self) -> str:
        """What it starts, and where it is."""
        lines = f"; Beside the registry, a shortcut that starts: {self.shown_command}\n; {self.path}\n"
        return lines.encode("ascii", "backslashreplace").decode()


def send_to_shortcut(setup: Setup) -> Shortcut:
    r"""Send to: all pictures in one call. A shortcut, since a .cmd file opens a console and takes names with % apart.

    `setup.config` is %APPDATA%.
    """
    program, *words = setup.client_command
    arguments = list2cmdline([*words, "--"])
    content = shell_link(program, arguments, TOOLTIP, _icon_source(setup))
    path = setup.config_home / "Microsoft" / "Windows" / "SendTo" / f"{REMOVE_LABEL}.lnk"
    return Shortcut(path, content, shown_command=f'"{program}" {arguments}')


EXPLORER = Target(
    key="explorer",
    label="Explorer",
    is_present=lambda _setup: True,
    artifacts=artifacts,
    artifact_types=(RegistryValues, File),
    hint=lambda _setup: "On Windows 11 it is below Show more options (Shift+F10), and in Send to below that.",
)
