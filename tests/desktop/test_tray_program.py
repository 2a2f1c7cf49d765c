"""The whole program with its icon on a private bus, without a screen: tests click each item and check its effect."""

from __future__ import annotations

import json
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.desktop.fake_notifications import Daemon
from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import Host
from tests.support.program import Program, outputs, wait_for
from watcher.desktop import session_bus, strings
from watcher.desktop.tray_menu import FORGET_AFTER_DAYS
from watcher.settings import config

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 10.0  # for what takes half a second


class Desktop:
    """A person's desktop: a home folder, a host for icons, a notification service, and programs that open files."""

    def __init__(self, program: Program, host: Host, daemon: Daemon, home: Path) -> None:
        self.program = program
        self.host = host
        self.daemon = daemon
        self.home = home
        self.config = program.state.parent / "config" / "config.toml"

    def start(self, *, first: bool = False) -> None:
        """Start the program and wait for its icon; `first`: for the first time, without settings."""
        if not first and not self.config.exists():
            self.config.parent.mkdir()
            self.config.touch()
        before = len(self.host.icons)
        self.program.start(tray=True)
        wait_for(lambda: len(self.host.icons) > before, TIMEOUT_SECONDS)

    def settings(self) -> config.Config:
        """Return the settings in config.toml."""
        return config.load(self.config)

    def opened(self, program: str = "xdg-open") -> list[str]:
        """Return what was opened with this program, a line per call."""
        log = self.home / f"{program}.log"
        return log.read_text().splitlines() if log.exists() else []

    def shows(self, *path: str, mark: int) -> None:
        """Wait until the item has this check mark: 1 or 0."""
        wait_for(lambda: self.host.item(*path)["toggle-state"] == mark, TIMEOUT_SECONDS)

    def process_pictures(self, count: int = 1, text: str = "ok") -> None:
        """Put `count` pictures in the queue, and wait until they are done."""
        before = self.program.counts()["done"]
        names = [f"{text}{before + number}.jpg" for number in range(count)]
        for name in names:
            (self.program.folder / name).write_text(text)
        self.program("add", *(self.program.folder / name for name in names))
        wait_for(self.program.has_done(before + count), TIMEOUT_SECONDS)


def fake_program(folder: Path, name: str, log: Path, answer: str = "") -> None:
    """Create a program of that name that appends its arguments to `log` and prints `answer`."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{log}"\nprintf "%s" "{answer}"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def desktop(stand_in: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    home = tmp_path / "person"
    programs = home / "bin"
    programs.mkdir(parents=True)
    (home / "chosen").mkdir()
    answers = {"zenity": str(home / "chosen"), "xdg-mime": "org.gnome.Nautilus.desktop"}
    for name in ("xdg-open", "zenity", "xdg-mime", "nautilus", "browser"):
        fake_program(programs, name, home / f"{name}.log", answers.get(name, ""))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("BROWSER", str(programs / "browser"))
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "GNOME")
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with Host(address) as host, Daemon(address) as daemon:
            yield Desktop(stand_in, host, daemon, home)
            stand_in.stop(signal.SIGKILL)


def actions(items: list[dict[str, Any]], parents: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the labels of all items that can be clicked, each with those of its parents."""
    paths = set()
    for item in items:
        path = (*parents, item.get("label", ""))
        if item["children"]:
            paths |= actions(item["children"], path)
        elif item.get("type") != "separator" and item["enabled"]:
            paths.add(path)
    return paths


