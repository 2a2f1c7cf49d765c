"""Nothing leaves the machine: the system calls of half a minute of work, as strace shows them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, SAMPLES, wait_for

pytestmark = pytest.mark.slow

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (Debian: strace)")

HALF_A_MINUTE = 30.0
NETWORK = re.compile(r"AF_INET6?|AF_NETLINK")


def traced(folder: Path, program: list[str]) -> tuple[str, Path]:
    """Run `program remove` for 30 s or more. Returns its network calls and its home folder."""
    home, pictures, trace = folder / "home", folder / "in", folder / "trace.txt"
    home.mkdir()
    pictures.mkdir()
    data = (SAMPLES / "chelsea.jpg").read_bytes()
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(home), "NOBG_HOME": str(folder / "nobg")}
    tracing = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(trace), *program]
    for number in range(1000):  # more than any machine does in that time
        (pictures / f"{number}.jpg").write_bytes(data + str(number).encode())
    with subprocess.Popen(
        [*tracing, "remove", str(pictures)], env=environment, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(HALF_A_MINUTE)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)  # strace waits for the processes that it traces
        process.communicate(timeout=60)
    assert len(list(pictures.glob("*_nobg.png"))) > 3
    return trace.read_text(), home


@needs_strace
def test_half_a_minute_of_work_opens_no_network_socket(tmp_path: Path) -> None:
    calls, home = traced(tmp_path, [sys.executable, "-m", "watcher"])
    assert not NETWORK.search(calls), calls
    assert not (home / ".cache" / "Microsoft").exists()


@needs_strace
def test_the_same_trace_catches_onnxruntime_when_nothing_stops_it(tmp_path: Path) -> None:
    control = [sys.executable, str(ROOT / "tests" / "support" / "control_remove.py"), str(tmp_path / "home")]
    calls, home = traced(tmp_path, control)
    assert NETWORK.search(calls)
    assert (home / ".cache" / "Microsoft").exists()


@needs_strace
def test_half_a_minute_of_client_program_and_worker_opens_no_network_socket(tmp_path: Path, home: Path) -> None:
    trace, folder = tmp_path / "trace.txt", tmp_path / "watched"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(tmp_path)}
    shutil.copy(SAMPLES / "astronaut.jpg", tmp_path / "first.jpg")
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())"]
    tracing = ["strace", "-f", "-qq", "-e", "trace=%network,openat", "-o", str(trace)]
    with subprocess.Popen([*tracing, *client, str(tmp_path / "first.jpg")], env=environment, cwd=ROOT) as process:
        started = time.monotonic()
        wait_for((tmp_path / "first_nobg.png").exists, 120)
        subprocess.run([sys.executable, "-m", "watcher", "watch", "add", str(folder)], check=True)
        os.mkfifo(folder / "fifo.jpg")
        for name in ("coffee", "astronaut"):
            shutil.copy(SAMPLES / f"{name}.jpg", folder)
        wait_for(lambda: len(list(folder.glob("*_nobg.png"))) == 2, 120)
        time.sleep(max(0.0, HALF_A_MINUTE - (time.monotonic() - started)))
        os.kill(int((home / "state" / "running.lock").read_text()), signal.SIGTERM)
        assert process.wait(60) == 0
    calls = trace.read_text()
    assert "isnet-int8.onnx" in calls  # the trace covers the worker, too
    assert not NETWORK.search(calls), [line for line in calls.splitlines() if NETWORK.search(line)]
    assert "fifo.jpg" not in calls  # nobg never opens what is not an ordinary file
    assert not (tmp_path / ".cache" / "Microsoft").exists()
