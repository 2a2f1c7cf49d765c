r"""Explorer (Windows 7 to 11): verbs in the registry, and a shortcut in "Send to". All of it is the person's own.

`Software\Classes\SystemFileAssociations\.png\shell\…` adds to what opens the file, whichever program that is. Static
verbs are all that needs neither an administrator nor a library of ours inside Explorer; Windows 11 shows them below
"Show more options" only: its first menu wants a signed package.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import list2cmdline

from integrations.base import File, Manager, Piece, Setup, Verb
from integrations.verbs import MORE, REMOVE, TOOLTIP
from integrations.windows.registry import Registry, Value
from integrations.windows.shell_link import shell_link

CLASSES = r"Software\Classes"
MENU = "nobg.menu"
"""The sub-menu's entries, once for all kinds of files: ExtendedSubCommandsKey names them (Microsoft: "How to Create
Cascading Menus with the ExtendedSubCommandsKey Registry Entry", Windows 7 and later, HKEY_CURRENT_USER will do)."""


def pieces(setup: Setup) -> list[Piece]:
    """All values are one piece, for --print: the .reg file has one head."""
    values = Registry(rf"{CLASSES}\SystemFileAssociations", tuple(registry_values(setup)))
    return [values, send_to(setup)]


def registry_values(setup: Setup) -> Iterator[Value]:
    """The menu of each kind of file, then the sub-menu. Explorer sorts by the keys' names."""
    first, *others = setup.verbs
    for suffix in setup.suffixes:
        shell = rf"{CLASSES}\SystemFileAssociations\{suffix}\shell"
        yield from _verb(rf"{shell}\nobg.remove", setup, first)
        if others:
            more = {"MUIVerb": MORE, "ExtendedSubCommandsKey": MENU}
            yield from _entry(rf"{shell}\nobg.remove.more", setup, more)
    for number, verb in enumerate(others, 1):
        yield from _verb(rf"{CLASSES}\{MENU}\shell\{number:02}-{verb.key}", setup, verb)


def _verb(key: str, setup: Setup, verb: Verb) -> Iterator[Value]:
    yield from _entry(key, setup, {"MUIVerb": _label(verb.label)})
    yield Value(rf"{key}\command", "", command(setup, verb))


def _entry(key: str, setup: Setup, texts: dict[str, str]) -> Iterator[Value]:
    """Player: up to 100 pictures. Without it, an entry is gone as soon as more than 15 are selected."""
    for name, text in {**texts, "Icon": f"{_icon(setup)},0", "MultiSelectModel": "Player"}.items():
        yield Value(key, name, text)


def _label(label: str) -> str:
    """& underlines the next letter; @ at the start would be a text in a library."""
    label = label.replace("&", "&&")
    return f"\N{FULLWIDTH COMMERCIAL AT}{label[1:]}" if label.startswith("@") else label


def command(setup: Setup, verb: Verb) -> str:
    """Explorer starts it once for each picture, by CreateProcess: no cmd.exe reads it, only % means something."""
    program, *words = setup.client
    line = f'"{program}" {list2cmdline([*words, *verb.arguments, "--"])}'
    return line.replace("%", "%%") + ' "%1"'


def _icon(setup: Setup) -> str:
    """The .ico that lies beside our picture, if there is one; else what the client itself shows."""
    ico = setup.icon.with_suffix(".ico")
    return str(ico) if ico.is_file() else setup.client[0]


@dataclass(frozen=True)
class Shortcut(File):
    """A file that --print names in a comment, so that what it prints is a .reg file."""

    shows: str = ""

    def text(self) -> str:
        """What it starts, and where it is."""
        lines = f"; Beside the registry, a shortcut that starts: {self.shows}\n; {self.path}\n"
        return lines.encode("ascii", "backslashreplace").decode()


def send_to(setup: Setup) -> Shortcut:
    r"""Send to: all pictures in one call. A shortcut, since a .cmd file opens a console and takes names with % apart.

    `setup.config` is %APPDATA%.
    """
    program, *words = setup.client
    arguments = list2cmdline([*words, "--"])
    content = shell_link(program, arguments, TOOLTIP, _icon(setup))
    path = setup.config / "Microsoft" / "Windows" / "SendTo" / f"{REMOVE}.lnk"
    return Shortcut(path, content, shows=f'"{program}" {arguments}')


EXPLORER = Manager(
    key="explorer",
    label="Explorer",
    present=lambda _setup: True,
    pieces=pieces,
    kinds=(Registry, File),
    lacks=lambda _setup: "On Windows 11 it is below Show more options (Shift+F10), and in Send to below that.",
)
