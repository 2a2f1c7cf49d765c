"""How many strokes mend a cut-out: `python -m benchmarks.touchup DIR` plays a person on DIR (see quality.py).

From the automatic result on, each correction is a short stroke in the middle of the largest wrong region, as in the
number of clicks of Xu et al. (CVPR 2016). The tables show, for the photos whose automatic IoU is below 0.9 and for all,
the mean number of strokes until IoU is 0.95 and 0.98 (at most --strokes), the mean IoU after some strokes, the share of
strokes that make IoU worse by more than 0.005, and the seconds of a stroke. Three ways take the same kind of stroke:

    smart      nobg's brush: what belongs to the stroke follows it
    exact      nobg's exact brush: what is under the stroke alone
    grabcut    OpenCV's GrabCut (Rother et al., SIGGRAPH 2004) from the automatic mask, with all strokes as hard labels

Masks are compared at a longer side of 480 pixels. `--every N` takes each Nth photo.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from watcher.matting import modes
from watcher.matting.touchup import brush
from watcher.matting.touchup.edits import Edit
from watcher.matting.touchup.mender import Mender
from watcher.worker.pipeline import Pipeline, open_pipeline

Mask = NDArray[np.bool_]
WAYS = ("smart", "exact", "grabcut")
GOALS = (0.95, 0.98)
SHOWN_STROKES = (0, 1, 2, 3, 5, 8)
_SIDE = 480
_BRUSH = 0.02  # diameter of the brush, as a share of the longer side: less in a narrow region
_LENGTH = 0.04  # of half a stroke
_WORSE = 0.005


@dataclass(frozen=True)
class Game:
    """The IoU after each stroke, the automatic result first, and the mean seconds of a stroke."""

    ious: tuple[float, ...]
    seconds: float

    def strokes_to(self, goal: float, most: int) -> int:
        """Return the number of strokes until IoU reaches the goal; `most` if it does not."""
        return next((count for count, iou in enumerate(self.ious) if iou >= goal), most)


@dataclass(frozen=True)
class Truth:
    """The true mask of a photo and what is not judged, both (h, w); `scale`: pixels of the photo in one of theirs."""

    subject: Mask
    void: Mask
    scale: float

    def iou(self, mask: Mask) -> float:
        """Return the intersection over union, without what is not judged."""
        union = np.count_nonzero((mask | self.subject) & ~self.void)
        return np.count_nonzero(mask & self.subject & ~self.void) / union if union else 1.0


def read_truth(folder: Path, name: str) -> Truth:
    """Read the true mask of the photo `name`, reduced to a longer side of 480 pixels."""
    with Image.open(folder / "masks" / f"{name}.png") as image:
        mask = image.convert("L")
    scale = max(1.0, max(mask.size) / _SIDE)
    size = (round(mask.width / scale), round(mask.height / scale))
    void = np.zeros(size[::-1], np.bool_)
    if (path := folder / "void" / f"{name}.png").exists():
        with Image.open(path) as image:
            void = np.asarray(image.convert("L").resize(size, Image.Resampling.BOX)) > 64
    return Truth(np.asarray(mask.resize(size, Image.Resampling.BOX)) >= 128, void, scale)


def next_stroke(mask: Mask, truth: Truth, *, exact: bool = False) -> Edit | None:
    """Return the stroke that a person draws in the middle of the largest wrong region; None if nothing is wrong."""
    regions = []
    for tool, wrong in (("keep", truth.subject & ~mask), ("erase", mask & ~truth.subject)):
        labels, _ = ndimage.label(wrong & ~truth.void)
        sizes = np.bincount(labels.ravel())[1:]
        if len(sizes):
            regions.append((int(sizes.max()), tool, labels == sizes.argmax() + 1))
    if not regions:
        return None
    _, tool, region = max(regions, key=lambda candidate: candidate[0])
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    radius = float(depth[row, column])
    rows, columns = np.nonzero(region)
    distances = np.stack([rows - row, columns - column]).astype(float)
    nearby = np.exp(-(distances**2).sum(axis=0) / (2 * (3 * radius + 1) ** 2))
    direction = np.linalg.eigh((distances * nearby) @ distances.T)[1][:, 1]
    size = max(1.0, min(max(mask.shape) * _BRUSH, 1.2 * radius))
    ends = []
    for sign in (-1, 1):
        length = 0
        while length < max(mask.shape) * _LENGTH:
            y, x = (
                round(float(start + sign * (length + 1) * step))
                for start, step in zip((row, column), direction, strict=True)
            )
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            if not inside or depth[y, x] < 0.4 * size:
                break
            length += 1
        ends.append([float(start + sign * length * step) for start, step in zip((row, column), direction, strict=True)])
    points = tuple(((x + 0.5) * truth.scale, (y + 0.5) * truth.scale) for y, x in ends)
    return Edit(tool, points, size * truth.scale, exact=exact)


@cache
def pipeline(mode: str) -> Pipeline:
    """Return the networks of a mode."""
    return open_pipeline(modes.find(mode))


def play(folder: Path, mode: str, most: int, name: str) -> dict[str, Game]:
    """Play all ways on one photo until IoU is 0.98, or for `most` strokes."""
    with Image.open(folder / "images" / f"{name}.jpg") as image:
        rgb = image.convert("RGB")
    truth = read_truth(folder, name)
    seen = pipeline(mode).look(rgb, "")
    games = {}
    for way in WAYS:
        mender = Mender(
            rgb, lambda part, other: seen if part is rgb and not other else pipeline(mode).look(part, other)
        )
        start = time.process_time()
        edits: list[Edit] = []
        mask = automatic = mask_of(mender, truth, rgb.size)
        ious = [truth.iou(mask)]
        while ious[-1] < max(GOALS) and len(edits) < most:
            stroke = next_stroke(mask, truth, exact=way == "exact")
            if stroke is None:
                break
            edits.append(stroke)
            if way == "grabcut":
                mask = grabcut(rgb, automatic, edits)
            else:
                mender.apply(edits)
                mask = mask_of(mender, truth, rgb.size)
            ious.append(truth.iou(mask))
        games[way] = Game(tuple(ious), (time.process_time() - start) / max(len(edits), 1))
    return games


def mask_of(mender: Mender, truth: Truth, size: tuple[int, int]) -> Mask:
    """Return the mask (h, w), of the size of the truth's, of a photo of `size` (width, height)."""
    height, width = truth.subject.shape
    mask: Mask = mender.region((0, 0, *size), (width, height)) >= 128
    return mask


