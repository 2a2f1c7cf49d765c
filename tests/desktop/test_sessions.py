"""The resident program and the sessions that come and go around it, each with a real bus."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.desktop.fake_notifications import Daemon
from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import Host
from tests.support.program import Program, wait_for
from watcher import session
from watcher.desktop import session_bus, sessions, strings
from watcher.desktop.sessions import Sessions


class Session:
    """A desktop session: a bus, a host for icons and a notification service on it."""

    def __init__(self, address: str, display: str, host: Host, daemon: Daemon) -> None:
        self.variables = {session.BUS: address, "DISPLAY": display, "XDG_CURRENT_DESKTOP": f"Desktop{display}"}
        self.host = host
        self.daemon = daemon


@contextmanager
def desktop_session(display: str) -> Iterator[Session]:
    """Run a session for the length of the block."""
    with private_bus() as address, Host(address) as host, Daemon(address) as daemon:
        yield Session(address, display, host, daemon)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Return a function that makes the variables of a session those of the programs that the test starts."""

    def enter_session(variables: dict[str, str]) -> None:
        for name in session.VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return enter_session


@pytest.fixture
def program(
    stand_in: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enter: Callable[[dict[str, str]], None]
) -> Program:
    """A program with settings, so that it offers nothing. xdg-open(1) notes the session that it runs in."""
    config = stand_in.state.parent / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$DISPLAY $XDG_CURRENT_DESKTOP ${session.BUS}" >> {tmp_path}/opened\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{opener.parent}:/usr/bin:/bin")
    enter({})
    return stand_in


def add_picture(program: Program, name: str) -> None:
    """Do what a right-click does."""
    (program.folder / f"{name}.jpg").write_text(f"ok {name}")
    program("add", program.folder / f"{name}.jpg")


def has_icon(started: Session) -> Callable[[], bool]:
    """Return a condition for `wait_for`: the session's bar shows the icon."""
    return lambda: bool(started.host.icons)