def test_every_item_of_the_menu_does_what_it_says(desktop: Desktop) -> None:
    host, program, folder = desktop.host, desktop.program, str(desktop.program.folder)
    program.watch()
    desktop.start()
    desktop.process_pictures(2)
    newest = outputs(program.folder)[-1]
    chosen_label = "~/chosen"
    wait_for(lambda: newest in host.labels(strings.RECENT), TIMEOUT_SECONDS)
    folder_label = next(label for label in host.labels(strings.FOLDERS) if label.endswith("pictures"))
    clicked: set[tuple[str, ...]] = set()

    def click(*path: str) -> None:
        host.click(*path)
        clicked.add(path)

    click(strings.PAUSE)
    desktop.shows(strings.PAUSE, mark=1)
    assert program.run_json("status")["paused"]
    click(strings.PAUSE)
    desktop.shows(strings.PAUSE, mark=0)
    assert not program.run_json("status")["paused"]

    click(strings.FOLDERS, folder_label, strings.WATCH)
    desktop.shows(strings.FOLDERS, folder_label, mark=0)
    assert not desktop.settings().folders[0].enabled
    wait_for(lambda: program.run_json("status")["folders"][0]["state"] == "off", TIMEOUT_SECONDS)
    click(strings.FOLDERS, folder_label, strings.WATCH)
    desktop.shows(strings.FOLDERS, folder_label, strings.WATCH, mark=1)
    assert desktop.settings().folders[0].enabled

    click(strings.FOLDERS, folder_label, strings.OPEN)
    wait_for(lambda: folder in desktop.opened(), TIMEOUT_SECONDS)
    click(strings.FOLDERS, strings.ADD_FOLDER)
    wait_for(lambda: chosen_label in host.labels(strings.FOLDERS), TIMEOUT_SECONDS)
    assert [watched.path for watched in desktop.settings().folders] == [Path(folder), desktop.home / "chosen"]
    click(strings.FOLDERS, folder_label, strings.REMOVE_FOLDER)
    wait_for(lambda: folder_label not in host.labels(strings.FOLDERS), TIMEOUT_SECONDS)
    assert [watched.path for watched in desktop.settings().folders] == [desktop.home / "chosen"]

    for label, recipe in (("White background", "white"), ("Crop to subject", "crop"), ("Transparent", None)):
        click(strings.OUTPUT, label)
        desktop.shows(strings.OUTPUT, label, mark=1)
        assert sum(item["toggle-state"] for item in host.item(strings.OUTPUT)["children"]) == 1
        assert desktop.settings().default_recipe == recipe

    click(strings.RECENT, newest, strings.OPEN)
    wait_for(lambda: f"{folder}/{newest}" in desktop.opened(), TIMEOUT_SECONDS)
    click(strings.RECENT, newest, strings.SHOW_IN_FOLDER)
    wait_for(lambda: any(newest in line for line in desktop.opened("nautilus")), TIMEOUT_SECONDS)
    click(strings.HISTORY)
    wait_for(lambda: any("history.html" in line for line in desktop.opened("browser")), TIMEOUT_SECONDS)
    click(strings.UNDO_LAST)
    wait_for(lambda: outputs(program.folder) == [], TIMEOUT_SECONDS)
    wait_for(lambda: host.labels(strings.RECENT) == [strings.NOTHING_YET], TIMEOUT_SECONDS)
    assert any(notification["title"] == "2 cut-outs are in the trash" for notification in desktop.daemon.shown)

    for label, key in ((strings.CONTEXT_MENU, "menu"), (strings.START_AT_LOGIN, "autostart")):
        click(label)
        desktop.shows(label, mark=1)
        state = json.loads(program(key, "status", "--json"))
        if key == "autostart":
            assert state["autostart"]
        else:
            assert any(manager["state"] == "current" for manager in state["file_managers"])
        click(label)
        desktop.shows(label, mark=0)
    assert not list((desktop.home / ".config").rglob("*nobg*.desktop"))

    click(strings.NOTIFICATIONS)
    desktop.shows(strings.NOTIFICATIONS, mark=0)
    assert not desktop.settings().notifications
    click(strings.SETTINGS)
    wait_for(lambda: any(line.endswith("config.toml") for line in desktop.opened()), TIMEOUT_SECONDS)

    click(strings.FORGET, strings.FORGET_OLDER.format(count=FORGET_AFTER_DAYS))
    assert len(program.run_json("history")["jobs"]) == 2  # they are of today
    click(strings.FORGET, strings.FORGET_ALL)
    wait_for(lambda: program.run_json("history")["jobs"] == [], TIMEOUT_SECONDS)

    assert host.properties()["ItemIsMenu"]  # a left click opens the menu, too
    not_clicked = actions(host.menu()) - clicked
    assert not_clicked == {
        (strings.QUIT,),
        *((strings.FOLDERS, chosen_label, label) for label in strings.FOLDER_MENU_LABELS),
    }
    process = program.process
    assert process is not None
    host.click(strings.QUIT)
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert program.counts()["active"] == 0


def test_what_is_changed_elsewhere_changes_in_the_menu_within_a_second(desktop: Desktop) -> None:
    desktop.start()

    def assert_signalled(change: Callable[[], object], *path: str, mark: int) -> None:
        before = len(desktop.host.received("ItemsPropertiesUpdated"))
        change()
        started_at = time.monotonic()
        desktop.shows(*path, mark=mark)
        assert time.monotonic() - started_at < 5  # under a second on an idle machine
        assert len(desktop.host.received("ItemsPropertiesUpdated")) > before

    assert_signalled(lambda: desktop.program("pause"), strings.PAUSE, mark=1)
    assert_signalled(lambda: desktop.program("resume"), strings.PAUSE, mark=0)
    assert_signalled(lambda: desktop.program("autostart", "on"), strings.START_AT_LOGIN, mark=1)
    assert_signalled(lambda: desktop.program("autostart", "off"), strings.START_AT_LOGIN, mark=0)
    assert_signalled(lambda: desktop.config.write_text('recipe = "white"'), strings.OUTPUT, "White background", mark=1)
    assert_signalled(lambda: desktop.config.write_text("notifications = false"), strings.NOTIFICATIONS, mark=0)
    desktop.config.write_text("nonsense = 1")
    wait_for(lambda: desktop.host.properties()["Status"] == "NeedsAttention", TIMEOUT_SECONDS)
    wait_for(lambda: "nonsense: there is no such setting" in " ".join(desktop.host.labels()), TIMEOUT_SECONDS)


