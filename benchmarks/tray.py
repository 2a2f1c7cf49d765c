"""Measure what the icon costs and how fast its menu opens: `python -m benchmarks.tray`; needs dbus-daemon and strace.

The icon bar and the notification service are the tests' stand-ins, on a private bus; no screen is needed.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.support.waiting import START_SECONDS, wait_until
from tests.support.desktop.fake_notifications import Daemon
from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import Host
from tests.support.program import Program
from watcher.desktop import strings
from watcher.paths import make_state_folder
from watcher.queue.journal import Journal

IDLE_SECONDS = 60.0
JOBS = 10_000
MENU_OPENINGS = 30


@contextmanager
def desktop(folder: Path, *, stand_in: bool = False) -> Iterator[tuple[Program, Host, Daemon]]:
    """Yield the program, not yet started, and the stand-ins that show its icon and its notifications."""
    os.environ |= {"NOBG_HOME": str(folder / "home"), "HOME": str(folder / "person")}
    (folder / "pictures").mkdir(parents=True)
    (folder / "person").mkdir()
    program = Program(folder / "home", folder / "pictures", stand_in=stand_in)
    with private_bus() as address:
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = address
        with Host(address) as host, Daemon(address) as daemon:
            yield program, host, daemon
            program.stop()


def measure_opening(host: Host) -> float:
    """Return the seconds from a click on the icon until the bar has the whole menu."""
    start = time.perf_counter()
    host.open()
    host.menu()
    return time.perf_counter() - start


def memory(process: psutil.Process) -> float:
    """Return the resident memory in megabytes."""
    return float(process.memory_info().rss / 1e6)


def many(folder: Path) -> None:
    """Measure the menu with 10,000 pictures in the queue, and while a worker that only copies does them."""
    with desktop(folder, stand_in=True) as (program, host, daemon):
        program("pause")
        program.start(tray=True)
        host.wait_for_icon()
        process = psutil.Process(program.process.pid if program.process else 0)
        time.sleep(3)
        empty_seconds = statistics.median(measure_opening(host) for _ in range(MENU_OPENINGS))
        empty_memory = memory(process)
        names = [os.fsencode(folder / "pictures" / f"{number}.jpg") for number in range(JOBS)]
        for name in names:
            Path(os.fsdecode(name)).write_text("ok")
        journal = Journal(Path(make_state_folder()))
        journal.enqueue([(name, None, None) for name in names])
        time.sleep(2)
        times = [measure_opening(host) for _ in range(MENU_OPENINGS)]
        queued_memory = memory(process)
        start, shown_before = time.monotonic(), len(daemon.shown)
        program("resume")
        times_while_busy = []

        def is_done() -> bool:
            if journal.counts_by_state()["done"] == JOBS:
                return True
            times_while_busy.append(measure_opening(host))
            return False

        wait_until(is_done, f"{JOBS:,} pictures were not done", START_SECONDS, every=0.5)
        seconds = time.monotonic() - start
        daemon.wait(shown_before + 1, 30)
        journal.close()
        median = statistics.median(times)
        print(f"the menu opens in {empty_seconds * 1e3:.1f} ms; with {JOBS:,} queued in {median * 1e3:.1f} ms")
        print(f"  (at most {max(times) * 1e3:.1f}), while they are done at most {max(times_while_busy) * 1e3:.0f} ms")
        print(f"RSS {empty_memory:.1f} MB; with them queued {queued_memory:.1f} MB", end="")
        print(f", when they are done {memory(process):.1f} MB")
        print(f"notifications for {JOBS:,} pictures in {seconds:.0f} s: {len(daemon.shown) - shown_before}")


def idle(folder: Path) -> None:
    """Measure an idle minute with icon and notifications, after some work."""
    with desktop(folder) as (program, host, daemon):
        program.watch()
        program.start(tray=True)
        host.wait_for_icon()
        process = psutil.Process(program.process.pid if program.process else 0)
        (program.folder / "a.jpg").write_bytes(b"no picture")
        daemon.wait(1, 60)
        host.open()
        wait_until(lambda: not process.children(), "the idle worker did not end", START_SECONDS, every=1)
        before = process.cpu_times()
        time.sleep(IDLE_SECONDS)
        after = process.cpu_times()
        busy = after.user + after.system - before.user - before.system
        print(f"idle for {IDLE_SECONDS:.0f} s: {busy / IDLE_SECONDS:.3%} of a core, RSS {memory(process):.1f} MB")


def calls(folder: Path) -> None:
    """Count the network calls of a minute in which icon and notifications are used."""
    trace = folder / "trace"
    with desktop(folder) as (program, host, daemon):
        program.start("strace", "-f", "-e", "trace=network", "-o", str(trace), tray=True)
        host.wait_for_icon()
        end = time.monotonic() + IDLE_SECONDS
        number = 0
        while time.monotonic() < end:
            host.click(strings.PAUSE)
            host.click(strings.NOTIFICATIONS)
            host.open()
            (program.folder / f"{number}.jpg").write_bytes(b"no picture")
            program("add", program.folder / f"{number}.jpg")
            number += 1
            time.sleep(3)
        assert program.process is not None
        for child in psutil.Process(program.process.pid).children():  # strace's child is the program
            child.send_signal(signal.SIGTERM)
        shown = len(daemon.shown)
    families = re.findall(r"socket\((AF_\w+)", trace.read_text())
    counted = {family: families.count(family) for family in sorted(set(families))}
    print(f"sockets in {IDLE_SECONDS:.0f} s with {shown} notifications and {2 * number} clicks: {counted}")


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        for part in (many, idle, calls):
            part(Path(name, part.__name__))


if __name__ == "__main__":
    main()
