"""Choosing a folder by the desktop's portal, where neither zenity nor kdialog is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desktop.portal import Portal
from tests.support.desktop.private_bus import private_bus
from watcher.desktop import shell, strings
from watcher.errors import NobgError

ODD = ('it\'s "quoted" $HOME', "line\nend", "100% %20 #1?", "ü 写", "ends in a space ", os.fsdecode(b"not utf-8 \xff"))


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a session bus, on a computer without zenity and kdialog."""
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.setenv("PATH", str(tmp_path / "no programs"))
        yield address


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_the_name_of_the_chosen_folder_is_kept_exactly(name: str, bus: str, tmp_path: Path) -> None:
    with Portal(bus, lambda: (0, [(tmp_path / name).as_uri()])) as portal:
        assert shell.choose_folder(tmp_path / name) == tmp_path / name
    (_parent, title, options) = portal.asked[0]
    assert title == strings.CHOOSE_FOLDER
    assert options["directory"] is True
    assert options["current_folder"] == os.fsencode(tmp_path / name) + b"\0"


def test_a_cancelled_choice_is_no_error(bus: str, tmp_path: Path) -> None:
    with Portal(bus, lambda: (1, [])):
        assert shell.choose_folder(tmp_path) is None


@pytest.mark.parametrize(
    "answer", [(2, []), (0, []), (0, ["trash:///a"]), None], ids=["failed", "none", "no file", "ends"]
)
def test_a_window_that_fails_is_an_error(answer: tuple[int, list[str]] | None, bus: str, tmp_path: Path) -> None:
    with Portal(bus, lambda: answer), pytest.raises(NobgError, match="did not open"):
        shell.choose_folder(tmp_path)


@pytest.mark.parametrize("version", [2, None])
def test_a_portal_that_cannot_choose_folders_is_as_good_as_none(version: int | None, bus: str, tmp_path: Path) -> None:
    with Portal(bus, lambda: None, version), pytest.raises(NobgError, match="zenity or kdialog"):
        shell.choose_folder(tmp_path)


@pytest.mark.usefixtures("bus")
def test_without_a_portal_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NobgError, match="zenity or kdialog"):
        shell.choose_folder(tmp_path)
