"""How fast is nobg, and what does it need? `python benchmarks/speed.py [--rounds N]`.

Each case is run in turn with as many bare onnxruntime runs on the same model, in the same minutes, because machines
are noisy: the ratio is what counts. The bare runs' model is loaded beforehand and their input is ready; nobg's time
is that of the whole command, from start to exit, pictures decoded, encoded and on the disk.
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

from watcher import commit, formats
from watcher.matting import inference, modes
from watcher.worker import supervisor

SAMPLES = Path(__file__).parent.parent / "assets" / "samples"


def make_pictures(folder: Path, sizes: list[tuple[int, int]]) -> None:
    """JPEGs of these sizes: the samples, enlarged, with grain as a camera leaves it, each one different."""
    folder.mkdir()
    samples = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    grain = np.random.default_rng(1)
    for number, size in enumerate(sizes):
        image = samples[number % len(samples)].resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(image)
        for top in range(0, len(pixels), 512):  # in bands: 100 megapixels of grain at once would need 2 GB
            band = pixels[top : top + 512]
            noisy = band + grain.normal(0, 3, band.shape).astype(np.float32)
            image.paste(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), (0, top))
        image.save(folder / f"{number:03}.jpg", quality=90)


class PeakMemory(threading.Thread):
    """Watches the resident memory of a process and all it starts; `peak` in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._process = psutil.Process(pid)

    def run(self) -> None:
        """Look every 10 ms until the process is gone; for new children, which takes 3 ms of a core, every 100 ms."""
        tree = [self._process]
        for look in itertools.count():
            try:
                if look % 10 == 0:
                    tree = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return  # it ended while we looked
            self.peak = max(self.peak, sum(map(resident, tree)))
            time.sleep(0.01)


def resident(process: psutil.Process) -> int:
    """Its memory in bytes; 0 if it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def nobg(folder: Path, home: Path) -> tuple[float, int]:
    """Seconds and peak bytes of `nobg remove FOLDER --force`."""
    command = [sys.executable, "-m", "watcher", "remove", "--force", str(folder)]
    start = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | {"NOBG_HOME": str(home)}, stdout=subprocess.DEVNULL) as process:
        memory = PeakMemory(process.pid)
        memory.start()
        if process.wait() != 0:
            raise SystemExit("nobg failed")
    return time.perf_counter() - start, memory.peak


def bare_inference_seconds(runs: int) -> float:
    """Seconds for `runs` runs of the session in a process of its own, after one to warm up."""
    done = subprocess.run([sys.executable, __file__, "--bare", str(runs)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def run_bare(runs: int) -> None:
    """What `--bare` does: print the seconds."""
    mode = modes.DEFAULT
    ensemble = inference.load_ensemble(mode.read_models(), mode, len(os.sched_getaffinity(0)))
    photo = Image.open(SAMPLES / "astronaut.jpg").convert("RGB")
    inputs = [inference.network_input(photo, view) for view in mode.views]
    inference.infer_views(ensemble, inputs)
    start = time.perf_counter()
    for _ in range(runs):
        inference.infer_views(ensemble, inputs)
    print(time.perf_counter() - start)


def warm(picture: Path) -> float:
    """Median seconds from handing one picture to a running worker until its PNG is back."""
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
    """One row of the table: nobg and the bare session, alternating."""
    count = len(list(folder.glob("*.jpg")))
    pairs = []
    for _ in range(rounds):
        pairs.append((*nobg(folder, home), bare_inference_seconds(count)))
        for output in folder.glob("*_nobg*"):
            output.unlink()
    seconds, session = (statistics.median(pair[i] for pair in pairs) for i in (0, 2))
    ratio = statistics.median(pair[0] / pair[2] for pair in pairs)
    peak = max(pair[1] for pair in pairs)
    print(f"| {title} | {seconds:.2f} s | {session:.2f} s | {ratio:.2f} | {peak / 1e9:.2f} GB |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each case is run (default 3)")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare(options.bare)
        return
    Image.MAX_IMAGE_PIXELS = formats.MAX_PIXELS
    small = [(int((mp * 1e6 * 1.5) ** 0.5), int((mp * 1e6 / 1.5) ** 0.5)) for mp in np.linspace(0.3, 2.0, 40)]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make_pictures(place / "one", [(1500, 1000)])
        make_pictures(place / "small", small)
        make_pictures(place / "large", [(4000, 3000)] * 10)
        make_pictures(place / "larger", [(6000, 4000)] * 6)
        make_pictures(place / "huge", [(12247, 8165)])
        print("| case | nobg | bare session | ratio | peak memory, all processes |\n|---|---|---|---|---|")
        compare("one picture of 1.5 MP, cold", place / "one", 2 * options.rounds, place / "home")
        compare("40 pictures of 0.3 to 2 MP", place / "small", options.rounds, place / "home")
        compare("10 pictures of 12 MP", place / "large", options.rounds, place / "home")
        compare("6 pictures of 24 MP", place / "larger", options.rounds, place / "home")
        compare("one picture of 100 MP", place / "huge", options.rounds, place / "home")
        os.environ["NOBG_HOME"] = str(place / "home")
        print(f"\nOne picture of 1.5 MP, worker running: {warm(place / 'one' / '000.jpg'):.2f} s")


if __name__ == "__main__":
    main()
