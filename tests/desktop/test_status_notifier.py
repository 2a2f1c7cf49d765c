"""status_notifier.py, on a real bus, seen by a host that is not one."""

import contextlib
import gc
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import DBusError, Message, MessageFlag, Variant
from PIL import Image

from tests.conftest import wait_for
from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import BUS, BUS_PATH, ITEM, ITEM_PATH, MENU, PROPERTIES, Host, plain
from watcher.desktop import status_notifier
from watcher.desktop.status_notifier import Icon, pystray_base

pystray = pystray_base()
Menu, Item, LINE = pystray.Menu, pystray.MenuItem, pystray.Menu.SEPARATOR

RED = Image.new("RGBA", (16, 16), (255, 0, 0, 255))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bus of the test's own is the session bus."""
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def host(bus: str) -> Iterator[Host]:
    """Somebody on it shows icons."""
    with Host(bus) as one:
        yield one


class Run:
    """`icon.run()` in a thread."""

    def __init__(self, icon: Icon, setup: Callable[[Any], None] | None = None) -> None:
        self.icon = icon
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(setup,))
        self._thread.start()

    def _run(self, setup: Callable[[Any], None] | None) -> None:
        try:
            self.icon.run(setup)
        except BaseException as error:  # noqa: BLE001  looked at by the test
            self.error = error

    def wait(self, seconds: float = 5.0) -> None:
        """Until it has ended by itself."""
        self._thread.join(seconds)
        assert not self._thread.is_alive()

    def end(self) -> None:
        """It must end when it is told to."""
        self.icon.stop()
        self.wait()


@contextlib.contextmanager
def running(icon: Icon, setup: Callable[[Any], None] | None = None) -> Iterator[Run]:
    """An icon while it runs."""
    run = Run(icon, setup)
    try:
        yield run
    finally:
        run.end()


@contextlib.contextmanager
def shown(host: Host, *items: Any) -> Iterator[Icon]:
    """An icon with these items, or those that a function gives, which the host has taken."""
    icon = Icon("nobg", RED, "nobg", Menu(*items))
    with running(icon):
        host.wait_for_icon()
        wait_for(lambda: icon.registered)
        yield icon


