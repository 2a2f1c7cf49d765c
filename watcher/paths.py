"""Where nobg keeps its configuration and records, and where the files that come with the package are.

The right-click client imports this module, so everything slow (pathlib, platformdirs) is imported by the function that
needs it. Functions that end in `_folder` return a string for the client; the others return a Path.
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
    """Where jobs.db, the lock and the logs are."""
    return _app_folder("state", "~/.local/state")


def config_folder() -> str:
    """Where config.toml is."""
    return _app_folder("config", "~/.config")


def _app_folder(kind: str, xdg_default: str) -> str:
    """Our folder of this kind: as platformdirs has it, which the client has no time to load."""
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
    """The state folder, made if need be, open to its owner alone (0700). Raises PlaceError."""
    folder = state_folder()
    try:
        if "NOBG_HOME" in os.environ:
            os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable_records_error(folder, error) from error
    return folder


def config_path() -> Path:
    """The configuration; it need not be there."""
    from pathlib import Path

    return Path(config_folder()) / "config.toml"


def models_dir() -> Path:
    """The folder of the models that a person added; it need not be there.

    The worker knows nothing of the person, neither NOBG_HOME nor HOME: whoever starts it says so in NOBG_MODELS.
    """
    from pathlib import Path

    home = os.environ.get("NOBG_HOME")
    if home:
        return Path(home).absolute() / "data" / "models"
    told = os.environ.get("NOBG_MODELS")
    if told:
        return Path(told)
    import platformdirs

    return platformdirs.user_data_path(APP, appauthor=False) / "models"


def state_dir() -> Path:
    """The folder of jobs.db and the logs, made if need be, open to its owner alone (0700). Raises PlaceError."""
    from pathlib import Path

    return Path(make_state_folder())


def open_log(name: str) -> BinaryIO:
    """A new, empty log in the state folder, 0600. Raises PlaceError."""
    path = state_dir() / name
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise unwritable_records_error(path, error) from error


def asset(name: str) -> Path:
    """A file of `assets/`: inside the installed package, or in the checkout of an editable install."""
    from pathlib import Path

    here = Path(__file__).resolve().parent
    packaged = here / "assets" / name
    return packaged if packaged.exists() else here.parent / "assets" / name
