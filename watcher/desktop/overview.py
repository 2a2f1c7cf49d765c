"""Everything that the icon and its menu show of settings, journal and integrations, as one frozen value."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import integrations
from integrations.artifact import IntegrationError
from integrations.record import Record
from watcher import paths
from watcher.desktop import strings
from watcher.errors import DESTINATION_REASONS, NobgError, UsageError, for_desktop
from watcher.matting import modes
from watcher.program import control, damage, menus, review
from watcher.queue.journal import Journal
from watcher.settings import config
from watcher.settings.config import LAST_GOOD_FILE, Config, Folder

MAX_RECENT = 10  # cut-outs in the menu
MTIME_MARGIN_NANOSECONDS = 50_000_000  # two changes within a few milliseconds may get the same time
TRANSPARENT = "transparent"
"""The recipe that applies if the settings name none."""

SETUP_OFFERED, SETUP_DISMISSED = "offered", "over"
"""Values of the journal's setting `welcome`: the menu offers to set nobg up; or the person has declined or done it."""

SETUP_MENU, SETUP_FOLDER, SETUP_LOGIN = "menu", "folder", "login"
"""What nobg offers to set up."""


@dataclass(frozen=True)
class FolderStatus:
    """A watched folder. `enabled`: whether it is switched on. `problem`: why it cannot be watched; None: it can be.

    `recursive`: whether the folders inside it are watched, too. `unwatched`, `named_like_cut_outs`: sentences about
    pictures that it leaves alone: in folders inside it, or for their names; None: there are none.
    """

    path: Path
    enabled: bool = True
    problem: str | None = None
    recursive: bool = False
    unwatched: str | None = None
    named_like_cut_outs: str | None = None


@dataclass(frozen=True)
class UnclearPicture:
    """A picture without a clear subject, so that nothing was written. `job_id`: the number of its job."""

    path: Path
    job_id: int


@dataclass(frozen=True)
class Overview:
    """The state of nobg. `waiting` counts pictures; `recent` are cut-outs, the newest first.

    `unclear` are the pictures without a clear subject of the same time. `doubtful_count` counts the cut-outs that want
    a look, up to review.MAX_COUNTED.

    `offline_by`: what keeps the worker from the network; empty: this system cannot verify it; None: no worker has
    reported yet. `offers`: what is still to be set up after the first start, by `SETUP_MENU` and the like.
    """

    paused: bool = False
    waiting: int = 0
    folders: tuple[FolderStatus, ...] = ()
    recipe: str = TRANSPARENT
    recent: tuple[Path, ...] = ()
    unclear: tuple[UnclearPicture, ...] = ()
    doubtful_count: int = 0
    problems: tuple[str, ...] = ()
    notifications: bool = True
    is_in_menu: bool = False
    starts_at_login: bool = False
    model: str = modes.DEFAULT.name
    offline_by: str | None = None
    offers: tuple[str, ...] = ()


def pictures_folder() -> Path | None:
    """Return the person's Pictures folder, which need not exist. None: there is no home folder."""
    try:
        paths.home_folder()
    except UsageError:
        return None
    import platformdirs

    return platformdirs.user_pictures_path()


def offered_folder() -> Path | None:
    """Return the folder in the person's Pictures that nobg offers to watch; it may not exist yet.

    None: there is no home folder, so there are no Pictures.
    """
    pictures = pictures_folder()
    return None if pictures is None else pictures / strings.PICTURES_FOLDER