class Menus:
    """A menu that the test changes, and how often it was made."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.made = 0

    def __call__(self) -> tuple[Any, ...]:
        """The items, as pystray asks for them."""
        self.made += 1
        return self.items

    def change(self, icon: Icon, *items: Any) -> None:
        """Show other items, and wait until they are."""
        self.items = items
        made = self.made
        icon.update_menu()
        wait_for(lambda: self.made > made)


def named(*labels: str) -> list[Any]:
    return [Item(label, None) for label in labels]


def checkable(label: str, checked: bool, **options: Any) -> Any:
    return Item(label, None, checked=lambda _: checked, **options)


# Being there


def test_the_icon_is_registered_by_the_name_of_its_connection(host: Host) -> None:
    with shown(host) as icon:
        assert host.wait_for_icon().startswith(":")
        assert icon.registered
    assert not icon.registered


def test_whoever_asks_for_everything_gets_it(host: Host) -> None:
    with shown(host, *named("One")):
        pixmaps = [[16, 16, b"\xff\xff\0\0" * 256]]
        assert host.properties() == {
            "Category": "ApplicationStatus",
            "Id": "nobg",
            "Title": "nobg",
            "Status": "Active",
            "WindowId": 0,
            "IconName": "",
            "IconPixmap": pixmaps,
            "IconThemePath": "",
            "OverlayIconName": "",
            "OverlayIconPixmap": [],
            "AttentionIconName": "",
            "AttentionIconPixmap": pixmaps,
            "AttentionMovieName": "",
            "ToolTip": ["", [], "nobg", ""],
            "ItemIsMenu": True,
            "Menu": "/MenuBar",
        }
        found = host.call("GetAll", "s", MENU, interface=PROPERTIES)[0]
        assert {name: value.value for name, value in found.items()} == {
            "Version": 3,
            "TextDirection": "ltr",
            "Status": "normal",
            "IconThemePath": [],
        }


@pytest.mark.skipif(not shutil.which("gdbus"), reason="gdbus is not installed")
def test_another_library_reads_it_too(host: Host, bus: str) -> None:
    def gdbus(*arguments: str) -> str:
        command = ["gdbus", arguments[0], "--address", bus, "--dest", host.wait_for_icon(), *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout

    with shown(host, *named("Grüße 🖼")):
        seen = gdbus("introspect", "--object-path", ITEM_PATH)
        for part in (
            "readonly a(iiay) IconPixmap = [(16, 16, ",
            "NewStatus(s ",
            "Activate(in  i ",
            "'ApplicationStatus'",
        ):
            assert part in seen
        seen = gdbus("introspect", "--object-path", "/MenuBar")
        for part in ("ItemsPropertiesUpdated(a(ia{sv}) ", "LayoutUpdated(u ", "readonly u Version = 3"):
            assert part in seen
        layout = gdbus("call", "--object-path", "/MenuBar", "--method", f"{MENU}.GetLayout", "--", "0", "-1", "[]")
        assert "'label': <'Grüße 🖼'>" in layout


def test_it_is_registered_again_as_soon_as_the_panel_is_back(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        host.stop()
        wait_for(lambda: not icon.registered)
        host.start()
        started = time.monotonic()
        host.wait_for_icon()
        assert time.monotonic() - started < 2
        wait_for(lambda: icon.registered)
        assert host.labels() == ["One"]


def test_without_a_panel_it_waits_for_one(bus: str) -> None:
    ready = threading.Event()

    def show(icon: Any) -> None:
        icon.visible = True
        ready.set()

    icon = Icon("nobg", RED)
    with running(icon, show):
        assert ready.wait(5)
        assert not icon.registered
        with Host(bus) as host:
            host.wait_for_icon()
            wait_for(lambda: icon.registered)


def test_a_panel_that_takes_the_place_of_another_gets_the_icon(host: Host, bus: str) -> None:
    with shown(host, *named("One")) as icon, Host(bus) as other:
        assert other.wait_for_icon() == host.wait_for_icon()
        wait_for(lambda: icon.registered)
        assert other.labels() == ["One"]


def test_it_is_registered_when_it_becomes_visible_and_only_once(host: Host) -> None:
    ready = threading.Event()
    icon = Icon("nobg", RED, "nobg")
    with running(icon, lambda _: ready.set()):
        assert ready.wait(5)
        assert not host.icons
        icon.visible = True
        host.wait_for_icon()
        assert host.properties()["Status"] == "Active"
        icon.visible = False
        assert host.properties()["Status"] == "Passive"
        icon.visible = True
        assert host.properties()["Status"] == "Active"
        assert len(host.icons) == 1
        assert host.received("NewStatus")[-2:] == [["Passive"], ["Active"]]


def test_a_panel_that_asks_at_once_sees_it_as_it_is(host: Host) -> None:
    with shown(host) as icon:
        icon._hide()  # pystray itself remembers this only after it
        assert host.properties()["Status"] == "Passive"
        icon._show()
        assert host.properties()["Status"] == "Active"


def test_a_panel_that_refuses_the_icon_is_reported(host: Host, caplog: Any) -> None:
    host.answer = lambda message: Message.new_error(message, "org.example.Full", "no room")
    icon = Icon("nobg", RED)
    with running(icon):
        wait_for(lambda: "The icon was refused: ['no room']" in caplog.text)
        assert not icon.registered


def test_what_a_panel_says_too_late_is_not_heard(host: Host, bus: str) -> None:
    asked: list[Message] = []

    def keep(message: Message) -> bool:
        asked.append(message)
        return True

    host.answer = keep
    other = Host(bus)
    other.answer = lambda _: True
    icon = Icon("nobg", RED)
    with running(icon):
        host.wait_for_icon()
        with other:
            other.wait_for_icon()
            host.send(Message.new_method_return(asked[0]))
            host.labels()
            assert not icon.registered


# Coming and going


def test_the_end_of_the_bus_ends_it(host: Host, caplog: Any) -> None:
    icon = Icon("nobg", RED, "nobg", Menu(*named("One")))
    run = Run(icon)
    host.wait_for_icon()
    host.kill_bus()
    run.wait()
    assert isinstance(run.error, ConnectionError)
    assert str(run.error) == "The session bus is gone, and the icon with it."
    assert not icon.registered
    icon.title, icon.attention = "still", True  # nobody listens
    icon.update_menu()
    assert not caplog.records


def test_the_end_of_the_bus_while_a_panel_thinks_ends_it(host: Host, caplog: Any) -> None:
    host.answer = lambda _: True
    run = Run(Icon("nobg", RED))
    host.wait_for_icon()
    host.kill_bus()
    run.wait()
    assert isinstance(run.error, ConnectionError)
    del run
    gc.collect()  # asyncio speaks of errors that nobody has looked at when they are thrown away
    assert not caplog.records


def test_it_can_run_again_on_the_next_bus_with_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    menus = Menus(*named("One", "Two"))
    icon = Icon("nobg", RED, "nobg", Menu(menus))
    numbers = []
    for soon in (60, 0):  # the first bus ends before the menu has been updated
        monkeypatch.setattr(status_notifier, "UPDATE_DELAY_SECONDS", soon)
        with private_bus() as address:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
            with Host(address) as host:
                run = Run(icon)
                host.wait_for_icon()
                wait_for(lambda: icon.registered)
                numbers.append([item["id"] for item in host.menu()])
                icon.update_menu()
                if not soon:
                    menus.change(icon, *named("Three"))
                    assert not host.open()
                    assert host.labels() == ["Three"]
            wait_for(lambda: not icon.registered)  # the panel is gone before the bus is: the next must be found anew
        run.wait()
        assert isinstance(run.error, ConnectionError)
    assert numbers == [[1, 2], [1, 2]]


def test_stop_ends_it_at_once_and_for_good(host: Host) -> None:
    with shown(host) as icon:
        started = time.monotonic()
        icon.stop()
        wait_for(lambda: not icon.registered)
        assert time.monotonic() - started < 1
    icon.run()
    icon.stop()


def test_a_click_can_stop_it(host: Host) -> None:
    icon = Icon("nobg", RED, "nobg", Menu(Item("Quit", lambda icon: icon.stop())))
    run = Run(icon)
    host.wait_for_icon()
    host.click("Quit")
    run.wait()
    assert run.error is None


@pytest.mark.usefixtures("bus")
def test_stop_before_the_start_is_not_forgotten() -> None:
    icon = Icon("nobg", RED)
    icon.stop()
    run = Run(icon)
    run.wait()
    assert run.error is None


@pytest.mark.parametrize("setup", [None, lambda _: None])
def test_without_a_bus_it_says_so(monkeypatch: pytest.MonkeyPatch, setup: Any) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    threads = threading.active_count()
    with pytest.raises(ConnectionError, match="there is no desktop session"):
        Icon("nobg", RED).run(setup)
    assert threading.active_count() == threads


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "autolaunch:", "nonsense", "unix:path=,,=", ";"])
def test_an_address_that_leads_nowhere_is_no_bus(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    with pytest.raises(ConnectionError, match=r"does not answer|not on this machine"):
        Icon("nobg", RED).run()


def test_the_bus_is_found_at_its_usual_place(bus: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "run time"
    folder.mkdir()
    (folder / "bus").symlink_to(bus.partition("path=")[2].partition(",")[0])
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    with Host(bus) as host, running(Icon("nobg", RED)):
        host.wait_for_icon()


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """What sits at the bus's place takes calls and says nothing."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
        yield listener


