r"""Explorer (Windows 7 to 11): verbs in the registry, and a shortcut in "Send to", all below the person's own account.

`Software\Classes\SystemFileAssociations\.png\shell\…` adds entries whichever program opens the file. Static verbs are
all that needs neither an administrator nor a library inside Explorer. Windows 11 shows them only below "Show more
options": its first menu requires a signed package.

An entry that outlived nobg needs no guard here: Windows itself says that it cannot find the program, and names it. A
guard in cmd.exe would open a console at each click, and would not get names with % whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import list2cmdline

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.target import Target
from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL, TOOLTIP, Verb
from integrations.windows.registry import RegistryValue, RegistryValues
from integrations.windows.shell_link import shell_link

CLASSES_KEY = r"Software\Classes"
SUBMENU_KEY = "nobg.menu"
"""The key with the sub-menu's entries, shared by all types of files through ExtendedSubCommandsKey.

Microsoft: "How to Create Cascading Menus with the ExtendedSubCommandsKey Registry Entry"; it works from Windows 7 on
and in HKEY_CURRENT_USER.
"""


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the registry values and the shortcut. All values are one artifact, so that --print gives one .reg file."""
    values = RegistryValues(rf"{CLASSES_KEY}\SystemFileAssociations", tuple(registry_values(setup)))
    return [values, send_to_shortcut(setup)]


def registry_values(setup: Setup) -> Iterator[RegistryValue]:
    """Yield the menu entries of each type of file, then the sub-menu. Explorer sorts entries by the names of keys."""
    first, *others = setup.verbs
    for suffix in setup.suffixes:
        shell_key = rf"{CLASSES_KEY}\SystemFileAssociations\{suffix}\shell"
        yield from _verb_values(rf"{shell_key}\nobg.remove", setup, first)
        if others:
            submenu = {"MUIVerb": SUBMENU_LABEL, "ExtendedSubCommandsKey": SUBMENU_KEY}
            yield from _entry_values(rf"{shell_key}\nobg.remove.more", setup, submenu)
        if setup.touch_up is not None:
            yield from _verb_values(rf"{shell_key}\nobg.touch-up", setup, setup.touch_up)
    for number, verb in enumerate(others, 1):
        yield from _verb_values(rf"{CLASSES_KEY}\{SUBMENU_KEY}\shell\{number:02}-{verb.key}", setup, verb)


def _verb_values(key: str, setup: Setup, verb: Verb) -> Iterator[RegistryValue]:
    values = {"MUIVerb": _escape_label(verb.label)}
    yield from _entry_values(key, setup, values, "Single" if verb == setup.touch_up else "Player")
    yield RegistryValue(rf"{key}\command", "", command_line(setup, verb))


def _entry_values(key: str, setup: Setup, values: dict[str, str], selection: str = "Player") -> Iterator[RegistryValue]:
    """Yield these values and those that all entries have.

    `selection`: "Player" allows up to 100 selected pictures (without it, an entry disappears above 15), "Single" one.
    """
    for name, data in {**values, "Icon": f"{_icon_source(setup)},0", "MultiSelectModel": selection}.items():
        yield RegistryValue(key, name, data)


def _escape_label(label: str) -> str:
    """Return the label with && for & (which underlines the next letter) and without @ at the start (a resource)."""
    label = label.replace("&", "&&")
    return f"\N{FULLWIDTH COMMERCIAL AT}{label[1:]}" if label.startswith("@") else label


def command_line(setup: Setup, verb: Verb) -> str:
    """Return the command that Explorer runs once for each picture.

    Explorer uses CreateProcess, without cmd.exe, so only % is special.
    """
    program, *arguments = setup.client_command
    line = f'"{program}" {list2cmdline([*arguments, *verb.arguments, "--"])}'
    return line.replace("%", "%%") + ' "%1"'


def _icon_source(setup: Setup) -> str:
    """Return the .ico file beside nobg's icon if it exists, else the client, whose own icon Explorer then shows."""
    ico = setup.icon_path.with_suffix(".ico")
    return str(ico) if ico.is_file() else setup.client_command[0]


@dataclass(frozen=True)
class Shortcut(File):
    """A shortcut. Its preview is a comment, so that the output of --print stays a .reg file."""

    shown_command: str = ""

    def preview(self) -> str:
        """Return what the shortcut starts and where it is, as a comment."""
        lines = f"; Beside the registry, a shortcut that starts: {self.shown_command}\n; {self.path}\n"
        return lines.encode("ascii", "backslashreplace").decode()


def send_to_shortcut(setup: Setup) -> Shortcut:
    """Return the shortcut in "Send to", which passes all selected pictures in one call.

    A .cmd file would open a console and would not get names with % whole. `setup.config_home` is %APPDATA%. Raises
    IntegrationError if the client's path is too long for a shortcut.
    """
    program, *client_arguments = setup.client_command
    arguments = list2cmdline([*client_arguments, "--"])
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
