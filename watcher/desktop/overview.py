"""What the icon and its menu show: everything that is asked of the settings and the journal, as one frozen value."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import integrations
from integrations import base
from watcher import config, paths
from watcher.config import LAST_GOOD_FILE, Config
from watcher.desktop import strings
from watcher.errors import DESTINATION_REASONS, NobgError, UsageError
from watcher.matting import modes
from watcher.program import menus
from watcher.queue.journal import Journal

MAX_RECENT = 10  # results in the menu
MTIME_MARGIN_NANOSECONDS = 50_000_000  # nanoseconds: file systems tell times apart by a few milliseconds
TRANSPARENT = "transparent"

SETUP_OFFERED, SETUP_DISMISSED = "offered", "over"
"""Of the journal's setting `welcome`: the menu offers to set nobg up; or the person has had enough of that."""

SETUP_MENU, SETUP_FOLDER, SETUP_LOGIN = "menu", "folder", "login"
"""What is offered."""


@dataclass(frozen=True)
class WatchedFolder:
    """A watched folder. `enabled`: is it switched on? `problem`: in words, None: it is well."""

    path: Path
    enabled: bool = True
    problem: str | None = None


@dataclass(frozen=True)
class Overview:
    """How everything stands. `offline`: by what means the worker cannot reach the network; empty: it can; None: no
    worker has said yet. `offers`: what can still be set up, after a first start.
    """

    paused: bool = False
    waiting: int = 0
    folders: tuple[WatchedFolder, ...] = ()
    recipe: str = TRANSPARENT
    recent: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    notifications: bool = True
    is_in_menu: bool = False
    starts_at_login: bool = False
    model: str = modes.DEFAULT.name
    offline_by: str | None = None
    offers: tuple[str, ...] = ()


def offered_folder() -> Path:
    """The folder in the person's Pictures that nobg offers to watch; it need not be there."""
    import platformdirs

    return platformdirs.user_pictures_path() / strings.PICTURES_FOLDER


class OverviewReader:
    """Looks at the settings and the journal, for one thread; `changed` costs next to nothing."""

    def __init__(self, state: Path) -> None:
        """`state`: the folder of jobs.db."""
        self._state = state
        names = ("jobs.db", "jobs.db-wal", menus.RECORD_FILE_NAME)  # each transaction is written to the second of these
        self._files = (str(paths.config_path()), *(str(state / name) for name in names))
        self._login_files: list[str] = []
        self._journal: Journal | None = None
        self._last_stamps: list[tuple[int, int, int] | None] | None = None

    def close(self) -> None:
        """Close the journal."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def has_changed(self) -> bool:
        """Has anything changed since this was asked last, through whatever program?"""
        seen = [_stamp(path) for path in (*self._files, *self._login_files)]
        changed = seen != self._last_stamps
        newest = max((stamp[2] for stamp in seen if stamp is not None), default=0)
        self._last_stamps = (
            seen if time.time_ns() - newest > MTIME_MARGIN_NANOSECONDS else None
        )  # it may go on changing in the same moment
        return changed

    def read(self) -> Overview:
        """How everything stands now. Raises NobgError while the journal cannot be read."""
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
        told = json.loads(journal.get_setting("folders") or "{}")
        folders = tuple(
            WatchedFolder(folder.path, folder.enabled, told.get(str(folder.path), (None, None))[1])
            for folder in settings.folders
        )
        problems += [f"{folder.path}: {folder.problem}" for folder in folders if folder.enabled and folder.problem]
        problems += [f"{pause.folder}: {DESTINATION_REASONS[pause.reason]}" for pause in journal.pauses()]
        trouble = journal.get_setting("trouble")
        problems += [] if trouble is None else [trouble]
        menu_is, login = _read_integrations(self._state)
        self._login_files = [entry["address"] for entry in login if entry["kind"] == "file"]
        login_is = bool(login) and not any(map(_is_autostart_off, self._login_files))
        return Overview(
            paused=journal.get_setting("paused") is not None,
            waiting=sum(journal.pending_counts()),
            folders=folders,
            recipe=settings.default_recipe or TRANSPARENT,
            recent=tuple(journal.recent_outputs(MAX_RECENT)),
            problems=tuple(problems),
            notifications=settings.notifications,
            is_in_menu=menu_is,
            starts_at_login=login_is,
            model=settings.model or modes.DEFAULT.name,
            offline_by=journal.get_setting("offline_by"),
            offers=_remaining_offers(journal, is_in_menu=menu_is, starts_at_login=login_is, folders=folders),
        )


def _remaining_offers(
    journal: Journal, *, is_in_menu: bool, starts_at_login: bool, folders: tuple[WatchedFolder, ...]
) -> tuple[str, ...]:
    if journal.get_setting("welcome") != SETUP_OFFERED:
        return ()
    there = {SETUP_MENU: is_in_menu, SETUP_FOLDER: bool(folders), SETUP_LOGIN: starts_at_login}
    return tuple(name for name, is_there in there.items() if not is_there)


def _load_settings(state: Path) -> tuple[Config, list[str]]:
    """The settings in force, and what is wrong with the file."""
    try:
        return config.load(paths.config_path()), []
    except UsageError as error:
        return config.load_last_good(state / LAST_GOOD_FILE), [str(error)]


def _read_integrations(state: Path) -> tuple[bool, list[dict[str, Any]]]:
    """Is nobg in a menu, as the record has it and still there? And the record's entries of what starts it at login."""
    with contextlib.suppress(base.IntegrationError):
        record = base.Record.load(state / menus.RECORD_FILE_NAME)
        login = integrations.autostart_target().key
        users = {user for entry in record.entries.values() if _entry_exists(entry) for user in entry["users"]}
        entries = [entry for entry in record.entries.values() if entry["users"] == [login]]
        return bool(users - {login}), entries
    return False, []


def _is_autostart_off(path: str) -> bool:
    """Has the person deleted the file, or switched it off in the desktop's own settings, which write one of these?"""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    return "Hidden=true" in lines or "X-GNOME-Autostart-enabled=false" in lines


def _entry_exists(entry: dict[str, Any]) -> bool:
    """A file that the person has deleted is not; of other kinds (registry keys), the record must do."""
    return entry["kind"] != "file" or os.path.exists(entry["address"])


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)