@pytest.mark.usefixtures("mute")
def test_a_bus_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_notifier, "BUS_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ConnectionError, match="does not answer"):
        Icon("nobg", RED).run()


def test_stop_ends_the_waiting_for_such_a_bus(mute: socket.socket) -> None:
    with running(Icon("nobg", RED)) as run:
        caller, _ = mute.accept()
        caller.recv(1)
    caller.close()
    assert run.error is None


def test_a_bus_that_hangs_up_is_no_bus(mute: socket.socket) -> None:
    run = Run(Icon("nobg", RED))
    caller, _ = mute.accept()
    caller.recv(1)
    caller.close()
    run.wait()
    assert isinstance(run.error, ConnectionError)


# The menu


def test_the_menu_is_as_it_was_made(host: Host) -> None:
    items = (
        Item("Pause", None, checked=lambda _: False),
        LINE,
        Item("Output", Menu(checkable("White", True, radio=True), checkable("Crop", False, radio=True))),
        Item("Undo", None, enabled=False),
        Item("Hidden", None, visible=False),
    )
    with shown(host, *items):
        assert host.labels() == ["Pause", "-", "Output", "Undo"]
        pause, line, output, undo = host.menu()
        assert (pause["toggle-type"], pause["toggle-state"]) == ("checkmark", 0)
        assert line["type"] == "separator"
        assert output["children-display"] == "submenu"
        assert [(item["toggle-type"], item["toggle-state"]) for item in output["children"]] == [
            ("radio", 1),
            ("radio", 0),
        ]
        assert (undo["enabled"], "toggle-type" in undo) == (False, False)
        assert len({item["id"] for item in [*host.menu(), *output["children"]]}) == 6


