"""How good are the masks? `python benchmarks/quality.py DIR` cuts out DIR/images and scores against DIR/masks.

DIR holds index.csv (columns id, dataset, kind), images/ID.jpg, masks/ID.png (8-bit, same size; for kind `alpha` a soft
matte) and, for some, void/ID.png (255: not judged). `--pictures FOLDER` scores cut-outs that are there already
(ID_nobg.png), whichever tool made them.

Per picture, at full size, with p the alpha of the cut-out and g the truth, both 0..1; the table shows means:

    IoU       |p >= 1/2 and g >= 1/2| / |p >= 1/2 or g >= 1/2|
    MAE       mean |p - g|
    S         structure measure, alpha 0.5, longer side at most 1600 (Fan et al., ICCV 2017; py_sod_metrics)
    boundary  F1 of the two outlines, hits within 0.5 % of the diagonal (Csurka et al., BMVC 2013); not where a border
              is void
    gradient  sum (|grad p| - |grad g|)^2 / 1000, Gaussian derivatives of sigma 1.4 (Rhemann et al., CVPR 2009); kind
              alpha only
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
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
MEASURES = ("IoU", "MAE", "S", "boundary", "gradient")


def read_grey(path: Path) -> Grey:
    """A mask (H, W) in 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), np.float64) / 255.0


def read_alpha(path: Path) -> Grey:
    """The alpha of a cut-out (H, W) in 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.getchannel("A"), np.float64) / 255.0


def iou(found: Mask, true: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


def outline(mask: Mask) -> Mask:
    """The pixels of the mask that touch its outside; the frame of the picture is no outline."""
    inner: Mask = ndimage.binary_erosion(mask, border_value=1)
    return mask & ~inner


def boundary_f(found: Mask, true: Mask) -> float:
    """The harmonic mean of: found outline near a true one, true outline near a found one."""
    found_line, true_line = outline(found), outline(true)
    if not found_line.any() or not true_line.any():
        return float(not found_line.any() and not true_line.any() and bool((found == true).all()))
    tolerance = 0.005 * math.hypot(*found.shape)
    near_true = ndimage.distance_transform_edt(~true_line) <= tolerance
    near_found = ndimage.distance_transform_edt(~found_line) <= tolerance
    precision, recall = near_true[found_line].mean(), near_found[true_line].mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def gradient_error(found: Grey, true: Grey) -> float:
    """How differently the two mattes rise and fall."""
    difference = ndimage.gaussian_gradient_magnitude(found, 1.4) - ndimage.gaussian_gradient_magnitude(true, 1.4)
    return float((difference**2).sum() / 1000)


def thinned(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every n-th pixel, so that the longer side has at most 1600: the structure measure is slow."""
    step = -(-max(values.shape) // 1600)
    return values[::step, ::step]


def score(row: dict[str, str], folder: Path, pictures: Path) -> dict[str, float] | None:
    """The measures of one picture; None where there is no cut-out of it."""
    path = pictures / f"{row['id']}_nobg.png"
    if not path.exists():
        return None
    found, true = read_alpha(path), read_grey(folder / "masks" / f"{row['id']}.png")
    void = folder / "void" / f"{row['id']}.png"
    if void.exists():
        found = np.where(read_grey(void) > 0.5, true, found)
    found_mask, true_mask = found >= 0.5, true >= 0.5
    structure = py_sod_metrics.Smeasure()
    structure.step(thinned(found), thinned(true_mask), normalize=False)
    measures = {
        "IoU": iou(found_mask, true_mask),
        "MAE": float(np.abs(found - true).mean()),
        "S": float(structure.get_results()["sm"]),
    }
    if not void.exists():
        measures["boundary"] = boundary_f(found_mask, true_mask)
    if row["kind"] == "alpha":
        measures["gradient"] = gradient_error(found, true)
    return measures


def cut_out(folder: Path, output: Path) -> None:
    """What a person would do: the real command on the real photos."""
    command = [sys.executable, "-m", "watcher", "remove", "--force", "-o", str(output), str(folder / "images")]
    environment = os.environ | {"NOBG_HOME": str(output / "home")}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def print_row(title: str, scores: list[dict[str, float]]) -> None:
    """One row: the mean of each measure over the pictures that have it."""
    columns = []
    for name in MEASURES:
        values = [measures[name] for measures in scores if name in measures]
        columns.append(f"{np.mean(values):.4f}" if values else "-")
    print(f"| {title} | {len(scores)} | {' | '.join(columns)} |")


def main() -> None:
    """Print the table, a row for each dataset and one for all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--pictures", type=Path, help="score the cut-outs in this folder in place of making them")
    options = parser.parse_args()
    with (options.folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as name:
        pictures = options.pictures or Path(name)
        if options.pictures is None:
            cut_out(options.folder, pictures)
        with ProcessPoolExecutor() as pool:
            scores = list(pool.map(partial(score, folder=options.folder, pictures=pictures), rows))
    print(f"| dataset | pictures | {' | '.join(MEASURES)} |\n|---|---|---|---|---|---|---|")
    groups: dict[str, list[dict[str, float]]] = {}
    for row, measures in zip(rows, scores, strict=True):
        if measures is not None:
            groups.setdefault(row["dataset"], []).append(measures)
    for dataset, members in sorted(groups.items()):
        print_row(dataset, members)
    everything = [measures for members in groups.values() for measures in members]
    print_row("**all, mean over pictures**", everything)
    if len(everything) < len(rows):
        raise SystemExit(f"{len(rows) - len(everything)} of {len(rows)} pictures have no cut-out")


if __name__ == "__main__":
    main()
