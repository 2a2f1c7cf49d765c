"""Nautilus (GNOME Files): scripts, which always work, and an extension where nautilus-python is installed."""

from __future__ import annotations

from pathlib import Path

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.file_names import unique_file_names
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import Target
from integrations.verbs import GONE_TEXT, SUBMENU_LABEL, Verb

EXTENSION_TEMPLATE = '''\
"""Written by nobg; `nobg menu uninstall` removes it. Runs in Nautilus itself, in the system's Python."""

import os
from urllib.parse import unquote

from gi.repository import Gio, GObject, Nautilus

CLIENT = {client}
PROGRAM = {program}  # the entries are not shown without it
MORE = {more}
VERBS = (  # key, label, arguments, tooltip; the first one stands in the menu itself
{verbs})
TOUCH_UP = {touch_up}  # also stands there, if one picture is selected
SUFFIXES = {suffixes}


class NobgMenu(GObject.GObject, Nautilus.MenuProvider):
    """The entries, where nothing but pictures and folders on this computer is selected."""

    def get_file_items(self, *arguments):
        files = arguments[-1]  # nautilus-python 3 passes the window first, 4 does not
        if not files or not all(map(is_ours, files)) or not os.access(PROGRAM, os.X_OK):
            return []
        uris = [uri_of(file) for file in files]
        top, *others = [self.item(verb, uris) for verb in VERBS]
        more = Nautilus.MenuItem(name="nobg::more", label=MORE, icon="nobg")
        menu = Nautilus.Menu()
        more.set_submenu(menu)
        for item in others:
            menu.append_item(item)
        is_one_picture = len(files) == 1 and not files[0].is_directory()
        return [top, more, self.item(TOUCH_UP, uris)] if TOUCH_UP and is_one_picture else [top, more]

    def get_background_items(self, *_arguments):
        return []

    def item(self, verb, uris):
        key, label, arguments, tooltip = verb
        item = Nautilus.MenuItem(name="nobg::" + key, label=label.replace("_", "__"), tip=tooltip, icon="nobg")
        item.connect("activate", run, arguments, uris)
        return item


def uri_of(file):
    """Return the address of the file itself; in "Recent", the item's own address is that of the list."""
    return file.get_activation_uri() if file.get_uri_scheme() == "recent" else file.get_uri()


def is_ours(file):
    uri = uri_of(file)
    return uri.startswith("file:") and (file.is_directory() or unquote(uri).lower().endswith(SUFFIXES))


def run(_item, arguments, uris):
    Gio.Subprocess.new([*CLIENT, *arguments, "--", *uris], Gio.SubprocessFlags.NONE)
'''

SCRIPT_LIMIT = "With more than about 1,500 pictures selected, a script does not start: select their folder instead."
"""Nautilus and Caja pass the selection in a variable. Linux starts no program with a variable above 128 KiB."""

SCRIPT_TEMPLATE = """\
#!/bin/sh
# Written by nobg; `nobg menu uninstall` removes it.
if [ ! -x {program} ]; then
    text="{text} $0"
    notify-send --app-name=nobg -- nobg "$text" || zenity --info --no-markup --text="$text" || echo "$text" >&2
    exit 1
fi
exec {command}
"""


def artifacts(setup: Setup) -> list[Artifact]:
    """Return the scripts; where nautilus-python is installed, only the first script, the extension and the icon.

    Nautilus finds its sub-menus by name: if the scripts had a sub-menu of the same name as the extension's, the wrong
    sub-menu might open.
    """
    script_files = scripts(setup.data_home / "nautilus" / "scripts", setup)
    if not _has_nautilus_python(setup):
        return [*script_files]
    path = setup.data_home / "nautilus-python" / "extensions" / "nobg.py"
    return [script_files[0], File(path, extension_source(setup).encode()), icon_file(setup)]


def scripts(folder: Path, setup: Setup) -> list[File]:
    """Return a script for each verb. A file's name is the label, and a sub-folder becomes a sub-menu."""
    first, *others = setup.verbs
    top_verbs = [first] if setup.touch_up is None else [first, setup.touch_up]
    files = [File(folder / verb.label, _script(setup, verb.arguments), executable=True) for verb in top_verbs]
    names = unique_file_names(verb.label for verb in others)
    for verb, name in zip(others, names, strict=True):
        files.append(File(folder / SUBMENU_LABEL / name, _script(setup, verb.arguments), executable=True))
    return files


def _script(setup: Setup, arguments: tuple[str, ...]) -> bytes:
    # --from-env: the selection comes in the environment, since Nautilus mangles names with % in arguments.
    command = quoting.shell_command([*setup.client_command, *arguments, "--from-env"])
    program = quoting.shell_command([setup.client_program])
    return SCRIPT_TEMPLATE.format(program=program, command=command, text=GONE_TEXT).encode()


def extension_source(setup: Setup) -> str:
    """Return the extension's Python source. ascii() makes a literal of any label."""
    verbs = "".join(f"    {_as_tuple(verb)!a},\n" for verb in setup.verbs)
    return EXTENSION_TEMPLATE.format(
        client=ascii(setup.client_command),
        program=ascii(setup.client_program),
        more=ascii(SUBMENU_LABEL),
        verbs=verbs,
        touch_up=ascii(setup.touch_up and _as_tuple(setup.touch_up)),
        suffixes=ascii(setup.suffixes),
    )


def _as_tuple(verb: Verb) -> tuple[object, ...]:
    return verb.key, verb.label, verb.arguments, verb.tooltip


def _has_nautilus_python(setup: Setup) -> bool:
    """Return whether Nautilus would load extensions in Python: nautilus-python is a library in Nautilus's folder."""
    return setup.has_library("nautilus/extensions-*/libnautilus-python.so")


def _hint(setup: Setup) -> str:
    if _has_nautilus_python(setup):
        return ""
    return (
        f"The entries are under Scripts. {SCRIPT_LIMIT} With the package python3-nautilus (Fedora, Arch: "
        "nautilus-python) they appear in the menu itself, for any number of pictures: install it, then run "
        "nobg menu install again."
    )


NAUTILUS = Target(
    key="nautilus",
    label="Nautilus (Files)",
    is_present=lambda setup: setup.has_program("nautilus"),
    artifacts=artifacts,
    restart_instruction="nautilus -q",
    process_name="nautilus",
    hint=_hint,
)
