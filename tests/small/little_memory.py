"""A 12-megapixel photo on a machine with 1 GB and one core: `bash tests/run tests/small/little_memory.py -s`.

Ten minutes on an idle computer. The machine is User Mode Linux (Debian: user-mode-linux). Its kernel counts every page.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.small import machine

pytestmark = pytest.mark.skipif(not machine.CAN_RUN, reason="User Mode Linux is missing (Debian: user-mode-linux)")

NEEDS_MORE = "of memory, and"
RAN_OUT = "there was not enough memory, so the system ended nobg's worker."


@pytest.fixture
def large_photo(tmp_path: Path) -> Path:
    """A photo of 12 megapixels with a clear subject."""
    path = tmp_path / "photo.jpg"
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        image.resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=92)
    return path


def run_in_machine(folder: Path, megabytes: int, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    variables = {"NOBG_HOME": str(folder / "home")}
    done = machine.run(folder, [sys.executable, *command], megabytes=megabytes, variables=variables, timeout=900)
    print(f"{megabytes} MB, {shlex.join(map(str, command))}: exit code {done.returncode}", end=", ")
    print((folder / "machine.vmstat").read_text().strip(), done.stderr.strip())
    assert "Traceback" not in done.stderr
    return done


def only_job(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    (job,) = json.loads(done.stdout)["jobs"]
    assert isinstance(job, dict)
    return job


@pytest.mark.parametrize("mode", ["fast", "balanced", "best"])
def test_in_1_gb_each_mode_is_done_and_the_kernel_ends_nothing(mode: str, large_photo: Path) -> None:
    folder = large_photo.parent
    done = run_in_machine(folder, 1024, "-m", "watcher", "remove", "--json", "--model", mode, large_photo)
    assert done.returncode == 0
    assert only_job(done)["state"] == "done"
    with Image.open(folder / "photo_nobg.png") as image:
        image.load()
        assert image.size == (4000, 3000)
    assert (folder / "machine.vmstat").read_text() == "oom_kill 0\n"


def test_where_a_mode_does_not_fit_nobg_says_so_and_a_smaller_one_works(large_photo: Path) -> None:
    remove = ("-m", "watcher", "remove", "--json", large_photo)
    refused = run_in_machine(large_photo.parent, 768, *remove, "--model", "balanced")
    assert refused.returncode == 3
    assert NEEDS_MORE in refused.stderr
    assert only_job(refused)["state"] == "queued"
    assert only_job(run_in_machine(large_photo.parent, 768, *remove, "--model", "fast"))["state"] == "done"


def test_where_another_program_takes_the_memory_the_worker_ends_and_nobg_says_why(large_photo: Path) -> None:
    done = run_in_machine(large_photo.parent, 768, "-m", "tests.small.crowded", large_photo)
    job = only_job(done)
    assert done.returncode != 0
    assert job["output"] is None
    assert NEEDS_MORE in done.stderr or RAN_OUT in done.stderr + str(job)
    again = run_in_machine(large_photo.parent, 768, "-m", "watcher", "remove", "--json", "--model", "fast", large_photo)
    assert only_job(again)["state"] == "done"


def test_the_resident_program_in_1_gb_does_two_clicks(large_photo: Path) -> None:
    folder = large_photo.parent
    (folder / "home" / "config").mkdir(parents=True)
    (folder / "home" / "config" / "config.toml").write_text('model = "fast"\n')
    (folder / "second.jpg").write_bytes(large_photo.read_bytes() + b"2")
    script = folder / "script.py"
    script.write_text(
        "import subprocess, sys, time; from pathlib import Path\n"
        "from tests.support.program import Program\n"
        f"program = Program(Path({str(folder / 'home')!r}), Path({str(folder)!r}))\n"
        "program.start()\n"
        "for name in ('photo.jpg', 'second.jpg'):\n"
        "    code = 'import sys; from watcher import enqueue; sys.exit(enqueue.main())'\n"
        f"    subprocess.run([sys.executable, '-c', code, {str(folder)!r} + '/' + name], check=True)\n"
        "while sum(program.counts()[state] for state in ('queued', 'active')):\n"
        "    time.sleep(1)\n"
        "print(*sorted(job.state for job in program.finished_jobs()), program.stop())\n"
    )
    done = run_in_machine(folder, 1024, script)
    assert done.stdout.split() == ["done", "done", "0"], done.stderr
