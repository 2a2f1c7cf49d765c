"""Fit how far a smart stroke reaches: `python fit_strokes.py DIR`, from a set-up nobg with scikit-learn.

DIR has photos with masks, as benchmarks/quality.py takes them; the column `dataset` of its index.csv names where a
photo comes from. A person is played as in benchmarks/touchup.py. Each smart stroke gives pixels, the cues of `reach` at
them, and whether they belong to the stroke's side in truth. In the first round, the weights of `reach` answer the
strokes, and the first regression is fitted to what they meet; in the second round, the new first regression answers,
and the second one is fitted. Both tables are printed; they belong into watcher/matting/touchup/reach.py.

Each regression is also fitted with each data set left out in turn. A last round plays each photo with the regressions
that have not seen its set, and prints how many strokes they need: this figure is free of what was fitted, but not of
the constants of the solver, which were chosen on the same photos.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from benchmarks import touchup
from watcher.matting import modes
from watcher.matting.touchup import reach, solver
from watcher.matting.touchup.edits import Edit
from watcher.matting.touchup.mender import Mender

GOOD_ENOUGH = 0.97  # IoU; a person corrects no further
STROKES_FITTED, STROKES_PLAYED = 6, 20
PIXELS = 1000  # of a stroke
INVERSE_PENALTY = (0.02, 0.003)
CAUTION = 0.4  # taken from the bias of the second regression
ALL = ""

FloatArray = NDArray[np.float64]
Regressions = tuple[reach.Regression, reach.Regression]


@dataclass(frozen=True)
class Photo:
    """One photo of DIR."""

    name: str
    dataset: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels that strokes met: cues (n, c), whether each goes with its stroke (n,), and its weight (n,)."""

    cues: FloatArray
    is_same: NDArray[np.bool_]
    weight: FloatArray


Note = tuple[tuple[int, int], reach.Situation, tuple[reach.Cues, reach.Cues]]
"""The grid's shape (height, width), what a stroke met on it, and the cues of both regressions."""


class NotingGrid(reach.Grid):
    """A grid that answers with given regressions, and notes what it was asked."""

    regressions: Regressions = (reach.FIRST, reach.SECOND)
    notes: list[Note] = []  # noqa: RUF012  of the last game

    def odds(self, situation: reach.Situation) -> reach.Vector:
        """See `reach.Grid.odds`."""
        count = len(situation.alpha)
        cues = self.cues(situation)
        second_cues = self.second_cues(situation, self.regressions[0].probability(cues, count))
        self.notes.append((self.shape, situation, (cues, second_cues)))
        return self.regressions[1].probability(second_cues, count)


def play(folder: Path, most: int, photo: Photo, regressions: Regressions) -> tuple[touchup.Game, list[Samples]]:
    """Play smart strokes on one photo. Return how it went, and the samples for each of the two regressions."""
    solver.Grid = NotingGrid  # type: ignore[misc]
    NotingGrid.regressions, NotingGrid.notes = regressions, []
    with Image.open(folder / "images" / f"{photo.name}.jpg") as image:
        rgb = image.convert("RGB")
    truth = touchup.read_truth(folder, photo.name)
    mender = Mender(rgb, touchup.pipeline(modes.DEFAULT.name).look)
    edits: list[Edit] = []
    mask = touchup.mask_of(mender, truth, rgb.size)
    ious = [truth.iou(mask)]
    samples: list[list[Samples]] = [[], []]
    while ious[-1] < GOOD_ENOUGH and len(edits) < most:
        stroke = touchup.next_stroke(mask, truth)
        if stroke is None:
            break
        edits.append(stroke)
        before = len(NotingGrid.notes)
        mender.apply(edits)
        for shape, situation, cues in NotingGrid.notes[before:]:
            for number in (0, 1):
                samples[number].append(
                    sample(shape, situation, cues[number], regressions[number], truth, seed=len(edits))
                )
        mask = touchup.mask_of(mender, truth, rgb.size)
        ious.append(truth.iou(mask))
    return touchup.Game(tuple(ious), 0.0), [join(each) for each in samples if each]


