"""Where things live: configuration, state, data, and what the package carries."""

from __future__ import annotations

import os
from pathlib import Path

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
    """The folder of jobs.db and the log, made if need be, open to its owner alone (0700)."""
    place = _place("state")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def asset(name: str) -> Path:
    """A file of `assets/`: inside the installed package, or in the checkout of an editable install."""
    here = Path(__file__).resolve().parent
    packaged = here / "assets" / name
    return packaged if packaged.exists() else here.parent / "assets" / name
