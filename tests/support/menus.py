"""Set up a person's home and a system for the tests of integrations, and read what is in them."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

from integrations import autostart_target, file_managers
from integrations.context import Setup
from integrations.files import File
from integrations.target import Target
from integrations.verbs import TOUCH_UP, build_verbs
from tests.support.program import ROOT
from watcher.formats import MIME_TYPES, SUFFIXES

ODD_NAME = 'it\'s $HOME `id` "50%" \\n & <b>; %F #1'
"""A recipe's name with every character that is special in one of the formats."""

CUSTOM_RECIPES = (("shop", "For the shop"), (ODD_NAME, ODD_NAME), ("dup", "Mask only"), ("slash", "a/b"))

TARGETS: list[Target] = [*file_managers("linux"), *map(autostart_target, ("linux", "darwin"))]

GOLDEN_CLIENT = ("/opt/it's nobg/bin/nobg-add",)
GOLDEN_PROGRAM = ("/opt/it's nobg/bin/nobg", "run")

SYSTEM_ACTIONS = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE actions [
  <!ELEMENT startup-notify EMPTY>
]>
<actions>

  <action>
    <name>Open Terminal Here</name>
    <name xml:lang="de">Terminal \xc3\xb6ffnen</name>
    <command>exo-open %f</command>
    <startup-notify/>
    <directories/>
  </action>

</actions>
"""


def make_setup(folder: Path) -> Setup:
    """Return a setup whose files are all below `folder`.

    It has an empty home and a system with all file managers of Linux and a viewer for PNG and JPEG.
    """
    system, home = folder / "system", folder / "home"
    home.mkdir(mode=0o755)
    programs = system / "bin"
    programs.mkdir(parents=True)
    for name in ("nautilus", "nemo", "caja", "dolphin", "thunar", "pcmanfm", "pcmanfm-qt", "nobg-add", "nobg"):
        (programs / name).touch(mode=0o755)
    installed_program = shutil.which("update-desktop-database")
    if installed_program:
        (programs / "update-desktop-database").symlink_to(installed_program)
    for library in ("nautilus/extensions-4/libnautilus-python.so", "libfm/modules/gtk-menu-actions.so"):
        path = system / "usr/lib/x86_64-linux-gnu" / library
        path.parent.mkdir(parents=True)
        path.touch()
    (system / "etc/xdg/Thunar").mkdir(parents=True)
    (system / "etc/xdg/Thunar/uca.xml").write_bytes(SYSTEM_ACTIONS)
    applications = system / "share/applications"
    applications.mkdir(parents=True)
    (applications / "viewer.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Viewer\nExec=/bin/true %U\nMimeType=image/png;image/jpeg;\n"
    )
    (applications / "mimeinfo.cache").write_text(
        "[MIME Cache]\nimage/jpeg=viewer.desktop;\nimage/png=viewer.desktop;\nimage/gif=gone.desktop;\n"
    )
    return Setup(
        client_command=(str(programs / "nobg-add"),),
        resident_command=(str(programs / "nobg"), "run"),
        verbs=build_verbs(CUSTOM_RECIPES),
        suffixes=tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes),
        mime_types=MIME_TYPES,
        icon_path=ROOT / "assets" / "icon.svg",
        record_path=home / ".local" / "state" / "nobg" / "menu.json",
        home=home,
        config_home=home / ".config",
        data_home=home / ".local" / "share",
        config_dirs=(system / "etc" / "xdg",),
        data_dirs=(system / "share",),
        search_path=(programs,),
        root=system,
        touch_up=TOUCH_UP,
    )


def make_golden_setup(folder: Path) -> Setup:
    """Return the setup for golden files: its commands do not depend on `folder`."""
    return replace(make_setup(folder), client_command=GOLDEN_CLIENT, resident_command=GOLDEN_PROGRAM)


def snapshot_tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of the last change (0 for folders) and content of everything below the folder, by path."""
    snapshot = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        snapshot[str(path.relative_to(folder))] = (
            stat.S_IMODE(status.st_mode),
            0 if path.is_dir() else status.st_mtime_ns,
            content,
        )
    return snapshot


def without_times(snapshot: dict[str, tuple[int, int, bytes]]) -> dict[str, tuple[int, bytes]]:
    """Return the snapshot with modes and contents only."""
    return {name: (mode, content) for name, (mode, _, content) in snapshot.items()}


def owned_files(target: Target, setup: Setup) -> list[File]:
    """Return the target's whole files, without its parts of files of the person."""
    return [artifact for artifact in target.artifacts(setup) if isinstance(artifact, File)]
