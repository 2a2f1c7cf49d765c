"""Menu and icon on Windows and macOS: pystray's own code for them, over stand-ins for the two systems."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.support.desktop.fake_appkit import Mac
from tests.support.desktop.fake_windows import Popup, Windows
from tests.support.desktop.tray_system import LINE, Line, System
from tests.support.program import ROOT, wait_for
from watcher import paths
from watcher.desktop import overview, strings, tray, tray_backend, tray_menu
from watcher.desktop.actions import Actions
from watcher.desktop.notifications import Notification
from watcher.desktop.overview import FolderStatus, Overview, UnclearPicture
from watcher.desktop.tray import Tray
from watcher.desktop.tray_menu import MenuBuilder
from watcher.program import control
from watcher.queue.journal import Journal

# What the menu shows, and what each line does

HOLIDAY, SHOP, STICK = Path("/srv/holiday"), Path("/srv/shop"), Path("/mnt/stick")
FIRST_OUTPUT, SECOND_OUTPUT = Path("/srv/a/photo_nobg.png"), Path("/srv/b/photo_nobg.png")

FULL = Overview(
    waiting=9,
    folders=(
        FolderStatus(HOLIDAY),
        FolderStatus(SHOP, enabled=False),
        FolderStatus(STICK, problem="it is not there."),
    ),
    recipe="white",
    recent=(FIRST_OUTPUT, SECOND_OUTPUT),  # both have the same name
    unclear=(UnclearPicture(Path("/srv/fog.jpg"), 7),),
    doubtful_count=2,
    problems=("/mnt/stick: it is not there.", "the model is damaged"),
    is_in_menu=True,
    model="isnet",
    offline_by="seccomp",
    offers=(overview.SETUP_MENU, overview.SETUP_LOGIN),
)


def folder(path: Path, *lines: Line, on: bool = True) -> Line:
    """Return the line of a watched folder; `lines` are the first in its sub-menu."""
    watch, open_folder = Line(strings.WATCH, checked=on), Line(strings.OPEN)
    return Line(
        str(path), (*lines, watch, Line(strings.RECURSIVE), open_folder, Line(strings.REMOVE_FOLDER)), checked=on
    )


def text_line(text: str) -> Line:
    """Return a line that cannot be clicked."""
    return Line(text, enabled=False)


def full_menu() -> list[Line]:
    """Return the menu of `FULL`."""
    from watcher import __version__

    result = Line("photo_nobg.png", (Line(strings.OPEN), Line(strings.TOUCH_UP), Line(strings.SHOW_IN_FOLDER)))
    unclear = Line("fog.jpg: no clear subject", (Line(strings.SHOW_WHERE), Line(strings.CUT_OUT_ANYWAY)))
    return [
        text_line("Needs your attention: see below"),
        text_line("/mnt/stick: it is not there."),
        text_line("the model is damaged"),
        LINE,
        Line(
            strings.SET_UP,
            (Line(strings.OFFER_MENU), Line(strings.OFFER_LOGIN), LINE, Line(strings.DECLINE_SETUP)),
        ),
        LINE,
        Line("Pause"),
        Line(
            "Watched folders",
            (
                folder(HOLIDAY),
                folder(SHOP, on=False),
                folder(STICK, text_line("it is not there.")),
                LINE,
                Line(strings.ADD_FOLDER),
            ),
        ),
        Line(
            "Output",
            (
                Line("Transparent", radio=True),
                Line("White background", radio=True, checked=True),
                Line("Crop to subject", radio=True),
            ),
        ),
        LINE,
        Line("2 want a look…"),
        Line("Recent", (result, result, LINE, unclear)),
        Line("Undo last"),
        Line("History…", bold=True),
        Line("Forget the history", below=(Line("What is older than 30 days"), Line("Everything"))),
        LINE,
        Line("Right-click menu", checked=True),
        Line("Start at login"),
        Line("Notifications", checked=True),
        Line(strings.SETTINGS),
        Line(
            "About",
            (text_line(f"nobg {__version__}"), text_line("Model: isnet"), text_line("Offline: verified by seccomp")),
        ),
        LINE,
        Line("Quit"),
    ]


FOLDERS, RESULT = (strings.FOLDERS,), ("Recent", "photo_nobg.png")
UNCLEAR = ("Recent", "fog.jpg: no clear subject")
CLICKS: list[tuple[tuple[str, ...], tuple[Any, ...]]] = [
    ((strings.SET_UP, strings.OFFER_MENU), ("accept_offers", ["menu"])),
    ((strings.SET_UP, strings.OFFER_LOGIN), ("accept_offers", ["login"])),
    ((strings.SET_UP, strings.DECLINE_SETUP), ("dismiss_setup",)),
    (("Pause",), ("set_paused", True)),
    ((*FOLDERS, "/srv/holiday", strings.WATCH), ("set_folder_enabled", HOLIDAY, False)),
    ((*FOLDERS, "/srv/holiday", strings.RECURSIVE), ("set_folder_recursive", HOLIDAY, True)),
    ((*FOLDERS, "/srv/holiday", strings.OPEN), ("open", HOLIDAY)),
    ((*FOLDERS, "/srv/holiday", strings.REMOVE_FOLDER), ("stop_watching", HOLIDAY)),
    ((*FOLDERS, "/srv/shop", strings.WATCH), ("set_folder_enabled", SHOP, True)),
    ((*FOLDERS, "/srv/shop", strings.RECURSIVE), ("set_folder_recursive", SHOP, True)),
    ((*FOLDERS, "/srv/shop", strings.OPEN), ("open", SHOP)),
    ((*FOLDERS, "/srv/shop", strings.REMOVE_FOLDER), ("stop_watching", SHOP)),
    ((*FOLDERS, "/mnt/stick", strings.WATCH), ("set_folder_enabled", STICK, False)),
    ((*FOLDERS, "/mnt/stick", strings.RECURSIVE), ("set_folder_recursive", STICK, True)),
    ((*FOLDERS, "/mnt/stick", strings.OPEN), ("open", STICK)),
    ((*FOLDERS, "/mnt/stick", strings.REMOVE_FOLDER), ("stop_watching", STICK)),
    ((*FOLDERS, strings.ADD_FOLDER), ("add_folder",)),
    (("Output", "Transparent"), ("choose_output", "transparent")),
    (("Output", "White background"), ("choose_output", "white")),
    (("Output", "Crop to subject"), ("choose_output", "crop")),
    (("2 want a look…",), ("review",)),
    ((*RESULT, strings.OPEN), ("open", FIRST_OUTPUT)),
    ((*RESULT, strings.TOUCH_UP), ("touch_up", FIRST_OUTPUT)),
    ((*RESULT, strings.SHOW_IN_FOLDER), ("reveal", FIRST_OUTPUT)),
    ((*RESULT, strings.OPEN), ("open", SECOND_OUTPUT)),
    ((*RESULT, strings.TOUCH_UP), ("touch_up", SECOND_OUTPUT)),
    ((*RESULT, strings.SHOW_IN_FOLDER), ("reveal", SECOND_OUTPUT)),
    ((*UNCLEAR, strings.SHOW_WHERE), ("show_where", Path("/srv/fog.jpg"))),
    ((*UNCLEAR, strings.CUT_OUT_ANYWAY), ("cut_out_anyway", [7])),
    (("Undo last",), ("undo_last",)),
    (("History…",), ("open_history",)),
    (("Forget the history", "What is older than 30 days"), ("forget", 30)),
    (("Forget the history", "Everything"), ("forget", None)),
    (("Right-click menu",), ("set_in_menu", False)),
    (("Start at login",), ("set_start_at_login", True)),
    (("Notifications",), ("set_notifications", False)),
    ((strings.SETTINGS,), ("open_settings",)),
    (("Quit",), ("quit",)),
]


class RecordedActions(Actions):
    """Actions that only record their calls. `notifications`: what the person is notified of, which are failures."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.notifications: list[Notification] = []
        super().__init__(self.notifications.append, lambda: None)
        for name in [name for name in vars(Actions) if not name.startswith("_") and name != "with_error_notification"]:
            setattr(self, name, partial(self._record, name))

    def _record(self, name: str, *arguments: Any, **keywords: Any) -> None:
        self.calls.append((name, *arguments, *keywords.values()))


