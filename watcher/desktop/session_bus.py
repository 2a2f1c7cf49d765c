"""Where the desktop is on Linux: the address of its D-Bus and its X display, only if they are on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

ADDRESS_VARIABLE = "DBUS_SESSION_BUS_ADDRESS"


def address(environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the session bus. Raises ConnectionError if there is none, or only one on another machine.

    dbus_fast would look for an address that a bus has stored on an X display, and would connect to other machines: nobg
    opens no network connection, not even for this.
    """
    bus_address = environment.get(ADDRESS_VARIABLE)
    if not bus_address:
        path = os.path.join(environment.get("XDG_RUNTIME_DIR") or "/nowhere", "bus")
        if not os.path.exists(path):
            raise ConnectionError("there is no desktop session here")
        bus_address = f"unix:path={quote(path).replace('~', '%7E')}"
    if not all(part.startswith("unix:") for part in bus_address.split(";") if part):
        raise ConnectionError(f"the session's message bus is not on this machine ({bus_address})")
    return bus_address


def is_available(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether there is a session bus on this machine."""
    try:
        address(environment)
    except ConnectionError:
        return False
    return True


def display(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the X display on this machine, written so that no library tries the network; None if there is none."""
    local = re.fullmatch(r"(?:unix/?)?:(\d+)(\.\d+)?", environment.get("DISPLAY", ""))
    if local is None or not os.path.exists(f"/tmp/.X11-unix/X{local[1]}"):  # noqa: S108  X servers put it there
        return None
    return f"unix/:{local[1]}{local[2] or ''}"
