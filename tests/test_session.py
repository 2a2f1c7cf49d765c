"""What a desktop session hands over, and what the resident program takes of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from watcher import session

OFFER = {session.BUS: "unix:path=/tmp/bus-a", "DISPLAY": ":1", "XAUTHORITY": "/home/a/.Xauthority"}


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system keeps the users' own buses."""
    monkeypatch.setattr(session, "RUNTIME_FOLDERS", str(tmp_path / "run"))
    folder = tmp_path / "run" / str(os.geteuid())
    folder.mkdir(parents=True)
    return folder


def make_bus(folder: Path) -> str:
    """Create a socket there as a bus would, and return its address."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "bus"))
    return f"unix:path={folder}/bus"


def test_what_is_handed_over_is_read_again_and_private(tmp_path: Path) -> None:
    environment = {
        **OFFER,
        "XDG_CURRENT_DESKTOP": "a:GNOME",
        "WAYLAND_DISPLAY": "w=0",
        "HOME": "/home/a",
        "SECRET": "s",
    }
    session.hand_over(str(tmp_path), environment)
    assert session.read(str(tmp_path)) == {**OFFER, "XDG_CURRENT_DESKTOP": "a:GNOME", "WAYLAND_DISPLAY": "w=0"}
    assert (tmp_path / session.FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [session.FILE]


def test_a_name_that_is_not_unicode_is_kept(tmp_path: Path) -> None:
    authority = os.fsdecode(b"/home/\xff/.Xauthority")
    session.hand_over(str(tmp_path), {**OFFER, "XAUTHORITY": authority})
    assert session.read(str(tmp_path))["XAUTHORITY"] == authority


@pytest.mark.parametrize(
    ("environment", "offered"),
    [
        ({}, {}),
        ({"HOME": "/home/a", "XDG_CURRENT_DESKTOP": "GNOME"}, {}),
        ({session.BUS: "tcp:host=10.0.0.1,port=1"}, {}),
        ({session.BUS: "unix:path=/a;tcp:host=10.0.0.1,port=1"}, {}),
        ({session.BUS: "autolaunch:"}, {}),
        ({"DISPLAY": "localhost:10.0", "XAUTHORITY": "/x"}, {}),
        ({"DISPLAY": "10.0.0.1:0"}, {}),
        ({session.BUS: "tcp:host=10.0.0.1,port=1", "DISPLAY": ":1"}, {"DISPLAY": ":1"}),
        ({**OFFER, "DISPLAY": "localhost:10.0"}, {session.BUS: OFFER[session.BUS]}),
        ({session.BUS: "unix:abstract=a"}, {session.BUS: "unix:abstract=a"}),
        ({"WAYLAND_DISPLAY": "wayland-0"}, {"WAYLAND_DISPLAY": "wayland-0"}),
    ],
)
def test_only_a_session_on_this_machine_is_handed_over(
    tmp_path: Path, environment: dict[str, str], offered: dict[str, str]
) -> None:
    session.hand_over(str(tmp_path), environment)
    assert session.read(str(tmp_path)) == offered
    assert (tmp_path / session.FILE).exists() == bool(offered)


def test_a_terminal_without_a_display_takes_no_icon_from_the_desktop(tmp_path: Path, runtime: Path) -> None:
    address = make_bus(runtime)
    for environment in ({session.BUS: address}, {"XDG_RUNTIME_DIR": str(runtime)}, {session.BUS: address, "TERM": "x"}):
        session.hand_over(str(tmp_path), environment)
    assert not (tmp_path / session.FILE).exists()
    session.hand_over(str(tmp_path), {"XDG_RUNTIME_DIR": str(runtime), "DISPLAY": ":0"})
    assert session.read(str(tmp_path))[session.BUS] == address


def test_what_others_could_have_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / session.FILE
    session.hand_over(str(tmp_path), OFFER)
    path.chmod(0o644)
    assert session.read(str(tmp_path)) == {}
    path.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")
    assert session.read(str(tmp_path)) == {}
    path.unlink()
    os.mkfifo(path, 0o600)
    assert session.read(str(tmp_path)) == {}
    session.hand_over(str(tmp_path), OFFER)  # replaces it
    assert session.read(str(tmp_path)) == OFFER


def test_a_file_with_a_bus_on_another_machine_or_other_variables_is_cut_down(tmp_path: Path) -> None:
    path = tmp_path / session.FILE
    path.write_bytes(b"%s=tcp:host=10.0.0.1\0LD_PRELOAD=/x.so\0DISPLAY=10.0.0.1:0\0\0=\0x" % session.BUS.encode())
    path.chmod(0o600)
    assert session.read(str(tmp_path)) == {}


def test_a_state_folder_that_is_full_or_gone_costs_no_click(tmp_path: Path) -> None:
    session.hand_over(str(tmp_path / "gone"), OFFER)
    assert session.read(str(tmp_path / "gone")) == {}


def test_the_users_own_bus_is_used_only_if_it_is_a_socket_of_the_user(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.bus_address({}) is None
    (runtime / "bus").touch()
    assert session.bus_address({}) is None
    (runtime / "bus").unlink()
    address = make_bus(runtime)
    assert session.bus_address({}) == session.bus_address({"XDG_RUNTIME_DIR": str(tmp_path)}) == address
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert session.bus_address({"XDG_RUNTIME_DIR": str(runtime)}) is None