# The two systems


@pytest.fixture(autouse=True)
def _fresh_pystray() -> Iterator[None]:
    """Make the test import pystray again, for the system that it chooses; restore the modules afterwards."""

    def pystray_modules() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "pystray"}

    before = pystray_modules()
    for name in before:
        del sys.modules[name]
    yield
    for name in pystray_modules():
        del sys.modules[name]
    sys.modules.update(before)


def pretend_platform(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tray's modules, and no others, behave as on this platform."""
    for module in (tray_backend, tray_menu):
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform=platform))


def start_windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """Make pystray and the tray behave as on Windows; return the stand-in for Windows."""
    windows = Windows()
    monkeypatch.setattr(ctypes, "WinDLL", lambda _name: windows, raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "HRESULT", ctypes.c_long, raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda: OSError("Windows refuses"), raising=False)
    monkeypatch.setenv("PYSTRAY_BACKEND", "win32")
    pretend_platform("win32", monkeypatch)
    return windows


def start_mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    """Make pystray and the tray behave as on macOS; return the stand-in for macOS."""
    mac = Mac()
    for name, module in mac.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("PYSTRAY_BACKEND", "darwin")
    pretend_platform("darwin", monkeypatch)
    return mac


@pytest.fixture(params=[start_windows, start_mac], ids=["windows", "macos"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    system: System = request.param(monkeypatch)
    return system


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    return start_windows(monkeypatch)


def make_icon(snapshot: Overview, actions: Actions | None = None, state: str = tray.IDLE) -> Any:
    """Return pystray's icon with nobg's menu and picture; it is not shown and runs no loop."""
    pystray = importlib.import_module("pystray")
    classes = SimpleNamespace(Menu=pystray.Menu, MenuItem=pystray.MenuItem, modern=False)
    builder = MenuBuilder(classes, actions or RecordedActions())
    status = tray_menu.describe_status(snapshot, "3 of 12, about 8 s")
    menu = pystray.Menu(lambda: builder.build(snapshot, status))
    icon = pystray.Icon(strings.APP, tray._icon_images(state, (64,)), strings.APP, menu)
    icon.update_menu()
    return icon


# The menu


def test_the_menu_shows_every_line(system: System) -> None:
    icon = make_icon(FULL)
    expected = full_menu() if isinstance(system, Windows) else without_radios(full_menu())
    assert system.read(system.menu) == expected
    del icon


def without_radios(lines: Sequence[Line]) -> list[Line]:
    """Return the lines as macOS draws them: a chosen radio item has a plain check mark."""
    return [replace(line, radio=False, below=tuple(without_radios(line.below))) for line in lines]


def test_each_line_does_what_it_says(system: System) -> None:
    actions = RecordedActions()
    icon = make_icon(FULL, actions)
    assert [labels for labels, _ in system.targets(system.menu)] == [labels for labels, _ in CLICKS]
    for number, (labels, call) in enumerate(CLICKS):
        actions.calls.clear()
        _, item = list(system.targets(system.menu))[number]  # each click rebuilds the menu
        system.click(icon, item)
        assert (labels, actions.calls) == (labels, [call])
    assert actions.notifications == []


def test_a_click_that_fails_notifies_the_person_and_ends_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = RecordedActions()

    def fail() -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(actions, "undo_last", fail)
    icon = make_icon(FULL, actions)
    targets = dict(system.targets(system.menu))
    system.click(icon, targets["Undo last",])
    assert [notification.title for notification in actions.notifications] == [strings.FAILED]


@pytest.mark.parametrize(
    ("snapshot", "marked"),
    [
        (Overview(), {"Transparent", "Notifications"}),
        (Overview(paused=True, recipe="crop", notifications=False), {"Pause", "Crop to subject"}),
        (Overview(recipe="my own", starts_at_login=True), {"my own", "Start at login", "Notifications"}),
        (
            Overview(
                folders=(FolderStatus(SHOP, enabled=False), FolderStatus(HOLIDAY)),
                is_in_menu=True,
                notifications=False,
            ),
            {"/srv/holiday", strings.WATCH, "Transparent", "Right-click menu"},
        ),
    ],
    ids=["new", "paused", "own", "folders"],
)
def test_check_marks_show_the_state(snapshot: Overview, marked: set[str], system: System) -> None:
    def checked(lines: Sequence[Line]) -> set[str]:
        return {line.label for line in lines if line.checked}.union(*(checked(line.below) for line in lines))

    icon = make_icon(snapshot)
    assert checked(system.read(system.menu)) == marked
    del icon


def test_what_cannot_be_done_cannot_be_clicked(system: System) -> None:
    icon = make_icon(Overview())
    labels = [labels for labels, _ in system.targets(system.menu)]
    assert ("Undo last",) not in labels
    assert not [path for path in labels if path[0] in {"Recent", "About", strings.READY, strings.SET_UP}]
    assert [path for path in labels if path[0] == strings.FOLDERS] == [(strings.FOLDERS, strings.ADD_FOLDER)]
    del icon


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(
            start_windows,
            id="windows",
        ),
        pytest.param(start_mac, id="macos"),
    ],
)
def test_names_are_shown_as_they_are(
    start: Callable[[pytest.MonkeyPatch], System], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = start(monkeypatch)
    name = "Tom & Jerry && _100%_ 'x' ~1_nobg.png"
    icon = make_icon(Overview(recent=(Path("/srv") / name,), folders=(FolderStatus(Path("/srv/R&D")),), recipe="B&W"))
    lines = {line.label: line for line in system.read(system.menu)}
    below = [lines[label].below[0].label for label in ("Recent", "Watched folders")]
    assert [*below, lines["Output"].below[-1].label] == [name, "/srv/R&D", "B&W"]
    del icon


def test_a_left_click_on_windows_shows_the_history(windows: Windows) -> None:
    actions = RecordedActions()
    make_icon(FULL, actions)._on_notify(0, windows.WM_LBUTTONUP)
    assert actions.calls == [("open_history",)]


def test_closing_the_menu_on_windows_does_nothing(windows: Windows) -> None:
    actions = RecordedActions()
    make_icon(FULL, actions)._on_notify(0, windows.WM_RBUTTONUP)  # TrackPopupMenuEx returns 0
    assert actions.calls == []


# The icon


def make_windows_icon(state: str = tray.IDLE) -> Any:
    """Return the icon that nobg uses on Windows, without a menu; it is not shown and runs no loop."""
    icon_class = tray_backend.load_pystray(legacy_tray=False).Icon
    return icon_class(strings.APP, tray._icon_images(state, tray.ICON_SIZES), strings.APP)


@pytest.mark.parametrize("state", [tray.IDLE, tray.WORKING, tray.PAUSED, tray.ATTENTION])
@pytest.mark.parametrize("percent", [100, 150, 200, 300, 400])
def test_windows_gets_the_drawing_of_the_size_of_its_bar(state: str, percent: int, windows: Windows) -> None:
    windows.dpi = 96 * percent // 100
    make_windows_icon(state)._assert_icon_handle()
    (picture,) = windows.pictures.values()
    assert picture.width == 16 * percent // 100
    with Image.open(ROOT / "assets" / "tray" / f"{state}-{picture.width}.png") as drawn:
        assert picture.convert("RGBA").tobytes() == drawn.convert("RGBA").tobytes()


def test_a_size_without_a_drawing_is_made_from_a_larger_one(windows: Windows) -> None:
    windows.dpi = 120  # 125 %
    make_windows_icon()._assert_icon_handle()
    (picture,) = windows.pictures.values()
    assert picture.size == (20, 20)


def test_windows_stretches_nothing_that_nobg_draws(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[int] = []
    monkeypatch.setattr(windows, "do_SetProcessDpiAwarenessContext", contexts.append, raising=False)
    tray_backend.prepare_process()
    assert contexts == [-4]  # DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2


def test_an_older_windows_is_told_by_its_own_means(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    monkeypatch.setattr(windows, "do_SetProcessDPIAware", lambda: calls.append(None), raising=False)
    tray_backend.prepare_process()
    assert calls == [None]


@pytest.mark.usefixtures("windows")
def test_the_icon_agrees_to_the_end_of_the_session() -> None:
    icon = make_windows_icon()
    handler = icon._message_handlers.get(0x11)  # WM_QUERYENDSESSION
    assert handler is not None
    assert handler(0, 0) == 1


def test_texts_are_made_to_fit_into_what_windows_holds(windows: Windows) -> None:
    icon = make_windows_icon()
    icon._hwnd = 5
    icon._message(0, 0x10 | 0x4, szTip="\N{GRINNING FACE}" * 200, szInfo="b" * 300, szInfoTitle="short")
    shown = windows.icons[5]
    assert shown["szTip"] == "\N{GRINNING FACE}" * 63 + "…"  # it takes two units of the 127
    assert shown["szInfo"] == "b" * 254 + "…"
    assert shown["szInfoTitle"] == "short"


def test_a_click_on_a_balloon_does_what_the_notification_says_once(windows: Windows) -> None:
    clicks: queue.Queue[str] = queue.Queue()
    icon = make_windows_icon()
    icon._hwnd = 5
    icon._show()
    icon.show_balloon("Done", "photo_nobg.png", lambda: clicks.put("clicked"))
    assert (windows.icons[5]["szInfoTitle"], windows.icons[5]["szInfo"]) == ("Done", "photo_nobg.png")
    for _ in range(2):
        icon._on_notify(0, 0x405)  # NIN_BALLOONUSERCLICK
    assert clicks.get(timeout=60) == "clicked"
    assert clicks.empty()


@pytest.fixture
def running_tray(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningTray]:
    """A tray that runs on the system."""
    monkeypatch.setattr(tray, "POLL_SECONDS", 0.01)
    running_tray = RunningTray(system)
    running_tray.thread.start()
    try:
        wait_for(lambda: running_tray.system.picture() is not None and running_tray.has_read_state())
        yield running_tray
    finally:
        running_tray.system.leave()
        running_tray.stop.set()
        running_tray.thread.join(60)
    assert not running_tray.thread.is_alive()
    assert running_tray.actions.notifications == []


class RunningTray:
    """A tray that runs in a thread of its own, which is the main thread for macOS."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.actions = RecordedActions()
        self.stop = threading.Event()
        self.state = paths.state_dir()
        self.journal = Journal(self.state)
        self.journal.close()
        self.tray = Tray(self.state, self.actions, lambda waiting: f"1 of {waiting + 1}")
        self.thread = threading.Thread(target=self.tray.run, args=(self.stop,), name="main")

    def has_read_state(self) -> bool:
        """Return whether the icon shows the state of nobg in place of its bare name."""
        return self.system.tip().startswith(f"{strings.APP}: ")

    @contextlib.contextmanager
    def changing(self) -> Iterator[Journal]:
        """Yield the journal, to change what the tray shows."""
        with contextlib.closing(Journal(self.state)) as journal:
            yield journal

    def wait_for_update(self) -> None:
        """Wait until the tray has read a change and brought the icon up to date."""
        snapshot = self.tray.snapshot
        wait_for(lambda: self.tray.snapshot is not snapshot)
        next_check = threading.Event()

        def has_changed(_reader: overview.OverviewReader) -> bool:
            next_check.set()
            return False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(overview.OverviewReader, "has_changed", has_changed)
            assert next_check.wait(60)  # the tray checks again only once it has finished with the change
        self.system.settle()

    def labels(self) -> list[str]:
        """Return the menu's lines; none while the menu is incomplete."""
        with contextlib.suppress(ValueError):  # Windows destroys the menu before it builds the next
            return [line.label for line in self.system.read(self.system.menu)]
        return []


def looks_like(picture: Image.Image | None, state: str) -> bool:
    """Return whether the picture is the drawing of this state, in any size."""
    if picture is None:
        return False
    with Image.open(ROOT / "assets" / "tray" / f"{state}-{picture.width}.png") as drawn:
        if picture.convert("RGBA").tobytes() == drawn.convert("RGBA").tobytes():
            return True
    with Image.open(ROOT / "assets" / "tray" / f"{state}-64.png") as drawn:
        expected = drawn.convert("RGBA").resize(picture.size, Image.Resampling.LANCZOS)
    return picture.convert("RGBA").tobytes() == expected.tobytes()


def test_the_icon_follows_the_state_and_ends_with_the_program(running_tray: RunningTray) -> None:
    system = running_tray.system
    assert looks_like(system.picture(), "idle")
    assert system.tip() == "nobg: Ready"
    with running_tray.changing() as journal:
        control.set_paused(journal, paused=True)
    wait_for(lambda: system.tip() == "nobg: Paused" and looks_like(system.picture(), "paused"))
    wait_for(lambda: running_tray.labels()[:1] == ["Paused"])
    with running_tray.changing() as journal:
        control.set_paused(journal, paused=False)
        journal.set_setting("trouble", "the model is damaged")
    wait_for(lambda: looks_like(system.picture(), "attention"))
    wait_for(lambda: "the model is damaged" in running_tray.labels())
    running_tray.stop.set()
    running_tray.thread.join(60)
    assert not running_tray.thread.is_alive()
    assert system.picture() is None
    assert system.is_clean()


def test_a_click_in_the_running_icon_is_carried_out(running_tray: RunningTray) -> None:
    menu = running_tray.system.open()
    running_tray.system.choose(dict(running_tray.system.targets(menu))["Quit",])
    wait_for(lambda: running_tray.actions.calls == [("quit",)])


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(
            start_windows,
            id="windows",
        ),
        pytest.param(
            start_mac,
            id="macos",
        ),
    ],
    indirect=True,
)
def test_a_menu_that_is_open_stays_as_it_is_whatever_changes(running_tray: RunningTray) -> None:
    menu = running_tray.system.open()
    line = dict(running_tray.system.targets(menu))["History…",]
    with running_tray.changing() as journal:
        journal.set_setting("trouble", "the model is damaged")  # one more line, above all that can be clicked
    running_tray.wait_for_update()
    is_whole = not isinstance(menu, Popup) or menu.alive
    running_tray.system.choose(line)
    wait_for(lambda: running_tray.actions.calls)
    assert (is_whole, running_tray.actions.calls) == (True, [("open_history",)])
    wait_for(lambda: "the model is damaged" in running_tray.labels())


@pytest.mark.parametrize("system", [start_windows], ids=["windows"], indirect=True)
def test_the_icon_comes_back_when_explorer_restarts(running_tray: RunningTray) -> None:
    system = running_tray.system
    assert isinstance(system, Windows)
    (window,) = system.icons
    system.icons.clear()
    system.messages.put((window, system.TASKBAR_CREATED, 0, 0))
    wait_for(lambda: looks_like(system.picture(), "idle"))
    assert system.tip() == "nobg: Ready"


def test_on_a_mac_the_icon_is_changed_in_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    mac = start_mac(monkeypatch)
    threads: list[int] = []
    tray_backend.call_on_ui_thread(lambda: threads.append(threading.get_ident()))
    assert threads == []
    loop = threading.Thread(target=mac.run)
    loop.start()
    wait_for(lambda: threads)
    mac.stop_(None)
    mac.postEvent_atStart_(None, _first=False)
    loop.join(60)
    assert threads == [loop.ident]


def test_on_windows_the_icon_is_changed_at_once(windows: Windows) -> None:
    calls: list[Windows] = []
    tray_backend.call_on_ui_thread(lambda: calls.append(windows))
    assert calls == [windows]
