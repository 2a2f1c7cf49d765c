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
from watcher.desktop.notifications import Notice
from watcher.errors import NobgError
from watcher.naming import visible
from watcher.program import control, menus
from watcher.queue import undo
from watcher.queue.journal import Job, Journal

logger = logging.getLogger(__name__)

LINES = 3  # of what was left, in one answer


class Deeds:
    """The clicks, each a method. `answer` shows a person what became of one; `end` ends the program."""

    def __init__(self, answer: Callable[[Notice], None], end: Callable[[], None]) -> None:
        self._answer = answer
        self._end = end

    def safely(self, act: Callable[[], object]) -> Callable[[], None]:
        """`act`, with what goes wrong said to the person, and never raised."""

        def acted() -> None:
            try:
                act()
            except NobgError as error:
                self._answer(Notice(strings.FAILED, str(error)))
            except Exception:  # whatever it is: one click must not end the program
                logger.exception("A click could not be carried out")
                self._answer(Notice(strings.FAILED, strings.FAILED_WHY))

        return acted

    def pause(self, *, paused: bool) -> None:
        """Do nothing for now; or go on."""
        with _journal() as journal:
            control.set_paused(journal, paused=paused)

    def watch(self, folder: Path, *, enabled: bool) -> None:
        """Switch a watched folder on or off."""
        config.set_folder(paths.config_path(), folder, "enabled", None if enabled else False)

    def stop_watching(self, folder: Path) -> None:
        """It is no watched folder any more."""
        config.remove_folder(paths.config_path(), folder)

    def add_folder(self) -> None:
        """The person chooses one, and it is watched."""
        chosen = shell.choose_folder(_pictures())
        if chosen is not None:
            self._add(chosen)

    def _add(self, path: Path) -> None:
        path = Path(os.path.abspath(path))
        known = next((one for one in config.load(paths.config_path()).folders if one.path == path), None)
        if known is not None:  # its settings stay
            self.watch(path, enabled=True)
        folder = known or control.watch(path)
        count = control.waiting_pictures(folder)
        text = strings.counted(strings.WATCHED_SOME, count) if count else strings.WATCHED_NONE
        opened = ((strings.OPEN_FOLDER, self.safely(partial(self.open, folder.path))),)
        self._answer(Notice(strings.WATCHED.format(folder=visible(folder.path.name)), text, opened))

    def choose_output(self, recipe: str) -> None:
        """What is made of new pictures where nothing else is said."""
        chosen = None if recipe == overview.TRANSPARENT else recipe
        config.set_value(paths.config_path(), "recipe", chosen)

    def open(self, path: Path) -> None:
        """A file or a folder."""
        shell.open_path(path)

    def reveal(self, path: Path) -> None:
        """A file in its folder."""
        shell.reveal(path)

    def undo_last(self) -> None:
        """The cut-outs of the last request go to the trash."""
        with _journal() as journal:
            jobs = control.newest_to_undo(journal)
            if not jobs:
                raise NobgError(strings.NOTHING_TO_UNDO)
            self._undo(jobs, journal)

    def undo(self, numbers: Sequence[int]) -> None:
        """Those of these jobs do."""
        with _journal() as journal:
            self._undo(journal.jobs(numbers), journal)

    def _undo(self, jobs: Sequence[Job], journal: Journal) -> None:
        results = list(undo.undo(jobs, journal, undo.to_trash))
        left = [(job, why) for job, why in results if why is not None]
        lines = [
            strings.LEFT.format(name=visible((job.output or job.source).name), why=why) for job, why in left[:LINES]
        ]
        if len(left) > LINES:
            lines.append(strings.MORE.format(count=len(left) - LINES))
        gone = len(results) - len(left)
        self._answer(Notice(strings.counted(strings.IN_TRASH, gone) if gone else strings.FAILED, "\n".join(lines)))

    def history(self) -> None:
        """The page with before and after."""
        with _journal() as journal:
            page = control.write_page(journal)
        if not webbrowser.open(page.as_uri()):
            raise NobgError(strings.CANNOT_OPEN.format(name=page))

    def put_in_menu(self, *, wanted: bool) -> None:
        """The right-click menu of every file manager that is here; or out of it."""
        results = menus.switch(on=wanted)
        problems = [f"{one.manager.label}: {problem}" for one in results for problem in one.problems]
        if problems or not any(one.where for one in results):
            raise NobgError("\n".join(problems) or strings.NO_FILE_MANAGER)
        restart = [one.manager for one in results if one.changed and one.manager.notice and wanted]
        if restart:
            text = "\n".join(strings.RESTART.format(manager=one.label, how=one.notice) for one in restart)
            self._answer(Notice(strings.MENU_CHANGED, text))

    def start_at_login(self, *, wanted: bool) -> None:
        """With the desktop; or not."""
        done = menus.switch_autostart(on=wanted)
        if done.problems:
            raise NobgError("\n".join(done.problems))

    def notifications(self, *, wanted: bool) -> None:
        """Say what is ready; or be quiet."""
        config.set_value(paths.config_path(), "notifications", None if wanted else False)

    def settings(self) -> None:
        """config.toml in the person's editor; made if need be."""
        if not paths.config_path().exists():
            config.change(paths.config_path(), lambda _document: None)
        shell.open_path(paths.config_path())

    def set_up(self, offers: Sequence[str]) -> None:
        """Do what was offered at the first start."""
        acts: dict[str, Callable[[], None]] = {
            overview.MENU: partial(self.put_in_menu, wanted=True),
            overview.FOLDER: self._watch_offered,
            overview.LOGIN: partial(self.start_at_login, wanted=True),
        }
        for offer in offers:
            self.safely(acts[offer])()  # one that fails keeps none from being done

    def _watch_offered(self) -> None:
        folder = overview.offered_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NobgError(strings.CANNOT_MAKE.format(folder=folder, why=error.strerror)) from error
        self._add(folder)

    def no_thanks(self) -> None:
        """Offer nothing any more."""
        with _journal() as journal:
            journal.set("welcome", overview.OVER)

    def quit(self) -> None:
        """End, once the picture in work is done."""
        self._end()


@contextlib.contextmanager
def _journal() -> Iterator[Journal]:
    with contextlib.closing(Journal(paths.state_dir())) as journal:
        yield journal


def _pictures() -> Path:
    """Where choosing a folder begins."""
    import platformdirs

    pictures = platformdirs.user_pictures_path()
    return pictures if pictures.is_dir() else Path.home()
