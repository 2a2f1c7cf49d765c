"""Measure how long touch-up takes to answer: `python -m benchmarks.touchup_speed`, on a machine that does nothing else.

The real, jailed worker opens a photo of 12 megapixels and answers what the window asks for: the photo as it fits a
window, the automatic cut-out, then smart strokes, one after the other. For each stroke, three times are measured: that
of the answer alone, with the tile that a window shows, and with all tiles at full size. The medians are printed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.speed import make_pictures
from benchmarks.support.waiting import PROGRAM_SECONDS
from watcher.matting import modes
from watcher.matting.touchup.edits import Edit, encode
from watcher.worker.supervisor import Worker

PIXELS = (4000, 3000)
VIEW = (1200, 900)
TILE_SIDE = 1024
BRUSH = 100.0


class Timer:
    """Asks a worker, and takes the time of each answer."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._count = worker, 0

    def ask(self, payload: bytes = b"", **header: object) -> float:
        """Return the seconds until the answer has come."""
        self._count += 1
        start = time.perf_counter()
        self._worker.send({"id": self._count, **header}, payload)
        answer, _ = self._worker.receive(PROGRAM_SECONDS)
        seconds = time.perf_counter() - start
        if answer["state"] != "done":
            raise RuntimeError(f"the worker answered {answer}")
        return seconds

    def tile(self, layer: str, box: tuple[int, int, int, int], size: tuple[int, int]) -> float:
        """Return the seconds of one tile."""
        return self.ask(touchup="tile", layer=layer, box=list(box), pixels=list(size))

    def all_tiles(self) -> float:
        """Return the seconds of the whole cut-out at full size."""
        seconds = 0.0
        for left in range(0, PIXELS[0], TILE_SIDE):
            for top in range(0, PIXELS[1], TILE_SIDE):
                right, bottom = min(left + TILE_SIDE, PIXELS[0]), min(top + TILE_SIDE, PIXELS[1])
                seconds += self.tile("cutout", (left, top, right, bottom), (right - left, bottom - top))
        return seconds


def measure(photo: bytes, strokes: int) -> dict[str, list[float]]:
    """Return the seconds of each answer, by what was asked for."""
    start = time.perf_counter()
    with Worker(modes.DEFAULT, for_touchup=True) as worker:
        worker.wait_until_ready()
        timer = Timer(worker)
        times = {"worker started": [time.perf_counter() - start]}
        times["photo opened"] = [timer.ask(photo, touchup="open", recipe="{}")]
        whole = (0, 0, *PIXELS)
        times["photo in a window"] = [timer.tile("photo", whole, VIEW)]
        times["automatic cut-out"] = [timer.ask(touchup="edits") + timer.tile("cutout", whole, VIEW)]
        choose = random.Random(1)
        edits: list[Edit] = []
        for _ in range(strokes):
            x, y = (choose.randrange(length // 10, length * 9 // 10) for length in PIXELS)
            edits.append(Edit(choose.choice(("keep", "erase")), ((x, y), (x + BRUSH, y + BRUSH)), BRUSH))
            answer = timer.ask(encode(edits).encode(), touchup="edits")
            times.setdefault("smart stroke", []).append(answer)
            times.setdefault("smart stroke, in a window", []).append(answer + timer.tile("cutout", whole, VIEW))
            times.setdefault("smart stroke, at full size", []).append(answer + timer.all_tiles())
    return times


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photo", type=Path, help="a photo of 4000 x 3000 pixels; else one is made")
    parser.add_argument("--strokes", type=int, default=12, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = options.photo or Path(folder, "photos", "000.jpg")
        if options.photo is None:
            make_pictures(photo.parent, [PIXELS])
        times = measure(photo.read_bytes(), options.strokes)
    for what, seconds in times.items():
        print(f"{what:28}{statistics.median(seconds):7.3f} s   at most {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