def test_a_batch_gets_one_notification_and_its_undo_undoes_it(desktop: Desktop) -> None:
    desktop.start()
    desktop.process_pictures(12)
    (first,) = desktop.daemon.wait(1)
    assert (first["title"], first["body"]) == ("12 cut-outs ready", "In pictures")
    sizes = [(width, height) for width, height, _ in desktop.host.properties()["IconPixmap"]]
    assert sizes == [(size, size) for size in (16, 22, 24, 32, 48, 64)]
    assert first["actions"] == [strings.OPEN_FOLDER, strings.UNDO]
    assert len(outputs(desktop.program.folder)) == 12
    desktop.daemon.press(0, strings.UNDO)
    wait_for(lambda: outputs(desktop.program.folder) == [], TIMEOUT_SECONDS)
    assert desktop.daemon.wait(2)[1]["title"] == "12 cut-outs are in the trash"


def test_what_wants_a_look_is_said_in_notification_and_menu_and_the_history_knows(desktop: Desktop) -> None:
    desktop.start()
    desktop.process_pictures(2, "doubtful")
    (shown,) = desktop.daemon.wait(1)
    assert shown["body"] == "In pictures\n2 of them want a look"
    assert shown["actions"] == [strings.HAVE_A_LOOK, strings.OPEN_FOLDER, strings.UNDO]
    wait_for(lambda: "2 want a look…" in desktop.host.labels(), TIMEOUT_SECONDS)
    assert desktop.program("history").count("wants a look: much of it is half transparent") == 2
    desktop.daemon.press(0, strings.UNDO)
    wait_for(lambda: not [label for label in desktop.host.labels() if "look" in label], TIMEOUT_SECONDS)


def test_a_picture_without_a_clear_subject_is_cut_out_anyway_by_a_click(desktop: Desktop) -> None:
    desktop.start()
    picture = desktop.program.folder / "unclear.jpg"
    picture.write_text("unclear")
    desktop.program("add", picture)
    (shown,) = desktop.daemon.wait(1)
    assert shown["actions"] == [strings.SHOW_WHERE, strings.CUT_OUT_ANYWAY]
    label = strings.UNCLEAR.format(name="unclear.jpg")
    wait_for(lambda: label in desktop.host.labels(strings.RECENT), TIMEOUT_SECONDS)
    desktop.daemon.press(0, strings.CUT_OUT_ANYWAY)
    wait_for(lambda: outputs(desktop.program.folder) == ["unclear_nobg.png"], TIMEOUT_SECONDS)
    wait_for(lambda: desktop.host.labels(strings.RECENT) == ["unclear_nobg.png"], TIMEOUT_SECONDS)


def test_a_click_on_the_notification_opens_the_result(desktop: Desktop) -> None:
    desktop.start()
    desktop.process_pictures(1)
    assert desktop.daemon.wait(1)[0]["title"] == "Cut-out ready"
    desktop.daemon.click(0)
    wait_for(lambda: desktop.opened() == [f"{desktop.program.folder}/ok0_nobg.png"], TIMEOUT_SECONDS)


def test_with_notifications_off_only_clicks_are_answered(desktop: Desktop) -> None:
    desktop.config.parent.mkdir()
    desktop.config.write_text("notifications = false")
    desktop.start()
    desktop.process_pictures(1)
    wait_for(lambda: desktop.host.item(strings.UNDO_LAST)["enabled"], TIMEOUT_SECONDS)
    desktop.host.click(strings.UNDO_LAST)
    (shown,) = desktop.daemon.wait(1)
    assert shown["title"] == "1 cut-out is in the trash"


def test_neither_a_restarted_panel_nor_the_end_of_the_bus_stops_the_work(desktop: Desktop) -> None:
    desktop.start()
    desktop.host.stop()
    desktop.process_pictures(1)
    desktop.host.start()
    started_at = time.monotonic()
    desktop.host.wait_for_icon()
    assert time.monotonic() - started_at < 2
    desktop.host.kill_bus()
    desktop.process_pictures(1)
    assert desktop.program.stop() == 0


