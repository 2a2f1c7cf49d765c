"""notify.py, before a notification service that shows nothing (fake_notifications.py) on a bus of its own."""

from __future__ import annotations

import gc
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, wait_for
from tests.support.desktop.fake_notifications import CAPABILITIES, EXPIRED, Daemon
from tests.support.desktop.private_bus import private_bus
from watcher.desktop import notifications, session_bus
from watcher.desktop.notifications import Notification, Notifier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="message buses are Linux's")

BUS = "DBUS_SESSION_BUS_ADDRESS"


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with private_bus() as address:
        monkeypatch.setenv(BUS, address)
        yield address


@pytest.fixture
def daemon(bus: str) -> Iterator[Daemon]:
    with Daemon(bus) as service:
        yield service


@pytest.fixture
def notifier() -> Iterator[Notifier]:
    one = Notifier()
    yield one
    one.close()
    assert not any(thread.name == "notifications" for thread in threading.enumerate())


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is no session."""
    monkeypatch.setenv(BUS, "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def no_notifications(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of notifications that could not be shown."""
    assert all(
        record.levelno <= logging.INFO for record in caplog.records if record.name != "watcher.desktop.notifications"
    )
    return [record.getMessage() for record in caplog.records if "No notifications" in record.getMessage()]


# What is shown, and what its buttons do


