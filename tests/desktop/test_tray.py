"""The icon's menu as a model: what it shows, and what a click on each item does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from watcher.desktop import overview, strings
from watcher.desktop.overview import FolderStatus, Overview, UnclearPicture
from watcher.desktop.status_notifier import pystray_base
from watcher.desktop.tray import ATTENTION, IDLE, PAUSED, WORKING, icon_state
from watcher.desktop.tray_menu import MenuBuilder, describe_status

HOLIDAY = Path("/home/a/holiday")
CUT_OUT = Path("/home/a/photo_nobg.png")

FULL = Overview(
    waiting=9,
    folders=(FolderStatus(HOLIDAY), FolderStatus(Path("/srv/shop"), enabled=False)),
    recent=(CUT_OUT, Path("/home/a/other_nobg.png")),
    unclear=(UnclearPicture(Path("/home/a/fog.jpg"), 7),),
    doubtful_count=3,
    is_in_menu=True,
    offline_by="seccomp",
    offers=(overview.SETUP_FOLDER, overview.SETUP_LOGIN),
)


class RecordedActions:
    """Actions that only record their calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def with_error_notification(self, callback: Callable[[], object]) -> Callable[[], object]:
        """Return `callback` unguarded: a test should see errors."""
        return lambda: callback()  # noqa: PLW0108  pystray inspects how many arguments a function takes

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **keywords: self.calls.append((name, *arguments, *keywords.values()))


def make_menu(snapshot: Overview, actions: RecordedActions | None = None) -> Any:
    """Return the whole menu of a snapshot."""
    base = pystray_base.load()
    pystray = SimpleNamespace(Menu=base.Menu, MenuItem=base.MenuItem, modern=True)
    recorded: Any = actions or RecordedActions()
    builder = MenuBuilder(pystray, recorded)
    return base.Menu(*builder.build(snapshot, describe_status(snapshot, "3 of 12, about 8 s")))


def find(menu: Any, *labels: str) -> Any:
    """Return the item below these labels."""
    item = next(item for item in menu if item.text == labels[0])
    return find(item.submenu, *labels[1:]) if len(labels) > 1 else item


CLICKS = [
    ((strings.SET_UP, strings.OFFER_LOGIN), ("accept_offers", [overview.SETUP_LOGIN])),
    ((strings.SET_UP, strings.DECLINE_SETUP), ("dismiss_setup",)),
    ((strings.PAUSE,), ("set_paused", True)),
    ((strings.FOLDERS, str(HOLIDAY), strings.WATCH), ("set_folder_enabled", HOLIDAY, False)),
    ((strings.FOLDERS, "/srv/shop", strings.WATCH), ("set_folder_enabled", Path("/srv/shop"), True)),
    ((strings.FOLDERS, str(HOLIDAY), strings.RECURSIVE), ("set_folder_recursive", HOLIDAY, True)),
    ((strings.FOLDERS, str(HOLIDAY), strings.OPEN), ("open", HOLIDAY)),
    ((strings.FOLDERS, str(HOLIDAY), strings.REMOVE_FOLDER), ("stop_watching", HOLIDAY)),
    ((strings.FOLDERS, strings.ADD_FOLDER), ("add_folder",)),
    ((strings.OUTPUT, "White background"), ("choose_output", "white")),
    ((strings.OUTPUT, "Transparent"), ("choose_output", "transparent")),
    ((strings.RECENT, "photo_nobg.png", strings.OPEN), ("open", CUT_OUT)),
    ((strings.RECENT, "photo_nobg.png", strings.SHOW_IN_FOLDER), ("reveal", CUT_OUT)),
    ((strings.RECENT, "photo_nobg.png", strings.TOUCH_UP), ("touch_up", CUT_OUT)),
    ((strings.RECENT, "fog.jpg: no clear subject", strings.SHOW_WHERE), ("show_where", Path("/home/a/fog.jpg"))),
    ((strings.RECENT, "fog.jpg: no clear subject", strings.CUT_OUT_ANYWAY), ("cut_out_anyway", [7])),
    (("3 want a look…",), ("review",)),
    ((strings.UNDO_LAST,), ("undo_last",)),
    ((strings.HISTORY,), ("open_history",)),
    ((strings.FORGET, "What is older than 30 days"), ("forget", 30)),
    ((strings.FORGET, strings.FORGET_ALL), ("forget", None)),
    ((strings.CONTEXT_MENU,), ("set_in_menu", False)),
    ((strings.START_AT_LOGIN,), ("set_start_at_login", True)),
    ((strings.NOTIFICATIONS,), ("set_notifications", False)),
    ((strings.SETTINGS,), ("open_settings",)),
    ((strings.QUIT,), ("quit",)),
]


@pytest.mark.parametrize(("labels", "call"), CLICKS, ids=lambda value: "/".join(map(str, value)))
def test_a_click_does_what_its_label_says(labels: tuple[str, ...], call: tuple[Any, ...]) -> None:
    actions = RecordedActions()
    find(make_menu(FULL, actions), *labels)(None)
    assert actions.calls == [call]


@pytest.mark.parametrize(
    ("count", "label"), [(0, None), (1, "1 wants a look…"), (2, "2 want a look…"), (100, "100 or more want a look…")]
)
def test_the_menu_says_how_many_want_a_look_if_there_are_any(count: int, label: str | None) -> None:
    labels = [item.text for item in make_menu(Overview(doubtful_count=count)) if "look" in item.text]
    assert labels == ([] if label is None else [label])


