"""What a person sees of the running program: its icon, what it says of finished pictures, and the first offer."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from watcher import paths
from watcher.desktop import overview, strings
from watcher.desktop.actions import Deeds
from watcher.desktop.batch import Batch, Summary, progress
from watcher.desktop.notifications import Notice, Notifier
from watcher.desktop.tray import Tray
from watcher.queue.journal import Job, Journal

logger = logging.getLogger(__name__)

AGAIN = 5.0  # seconds before the icon is tried again, when there is nothing to show it on


class Front:
    """`finished` and `rest` are told by the thread that does the pictures; `run` belongs to the main thread.

    Whatever happens here, the work goes on.
    """

    def __init__(self, state: Path, end: Callable[[], None], say: Callable[[str], None] = logger.info) -> None:
        """`state`: the folder of jobs.db. `end` ends the program. `say` reaches a person who has started it by hand."""
        self._state = state
        self._batch = Batch()
        self._notifier = Notifier()
        self._deeds = Deeds(self._notifier.show, end)
        self._tray = Tray(state, self._deeds, self._progress, say)

    def run(self, stop: threading.Event) -> None:
        """Show the icon, and again whenever what shows it comes back, until `stop`."""
        try:
            self._welcome()
        except Exception:  # whatever it is: the work goes on
            logger.exception("The first offer could not be made")
        last = ""
        while not stop.is_set():
            try:
                self._tray.run(stop)
            except Exception as error:  # whatever it is: the work goes on without an icon
                if str(error) != last:
                    logger.info("No icon for now: %s", error, exc_info=not isinstance(error, OSError))
                last = str(error)
                stop.wait(AGAIN)
        self._notifier.close()

    def finished(self, job: Job) -> None:
        """A picture is done, or will not be."""
        self._batch.add(job)

    def rest(self, *, notifications: bool) -> bool:
        """There is nothing to do now. True: something is still to be said, so ask again soon."""
        summary = self._batch.rest()
        if summary is not None and notifications:
            self._notifier.show(self._notice(summary))
        return self._batch.owes

    def _progress(self, waiting: int) -> str:
        return progress(self._batch.finished, waiting, self._batch.elapsed)

    def _notice(self, summary: Summary) -> Notice:
        """With what a person can do about it."""
        deeds = self._deeds
        if summary.target is None or summary.shown is None:
            return Notice(summary.title, summary.body, clicked=deeds.safely(deeds.history))
        buttons = [(strings.OPEN_FOLDER, deeds.safely(partial(deeds.reveal, summary.shown)))]
        if summary.done:
            buttons.append((strings.UNDO, deeds.safely(partial(deeds.undo, summary.done))))
        return Notice(summary.title, summary.body, tuple(buttons), deeds.safely(partial(deeds.open, summary.target)))

    def _welcome(self) -> None:
        """At the very first start, offer once to set nobg up; the menu goes on offering."""
        with contextlib.closing(Journal(self._state)) as journal:
            if paths.config_path().exists() or journal.setting("welcome") is not None:
                return
            journal.set("welcome", overview.OFFERED)
        look = overview.Look(self._state)
        offers = look.read().offers
        look.close()
        deeds = self._deeds
        choices: list[tuple[str, Callable[[], object]]] = [
            (strings.WELCOME_ALL, partial(deeds.set_up, offers)),
            (strings.WELCOME_NONE, deeds.no_thanks),
        ]
        if overview.MENU in offers:
            choices.insert(1, (strings.WELCOME_MENU, partial(deeds.set_up, [overview.MENU])))
        if offers:
            buttons = tuple((label, deeds.safely(act)) for label, act in choices)
            self._notifier.show(Notice(strings.WELCOME, strings.WELCOME_TEXT, buttons))
