"""A desktop session's variables, handed over to the resident program if that was started outside the session.

The right-click client imports this module. The desktop's side is in `desktop.sessions`.
"""

from __future__ import annotations

import os
import re
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "session"
"""The file in the state folder: NAME=VALUE, each ended by a null byte. Only its owner can read it."""

BUS = "DBUS_SESSION_BUS_ADDRESS"
VARIABLES = (
    BUS,
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_DESKTOP",
    "XDG_SESSION_TYPE",
    "XDG_SESSION_ID",
    "XDG_DATA_DIRS",
    "XDG_MENU_PREFIX",
    "DESKTOP_SESSION",
    "GNOME_DESKTOP_SESSION_ID",
    "MATE_DESKTOP_SESSION_ID",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
    "SWAYSOCK",
    "I3SOCK",
)
"""By these, programs find the desktop, and xdg-open(1) finds out which one it is."""

RUNTIME_FOLDERS = "/run/user"
MAX_FILE_SIZE = 1 << 16  # bytes


def hand_over(folder: str, environment: Mapping[str, str] = os.environ) -> None:
    """Write this session's variables for the resident program, which looks every second. Raises nothing.

    `folder`: the state folder. Does nothing if there is no desktop here: in cron, at a tty, or over ssh.
    """
    variables = offered_variables(environment) if sys.platform == "linux" else {}
    if not variables:
        return
    path = os.path.join(folder, FILE)
    temporary = f"{path}.{os.getpid()}"
    content = "".join(f"{name}={value}\0" for name, value in variables.items())
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would make a click wait
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            file.write(os.fsencode(content))
        os.replace(temporary, path)
    except OSError:  # the click matters more
        return


def offered_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the desktop session that this process belongs to; none if it belongs to none.

    The user's own bus alone is no session: a tty and ssh have it, too, and the program finds it without help.
    """
    variables = local_variables(environment)
    bus = bus_address(variables)
    if bus is not None:
        variables[BUS] = bus
    if "DISPLAY" in variables or "WAYLAND_DISPLAY" in variables:
        return variables
    return variables if bus not in (None, bus_address({})) else {}


def read(folder: str) -> dict[str, str]:
    """Return the variables that a session has handed over; none if there are none from the owner of this process."""
    try:
        descriptor = os.open(os.path.join(folder, FILE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
            content = file.read(MAX_FILE_SIZE) if is_private and stat.S_ISREG(status.st_mode) else b""
    except OSError:
        return {}
    pairs = (line.partition("=") for line in os.fsdecode(content).split("\0"))
    return local_variables({name: value for name, _, value in pairs})


def local_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those of VARIABLES that are set, without a bus or an X display on another machine."""
    variables = {name: environment[name] for name in VARIABLES if environment.get(name)}
    if not is_local_bus(variables.get(BUS, "unix:")):
        del variables[BUS]
    if not re.fullmatch(r"(?:unix/?)?:\d+(\.\d+)?", variables.get("DISPLAY", ":0")):
        del variables["DISPLAY"]
        variables.pop("XAUTHORITY", None)
    return variables


def bus_address(environment: Mapping[str, str]) -> str | None:
    """Return the address of the session bus: that of the variable, else of the user's own bus. None: there is none."""
    if environment.get(BUS):
        return environment[BUS]
    for folder in (environment.get("XDG_RUNTIME_DIR", ""), f"{RUNTIME_FOLDERS}/{os.geteuid()}"):
        path = os.path.join(folder, "bus")
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        if os.path.isabs(folder) and stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid():
            return "unix:path=" + re.sub(rb"[^-0-9A-Za-z_/.*]", _escape_byte, os.fsencode(path)).decode()
    return None


def _escape_byte(match: re.Match[bytes]) -> bytes:
    return b"%%%02x" % ord(match[0])


def is_local_bus(address: str) -> bool:
    """Return whether every bus of this address is on this machine."""
    return all(part.startswith("unix:") for part in address.split(";") if part)