def test_check_marks_show_the_state() -> None:
    menu = make_menu(FULL)
    marks = {
        label: find(menu, label).checked for label in (strings.PAUSE, strings.CONTEXT_MENU, strings.START_AT_LOGIN)
    }
    assert marks == {strings.PAUSE: False, strings.CONTEXT_MENU: True, strings.START_AT_LOGIN: False}
    assert [item.checked for item in find(menu, strings.FOLDERS).submenu][:2] == [True, False]
    radios = list(find(menu, strings.OUTPUT).submenu)
    assert [(item.text, item.checked, item.radio) for item in radios] == [
        ("Transparent", True, True),
        ("White background", False, True),
        ("Crop to subject", False, True),
    ]


def test_a_chosen_recipe_of_the_persons_own_is_listed_after_the_others() -> None:
    radios = list(find(make_menu(Overview(recipe="shop")), strings.OUTPUT).submenu)
    assert [(item.text, item.checked) for item in radios][-1] == ("shop", True)


def test_without_pictures_and_folders_the_menu_says_so() -> None:
    menu = make_menu(Overview())
    assert next(iter(menu)).text == strings.READY
    assert not find(menu, strings.UNDO_LAST).enabled
    assert [item.text for item in find(menu, strings.RECENT).submenu] == [strings.NOTHING_YET]
    assert strings.SET_UP not in [item.text for item in menu]
    assert find(menu, strings.FOLDERS, strings.NO_FOLDER).enabled is False


@pytest.mark.parametrize(
    ("snapshot", "state", "status"),
    [
        (Overview(), IDLE, "Ready"),
        (Overview(waiting=9), WORKING, "Working: 3 of 12, about 8 s"),
        (Overview(paused=True), PAUSED, "Paused"),
        (Overview(paused=True, waiting=2), PAUSED, "Paused, 2 waiting"),
        (Overview(problems=("/mnt/x: it is not there.",)), ATTENTION, strings.ATTENTION),
    ],
)
def test_icon_and_first_line_agree(snapshot: Overview, state: str, status: str) -> None:
    assert (icon_state(snapshot), describe_status(snapshot, "3 of 12, about 8 s")) == (state, status)


def test_problems_are_shown_whole_but_only_a_few() -> None:
    text = "/home/a/" + "x" * 90 + "/config.toml, line 3, colour: there is no such setting. Correct it there."
    menu = list(make_menu(Overview(problems=(text,) * 9)))
    lines = [item.text for item in menu[1 : menu.index(pystray_base.load().Menu.SEPARATOR)]]
    assert len(lines) == 9
    assert all(len(line) <= 60 for line in lines)
    assert "".join(lines[:3]).replace(" ", "") == text.replace(" ", "")


def test_a_folders_problem_comes_first_in_its_menu() -> None:
    snapshot = Overview(folders=(FolderStatus(HOLIDAY, problem="it is not there."),))
    assert next(iter(find(make_menu(snapshot), strings.FOLDERS, str(HOLIDAY)).submenu)).text == "it is not there."


def test_pictures_that_a_folder_leaves_are_said_without_alarm() -> None:
    folder = FolderStatus(HOLIDAY, unwatched="24 pictures …", named_like_cut_outs="bag_nobg.jpg is left …")
    menu = make_menu(Overview(folders=(folder,)))
    assert [item.text for item in menu][:2] == [strings.READY, "holiday: 24 pictures …"]
    texts = [item.text for item in find(menu, strings.FOLDERS, str(HOLIDAY)).submenu]
    assert texts[:3] == ["24 pictures …", "bag_nobg.jpg is left …", strings.WATCH]
    assert icon_state(Overview(folders=(folder,))) == IDLE


def test_about_says_what_keeps_nobg_offline() -> None:
    lines = [item.text for item in find(make_menu(FULL), strings.ABOUT).submenu]
    assert lines[2] == "Offline: verified by seccomp"
    for offline_by, label in ((None, strings.OFFLINE_UNKNOWN), ("", strings.OFFLINE_UNVERIFIABLE)):
        assert find(make_menu(Overview(offline_by=offline_by)), strings.ABOUT, label)


def test_odd_names_cannot_break_the_menu() -> None:
    snapshot = Overview(recent=(Path("/a/line\nend_nobg.png"), Path("/a/" + "long" * 60 + "_nobg.png")))
    names = [item.text for item in find(make_menu(snapshot), strings.RECENT).submenu]
    assert "\n" not in names[0]
    assert len(names[1]) < 80
    assert names[1].endswith("_nobg.png")


def test_importing_the_tray_touches_neither_display_nor_picture_library() -> None:
    code = (
        "import sys, watcher.desktop.tray, watcher.desktop.ui; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    environment = {"PATH": "/usr/bin:/bin", "DISPLAY": ":99"}  # there is no such display
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert not set(process.stdout.split()) & {"pystray", "Xlib", "PIL", "desktop_notifier", "dbus_fast", "asyncio"}


def test_without_a_desktop_the_icon_raises_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from watcher.desktop.tray import Tray

    for name in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    tray = Tray(tmp_path, RecordedActions(), lambda _: "")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no desktop"):
        tray.run(threading.Event())
