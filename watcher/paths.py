"""Where nobg keeps its records, and where what the package carries is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from watcher.errors import PlaceError

APP = "nobg"


def _place(kind: str) -> Path:
    """`$NOBG_HOME/<kind>`, or where this system keeps that kind of file for one person."""
    home = os.environ.get("NOBG_HOME")
    if home:
        return Path(home).absolute() / kind
    import platformdirs

    place: Path = getattr(platformdirs, f"user_{kind}_path")(APP, appauthor=False)
    return place


def state_dir() -> Path:
    """The folder of jobs.db and the log, made if need be, open to its owner alone (0700). Raises PlaceError."""
    place = _place("state")
    try:
        if "NOBG_HOME" in os.environ:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(place, error) from error
    return place


def open_log(name: str) -> BinaryIO:
    """A new, empty log in the state folder, 0600. Raises PlaceError."""
    path = state_dir() / name
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(place: Path, error: Exception) -> PlaceError:
    """What to say where nobg's own files cannot be written."""
    return PlaceError(
        f"nobg keeps its records in {place} and cannot write there ({error}). "
        "Make room or correct its permissions; NOBG_HOME=DIR names another place."
    )


def asset(name: str) -> Path:
    """A file of `assets/`: inside the installed package, or in the checkout of an editable install."""
    here = Path(__file__).resolve().parent
    packaged = here / "assets" / name
    return packaged if packaged.exists() else here.parent / "assets" / name
