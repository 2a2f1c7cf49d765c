"""A person's home and a system, as the integrations' tests set them up, and what is in them."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from integrations import autostart_target, file_managers
from integrations.base import File, Setup, Target
from integrations.verbs import build_verbs
from tests.support.program import ROOT
from watcher.formats import MIME_TYPES, SUFFIXES

ODD_NAME = 'it\'s $HOME `id` "50%" \\n & <b>; %F #1'
"""A recipe's name with all that some format takes for its own."""

CUSTOM_RECIPES = (("shop", "For the shop"), (ODD_NAME, ODD_NAME), ("dup", "Mask only"), ("slash", "a/b"))

TARGETS: list[Target] = [*file_managers("linux"), *(one for one in map(autostart_target, ("linux", "darwin")) if one)]

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
    """Everything there is in `folder`: an empty home, a system with all file managers, and something opens PNG."""
    system, home = folder / "system", folder / "home"
    home.mkdir(mode=0o755)
    programs = system / "bin"
    programs.mkdir(parents=True)
    for name in ("nautilus", "nemo", "caja", "dolphin", "thunar", "pcmanfm", "nobg-add", "nobg"):
        (programs / name).touch(mode=0o755)
    real = shutil.which("update-desktop-database")
    if real:
        (programs / "update-desktop-database").symlink_to(real)
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
    )


def snapshot_tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All below the folder: mode, time of the last change (of files), content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (
            stat.S_IMODE(status.st_mode),
            0 if path.is_dir() else status.st_mtime_ns,
            content,
        )
    return found


def without_times(snapshot: dict[str, tuple[int, int, bytes]]) -> dict[str, tuple[int, bytes]]:
    """Modes and contents."""
    return {name: (mode, content) for name, (mode, _, content) in snapshot.items()}


def owned_files(manager: Target, setup: Setup) -> list[File]:
    """The files that are wholly ours."""
    return [piece for piece in manager.artifacts(setup) if isinstance(piece, File)]
