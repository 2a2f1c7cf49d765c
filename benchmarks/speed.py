"""Measure nobg's time and memory: `python benchmarks/speed.py [--rounds N]`.

Each case alternates with as many bare onnxruntime runs of the same networks, in the same minutes, because machines are
noisy: the ratio is what counts. For the bare runs, the networks are loaded and their input is ready; nobg's time is
that of the whole command, from start to exit, with pictures decoded, encoded and on the disk.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.support.waiting import time_limit, wait_for_exit
from watcher import commit, formats
from watcher.matting import modes
from watcher.matting.networks import inference
from watcher.worker import supervisor

SAMPLES = Path(__file__).parent.parent / "assets" / "samples"
SUBJECTS = ("astronaut", "chelsea", "coffee")
"""The samples with a clear subject at any shape. nobg skips the rocket, squeezed to 3:2, so a click writes no file."""


def make_pictures(folder: Path, sizes: list[tuple[int, int]]) -> None:
    """Write JPEGs of these sizes (width, height): the samples with a subject, enlarged, with other noise in each."""
    folder.mkdir()
    samples = [Image.open(SAMPLES / f"{name}.jpg").convert("RGB") for name in SUBJECTS]
    rng = np.random.default_rng(1)
    for number, size in enumerate(sizes):
        image = samples[number % len(samples)].resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(image)
        for top in range(0, len(pixels), 512):  # in bands: the noise of 100 megapixels would need 2 GB at once
            band = pixels[top : top + 512]
            noisy = band + rng.normal(0, 3, band.shape).astype(np.float32)
            image.paste(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), (0, top))
        image.save(folder / f"{number:03}.jpg", quality=90)


class PeakMemory(threading.Thread):
    """Measures the resident memory of a process and all its descendants. `peak`: bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._process = psutil.Process(pid)

    def run(self) -> None:
        """Measure every 10 ms until the process has ended; list the children every 100 ms, as that takes 3 ms of a
        core.
        """
        tree = [self._process]
        for iteration in itertools.count():
            try:
                if iteration % 10 == 0:
                    tree = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return  # it has just ended
            self.peak = max(self.peak, sum(map(resident, tree)))
            time.sleep(0.01)


def resident(process: psutil.Process) -> int:
    """Return the resident memory of the process in bytes; 0 if it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def nobg(folder: Path, home: Path, count: int) -> tuple[float, int]:
    """Return the seconds and peak bytes of `nobg remove FOLDER --force`, with `count` pictures in the folder."""
    command = [sys.executable, "-m", "watcher", "remove", "--force", str(folder)]
    start = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | {"NOBG_HOME": str(home)}, stdout=subprocess.DEVNULL) as process:
        memory = PeakMemory(process.pid)
        memory.start()
        if wait_for_exit(process, "nobg", time_limit(count)) != 0:
            raise SystemExit("nobg failed")
    return time.perf_counter() - start, memory.peak


def bare_inference_seconds(runs: int) -> float:
    """Return the seconds of `runs` runs of the networks in a process of its own, after one run to warm up."""
    command = [sys.executable, __file__, "--bare", str(runs)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=time_limit(runs))
    return float(result.stdout)


def run_bare(runs: int) -> None:
    """Run the networks as `--bare` asks, and print the seconds."""
    mode = modes.DEFAULT
    ensemble = inference.load_ensemble(mode.read_models(), mode, len(os.sched_getaffinity(0)))
    photo = Image.open(SAMPLES / "astronaut.jpg").convert("RGB")
    inference.infer(ensemble, photo)
    start = time.perf_counter()
    for _ in range(runs):
        inference.infer(ensemble, photo)
    print(time.perf_counter() - start)


def warm(picture: Path) -> float:
    """Return the median seconds from sending one picture to a running worker until it returns the PNG."""
    data = commit.read_source(picture).data
    with supervisor.Worker() as worker:
        worker.wait_until_ready()
        times = []
        for number in range(6):
            start = time.perf_counter()
            worker.send({"id": number}, data)
            worker.receive(300)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def compare(title: str, folder: Path, rounds: int, home: Path) -> None:
    """Print one row of the table: nobg and the bare networks, alternating."""
    count = len(list(folder.glob("*.jpg")))
    pairs = []
    for _ in range(rounds):
        pairs.append((*nobg(folder, home, count), bare_inference_seconds(count)))
        for output in folder.glob("*_nobg*"):
            output.unlink()
    seconds, session = (statistics.median(pair[i] for pair in pairs) for i in (0, 2))
    ratio = statistics.median(pair[0] / pair[2] for pair in pairs)
    peak = max(pair[1] for pair in pairs)
    print(f"| {title} | {seconds:.2f} s | {session:.2f} s | {ratio:.2f} | {peak / 1e9:.2f} GB |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case (default 3)")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare(options.bare)
        return
    Image.MAX_IMAGE_PIXELS = formats.MAX_PIXELS
    small = [(int((mp * 1e6 * 1.5) ** 0.5), int((mp * 1e6 / 1.5) ** 0.5)) for mp in np.linspace(0.3, 2.0, 40)]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_pictures(work / "one", [(1500, 1000)])
        make_pictures(work / "small", small)
        make_pictures(work / "large", [(4000, 3000)] * 10)
        make_pictures(work / "larger", [(6000, 4000)] * 6)
        make_pictures(work / "huge", [(12247, 8165)])
        print("| case | nobg | bare session | ratio | peak memory, all processes |\n|---|---|---|---|---|")
        compare("one picture of 1.5 MP, cold", work / "one", 2 * options.rounds, work / "home")
        compare("40 pictures of 0.3 to 2 MP", work / "small", options.rounds, work / "home")
        compare("10 pictures of 12 MP", work / "large", options.rounds, work / "home")
        compare("6 pictures of 24 MP", work / "larger", options.rounds, work / "home")
        compare("one picture of 100 MP", work / "huge", options.rounds, work / "home")
        os.environ["NOBG_HOME"] = str(work / "home")
        print(f"\nOne picture of 1.5 MP, worker running: {warm(work / 'one' / '000.jpg'):.2f} s")


if __name__ == "__main__":
    main()
