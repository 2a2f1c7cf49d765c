"""`python -m watcher.editor` as processes: whatever is killed in the middle, the strokes are there again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.editor.conftest import STROKE, TILE, TWO_STROKES, Window, WorkerFiles
from tests.support.program import ROOT, wait_for
from watcher.editor import __main__ as editor
from watcher.editor import strings
from watcher.queue.journal import Journal

pytestmark = pytest.mark.slow


class Editor(Window):
    """The processes of one window; the test speaks for the window."""

    def __init__(self, folder: Path, files: WorkerFiles, photo: Path) -> None:  # the host is a process here
        folder.mkdir()
        self.reset()
        pipes = [folder / "from-test", folder / "to-test"]
        for pipe in pipes:
            os.mkfifo(pipe)
        script = ROOT / "tests" / "support" / "stand_in_editor.py"
        self.process = subprocess.Popen(
            [sys.executable, script, *pipes, files.log, files.deaths, files.gate, photo], cwd=folder
        )
        self.to_host = pipes[0].open("wb")
        self.from_host = pipes[1].open("rb")

    def child(self, script: str) -> psutil.Process:
        """Return the process of the window or of the worker, by the name of its script."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if any(part.endswith(script) for part in child.cmdline()))


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended. Without a parent that asks for its end, it stays as a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


StartEditor = Callable[[], Editor]


@pytest.fixture
def start(tmp_path: Path, worker: WorkerFiles, photo: Path) -> Iterator[StartEditor]:
    editors: list[Editor] = []

    def start_editor() -> Editor:
        editors.append(Editor(tmp_path / f"editor-{len(editors)}", worker, photo))
        editors[-1].wait_for("opened")
        return editors[-1]

    yield start_editor
    for running in editors:
        running.from_host.close()
        with contextlib.suppress(BrokenPipeError):
            running.to_host.close()
        running.process.kill()
        running.process.wait()


def test_the_strokes_survive_a_killed_worker(start: StartEditor, worker: WorkerFiles) -> None:
    window = start()
    window.ask_and_wait("edits", TWO_STROKES.encode())
    window.child("touchup.py").send_signal(signal.SIGKILL)
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\2" * 32
    assert window.texts("trouble") == [strings.WORKER_RESTARTED]
    assert worker.requests().count("started") == 2


def test_the_strokes_survive_a_killed_window_and_everything_ends_with_it(start: StartEditor) -> None:
    window = start()
    window.ask_and_wait("edits", STROKE.encode())
    worker_process = window.child("touchup.py")
    window.child("stand_in_window.py").send_signal(signal.SIGKILL)
    assert window.process.wait(60) == 1
    wait_for(lambda: has_ended(worker_process))
    assert start().payloads["opened"] == STROKE.encode()


def test_the_strokes_survive_a_killed_host_and_everything_ends_with_it(
    start: StartEditor, photo: Path, journal: Journal
) -> None:
    window = start()
    window.ask_and_wait("edits", STROKE.encode())
    children = [window.child("touchup.py"), window.child("stand_in_window.py")]
    window.process.send_signal(signal.SIGKILL)
    window.process.wait()
    wait_for(lambda: all(map(has_ended, children)))
    assert journal.edits.of(hashlib.sha256(photo.read_bytes()).hexdigest()) == STROKE
    assert start().payloads["opened"] == STROKE.encode()  # no lock is left


def test_a_host_that_is_asked_to_end_leaves_no_lock(start: StartEditor, home: Path) -> None:
    window = start()
    window.process.terminate()
    assert window.process.wait(60) == 130
    assert not list((home / "state").glob("*.lock"))


def test_a_closed_window_ends_the_host_with_success(start: StartEditor) -> None:
    window = start()
    window.ask("close")
    assert window.process.wait(60) == 0


def test_without_the_library_the_host_says_how_to_get_it(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("watcher.program.touch_up.is_available", lambda: False)
    assert editor.main([str(photo)]) == 2
    assert "pipx inject nobg-watcher PySide6-Essentials" in capsys.readouterr().err
