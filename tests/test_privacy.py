"""Nothing leaves the machine: what the kernel saw of half a minute of work."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT, SAMPLES

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (Debian: strace)")

HALF_A_MINUTE = 30.0
NETWORK = re.compile(r"AF_INET6?|AF_NETLINK")


def traced(folder: Path, program: list[str]) -> tuple[str, Path]:
    """The network calls of `program remove` in at least 30 s of work, and the home folder it had."""
    home, pictures, trace = folder / "home", folder / "in", folder / "trace.txt"
    home.mkdir()
    pictures.mkdir()
    data = (SAMPLES / "chelsea.jpg").read_bytes()
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(home), "NOBG_HOME": str(folder / "nobg")}
    tracing = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(trace), *program]
    for number in range(1000):  # many more than any machine does in the time
        (pictures / f"{number}.jpg").write_bytes(data + str(number).encode())
    with subprocess.Popen(
        [*tracing, "remove", str(pictures)], env=environment, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(HALF_A_MINUTE)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)  # strace waits for what it watches
        process.communicate(timeout=60)
    assert len(list(pictures.glob("*_nobg.png"))) > 3
    return trace.read_text(), home


@needs_strace
def test_half_a_minute_of_work_opens_no_network_socket(tmp_path: Path) -> None:
    calls, home = traced(tmp_path, [sys.executable, "-m", "watcher"])
    assert not NETWORK.search(calls), calls
    assert not (home / ".cache" / "Microsoft").exists()


@needs_strace
def test_the_same_watch_catches_onnxruntime_when_nothing_holds_it(tmp_path: Path) -> None:
    control = [sys.executable, str(ROOT / "tests" / "control_remove.py"), str(tmp_path / "home")]
    calls, home = traced(tmp_path, control)
    assert NETWORK.search(calls)
    assert (home / ".cache" / "Microsoft").exists()