def test_a_program_started_without_a_bus_shows_icon_and_notifications_in_the_session_that_begins_later(
    program: Program, enter: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    program.start(tray=True)
    add_picture(program, "before")
    wait_for(program.has_done(1))
    with desktop_session(":7") as started:
        enter(started.variables)
        assert "already running" in program("run")
        started.host.wait_for_icon(30)
        add_picture(program, "after")
        shown = started.daemon.wait(1, 30)
        started.daemon.click(len(shown) - 1)
        wait_for((tmp_path / "opened").exists)
        wait_for(lambda: (tmp_path / "opened").read_text().endswith("\n"))
        assert (tmp_path / "opened").read_text().split() == [":7", "Desktop:7", started.variables[session.BUS]]
        assert program.stop() == 0
    state = program.state / session.FILE
    assert state.stat().st_mode & 0o777 == 0o600


def test_after_the_end_of_a_session_a_click_in_the_next_one_brings_icon_and_notification_there(
    program: Program, enter: Callable[[dict[str, str]], None]
) -> None:
    with ExitStack() as sessions:
        first = sessions.enter_context(desktop_session(":7"))
        enter(first.variables)
        program.start(tray=True)
        first.host.wait_for_icon(30)
        add_picture(program, "first")
        first.daemon.wait(1, 30)
        first.host.kill_bus()
        second = sessions.enter_context(desktop_session(":8"))
        enter(second.variables)
        add_picture(program, "second")
        second.host.wait_for_icon(30)
        assert "second" in second.daemon.wait(1, 30)[0]["title"] + second.daemon.shown[0]["body"]
        assert program.stop() == 0
    log = (program.state / "nobg.log").read_text()
    assert "Traceback" not in log
    assert "never retrieved" not in log


def test_of_two_sessions_the_last_one_that_handed_itself_over_is_used_while_it_lives(
    program: Program, enter: Callable[[dict[str, str]], None]
) -> None:
    with desktop_session(":7") as first, desktop_session(":8") as second:
        enter(first.variables)
        program.start(tray=True)
        first.host.wait_for_icon(30)
        enter(second.variables)
        program("run")
        second.host.wait_for_icon(30)
        add_picture(program, "in the second")
        second.daemon.wait(1, 30)
        assert not first.daemon.shown
        before = len(first.host.icons)
        second.host.kill_bus()
        wait_for(lambda: len(first.host.icons) > before)
        add_picture(program, "back")  # from a process that still has the variables of the dead session
        first.daemon.wait(1, 30)
        assert program.stop() == 0


def test_without_variables_the_users_own_bus_is_used_as_soon_as_there_is_one(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    program.start(tray=True)
    with desktop_session(":7") as started:
        (runtime / "bus").symlink_to(started.variables[session.BUS].removeprefix("unix:path=").split(",")[0])
        started.host.wait_for_icon(30)
        add_picture(program, "a")
        started.daemon.wait(1, 30)
        assert program.stop() == 0


def test_a_program_without_any_desktop_works_and_says_so_once(program: Program) -> None:
    program.start(tray=True)
    add_picture(program, "a")
    wait_for(program.has_done(1))
    assert program.stop() == 0
    assert (program.state / "nobg.log").read_text().count(strings.NO_DESKTOP) == 1


# The choice among sessions


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _no_bus_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "RUNTIME_FOLDERS", "/nowhere")


def test_a_new_login_on_the_same_bus_changes_the_display_only(state: Path) -> None:
    with private_bus() as address:
        environment = {session.BUS: address, "DISPLAY": ":1000", "KDE_FULL_SESSION": "true", "HOME": "/home/a"}
        sessions = Sessions(state, environment)
        sessions.refresh(check=True)
        session.hand_over(str(state), {session.BUS: address, "DISPLAY": ":1001", "XDG_CURRENT_DESKTOP": "GNOME"})
        assert sessions.has_news()
        sessions.refresh()
        assert environment == {
            session.BUS: address,
            "DISPLAY": ":1001",
            "XDG_CURRENT_DESKTOP": "GNOME",
            "HOME": "/home/a",
        }
        assert sessions.generation == 0  # icon and notifications stay where they are
        assert not sessions.has_news()


def test_a_session_that_is_dead_when_it_is_read_changes_nothing(state: Path) -> None:
    with private_bus() as address:
        environment = {session.BUS: address, "DISPLAY": ":1000"}
        sessions = Sessions(state, environment)
        session.hand_over(str(state), {session.BUS: "unix:path=/nowhere/bus", "DISPLAY": ":1001"})
        sessions.refresh()
        assert environment == {session.BUS: address, "DISPLAY": ":1000"}


def test_a_program_that_starts_in_a_session_prefers_it_to_an_older_one(state: Path) -> None:
    with private_bus() as older, private_bus() as newer:
        session.hand_over(str(state), {session.BUS: older, "DISPLAY": ":1000"})
        for own, chosen in (({session.BUS: newer, "DISPLAY": ":1001"}, newer), ({}, older)):
            environment = dict(own)
            Sessions(state, environment).refresh(check=True)
            assert environment[session.BUS] == chosen


def test_a_program_with_the_bus_of_an_ended_session_finds_the_users_own_bus(state: Path, tmp_path: Path) -> None:
    with private_bus() as address:
        (tmp_path / "bus").symlink_to(address.removeprefix("unix:path=").split(",")[0])
        environment = {session.BUS: "unix:path=/nowhere", "DISPLAY": ":1000", "XDG_RUNTIME_DIR": str(tmp_path)}
        sessions = Sessions(state, environment)
        sessions.refresh(check=True)
        assert environment == {session.BUS: f"unix:path={tmp_path}/bus", "XDG_RUNTIME_DIR": str(tmp_path)}
        assert sessions.generation == 1


def test_a_bus_in_the_abstract_namespace_is_found_alive_or_dead(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        name = f"nobg-{os.getpid()}-{tmp_path.name}"
        address = {session.BUS: f"unix:abstract={name},guid=00"}
        assert not session_bus.is_alive(address)
        listener.bind(f"\0{name}")
        listener.listen()
        assert session_bus.is_alive(address)
        assert session_bus.is_alive({session.BUS: f"unix:path=/nowhere;unix:abstract={name}"})
    assert not session_bus.is_alive({session.BUS: "unix:"})


def test_a_bus_that_was_killed_is_not_alive() -> None:
    with private_bus() as address, Host(address) as host:
        assert session_bus.is_alive({session.BUS: address})
        host.kill_bus()
        wait_for(lambda: not session_bus.is_alive({session.BUS: address}))


def test_windows_has_no_such_sessions(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_HAS_BUS", False)
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.delattr(os, "O_NONBLOCK")
    (state / session.FILE).write_bytes(b"DISPLAY=:1000\0")
    environment = {"DISPLAY": ":1001"}
    known = Sessions(state, environment)
    known.refresh(check=True)
    assert environment == {"DISPLAY": ":1001"}
    assert not known.has_news()
