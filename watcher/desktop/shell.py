"""What the desktop's own programs do for nobg: open files and folders, show a file in its folder, choose a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from watcher import paths
from watcher.desktop import strings
from watcher.errors import NobgError


def open_path(path: Path) -> None:
    """Open a file in the person's program for such files, or a folder in the file manager. Raises NobgError."""
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
    """Run a program in a session of its own, so that it can outlive nobg. Return its exit code."""
    devnull = subprocess.DEVNULL
    return subprocess.run(
        command,
        stdin=devnull,
        stdout=devnull,
        stderr=devnull,
        start_new_session=True,
        creationflags=paths.NO_CONSOLE,
        check=False,
    ).returncode


_REVEAL_SCRIPT = """
import sys, showinfm
showinfm.valid_file_manager() or sys.exit(1)  # without a file manager, the next line does nothing and raises nothing
showinfm.show_in_file_manager(sys.argv[1])
"""


def reveal(path: Path) -> None:
    """Show a file in its folder, selected; if that fails, open the folder. Raises NobgError.

    The library runs in a process of its own: it takes 10 MB, which the resident program would keep.
    """
    if _run_command(sys.executable, "-P", "-c", _REVEAL_SCRIPT, str(path)):
        open_path(path.parent)


def choose_folder(start: Path) -> Path | None:
    """Return the folder that the person chooses in the desktop's own window, which opens at `start`.

    None: the person cancelled. Raises NobgError.
    """
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
    """Do as `choose_folder`, without crossfiledialog.

    The library decodes names as UTF-8, strips them, and starts in the last chosen folder, which may be gone.
    """
    commands = {
        "zenity": ["--file-selection", "--directory", f"--title={strings.CHOOSE_FOLDER}", f"--filename={start}/"],
        "kdialog": ["--getexistingdirectory", str(start), "--title", strings.CHOOSE_FOLDER],
    }
    available = [program for program in commands if shutil.which(program)]
    if not available:
        raise NobgError(strings.NO_CHOOSER)
    is_plasma = "KDE" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":")
    program = available[-1] if is_plasma else available[0]
    devnull = subprocess.DEVNULL
    process = subprocess.run(
        [program, *commands[program]], stdin=devnull, stdout=subprocess.PIPE, stderr=devnull, check=False
    )
    if process.returncode not in (0, 1):  # 1: the person cancelled
        raise NobgError(strings.CHOOSER_FAILED)
    answer = process.stdout.removesuffix(b"\n")
    return Path(os.fsdecode(answer)) if answer else None
