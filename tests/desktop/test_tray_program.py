"""The whole program with its icon on a bus of its own, without any screen: each item clicked, each effect seen."""

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
from watcher import config
from watcher.desktop import session_bus, strings

WITHIN = 10.0  # seconds for what takes half of one


class Desk:
    """A person's desktop, as far as nobg sees it: a home, a bar for icons, notifications, and what opens things."""

    def __init__(self, program: Program, host: Host, daemon: Daemon, home: Path) -> None:
        self.program = program
        self.host = host
        self.daemon = daemon
        self.home = home
        self.config = program.state.parent / "config" / "config.toml"

    def start(self, *, first: bool = False) -> None:
        """The program is started, and its icon is there; `first`: for the first time, with no settings yet."""
        if not first and not self.config.exists():
            self.config.parent.mkdir()
            self.config.touch()
        before = len(self.host.icons)
        self.program.start(tray=True)
        wait_for(lambda: len(self.host.icons) > before, WITHIN)

    def settings(self) -> config.Config:
        """What config.toml says."""
        return config.load(self.config)

    def opened(self, program: str = "xdg-open") -> list[str]:
        """What was opened with this one."""
        log = self.home / f"{program}.log"
        return log.read_text().splitlines() if log.exists() else []

    def shows(self, *path: str, mark: int) -> None:
        """The item gets this check mark."""
        wait_for(lambda: self.host.item(*path)["toggle-state"] == mark, WITHIN)

    def do(self, count: int = 1, text: str = "ok") -> None:
        """So many pictures are put in the queue, and done."""
        before = self.program.counts()["done"]
        names = [f"{text}{before + number}.jpg" for number in range(count)]
        for name in names:
            (self.program.folder / name).write_text(text)
        self.program("add", *(self.program.folder / name for name in names))
        wait_for(self.program.has_done(before + count), WITHIN)


