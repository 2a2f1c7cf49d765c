"""The layers on Linux, each alone: what each refuses, and how it reports why it is not active."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.jail.test_enter import FORBIDDEN_ACTS
from watcher.jail import landlock, seccomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these layers exist only on Linux")


def probe_after(setup: str) -> dict[str, bool]:
    """Run the statements `setup`, then the probe, in a process of its own; return which acts were refused."""
    imports = "import json; from watcher.jail import landlock, linux, seccomp; from watcher.jail.probe import probe"
    code = f"{imports}; {setup}; print(json.dumps(probe()))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused: dict[str, bool] = json.loads(completed.stdout)
    return refused


def test_landlock_alone_refuses_files() -> None:
    refused = probe_after("linux.enter_before_threads()")
    assert refused["read a file"]
    assert refused["write a file"]
    assert not refused["open a local socket"]


def test_seccomp_alone_refuses_everything() -> None:
    setup = "linux.set_prctl(38, 1); layer = seccomp.enter_seccomp(); assert layer.active, layer"
    assert probe_after(setup) == dict.fromkeys(FORBIDDEN_ACTS, True)


def test_landlock_reports_that_a_thread_was_running_already() -> None:
    code = (
        "import threading; from watcher.jail import landlock; e = threading.Event()\n"
        "threading.Thread(target=e.wait).start(); layer = landlock.enter_landlock(); e.set()\n"
        "assert not layer.active; assert 'other threads' in layer.detail"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("version", "size"), [(1, 8), (2, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)])
def test_each_landlock_version_gets_a_ruleset_of_its_size(version: int, size: int) -> None:
    assert len(landlock.ruleset_attributes(version)) == size


def test_a_kernel_without_landlock_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldKernel:
        def syscall(self, *_arguments: Any) -> int:
            return -1

    monkeypatch.setattr(landlock, "_libc", OldKernel())
    monkeypatch.setattr(os, "listdir", lambda _path: ["1"])
    layer = landlock.enter_landlock()
    assert not layer.active
    assert "this kernel has none" in layer.detail


def test_an_unknown_processor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    layer = seccomp.enter_seccomp()
    assert not layer.active
    assert "riscv64" in layer.detail
