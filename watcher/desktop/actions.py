"""What a click does, in the icon's menu or in a notification. Each opens what it needs; any thread may call it."""

from __future__ import annotations

import contextlib
import logging
import os
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from watcher import config, paths
from watcher.desktop import overview, shell, strings
from watcher.desktop.notifications import Notification
from watcher.errors import NobgError
from watcher.naming import escape_unprintable
from watcher.program import control, edit_config, menus
from watcher.queue import undo
from watcher.queue.journal import Job, Journal

logger = logging.getLogger(__name__)

MAX_FAILURE_LINES = 3  # of what was left, in one answer


class Actions:
    """The clicks, each a method. `answer` shows a person what became of one; `end` ends the program."""

    def __init__(self, notify: Callable[[Notification], None], stop_program: Callable[[], None]) -> None:
        self._notify = notify
        self._stop_program = stop_program

    def with_error_notification(self, callback: Callable[[], object]) -> Callable[[], None]:
        """`act`, with what goes wrong said to the person, and never raised."""

        def acted() -> None:
            try:
                callback()
            except NobgError as error:
                self._notify(Notification(strings.FAILED, str(error)))
            except Exception:  # whatever it is: one click must not end the program
                logger.exception("A click could not be carried out")
                self._notify(Notification(strings.FAILED, strings.UNEXPECTED_ERROR))

        return acted

    def set_paused(self, *, paused: bool) -> None:
        """Do nothing for now; or go on."""
        with _open_journal() as journal:
            control.set_paused(journal, paused=paused)

    def set_folder_enabled(self, folder: Path, *, enabled: bool) -> None:
        """Switch a watched folder on or off."""
        edit_config.set_folder(paths.config_path(), folder, "enabled", None if enabled else False)

    def stop_watching(self, folder: Path) -> None:
        """It is no watched folder any more."""
        edit_config.remove_folder(paths.config_path(), folder)

    def add_folder(self) -> None:
        """The person chooses one, and it is watched."""
        chosen = shell.choose_folder(_pictures_folder())
        if chosen is not None:
            self._watch_folder(chosen)

    def _watch_folder(self, path: Path) -> None:
        path = Path(os.path.abspath(path))
        known = next((one for one in config.load(paths.config_path()).folders if one.path == path), None)
        if known is not None:  # its settings stay
            self.set_folder_enabled(path, enabled=True)
        folder = known or control.watch_folder(path)
        count = control.count_pictures(folder)
        text = strings.pluralize(strings.WATCHED_WITH_PICTURES, count) if count else strings.WATCHED_EMPTY
        opened = ((strings.OPEN_FOLDER, self.with_error_notification(partial(self.open, folder.path))),)
        self._notify(Notification(strings.WATCHED.format(folder=escape_unprintable(folder.path.name)), text, opened))

    def choose_output(self, recipe: str) -> None:
        """What is made of new pictures where nothing else is said."""
        chosen = None if recipe == overview.TRANSPARENT else recipe
        edit_config.set_value(paths.config_path(), "recipe", chosen)

    def open(self, path: Path) -> None:
        """A file or a folder."""
        shell.open_path(path)

    def reveal(self, path: Path) -> None:
        """A file in its folder."""
        shell.reveal(path)

    def undo_last(self) -> None:
        """The cut-outs of the last request go to the trash."""
        with _open_journal() as journal:
            jobs = control.latest_undoable_jobs(journal)
            if not jobs:
                raise NobgError(strings.NOTHING_TO_UNDO)
            self._undo_jobs(jobs, journal)

    def undo(self, job_ids: Sequence[int]) -> None:
        """Those of these jobs do."""
        with _open_journal() as journal:
            self._undo_jobs(journal.find_jobs(job_ids), journal)

    def _undo_jobs(self, jobs: Sequence[Job], journal: Journal) -> None:
        results = list(undo.undo(jobs, journal, undo.move_to_trash))
        left = [(job, why) for job, why in results if why is not None]
        lines = [
            strings.NOT_UNDONE.format(name=escape_unprintable((job.output or job.source).name), why=why)
            for job, why in left[:MAX_FAILURE_LINES]
        ]
        if len(left) > MAX_FAILURE_LINES:
            lines.append(strings.MORE.format(count=len(left) - MAX_FAILURE_LINES))
        gone = len(results) - len(left)
        self._notify(
            Notification(strings.pluralize(strings.IN_TRASH, gone) if gone else strings.FAILED, "\n".join(lines))
        )

    def open_history(self) -> None:
        """The page with before and after."""
        with _open_journal() as journal:
            page = control.write_history_page(journal)
        if not webbrowser.open(page.as_uri()):
            raise NobgError(strings.CANNOT_OPEN.format(name=page))

    def set_in_menu(self, *, enabled: bool) -> None:
        """The right-click menu of every file manager that is here; or out of it."""
        results = menus.switch_menus(on=enabled)
        problems = [f"{one.target.label}: {problem}" for one in results for problem in one.problems]
        if problems or not any(one.addresses for one in results):
            raise NobgError("\n".join(problems) or strings.NO_FILE_MANAGER)
        restart = [one.target for one in results if one.changed and one.target.restart_instruction and enabled]
        if restart:
            text = "\n".join(
                strings.RESTART_HINT.format(manager=one.label, how=one.restart_instruction) for one in restart
            )
            self._notify(Notification(strings.MENU_CHANGED, text))

    def set_start_at_login(self, *, enabled: bool) -> None:
        """With the desktop; or not."""
        done = menus.switch_autostart(on=enabled)
        if done.problems:
            raise NobgError("\n".join(done.problems))

    def set_notifications(self, *, enabled: bool) -> None:
        """Say what is ready; or be quiet."""
        edit_config.set_value(paths.config_path(), "notifications", None if enabled else False)

    def open_settings(self) -> None:
        """config.toml in the person's editor; made if need be."""
        if not paths.config_path().exists():
            edit_config.change(paths.config_path(), lambda _document: None)
        shell.open_path(paths.config_path())

    def accept_offers(self, offers: Sequence[str]) -> None:
        """Do what was offered at the first start."""
        acts: dict[str, Callable[[], None]] = {
            overview.SETUP_MENU: partial(self.set_in_menu, enabled=True),
            overview.SETUP_FOLDER: self._watch_offered_folder,
            overview.SETUP_LOGIN: partial(self.set_start_at_login, enabled=True),
        }
        for offer in offers:
            self.with_error_notification(acts[offer])()  # one that fails keeps none from being done

    def _watch_offered_folder(self) -> None:
        folder = overview.offered_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NobgError(strings.CANNOT_CREATE_FOLDER.format(folder=folder, why=error.strerror)) from error
        self._watch_folder(folder)

    def dismiss_setup(self) -> None:
        """Offer nothing any more."""
        with _open_journal() as journal:
            journal.set_setting("welcome", overview.SETUP_DISMISSED)

    def quit(self) -> None:
        """End, once the picture in work is done."""
        self._stop_program()


@contextlib.contextmanager
def _open_journal() -> Iterator[Journal]:
    with contextlib.closing(Journal(paths.state_dir())) as journal:
        yield journal


def _pictures_folder() -> Path:
    """Where choosing a folder begins."""
    import platformdirs

    pictures = platformdirs.user_pictures_path()
    return pictures if pictures.is_dir() else Path.home()