def test_a_first_start_offers_and_does_only_what_is_accepted(desktop: Desktop) -> None:
    pictures = desktop.home / "Pictures"
    desktop.start(first=True)
    (welcome,) = desktop.daemon.wait(1)
    assert welcome["actions"] == [strings.WELCOME_ALL, strings.WELCOME_MENU, strings.WELCOME_NONE]
    assert not pictures.exists()
    assert len(desktop.host.item(strings.SET_UP)["children"]) == 5

    desktop.daemon.press(0, strings.WELCOME_MENU)
    desktop.shows(strings.CONTEXT_MENU, mark=1)
    wait_for(lambda: len(desktop.host.item(strings.SET_UP)["children"]) == 4, TIMEOUT_SECONDS)
    assert not pictures.exists()
    folder = "~/Pictures/Remove background"
    desktop.host.click(strings.SET_UP, strings.OFFER_FOLDER.format(folder=folder))
    wait_for(lambda: folder in desktop.host.labels(strings.FOLDERS), TIMEOUT_SECONDS)
    assert [path.name for path in pictures.iterdir()] == ["Remove background"]
    desktop.host.click(strings.SET_UP, strings.DECLINE_SETUP)
    wait_for(lambda: strings.SET_UP not in desktop.host.labels(), TIMEOUT_SECONDS)
    assert not json.loads(desktop.program("autostart", "status", "--json"))["autostart"]

    desktop.program.stop()
    desktop.start()
    assert strings.SET_UP not in desktop.host.labels()
    assert len([shown for shown in desktop.daemon.shown if shown["title"] == strings.WELCOME]) == 1


def test_if_something_is_already_set_up_nothing_is_offered(desktop: Desktop) -> None:
    desktop.program.watch()
    desktop.start(first=True)
    assert strings.SET_UP not in desktop.host.labels()
    assert desktop.daemon.shown == []


def test_all_that_was_offered_is_done_even_if_one_part_fails_and_is_not_offered_again(desktop: Desktop) -> None:
    existing_script = desktop.home / ".local/share/nautilus/scripts/Remove background"
    existing_script.parent.mkdir(parents=True)
    existing_script.write_text("the person's own")
    desktop.start(first=True)
    desktop.daemon.wait(1)
    desktop.daemon.press(0, strings.WELCOME_ALL)
    desktop.shows(strings.START_AT_LOGIN, mark=1)
    wait_for(lambda: "~/Pictures/Remove background" in desktop.host.labels(strings.FOLDERS), TIMEOUT_SECONDS)
    assert existing_script.read_text() == "the person's own"
    assert any(notification["title"] == strings.FAILED for notification in desktop.daemon.shown)
    wait_for(lambda: strings.SET_UP not in desktop.host.labels(), TIMEOUT_SECONDS)
    desktop.host.click(strings.START_AT_LOGIN)
    desktop.shows(strings.START_AT_LOGIN, mark=0)
    assert strings.SET_UP not in desktop.host.labels()


def test_a_folder_that_is_chosen_again_keeps_its_settings(desktop: Desktop) -> None:
    desktop.config.parent.mkdir()
    desktop.config.write_text(f'[[folders]]\npath = "{desktop.home / "chosen"}"\nrecipe = "white"\nenabled = false')
    desktop.start()
    desktop.host.click(strings.FOLDERS, strings.ADD_FOLDER)
    desktop.shows(strings.FOLDERS, "~/chosen", mark=1)
    (folder,) = desktop.settings().folders
    assert folder.base_recipe_name == "white"


def test_wrong_settings_need_attention_until_they_are_corrected(desktop: Desktop) -> None:
    desktop.config.parent.mkdir()
    desktop.config.write_text('model = "nonsense"')
    desktop.start()
    (desktop.program.folder / "a.jpg").write_text("ok")
    desktop.program("add", desktop.program.folder / "a.jpg")
    wait_for(lambda: desktop.host.properties()["Status"] == "NeedsAttention", TIMEOUT_SECONDS)
    desktop.host.click(strings.SETTINGS)
    wait_for(lambda: desktop.opened() == [str(desktop.config)], TIMEOUT_SECONDS)
    desktop.config.write_text("")
    wait_for(lambda: desktop.host.properties()["Status"] == "Active", TIMEOUT_SECONDS)
    wait_for(lambda: desktop.program.counts()["done"] == 1, TIMEOUT_SECONDS)


def test_undo_last_skips_what_cannot_be_undone(desktop: Desktop) -> None:
    desktop.start()
    desktop.process_pictures(1)
    desktop.process_pictures(1)
    (desktop.program.folder / "ok1_nobg.png").unlink()
    wait_for(lambda: desktop.host.item(strings.UNDO_LAST)["enabled"], TIMEOUT_SECONDS)
    desktop.host.click(strings.UNDO_LAST)
    wait_for(lambda: outputs(desktop.program.folder) == [], TIMEOUT_SECONDS)


@pytest.mark.parametrize("display", ["localhost:10.0", "somewhere.invalid:0", ":77", "tcp/localhost:0"])
def test_a_display_on_another_machine_is_no_desktop(display: str) -> None:
    assert session_bus.display({"DISPLAY": display}) is None
