"""Where nobg keeps its configuration and records, and where the files that come with the package and its Python are.

The right-click client imports this module, so each function that needs a slow module (pathlib, platformdirs) imports it
itself. Functions whose names end in `_folder` return a string, for the client; the others return a Path.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from watcher.errors import UsageError, advise, unwritable_records_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

APP = "nobg"

NO_CONSOLE = 0x08000000 if sys.platform == "win32" else 0
"""For Popen's `creationflags`: a console of its own, without a window (CREATE_NO_WINDOW).

So no window flashes if the parent has no console, and Ctrl-C in the parent's does not reach the process.
"""


def home_folder() -> str:
    """The person's home folder: HOME or, without it, what the system's list of users says. Raises UsageError."""
    folder = os.path.expanduser("~")
    if os.environ.get("HOME") == "" or not os.path.isabs(folder):
        raise UsageError(
            advise(
                "nobg finds no home folder for its settings and records, since HOME does not name one.",
                desktop="Log out and in again; if that does not help, ask the administrator of this computer.",
                terminal="Set HOME, or set NOBG_HOME to a folder of your own: export NOBG_HOME=/path/to/folder",
            )
        )
    return folder


def state_folder() -> str:
    """The folder of jobs.db, the lock and the logs. Raises UsageError if there is no home folder."""
    return _app_folder("state", ".local/state")


def config_folder() -> str:
    """The folder of config.toml. Raises UsageError if there is no home folder."""
    return _app_folder("config", ".config")


def _app_folder(kind: str, xdg_default: str) -> str:
    """The folder of this kind that platformdirs would return: the client has no time to load platformdirs."""
    home = os.environ.get("NOBG_HOME")
    if home:
        return os.path.join(os.path.abspath(home), kind)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home_folder(), r"AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.join(home_folder(), "Library/Application Support")
    else:
        base = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
        if not os.path.isabs(base):
            base = os.path.join(home_folder(), xdg_default)
    return os.path.join(base, "nobg")


def make_state_folder() -> str:
    """The state folder. Creates it if it is missing, for its owner alone (0700). Raises DestinationError."""
    folder = state_folder()
    try:
        if "NOBG_HOME" in os.environ:
            os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable_records_error(folder, error) from error
    return folder


def config_path() -> Path:
    """The path of config.toml, which need not exist."""
    from pathlib import Path

    return Path(config_folder()) / "config.toml"


def models_dir() -> Path:
    """The folder of the models that a person added; it need not exist.

    The worker's environment has neither NOBG_HOME nor HOME, so its parent passes this folder in NOBG_MODELS.
    """
    from pathlib import Path

    home = os.environ.get("NOBG_HOME")
    if home:
        return Path(home).absolute() / "data" / "models"
    folder = os.environ.get("NOBG_MODELS")
    if folder:
        return Path(folder)
    return Path(_app_folder("data", ".local/share")) / "models"


def state_dir() -> Path:
    """The state folder, as `make_state_folder` returns it, as a Path."""
    from pathlib import Path

    return Path(make_state_folder())


def open_log(name: str) -> BinaryIO:
    """Open a new, empty log in the state folder, for its owner alone (0600). Raises DestinationError."""
    path = state_dir() / name
    try:
        return open(open_private(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")
    except OSError as error:
        raise unwritable_records_error(path.parent, error) from error


def open_private(path: str, flags: int) -> int:
    """Open a log for its owner alone (0600), and return its descriptor. Raises OSError.

    A log that another user left in the person's own folder, as after `sudo -E nobg`, is replaced: nobody reads it. So
    is what is no regular file.
    """
    try:
        return open_regular(path, flags)
    except (PermissionError, IrregularFileError):
        os.unlink(path)
        return open_regular(path, flags)


class IrregularFileError(OSError):
    """What has the name of one of nobg's own files is a FIFO, a socket, a device or a folder."""


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """Open one of nobg's own files, and return its descriptor; a new file is its owner's alone (0600).

    Never waits: opening a FIFO would, until another program opens its other end. Raises OSError.
    """
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR):  # a FIFO that nobody reads, or a socket
            raise IrregularFileError(errno.EINVAL, "it is no regular file", path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IrregularFileError(errno.EINVAL, "it is no regular file", path)
    return descriptor


def background_python(executable: str | None = None, platform: str = sys.platform) -> str:
    """Return the path of a Python that opens no console: on Windows pythonw.exe, if it is beside this one.

    `executable`: the path of Python; None: that of this process.
    """
    path = sys.executable if executable is None else executable
    if platform == "win32":
        without_console = os.path.join(os.path.dirname(path), "pythonw.exe")
        if os.path.isfile(without_console):
            return without_console
    return path


def module_folders() -> list[str]:
    """Where this process finds modules, without what PYTHONPATH adds: a shell sets it for ROS, conda and the like.

    If nobg itself was found through PYTHONPATH, its owner has set it for nobg, and all of it counts.
    """
    value = os.environ.get("PYTHONPATH")
    folders = [folder for folder in sys.path if folder]
    foreign = {os.path.abspath(folder) for folder in value.split(os.pathsep)} if value else set()
    if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) in foreign:
        return folders
    return [folder for folder in folders if os.path.abspath(folder) not in foreign]


def leave_pythonpath() -> None:
    """Take no further module from PYTHONPATH, in this process and those that it starts. See module_folders()."""
    folders = module_folders()
    if folders != [folder for folder in sys.path if folder]:
        sys.path[:] = folders
        del os.environ["PYTHONPATH"]


def asset(name: str) -> Path:
    """A file of `assets/`, in the installed package or, for an editable install, in the checkout."""
    from pathlib import Path

    package = Path(__file__).resolve().parent
    packaged = package / "assets" / name
    return packaged if packaged.exists() else package.parent / "assets" / name
