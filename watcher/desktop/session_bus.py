"""Where the desktop is on Linux: the address of its D-Bus and its X display, only if they are on this machine."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from watcher import session

if TYPE_CHECKING:
    import asyncio

ADDRESS_VARIABLE = session.BUS
CONNECT_TIMEOUT_SECONDS = 1.0


def address(environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the session bus. Raises ConnectionError if there is none, or only one on another machine.

    dbus_fast would look for an address that a bus has stored on an X display, and would connect to other machines: nobg
    opens no network connection, not even for this.
    """
    bus_address = session.bus_address(environment)
    if bus_address is None:
        raise ConnectionError("there is no desktop session here")
    if not session.is_local_bus(bus_address):
        raise ConnectionError(f"the session's message bus is not on this machine ({bus_address})")
    return bus_address


def is_available(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether there is a session bus on this machine."""
    try:
        address(environment)
    except ConnectionError:
        return False
    return True


def is_alive(environment: Mapping[str, str]) -> bool:
    """Return whether something accepts connections at the address of the session bus."""
    try:
        parts = address(environment).split(";")
    except ConnectionError:
        return False
    for part in parts:
        options = dict(option.partition("=")[::2] for option in part.removeprefix("unix:").split(","))
        path = unquote_to_bytes(options.get("path", ""))
        if "abstract" in options:
            path = b"\0" + unquote_to_bytes(options["abstract"])
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_TIMEOUT_SECONDS)
            try:
                connection.connect(path)
            except (OSError, ValueError):
                continue
            return True
    return False


def display(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the X display on this machine, written so that no library tries the network; None if there is none."""
    local = re.fullmatch(r"(?:unix/?)?:(\d+)(\.\d+)?", environment.get("DISPLAY", ""))
    if local is None or not os.path.exists(f"/tmp/.X11-unix/X{local[1]}"):  # noqa: S108  X servers put it there
        return None
    return f"unix/:{local[1]}{local[2] or ''}"


def ignore_lost_messages(loop: asyncio.AbstractEventLoop) -> None:
    """Let `loop` say nothing of messages that a bus did not take any more: who waits for the bus reports its end."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError | EOFError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
