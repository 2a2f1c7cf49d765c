"""The process of the window: its pipes, its jail, what it imports, and when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import ROOT
from watcher.worker.protocol import read_message, write_message

pytest.importorskip("PySide6")
pytestmark = pytest.mark.slow

Window = subprocess.Popen[bytes]

RUN = "import os, sys; from watcher.editor.window.__main__ import main; "
"""Statements before `main` run in the window's process, with all that it imports later."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Start the window on a screen in memory. `before`, `after`: statements that run in its process, too."""
    started: list[Window] = []

    def run(before: str = "", after: str = "") -> Window:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        errors = open(tmp_path / "errors", "wb")  # noqa: SIM115  the window writes to it
        with errors:
            window = subprocess.Popen(
                [sys.executable, "-c", f"{RUN}{before}\ncode = main()\n{after}\nsys.stderr.flush(); os._exit(code)"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=environment,
            )
        started.append(window)
        return window

    yield run
    for window in started:
        window.kill()
        window.wait()
        for pipe in (window.stdin, window.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def tell(window: Window, kind: str, **fields: object) -> None:
    write_message(window.stdin, {"tell": kind, **fields})  # type: ignore[arg-type]  # a pipe of bytes


def next_request(window: Window) -> dict[str, Any]:
    message = read_message(window.stdout)  # type: ignore[arg-type]  # a pipe of bytes
    assert message is not None
    return message[0]


def test_the_window_asks_for_tiles_and_ends_with_its_host(start: Any) -> None:
    window = start()
    tell(window, "opened", name="photo.jpg", width=600, height=400, recipes=[], background=None, tool="")
    request = next_request(window)
    assert (request["ask"], request["layer"], request["box"]) == ("tile", "photo", [0, 0, 600, 400])
    window.stdin.close()
    assert window.wait(60) == 0


def test_what_is_printed_does_not_get_into_the_messages(start: Any, tmp_path: Path) -> None:
    window = start("import watcher.jail.window as jail; jail.enter_window = lambda: [os.write(1, b'printed')][:0]")
    tell(window, "opened", name="photo.jpg", width=600, height=400, recipes=[], background=None, tool="")
    assert next_request(window)["ask"] == "tile"
    assert b"printed" in (tmp_path / "errors").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_each_thread_of_the_window_is_jailed(start: Any) -> None:
    window = start()
    tell(window, "opened", name="photo.jpg", width=600, height=400, recipes=[], background=None, tool="")
    next_request(window)
    for status in Path(f"/proc/{window.pid}/task").glob("*/status"):
        fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")
    limits = Path(f"/proc/{window.pid}/limits").read_text()
    assert "Max core file size        1  " in limits or "Max core file size        0  " in limits


@pytest.mark.skipif(sys.platform != "linux", reason="the window's jail is Linux's")
def test_the_window_dies_with_a_host_that_is_killed() -> None:
    code = (
        "import subprocess, sys, time\n"
        "window = subprocess.Popen([sys.executable, '-m', 'watcher.editor.window'], stdin=0, stdout=1)\n"
        "sys.stderr.write(f'{window.pid}\\n'); time.sleep(600)"
    )
    reading, writing = os.pipe()  # stays open: only the death of the parent can end the window
    host = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert host.stderr is not None
    assert host.stdout is not None
    assert int(host.stderr.readline())
    with os.fdopen(writing, "wb") as sink:
        fields = {"name": "photo.jpg", "width": 600, "height": 400, "recipes": [], "background": None, "tool": ""}
        write_message(sink, {"tell": "opened", **fields})
        assert host.stdout.read(1)  # the window has asked: it is jailed
        host.send_signal(signal.SIGKILL)
        host.wait()
        host.stdout.read()  # until the window has ended, which has the other end
    for end in (host.stdout, host.stderr):
        end.close()
    os.close(reading)


def test_the_window_loads_no_code_for_pictures_and_networks(start: Any, tmp_path: Path) -> None:
    window = start(after="sys.stderr.write('loaded: ' + ' '.join(sys.modules))")
    tell(window, "opened", name="photo.jpg", width=600, height=400, recipes=[], background=None, tool="")
    next_request(window)
    window.stdin.close()
    assert window.wait(60) == 0
    loaded = {name.partition(".")[0] for name in (tmp_path / "errors").read_text().partition("loaded: ")[2].split()}
    assert "PySide6" in loaded
    assert not loaded & {"PIL", "numpy", "onnxruntime", "socket", "ssl", "sqlite3"}
