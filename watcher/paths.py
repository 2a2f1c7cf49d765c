"""Where nobg keeps its configuration and records, and where the files that come with the package are.

The right-click client imports this module, so each function that needs a slow module (pathlib, platformdirs) imports it
itself. Functions whose names end in `_folder` return a string, for the client; the others return a Path.
"""

from __future__ import annotations

import os
import sys

from watcher.errors import unwritable_records_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

APP = "nobg"


def state_folder() -> str:
    """The folder of jobs.db, the lock and the logs."""
    return _app_folder("state", "~/.local/state")


def config_folder() -> str:
    """The folder of config.toml."""
    return _app_folder("config", "~/.config")


def _app_folder(kind: str, xdg_default: str) -> str:
    """The folder of this kind that platformdirs would return: the client has no time to load platformdirs."""
    home = os.environ.get("NOBG_HOME")
    if home:
        return os.path.join(os.path.abspath(home), kind)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
        if not os.path.isabs(base):
            base = os.path.expanduser(xdg_default)
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
    import platformdirs

    return platformdirs.user_data_path(APP, appauthor=False) / "models"


def state_dir() -> Path:
    """The state folder, as `make_state_folder` returns it, as a Path."""
    from pathlib import Path

    return Path(make_state_folder())


def open_log(name: str) -> BinaryIO:
    """Open a new, empty log in the state folder, for its owner alone (0600). Raises DestinationError."""
    path = state_dir() / name
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise unwritable_records_error(path, error) from error


def asset(name: str) -> Path:
    """A file of `assets/`, in the installed package or, for an editable install, in the checkout."""
    from pathlib import Path

    package = Path(__file__).resolve().parent
    packaged = package / "assets" / name
    return packaged if packaged.exists() else package.parent / "assets" / name
