"""Score masks against the truth: `python benchmarks/quality.py DIR` cuts out DIR/images and compares with DIR/masks.

DIR has index.csv (columns id, dataset, kind), images/ID.jpg, masks/ID.png (8-bit, of the same size; for kind `alpha`
a soft matte) and, for some, void/ID.png (255: not scored). `--pictures FOLDER` scores finished cut-outs (ID_nobg.png),
whichever tool made them. `--modes` compares nobg's modes with each other and with single models: quality, also on the
odd rows of index.csv alone (on which no model was calibrated), against the processor time of the networks, measured in
turn on one thread. `--plot FILE` draws this.

Each picture is scored at full size, with p the alpha of the cut-out and g the truth, both 0..1. The tables show means:

    IoU       |p >= 1/2 and g >= 1/2| / |p >= 1/2 or g >= 1/2|
    MAE       mean |p - g|
    S         structure measure, alpha 0.5, longer side at most 1600 (Fan et al., ICCV 2017; py_sod_metrics)
    boundary  F1 of the two outlines, hits within 0.5 % of the diagonal (Csurka et al., BMVC 2013); not if a border
              is void
    gradient  sum (|grad p| - |grad g|)^2 / 1000, Gaussian derivatives of sigma 1.4 (Rhemann et al., CVPR 2009); kind
              alpha only
    grey inside
              share of pixels with 0.1 < p < 0.9 (26 to 229 of 255) among those that are deep in the subject: g >= 1/2,
              not void, more than 1 % of the diagonal from where g < 1/2 (the border of the picture does not count);
              kind mask only, as a soft matte is truly grey; not if the subject is too thin to have such pixels
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import py_sod_metrics
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Grey = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = list[dict[str, str]]
Scores = list[dict[str, float]]
METRICS = ("IoU", "MAE", "S", "boundary", "gradient", "grey inside")
MODES = ("isnet-int8", "u2net-int8", "fast", "balanced", "best")
"""What --modes compares; work is relative to the first one's."""


def read_grey(path: Path) -> Grey:
    """Return a mask (H, W), 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), np.float64) / 255.0


def read_alpha(path: Path) -> Grey:
    """Return the alpha of a cut-out: (H, W), 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.getchannel("A"), np.float64) / 255.0


def iou(predicted: Mask, true: Mask) -> float:
    """Return the intersection over union of two masks (H, W); 1 if both are empty."""
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def outline(mask: Mask) -> Mask:
    """Return the pixels of the mask that touch its outside; the border of the picture does not count."""
    inner: Mask = ndimage.binary_erosion(mask, border_value=1)
    return mask & ~inner


def boundary_f(predicted: Mask, true: Mask) -> float:
    """Return F1 of two outlines: precision is the part of the predicted one near the true one, recall the reverse."""
    predicted_line, true_line = outline(predicted), outline(true)
    if not predicted_line.any() or not true_line.any():
        return float(not predicted_line.any() and not true_line.any() and bool((predicted == true).all()))
    tolerance = 0.005 * math.hypot(*predicted.shape)
    near_true = ndimage.distance_transform_edt(~true_line) <= tolerance
    near_predicted = ndimage.distance_transform_edt(~predicted_line) <= tolerance
    precision, recall = near_true[predicted_line].mean(), near_predicted[true_line].mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def gradient_error(predicted: Grey, true: Grey) -> float:
    """Return the gradient error of two mattes (H, W), as defined above."""
    difference = ndimage.gaussian_gradient_magnitude(predicted, 1.4) - ndimage.gaussian_gradient_magnitude(true, 1.4)
    return float((difference**2).sum() / 1000)


def grey_inside(predicted: Grey, true: Mask, void: Mask) -> float | None:
    """Return the share of half-transparent pixels deep in the subject, as defined above; None if it has no such depth.

    `void`: the pixels that are not scored.
    """
    deep = true if true.all() else ndimage.distance_transform_edt(true) > 0.01 * math.hypot(*true.shape)
    values = np.rint(predicted[deep & ~void] * 255)
    return float(np.mean((values >= 26) & (values <= 229))) if values.size else None