def test_an_icon_without_a_menu_has_an_empty_one(host: Host) -> None:
    icon = Icon("nobg", RED)
    with running(icon):
        host.wait_for_icon()
        assert host.menu() == []
        host.activate()
        icon.menu = Menu(*named("One"))
        wait_for(lambda: host.labels() == ["One"])


def test_a_check_mark_is_told_alone(host: Host) -> None:
    menus = Menus(*named("One"), checkable("Pause", False))
    with shown(host, menus) as icon:
        number = host.item("Pause")["id"]
        menus.change(icon, *named("One"), checkable("Pause", True))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[[number, {"toggle-state": 1}]], []]]
        assert not host.received("LayoutUpdated")
        assert host.item("Pause")["toggle-state"] == 1


def test_a_property_that_is_gone_is_told(host: Host) -> None:
    menus = Menus(checkable("Pause", False))
    with shown(host, menus) as icon:
        menus.change(icon, *named("Pause"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[], [[1, ["toggle-type", "toggle-state"]]]]]


def test_nothing_is_told_where_nothing_has_changed(host: Host) -> None:
    menus = Menus(checkable("Pause", True), LINE, *named("One"))
    with shown(host, menus) as icon:
        menus.change(icon, checkable("Pause", True), LINE, *named("One"))
        assert not host.open()
        assert [member for member, _ in host.signals if member in ("LayoutUpdated", "ItemsPropertiesUpdated")] == []