def fake_program(folder: Path, name: str, log: Path, answer: str = "") -> None:
    """A program of that name which notes what it is given, and answers."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{log}"\nprintf "%s" "{answer}"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def desk(stand_in: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
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
            yield Desk(stand_in, host, daemon, home)
            stand_in.stop(signal.SIGKILL)


def actions(items: list[dict[str, Any]], above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """All that can be clicked."""
    found = set()
    for item in items:
        path = (*above, item.get("label", ""))
        if item["children"]:
            found |= actions(item["children"], path)
        elif item.get("type") != "separator" and item["enabled"]:
            found.add(path)
    return found


def test_every_item_of_the_menu_does_what_it_says(desk: Desk) -> None:
    host, program, folder = desk.host, desk.program, str(desk.program.folder)
    program.watch()
    desk.start()
    desk.do(2)
    last = outputs(program.folder)[-1]
    shown = "~/chosen"
    wait_for(lambda: last in host.labels(strings.RECENT), WITHIN)
    here = next(label for label in host.labels(strings.FOLDERS) if label.endswith("pictures"))
    clicked: set[tuple[str, ...]] = set()

    def click(*path: str) -> None:
        host.click(*path)
        clicked.add(path)

    click(strings.PAUSE)
    desk.shows(strings.PAUSE, mark=1)
    assert program.run_json("status")["paused"]
    click(strings.PAUSE)
    desk.shows(strings.PAUSE, mark=0)
    assert not program.run_json("status")["paused"]

    click(strings.FOLDERS, here, strings.WATCH)
    desk.shows(strings.FOLDERS, here, mark=0)
    assert not desk.settings().folders[0].enabled
    wait_for(lambda: program.run_json("status")["folders"][0]["state"] == "off", WITHIN)
    click(strings.FOLDERS, here, strings.WATCH)
    desk.shows(strings.FOLDERS, here, strings.WATCH, mark=1)
    assert desk.settings().folders[0].enabled

    click(strings.FOLDERS, here, strings.OPEN)
    wait_for(lambda: folder in desk.opened(), WITHIN)
    click(strings.FOLDERS, strings.ADD_FOLDER)
    wait_for(lambda: shown in host.labels(strings.FOLDERS), WITHIN)
    assert [one.path for one in desk.settings().folders] == [Path(folder), desk.home / "chosen"]
    click(strings.FOLDERS, here, strings.REMOVE_FOLDER)
    wait_for(lambda: here not in host.labels(strings.FOLDERS), WITHIN)
    assert [one.path for one in desk.settings().folders] == [desk.home / "chosen"]

    for label, recipe in (("White background", "white"), ("Crop to subject", "crop"), ("Transparent", None)):
        click(strings.OUTPUT, label)
        desk.shows(strings.OUTPUT, label, mark=1)
        assert sum(item["toggle-state"] for item in host.item(strings.OUTPUT)["children"]) == 1
        assert desk.settings().default_recipe == recipe

    click(strings.RECENT, last, strings.OPEN)
    wait_for(lambda: f"{folder}/{last}" in desk.opened(), WITHIN)
    click(strings.RECENT, last, strings.SHOW_IN_FOLDER)
    wait_for(lambda: any(last in line for line in desk.opened("nautilus")), WITHIN)
    click(strings.HISTORY)
    wait_for(lambda: any("history.html" in line for line in desk.opened("browser")), WITHIN)
    click(strings.UNDO_LAST)
    wait_for(lambda: outputs(program.folder) == [], WITHIN)
    wait_for(lambda: host.labels(strings.RECENT) == [strings.NOTHING_YET], WITHIN)
    assert any(notice["title"] == "2 cut-outs are in the trash" for notice in desk.daemon.shown)

    for label, key in ((strings.CONTEXT_MENU, "menu"), (strings.START_AT_LOGIN, "autostart")):
        click(label)
        desk.shows(label, mark=1)
        state = json.loads(program(key, "status", "--json"))
        if key == "autostart":
            assert state["autostart"]
        else:
            assert any(one["state"] == "current" for one in state["file_managers"])
        click(label)
        desk.shows(label, mark=0)
    assert not list((desk.home / ".config").rglob("*nobg*.desktop"))

    click(strings.NOTIFICATIONS)
    desk.shows(strings.NOTIFICATIONS, mark=0)
    assert not desk.settings().notifications
    click(strings.SETTINGS)
    wait_for(lambda: any(line.endswith("config.toml") for line in desk.opened()), WITHIN)

    assert host.properties()["ItemIsMenu"]  # a left click opens it, too
    rest = actions(host.menu()) - clicked
    assert rest == {(strings.QUIT,), *((strings.FOLDERS, shown, label) for label in strings.FOLDER_MENU_LABELS)}
    process = program.process
    assert process is not None
    host.click(strings.QUIT)
    assert process.wait(WITHIN) == 0
    assert program.counts()["active"] == 0


def test_what_is_changed_elsewhere_changes_in_the_menu_within_a_second(desk: Desk) -> None:
    desk.start()

    def changes(act: Callable[[], object], *path: str, mark: int) -> None:
        before = len(desk.host.received("ItemsPropertiesUpdated"))
        act()
        began = time.monotonic()
        desk.shows(*path, mark=mark)
        assert time.monotonic() - began < 5  # less than one, on a machine that does nothing else
        assert len(desk.host.received("ItemsPropertiesUpdated")) > before

    changes(lambda: desk.program("pause"), strings.PAUSE, mark=1)
    changes(lambda: desk.program("resume"), strings.PAUSE, mark=0)
    changes(lambda: desk.program("autostart", "on"), strings.START_AT_LOGIN, mark=1)
    changes(lambda: desk.program("autostart", "off"), strings.START_AT_LOGIN, mark=0)
    changes(lambda: desk.config.write_text('recipe = "white"'), strings.OUTPUT, "White background", mark=1)
    changes(lambda: desk.config.write_text("notifications = false"), strings.NOTIFICATIONS, mark=0)
    desk.config.write_text("nonsense = 1")
    wait_for(lambda: desk.host.properties()["Status"] == "NeedsAttention", WITHIN)
    wait_for(lambda: "nonsense: there is no such setting" in " ".join(desk.host.labels()), WITHIN)


def test_a_batch_is_told_once_and_its_undo_undoes_it(desk: Desk) -> None:
    desk.start()
    desk.do(12)
    (first,) = desk.daemon.wait(1)
    assert (first["title"], first["body"]) == ("12 cut-outs ready", "In pictures")
    sizes = [(width, height) for width, height, _ in desk.host.properties()["IconPixmap"]]
    assert sizes == [(size, size) for size in (16, 22, 24, 32, 48, 64)]
    assert first["actions"] == [strings.OPEN_FOLDER, strings.UNDO]
    assert len(outputs(desk.program.folder)) == 12
    desk.daemon.press(0, strings.UNDO)
    wait_for(lambda: outputs(desk.program.folder) == [], WITHIN)
    assert desk.daemon.wait(2)[1]["title"] == "12 cut-outs are in the trash"


def test_a_click_on_the_notification_opens_the_result(desk: Desk) -> None:
    desk.start()
    desk.do(1)
    assert desk.daemon.wait(1)[0]["title"] == "Cut-out ready"
    desk.daemon.click(0)
    wait_for(lambda: desk.opened() == [f"{desk.program.folder}/ok0_nobg.png"], WITHIN)


def test_switched_off_nothing_is_told_but_what_a_click_asked_for(desk: Desk) -> None:
    desk.config.parent.mkdir()
    desk.config.write_text("notifications = false")
    desk.start()
    desk.do(1)
    wait_for(lambda: desk.host.item(strings.UNDO_LAST)["enabled"], WITHIN)
    desk.host.click(strings.UNDO_LAST)
    (shown,) = desk.daemon.wait(1)
    assert shown["title"] == "1 cut-out is in the trash"


def test_the_bar_that_restarts_and_the_bus_that_is_gone_stop_no_work(desk: Desk) -> None:
    desk.start()
    desk.host.stop()
    desk.do(1)
    desk.host.start()
    began = time.monotonic()
    desk.host.wait_for_icon()
    assert time.monotonic() - began < 2
    desk.host.kill_bus()
    desk.do(1)
    assert desk.program.stop() == 0


def test_a_first_start_offers_and_does_only_what_is_accepted(desk: Desk) -> None:
    pictures = desk.home / "Pictures"
    desk.start(first=True)
    (welcome,) = desk.daemon.wait(1)
    assert welcome["actions"] == [strings.WELCOME_ALL, strings.WELCOME_MENU, strings.WELCOME_NONE]
    assert not pictures.exists()
    assert len(desk.host.item(strings.SET_UP)["children"]) == 5

    desk.daemon.press(0, strings.WELCOME_MENU)
    desk.shows(strings.CONTEXT_MENU, mark=1)
    wait_for(lambda: len(desk.host.item(strings.SET_UP)["children"]) == 4, WITHIN)
    assert not pictures.exists()
    folder = "~/Pictures/Remove background"
    desk.host.click(strings.SET_UP, strings.OFFER_FOLDER.format(folder=folder))
    wait_for(lambda: folder in desk.host.labels(strings.FOLDERS), WITHIN)
    assert [path.name for path in pictures.iterdir()] == ["Remove background"]
    desk.host.click(strings.SET_UP, strings.DECLINE_SETUP)
    wait_for(lambda: strings.SET_UP not in desk.host.labels(), WITHIN)
    assert not json.loads(desk.program("autostart", "status", "--json"))["autostart"]

    desk.program.stop()
    desk.start()
    assert strings.SET_UP not in desk.host.labels()
    assert len([one for one in desk.daemon.shown if one["title"] == strings.WELCOME]) == 1


def test_where_something_is_set_up_already_nothing_is_offered(desk: Desk) -> None:
    desk.program.watch()
    desk.start(first=True)
    assert strings.SET_UP not in desk.host.labels()
    assert desk.daemon.shown == []


def test_all_that_was_offered_is_done_even_if_one_part_fails_and_is_not_offered_again(desk: Desk) -> None:
    taken = desk.home / ".local/share/nautilus/scripts/Remove background"
    taken.parent.mkdir(parents=True)
    taken.write_text("the person's own")
    desk.start(first=True)
    desk.daemon.wait(1)
    desk.daemon.press(0, strings.WELCOME_ALL)
    desk.shows(strings.START_AT_LOGIN, mark=1)
    wait_for(lambda: "~/Pictures/Remove background" in desk.host.labels(strings.FOLDERS), WITHIN)
    assert taken.read_text() == "the person's own"
    assert any(notice["title"] == strings.FAILED for notice in desk.daemon.shown)
    wait_for(lambda: strings.SET_UP not in desk.host.labels(), WITHIN)
    desk.host.click(strings.START_AT_LOGIN)
    desk.shows(strings.START_AT_LOGIN, mark=0)
    assert strings.SET_UP not in desk.host.labels()


def test_a_folder_that_is_chosen_again_keeps_its_settings(desk: Desk) -> None:
    desk.config.parent.mkdir()
    desk.config.write_text(f'[[folders]]\npath = "{desk.home / "chosen"}"\nrecipe = "white"\nenabled = false')
    desk.start()
    desk.host.click(strings.FOLDERS, strings.ADD_FOLDER)
    desk.shows(strings.FOLDERS, "~/chosen", mark=1)
    (folder,) = desk.settings().folders
    assert folder.based_on == "white"


def test_settings_that_are_wrong_can_be_opened_and_then_nothing_needs_the_person(desk: Desk) -> None:
    desk.config.parent.mkdir()
    desk.config.write_text('model = "nonsense"')
    desk.start()
    (desk.program.folder / "a.jpg").write_text("ok")
    desk.program("add", desk.program.folder / "a.jpg")
    wait_for(lambda: desk.host.properties()["Status"] == "NeedsAttention", WITHIN)
    desk.host.click(strings.SETTINGS)
    wait_for(lambda: desk.opened() == [str(desk.config)], WITHIN)
    desk.config.write_text("")
    wait_for(lambda: desk.host.properties()["Status"] == "Active", WITHIN)
    wait_for(lambda: desk.program.counts()["done"] == 1, WITHIN)


def test_undo_last_passes_over_what_cannot_be_undone(desk: Desk) -> None:
    desk.start()
    desk.do(1)
    desk.do(1)
    (desk.program.folder / "ok1_nobg.png").unlink()
    wait_for(lambda: desk.host.item(strings.UNDO_LAST)["enabled"], WITHIN)
    desk.host.click(strings.UNDO_LAST)
    wait_for(lambda: outputs(desk.program.folder) == [], WITHIN)


@pytest.mark.parametrize("display", ["localhost:10.0", "somewhere.invalid:0", ":77", "tcp/localhost:0"])
def test_a_display_on_another_machine_is_no_desktop(display: str) -> None:
    assert session_bus.display({"DISPLAY": display}) is None
