"""The jail that the worker enters: what it refuses, and what the worker sees of the system."""

import os
import sys
from pathlib import Path

import pytest

from watcher.jail.probe import probe
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

linux = pytest.mark.skipif(sys.platform != "linux", reason="only the jail on Linux is verified")

FORBIDDEN_ACTS = {
    "read a file",
    "write a file",
    "open a network socket",
    "open a local socket",
    "start a program",
}


@linux
def test_the_worker_is_refused_a_file_a_socket_and_a_program(worker: Worker) -> None:
    worker.send({"id": 7, "probe": True})
    answer, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
    assert answer["id"] == 7
    assert answer["refused"] == dict.fromkeys(FORBIDDEN_ACTS, True)


def test_outside_the_jail_the_same_attempts_succeed() -> None:
    assert probe() == dict.fromkeys(FORBIDDEN_ACTS, False)


@linux
def test_all_threads_of_the_worker_are_filtered_and_may_gain_no_privileges(worker: Worker) -> None:
    threads = [path.read_text() for path in Path(f"/proc/{worker.pid}/task").glob("*/status")]
    assert len(threads) >= 3
    for status in threads:
        assert "Seccomp:\t2\n" in status
        assert "NoNewPrivs:\t1\n" in status


@linux
def test_the_worker_has_no_core_dump_and_bounded_memory(worker: Worker) -> None:
    limits = Path(f"/proc/{worker.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    space = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert core.split()[4:6] == ["0", "0"]
    assert 6 << 30 <= int(space.split()[3]) < 8 << 30


@linux
def test_the_environment_of_the_worker_reveals_nothing_about_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("NOBG_HOME", str(tmp_path))
    with Worker() as process:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        assert os.readlink(f"/proc/{process.pid}/cwd") == "/"
        process.wait_until_ready()
    names = {entry.partition("=")[0] for entry in environment.split("\0") if entry}
    assert "ORT_DISABLE_TELEMETRY" in names
    assert not names & {"SECRET_TOKEN", "HOME", "USER", "PATH", "DISPLAY", "SSH_AUTH_SOCK"}
