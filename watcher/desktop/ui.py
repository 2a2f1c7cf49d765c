"""What a person sees of the running program: icon, notifications of finished pictures, the offer of the first start."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from watcher import paths
from watcher.desktop import overview, strings, tray_backend
from watcher.desktop.actions import Actions
from watcher.desktop.batch import Batch, Summary, describe_progress
from watcher.desktop.notifications import Notification, Notifier
from watcher.desktop.sessions import Sessions
from watcher.desktop.tray import Tray
from watcher.errors import for_desktop
from watcher.queue.job import Job
from watcher.queue.journal import Journal

logger = logging.getLogger(__name__)

ICON_RETRY_SECONDS = 5.0  # before the icon is tried again after nothing could show it
SESSION_POLL_SECONDS = 1.0  # meanwhile, between two checks whether a new desktop session has handed itself over

MAX_BUTTONS = 3  # of a notification: GNOME shows no more


class UserInterface:
    """Joins icon, menu and notifications. No failure here stops the work.

    The thread that does the pictures calls `on_job_finished` and `on_queue_idle`; the main thread calls `run`.
    """

    def __init__(
        self, state: Path, stop_program: Callable[[], None], print_message: Callable[[str], None] = logger.info
    ) -> None:
        """Prepare the interface; show nothing yet.

        `state`: the folder of jobs.db. `stop_program` ends the program. `print_message` reaches a person who started
        the program in a terminal.
        """
        tray_backend.prepare_process()
        self._state = state
        self._batch = Batch()
        self._sessions = Sessions(state)
        self._notifier = Notifier(
            find_session=partial(self._sessions.refresh, check=True), show_plainly=self._show_plainly
        )
        self._actions = Actions(self._notifier.show, stop_program)
        self._tray = Tray(state, self._actions, self._describe_progress, print_message, self._sessions)

    def run(self, stop: threading.Event) -> None:
        """Show the icon until `stop` is set; try again whenever the desktop cannot show it."""
        try:
            self._offer_setup()
        except Exception:  # any error: this must not stop the work
            logger.exception("The offer of the first start could not be shown")
        last_problem = ""
        while not stop.is_set():
            self._sessions.refresh(check=True)
            try:
                self._tray.run(stop)
            except Exception as error:  # any error: nobg works without an icon
                if str(error) != last_problem:
                    logger.info("No icon for now: %s", error, exc_info=not isinstance(error, OSError))
                last_problem = str(error)
                self._wait_for_session(stop)
        self._notifier.close()

    def _wait_for_session(self, stop: threading.Event) -> None:
        """Wait until the icon is to be tried again."""
        retry_at = time.monotonic() + ICON_RETRY_SECONDS
        while time.monotonic() < retry_at and not self._sessions.has_news():
            if stop.wait(SESSION_POLL_SECONDS):
                return

    def on_job_finished(self, job: Job) -> None:
        """Take note of a job that is done, skipped or failed."""
        self._batch.add(job)

    def on_queue_idle(self, *, notifications: bool) -> bool:
        """Show a notification if one is due. Return whether one is still pending: then call this again soon.

        `notifications`: False drops what is due.
        """
        summary = self._batch.take_due_summary()
        if summary is not None and notifications:
            self._notifier.show(self._make_notification(summary))
        return self._batch.has_pending_summary

    def on_records_damaged(self, text: str) -> None:
        """Show what happened to damaged records."""
        self._notifier.show(Notification(strings.RECORDS_DAMAGED, for_desktop(text)))

    def _show_plainly(self, notification: Notification) -> bool:
        return self._tray.show_balloon(notification.title, notification.body, notification.on_click)

    def _describe_progress(self, waiting: int) -> str:
        return describe_progress(self._batch.finished_count, waiting, self._batch.elapsed)

    def _make_notification(self, summary: Summary) -> Notification:
        """Return the summary as a notification with its buttons."""
        actions, guard = self._actions, self._actions.with_error_notification
        choices: list[tuple[str, Callable[[], object]]] = []
        if summary.only_output is not None:
            choices.append((strings.TOUCH_UP, partial(actions.touch_up, summary.only_output)))
        elif summary.doubtful_count:
            choices.append((strings.HAVE_A_LOOK, actions.review))
        if summary.only_unclear is not None:
            choices.append((strings.SHOW_WHERE, partial(actions.show_where, summary.only_unclear)))
        if summary.unclear_ids:
            choices.append((strings.CUT_OUT_ANYWAY, partial(actions.cut_out_anyway, summary.unclear_ids)))
        if summary.first_output is not None and len(choices) < MAX_BUTTONS - 1:  # a click beside them opens it, too
            choices.append((strings.OPEN_FOLDER, partial(actions.reveal, summary.first_output)))
        if summary.done_ids:
            choices.append((strings.UNDO, partial(actions.undo, summary.done_ids)))
        buttons = tuple((label, guard(callback)) for label, callback in choices)
        on_click = actions.open_history if summary.target is None else partial(actions.open, summary.target)
        return Notification(summary.title, summary.body, buttons, guard(on_click))

    def _offer_setup(self) -> None:
        """At the very first start, offer once in a notification to set nobg up; the menu keeps offering it."""
        with contextlib.closing(Journal(self._state)) as journal:
            if paths.config_path().exists() or journal.get_setting("welcome") is not None:
                return
            journal.set_setting("welcome", overview.SETUP_OFFERED)
        reader = overview.OverviewReader(self._state)
        offers = reader.read().offers
        reader.close()
        actions = self._actions
        choices: list[tuple[str, Callable[[], object]]] = [
            (strings.WELCOME_ALL, partial(actions.accept_offers, offers)),
            (strings.WELCOME_NONE, actions.dismiss_setup),
        ]
        if overview.SETUP_MENU in offers:
            choices.insert(1, (strings.WELCOME_MENU, partial(actions.accept_offers, [overview.SETUP_MENU])))
        if offers:
            buttons = tuple((label, actions.with_error_notification(callback)) for label, callback in choices)
            self._notifier.show(Notification(strings.WELCOME, strings.WELCOME_TEXT, buttons))
