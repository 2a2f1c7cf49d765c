"""The icon on a real bus: registering with hosts, coming and going, its picture and title."""

import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message
from PIL import Image

from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.running_icon import RED, ChangingMenu, Item, Menu, Run, named, running, shown
from tests.support.desktop.tray_host import ITEM_PATH, MENU, PROPERTIES, Host
from tests.support.program import wait_for
from watcher.desktop import session_bus
from watcher.desktop.status_notifier import connection
from watcher.desktop.status_notifier import icon as icon_module
from watcher.desktop.status_notifier.icon import Icon

# Registering with a host


def test_the_icon_is_registered_by_the_unique_name_of_its_connection(host: Host) -> None:
    with shown(host) as icon:
        assert host.wait_for_icon().startswith(":")
        assert icon.registered
    assert not icon.registered


def test_a_host_that_asks_for_all_properties_gets_them(host: Host) -> None:
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
        menu_properties = host.call("GetAll", "s", MENU, interface=PROPERTIES)[0]
        assert {name: value.value for name, value in menu_properties.items()} == {
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
        introspection = gdbus("introspect", "--object-path", ITEM_PATH)
        for part in (
            "readonly a(iiay) IconPixmap = [(16, 16, ",
            "NewStatus(s ",
            "Activate(in  i ",
            "'ApplicationStatus'",
        ):
            assert part in introspection
        introspection = gdbus("introspect", "--object-path", "/MenuBar")
        for part in ("ItemsPropertiesUpdated(a(ia{sv}) ", "LayoutUpdated(u ", "readonly u Version = 3"):
            assert part in introspection
        layout = gdbus("call", "--object-path", "/MenuBar", "--method", f"{MENU}.GetLayout", "--", "0", "-1", "[]")
        assert "'label': <'Grüße 🖼'>" in layout


def test_it_is_registered_again_as_soon_as_the_panel_is_back(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        host.stop()
        wait_for(lambda: not icon.registered)
        host.start()
        started_at = time.monotonic()
        host.wait_for_icon()
        assert time.monotonic() - started_at < 2
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


def test_a_panel_that_asks_at_once_gets_the_current_status(host: Host) -> None:
    with shown(host) as icon:
        icon._hide()  # pystray itself sets `visible` only after this call
        assert host.properties()["Status"] == "Passive"
        icon._show()
        assert host.properties()["Status"] == "Active"


def test_a_panel_that_refuses_the_icon_is_reported(host: Host, caplog: Any) -> None:
    host.answer = lambda message: Message.new_error(message, "org.example.Full", "no room")
    icon = Icon("nobg", RED)
    with running(icon):
        wait_for(lambda: "The icon was refused: ['no room']" in caplog.text)
        assert not icon.registered


def test_an_answer_of_a_replaced_panel_is_ignored(host: Host, bus: str) -> None:
    registrations: list[Message] = []

    def keep(message: Message) -> bool:
        registrations.append(message)
        return True

    host.answer = keep
    other = Host(bus)
    other.answer = lambda _: True
    icon = Icon("nobg", RED)
    with running(icon):
        host.wait_for_icon()
        with other:
            other.wait_for_icon()
            host.send(Message.new_method_return(registrations[0]))
            host.labels()
            assert not icon.registered


# The bus ends, the icon stops


def test_the_end_of_the_bus_ends_the_icon(host: Host, caplog: Any) -> None:
    icon = Icon("nobg", RED, "nobg", Menu(*named("One")))
    run = Run(icon)
    host.wait_for_icon()
    host.kill_bus()
    run.wait()
    assert isinstance(run.error, ConnectionError)
    assert str(run.error) == "The session bus is gone, and the icon with it."
    assert not icon.registered
    icon.title, icon.attention = "still", True  # there is no bus any more
    icon.update_menu()
    assert not caplog.records


def test_the_end_of_the_bus_ends_an_icon_that_waits_for_a_panels_answer(host: Host, caplog: Any) -> None:
    host.answer = lambda _: True
    run = Run(Icon("nobg", RED))
    host.wait_for_icon()
    host.kill_bus()
    run.wait()
    assert isinstance(run.error, ConnectionError)
    del run
    gc.collect()  # asyncio logs an error that was never retrieved when its task is deleted
    assert not caplog.records


def test_a_bus_that_ends_while_the_icon_changes_is_logged_without_traceback(
    bus: str, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(Icon("nobg", RED, "nobg", Menu(*named("One"))))
    host.wait_for_icon()
    bus_ended = threading.Event()

    def change(icon: Icon) -> None:
        bus_ended.wait(10)
        for _ in range(3):
            icon._emit_status()

    wait_for(lambda: run.icon.registered)
    assert run.icon._loop is not None
    run.icon._loop.call_soon_threadsafe(change, run.icon)  # nothing else runs in the icon's loop meanwhile
    host.kill_bus()
    wait_for(lambda: not session_bus.is_alive({session_bus.ADDRESS_VARIABLE: bus}))
    bus_ended.set()
    run.wait()
    assert isinstance(run.error, ConnectionError)
    run.error = None
    gc.collect()  # asyncio logs an error that was never retrieved when its task is deleted
    assert not caplog.records


def test_it_can_run_again_on_the_next_bus_with_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    menu = ChangingMenu(*named("One", "Two"))
    icon = Icon("nobg", RED, "nobg", Menu(menu))
    numbers = []
    for delay in (60, 0):  # the first bus ends before the menu has been updated
        monkeypatch.setattr(icon_module, "UPDATE_DELAY_SECONDS", delay)
        with private_bus() as address:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
            with Host(address) as host:
                run = Run(icon)
                host.wait_for_icon()
                wait_for(lambda: icon.registered)
                numbers.append([item["id"] for item in host.menu()])
                icon.update_menu()
                if not delay:
                    menu.change(icon, *named("Three"))
                    assert not host.open()
                    assert host.labels() == ["Three"]
            wait_for(lambda: not icon.registered)  # the panel ends before the bus does: the icon must find the next one
        run.wait()
        assert isinstance(run.error, ConnectionError)
    assert numbers == [[1, 2], [1, 2]]


def test_stop_ends_it_at_once_and_permanently(host: Host) -> None:
    with shown(host) as icon:
        started_at = time.monotonic()
        icon.stop()
        wait_for(lambda: not icon.registered)
        assert time.monotonic() - started_at < 1
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
def test_stop_before_the_start_takes_effect() -> None:
    icon = Icon("nobg", RED)
    icon.stop()
    run = Run(icon)
    run.wait()
    assert run.error is None


@pytest.mark.parametrize("setup", [None, lambda _: None])
def test_without_a_bus_it_raises_an_error(monkeypatch: pytest.MonkeyPatch, setup: Any) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    threads = threading.active_count()
    with pytest.raises(ConnectionError, match="there is no desktop session"):
        Icon("nobg", RED).run(setup)
    assert threading.active_count() == threads


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "autolaunch:", "nonsense", "unix:path=,,=", ";"])
def test_an_address_that_leads_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
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
def silent_bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """A socket in place of the bus that accepts connections and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
        yield listener


@pytest.mark.usefixtures("silent_bus")
def test_the_wait_for_a_bus_that_does_not_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUS_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ConnectionError, match="does not answer"):
        Icon("nobg", RED).run()


def test_stop_ends_the_wait_for_a_bus_that_does_not_answer(silent_bus: socket.socket) -> None:
    with running(Icon("nobg", RED)) as run:
        caller, _ = silent_bus.accept()
        caller.recv(1)
    caller.close()
    assert run.error is None


def test_a_bus_that_hangs_up_is_an_error(silent_bus: socket.socket) -> None:
    run = Run(Icon("nobg", RED))
    caller, _ = silent_bus.accept()
    caller.recv(1)
    caller.close()
    run.wait()
    assert isinstance(run.error, ConnectionError)


# Picture and title


def test_pixels_are_argb_in_network_byte_order(host: Host) -> None:
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


def test_attention_is_signalled_and_taken_back(host: Host) -> None:
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


def test_the_title_is_split_into_title_and_tooltip_text(host: Host) -> None:
    with shown(host) as icon:
        icon.title = "nobg\nWorking: <3> & more\udcff"
        wait_for(lambda: host.received("NewToolTip"))
        assert host.received("NewTitle")
        properties = host.properties()
        assert properties["Title"] == "nobg"
        assert properties["ToolTip"] == ["", [], "nobg", "Working: &lt;3&gt; &amp; more?"]


# pystray


def test_pystray_loads_without_a_display_and_leaves_the_environment_unchanged() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "from watcher.desktop.status_notifier import pystray_base\n"
        "from watcher.desktop.status_notifier.icon import Icon\n"
        "assert dict(os.environ) == before\n"
        "import sys, pystray\n"
        "assert issubclass(Icon, pystray.Icon) and pystray.Menu is pystray_base.load().Menu\n"
        "assert not {'gi', 'Xlib', 'PIL'} & sys.modules.keys()\n"
    )
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "PYSTRAY_BACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in displays}
    for backend in ({}, {"PYSTRAY_BACKEND": "xorg"}):
        command = [sys.executable, "-c", code]
        process = subprocess.run(command, env=environment | backend, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