def test_another_structure_is_told_with_what_else_has_changed(host: Host) -> None:
    menus = Menus(checkable("Pause", False), *named("One"))
    with shown(host, menus) as icon:
        revision = host.call("GetLayout", "iias", 0, 0, [])[0]
        menus.change(icon, checkable("Pause", True), *named("Two"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("LayoutUpdated") == [[revision + 1, 0]]
        assert host.received("ItemsPropertiesUpdated") == [[[[1, {"toggle-state": 1}]], []]]
        assert host.call("GetLayout", "iias", 0, 0, [])[0] == revision + 1
        assert host.labels() == ["Pause", "Two"]


def test_an_item_that_is_back_with_another_look_is_told(host: Host) -> None:
    menus = Menus(*named("One"), checkable("Two", False))
    with shown(host, menus) as icon:
        menus.change(icon, *named("One"))
        menus.change(icon, *named("One"), checkable("Two", True))
        wait_for(lambda: len(host.received("LayoutUpdated")) == 2)
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        ((updated, _),) = host.received("ItemsPropertiesUpdated")
        assert [(number, look["toggle-state"]) for number, look in updated] == [(2, 1)]


def test_a_click_in_an_older_menu_never_hits_another_item(host: Host) -> None:
    clicked: list[str] = []

    def recent(*names: str) -> Any:
        return Item("Recent", Menu(*(Item(name, lambda _, item: clicked.append(item.text)) for name in names)))

    menus = Menus(recent("a", "b", "c"))
    with shown(host, menus) as icon:
        old = {name: host.item("Recent", name)["id"] for name in "abc"}
        menus.change(icon, recent("d", "a", "b"))
        host.click_number(old["c"])
        host.click_number(old["a"])
        wait_for(lambda: clicked)
        host.click("Recent", "d")
        wait_for(lambda: len(clicked) == 2)
        assert clicked == ["a", "d"]
        assert host.item("Recent", "b")["id"] == old["b"]
        menus.change(icon, recent("c"))
        assert host.item("Recent", "c")["id"] == old["c"]


def test_items_of_the_same_name_are_told_apart(host: Host) -> None:
    clicked: list[str] = []
    items = [
        Item("Open", lambda: clicked.append("first")),
        LINE,
        Item("Open", lambda: clicked.append("second")),
        LINE,
        Item("Folder", Menu(Item("Open", lambda: clicked.append("below")))),
    ]
    with shown(host, *items):
        numbers = [item["id"] for item in host.menu()]
        assert len(set(numbers)) == 5
        host.click_number(numbers[2])
        wait_for(lambda: clicked == ["second"])
        host.click("Folder", "Open")
        wait_for(lambda: clicked == ["second", "below"])


def test_an_item_with_a_key_is_the_same_whatever_it_is_called(host: Host) -> None:
    clicked: list[str] = []

    def keyed(key: str, label: str) -> Any:
        item = Item(label, lambda: clicked.append(key))
        item.key = key
        return item

    menus = Menus(keyed("/a/x.png", "x.png"), keyed("/b/x.png", "x.png"), keyed("status", "1 waiting"))
    with shown(host, menus) as icon:
        first, second, status = (item["id"] for item in host.menu())
        menus.change(icon, keyed("/a/x.png", "x.png"), keyed("/b/x.png", "x.png"), keyed("status", "2 waiting"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[[status, {"label": "2 waiting"}]], []]]
        assert not host.received("LayoutUpdated")
        menus.change(icon, keyed("/b/x.png", "x.png"))
        assert not host.open()
        host.click_number(first)
        host.click_number(second)
        wait_for(lambda: clicked)
        assert clicked == ["/b/x.png"]


def test_numbers_of_labels_long_gone_do_not_pile_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_notifier, "MAX_REMEMBERED_NUMBERS", 10)
    menus = Menus(*named("Stays"))
    with shown(host, menus) as icon:
        for count in range(30):
            menus.items = (*named("Stays", f"{count} waiting"),)
            host.open()
        assert len(icon._bus_menu._numbers._number_by_path) <= 11
        assert [item["id"] for item in host.menu()] == [1, 31]


def test_many_updates_at_once_are_one(host: Host) -> None:
    made = 0

    def make() -> list[Any]:  # called in the icon's own loop: none of these updates can begin before it returns
        nonlocal made
        made += 1
        if made == 2:
            for _ in range(100):
                icon.update_menu()
        return named("One")

    with shown(host, make) as icon:
        assert made == 1
        host.open()
        wait_for(lambda: made >= 3)
        host.menu()
        assert made == 3


def test_opening_the_menu_brings_it_up_to_date(host: Host) -> None:
    menus = Menus(*named("One"))
    with shown(host, menus):
        menus.items = (*named("One", "Two"),)
        assert host.open()
        assert host.labels() == ["One", "Two"]
        assert not host.open()
        assert host.received("LayoutUpdated") == [[2, 0]]


def test_a_menu_that_cannot_be_made_stays_as_it_was(host: Host, caplog: Any) -> None:
    def fail(_item: Any) -> bool:
        raise ValueError("nobody reads this")

    menus = Menus(*named("One"))
    with shown(host, menus) as icon:
        menus.change(icon, Item("Two", None, checked=fail))
        assert not host.open()
        assert host.labels() == ["One"]
        menus.change(icon, *named("Three"))
        wait_for(lambda: host.labels() == ["Three"])
    assert "The menu could not be made" in caplog.text


def test_part_of_the_menu_can_be_asked_for(host: Host) -> None:
    with shown(host, Item("A", Menu(Item("B", Menu(*named("C"))))), *named("D")):
        a, b = host.item("A")["id"], host.item("A", "B")["id"]

        def layout(parent: int, depth: int, *names: str) -> Any:
            return plain(host.call("GetLayout", "iias", parent, depth, list(names))[1])

        assert layout(0, 0)[2] == []
        first, second = layout(0, 1, "label")[2]
        assert first == [a, {"label": "A"}, []]
        assert second[1:] == [{"label": "D"}, []]
        assert layout(a, 1, "label") == [a, {"label": "A"}, [[b, {"label": "B"}, []]]]
        assert layout(b, -1, "label")[2][0][1] == {"label": "C"}
        assert layout(0, 2)[2][0][2][0][0] == b
        assert layout(0, 2)[2][0][2][0][2] == []
        found = host.call("GetGroupProperties", "aias", [b, 99], ["label", "enabled"])
        assert plain(found) == [[[b, {"label": "B", "enabled": True}]]]
        assert len(host.call("GetGroupProperties", "aias", [], [])[0]) == 5
        assert host.call("GetProperty", "is", b, "label") == [Variant("s", "B")]


def test_several_items_in_one_call(host: Host) -> None:
    clicked: list[str] = []
    menus = Menus(Item("One", lambda: clicked.append("one")))
    with shown(host, menus):
        events = [[number, "clicked", Variant("i", 0), 0] for number in (1, 98, 99)]
        assert host.call("EventGroup", "a(isvu)", events) == [[98, 99]]
        wait_for(lambda: clicked == ["one"])
        assert host.call("AboutToShowGroup", "ai", [0, 99]) == [[], [99]]
        menus.items = (*menus.items, *named("Two"))
        assert host.call("AboutToShowGroup", "ai", [0, 99]) == [[0], [99]]
        menus.items = (*named("Three"),)
        assert host.call("AboutToShowGroup", "ai", [99]) == [[], [99]]


def test_names_are_shown_as_they_are(host: Host) -> None:
    names = ["my_photo_nobg.png", "_", "__", "Grüße & <b>.png", "写真 🖼.png", ""]
    with shown(host, *named(*names, "half \udcff", "null\0")):
        assert host.labels() == [*names, "half ?", "null"]


def test_the_title_and_the_rest_of_it(host: Host) -> None:
    with shown(host) as icon:
        icon.title = "nobg\nWorking: <3> & more\udcff"
        wait_for(lambda: host.received("NewToolTip"))
        assert host.received("NewTitle")
        properties = host.properties()
        assert properties["Title"] == "nobg"
        assert properties["ToolTip"] == ["", [], "nobg", "Working: &lt;3&gt; &amp; more?"]


# Clicks


def test_a_click_is_answered_in_a_thread_of_its_own_and_the_menu_is_new_after_it(host: Host) -> None:
    on, go, threads = [False], threading.Event(), []

    def toggle() -> None:
        threads.append(threading.current_thread())
        assert go.wait(5)
        on[0] = not on[0]

    with shown(host, Item("Pause", toggle, checked=lambda _: on[0])):
        host.click("Pause")
        assert host.item("Pause")["toggle-state"] == 0  # answered while the click is still at work
        go.set()
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.item("Pause")["toggle-state"] == 1
        assert threads[0].daemon


def test_a_click_that_fails_is_logged_and_the_menu_is_new_after_it(host: Host, caplog: Any) -> None:
    on = [False]

    def fail() -> None:
        on[0] = True
        raise ValueError("the disk is full")

    with shown(host, Item("Pause", fail, checked=lambda _: on[0])):
        host.click("Pause")
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.item("Pause")["toggle-state"] == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info[1].args == ("the disk is full",)


def test_only_a_click_on_what_can_be_clicked_does_something(host: Host) -> None:
    clicked: list[str] = []
    items = [
        Item("Off", lambda: clicked.append("off"), enabled=False),
        LINE,
        Item("Below", Menu(*named("x"))),
        Item("On", lambda: clicked.append("on")),
    ]
    with shown(host, *items):
        for item in host.menu():
            host.call("Event", "isvu", item["id"], "hovered", Variant("s", ""), 0)
            host.call("Event", "isvu", item["id"], "opened", Variant("s", ""), 0)
        for item in host.menu():
            host.click_number(item["id"])
        host.click_number(0)
        wait_for(lambda: clicked)
        assert clicked == ["on"]


def test_a_click_on_the_icon_chooses_the_default_item(host: Host) -> None:
    clicked: list[str] = []
    menus = Menus(*named("One"), Item("History", lambda: clicked.append("history"), default=True))
    with shown(host, menus) as icon:
        assert not host.properties()["ItemIsMenu"]
        host.activate()
        wait_for(lambda: clicked == ["history"])
        menus.change(icon, *named("One"))
        wait_for(lambda: host.properties()["ItemIsMenu"])
        host.activate()
        assert clicked == ["history"]


# Looks


def test_pixels_are_in_the_order_of_the_network(host: Host) -> None:
    colour = Image.new("RGBA", (2, 1), (0x11, 0x22, 0x33, 0x44))
    colour.putpixel((1, 0), (0xAA, 0xBB, 0xCC, 0xDD))
    with shown(host) as icon:
        icon.icon = [colour, RED, RED.convert("RGB").resize((22, 24))]
        wait_for(lambda: host.received("NewIcon"))
        first, *others = host.properties()["IconPixmap"]
        assert first == [2, 1, b"\x44\x11\x22\x33\xdd\xaa\xbb\xcc"]
        assert [(width, height, len(pixels)) for width, height, pixels in others] == [(16, 16, 1024), (22, 24, 2112)]
        assert host.received("NewAttentionIcon")
        assert host.properties()["AttentionIconPixmap"] == host.properties()["IconPixmap"]


def test_attention_is_told_and_taken_back(host: Host) -> None:
    with shown(host) as icon:
        icon.attention = True
        wait_for(lambda: host.received("NewStatus")[-1:] == [["NeedsAttention"]])
        assert host.properties()["Status"] == "NeedsAttention"
        assert host.call("Get", "ss", MENU, "Status", interface=PROPERTIES)[0].value == "notice"
        assert host.received("PropertiesChanged")[-1] == [MENU, {"Status": "notice"}, []]
        icon.attention = True
        icon.attention = False
        wait_for(lambda: host.received("NewStatus")[-1:] == [["Active"]])
        assert [status for (status,) in host.received("NewStatus")].count("NeedsAttention") == 1


# What others may do to it

BAD_CALLS: list[tuple[Any, ...]] = [
    (MENU, "/MenuBar", "GetLayout", "iias", 99, -1, []),
    (MENU, "/MenuBar", "GetLayout", "ii", 0, -1),
    (MENU, "/MenuBar", "GetProperty", "is", 99, "label"),
    (MENU, "/MenuBar", "GetProperty", "is", 1, "colour"),
    (MENU, "/MenuBar", "AboutToShow", "i", -5),
    (MENU, "/MenuBar", "AboutToShow", "s", "all"),
    (MENU, "/MenuBar", "Explode", ""),
    (MENU, "/elsewhere", "AboutToShow", "i", 0),
    (ITEM, ITEM_PATH, "Activate", ""),
    (ITEM, ITEM_PATH, "ProvideXdgActivationToken", "s", "token"),
    (PROPERTIES, ITEM_PATH, "Get", "ss", ITEM, "Colour"),
    (PROPERTIES, ITEM_PATH, "Get", "ss", "org.example", "Title"),
    (PROPERTIES, ITEM_PATH, "Set", "ssv", ITEM, "Title", Variant("s", "ours now")),
    (PROPERTIES, "/elsewhere", "GetAll", "s", ITEM),
]


def test_bad_calls_are_answered_and_harm_nothing(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        for interface, path, member, signature, *body in BAD_CALLS:
            with pytest.raises(DBusError):
                host.call(member, signature, *body, interface=interface, path=path)
        for member in ("SecondaryActivate", "ContextMenu"):
            host.call(member, "ii", 0, 0, interface=ITEM, path=ITEM_PATH)
        host.call("Scroll", "is", 1, "vertical", interface=ITEM, path=ITEM_PATH)
        host.call("Event", "isvu", 1, "clicked", Variant("a{sv}", {"x": Variant("i", 1)}), 0)
        assert host.labels() == ["One"]
        assert icon.registered


def test_bad_calls_that_want_no_answer_harm_nothing(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        for interface, path, member, signature, *body in BAD_CALLS:
            name = host.wait_for_icon()
            quiet = MessageFlag.NO_REPLY_EXPECTED
            host.send(Message(name, path, interface, member, signature=signature, body=body, flags=quiet))
        assert host.labels() == ["One"]
        assert icon.registered


def test_a_stranger_cannot_say_that_the_panel_is_gone(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        lie = [status_notifier.WATCHER, host.wait_for_icon(), ""]
        host.send(
            Message(
                destination=host.wait_for_icon(),
                path=BUS_PATH,
                interface=BUS,
                member="NameOwnerChanged",
                signature="sss",
                body=lie,
            )
        )
        assert host.labels() == ["One"]
        assert icon.registered


# pystray


def test_pystray_is_there_without_a_display_and_the_environment_stays() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "from watcher.desktop.status_notifier import Icon, pystray_base\n"
        "assert dict(os.environ) == before\n"
        "import sys, pystray\n"
        "assert issubclass(Icon, pystray.Icon) and pystray.Menu is pystray_base().Menu\n"
        "assert not {'gi', 'Xlib', 'PIL'} & sys.modules.keys()\n"
    )
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "PYSTRAY_BACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in displays}
    for backend in ({}, {"PYSTRAY_BACKEND": "xorg"}):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment | backend, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
