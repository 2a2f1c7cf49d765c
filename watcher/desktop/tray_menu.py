"""The menu of the tray icon as a model: its items, built with pystray's classes from an `Overview`."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from watcher.desktop import overview, strings
from watcher.desktop.actions import Actions
from watcher.desktop.overview import Overview
from watcher.naming import escape_unprintable
from watcher.program import review

MAX_LABEL_CHARS = 60  # characters in a line of the menu
MAX_PROBLEMS = 3  # problems in the menu
FORGET_AFTER_DAYS = 30


def describe_status(snapshot: Overview, progress: str) -> str:
    """Return the first line of the menu, which is also the tooltip. `progress`: see `batch.describe_progress`."""
    if snapshot.paused:
        return strings.PAUSED_WAITING.format(count=snapshot.waiting) if snapshot.waiting else strings.PAUSED
    if snapshot.problems:
        return strings.ATTENTION
    return strings.WORKING.format(progress=progress) if snapshot.waiting else strings.READY


class MenuBuilder:
    """Builds the menu's items. `pystray`: what `tray_backend.load_pystray` returns."""

    def __init__(self, pystray: Any, actions: Actions) -> None:
        self._item_class = pystray.MenuItem
        self._menu_class = pystray.Menu
        self._modern = pystray.modern
        self._actions = actions

    def build(self, snapshot: Overview, status: str) -> tuple[Any, ...]:
        """Return all items from top to bottom; `status` is the first line."""
        actions, separator = self._actions, self._menu_class.SEPARATOR
        return (
            _with_key("status", self._text_item(status)),
            *(self._text_item(line) for problem in snapshot.problems[:MAX_PROBLEMS] for line in _wrap_problem(problem)),
            *(self._text_item(line) for notice in _notices(snapshot)[:MAX_PROBLEMS] for line in _wrap_problem(notice)),
            separator,
            *self._setup_items(snapshot),
            self._toggle_item(strings.PAUSE, snapshot.paused, lambda: actions.set_paused(paused=not snapshot.paused)),
            self._submenu_item(strings.FOLDERS, self._folder_items(snapshot)),
            self._submenu_item(strings.OUTPUT, self._output_items(snapshot)),
            separator,
            *self._review_items(snapshot),
            self._submenu_item(strings.RECENT, self._recent_items(snapshot)),
            self._action_item(strings.UNDO_LAST, actions.undo_last, enabled=bool(snapshot.recent)),
            self._action_item(strings.HISTORY, actions.open_history, default=not self._modern),
            self._submenu_item(strings.FORGET, self._forget_items()),
            separator,
            self._toggle_item(
                strings.CONTEXT_MENU, snapshot.is_in_menu, lambda: actions.set_in_menu(enabled=not snapshot.is_in_menu)
            ),
            self._toggle_item(
                strings.START_AT_LOGIN,
                snapshot.starts_at_login,
                lambda: actions.set_start_at_login(enabled=not snapshot.starts_at_login),
            ),
            self._toggle_item(
                strings.NOTIFICATIONS,
                snapshot.notifications,
                lambda: actions.set_notifications(enabled=not snapshot.notifications),
            ),
            self._action_item(strings.SETTINGS, actions.open_settings),
            self._submenu_item(strings.ABOUT, self._about_items(snapshot)),
            separator,
            self._action_item(strings.QUIT, actions.quit),
        )

    def _setup_items(self, snapshot: Overview) -> list[Any]:
        """Return what nobg offers to set up after a first start."""
        if not snapshot.offers:
            return []
        labels = {
            overview.SETUP_MENU: strings.OFFER_MENU,
            overview.SETUP_FOLDER: strings.OFFER_FOLDER.format(folder=_short_path(overview.offered_folder() or Path())),
            overview.SETUP_LOGIN: strings.OFFER_LOGIN,
        }
        items = [
            self._action_item(labels[offer], partial(self._actions.accept_offers, [offer])) for offer in snapshot.offers
        ]
        decline = self._action_item(strings.DECLINE_SETUP, self._actions.dismiss_setup)
        return [
            self._submenu_item(strings.SET_UP, [*items, self._menu_class.SEPARATOR, decline]),
            self._menu_class.SEPARATOR,
        ]

    def _folder_items(self, snapshot: Overview) -> list[Any]:
        items = [self._folder_item(folder) for folder in snapshot.folders] or [self._text_item(strings.NO_FOLDER)]
        return [*items, self._menu_class.SEPARATOR, self._action_item(strings.ADD_FOLDER, self._actions.add_folder)]

    def _folder_item(self, folder: overview.FolderStatus) -> Any:
        actions, path = self._actions, folder.path
        items = [
            self._toggle_item(
                strings.WATCH, folder.enabled, lambda: actions.set_folder_enabled(path, enabled=not folder.enabled)
            ),
            self._toggle_item(
                strings.RECURSIVE,
                folder.recursive,
                lambda: actions.set_folder_recursive(path, recursive=not folder.recursive),
            ),
            self._action_item(strings.OPEN, partial(actions.open, path)),
            self._action_item(strings.REMOVE_FOLDER, partial(actions.stop_watching, path)),
        ]
        if folder.enabled:
            texts = filter(None, (folder.problem, folder.unwatched, folder.named_like_cut_outs))
            items = [*(self._text_item(line) for text in texts for line in _wrap_problem(text)), *items]
        return _with_key(path, self._submenu_item(_short_path(path), items, checked=_always(folder.enabled)))

    def _output_items(self, snapshot: Overview) -> list[Any]:
        labels = dict(strings.OUTPUTS)
        labels.setdefault(snapshot.recipe, escape_unprintable(snapshot.recipe))
        return [
            self._action_item(
                label,
                partial(self._actions.choose_output, recipe),
                checked=_always(recipe == snapshot.recipe),
                radio=True,
            )
            for recipe, label in labels.items()
        ]

    def _recent_items(self, snapshot: Overview) -> list[Any]:
        outputs = [self._output_item(path) for path in snapshot.recent]
        unclear = [self._unclear_item(picture) for picture in snapshot.unclear]
        separators = [self._menu_class.SEPARATOR] if outputs and unclear else []
        return [*outputs, *separators, *unclear] or [self._text_item(strings.NOTHING_YET)]

    def _output_item(self, path: Path) -> Any:
        items = [
            self._action_item(strings.OPEN, partial(self._actions.open, path)),
            self._action_item(strings.TOUCH_UP, partial(self._actions.touch_up, path)),
            self._action_item(strings.SHOW_IN_FOLDER, partial(self._actions.reveal, path)),
        ]
        return _with_key(path, self._submenu_item(_truncate_middle(path.name), items))

    def _unclear_item(self, picture: overview.UnclearPicture) -> Any:
        items = [
            self._action_item(strings.SHOW_WHERE, partial(self._actions.show_where, picture.path)),
            self._action_item(strings.CUT_OUT_ANYWAY, partial(self._actions.cut_out_anyway, [picture.job_id])),
        ]
        label = strings.UNCLEAR.format(name=_truncate_middle(picture.path.name))
        return _with_key(picture, self._submenu_item(label, items))

    def _review_items(self, snapshot: Overview) -> list[Any]:
        """Return an item for the cut-outs that want a look, if there are any."""
        if not snapshot.doubtful_count:
            return []
        label = strings.pluralize(strings.WANT_A_LOOK, snapshot.doubtful_count)
        if snapshot.doubtful_count >= review.MAX_COUNTED:
            label = strings.MANY_WANT_A_LOOK.format(count=review.MAX_COUNTED)
        return [_with_key("review", self._action_item(label, self._actions.review))]

    def _forget_items(self) -> list[Any]:
        """Return a sub-menu's items, so that one slip of the mouse forgets nothing."""
        older = strings.FORGET_OLDER.format(count=FORGET_AFTER_DAYS)
        return [
            self._action_item(older, partial(self._actions.forget, FORGET_AFTER_DAYS)),
            self._action_item(strings.FORGET_ALL, partial(self._actions.forget, None)),
        ]

    def _about_items(self, snapshot: Overview) -> list[Any]:
        from watcher import __version__

        unverified = {None: strings.OFFLINE_UNKNOWN, "": strings.OFFLINE_UNVERIFIABLE}
        offline = unverified.get(snapshot.offline_by, strings.OFFLINE.format(means=snapshot.offline_by))
        lines = (strings.VERSION.format(version=__version__), strings.MODEL.format(model=snapshot.model), offline)
        return [self._text_item(line) for line in lines]

    def _text_item(self, text: str) -> Any:
        return self._item_class(_escape_label(text), None, enabled=False)

    def _action_item(self, text: str, callback: Callable[[], object], **options: Any) -> Any:
        return self._item_class(_escape_label(text), self._actions.with_error_notification(callback), **options)

    def _toggle_item(self, text: str, state: bool, callback: Callable[[], object]) -> Any:
        return self._action_item(text, callback, checked=_always(state))

    def _submenu_item(self, text: str, items: list[Any], **options: Any) -> Any:
        return self._item_class(_escape_label(text), self._menu_class(*items), **options)


