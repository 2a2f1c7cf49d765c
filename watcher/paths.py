"""Where nobg keeps its configuration and records, and where what the package carries is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from watcher.errors import unwritable_records_error
from watcher.queue import store

APP = "nobg"


def config_path() -> Path:
    """The configuration; it need not be there."""
    return Path(store.config_folder()) / "config.toml"


def models_dir() -> Path:
    """The folder of the models that a person added; it need not be there.

    The worker knows nothing of the person, neither NOBG_HOME nor HOME: whoever starts it says so in NOBG_MODELS.
    """
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
    return Path(store.make_state_folder())


def open_log(name: str) -> BinaryIO:
    """A new, empty log in the state folder, 0600. Raises PlaceError."""
    path = state_dir() / name
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise unwritable_records_error(path, error) from error


def asset(name: str) -> Path:
    """A file of `assets/`: inside the installed package, or in the checkout of an editable install."""
    here = Path(__file__).resolve().parent
    packaged = here / "assets" / name
    return packaged if packaged.exists() else here.parent / "assets" / name