def grabcut(rgb: Image.Image, automatic: Mask, edits: Sequence[Edit]) -> Mask:
    """Return GrabCut's mask (h, w): the automatic one is probable, what is under strokes is certain."""
    height, width = automatic.shape
    labels = np.where(automatic, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for edit in edits:
        covered = brush.cover(edit, (0, 0, *rgb.size), (width, height)) >= 0.5
        labels[covered] = cv2.GC_FGD if edit.tool == "keep" else cv2.GC_BGD
    small = np.asarray(rgb.resize((width, height), Image.Resampling.BOX))
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # there is no subject, or nothing else, to learn colours from
        return automatic
    mask: Mask = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask


def print_table(title: str, games: Sequence[dict[str, Game]], most: int, ways: Sequence[str] = WAYS) -> None:
    """Print the means of all ways over some photos."""
    print(f"\n{title}: {len(games)} photos")
    print(
        f"{'':10}{'to 0.95':>9}{'to 0.98':>9}{'worse':>8}{'s':>7}   IoU after "
        f"{', '.join(map(str, SHOWN_STROKES))} strokes"
    )
    for way in ways:
        played = [game[way] for game in games]
        counts = [np.mean([game.strokes_to(goal, most) for game in played]) for goal in GOALS]
        steps = np.concatenate([np.diff(game.ious) for game in played]) if played else np.zeros(0)
        worse = np.mean(steps < -_WORSE) if len(steps) else 0.0
        after = [np.mean([game.ious[min(count, len(game.ious) - 1)] for game in played]) for count in SHOWN_STROKES]
        seconds = np.mean([game.seconds for game in played])
        shown = "  ".join(f"{iou:.3f}" for iou in after)
        print(f"{way:10}{counts[0]:9.2f}{counts[1]:9.2f}{worse:8.1%}{seconds:7.2f}   {shown}")


def main() -> None:
    """Play on all photos, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--mode", default=modes.DEFAULT.name, help="the mode of the automatic result")
    parser.add_argument("--strokes", type=int, default=20, metavar="N", help="strokes after which a person gives up")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth photo")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with (options.folder / "index.csv").open(newline="") as file:
        names = [row["id"] for row in csv.DictReader(file)][:: options.every]
    with ProcessPoolExecutor(options.processes) as executor:
        games = list(executor.map(partial(play, options.folder, options.mode, options.strokes), names))
    hard = [game for game in games if game["smart"].ious[0] < 0.9]
    print_table("automatic IoU below 0.9", hard, options.strokes)
    print_table("all", games, options.strokes)


if __name__ == "__main__":
    main()
