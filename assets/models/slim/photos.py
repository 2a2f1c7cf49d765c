"""The photos for fitting a slim network: every other one of a labelled set, without its mask."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

HELD_BACK = slice(4, None, 9)  # of the photos for training: they choose nothing but when to stop


def even_rows(folder: Path) -> list[Path]:
    """Return the photos in the even rows of `folder`/index.csv. The odd rows are for tests alone."""
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[0::2]
    return [folder / "images" / f"{row['id']}.jpg" for row in rows]


def held_back(folder: Path) -> list[Path]:
    """Return the photos on which training stops or goes on."""
    return even_rows(folder)[HELD_BACK]


def for_training(folder: Path) -> list[Path]:
    """Return the photos in even rows that are not held back."""
    kept = set(held_back(folder))
    return [path for path in even_rows(folder) if path not in kept]


def spread(paths: list[Path], count: int) -> list[Path]:
    """Return `count` of `paths` at equal distances, so that each data set has its share."""
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).round().astype(int)]


def to_input(image: Image.Image, side: int) -> torch.Tensor:
    """Return an image as (1, 3, side, side) with values in -0.5..0.5, which is what IS-Net reads."""
    small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float32) / 255 - 0.5
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))


def network_input(path: Path, side: int) -> torch.Tensor:
    """Return the photo in the file `path` as IS-Net's input."""
    with Image.open(path) as image:
        return to_input(image, side)
