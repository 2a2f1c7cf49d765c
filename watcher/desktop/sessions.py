"""Which desktop session the program uses on Linux: the last one that handed itself over and whose bus answers.

On other systems, a program belongs to the session that started it, and this class does nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import MutableMapping
from pathlib import Path

from watcher import session
from watcher.desktop import session_bus

logger = logging.getLogger(__name__)

_HAS_BUS = sys.platform == "linux"
MAX_KNOWN = 8  # sessions; a program that runs for months sees many, and only the last ones can still be alive
KEPT_VARIABLES = ("XDG_RUNTIME_DIR", "XDG_DATA_DIRS")  # right in any session of the person, if the new one has none


class Sessions:
    """Keeps the environment of this process, and so of the commands that it starts, that of a session that is alive.

    Any thread may call the methods.
    """

    def __init__(self, state: Path, environment: MutableMapping[str, str] = os.environ) -> None:
        """`state`: the folder in which sessions hand themselves over. `environment`: to keep up to date."""
        self._state = str(state)
        self._environment = environment
        self._lock = threading.Lock()
        self._own = session.local_variables(environment)
        self._signature = self._file_signature()
        known = [session.offered_variables(environment), session.read(self._state)] if _HAS_BUS else []
        self._known = [variables for variables in known if variables]  # newest first
        self.generation = 0
        """Changes whenever icon and notifications need a new connection."""

    def has_news(self) -> bool:
        """Return whether a session has handed itself over since the last `refresh`."""
        return _HAS_BUS and self._file_signature() not in (None, self._signature)

    def refresh(self, *, check: bool = False) -> None:
        """Use the newest session that is alive.

        `check`: even if no session has handed itself over, since the present one may have ended.
        """
        if not _HAS_BUS:
            return
        with self._lock:
            has_news = self.has_news()
            if has_news:
                self._signature = self._file_signature()
                self._take(session.read(self._state))
            if has_news or check:
                self._use(self._choose())

    def _file_signature(self) -> tuple[int, int] | None:
        try:
            status = os.stat(os.path.join(self._state, session.FILE))
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _take(self, offered: dict[str, str]) -> None:
        """Put a session first."""
        if offered:
            others = [known for known in self._known if _identity(known) != _identity(offered)]
            self._known = [offered, *others][:MAX_KNOWN]

    def _choose(self) -> dict[str, str] | None:
        """Return the newest session whose bus is alive, else one on the user's own bus, else one with an X display."""
        alive = next((known for known in self._known if session_bus.is_alive(known)), None)
        if alive is not None:  # several logins of a person can share a bus
            same_bus = (known for known in self._known if known.get(session.BUS) == alive.get(session.BUS))
            return next((known for known in same_bus if session_bus.has_x_server(known)), alive)
        for variables in (*self._known, self._own):
            candidate = {name: value for name, value in variables.items() if name != session.BUS}
            if session_bus.is_alive(candidate):
                candidate[session.BUS] = session_bus.address(candidate)
                if session_bus.display(candidate) is None:
                    candidate.pop("DISPLAY", None)
                return candidate
        return next((known for known in self._known if session_bus.has_x_server(known)), None)

    def _use(self, variables: dict[str, str] | None) -> None:
        """Make `variables` those of this process; None leaves them as they are."""
        if variables is None:
            return
        before = self._place()
        for name in session.VARIABLES:
            if name in variables:
                self._environment[name] = variables[name]
            elif name not in KEPT_VARIABLES:
                self._environment.pop(name, None)
        if self._place() != before:
            self.generation += 1
            logger.info("The desktop session is now that of %s", " and ".join(filter(None, self._place())))

    def _place(self) -> tuple[str, str]:
        """Return the bus and the X display in use."""
        address = ""
        with contextlib.suppress(ConnectionError):
            address = session_bus.address(self._environment)
        return address, session_bus.display(self._environment) or ""


def _identity(variables: dict[str, str]) -> tuple[str | None, ...]:
    """Return what makes a session differ from another."""
    return tuple(variables.get(name) for name in (session.BUS, "DISPLAY", "WAYLAND_DISPLAY"))
