"""Drive the resident program in tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from watcher.queue.job import Job
from watcher.queue.journal import Journal

ROOT = Path(__file__).parents[2]
STAND_IN_COMMAND = [sys.executable, str(ROOT / "tests" / "support" / "stand_in_program.py")]
STAND_IN_WORKER = ROOT / "tests" / "support" / "workers" / "stand_in.py"


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until `condition` returns a true value. Fails after `seconds`, which is longer than any machine needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)


class Program:
    """`nobg run` with the real worker, with the stand-in worker (`stand_in`), or with the script `worker`."""

    def __init__(self, home: Path, folder: Path, *, stand_in: bool = False, worker: Path | None = None) -> None:
        self.state = home / "state"
        self.log = home / "stand-in.log"
        self.folder = folder
        self.command = [sys.executable, "-m", "watcher"]
        if stand_in or worker:
            self.command = [*STAND_IN_COMMAND, str(worker or STAND_IN_WORKER), str(self.log) if stand_in else ""]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *prefix: str, tray: bool = False) -> None:
        """Start the program, and wait until it reports that it runs. `prefix`: words before the command."""
        run = ["run"] if tray else ["run", "--no-tray"]
        self.process = subprocess.Popen([*prefix, *self.command, *run], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert b"nobg is running" in self.process.stdout.readline()

    def send_signal(self, signum: int) -> None:
        """Send a signal to the program."""
        assert self.process is not None
        self.process.send_signal(signum)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End the program with a signal. Returns the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if sys.platform != "win32":
            process.send_signal(signal.SIGCONT)
        process.send_signal(signum)
        process.communicate(timeout=60)
        return process.returncode

    def kill(self) -> None:
        """End the program at once, as kill -9 or TerminateProcess does."""
        self.stop(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def __call__(self, *arguments: str | Path) -> str:
        """Run another `nobg ARGUMENTS…`. Returns what it prints."""
        command = [sys.executable, "-m", "watcher", *map(str, arguments)]
        return os.fsdecode(
            subprocess.run(command, cwd=self.folder, capture_output=True, check=True, timeout=600).stdout
        )

    def run_json(self, *arguments: str) -> Any:
        """Run another `nobg ARGUMENTS… --json`. Returns what it prints, parsed."""
        return json.loads(self(*arguments, "--json"))

    def watch(self, *options: str) -> None:
        """Make the program watch the folder."""
        self("watch", "add", self.folder, *options)

    def finished_jobs(self) -> list[Job]:
        """Return the finished jobs, oldest first."""
        journal = Journal(self.state)
        jobs = journal.history()[::-1]
        journal.close()
        return jobs

    def counts(self) -> dict[str, int]:
        """Return state -> number of jobs."""
        journal = Journal(self.state)
        counts = journal.counts_by_state()
        journal.close()
        return counts

    def has_done(self, count: int) -> Callable[[], bool]:
        """Return a condition for `wait_for`: `count` jobs are done, and none waits."""
        return lambda: (counts := self.counts())["done"] == count and not counts["queued"] + counts["active"]

    def worker_inputs(self) -> list[str]:
        """Return the content of each picture that the stand-in worker got, from the lines of its log."""
        return [line for line in self.log.read_text().splitlines() if line != "started"] if self.log.exists() else []


def outputs(folder: Path) -> list[str]:
    """Return the names of all cut-outs and temporary files below `folder`."""
    return sorted(path.name for path in folder.rglob("*") if "nobg" in path.name)


def wait_until_settled(program: Program) -> None:
    """Wait until the program has started everything that it still has to do, and has finished it."""
    time.sleep(3.5)
    wait_for(lambda: not program.counts()["queued"] + program.counts()["active"])


def make_trees(folder: Path, elsewhere: Path, nested_count: int, tree_count: int) -> int:
    """Make pictures in folders that appear together with them. Returns the number of pictures.

    `nested_count`: pictures in nested folders made in place. `tree_count`: pictures in each of two trees below
    `elsewhere`, of which one is moved and one is copied into `folder`.
    """
    for number in range(nested_count):
        (folder / str(number) / "b" / "c").mkdir(parents=True)
        (folder / str(number) / "b" / "c" / "a.jpg").write_text(f"ok {number}")
    for tree in ("moved", "copied"):
        for number in range(tree_count):
            (elsewhere / tree / str(number % 37) / str(number)).mkdir(parents=True)
            (elsewhere / tree / str(number % 37) / str(number) / "a.jpg").write_text(f"ok {tree} {number}")
    (elsewhere / "moved").rename(folder / "moved")
    shutil.copytree(elsewhere / "copied", folder / "copied")
    return nested_count + 2 * tree_count


def write_while_stopped(
    program: Program, top: Path, folder_count: int, files_per_folder: int
) -> tuple[psutil.Process, int]:
    """Start the program, paused, with `folder_count` watched folders; stop it with SIGSTOP; write files into each.

    Returns the process, which SIGCONT continues, and its resident memory before, in bytes.
    """
    paths = [top / str(number) for number in range(folder_count)]
    for path in paths:
        path.mkdir(parents=True)
        program("watch", "add", path)
    program("pause")
    program.start()
    assert program.process is not None
    process = psutil.Process(program.process.pid)
    before = process.memory_info().rss
    program.send_signal(signal.SIGSTOP)
    for path in paths:
        for number in range(files_per_folder):
            (path / f"{number}.jpg").write_text("ok")
    time.sleep(6)
    return process, before
