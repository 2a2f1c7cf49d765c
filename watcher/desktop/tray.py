"""The tray icon: its states and pictures, and the loop that keeps icon and menu up to date.

Nothing here touches a display before `Tray.run`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from watcher import paths
from watcher.desktop import strings, tray_backend
from watcher.desktop.actions import Actions
from watcher.desktop.overview import Overview, OverviewReader
from watcher.desktop.sessions import Sessions
from watcher.desktop.tray_menu import MenuBuilder, describe_status
from watcher.errors import NobgError, advise, for_terminal

logger = logging.getLogger(__name__)

IDLE, WORKING, PAUSED, ATTENTION = "idle", "working", "paused", "attention"
"""States of the icon; each has its pictures in assets/tray."""

ICON_SIZES = (16, 22, 24, 32, 48, 64)  # pixels; each size has a drawing of its own
POLL_SECONDS = 0.9  # between two checks for changes: the icon shows a change within a second
HOST_GRACE_SECONDS = 10.0  # before X11's bar is used instead: at login the modern bar may start later
HOST_POLL_SECONDS = 5.0  # while X11's bar is used, between two checks for a modern bar
RETRY_SECONDS = 5.0  # before the next try after a failure


def icon_state(snapshot: Overview) -> str:
    """Return the state that the icon shows: `IDLE`, `WORKING`, `PAUSED` or `ATTENTION`."""
    if snapshot.problems:
        return ATTENTION
    if snapshot.paused:
        return PAUSED
    return WORKING if snapshot.waiting else IDLE


class Tray:
    """The icon, while `run` runs."""

    def __init__(
        self,
        state: Path,
        actions: Actions,
        describe_progress: Callable[[int], str],
        print_message: Callable[[str], None] = logger.info,
        sessions: Sessions | None = None,
    ) -> None:
        """Prepare the icon; show nothing yet.

        `state`: the folder of jobs.db. `describe_progress` returns how far the work is, given the count of waiting
        pictures. `print_message` informs the person, once a session, that this desktop has no place for the icon.
        """
        self._sessions = Sessions(state) if sessions is None else sessions
        self._generation = self._sessions.generation
        self._state = state
        self._actions = actions
        self._describe_progress = describe_progress
        self._print_message = print_message
        self._has_reported_no_icon = False
        self._uses_legacy_tray = False
        self._next_host_check_at = 0.0
        self._shown_state = ""
        self._status = strings.APP
        self.snapshot = Overview()
        self._icon: Any = None

    def run(self, stop: threading.Event) -> None:
        """Show the icon until `stop` is set or the desktop can no longer show it. Call this in the main thread (macOS).

        Raises OSError if nothing can show the icon, or can no longer.
        """
        try:
            self._run(stop)
        except OSError:
            self._uses_legacy_tray = False  # its display may have ended: look for a modern bar again
            raise

    def _run(self, stop: threading.Event) -> None:
        if self._generation != self._sessions.generation:  # a new desktop: look at it anew
            self._generation = self._sessions.generation
            self._uses_legacy_tray = self._has_reported_no_icon = False
        pystray = tray_backend.load_pystray(legacy_tray=self._uses_legacy_tray)
        with contextlib.closing(OverviewReader(self._state)) as reader:
            self._read_snapshot(reader)
        builder = MenuBuilder(pystray, self._actions)
        menu = pystray.Menu(lambda: builder.build(self.snapshot, self._status))
        self._shown_state = IDLE
        load_picture = partial(_icon_images, sizes=ICON_SIZES if pystray.many_sizes else ICON_SIZES[-1:])
        icon = pystray.Icon(strings.APP, load_picture(IDLE), strings.APP, menu)
        icon.load_picture = load_picture
        icon_ended = threading.Event()
        self._icon = icon
        try:
            icon.run(lambda icon: self._update_until_stopped(icon, stop, icon_ended))
        finally:
            self._icon = None
            icon_ended.set()

    def show_balloon(self, title: str, text: str, on_click: Callable[[], object] | None) -> bool:
        """Show a plain notification beside the icon. Return False if there is no icon now, or none that can do that."""
        show = getattr(self._icon, "show_balloon", None)
        if show is None:
            return False
        show(title, text, on_click)
        return True

    def _update_until_stopped(self, icon: Any, stop: threading.Event, icon_ended: threading.Event) -> None:
        """Keep the icon up to date, in a thread beside its own loop; finally end the icon."""
        started_at = time.monotonic()
        reader = OverviewReader(self._state)
        try:
            self._refresh(icon, reader)
            tray_backend.call_on_ui_thread(lambda: setattr(icon, "visible", True))
            while (
                not icon_ended.wait(POLL_SECONDS)
                and not stop.is_set()
                and not self._should_switch_tray(icon, started_at)
            ):
                try:
                    self._refresh(icon, reader)
                except Exception:  # any error: this loop must still end the icon
                    logger.exception("The icon could not be updated")
                    icon_ended.wait(RETRY_SECONDS)
        finally:
            reader.close()
            icon.stop()

    def _refresh(self, icon: Any, reader: OverviewReader) -> None:
        """Show what has changed."""
        if not reader.has_changed() or not self._read_snapshot(reader):
            return
        title = strings.TOOLTIP.format(status=self._status)
        state = icon_state(self.snapshot)

        def show() -> None:
            if state != self._shown_state:
                icon.attention = state == ATTENTION
                icon.icon, self._shown_state = icon.load_picture(state), state
            icon.title = title
            icon.update_menu()

        tray_backend.call_on_ui_thread(show)

    def _read_snapshot(self, reader: OverviewReader) -> bool:
        """Read settings and journal into `snapshot`. Return False if the journal cannot be read now."""
        previous = self.snapshot
        try:
            self.snapshot = reader.read()
        except NobgError as error:
            logger.info("The icon keeps its last state: %s", error)
            return False
        if previous.offers and not self.snapshot.offers:
            self._actions.dismiss_setup()  # all is set up: do not offer it again when the person removes some of it
        self._status = describe_status(self.snapshot, self._describe_progress(self.snapshot.waiting))
        return True

    def _should_switch_tray(self, icon: Any, started_at: float) -> bool:
        """Return whether the icon must move: to another session, to X11's bar without a modern one, or back to that."""
        now = time.monotonic()
        self._sessions.refresh()
        if self._generation != self._sessions.generation:
            return True
        if self._uses_legacy_tray and now >= self._next_host_check_at:
            self._next_host_check_at = now + HOST_POLL_SECONDS
            self._uses_legacy_tray = not tray_backend.has_modern_host()
            return not self._uses_legacy_tray
        if getattr(icon, "registered", True) or now - started_at < HOST_GRACE_SECONDS or self._has_reported_no_icon:
            return False
        self._uses_legacy_tray = tray_backend.has_legacy_tray()
        if not self._uses_legacy_tray:
            self._has_reported_no_icon = True
            logger.info("%s", strings.NO_ICON)
            text = advise(strings.NO_ICON, terminal="Everything can be done with commands, too: nobg --help")
            self._print_message(for_terminal(text))
        return self._uses_legacy_tray


def _icon_images(state: str, sizes: Sequence[int]) -> Any:
    """Return the icon of a state: a list of one PIL image per size (pixels), or a single image if there is one size."""
    from PIL import Image

    def load(size: int) -> Image.Image:
        with Image.open(paths.asset(f"tray/{state}-{size}.png")) as picture:
            return picture.convert("RGBA")

    return [load(size) for size in sizes] if len(sizes) > 1 else load(sizes[0])
