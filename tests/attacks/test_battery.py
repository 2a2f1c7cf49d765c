"""The battery in the real jail, as an ordinary user, and as older kernels would enforce it."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.attacks import battery
from tests.conftest import ROOT, wait_for
from watcher import paths
from watcher.jail.limited_pipe import MAX_BYTES
from watcher.worker import supervisor
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64", reason="the battery has the numbers of x86_64"
    ),
]

REFUSED = {"EACCES", "ENOSYS"}
WITHOUT_LANDLOCK, NEWEST = 0, 99


def attacked_command(landlock: int, libc: str, victim: int, attack: str) -> list[str]:
    path = ROOT / "tests" / "support" / "workers" / "attacked.py"
    return [sys.executable, "-P", str(path), str(landlock), libc, str(victim), attack, "fast"]


@pytest.fixture
def victim() -> Iterator["subprocess.Popen[bytes]"]:
    """Another process of the user that the worker runs as."""
    user = 65534 if os.getuid() == 0 else None
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=user) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("landlock", "libc"),
    [*((version, "glibc") for version in (WITHOUT_LANDLOCK, 1, 2, 4, 5, NEWEST)), (1, "other"), (NEWEST, "other")],
)
def test_a_worker_that_was_taken_over_is_refused_everything(
    landlock: int, libc: str, victim: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    command = attacked_command(landlock, libc, victim.pid, "battery")
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    with Worker() as worker:
        layers = {layer["name"]: layer for layer in worker.wait_until_ready()["jail"]}
        worker.send({"id": 1, "probe": True})
        outcomes = worker.receive(PICTURE_TIMEOUT_SECONDS)[0]["refused"]
        assert victim.poll() is None
        assert os.getpriority(os.PRIO_PROCESS, victim.pid) == 0
    assert layers["files"]["active"] == (landlock != WITHOUT_LANDLOCK)
    assert layers["network"]["active"]
    threads, descriptors = int(outcomes.pop("threads")), int(outcomes.pop("descriptors"))
    assert 0 < descriptors < 64
    assert 0 < threads < battery.MANY_THREADS
    assert outcomes.pop("more in a file") == "EFBIG"
    if libc != "glibc":
        assert outcomes.pop("a longer file") == "EFBIG"
    assert {name: error for name, error in outcomes.items() if error not in REFUSED} == {}
    log = paths.state_dir() / "worker.log"
    assert log.stat().st_size < MAX_BYTES + 1000
    assert log.read_bytes().count(b"the rest was dropped") == 1


HARMLESS = [
    *("open", "openat2", "memfd_create", "F_SETOWN", "F_SETSIG", "F_SETOWN_EX", "F_SETPIPE_SZ", "O_ASYNC", "FIOASYNC"),
    *("prctl PR_SET_PDEATHSIG", "socket of family 2"),
    *("setpriority of another", "kill all of mine", "setresuid", "chdir", "pidfd_open", "setsid"),
]


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs a user of whom nothing else runs")
def test_outside_the_jail_the_same_calls_succeed(victim: "subprocess.Popen[bytes]") -> None:
    """A battery whose calls fail anywhere would prove nothing."""
    code = (
        "import json, os, tempfile; from tests.attacks import battery\n"
        "file = tempfile.TemporaryFile(); victim = int(input())\n"
        "if os.getuid() == 0: os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
        "calls = battery.calls(victim, file.fileno())\n"
        "print(json.dumps({name: battery.outcome(call) for name, call in calls.items() if name in HARMLESS}))\n"
    ).replace("HARMLESS", repr(HARMLESS))
    completed = subprocess.run(
        [sys.executable, "-c", code], input=str(victim.pid), capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(completed.stdout) == dict.fromkeys(HARMLESS, "ok")


def test_a_worker_that_was_taken_over_does_not_outlive_its_parent(
    victim: "subprocess.Popen[bytes]", home: Path
) -> None:
    code = (
        "import sys, time; from watcher.worker import supervisor\n"
        f"supervisor.worker_command = lambda _mode: {attacked_command(NEWEST, 'glibc', victim.pid, 'outlive')!r}\n"
        "worker = supervisor.Worker(); worker.wait_until_ready(); worker.send({'id': 1, 'probe': True})\n"
        "print(worker.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(lambda: b"attacked" in (home / "state" / "worker.log").read_bytes())
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