class OverviewReader:
    """Reads the overview, for one thread. `has_changed` calls stat for a few files and reads nothing."""

    def __init__(self, state: Path) -> None:
        """`state`: the folder of jobs.db."""
        self._state = state
        names = ("jobs.db", "jobs.db-wal", menus.RECORD_FILE_NAME)  # each transaction changes the -wal file
        self._files = (str(paths.config_path()), *(str(state / name) for name in names))
        self._login_files: list[str] = []
        self._damaged_files: list[str] = []
        self._journal: Journal | None = None
        self._last_stamps: list[tuple[int, int, int] | None] | None = None

    def close(self) -> None:
        """Close the journal."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def has_changed(self) -> bool:
        """Return whether any program has changed a file since the last call."""
        stamps = [_stamp(path) for path in (*self._files, *self._login_files, *self._damaged_files)]
        changed = stamps != self._last_stamps
        newest = max((stamp[2] for stamp in stamps if stamp is not None), default=0)
        # Another change may get the same time; not if the file is from the future: the clock was set back.
        is_settled = not 0 <= time.time_ns() - newest <= MTIME_MARGIN_NANOSECONDS
        self._last_stamps = stamps if is_settled else None
        return changed

    def read(self) -> Overview:
        """Return the state of nobg now. Raises NobgError while the journal cannot be read."""
        try:
            return self._read()
        except NobgError:
            self.close()
            raise

    def _open_journal(self) -> Journal:
        if self._journal is not None and not self._journal.is_current():
            self.close()
        if self._journal is None:
            self._journal = Journal(self._state)
        return self._journal

    def _read(self) -> Overview:
        journal = self._open_journal()
        settings, problems = _load_settings(self._state)
        folder_states = json.loads(journal.get_setting("folders") or "{}")
        folders = tuple(
            _folder_status(folder, folder_states.get(str(folder.path), [None, None])) for folder in settings.folders
        )
        problems += [f"{folder.path}: {folder.problem}" for folder in folders if folder.enabled and folder.problem]
        problems += [f"{place}: {DESTINATION_REASONS[reason]}" for place, reason in control.waiting_places(journal)]
        trouble = journal.get_setting("trouble")
        problems += [] if trouble is None else [for_desktop(trouble)]
        problems += map(for_desktop, damage.texts(journal, self._state))
        self._damaged_files = [str(path) for path in damage.damaged_files(self._state)]  # to notice their deletion
        is_in_menu, (login_file, starts_at_login) = _is_in_menu(self._state), _read_login_start()
        self._login_files = [login_file] if login_file else []
        return Overview(
            paused=journal.get_setting("paused") is not None,
            waiting=sum(journal.pending_counts()),
            folders=folders,
            recipe=settings.default_recipe or TRANSPARENT,
            recent=tuple(journal.recent_outputs(MAX_RECENT)),
            unclear=tuple(
                UnclearPicture(job.source, job.id)
                for job in journal.failures.without_subject(MAX_RECENT)
                if job.id is not None
            ),
            doubtful_count=review.count(journal),
            problems=tuple(dict.fromkeys(problems)),
            notifications=settings.notifications,
            is_in_menu=is_in_menu,
            starts_at_login=starts_at_login,
            model=settings.model or modes.DEFAULT.name,
            offline_by=journal.get_setting("offline_by"),
            offers=_remaining_offers(journal, is_in_menu=is_in_menu, starts_at_login=starts_at_login, folders=folders),
        )


def _folder_status(folder: Folder, state: Sequence[Any]) -> FolderStatus:
    """Return a folder as the menu shows it. `state`: what the watcher has recorded of it."""
    _state, problem, *rest = state
    left_out = rest[0] if rest else {}
    inside, named = left_out.get("inside"), left_out.get("named_like_cut_outs")
    unwatched = strings.UNWATCHED_AT_LEAST if left_out.get("more_inside") else strings.UNWATCHED
    return FolderStatus(
        folder.path,
        folder.enabled,
        problem and for_desktop(problem),
        folder.recursive,
        strings.pluralize(unwatched, inside) if inside and not folder.recursive else None,
        strings.pluralize(strings.NAMED_LIKE_CUT_OUTS, named, example=left_out.get("example")) if named else None,
    )


def _remaining_offers(
    journal: Journal, *, is_in_menu: bool, starts_at_login: bool, folders: tuple[FolderStatus, ...]
) -> tuple[str, ...]:
    if journal.get_setting("welcome") != SETUP_OFFERED:
        return ()
    is_set_up = {
        SETUP_MENU: is_in_menu,
        SETUP_FOLDER: bool(folders) or offered_folder() is None,
        SETUP_LOGIN: starts_at_login,
    }
    return tuple(offer for offer, is_done in is_set_up.items() if not is_done)


def _load_settings(state: Path) -> tuple[Config, list[str]]:
    """Return the settings in force and what is wrong with config.toml: no problem, or one."""
    try:
        return config.load(paths.config_path()), []
    except UsageError as error:
        return config.load_last_good(state / LAST_GOOD_FILE), [error.on_desktop]


def _is_in_menu(state: Path) -> bool:
    """Return whether nobg is in any right-click menu: the record has it and its files still exist."""
    with contextlib.suppress(IntegrationError, OSError):
        record = Record.load(state / menus.RECORD_FILE_NAME)
        users = {user for entry in record.entries.values() if _entry_exists(entry) for user in entry["users"]}
        return bool(users - {integrations.autostart_target().key})
    return False


def _read_login_start() -> tuple[str, bool]:
    """Return the file that decides whether nobg starts at login ("": none), and whether it does."""
    with contextlib.suppress(UsageError):
        start = menus.login_start()
        return start.path, start.starts
    return "", False


def _entry_exists(entry: dict[str, Any]) -> bool:
    """Return whether the file of an entry exists; entries of other kinds (registry keys) count as existing."""
    return entry["kind"] != "file" or os.path.exists(entry["address"])


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)
