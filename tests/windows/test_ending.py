"""Every way in which Windows asks nobg to end, under wine, while it works: it ends in seconds, and nothing is lost.

Left out are the console's other events. wine 8 does not deliver CTRL_BREAK; and when a console's window is closed, it
ends the processes in it without CTRL_CLOSE.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from tests.support.program import ROOT, wait_for
from tests.support.wine_desktop import START_SECONDS, Desktop, desktop
from watcher.program import windows_end

pytestmark = pytest.mark.slow

PICTURES = 5

RUN_IN_CONSOLE = """
import ctypes, subprocess, sys
command = [sys.executable, "-m", "watcher", "run", "--no-tray"]
process = subprocess.Popen(command, creationflags=subprocess.CREATE_NEW_CONSOLE)
sys.stdin.readline()
kernel32 = ctypes.WinDLL("kernel32")
kernel32.FreeConsole()
assert kernel32.AttachConsole(process.pid), "nobg has no console"
kernel32.SetConsoleCtrlHandler(None, 1)  # this process stays
assert kernel32.GenerateConsoleCtrlEvent(0, 0)  # CTRL_C_EVENT, to all processes in this console
sys.exit(process.wait())
"""

CLOSE_WINDOW = f"""
import ctypes
user32 = ctypes.WinDLL("user32")
user32.FindWindowW.argtypes, user32.FindWindowW.restype = (ctypes.c_wchar_p,) * 2, ctypes.c_void_p
user32.PostMessageW.argtypes = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t, ctypes.c_ssize_t
window = user32.FindWindowW(None, {windows_end.TITLE!r})
assert window
assert user32.PostMessageW(window, {windows_end.WM_CLOSE}, 0, 0)
"""


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Desktop]:
    with desktop(tmp_path / "home") as windows:
        yield windows


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures, no two of the same content."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Image.open(ROOT / "assets" / "samples" / "astronaut.jpg") as sample:
        for number in range(PICTURES):
            sample.rotate(number).resize((1500, 1500)).save(folder / f"{number}.jpg")
    return folder


def outputs(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*_nobg.png")}


def states(windows: Desktop) -> Counter[str]:
    """Return how many jobs are in each state."""
    with closing(sqlite3.connect(f"file:{windows.state / 'jobs.db'}?mode=ro", uri=True)) as database:
        return Counter(state for (state,) in database.execute("SELECT state FROM jobs"))


def start_work(windows: Desktop, pictures: Path) -> None:
    """Put the pictures in the queue, and wait until one of them is done."""
    windows.click_in_file_manager(pictures)
    wait_for(lambda: outputs(pictures), START_SECONDS)
    assert any("watcher.worker.process" in words for words in windows.processes())


def check_that_it_ended_well(windows: Desktop, pictures: Path) -> None:
    """Check that the program ends by itself, all jobs done or in the queue, and that the next one does the rest."""
    wait_for(lambda: "Stopped" in windows.log())
    jobs = states(windows)
    assert jobs["done"] == len(outputs(pictures))
    assert jobs["done"] + jobs["queued"] == PICTURES
    assert {path.suffix for path in pictures.iterdir()} == {".jpg", ".png"}  # no unfinished file
    wait_for(lambda: not windows.processes())  # the worker has ended, too
    assert "not running" in windows.nobg("status")
    windows.start_nobg("--no-tray", on_shell=False)
    wait_for(lambda: states(windows)["done"] == PICTURES, START_SECONDS)
    assert states(windows).total() == PICTURES
    assert {path.name for path in pictures.glob("*.png")} == {f"{number}_nobg.png" for number in range(PICTURES)}


def test_at_log_off_nobg_ends_and_nothing_is_lost(windows: Desktop, pictures: Path) -> None:
    windows.start_nobg()
    start_work(windows, pictures)
    windows.run("wineboot.exe", "--end-session", on_shell=True)
    check_that_it_ended_well(windows, pictures)


def test_ctrl_c_in_its_console_ends_nobg(windows: Desktop, pictures: Path) -> None:
    console = windows.start_python(RUN_IN_CONSOLE)
    wait_for(lambda: "Started" in windows.log(), START_SECONDS)
    start_work(windows, pictures)
    output, _ = console.communicate(b"\n", timeout=START_SECONDS)
    assert (console.returncode, output) == (0, b"")
    check_that_it_ended_well(windows, pictures)


def test_a_program_that_asks_windows_to_close_nobg_ends_it(windows: Desktop, pictures: Path) -> None:
    windows.start_nobg("--no-tray", on_shell=False)
    start_work(windows, pictures)
    assert windows.python(CLOSE_WINDOW) == ""
    check_that_it_ended_well(windows, pictures)
