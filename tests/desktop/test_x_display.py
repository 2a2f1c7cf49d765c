"""The icon on X displays that have no modern bar, and the end of such a display while nobg runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.desktop.x_display import XBar, XServer, has_window, x_server
from tests.support.program import Program, wait_for
from watcher import session
from watcher.desktop import session_bus, strings
from watcher.desktop.sessions import Sessions


@pytest.fixture(autouse=True)
def _no_desktop_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in session.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "RUNTIME_FOLDERS", "/nowhere")


@pytest.fixture
def server() -> Iterator[XServer]:
    with x_server() as server:
        yield server


@pytest.fixture
def program(stand_in: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program with settings, so that it offers nothing. A browser notes that it was called."""
    config = stand_in.state.parent / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    return stand_in


def log_lines(program: Program, text: str) -> int:
    """Return how many lines of the log have this text."""
    return sum(text in line for line in (program.state / "nobg.log").read_text().splitlines())


def test_the_icon_is_in_the_bar_of_an_x_display_and_a_click_opens_the_history(
    program: Program,
    server: XServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISPLAY", server.name)
    with XBar(server) as bar:
        program.start(tray=True)
        wait_for(bar.has_icon)
        bar.click()
        wait_for((tmp_path / "opened").exists)
        assert program.stop() == 0
    assert "Traceback" not in (program.state / "nobg.log").read_text() + capfd.readouterr().err


def test_the_icon_is_in_a_bar_that_starts_later_and_in_the_next_one(
    program: Program, server: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", server.name)
    program.start(tray=True)
    wait_for(lambda: has_window(server, strings.APP))
    for _ in range(2):
        with XBar(server) as bar:
            wait_for(bar.has_icon)
    assert program.stop() == 0
    assert "Traceback" not in (program.state / "nobg.log").read_text()


@pytest.mark.parametrize("end", [XServer.kill, XServer.terminate])
def test_after_the_end_of_an_x_display_the_icon_is_in_the_bar_of_the_next_and_the_log_has_one_line(
    end: Callable[[XServer], None],
    program: Program,
    server: XServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISPLAY", server.name)
    with XBar(server) as bar:
        program.start(tray=True)
        wait_for(bar.has_icon)
        end(server)
        wait_for(lambda: log_lines(program, strings.NO_X_DISPLAY))
        with x_server() as second, XBar(second) as second_bar:
            monkeypatch.setenv("DISPLAY", second.name)
            program("run")
            wait_for(second_bar.has_icon)
            assert program.stop() == 0
    assert log_lines(program, strings.NO_X_DISPLAY) == 1
    assert "Traceback" not in (program.state / "nobg.log").read_text() + capfd.readouterr().err


def test_when_an_x_display_ends_while_the_icon_begins_nobg_ends_on_sigterm(
    program: Program, server: XServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", server.name)
    program.start(tray=True)
    wait_for(lambda: has_window(server, strings.APP))
    server.kill()
    assert program.stop() == 0
    assert "Traceback" not in (program.state / "nobg.log").read_text() + capfd.readouterr().err


@pytest.mark.parametrize("has_icon", [True, False], ids=["with an icon on it", "before"])
def test_on_an_x_display_that_does_not_answer_any_more_nobg_ends_on_sigterm(
    has_icon: bool, program: Program, server: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", server.name)
    if has_icon:
        program.start(tray=True)
        wait_for(lambda: has_window(server, strings.APP))
        server.freeze()
    else:
        server.freeze()
        program.start(tray=True)
    (program.folder / "a.jpg").write_text("ok a")
    program("add", program.folder / "a.jpg")
    wait_for(program.has_done(1))
    assert program.stop() == 0
    assert log_lines(program, "Stopped") == 1


def test_of_two_x_displays_without_a_bus_the_one_whose_server_lives_is_used(tmp_path: Path, server: XServer) -> None:
    with x_server() as killed:
        killed.kill()
        environment = {"DISPLAY": killed.name, "XDG_RUNTIME_DIR": str(tmp_path)}
        assert session_bus.display(environment) is not None  # its socket is still there
        session.hand_over(str(tmp_path), {"DISPLAY": server.name})
        Sessions(tmp_path, environment).refresh(check=True)
    assert environment["DISPLAY"] == server.name
