"""The long form of some tests, to run on request: `bash tests/run tests/soak/long.py` (half an hour).

The short forms are in tests/program/test_resident.py and tests/cli/test_remove.py. `-s` shows the figures.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from tests.cli.test_remove import assert_complete, fingerprints, kill_repeatedly
from tests.conftest import SAMPLES, Nobg
from tests.support.program import Program, make_trees, outputs, wait_for, wait_until_settled, write_while_stopped


def photos(folder: Path, count: int) -> None:
    """Write `count` photos that differ in content."""
    data = (SAMPLES / "chelsea.jpg").read_bytes()
    for number in range(count):
        (folder / f"{number:03}.jpg").write_bytes(data + str(number).encode())


def test_5_mb_in_20_pieces(program: Program, folder: Path) -> None:
    program.watch()
    program.start()
    noise = np.random.default_rng(1).integers(0, 256, (2000, 2200, 3), dtype=np.uint8)
    whole = folder.parent / "whole.jpg"
    Image.fromarray(noise).save(whole, quality=95)
    data = whole.read_bytes()
    print(f"{len(data) / 1e6:.1f} MB")
    assert len(data) > 4_000_000
    with (folder / "slow.jpg").open("wb", buffering=0) as file:
        for piece in range(20):
            file.write(data[piece * len(data) // 20 : (piece + 1) * len(data) // 20])
            time.sleep(0.5)
    wait_for(program.finished_jobs)
    wait_until_settled(program)
    (job,) = program.finished_jobs()
    assert job.attempts == 1
    assert job.state in ("done", "skipped")


def test_300_trees_and_larger_ones_moved_and_copied_in(stand_in: Program, folder: Path, tmp_path: Path) -> None:
    stand_in.watch("--recursive")
    stand_in.start()
    count = make_trees(folder, tmp_path, 300, 1000)
    wait_for(stand_in.has_done(count), 600)
    assert len(outputs(folder)) == count
    assert len(stand_in.worker_inputs()) == count


def test_20000_files_in_50_folders_while_it_is_stopped(stand_in: Program, tmp_path: Path) -> None:
    process, before = write_while_stopped(stand_in, tmp_path / "many", 50, 400)
    start = time.monotonic()
    stand_in.send_signal(signal.SIGCONT)
    peak = before
    while stand_in.counts()["queued"] < 20_000:
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.05)
        assert time.monotonic() - start < 60
    print(f"queued in {time.monotonic() - start:.1f} s; {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most")
    time.sleep(10)
    print(f"{process.memory_info().rss / 1e6:.0f} MB after")
    assert peak - before < 40 << 20
    assert "sweeps all watched folders" in (stand_in.state / "nobg.log").read_text()


def test_kill_9_of_the_command_50_times(nobg: Nobg, tmp_path: Path) -> None:
    kill_repeatedly(nobg, tmp_path / "in", 50)


def test_kill_9_a_hundred_times_over_200_pictures(program: Program, folder: Path) -> None:
    photos(folder, 200)
    before = fingerprints(folder)
    program.watch()
    moments = random.Random(7)
    for _ in range(100):
        program.start()
        time.sleep(moments.random() * 2.5)
        program.stop(signal.SIGKILL)
    print(f"{program.counts()} after 100 kills")
    program.start()
    wait_for(program.has_done(200), 600)
    assert outputs(folder) == sorted(f"{number:03}_nobg.png" for number in range(200))
    for name in outputs(folder):
        assert_complete(folder / name)
    assert fingerprints(folder) == before
    assert not any(name.startswith(".") for name in os.listdir(folder))


def test_300_clients_at_once_and_30_killed(stand_in: Program, folder: Path) -> None:
    for number in range(300):
        (folder / f"{number}.jpg").write_text(f"ok {number}")
    stand_in.start()
    code = "import sys; from watcher.enqueue import main; sys.exit(main())"
    clients = [subprocess.Popen([sys.executable, "-c", code, str(folder / f"{number}.jpg")]) for number in range(300)]
    for client in random.Random(3).sample(clients, 30):
        client.kill()
    confirmed = {number for number, client in enumerate(clients) if client.wait() == 0}
    print(f"{len(confirmed)} clients exited 0")
    assert len(confirmed) >= 270
    wait_for(lambda: not stand_in.counts()["queued"] + stand_in.counts()["active"], 120)
    assert {f"{number}_nobg.png" for number in confirmed} <= set(outputs(folder))


def test_300_clients_at_once_start_one_program(tmp_path: Path, home: Path) -> None:
    photos(tmp_path, 300)
    code = "import sys; from watcher.enqueue import main; sys.exit(main())"
    names = sorted(str(path) for path in tmp_path.glob("*.jpg"))
    clients = [subprocess.Popen([sys.executable, "-c", code, name]) for name in names]
    assert [client.wait() for client in clients] == [0] * 300
    programs = [process for process in psutil.process_iter(["cmdline"]) if "--lock" in process.info["cmdline"]]
    assert len(programs) == 1
    wait_for(lambda: len(outputs(tmp_path)) == 300, 600)
    programs[0].terminate()
    log = (home / "state" / "nobg.log").read_text()
    assert log.count("Started") == 1


def test_memory_stays_flat_over_a_thousand_pictures(program: Program, folder: Path) -> None:
    program.start()
    assert program.process is not None
    process = psutil.Process(program.process.pid)
    for batch in range(5):
        photos(folder, 200)
        for path in folder.glob("???.jpg"):
            path.rename(folder / f"{batch}-{path.name}")
        program("add", folder)
        wait_for(lambda: not program.counts()["queued"] + program.counts()["active"], 600)
        worker = sum(child.memory_info().rss for child in process.children())
        print(f"{(batch + 1) * 200}: program {process.memory_info().rss / 1e6:.0f} MB, worker {worker / 1e6:.0f} MB")
        for path in folder.iterdir():
            path.unlink()
    assert process.memory_info().rss < 100e6
