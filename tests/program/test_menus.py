"""program/menus.py: how nobg describes itself to the integrations."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from integrations.record import Record
from integrations.verbs import TOUCH_UP
from tests.support.touch_up import set_installed
from watcher import lock, paths
from watcher.errors import DestinationError, UsageError
from watcher.program import edit_config, menus
from watcher.settings import config
from watcher.settings.config import Config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file managers of Linux")


def test_the_client_is_called_by_a_path_that_exists() -> None:
    setup = menus.make_setup()
    assert setup.client_command[:1] == ("/usr/bin/env",)
    assert all(os.path.exists(word) for word in setup.client_command if os.path.isabs(word))
    assert os.path.dirname(setup.client_command[2]) == os.path.dirname(sys.executable)


def test_without_installed_commands_the_checkout_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.delenv("NOBG_HOME")
    monkeypatch.setattr("watcher.settings.config.load", lambda _: Config())
    client = menus.make_setup().client_command
    assert client[1:2] == ("-P",)
    assert client[2].endswith("integrations/checkout.py")
    assert os.path.exists(client[2])
    assert client[3:] == ("add",)


@pytest.mark.parametrize("installed", [True, False])
def test_touching_up_is_in_the_menus_if_its_window_is_installed(
    monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    """Without it, the entry would do nothing but say so, on every picture."""
    set_installed(monkeypatch, installed=installed)
    assert menus.make_setup().touch_up == (TOUCH_UP if installed else None)


def test_a_path_that_is_not_valid_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBG_HOME", "/tmp/\udcff")
    with pytest.raises(UsageError, match="not valid text"):
        menus.make_setup()


def switch_often(barrier: Any, number: int) -> None:
    """Switch the start at login on and off, menus on, and a setting, at the same time as seven other processes."""
    barrier.wait()
    for count in range(4):
        menus.switch_autostart(on=(number + count) % 2 == 0)
        if number < 4:
            menus.switch_menus([("nemo", "caja", "dolphin", "thunar")[number]], on=True)
        edit_config.add_folder(paths.config_path(), {"path": f"/pictures/{number}-{count}"})


def test_of_eight_processes_that_change_menus_autostart_and_settings_none_loses_anothers_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CURRENT_DESKTOP"):
        monkeypatch.delenv(name, raising=False)
    person = tmp_path / "person"
    person.mkdir()
    monkeypatch.setenv("HOME", str(person))
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(8)
    processes = [context.Process(target=switch_often, args=(barrier, number)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    entries = Record.load(menus.make_setup().record_path).entries
    assert {user for entry in entries.values() for user in entry["users"]} - {"autostart"} == {
        "nemo",
        "caja",
        "dolphin",
        "thunar",
    }
    autostart = person / ".config" / "autostart" / "nobg.desktop"
    assert autostart.exists() == (str(autostart) in entries)
    assert len(config.load(paths.config_path()).folders) == 32
    menus.switch_menus(on=False)
    menus.switch_autostart(on=False)
    assert [path for path in person.rglob("*") if path.is_file()] == []


def test_menus_that_another_process_changes_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edit_config, "CHANGES_LOCK_SECONDS", 0.0)
    held = lock.acquire(str(paths.state_dir()), name="settings.lock")
    assert held is not None
    with pytest.raises(DestinationError, match="Another nobg is changing"):
        menus.switch_autostart(on=True)
    lock.release(held)
