"""Measure how long a right-click takes and what an idle nobg costs: `python -m benchmarks.resident`.

Each time is compared with a minimum measured in the same minutes: the client with an interpreter that does nothing, a
picture with a run of the networks alone, with their input ready and their sessions loaded.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.speed import bare_inference_seconds, make_pictures
from benchmarks.support.waiting import (
    PROGRAM_SECONDS,
    START_SECONDS,
    stop,
    wait_for_line,
    wait_for_output,
    wait_until,
)

ROUNDS = 30
IDLE_SECONDS = 60.0
CLIENT_COMMAND = [str(Path(sys.executable).with_name("nobg-add")), "--"]


def nobg(*arguments: str | Path) -> None:
    """Run `nobg ARGUMENTS…`."""
    command = [sys.executable, "-m", "watcher", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PROGRAM_SECONDS)


@contextmanager
def program() -> Iterator[psutil.Process]:
    """Run the resident program until the end of the block."""
    command = [sys.executable, "-m", "watcher", "run", "--no-tray"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        resident = psutil.Process(process.pid)
        try:
            wait_for_line(process.stdout, "nobg run did not say that it is ready")
            yield resident
        finally:
            stop(resident)


def stop_program() -> None:
    """Stop the resident program that a client started, and wait until it has ended."""
    stop(psutil.Process(int(Path(os.environ["NOBG_HOME"], "state", "running.lock").read_text())))


def seconds(command: list[str]) -> float:
    """Return how long a command takes, from start to exit."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=PROGRAM_SECONDS)
    return time.perf_counter() - start


def until_done(command: list[str], output: Path) -> float:
    """Return the seconds from the start of the client until the output exists."""
    start = time.perf_counter()
    subprocess.run(command, check=True, timeout=PROGRAM_SECONDS)
    wait_for_output(output)
    return time.perf_counter() - start


def client(folder: Path) -> None:
    """Measure the client while the program runs but is paused, so that it processes no picture at the same time."""
    nobg("pause")
    for number in range(1000):
        (folder / f"{number}.jpg").touch()
    thousand_files = [*CLIENT_COMMAND, *(str(folder / f"{number}.jpg") for number in range(1000))]
    with program():
        pairs = [
            (seconds([*CLIENT_COMMAND, str(folder / f"{number}.jpg")]), seconds([sys.executable, "-c", "pass"]))
            for number in range(ROUNDS)
        ]
        many = statistics.median(seconds(thousand_files) for _ in range(5))
    single, baseline = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    print(
        f"nobg-add, one file: {single * 1e3:.1f} ms; python -c pass: {baseline * 1e3:.1f} ms; "
        f"ratio {single / baseline:.2f}"
    )
    print(f"nobg-add, 1,000 files: {many:.3f} s")
    shutil.rmtree(os.environ["NOBG_HOME"])


def picture(folder: Path) -> None:
    """Measure one picture of 1.5 MP, with nothing running and with the worker running."""
    make_pictures(folder / "one", [(1500, 1000)] * 11)
    cold, warm, model = [], [], []
    for number in range(5):
        path = folder / "one" / f"{number:03}.jpg"
        cold.append(until_done([*CLIENT_COMMAND, str(path)], path.with_name(f"{path.stem}_nobg.png")))
        stop_program()
        model.append(bare_inference_seconds(1))
    with program():
        for number in range(5, 11):
            path = folder / "one" / f"{number:03}.jpg"
            warm.append(until_done([*CLIENT_COMMAND, str(path)], path.with_name(f"{path.stem}_nobg.png")))
            model.append(bare_inference_seconds(1))
    print(f"one picture of 1.5 MP, nothing running: {statistics.median(cold):.2f} s")
    print(f"one picture of 1.5 MP, worker running: {statistics.median(warm[1:]):.2f} s")
    print(f"the model alone: {statistics.median(model):.2f} s")
    shutil.rmtree(os.environ["NOBG_HOME"])


def idle(folder: Path) -> None:
    """Measure an idle minute with five watched folders of 1,000 finished files, between two periodic sweeps."""
    from watcher.commit import file_signature
    from watcher.paths import make_state_folder
    from watcher.queue.job import Job
    from watcher.queue.journal import Journal

    journal = Journal(Path(make_state_folder()))
    for number in range(5):
        watched = folder / f"watched-{number}"
        watched.mkdir()
        for name in range(1000):
            path = watched / f"{name}.jpg"
            path.write_bytes(b"x")
            if number:  # the sweep finds those of the first folder, and they fail, so that the worker has run once
                journal.record(Job(path, signature=file_signature(path.stat()), source_hash="x"), state="done")
        nobg("watch", "add", watched)
    with program() as process:
        wait_until(
            lambda: sum(journal.counts_by_state()[state] for state in ("done", "failed")) >= 5000,
            "the first sweep did not end",
            START_SECONDS,
            every=1,
        )
        wait_until(lambda: not process.children(), "the idle worker did not end", START_SECONDS, every=1)
        before = process.cpu_times()
        time.sleep(IDLE_SECONDS)
        after = process.cpu_times()
        memory = process.memory_full_info()
    busy = after.user + after.system - before.user - before.system
    memories = f"RSS {memory.rss / 1e6:.1f} MB, PSS {memory.pss / 1e6:.1f} MB"
    print(f"idle for {IDLE_SECONDS:.0f} s: {busy / IDLE_SECONDS:.3%} of a core, {memories}")
    journal.close()


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NOBG_HOME"] = str(folder / "home")
        (folder / "many").mkdir()
        client(folder / "many")
        picture(folder)
        idle(folder)


if __name__ == "__main__":
    main()
