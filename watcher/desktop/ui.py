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
from watcher.desktop.actions import Actions
from watcher.desktop.batch import Batch, Summary, describe_progress
from watcher.desktop.notifications import Notification, Notifier
from watcher.desktop.tray import Tray
from watcher.queue.journal import Job, Journal

logger = logging.getLogger(__name__)

ICON_RETRY_SECONDS = 5.0  # seconds before the icon is tried again, when there is nothing to show it on


class UserInterface:
    """`finished` and `rest` are told by the thread that does the pictures; `run` belongs to the main thread.

    Whatever happens here, the work goes on.
    """

    def __init__(
        self, state: Path, stop_program: Callable[[], None], print_message: Callable[[str], None] = logger.info
    ) -> None:
        """`state`: the folder of jobs.db. `end` ends the program. `say` reaches a person who has started it by hand."""
        self._state = state
        self._batch = Batch()
        self._notifier = Notifier()
        self._actions = Actions(self._notifier.show, stop_program)
        self._tray = Tray(state, self._actions, self._describe_progress, print_message)

    def run(self, stop: threading.Event) -> None:
        """Show the icon, and again whenever what shows it comes back, until `stop`."""
        try:
            self._offer_setup()
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
                stop.wait(ICON_RETRY_SECONDS)
        self._notifier.close()

    def on_job_finished(self, job: Job) -> None:
        """A picture is done, or will not be."""
        self._batch.add(job)

    def on_queue_idle(self, *, notifications: bool) -> bool:
        """There is nothing to do now. True: something is still to be said, so ask again soon."""
        summary = self._batch.take_due_summary()
        if summary is not None and notifications:
            self._notifier.show(self._make_notification(summary))
        return self._batch.has_pending_summary

    def _describe_progress(self, waiting: int) -> str:
        return describe_progress(self._batch.finished_count, waiting, self._batch.elapsed)

    def _make_notification(self, summary: Summary) -> Notification:
        """With what a person can do about it."""
        deeds = self._actions
        if summary.target is None or summary.first_output is None:
            return Notification(summary.title, summary.body, on_click=deeds.with_error_notification(deeds.open_history))
        buttons = [(strings.OPEN_FOLDER, deeds.with_error_notification(partial(deeds.reveal, summary.first_output)))]
        if summary.done_ids:
            buttons.append((strings.UNDO, deeds.with_error_notification(partial(deeds.undo, summary.done_ids))))
        return Notification(
            summary.title,
            summary.body,
            tuple(buttons),
            deeds.with_error_notification(partial(deeds.open, summary.target)),
        )

    def _offer_setup(self) -> None:
        """At the very first start, offer once to set nobg up; the menu goes on offering."""
        with contextlib.closing(Journal(self._state)) as journal:
            if paths.config_path().exists() or journal.get_setting("welcome") is not None:
                return
            journal.set_setting("welcome", overview.SETUP_OFFERED)
        look = overview.OverviewReader(self._state)
        offers = look.read().offers
        look.close()
        deeds = self._actions
        choices: list[tuple[str, Callable[[], object]]] = [
            (strings.WELCOME_ALL, partial(deeds.accept_offers, offers)),
            (strings.WELCOME_NONE, deeds.dismiss_setup),
        ]
        if overview.SETUP_MENU in offers:
            choices.insert(1, (strings.WELCOME_MENU, partial(deeds.accept_offers, [overview.SETUP_MENU])))
        if offers:
            buttons = tuple((label, deeds.with_error_notification(act)) for label, act in choices)
            self._notifier.show(Notification(strings.WELCOME, strings.WELCOME_TEXT, buttons))
