"""What does the icon cost, and how quickly does its menu open? `python -m benchmarks.tray`; needs dbus-daemon, strace.

The bar for icons and the notification service are the tests' own, on a bus of their own; no screen is needed.
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

from tests.support.desktop.fake_notifications import Daemon
from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import Host
from tests.support.program import Program
from watcher.desktop import strings
from watcher.paths import make_state_folder
from watcher.queue.journal import Journal

IDLE = 60.0  # seconds
JOBS = 10_000
OPENS = 30


@contextmanager
def desk(folder: Path, *, stand_in: bool = False) -> Iterator[tuple[Program, Host, Daemon]]:
    """The program with its icon shown, not yet started, and what shows it."""
    os.environ |= {"NOBG_HOME": str(folder / "home"), "HOME": str(folder / "person")}
    (folder / "pictures").mkdir(parents=True)
    (folder / "person").mkdir()
    program = Program(folder / "home", folder / "pictures", stand_in=stand_in)
    with private_bus() as address:
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = address
        with Host(address) as host, Daemon(address) as daemon:
            yield program, host, daemon
            program.stop()


def opened(host: Host) -> float:
    """Seconds until a bar that is clicked has the whole menu."""
    start = time.perf_counter()
    host.open()
    host.menu()
    return time.perf_counter() - start


def memory(process: psutil.Process) -> float:
    """Resident megabytes."""
    return float(process.memory_info().rss / 1e6)


def many(folder: Path) -> None:
    """10,000 pictures in the queue, and then done by a worker that only copies."""
    with desk(folder, stand_in=True) as (program, host, daemon):
        program("pause")
        program.start(tray=True)
        host.wait_for_icon()
        process = psutil.Process(program.process.pid if program.process else 0)
        time.sleep(3)
        few, before = statistics.median(opened(host) for _ in range(OPENS)), memory(process)
        names = [os.fsencode(folder / "pictures" / f"{number}.jpg") for number in range(JOBS)]
        for name in names:
            Path(os.fsdecode(name)).write_text("ok")
        journal = Journal(Path(make_state_folder()))
        journal.enqueue([(name, None, None) for name in names])
        time.sleep(2)
        times = [opened(host) for _ in range(OPENS)]
        queued = memory(process)
        start, told = time.monotonic(), len(daemon.shown)
        program("resume")
        while_busy = []
        while journal.counts_by_state()["done"] < JOBS:
            while_busy.append(opened(host))
            time.sleep(0.5)
        took = time.monotonic() - start
        daemon.wait(told + 1, 30)
        journal.close()
        print(f"the menu opens in {few * 1e3:.1f} ms; with {JOBS:,} queued in {statistics.median(times) * 1e3:.1f} ms")
        print(f"  (at most {max(times) * 1e3:.1f}), while they are done at most {max(while_busy) * 1e3:.0f} ms")
        print(f"RSS {before:.1f} MB; with them queued {queued:.1f} MB, when they are done {memory(process):.1f} MB")
        print(f"notifications for {JOBS:,} pictures in {took:.0f} s: {len(daemon.shown) - told}")


def idle(folder: Path) -> None:
    """A minute with icon and notifications, after some work."""
    with desk(folder) as (program, host, daemon):
        program.watch()
        program.start(tray=True)
        host.wait_for_icon()
        process = psutil.Process(program.process.pid if program.process else 0)
        (program.folder / "a.jpg").write_bytes(b"no picture")
        daemon.wait(1, 60)
        host.open()
        while process.children():
            time.sleep(1)
        before = process.cpu_times()
        time.sleep(IDLE)
        after = process.cpu_times()
        busy = after.user + after.system - before.user - before.system
        print(f"idle for {IDLE:.0f} s: {busy / IDLE:.3%} of a core, RSS {memory(process):.1f} MB")


def calls(folder: Path) -> None:
    """Network calls of a minute in which icon and notifications are used."""
    trace = folder / "trace"
    with desk(folder) as (program, host, daemon):
        program.start("strace", "-f", "-e", "trace=network", "-o", str(trace), tray=True)
        host.wait_for_icon()
        end = time.monotonic() + IDLE
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
    print(f"sockets in {IDLE:.0f} s with {shown} notifications and {2 * number} clicks: {counted}")


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        for part in (many, idle, calls):
            part(Path(name, part.__name__))


if __name__ == "__main__":
    main()
