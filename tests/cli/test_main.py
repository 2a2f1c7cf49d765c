"""main.py: errors that any command can meet, as one sentence and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Nobg, wait_for
from tests.support.refused import give_away
from watcher.queue.journal import Journal

COMMANDS = [
    *("status", "history", "undo", "retry", "pause", "resume", "watch list", "watch add .", "watch remove ."),
    *("menu status", "menu install", "menu uninstall", "autostart on", "autostart off", "autostart status"),
    *("models use best", "add photo.jpg", "run --no-tray", "remove photo.jpg"),
]


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_state_folder_of_root_is_one_sentence_that_says_what_to_type(nobg: Nobg, home: Path, command: str) -> None:
    (home / "state").mkdir()
    (home / "state" / "jobs.db").touch()
    result = nobg(*command.split(), prefix=give_away(home / "state"))
    assert (result.returncode, result.stdout) == (4, "")
    assert not (home / "config").exists()
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"nobg: {home / 'state'} belongs to another user")
    assert result.stderr.endswith(f"type: sudo chown -R root {home / 'state'}\n")


def test_run_with_a_jobs_db_of_root_alone_says_so_in_one_sentence_and_on_the_desktop(
    nobg: Nobg, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "shown"
    notifier = tmp_path / "bin" / "notify-send"
    notifier.parent.mkdir()
    notifier.write_text(
        f'#!/bin/sh\nfor word; do text=$word; done; echo "$text" > {shown}.new; mv {shown}.new {shown}\n'
    )
    notifier.chmod(0o755)
    monkeypatch.setenv("PATH", f"{notifier.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    (home / "state").mkdir()
    Journal(home / "state").close()
    os.chmod(home / "state" / "jobs.db", 0o600)
    prefix = give_away(home / "state")
    os.chown(home / "state", os.geteuid(), -1)
    result = nobg("run", prefix=prefix)
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(f"type: sudo chown -R root {home / 'state'}\n")
    wait_for(shown.exists)
    assert result.stderr == f"nobg: {shown.read_text()}"


def test_doctor_goes_on_when_the_state_folder_is_refused(nobg: Nobg, home: Path) -> None:
    (home / "state").mkdir()
    result = nobg("doctor", prefix=give_away(home / "state"))
    assert (result.returncode, result.stderr) == (4, "")
    assert "[no] Worker: " in result.stdout
    assert "[!!] Menus: " in result.stdout


def test_a_refused_folder_that_no_command_expects_is_a_sentence_too(nobg: Nobg, home: Path) -> None:
    models = home / "data" / "models"
    models.mkdir(parents=True)
    result = nobg("models", "list", prefix=give_away(home / "data"))
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.endswith(f"type: sudo chown -R root {home / 'data'}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not look for HOME")
@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("home_variable", ["", "here"])
@pytest.mark.parametrize("command", [*COMMANDS, "models list", "doctor"])
def test_without_a_home_folder_nothing_is_made_and_one_sentence_says_what_to_set(
    tmp_path: Path, command: str, home_variable: str
) -> None:
    environment = {"HOME": home_variable, "PATH": os.environ["PATH"]}
    words = [sys.executable, "-m", "watcher", *command.split()]
    result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "export NOBG_HOME=" in result.stdout + result.stderr
    assert os.listdir(tmp_path) == ["photo.jpg"]