def _notices(snapshot: Overview) -> list[str]:
    """Return what the icon says of pictures that folders leave alone, beside the problems. It does not alarm."""
    return [
        strings.FOLDER_NOTICE.format(folder=folder.path.name or folder.path, notice=folder.unwatched)
        for folder in snapshot.folders
        if folder.enabled and folder.unwatched
    ]


def _escape_label(text: str) -> str:
    """Double each "&" on Windows, which takes a single one for the mark of the key to press."""
    return text.replace("&", "&&") if sys.platform == "win32" else text


def _with_key(key: object, item: Any) -> Any:
    """Return `item` with a key, by which it stays the same item when its label changes: see `status_notifier`."""
    item.key = key
    return item


def _always(value: bool) -> Callable[[Any], bool]:
    return lambda _item: value


def _truncate_middle(text: str) -> str:
    """Return a name or path at a length that a menu can show: its beginning and its end."""
    text = escape_unprintable(text)
    return (
        text if len(text) <= MAX_LABEL_CHARS else f"{text[: MAX_LABEL_CHARS * 2 // 3]}…{text[-MAX_LABEL_CHARS // 3 :]}"
    )


def _wrap_problem(problem: str) -> list[str]:
    """Return a problem in at most four lines."""
    return textwrap.wrap(escape_unprintable(problem), MAX_LABEL_CHARS, max_lines=4, placeholder=" …")


def _short_path(path: Path) -> str:
    """Return a folder's path, below "~" if it lies in the home folder, shortened to the length of a label."""
    with contextlib.suppress(ValueError, RuntimeError):
        return _truncate_middle(f"~{os.sep}{path.relative_to(Path.home())}")
    return _truncate_middle(str(path))
