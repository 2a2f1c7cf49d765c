"""What a desktop does for us: opens files and folders, shows a file in its folder, lets a person choose a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from watcher.desktop import strings
from watcher.errors import NobgError


def open_path(path: Path) -> None:
    """In the program that the person uses for such files; a folder in the file manager. Raises NobgError."""
    try:
        if sys.platform == "win32":
            os.startfile(path)
            return
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        code = _run_command(opener, str(path))
    except OSError as error:
        raise NobgError(strings.CANNOT_OPEN.format(name=path)) from error
    if code:
        raise NobgError(strings.CANNOT_OPEN.format(name=path))


def _run_command(*command: str) -> int:
    """The exit code of a program that outlives us if need be."""
    nothing = subprocess.DEVNULL
    return subprocess.run(
        command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=False
    ).returncode


_REVEAL_SCRIPT = """
import sys, showinfm
showinfm.valid_file_manager() or sys.exit(1)  # without one, the next line does nothing, and says nothing
showinfm.show_in_file_manager(sys.argv[1])
"""


def reveal(path: Path) -> None:
    """Show the file in its folder, selected. Raises NobgError.

    In a process of its own: the library takes 10 MB, which the resident program would keep.
    """
    if _run_command(sys.executable, "-P", "-c", _REVEAL_SCRIPT, str(path)):
        open_path(path.parent)


def choose_folder(start: Path) -> Path | None:
    """The folder that the person chooses in the desktop's own window; None: none. Raises NobgError."""
    if sys.platform == "linux":
        return _choose_on_linux(start)
    import crossfiledialog
    from crossfiledialog.exceptions import FileDialogException

    try:
        chosen = crossfiledialog.choose_folder(title=strings.CHOOSE_FOLDER, start_dir=str(start))
    except FileDialogException as error:
        if "(-128)" in str(error):  # AppleScript's userCanceledErr
            return None
        raise NobgError(strings.CHOOSER_FAILED) from error
    return Path(chosen) if chosen else None


def _choose_on_linux(start: Path) -> Path | None:
    """The library would take names for UTF-8, strip them, and begin in a folder that may be gone."""
    commands = {
        "zenity": ["--file-selection", "--directory", f"--title={strings.CHOOSE_FOLDER}", f"--filename={start}/"],
        "kdialog": ["--getexistingdirectory", str(start), "--title", strings.CHOOSE_FOLDER],
    }
    here = [program for program in commands if shutil.which(program)]
    if not here:
        raise NobgError(strings.NO_CHOOSER)
    is_plasma = "KDE" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":")
    program = here[-1] if is_plasma else here[0]
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        [program, *commands[program]], stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, check=False
    )
    if done.returncode not in (0, 1):  # 1: the person wants none
        raise NobgError(strings.CHOOSER_FAILED)
    answer = done.stdout.removesuffix(b"\n")
    return Path(os.fsdecode(answer)) if answer else None
