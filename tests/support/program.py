"""The resident program as tests drive it."""

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

from watcher.queue.journal import Job, Journal

ROOT = Path(__file__).parents[2]
STAND_IN_COMMAND = [sys.executable, str(ROOT / "tests" / "support" / "stand_in_program.py")]
STAND_IN_WORKER = ROOT / "tests" / "support" / "workers" / "stand_in.py"


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Look until `condition` holds; fail if it takes longer than any machine needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


class Program:
    """`nobg run`, with the real worker, one that copies what it gets (`stand_in`), or that of a script."""

    def __init__(self, home: Path, folder: Path, *, stand_in: bool = False, worker: Path | None = None) -> None:
        self.state = home / "state"
        self.log = home / "stand-in.log"
        self.folder = folder
        self.command = [sys.executable, "-m", "watcher"]
        if stand_in or worker:
            self.command = [*STAND_IN_COMMAND, str(worker or STAND_IN_WORKER), str(self.log) if stand_in else ""]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *prefix: str, tray: bool = False) -> None:
        """Start it, and wait until it says so."""
        run = ["run"] if tray else ["run", "--no-tray"]
        self.process = subprocess.Popen([*prefix, *self.command, *run], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert b"nobg is running" in self.process.stdout.readline()

    def send_signal(self, signum: int) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(signum)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it; the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(signum)
        process.communicate(timeout=60)
        return process.returncode

    def __call__(self, *arguments: str | Path) -> str:
        """What another `nobg ARGUMENTS…` prints."""
        command = [sys.executable, "-m", "watcher", *map(str, arguments)]
        return os.fsdecode(subprocess.run(command, cwd=self.folder, capture_output=True, check=True).stdout)

    def run_json(self, *arguments: str) -> Any:
        """Its answer with --json."""
        return json.loads(self(*arguments, "--json"))

    def watch(self, *options: str) -> None:
        """Watch the folder from now on."""
        self("watch", "add", self.folder, *options)

    def finished_jobs(self) -> list[Job]:
        """All that is over, oldest first."""
        journal = Journal(self.state)
        found = journal.history()[::-1]
        journal.close()
        return found

    def counts(self) -> dict[str, int]:
        """State -> how many."""
        journal = Journal(self.state)
        counts = journal.counts_by_state()
        journal.close()
        return counts

    def has_done(self, count: int) -> Callable[[], bool]:
        """Whether so many are done, and none waits."""
        return lambda: (counts := self.counts())["done"] == count and not counts["queued"] + counts["active"]

    def worker_inputs(self) -> list[str]:
        """What the stand-in worker was given."""
        return [line for line in self.log.read_text().splitlines() if line != "started"] if self.log.exists() else []


def outputs(folder: Path) -> list[str]:
    """Names of cut-outs, also of unfinished ones."""
    return sorted(path.name for path in folder.rglob("*") if "nobg" in path.name)


def wait_until_settled(program: Program) -> None:
    """Long enough that anything the program still meant to do would have begun."""
    time.sleep(3.5)
    wait_for(lambda: not program.counts()["queued"] + program.counts()["active"])


def make_trees(folder: Path, elsewhere: Path, nested_count: int, tree_count: int) -> int:
    """Pictures in folders that appear with them: `deep` made in place, `whole` each moved and copied in. How many."""
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
    """Start it, paused, with so many watched folders; stop it, and write so many files into each.

    Returns the process and its resident bytes before; to be continued with SIGCONT.
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
