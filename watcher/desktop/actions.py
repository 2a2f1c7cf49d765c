"""What a click does, in the icon's menu or in a notification.

Each action opens what it needs; any thread may call it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from watcher import enqueue, paths
from watcher.desktop import overview, shell, strings
from watcher.desktop.notifications import Notification
from watcher.errors import NobgError
from watcher.naming import escape_unprintable
from watcher.program import control, edit_config, menus
from watcher.queue import store, undo
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.settings import config

logger = logging.getLogger(__name__)

MAX_FAILURE_LINES = 3  # cut-outs that one notification lists as not undone


class Actions:
    """The actions, one method each. `notify` shows a person the outcome; `stop_program` ends the program."""

    def __init__(self, notify: Callable[[Notification], None], stop_program: Callable[[], None]) -> None:
        self._notify = notify
        self._stop_program = stop_program

    def with_error_notification(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Return a function that calls `callback` and, in place of raising, notifies the person of the error."""

        def guarded() -> None:
            try:
                callback()
            except NobgError as error:
                self._notify(Notification(strings.FAILED, error.on_desktop))
            except Exception:  # any error: one click must not end the program
                logger.exception("A click could not be carried out")
                self._notify(Notification(strings.FAILED, strings.UNEXPECTED_ERROR))

        return guarded

    def set_paused(self, *, paused: bool) -> None:
        """Pause the work, or resume it."""
        with _open_journal() as journal:
            control.set_paused(journal, paused=paused)

    def set_folder_enabled(self, folder: Path, *, enabled: bool) -> None:
        """Switch a watched folder on or off."""
        edit_config.set_folder_value(paths.config_path(), folder, "enabled", None if enabled else False)

    def set_folder_recursive(self, folder: Path, *, recursive: bool) -> None:
        """Watch the folders inside a watched folder, too, or no longer."""
        edit_config.set_folder_value(paths.config_path(), folder, "recursive", True if recursive else None)

    def stop_watching(self, folder: Path) -> None:
        """Remove a watched folder from the settings."""
        edit_config.remove_folder(paths.config_path(), folder)

    def add_folder(self) -> None:
        """Let the person choose a folder, and watch it."""
        chosen = shell.choose_folder(_pictures_folder())
        if chosen is not None:
            self._watch_folder(chosen)

    def _watch_folder(self, path: Path) -> None:
        path = Path(os.path.abspath(path))
        watched = config.load(paths.config_path()).folders
        existing = next((folder for folder in watched if folder.path == path), None)
        if existing is not None:  # keep its settings
            self.set_folder_enabled(path, enabled=True)
        with _open_journal() as journal:
            folder = existing or control.watch_folder(path)
            count = control.count_pictures(folder, journal)
        text = strings.pluralize(strings.WATCHED_WITH_PICTURES, count) if count else strings.WATCHED_EMPTY
        buttons = ((strings.OPEN_FOLDER, self.with_error_notification(partial(self.open, folder.path))),)
        self._notify(Notification(strings.WATCHED.format(folder=escape_unprintable(folder.path.name)), text, buttons))

    def choose_output(self, recipe: str) -> None:
        """Set the default recipe, by its name or as `overview.TRANSPARENT`."""
        chosen = None if recipe == overview.TRANSPARENT else recipe
        edit_config.set_value(paths.config_path(), "recipe", chosen)

    def open(self, path: Path) -> None:
        """Open a file or a folder."""
        shell.open_path(path)

    def reveal(self, path: Path) -> None:
        """Show a file in its folder."""
        shell.reveal(path)

    def touch_up(self, picture: Path) -> None:
        """Open the window in which a person touches up a cut-out. `picture`: the cut-out, or its original."""
        enqueue.start_editor(["--", str(picture)])

    def show_where(self, picture: Path) -> None:
        """Open that window with the tool that draws a box around the subject."""
        enqueue.start_editor(["--tool", "box", "--", str(picture)])

    def review(self) -> None:
        """Open the window on the cut-outs that want a look."""
        enqueue.start_editor(["--review"])

    def cut_out_anyway(self, job_ids: Sequence[int]) -> None:
        """Do these jobs again, and write their outputs though no subject is clear."""
        with _open_journal() as journal:
            known = [job.id for job in journal.find_jobs(job_ids) if job.id is not None]
            if not known:  # they are forgotten since the notification was shown
                raise NobgError(strings.NOTHING_TO_CUT_OUT)
            control.retry(journal, known)
        store.wake_program(str(paths.state_dir()))

    def undo_last(self) -> None:
        """Move the cut-outs of the last request to the trash."""
        with _open_journal() as journal:
            jobs = control.latest_undoable_jobs(journal)
            if not jobs:
                raise NobgError(strings.NOTHING_TO_UNDO)
            self._undo_jobs(jobs, journal)

    def undo(self, job_ids: Sequence[int]) -> None:
        """Move the cut-outs of these jobs to the trash."""
        with _open_journal() as journal:
            jobs = journal.find_jobs(job_ids)
            if not jobs:  # they are forgotten since the notification was shown
                raise NobgError(strings.NOTHING_TO_UNDO)
            self._undo_jobs(jobs, journal)

    def _undo_jobs(self, jobs: Sequence[Job], journal: Journal) -> None:
        results = list(undo.undo(jobs, journal, undo.move_to_trash))
        failures = [(job, why) for job, why in results if why is not None]
        lines = [
            strings.NOT_UNDONE.format(name=escape_unprintable((job.output or job.source).name), why=why)
            for job, why in failures[:MAX_FAILURE_LINES]
        ]
        if len(failures) > MAX_FAILURE_LINES:
            lines.append(strings.MORE.format(count=len(failures) - MAX_FAILURE_LINES))
        undone_count = len(results) - len(failures)
        title = strings.pluralize(strings.IN_TRASH, undone_count) if undone_count else strings.FAILED
        self._notify(Notification(title, "\n".join(lines)))

    def open_history(self) -> None:
        """Write the history page and open it in the browser."""
        with _open_journal() as journal:
            page = control.write_history_page(journal)
        if not webbrowser.open(page.as_uri()):
            raise NobgError(strings.CANNOT_OPEN.format(name=page))

    def forget(self, older_than_days: int | None) -> None:
        """Delete the records of finished jobs: of all, or of those that are older than this."""
        with _open_journal() as journal:
            count = len(control.forget(journal, older_than_days=older_than_days))
        self._notify(Notification(strings.pluralize(strings.FORGOTTEN, count), strings.FORGOTTEN_TEXT))

    def set_in_menu(self, *, enabled: bool) -> None:
        """Add nobg to the right-click menu of every file manager found, or remove it from all of them."""
        results = menus.switch_menus(on=enabled)
        problems = [
            strings.MENU_PROBLEM.format(manager=result.target.label, problem=problem)
            for result in results
            for problem in result.problems
        ]
        if problems or not any(result.addresses for result in results):
            raise NobgError("\n".join(problems) or strings.NO_FILE_MANAGER)
        targets_to_restart = [
            result.target for result in results if result.changed and result.target.restart_instruction and enabled
        ]
        if targets_to_restart:
            text = "\n".join(
                strings.RESTART_HINT.format(manager=target.label, how=target.restart_instruction)
                for target in targets_to_restart
            )
            self._notify(Notification(strings.MENU_CHANGED, text))

    def set_start_at_login(self, *, enabled: bool) -> None:
        """Switch the start at login on or off."""
        result = menus.switch_autostart(on=enabled)
        if result.problems:
            raise NobgError("\n".join(result.problems))

    def set_notifications(self, *, enabled: bool) -> None:
        """Switch notifications of finished pictures on or off."""
        edit_config.set_value(paths.config_path(), "notifications", None if enabled else False)

    def open_settings(self) -> None:
        """Open config.toml in the person's editor; create it if there is none."""
        if not paths.config_path().exists():
            edit_config.change(paths.config_path(), lambda _document: None)
        shell.open_path(paths.config_path())

    def accept_offers(self, offers: Sequence[str]) -> None:
        """Set up what the first start offered: any of overview's `SETUP_MENU`, `SETUP_FOLDER` and `SETUP_LOGIN`."""
        action_by_offer: dict[str, Callable[[], None]] = {
            overview.SETUP_MENU: partial(self.set_in_menu, enabled=True),
            overview.SETUP_FOLDER: self._watch_offered_folder,
            overview.SETUP_LOGIN: partial(self.set_start_at_login, enabled=True),
        }
        for offer in offers:
            self.with_error_notification(action_by_offer[offer])()  # one failure must not stop the next action

    def _watch_offered_folder(self) -> None:
        folder = overview.offered_folder()
        if folder is None:
            raise NobgError(strings.NO_PICTURES_FOLDER)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NobgError(strings.CANNOT_CREATE_FOLDER.format(folder=folder, why=error.strerror)) from error
        self._watch_folder(folder)

    def dismiss_setup(self) -> None:
        """Stop offering to set nobg up."""
        with _open_journal() as journal:
            journal.set_setting("welcome", overview.SETUP_DISMISSED)

    def quit(self) -> None:
        """End the program once the current picture is done."""
        self._stop_program()


@contextlib.contextmanager
def _open_journal() -> Iterator[Journal]:
    with contextlib.closing(Journal(paths.state_dir())) as journal:
        yield journal


def _pictures_folder() -> Path:
    """Return the folder that the folder chooser opens first."""
    pictures = overview.pictures_folder()
    if pictures is None:
        return Path(os.sep)
    return pictures if pictures.is_dir() else Path(paths.home_folder())
