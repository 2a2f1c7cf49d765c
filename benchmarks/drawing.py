"""Building blocks of pictures without a subject: noise, relief, colour, perspective, and a camera's faults.

A picture is (H, W, 3) floats, 0 black to 1 white, until `photograph` makes it 8-bit. A relief or a tone is (H, W)
floats in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Grey = NDArray[np.floating[Any]]
Picture = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
"""Red, green, blue, each 0..1."""


def enlarge(values: Grey, shape: tuple[int, int]) -> Grey:
    """Return `values` (h, w), resized to `shape` (H, W), bicubically."""
    small = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def normalise(values: Grey) -> Grey:
    """Return `values` (H, W), stretched linearly to 0..1."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-6), np.float32)


def fractal_noise(
    rng: Generator, shape: tuple[int, int], size: float, rough: float = 0.5, stretch: tuple[float, float] = (1, 1)
) -> Grey:
    """Return fractal noise (H, W), 0..1: octaves of value noise, the coarsest with lumps of `size` times the height.

    `rough`: the amplitude of each octave, as a fraction of the next coarser one's. `stretch`: how many times longer the
    lumps are along y and x.
    """
    total = np.zeros(shape, np.float32)
    lump, weight = size * shape[0], 1.0
    while lump >= 1:
        rows, columns = (max(2, round(n / (lump * s))) for n, s in zip(shape, stretch, strict=True))
        grid = rng.random((min(rows, shape[0]), min(columns, shape[1])), np.float32)
        total += np.float32(weight) * enlarge(grid, shape)
        lump, weight = lump / 2, weight * rough
    return normalise(total)


def white_noise(rng: Generator, shape: tuple[int, int], size: int = 1) -> Grey:
    """Return noise (H, W) of mean 0 and standard deviation 1, in specks of `size` pixels."""
    small = rng.standard_normal((shape[0] // size + 1, shape[1] // size + 1), np.float32)
    return enlarge(small, (small.shape[0] * size, small.shape[1] * size))[: shape[0], : shape[1]]


def map_colours(values: Grey, *stops: Colour) -> Picture:
    """Return colours (H, W, 3) for `values` (H, W) in 0..1, interpolated between evenly spaced `stops`."""
    positions = np.linspace(0, 1, len(stops))
    planes = [np.interp(values, positions, [stop[channel] for stop in stops]) for channel in range(3)]
    return np.stack(planes, axis=2).astype(np.float32)


def cycle_colours(along: Grey, colours: Sequence[Colour]) -> Picture:
    """Return colours (H, W, 3): the integer part of `along` (H, W) counts through `colours`, repeatedly."""
    result: Picture = np.asarray(colours, np.float32)[np.floor(along).astype(np.intp) % len(colours)]
    return result


def shade_relief(relief: Grey, strength: float) -> Grey:
    """Return the brightness (H, W), around 1, of a `relief` (H, W) under light from the upper left."""
    down, right = np.gradient(relief * 100)
    return np.asarray(np.clip(1 + np.float32(strength) * (down + right), 0.3, 1.7), np.float32)


def multiply(picture: Picture, factor: Grey) -> Picture:
    """Return the picture (H, W, 3), each pixel multiplied by its factor (H, W)."""
    return np.asarray(picture * factor[..., None], np.float32)


def pixel_positions(shape: tuple[int, int]) -> tuple[Grey, Grey]:
    """Return y and x of each pixel, both (H, W), in units of the picture's height."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return y / shape[0], x / shape[0]


def voronoi_cells(rng: Generator, shape: tuple[int, int], size: int, squeeze: float = 1) -> tuple[Grey, Grey]:
    """Return Voronoi cells of about `size` pixels: a random tone per cell, 0..1, and the depth inside it, 0 at its
    edge.

    Both are (H, W). `squeeze`: how many times wider than high a cell is.
    """
    rows, columns = shape[0] // size + 4, int(shape[1] / (size * squeeze)) + 4
    seeds = rng.uniform(0.1, 0.9, (rows, columns, 2)).astype(np.float32)
    shade = rng.random((rows, columns), np.float32)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    y, x = y / size + 1.5, x / (size * squeeze) + 1.5
    nearest, second, tone = np.full(shape, 9, np.float32), np.full(shape, 9, np.float32), np.zeros(shape, np.float32)
    for step in np.ndindex(3, 3):
        row, column = (v.astype(np.intp) + s - 1 for v, s in zip((y, x), step, strict=True))
        distance = np.hypot(row + seeds[row, column, 0] - y, column + seeds[row, column, 1] - x)
        second = np.minimum(second, np.maximum(nearest, distance))
        tone = np.where(distance < nearest, shade[row, column], tone)
        nearest = np.minimum(nearest, distance)
    return tone, second - nearest


def perspective_floor(picture: Picture, horizon: float, far: Colour) -> Picture:
    """Return the picture (H, W, 3) as a floor in perspective below `horizon` (0..1 from above), fading into `far`."""
    height, width = picture.shape[:2]
    depth = np.linspace(0.02, 1, round(height * (1 - horizon)), dtype=np.float32)
    rows = (0.35 * height / depth).astype(np.intp) % height
    sideways = (np.arange(width) - width / 2)[None] / depth[:, None] * 0.7
    columns = (sideways + width / 2).astype(np.intp) % width
    near = np.clip(depth * 1.6, 0, 1)[:, None, None]
    result = np.empty_like(picture)
    top = height - len(depth)
    result[:top] = np.asarray(far, np.float32)
    result[top:] = picture[rows[:, None], columns] * near + np.asarray(far, np.float32) * (1 - near)
    return result


def photograph(picture: Picture, rng: Generator, noise: float, vignette: float, blur: float) -> Image.Image:
    """Return the 8-bit photo of a picture: blurred by `blur` pixels, dark at the corners, with `noise` (0..1)."""
    shape = (picture.shape[0], picture.shape[1])
    y, x = pixel_positions(shape)
    distance = np.hypot(y - 0.5, x - 0.5 * shape[1] / shape[0])
    picture = multiply(picture, (1 - vignette * distance**2).astype(np.float32))
    sharp = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    soft = np.asarray(sharp.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
    soft += np.float32(noise) * rng.standard_normal(soft.shape, np.float32)
    return Image.fromarray((np.clip(soft, 0, 1) * 255 + 0.5).astype(np.uint8))
