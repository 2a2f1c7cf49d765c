"""starter.py: the worker outlives the thread that first needed it; on Windows, it starts in an AppContainer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.fake_windows import FakeWindows
from tests.support.program import ROOT
from watcher import paths
from watcher.errors import ModelError
from watcher.jail.appcontainer import library
from watcher.matting import modes
from watcher.matting.modes import DEFAULT
from watcher.worker import starter, supervisor

posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in takes descriptors for handles")

PREPARE = f"""
import asyncio, multiprocessing, sys, threading
from concurrent.futures import ThreadPoolExecutor
from watcher import remove_background
from watcher.worker import supervisor
supervisor.worker_command = lambda mode: [sys.executable, {str(ROOT / "tests/support/workers/mortal.py")!r}]
results = []
def call(*_):
    try:
        results.append(remove_background(b"picture").size)
    except Exception as error:
        results.append(str(error))
"""

SCENARIOS = {
    "a thread for each request": """
for _ in range(50):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
""",
    "fifty threads at once": """
threads = [threading.Thread(target=call) for _ in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    "pools that end": """
for _ in range(10):
    with ThreadPoolExecutor(5) as pool: list(pool.map(call, range(5)))
""",
    "asyncio": """
async def main():
    for _ in range(5): await asyncio.gather(*(asyncio.to_thread(call) for _ in range(10)))
asyncio.run(main())
""",
    "forked processes": """
thread = threading.Thread(target=call)
thread.start()
thread.join()
def work(connection):
    results.clear()
    for _ in range(7):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    connection.send(results)
context = multiprocessing.get_context("fork")
for _ in range(7):
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    results += ours.recv()
    process.join()
assert process.exitcode == 0
""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_python_call_works_from_threads_that_come_and_go(name: str) -> None:
    code = PREPARE + SCENARIOS[name] + "assert results == [(3, 2)] * 50, results"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeWindows]:
    """Windows, as `starter` sees it: its processes are those of this system."""
    fake = FakeWindows(own_folder=str(tmp_path / "Packages" / "nobg.worker" / "AC"))
    seen = SimpleNamespace(
        platform="win32",
        executable=sys.executable,
        base_prefix=str(tmp_path),
        prefix=str(tmp_path),
        _base_executable=sys.executable,
    )
    monkeypatch.setattr(starter, "sys", seen)
    monkeypatch.setattr(library, "load", fake.as_windows)
    yield fake
    starter.give_up_container("")


def start(code: str = "") -> starter.Process | None:
    """Start Python in the AppContainer."""
    with open(os.devnull, "wb") as errors:
        command = [sys.executable, "-c", code]
        return starter.start_contained(command, supervisor.worker_environment(), errors.fileno())


def end(process: starter.Process | None) -> None:
    """End a process and close its pipes."""
    assert process is not None
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def test_elsewhere_than_on_windows_no_process_is_started_in_an_appcontainer() -> None:
    if sys.platform != "win32":
        assert start() is None
        assert starter.forget_container() == []
    assert starter.container_problem() == ""


@posix
def test_the_appcontainer_may_read_pythons_nobgs_and_the_packages_folders_and_no_more(
    windows: FakeWindows, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter_sys: Any = vars(starter)["sys"]
    for folder in ("venv/site-packages", "user/site-packages", "Pictures"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(starter_sys, "base_prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(starter_sys, "prefix", str(tmp_path / "venv"))
    places = [*map(str, tmp_path.glob("*/site-packages")), str(tmp_path / "Pictures")]  # the last: where it was started
    monkeypatch.setattr(paths, "module_folders", lambda: places)
    end(start())
    record = json.loads((home / "state" / starter.RECORD_FILE_NAME).read_text())
    granted = {folder.replace("\\", "/") for folder in record["folders"]}
    assert granted == {str(tmp_path / "venv"), str(tmp_path / "user" / "site-packages"), str(ROOT)}
    assert windows.started[0]["program"] == sys.executable
    assert starter.container_problem() == ""


@posix
@pytest.mark.parametrize("failing", ["CreateAppContainerProfile", "CreateProcessW", "UpdateProcThreadAttribute"])
def test_a_call_that_fails_is_remembered_and_no_further_call_is_made(
    windows: FakeWindows, home: Path, failing: str
) -> None:
    assert home
    windows.failing[failing] = -1 if failing == "CreateAppContainerProfile" else 0
    assert start() is None
    assert starter.container_problem().startswith(f"{failing}")
    calls = len(windows.calls)
    assert start() is None
    assert len(windows.calls) == calls


@posix
def test_a_state_folder_that_cannot_be_written_is_a_reason_too(
    windows: FakeWindows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    assert windows
    monkeypatch.setattr(starter, "RECORD_FILE_NAME", "missing/record.json")
    assert start() is None
    assert "missing" in starter.container_problem()


@posix
def test_uninstalling_removes_the_appcontainer_and_its_record(windows: FakeWindows, home: Path) -> None:
    end(start())
    assert windows.has_profile
    assert starter.forget_container() == []
    assert not windows.has_profile
    assert not (home / "state" / starter.RECORD_FILE_NAME).exists()


def test_python_is_started_without_the_launcher_of_its_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        starter, "sys", SimpleNamespace(executable="C:\\v\\python.exe", _base_executable="C:\\python.exe")
    )
    assert starter.python_without_launcher("C:\\v\\python.exe", {"A": "1"}) == (
        "C:\\python.exe",
        {"A": "1", "__PYVENV_LAUNCHER__": "C:\\v\\python.exe"},
    )
    assert starter.python_without_launcher("C:\\other.exe", {"A": "1"}) == ("C:\\other.exe", {"A": "1"})
    monkeypatch.setattr(starter, "sys", SimpleNamespace(executable="C:\\python.exe", _base_executable="C:\\python.exe"))
    assert starter.python_without_launcher("C:\\python.exe", {}) == ("C:\\python.exe", {})


READY = "protocol.write_message(sys.stdout.buffer, {'ready': True, 'jail': []}); sys.stdin.buffer.read()"
MODEL_ERROR = "protocol.write_message(sys.stdout.buffer, {'ready': False, 'message': 'A model is damaged.'})"
IN_CONTAINER = "os.environ.get('LOCALAPPDATA') == 'contained'"
"""Whether a stand-in for the worker runs in the AppContainer."""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[[str], None]:
    """Make a script the worker."""
    assert home
    monkeypatch.setenv("LOCALAPPDATA", "contained")  # which workers outside it do not get

    def use(code: str) -> None:
        program = f"import os, sys, time; from watcher.worker import protocol\n{code}"
        monkeypatch.setattr(supervisor, "worker_command", lambda _mode: [sys.executable, "-P", "-c", program])

    return use


@posix
def test_a_worker_that_is_ready_in_the_appcontainer_stays_in_it(
    windows: FakeWindows, stand_in: Callable[[str], None]
) -> None:
    stand_in(READY)
    worker, header = supervisor.start_worker(DEFAULT, "cpu")
    with worker:
        assert worker.is_contained
        assert header["jail"] == []
    assert len(windows.started) == 1


@posix
@pytest.mark.parametrize(
    ("in_container", "reason"),
    [
        ("print('ImportError: DLL load failed', file=sys.stderr)", "ended in it before it was ready: ImportError: DLL"),
        ("pass", "the worker ended in it before it was ready"),
        (MODEL_ERROR, "the worker cannot work in it: A model is damaged."),
        ("time.sleep(600)", "the worker did not become ready in it in time"),
    ],
)
def test_a_worker_that_does_not_become_ready_in_it_is_started_without_it_and_the_reason_is_remembered(
    windows: FakeWindows,
    stand_in: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    in_container: str,
    reason: str,
) -> None:
    wait_until_ready = supervisor.Worker.wait_until_ready

    def wait(worker: supervisor.Worker, *arguments: Any) -> Any:
        has_little_time = worker.is_contained and "sleep" in in_container
        monkeypatch.setattr(supervisor, "START_TIMEOUT_SECONDS", 0.5 if has_little_time else 120.0)
        return wait_until_ready(worker, *arguments)

    monkeypatch.setattr(supervisor.Worker, "wait_until_ready", wait)
    stand_in(f"if {IN_CONTAINER}:\n    {in_container}\nelse:\n    {READY}")
    for _ in range(2):
        worker, header = supervisor.start_worker(DEFAULT, "cpu")
        with worker:
            assert not worker.is_contained
            (layer,) = header["jail"]
            assert (layer["name"], layer["active"]) == ("AppContainer", False)
            assert layer["detail"].startswith("not used: ")
            assert reason in layer["detail"]
    assert len(windows.started) == 1


@posix
def test_a_worker_that_fails_in_either_way_does_not_count_against_the_appcontainer(
    windows: FakeWindows, stand_in: Callable[[str], None]
) -> None:
    stand_in(MODEL_ERROR)
    with pytest.raises(ModelError, match=r"A model is damaged\."):
        supervisor.start_worker(DEFAULT, "cpu")
    assert starter.container_problem() == ""
    assert len(windows.started) == 1


@posix
def test_the_real_worker_works_through_the_pipes_of_an_appcontainer(windows: FakeWindows, home: Path) -> None:
    assert home
    worker, header = supervisor.start_worker(modes.find("fast"), "cpu")
    with worker:
        assert worker.is_contained
        assert all(layer["active"] for layer in header["jail"])
        worker.send({"id": 1, "force": True}, (ROOT / "assets" / "samples" / "astronaut.jpg").read_bytes())
        answer, output = worker.receive(supervisor.PICTURE_TIMEOUT_SECONDS)
        assert answer["state"] == "done"
        assert output.startswith(b"\x89PNG")
    assert windows.names().count("TerminateProcess") == 1
