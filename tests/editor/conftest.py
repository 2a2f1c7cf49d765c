"""A host in a thread of the test, with the stand-in worker; the test is the window."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import ROOT
from watcher import paths
from watcher.editor.host import Host
from watcher.matting.touchup.edits import Edit, encode
from watcher.queue.journal import Journal
from watcher.settings.config import Config
from watcher.worker import protocol, supervisor

STROKE = encode([Edit("keep", ((10.0, 10.0), (20.0, 20.0)), 30.0)])
TWO_STROKES = encode([Edit("keep", ((10.0, 10.0),), 30.0), Edit("erase", ((50.0, 60.0),), 30.0)])
TILE: dict[str, Any] = {"box": [0, 0, 4, 2], "pixels": [4, 2]}


class WorkerFiles:
    """The files by which a test sees the stand-in worker, and rules it."""

    def __init__(self, folder: Path) -> None:
        self.log, self.deaths, self.gate = folder / "log", folder / "deaths", folder / "gate"
        os.mkfifo(self.gate)
        script = ROOT / "tests" / "support" / "workers" / "touchup.py"
        self.command = [sys.executable, str(script), *map(str, (self.log, self.deaths, self.gate))]

    def requests(self) -> list[str]:
        """Return the lines of the log."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def die_at(self, *kinds: str) -> None:
        """End the worker at the next requests of these kinds."""
        self.deaths.write_text("\n".join(kinds))

    def open_gate(self) -> None:
        """Let a request for the layer `way:gate` go on."""
        with self.gate.open("w"):
            pass


class Window:
    """The window's side of the pipes to a host, which runs in a thread."""

    def __init__(self, path: Path | None, **options: Any) -> None:
        self.reset()
        from_window, to_host = os.pipe()
        from_host, to_window = os.pipe()
        self.to_host, self.from_host = os.fdopen(to_host, "wb"), os.fdopen(from_host, "rb")
        options = {"settings": Config(), **options}

        def run() -> None:
            with (
                contextlib.suppress(BrokenPipeError),
                os.fdopen(from_window, "rb") as source,
                os.fdopen(to_window, "wb") as sink,
            ):
                Host(source, sink, paths.state_dir(), **options).run(path)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def reset(self) -> None:
        """Begin without any message."""
        self.tells: list[dict[str, Any]] = []
        self.payloads: dict[str, bytes] = {}
        self._answers: dict[int, tuple[dict[str, Any], bytes]] = {}
        self._ids = itertools.count(1)

    def ask(self, kind: str, payload: bytes = b"", **values: Any) -> int:
        """Send a request; return its number."""
        number = next(self._ids)
        protocol.write_message(self.to_host, {"ask": kind, "id": number, **values}, payload)
        return number

    def answer(self, number: int) -> tuple[dict[str, Any], bytes]:
        """Wait for the answer to a request."""
        while number not in self._answers:
            self._read()
        return self._answers.pop(number)

    def ask_and_wait(self, kind: str, payload: bytes = b"", **values: Any) -> dict[str, Any]:
        """Send a request, and return the header of its answer."""
        return self.answer(self.ask(kind, payload, **values))[0]

    def wait_for(self, kind: str) -> dict[str, Any]:
        """Wait until the host tells something of this kind. Return the newest message of that kind."""
        while not any(message["tell"] == kind for message in self.tells):
            self._read()
        return next(message for message in reversed(self.tells) if message["tell"] == kind)

    def _read(self) -> None:
        message = protocol.read_message(self.from_host)
        assert message is not None, "the host has ended"
        header, payload = message
        if "answer" in header:
            self._answers[header["answer"]] = (header, payload)
        else:
            self.tells.append(header)
            self.payloads[header["tell"]] = payload

    def texts(self, kind: str) -> list[str]:
        """Return what the host has said so far in messages of this kind."""
        return [message["text"] for message in self.tells if message["tell"] == kind]

    def close(self) -> None:
        """Close the window, and wait until the host has ended."""
        self.to_host.close()
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.from_host.close()


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkerFiles:
    folder = tmp_path / "worker"
    folder.mkdir()
    files = WorkerFiles(folder)
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: files.command)
    return files


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"ok a photo")
    return path


OpenWindow = Callable[..., Window]


@pytest.fixture
def open_window(worker: WorkerFiles) -> Iterator[OpenWindow]:
    """Return the function that starts a host; the hosts end with the test."""
    assert worker
    windows: list[Window] = []

    def start(path: Path | None, **options: Any) -> Window:
        windows.append(Window(path, **options))
        return windows[-1]

    yield start
    for window in windows:
        if not window.to_host.closed:
            window.close()


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    assert home
    journal = Journal(paths.state_dir())
    yield journal
    journal.close()
