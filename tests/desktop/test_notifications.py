"""Notifications, with a stand-in for the desktop's notification service on a private bus."""

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
from watcher import session
from watcher.desktop import notifications, session_bus
from watcher.desktop.notifications import Notification, Notifier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has message buses")

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
    notifier = Notifier()
    yield notifier
    notifier.close()
    assert not any(thread.name == "notifications" for thread in threading.enumerate())


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is no desktop session."""
    monkeypatch.setenv(BUS, "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def logged_problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines about notifications that could not be shown."""
    assert all(
        record.levelno <= logging.INFO for record in caplog.records if record.name != "watcher.desktop.notifications"
    )
    return [record.getMessage() for record in caplog.records if "No notifications" in record.getMessage()]


# Notifications and their buttons


def test_a_notification_is_shown_with_its_buttons(daemon: Daemon, notifier: Notifier) -> None:
    notifier.show(Notification("Cut-out ready", "a in b\nc", (("Open folder", print), ("Undo", print)), print))
    (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == ("Cut-out ready", "a in b\nc")
    assert shown["actions"] == ["Open folder", "Undo"]
    assert shown["clickable"]
    assert shown["app_name"] == "nobg"
    assert shown["icon"] == (ROOT / "assets" / "icon.svg").as_uri()


def test_each_button_does_what_it_says_in_a_thread_of_its_own(daemon: Daemon, notifier: Notifier) -> None:
    done: queue.Queue[tuple[str, str]] = queue.Queue()

    def record(action: str) -> Any:
        return lambda: done.put((action, threading.current_thread().name))

    for _ in range(3):
        notifier.show(
            Notification("", "", (("Open folder", record("open")), ("Undo", record("undo"))), record("click"))
        )
    daemon.wait(3)
    daemon.press(0, "Undo")
    assert done.get(timeout=10) == ("undo", "notification")
    daemon.press(1, "Open folder")
    assert done.get(timeout=10) == ("open", "notification")
    daemon.click(2)
    assert done.get(timeout=10) == ("click", "notification")
    assert done.empty()


def test_a_newer_notification_replaces_no_older_one(daemon: Daemon, notifier: Notifier) -> None:
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
    done, may_finish = threading.Event(), threading.Event()

    def fail() -> None:
        raise KeyError("it")

    def wait() -> None:
        may_finish.wait()

    notifier.show(Notification("", "", (("Fail", fail),)))
    notifier.show(Notification("", "", (("Wait", wait),)))
    notifier.show(Notification("", "", (("Undo", done.set),)))
    daemon.wait(3)
    daemon.press(0, "Fail")
    daemon.press(1, "Wait")
    daemon.press(2, "Undo")
    assert done.wait(10)
    may_finish.set()
    wait_for(lambda: "KeyError: 'it'" in caplog.text)


def test_a_click_on_a_notification_without_a_callback_does_nothing(daemon: Daemon, notifier: Notifier) -> None:
    done = threading.Event()
    notifier.show(Notification("", ""))
    notifier.show(Notification("", "", on_click=done.set))
    daemon.wait(2)
    daemon.click(0)
    daemon.click(1)
    assert done.wait(10)


def test_the_oldest_buttons_are_forgotten_first(
    daemon: Daemon, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_names_are_not_read_as_markup(bus: str, notifier: Notifier, capabilities: tuple[str, ...], body: str) -> None:
    with Daemon(bus, capabilities) as daemon:
        notifier.show(Notification("Tom & <b>Jerry</b>", "Tom & <b>Jerry</b>"))
        (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == ("Tom & <b>Jerry</b>", body)


def test_names_that_no_message_can_carry_are_shown_escaped(daemon: Daemon, notifier: Notifier) -> None:
    notifier.show(Notification("\udcff\0", "a\0\n\udcff ü 猫"))
    (shown,) = daemon.wait(1)
    assert (shown["title"], shown["body"]) == (r"\xdcff\x00", "a\\x00\n\\xdcff ü 猫")


# Failures


@pytest.mark.usefixtures("nowhere")
def test_a_missing_session_is_logged_once(
    notifier: Notifier,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        notifier.show(Notification("", ""))
        wait_for(lambda: not notifier._queue)
    notifier.close()
    assert logged_problems(caplog) == [
        "No notifications can be shown: there is no desktop session here. nobg works without them"
    ]
    assert not caplog.records[0].exc_info


def test_a_missing_service_is_logged_once_until_there_was_one(
    bus: str, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    notifier.show(Notification("1", ""))
    notifier.show(Notification("2", ""))
    wait_for(lambda: logged_problems(caplog))
    with Daemon(bus) as daemon:
        notifier.show(Notification("3", ""))
        wait_for(lambda: daemon.shown)
        assert daemon.shown[-1]["title"] == "3"
    notifier.show(Notification("4", ""))
    wait_for(lambda: len(logged_problems(caplog)) == 2)
    assert "org.freedesktop.Notifications" in logged_problems(caplog)[0]


def test_a_restarted_service_shows_notifications_and_their_buttons_work(bus: str, notifier: Notifier) -> None:
    done = threading.Event()
    with Daemon(bus) as daemon:
        notifier.show(Notification("", "", (("Undo", print),)))
        daemon.wait(1)
    with Daemon(bus) as daemon:
        notifier.show(Notification("", "", (("Undo", done.set),)))
        daemon.wait(1)
        daemon.press(0, "Undo")
        assert done.wait(10)


def test_a_refused_notification_leaves_the_buttons_of_shown_ones_working(
    daemon: Daemon, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done = threading.Event()
    notifier.show(Notification("", "", (("Undo", done.set),)))
    daemon.wait(1)
    daemon.refuses = True
    notifier.show(Notification("", ""))
    wait_for(lambda: logged_problems(caplog))
    daemon.press(0, "Undo")
    assert done.wait(10)


def test_a_broken_connection_is_replaced_and_no_notification_is_lost(
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
    gc.collect()  # asyncio logs an error that was never retrieved when its task is deleted
    assert not logged_problems(caplog)


def test_a_bus_that_does_not_answer_blocks_nothing(
    tmp_path: Path, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(notifications, "SEND_TIMEOUT_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        monkeypatch.setenv(BUS, f"unix:path={tmp_path}/deaf")
        notifier.show(Notification("1", ""))
        wait_for(lambda: logged_problems(caplog))
        monkeypatch.setattr(notifications, "SEND_TIMEOUT_SECONDS", 60.0)
        notifier.show(Notification("2", ""))
        wait_for(lambda: not notifier._queue)
        notifier.close()  # while the thread waits for an answer; the fixture checks that it has ended


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


def test_a_broken_library_is_logged(
    daemon: Daemon, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, "desktop_notifier", None)
        notifier.show(Notification("", ""))
        wait_for(lambda: logged_problems(caplog))
    notifier.show(Notification("", ""))
    daemon.wait(1)


def test_a_closed_notifier_shows_nothing(daemon: Daemon) -> None:
    notifier = Notifier()
    notifier.show(Notification("1", ""))
    daemon.wait(1)
    notifier.close()
    notifier.show(Notification("2", ""))
    assert notifier._thread is None
    notifier.close()
    assert len(daemon.shown) == 1


def test_a_notifier_that_never_showed_anything_can_be_closed() -> None:
    Notifier().close()


def test_an_expired_notification_triggers_no_button(daemon: Daemon, notifier: Notifier) -> None:
    pressed = threading.Event()
    notifier.show(Notification("", "", (("Undo", pressed.set),)))
    daemon.wait(1)
    daemon.close(0, EXPIRED)
    notifier.show(Notification("", ""))
    daemon.wait(2)
    assert not pressed.is_set()


# The address of the bus


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
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "bus"))
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
def test_no_bus_on_another_machine_or_display_is_used(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RUNTIME_FOLDERS", "/nowhere")
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
    known = "ignore:'asyncio.DefaultEventLoopPolicy':DeprecationWarning"  # as in pyproject.toml
    command = [sys.executable, "-W", "error", "-W", known, "-c", SHOW_ONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        daemon.wait(1)
        daemon.press(0, "Undo")
        assert program.stdout is not None
        assert program.stdout.readline() == "pressed\n"
        output, _ = program.communicate("\n", timeout=30)
    assert program.returncode == 0
    assert output.split() in (["AF_UNIX"], [str(int(socket.AF_UNIX))])


# Windows and macOS, simulated


@pytest.fixture
def without_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """desktop_notifier has only its backend that shows nothing."""
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
def test_on_a_mac_a_failing_script_is_logged_once(
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
    assert len(logged_problems(caplog)) == 1


@pytest.mark.usefixtures("without_backend")
def test_a_backend_that_shows_nothing_is_not_taken_for_success(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier("win32")
    notifier.show(Notification("", ""))
    wait_for(lambda: logged_problems(caplog))
    notifier.close()


def test_on_windows_a_button_still_works_after_its_notification_timed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import desktop_notifier.main
    from desktop_notifier import Capability
    from desktop_notifier import Notification as Sent
    from desktop_notifier.backends.base import DesktopNotifierBackend

    shown: queue.Queue[tuple[Any, Sent]] = queue.Queue()

    class Windows(DesktopNotifierBackend):
        """A backend whose action centre keeps notifications that desktop_notifier has forgotten."""

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


@pytest.mark.usefixtures("without_backend")
def test_a_windows_without_toasts_gets_a_balloon_of_the_icon(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shown: queue.Queue[Notification] = queue.Queue()

    def show_plainly(notification: Notification) -> bool:
        shown.put(notification)
        return True

    notifier = Notifier("win32", show_plainly=show_plainly)
    notifier.show(Notification("Cut-out\tready", "a in b", (("Undo", print),), print))
    balloon = shown.get(timeout=60)
    notifier.close()
    assert (balloon.title, balloon.body, balloon.on_click) == ("Cut-out\\x09ready", "a in b", print)
    assert not logged_problems(caplog)


@pytest.mark.usefixtures("without_backend")
def test_without_an_icon_there_is_no_balloon_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier("win32", show_plainly=lambda _notification: False)
    notifier.show(Notification("", ""))
    wait_for(lambda: logged_problems(caplog))
    notifier.close()