def sample(
    shape: tuple[int, int],
    situation: reach.Situation,
    cues: reach.Cues,
    table: reach.Regression,
    truth: touchup.Truth,
    *,
    seed: int,
) -> Samples:
    """Return some pixels of the other side that no stroke is on. All of them together weigh what they do to IoU.

    `shape`: the grid's height and width. The columns are those of `table`.
    """
    height, width = shape
    subject, void = (
        np.asarray(Image.fromarray(plane).convert("L").resize((width, height), Image.Resampling.BOX)).ravel()
        for plane in (truth.subject, truth.void)
    )
    is_subject = subject >= 128
    alpha = situation.alpha if situation.keeps else 1 - situation.alpha
    is_free = (situation.alpha < 0.5) & (void < 77) & ~situation.same & ~situation.other
    indices = np.flatnonzero(is_free)
    chosen = indices
    if len(indices) > PIXELS:
        chosen = np.random.default_rng(seed).choice(indices, PIXELS, replace=False)
    union = max(1, np.count_nonzero(is_subject | (alpha >= 0.5)))
    columns = [np.broadcast_to(cues[name], is_free.shape)[chosen] for name in table.weights]
    weight = np.full(len(chosen), len(indices) / max(len(chosen), 1) / union)
    return Samples(np.stack(columns, axis=1), is_subject[chosen] == situation.keeps, weight)


def join(samples: list[Samples]) -> Samples:
    """Return all samples in one."""
    return Samples(
        np.concatenate([each.cues for each in samples]),
        np.concatenate([each.is_same for each in samples]),
        np.concatenate([each.weight for each in samples]),
    )


def fit(samples: Samples, names: list[str], inverse_penalty: float) -> reach.Regression:
    """Return the regression that tells the pixels that go with a stroke from the others."""
    mean, deviation = samples.cues.mean(axis=0), samples.cues.std(axis=0) + 1e-6
    normal = np.clip((samples.cues - mean) / deviation, -reach.MAX_DEVIATION, reach.MAX_DEVIATION)
    model = LogisticRegression(C=inverse_penalty, max_iter=200)
    model.fit(normal, samples.is_same, sample_weight=samples.weight / samples.weight.mean())
    columns = zip(names, mean, deviation, model.coef_[0], strict=True)
    weights = {name: (float(at), float(width), float(weight)) for name, at, width, weight in columns}
    return reach.Regression(float(model.intercept_[0]), weights)


def fit_each(
    games: list[tuple[touchup.Game, list[Samples]]], photos: list[Photo], number: int, table: reach.Regression
) -> dict[str, reach.Regression]:
    """Return the regression `number` by the data set that was left out; ALL: with all of them."""
    result = {}
    for left_out in (ALL, *sorted({photo.dataset for photo in photos})):
        seen = [
            samples[number]
            for (_, samples), photo in zip(games, photos, strict=True)
            if samples and photo.dataset != left_out
        ]
        regression = fit(join(seen), list(table.weights), INVERSE_PENALTY[number])
        result[left_out] = replace(regression, bias=regression.bias - (CAUTION if number else 0))
    return result


def print_regression(name: str, regression: reach.Regression) -> None:
    """Print it as reach.py has it."""
    print(f"\n{name} = Regression({regression.bias:.3f}, {{")
    for cue, (mean, deviation, weight) in regression.weights.items():
        print(f'    "{cue}": ({mean:.3g}, {deviation:.3g}, {weight:.3f}),')
    print("})")


def main() -> None:
    """Play, fit, play, fit, and play once more."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth photo")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with (options.folder / "index.csv").open(newline="") as file:
        photos = [Photo(row["id"], row["dataset"]) for row in csv.DictReader(file)][:: options.every]
    shipped: Regressions = (reach.FIRST, reach.SECOND)
    with ProcessPoolExecutor(options.processes) as executor:
        games = list(executor.map(partial(play, options.folder, STROKES_FITTED), photos, [shipped] * len(photos)))
        kept = [number for number, (_, samples) in enumerate(games) if samples]  # those that need no stroke say nothing
        games, photos = [games[number] for number in kept], [photos[number] for number in kept]
        print(f"{len(photos)} photos need strokes")
        first = fit_each(games, photos, 0, reach.FIRST)
        halves = [(first[photo.dataset], reach.SECOND) for photo in photos]
        games = list(executor.map(partial(play, options.folder, STROKES_FITTED), photos, halves))
        second = fit_each(games, photos, 1, reach.SECOND)
        unseen = [(first[photo.dataset], second[photo.dataset]) for photo in photos]
        played = list(executor.map(partial(play, options.folder, STROKES_PLAYED), photos, unseen))
    print_regression("FIRST", first[ALL])
    print_regression("SECOND", second[ALL])
    hard = [dict.fromkeys(touchup.WAYS, game) for game, _ in played if game.ious[0] < 0.9]
    if hard:
        touchup.print_table("automatic IoU below 0.9, sets left out", hard, STROKES_PLAYED, ("smart",))


if __name__ == "__main__":
    main()
