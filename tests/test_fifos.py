"""What has the name of one of nobg's own files and is a FIFO makes neither a click nor the program wait for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Nobg
from watcher import paths, session
from watcher.errors import UsageError
from watcher.queue import store
from watcher.queue.journal import Journal
from watcher.settings import config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO in a folder")

HUNG_SECONDS = 60
"""When a call counts as hung: it would wait for ever."""


def make_fifo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, which a FIFO can hang."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HUNG_SECONDS, check=False
    )


@pytest.mark.parametrize(
    "name", ["config/config.toml", "state/knock", "state/session", "state/config.last-good.toml", "state/jobs.repair"]
)
def test_a_click_does_not_wait_for_a_fifo(name: str, home: Path, tmp_path: Path) -> None:
    make_fifo(home / name)
    photo = tmp_path / "a.jpg"
    photo.touch()
    without_program = "from watcher import enqueue; enqueue.start_program = lambda _: None; "
    result = run(f"{without_program}raise SystemExit(enqueue.main([{str(photo)!r}]))")
    if name != "state/jobs.repair":
        assert result.returncode == 0, result.stderr
        assert Journal(home / "state").counts_by_state()["queued"] == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["nobg.log", "worker.log", "history.html"])
def test_a_log_that_is_a_fifo_is_replaced(name: str, home: Path) -> None:
    make_fifo(home / "state" / name)
    code = f"from watcher import paths; paths.open_log({name!r}).write(b'x')"
    assert run(code).returncode == 0
    assert (home / "state" / name).read_bytes() == b"x"


def test_a_log_that_leads_to_a_device_is_replaced_and_the_device_stays(home: Path) -> None:
    path = home / "state" / "nobg.log"
    path.parent.mkdir()
    path.symlink_to("/dev/null")
    paths.open_log("nobg.log").close()
    assert path.is_file()
    assert not path.is_symlink()
    assert Path("/dev/null").is_char_device()


def test_settings_that_are_a_fifo_or_a_folder_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    for path in (make_fifo(tmp_path / "config.toml"), folder):
        with pytest.raises(UsageError, match=r"no regular file.*Put a file in its place"):
            config.read_text(path)


def test_handing_over_a_session_does_not_wait_for_a_fifo(tmp_path: Path) -> None:
    make_fifo(tmp_path / f"{session.FILE}.{os.getpid()}")
    session.hand_over(str(tmp_path), {"DISPLAY": ":0"})
    assert session.read(str(tmp_path)) == {}


def test_waking_the_program_works_again_once_the_fifo_is_replaced(tmp_path: Path) -> None:
    make_fifo(tmp_path / store.WAKE_FILE)
    store.wake_program(str(tmp_path))
    assert (tmp_path / store.WAKE_FILE).read_bytes() == b"!"


def test_a_record_of_menus_that_is_a_fifo_is_damaged(home: Path, nobg: Nobg) -> None:
    make_fifo(home / "state" / "menu.json")
    result = nobg("autostart", "status")
    assert result.returncode == 2
    assert "is damaged" in result.stderr
