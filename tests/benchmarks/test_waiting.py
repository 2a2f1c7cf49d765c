"""Waits that end: with what was awaited, and with nothing left running."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.support.waiting import (
    stop,
    wait_for_exit,
    wait_for_line,
    wait_for_output,
    wait_until,
)
from watcher.paths import make_state_folder
from watcher.queue.job import Job
from watcher.queue.journal import Journal

ENDLESS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {ENDLESS!r}])
print(child.pid, flush=True)
child.wait()
"""


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def test_what_does_not_happen_is_named() -> None:
    with pytest.raises(TimeoutError, match="the icon did not come"):
        wait_until(lambda: False, "the icon did not come", 0)


def test_a_picture_that_nobg_skips_ends_the_wait_with_what_the_journal_says(tmp_path: Path) -> None:
    journal = Journal(Path(make_state_folder()))
    journal.record(Job(tmp_path / "rocket.jpg"), state="skipped", reason="no_clear_subject")
    journal.close()
    with pytest.raises(
        TimeoutError, match=r"rocket_nobg\.png; its journal says of rocket\.jpg: skipped, no_clear_subject"
    ):
        wait_for_output(tmp_path / "rocket_nobg.png", 0)


def test_a_command_that_hangs_is_killed_with_its_descendants() -> None:
    with start(PARENT) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        with pytest.raises(TimeoutError, match="a tool did not end within 0 s"):
            wait_for_exit(process, "a tool", 0)
        assert process.returncode is not None
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_program_that_says_nothing_ends_the_wait() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb"), pytest.raises(TimeoutError, match="not ready"):
        wait_for_line(stream, "nobg run is not ready", 0)


def test_a_program_that_does_not_stop_is_killed() -> None:
    with start(ENDLESS) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(TimeoutError, match="did not end within 0 s"):
            stop(psutil.Process(process.pid), 0)
        assert process.wait(60) != 0
