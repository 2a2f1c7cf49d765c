"""Where the desktop is (its D-Bus, its X display; on Linux): on this machine, or nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

ADDRESS_VARIABLE = "DBUS_SESSION_BUS_ADDRESS"


def address(environment: Mapping[str, str] = os.environ) -> str:
    """Its address. Raises ConnectionError where there is none, or only one on another machine.

    dbus_fast would look for what a bus of some X display left behind, and go to other machines: nobg opens no network
    connection, not even for this.
    """
    found = environment.get(ADDRESS_VARIABLE)
    if not found:
        path = os.path.join(environment.get("XDG_RUNTIME_DIR") or "/nowhere", "bus")
        if not os.path.exists(path):
            raise ConnectionError("there is no desktop session here")
        found = f"unix:path={quote(path).replace('~', '%7E')}"
    if not all(one.startswith("unix:") for one in found.split(";") if one):
        raise ConnectionError(f"the session's message bus is not on this machine ({found})")
    return found


def is_available(environment: Mapping[str, str] = os.environ) -> bool:
    """Is there one?"""
    try:
        address(environment)
    except ConnectionError:
        return False
    return True


def display(environment: Mapping[str, str] = os.environ) -> str | None:
    """The X display on this machine, in a form for which no library tries the network; None: there is none here."""
    local = re.fullmatch(r"(?:unix/?)?:(\d+)(\.\d+)?", environment.get("DISPLAY", ""))
    if local is None or not os.path.exists(f"/tmp/.X11-unix/X{local[1]}"):  # noqa: S108  where X servers have it
        return None
    return f"unix/:{local[1]}{local[2] or ''}"