def subsample(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return every n-th pixel, so that the longer side has at most 1600: the structure measure is slow."""
    step = -(-max(values.shape) // 1600)
    return values[::step, ::step]


def score(row: dict[str, str], folder: Path, pictures: Path) -> dict[str, float] | None:
    """Return the measures of one picture, or None if it has no cut-out."""
    path = pictures / f"{row['id']}_nobg.png"
    if not path.exists():
        return None
    predicted, true = read_alpha(path), read_grey(folder / "masks" / f"{row['id']}.png")
    void_path = folder / "void" / f"{row['id']}.png"
    void = read_grey(void_path) > 0.5 if void_path.exists() else np.zeros(true.shape, np.bool_)
    predicted = np.where(void, true, predicted)
    predicted_mask, true_mask = predicted >= 0.5, true >= 0.5
    structure = py_sod_metrics.Smeasure()
    structure.step(subsample(predicted), subsample(true_mask), normalize=False)
    measures = {
        "IoU": iou(predicted_mask, true_mask),
        "MAE": float(np.abs(predicted - true).mean()),
        "S": float(structure.get_results()["sm"]),
    }
    if not void_path.exists():
        measures["boundary"] = boundary_f(predicted_mask, true_mask)
    if row["kind"] == "alpha":
        measures["gradient"] = gradient_error(predicted, true)
    elif (grey := grey_inside(predicted, true_mask, void)) is not None:
        measures["grey inside"] = grey
    return measures


def cut_out(folder: Path, output: Path, model: str | None = None) -> None:
    """Cut out the photos of `folder` with the real command. `model`: a mode or model; None: the default.

    Raises subprocess.TimeoutExpired if it takes more than ten minutes and two more for each photo.
    """
    command = [sys.executable, "-m", "watcher", "remove", "--force", "-o", str(output), str(folder / "images")]
    if model is not None:
        command += ["--model", model]
    environment = os.environ | {"NOBG_HOME": str(output / "home")}
    limit = 600 + 120 * len(list((folder / "images").iterdir()))
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=limit)


def means(scores: Scores) -> dict[str, float]:
    """Return the mean of each measure over the pictures that have it."""
    values_by_measure = {name: [measures[name] for measures in scores if name in measures] for name in METRICS}
    return {name: float(np.mean(values)) for name, values in values_by_measure.items() if values}


def format_columns(scores: Scores) -> str:
    """Return the means as columns of a table."""
    mean_scores = means(scores)
    return " | ".join(f"{mean_scores[name]:.4f}" if name in mean_scores else "-" for name in METRICS)


def score_all(rows: Rows, folder: Path, pictures: Path) -> list[dict[str, float] | None]:
    """Return the measures of each picture, in the order of the rows."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(score, folder=folder, pictures=pictures), rows))


def print_datasets(rows: Rows, scores: list[dict[str, float] | None]) -> None:
    """Print the table: a row for each dataset and one for all."""
    print(f"| dataset | pictures | {' | '.join(METRICS)} |\n|---|---|{'---|' * len(METRICS)}")
    groups: dict[str, Scores] = {}
    for row, measures in zip(rows, scores, strict=True):
        if measures is not None:
            groups.setdefault(row["dataset"], []).append(measures)
    for dataset, members in sorted(groups.items()):
        print(f"| {dataset} | {len(members)} | {format_columns(members)} |")
    all_scores = [measures for members in groups.values() for measures in members]
    print(f"| **all, mean over pictures** | {len(all_scores)} | {format_columns(all_scores)} |")
    if len(all_scores) < len(rows):
        raise SystemExit(f"{len(rows) - len(all_scores)} of {len(rows)} pictures have no cut-out")


def measure_seconds(names: Sequence[str], photos: list[Path]) -> dict[str, float]:
    """Return the mean processor seconds of each mode's or model's networks for one photo: one thread, in turn."""
    import watcher  # noqa: F401  switches telemetry off before onnxruntime is imported
    from watcher.matting import modes
    from watcher.matting.networks import inference
    from watcher.picture import codecs

    modes_by_name = {name: modes.find(name) for name in names}
    loaded = {
        name: inference.load_ensemble(mode.read_models(), mode, threads=1) for name, mode in modes_by_name.items()
    }
    spent: dict[str, list[float]] = {name: [] for name in names}
    for photo in photos:
        rgb = codecs.decode(codecs.open_header(photo.read_bytes())).rgb
        for name, ensemble in loaded.items():
            start = time.process_time()
            inference.infer(ensemble, rgb)
            spent[name].append(time.process_time() - start)
    return {name: float(np.mean(values[1:])) for name, values in spent.items()}


def print_modes(rows: Rows, folder: Path, plot: Path | None) -> None:
    """Print the quality of each mode and the work of its networks, and draw them if `plot` is not None."""
    seconds = measure_seconds(
        MODES, [folder / "images" / f"{row['id']}.jpg" for row in rows[:: max(1, len(rows) // 36)]]
    )
    quality: dict[str, dict[str, float]] = {}
    print(f"| mode or model | rows | {' | '.join(METRICS)} | processor, s | to {MODES[0]} |")
    print(f"|---|---|{'---|' * len(METRICS)}---|---|")
    for name in MODES:
        with tempfile.TemporaryDirectory() as pictures:
            cut_out(folder, Path(pictures), name)
            scores = score_all(rows, folder, Path(pictures))
        every = [measures for measures in scores if measures is not None]
        odd = [measures for measures in scores[1::2] if measures is not None]
        cost = f"{seconds[name]:.2f} | {seconds[name] / seconds[MODES[0]]:.2f}"
        print(f"| {name} | all {len(every)} | {format_columns(every)} | {cost} |")
        print(f"| | odd {len(odd)} | {format_columns(odd)} | | |", flush=True)
        quality[name] = means(every)
    if plot is not None:
        draw(plot, quality, seconds)


def draw(path: Path, quality: dict[str, dict[str, float]], seconds: dict[str, float]) -> None:
    """Draw IoU and boundary F of each mode (as a curve) and of each model against its work."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from watcher.matting import modes

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    curve = [mode.name for mode in modes.MODES]
    for axis, measure in zip(axes, ("IoU", "boundary"), strict=True):
        axis.plot([seconds[name] for name in curve], [quality[name][measure] for name in curve], "o-")
        rest = [name for name in MODES if name not in curve]
        axis.plot([seconds[name] for name in rest], [quality[name][measure] for name in rest], "s", color="grey")
        for name in MODES:
            axis.annotate(name, (seconds[name], quality[name][measure]), (4, 6), textcoords="offset points")
        axis.set(xlabel="processor seconds a picture, networks alone", ylabel=measure)
        axis.margins(0.16, 0.2)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Cut out, score and print, as the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--pictures", type=Path, help="score the cut-outs in this folder instead of making them")
    parser.add_argument("--modes", action="store_true", help="compare nobg's modes and the models that they use")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="with --modes: draw quality against work")
    options = parser.parse_args()
    with (options.folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if options.modes:
        print_modes(rows, options.folder, options.plot)
        return
    with tempfile.TemporaryDirectory() as name:
        pictures = options.pictures or Path(name)
        if options.pictures is None:
            cut_out(options.folder, pictures)
        print_datasets(rows, score_all(rows, options.folder, pictures))


if __name__ == "__main__":
    main()