def test_a_notice_is_shown_with_its_buttons(daemon: Daemon, notifier: Notifier) -> None:
    notifier.show(Notification("Cut-out ready", "a in b\nc", (("Open folder", print), ("Undo", print)), print))
    (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == ("Cut-out ready", "a in b\nc")
    assert shown["actions"] == ["Open folder", "Undo"]
    assert shown["clickable"]
    assert shown["app_name"] == "nobg"
    assert shown["icon"] == (ROOT / "assets" / "icon.svg").as_uri()


def test_each_button_does_what_it_says_in_a_thread_of_its_own(daemon: Daemon, notifier: Notifier) -> None:
    done: queue.Queue[tuple[str, str]] = queue.Queue()

    def does(what: str) -> Any:
        return lambda: done.put((what, threading.current_thread().name))

    for _ in range(3):
        notifier.show(Notification("", "", (("Open folder", does("open")), ("Undo", does("undo"))), does("click")))
    daemon.wait(3)
    daemon.press(0, "Undo")
    assert done.get(timeout=10) == ("undo", "notification")
    daemon.press(1, "Open folder")
    assert done.get(timeout=10) == ("open", "notification")
    daemon.click(2)
    assert done.get(timeout=10) == ("click", "notification")
    assert done.empty()


def test_a_newer_notice_takes_nothing_from_an_older_one(daemon: Daemon, notifier: Notifier) -> None:
    done: queue.Queue[int] = queue.Queue()
    for number in range(2):
        notifier.show(Notification("", "", (("Undo", lambda number=number: done.put(number)),)))  # type: ignore[misc]
    assert [shown["replaces"] for shown in daemon.wait(2)] == [0, 0]
    daemon.press(0, "Undo")
    assert done.get(timeout=10) == 0
    daemon.press(1, "Undo")
    assert done.get(timeout=10) == 1


def test_a_button_that_fails_or_takes_long_stops_nothing(
    daemon: Daemon, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    done, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        raise KeyError("it")

    def wait() -> None:
        go_on.wait()

    notifier.show(Notification("", "", (("Fail", fail),)))
    notifier.show(Notification("", "", (("Wait", wait),)))
    notifier.show(Notification("", "", (("Undo", done.set),)))
    daemon.wait(3)
    daemon.press(0, "Fail")
    daemon.press(1, "Wait")
    daemon.press(2, "Undo")
    assert done.wait(10)
    go_on.set()
    wait_for(lambda: "KeyError: 'it'" in caplog.text)


def test_a_click_on_what_offers_nothing_does_nothing(daemon: Daemon, notifier: Notifier) -> None:
    done = threading.Event()
    notifier.show(Notification("", ""))
    notifier.show(Notification("", "", on_click=done.set))
    daemon.wait(2)
    daemon.click(0)
    daemon.click(1)
    assert done.wait(10)


def test_what_is_forgotten_is_the_oldest(daemon: Daemon, notifier: Notifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "MAX_CALLBACKS", 2)
    done: queue.Queue[int] = queue.Queue()
    for number in range(3):
        notifier.show(Notification("", "", (("Undo", lambda number=number: done.put(number)),)))  # type: ignore[misc]
    daemon.wait(3)
    for number in range(3):
        daemon.press(number, "Undo")
    assert {done.get(timeout=10), done.get(timeout=10)} == {1, 2}


@pytest.mark.parametrize(
    ("capabilities", "body"),
    [(CAPABILITIES, "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;"), (("actions", "body"), "Tom & <b>Jerry</b>")],
)
def test_names_are_no_markup(bus: str, notifier: Notifier, capabilities: tuple[str, ...], body: str) -> None:
    with Daemon(bus, capabilities) as daemon:
        notifier.show(Notification("Tom & <b>Jerry</b>", "Tom & <b>Jerry</b>"))
        (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == ("Tom & <b>Jerry</b>", body)


def test_names_that_no_message_can_carry_are_shown_all_the_same(daemon: Daemon, notifier: Notifier) -> None:
    notifier.show(Notification("\udcff\0", "a\0\n\udcff ü 猫"))
    (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == (r"\xdcff\x00", "a\\x00\n\\xdcff ü 猫")


# What is not there


@pytest.mark.usefixtures("nowhere")
def test_without_a_session_it_is_said_once(
    notifier: Notifier,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        notifier.show(Notification("", ""))
        wait_for(lambda: not notifier._queue)
    notifier.close()
    assert no_notifications(caplog) == [
        "No notifications can be shown: there is no desktop session here. nobg works without them"
    ]
    assert not caplog.records[0].exc_info


def test_without_a_service_it_is_said_once_until_there_was_one(
    bus: str, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    notifier.show(Notification("1", ""))
    notifier.show(Notification("2", ""))
    wait_for(lambda: no_notifications(caplog))
    with Daemon(bus) as daemon:
        notifier.show(Notification("3", ""))
        wait_for(lambda: daemon.shown)
        assert daemon.shown[-1]["title"] == "3"
    notifier.show(Notification("4", ""))
    wait_for(lambda: len(no_notifications(caplog)) == 2)
    assert "org.freedesktop.Notifications" in no_notifications(caplog)[0]


def test_a_service_that_was_started_anew_shows_notices_and_their_buttons_work(bus: str, notifier: Notifier) -> None:
    done = threading.Event()
    with Daemon(bus) as daemon:
        notifier.show(Notification("", "", (("Undo", print),)))
        daemon.wait(1)
    with Daemon(bus) as daemon:
        notifier.show(Notification("", "", (("Undo", done.set),)))
        daemon.wait(1)
        daemon.press(0, "Undo")
        assert done.wait(10)


def test_one_that_is_refused_takes_nothing_from_those_that_are_shown(
    daemon: Daemon, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done = threading.Event()
    notifier.show(Notification("", "", (("Undo", done.set),)))
    daemon.wait(1)
    daemon.refuses = True
    notifier.show(Notification("", ""))
    wait_for(lambda: no_notifications(caplog))
    daemon.press(0, "Undo")
    assert done.wait(10)


def test_a_broken_connection_is_replaced_and_no_notice_is_lost(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done = threading.Event()
    for _ in range(2):
        with private_bus() as address, Daemon(address) as daemon:
            monkeypatch.setenv(BUS, address)
            notifier.show(Notification("", "", (("Undo", done.set),)))
            daemon.wait(1)
            daemon.press(0, "Undo")
            assert done.wait(10)
            done.clear()
        wait_for(lambda: not notifications._backend(notifier._desktop).bus.connected)
    notifier.close()
    gc.collect()  # asyncio complains of what nobody looked at when it is thrown away
    assert not no_notifications(caplog)


def test_a_bus_that_does_not_answer_holds_up_nobody(
    tmp_path: Path, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(notifications, "SEND_TIMEOUT_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        monkeypatch.setenv(BUS, f"unix:path={tmp_path}/deaf")
        notifier.show(Notification("1", ""))
        wait_for(lambda: no_notifications(caplog))
        monkeypatch.setattr(notifications, "SEND_TIMEOUT_SECONDS", 60.0)
        notifier.show(Notification("2", ""))
        wait_for(lambda: not notifier._queue)
        notifier.close()  # while it waits for an answer; the fixture looks whether the thread has ended


def test_nothing_is_left_open_after_many_failures(bus: str, notifier: Notifier) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def fail(times: int) -> None:
        for _ in range(times):
            notifier.show(Notification("", ""))
            wait_for(lambda: not notifier._queue)

    assert bus
    fail(3)
    before = descriptors()
    fail(30)
    wait_for(lambda: descriptors() <= before)


def test_where_the_library_is_broken_it_is_said(
    daemon: Daemon, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, "desktop_notifier", None)
        notifier.show(Notification("", ""))
        wait_for(lambda: no_notifications(caplog))
    notifier.show(Notification("", ""))
    daemon.wait(1)


def test_after_the_end_nothing_is_shown(daemon: Daemon) -> None:
    notifier = Notifier()
    notifier.show(Notification("1", ""))
    daemon.wait(1)
    notifier.close()
    notifier.show(Notification("2", ""))
    assert notifier._thread is None
    notifier.close()
    assert len(daemon.shown) == 1


def test_one_that_never_showed_anything_ends_too() -> None:
    Notifier().close()


def test_what_expired_is_not_acted_upon(daemon: Daemon, notifier: Notifier) -> None:
    pressed = threading.Event()
    notifier.show(Notification("", "", (("Undo", pressed.set),)))
    daemon.wait(1)
    daemon.close(0, EXPIRED)
    notifier.show(Notification("", ""))
    daemon.wait(2)
    assert not pressed.is_set()


# Which bus


def test_without_the_variable_the_bus_of_the_runtime_folder_is_used(
    tmp_path: Path, bus: str, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Daemon(bus) as daemon:
        (tmp_path / "bus").symlink_to(bus.removeprefix("unix:path=").split(",")[0])
        monkeypatch.setenv(BUS, "")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        notifier.show(Notification("", ""))
        daemon.wait(1)


def test_the_bus_of_the_runtime_folder_is_found_without_the_variable(tmp_path: Path) -> None:
    folder = tmp_path / "run ~ü"
    folder.mkdir()
    (folder / "bus").touch()
    from dbus_fast._private.address import parse_address

    address = session_bus.address({"XDG_RUNTIME_DIR": str(folder)})
    assert parse_address(address) == [("unix", {"path": str(folder / "bus")})]


@pytest.mark.parametrize(
    "environment",
    [
        {"DISPLAY": ":0", "HOME": "/"},
        {"XDG_RUNTIME_DIR": ""},
        {"XDG_RUNTIME_DIR": "/there/is/no/such"},
        {BUS: "tcp:host=127.0.0.1,port=1"},
        {BUS: "unix:path=/run/bus;tcp:host=127.0.0.1,port=1"},
        {BUS: "autolaunch:"},
    ],
)
def test_no_bus_is_looked_for_elsewhere(environment: dict[str, str]) -> None:
    with pytest.raises(ConnectionError, match="session"):
        session_bus.address(environment)


SHOW_ONE = """
import os, sys, threading
families = set()
def watch(event, arguments):
    if event == "socket.__new__":
        families.add(arguments[1].name if hasattr(arguments[1], "name") else int(arguments[1]))
sys.addaudithook(watch)
from watcher.desktop.notifications import Notification, Notifier
loaded = {"asyncio", "dbus_fast", "desktop_notifier", "html", "packaging"} & set(sys.modules)
assert not loaded, loaded
notifier = Notifier()
notifier.show(Notification("", "", (("Undo", lambda: os.write(1, b"pressed\\n")),)))
sys.stdin.readline()
notifier.close()
print(*families)
"""


def test_a_program_that_shows_one_opens_no_network_socket_and_imports_nothing_before(daemon: Daemon) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SHOW_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        daemon.wait(1)
        daemon.press(0, "Undo")
        assert program.stdout is not None
        assert program.stdout.readline() == "pressed\n"
        output, _ = program.communicate("\n", timeout=30)
    assert program.returncode == 0
    assert output.split() in (["AF_UNIX"], [str(int(socket.AF_UNIX))])


# Other systems, as far as they can be seen from here


@pytest.fixture
def without_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """desktop_notifier as it is where it can only pretend."""
    import desktop_notifier.main
    from desktop_notifier.backends.dummy import DummyNotificationCenter

    monkeypatch.setattr(desktop_notifier.main, "get_backend_class", lambda: DummyNotificationCenter)


@pytest.mark.usefixtures("without_backend")
def test_on_a_mac_without_a_bundle_a_script_shows_the_text() -> None:
    calls: queue.Queue[list[str]] = queue.Queue()
    notifier = Notifier("darwin", lambda command, **_: calls.put(command))
    notifier.show(Notification('-e "x" & \\', '"; do shell script "x"\n<b>', (("Undo", print),)))
    command = calls.get(timeout=10)
    notifier.close()
    assert command == ["osascript", "-e", notifications.OSASCRIPT, "nobg", '-e "x" & \\', '"; do shell script "x"\n<b>']


@pytest.mark.usefixtures("without_backend")
def test_on_a_mac_whose_script_fails_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def run(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(2, "No such file", "osascript")

    notifier = Notifier("darwin", run)
    for _ in range(2):
        notifier.show(Notification("", ""))
        wait_for(lambda: not notifier._queue)
    notifier.close()
    assert len(no_notifications(caplog)) == 1


@pytest.mark.usefixtures("without_backend")
def test_where_nothing_is_shown_this_is_not_taken_for_success(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier("win32")
    notifier.show(Notification("", ""))
    wait_for(lambda: no_notifications(caplog))
    notifier.close()


def test_on_windows_a_button_works_that_was_pressed_after_its_notice_had_timed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import desktop_notifier.main
    from desktop_notifier import Capability
    from desktop_notifier import Notification as Sent
    from desktop_notifier.backends.base import DesktopNotifierBackend

    shown: queue.Queue[tuple[Any, Sent]] = queue.Queue()

    class Windows(DesktopNotifierBackend):
        """Its action centre keeps what desktop_notifier has forgotten."""

        async def _send(self, notification: Sent) -> None:
            shown.put((self, notification))

        async def request_authorisation(self) -> bool:
            return True

        async def has_authorisation(self) -> bool:
            return True

        async def _clear(self, identifier: str) -> None:
            raise NotImplementedError

        async def _clear_all(self) -> None:
            raise NotImplementedError

        async def _get_capabilities(self) -> frozenset[Capability]:
            return frozenset()

    monkeypatch.setattr(desktop_notifier.main, "get_backend_class", lambda: Windows)
    done: queue.Queue[str] = queue.Queue()
    notifier = Notifier("win32")
    notifier.show(Notification("", "<&>", (("Undo", lambda: done.put("undo")),), lambda: done.put("click")))
    backend, notification = shown.get(timeout=10)
    assert notification.message == "<&>"
    assert backend.app_icon is None or backend.app_icon.path.name == "icon.png"
    wait_for(lambda: notification.identifier in notifier._callbacks)
    backend.handle_button(notification.identifier, notification.buttons[0].identifier, None)
    assert done.get(timeout=10) == "undo"
    backend.handle_clicked(notification.identifier, None)
    assert done.get(timeout=10) == "click"
    notifier.close()
