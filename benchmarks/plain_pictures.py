"""Pictures without a subject: `python benchmarks/plain_pictures.py FOLDER` writes 98, the same ones each time.

Skies, walls, grounds, cloths, patterns, pages, blurred backgrounds, and wide open land and sea: none of them has
anything to cut out, so each should be skipped with "no clear subject". All are computed here, from noise with a fixed
seed for each picture, so they belong to nobody; the bytes may differ a little between versions of numpy and Pillow.

A picture is (H, W, 3) floats, 0 black to 1 white, until `developed` makes it 8-bit; a relief or a tone is (H, W)
floats in 0..1.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Grey = NDArray[np.floating[Any]]
Picture = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
SHAPES = ((768, 1024), (1024, 768), (900, 900), (640, 1136))
TEXT = (
    "the of account under river carried and in which a year between light seven to paper measure from north "
    "with small as evening letters for price, not had. When number is on garden by at whole field morning: "
    "street table, water of it be. Report were section through (second) village, company winter's general 1874 "
    "engine every £12 moved window"
)
WORDS = TEXT.split()
INK, PAPER = (0.12, 0.12, 0.14), (0.95, 0.94, 0.91)


# Building blocks


def enlarged(values: Grey, shape: tuple[int, int]) -> Grey:
    """Bicubic, to (H, W)."""
    small = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def spread(values: Grey) -> Grey:
    """Stretched to 0..1."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-6), np.float32)


def clouded(
    rng: Generator, shape: tuple[int, int], size: float, rough: float = 0.5, stretch: tuple[float, float] = (1, 1)
) -> Grey:
    """Fractal noise (H, W), 0..1: octaves of value noise, the coarsest with lumps of `size` times the height.

    `rough`: how strong each octave is beside the coarser one. `stretch`: longer lumps along y and x.
    """
    total = np.zeros(shape, np.float32)
    lump, weight = size * shape[0], 1.0
    while lump >= 1:
        rows, columns = (max(2, round(n / (lump * s))) for n, s in zip(shape, stretch, strict=True))
        grid = rng.random((min(rows, shape[0]), min(columns, shape[1])), np.float32)
        total += np.float32(weight) * enlarged(grid, shape)
        lump, weight = lump / 2, weight * rough
    return spread(total)


def grain(rng: Generator, shape: tuple[int, int], size: int = 1) -> Grey:
    """Noise (H, W) of mean 0 and deviation 1, in specks of `size` pixels."""
    small = rng.standard_normal((shape[0] // size + 1, shape[1] // size + 1), np.float32)
    return enlarged(small, (small.shape[0] * size, small.shape[1] * size))[: shape[0], : shape[1]]


def coloured(values: Grey, *stops: Colour) -> Picture:
    """0..1 -> colours, from the first stop to the last, evenly spaced."""
    places = np.linspace(0, 1, len(stops))
    planes = [np.interp(values, places, [stop[channel] for stop in stops]) for channel in range(3)]
    return np.stack(planes, axis=2).astype(np.float32)


def in_turn(along: Grey, colours: Sequence[Colour]) -> Picture:
    """Each whole number's colour, from the first again after the last."""
    result: Picture = np.asarray(colours, np.float32)[np.floor(along).astype(np.intp) % len(colours)]
    return result


def lit(relief: Grey, strength: float) -> Grey:
    """How bright a relief is under light from the upper left: (H, W) around 1."""
    down, right = np.gradient(relief * 100)
    return np.asarray(np.clip(1 + np.float32(strength) * (down + right), 0.3, 1.7), np.float32)


def times(picture: Picture, factor: Grey) -> Picture:
    """Each pixel (H, W, 3) times its factor (H, W)."""
    return np.asarray(picture * factor[..., None], np.float32)


def places(shape: tuple[int, int]) -> tuple[Grey, Grey]:
    """The y and the x of each pixel, in heights of the picture: (H, W) each."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return y / shape[0], x / shape[0]


def cells(rng: Generator, shape: tuple[int, int], size: int, squeeze: float = 1) -> tuple[Grey, Grey]:
    """Voronoi cells of about `size` pixels: each one's random number in 0..1, and the depth inside it, 0 at its edge.

    `squeeze`: how much wider than high.
    """
    rows, columns = shape[0] // size + 4, int(shape[1] / (size * squeeze)) + 4
    seeds = rng.uniform(0.1, 0.9, (rows, columns, 2)).astype(np.float32)
    shade = rng.random((rows, columns), np.float32)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    y, x = y / size + 1.5, x / (size * squeeze) + 1.5
    nearest, second, own = np.full(shape, 9, np.float32), np.full(shape, 9, np.float32), np.zeros(shape, np.float32)
    for step in np.ndindex(3, 3):
        row, column = (v.astype(np.intp) + s - 1 for v, s in zip((y, x), step, strict=True))
        away = np.hypot(row + seeds[row, column, 0] - y, column + seeds[row, column, 1] - x)
        second = np.minimum(second, np.maximum(nearest, away))
        own = np.where(away < nearest, shade[row, column], own)
        nearest = np.minimum(nearest, away)
    return own, second - nearest


def floor(picture: Picture, horizon: float, far: Colour) -> Picture:
    """The picture as a floor in perspective, below the horizon (0..1 from above); it fades into `far`."""
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


def developed(picture: Picture, rng: Generator, noise: float, vignette: float, blur: float) -> Image.Image:
    """As a camera takes it: out of focus by `blur` pixels, darker to the corners, with noise; 8-bit."""
    shape = (picture.shape[0], picture.shape[1])
    y, x = places(shape)
    distance = np.hypot(y - 0.5, x - 0.5 * shape[1] / shape[0])
    picture = times(picture, (1 - vignette * distance**2).astype(np.float32))
    eight = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    soft = np.asarray(eight.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
    soft += np.float32(noise) * rng.standard_normal(soft.shape, np.float32)
    return Image.fromarray((np.clip(soft, 0, 1) * 255 + 0.5).astype(np.uint8))


# Skies and light


def slope(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], angle: float = 90) -> Picture:
    """A clear sky, or any even change of colour; `angle` in degrees, 90 from above to below."""
    y, x = places(shape)
    turn = np.deg2rad(angle)
    bend = 0.05 * clouded(rng, shape, 2, 0.2)
    return coloured(spread((np.sin(turn) * y + np.cos(turn) * x).astype(np.float32) + bend), *stops)


def glow(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], out: float = 0.3) -> Picture:
    """Light that spreads over a plain backdrop from a place off the middle."""
    y, x = places(shape)
    distance = np.hypot(y - out, x - out - 0.4 * float(rng.random())).astype(np.float32)
    return coloured(spread(distance), *stops)


def sky(
    rng: Generator,
    shape: tuple[int, int],
    *,
    above: Sequence[Colour],
    cloud: Sequence[Colour],
    cover: float,
    stretch: tuple[float, float] = (1, 2),
) -> Picture:
    """Clouds over a slope of colours; `cover`: how much of the sky they hide, 0..1."""
    amount = clouded(rng, shape, 0.45, 0.55, stretch)
    edge = float(np.quantile(amount, 1 - cover))
    veil = np.clip((amount - edge) / 0.3, 0, 1) ** 0.8
    clouds = coloured(clouded(rng, shape, 0.3, 0.5, stretch), *cloud)
    return np.asarray(slope(rng, shape, stops=above) * (1 - veil[..., None]) + clouds * veil[..., None], np.float32)


def fog(rng: Generator, shape: tuple[int, int], *, dark: Colour, light: Colour) -> Picture:
    """Soft low contrast, lighter above."""
    y, _ = places(shape)
    return coloured(spread(clouded(rng, shape, 1.2, 0.35, (1, 3)) - 0.7 * y), dark, light)


def stars(rng: Generator, shape: tuple[int, int], *, count: int, veil: float) -> Picture:
    """Night sky: few bright stars, many faint ones, and a veil of light across it."""
    light = np.zeros(shape, np.float32)
    rows, columns = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    np.add.at(light, (rows, columns), rng.pareto(1.3, count).astype(np.float32) * 0.5)
    spots = np.asarray(
        Image.fromarray((np.clip(light, 0, 4) * 60).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.1))
    )
    y, x = places(shape)
    band = np.exp(-(((y - 0.3 - 0.35 * x) / 0.22) ** 2)) * clouded(rng, shape, 0.3, 0.6) * veil
    picture = coloured((0.1 + band).astype(np.float32), (0.01, 0.01, 0.03), (0.45, 0.42, 0.5))
    return picture + np.asarray(spots, np.float32)[..., None] / 40


def lights(rng: Generator, shape: tuple[int, int], *, count: int, size: float, ground: Colour) -> Picture:
    """Points of light far out of focus."""
    y, x = places(shape)
    picture = np.broadcast_to(np.asarray(ground, np.float32), (*shape, 3)).copy()
    for _ in range(count):
        centre, radius = rng.random(2) * (1, shape[1] / shape[0]), size * rng.uniform(0.6, 1.2)
        disc = np.clip((radius - np.hypot(y - centre[0], x - centre[1])) * 80, 0, 1).astype(np.float32)
        colour = np.asarray([1, rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.8)], np.float32) * rng.uniform(0.1, 0.45)
        picture += disc[..., None] * colour.astype(np.float32)
    return picture


def clutter(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], size: float) -> Picture:
    """What is behind a subject, out of focus: soft patches of the given colours."""
    patches = clouded(rng, shape, size, 0.35)
    light = 0.7 + 0.6 * clouded(rng, shape, size * 1.7, 0.3)
    return times(coloured(patches, *stops), np.asarray(light, np.float32))


# Walls and grounds


def plaster(rng: Generator, shape: tuple[int, int], *, colour: Colour, size: float, strength: float) -> Picture:
    """A rough even surface, lit from the side: plaster, concrete, paper, snow, sand, asphalt."""
    stains = 0.9 + 0.2 * clouded(rng, shape, 0.8, 0.5)
    light = lit(clouded(rng, shape, size, 0.75), strength)
    return times(coloured(np.full(shape, 0.5, np.float32), colour, colour), np.asarray(stains * light, np.float32))


def bricks(
    rng: Generator,
    shape: tuple[int, int],
    *,
    rows: int,
    stops: Sequence[Colour],
    mortar: Colour,
    shift: float,
    ratio: float,
) -> Picture:
    """Bricks, tiles or paving, each row shifted by `shift` of a brick; `ratio`: how much wider than high."""
    y, x = places(shape)
    wobble = 0.0015 * clouded(rng, shape, 0.05)
    row = np.floor((y + wobble) * rows)
    along = x * rows / ratio + row * shift
    number = np.floor(along).astype(np.intp)
    shades = rng.random((rows + 2, int(number.max()) + 2), np.float32)
    tone = shades[row.astype(np.intp), number] * 0.7 + 0.3 * clouded(rng, shape, 0.06, 0.7)
    inside = np.minimum(
        np.minimum(y * rows - row, row + 1 - y * rows), np.minimum(along - number, number + 1 - along) * ratio
    )
    joint = np.clip((inside - 0.05) / 0.04, 0, 1).astype(np.float32)[..., None]
    surface = times(coloured(tone, *stops), lit(clouded(rng, shape, 0.02, 0.8), 0.02))
    return np.asarray(surface * joint + np.asarray(mortar, np.float32) * (1 - joint), np.float32)


def stones(
    rng: Generator, shape: tuple[int, int], *, size: int, stops: Sequence[Colour], gap: Colour, squeeze: float = 1
) -> Picture:
    """Gravel, cobbles or a dry stone wall."""
    tone, depth = cells(rng, shape, size, squeeze)
    round_off = np.clip(depth * 2.2, 0, 1) ** 0.5
    surface = times(
        coloured(tone * 0.8 + 0.2 * clouded(rng, shape, 0.04, 0.8), *stops), lit(round_off, 0.02 * size / 24)
    )
    return np.asarray(
        surface * round_off[..., None] + np.asarray(gap, np.float32) * (1 - round_off[..., None]), np.float32
    )


def planks(rng: Generator, shape: tuple[int, int], *, count: int, dark: Colour, light: Colour) -> Picture:
    """Wooden boards side by side, with their grain; one board: a veneer."""
    _, x = places(shape)
    edge = x * count * shape[0] / shape[1]
    board = np.floor(edge)
    tone = rng.random(count + 1, dtype=np.float32)[board.astype(np.intp)]
    offset = rng.random(count + 1, dtype=np.float32)[board.astype(np.intp)] * 9
    rings = 0.5 + 0.5 * np.sin((x * 60 + offset + 14 * clouded(rng, shape, 0.6, 0.4, (5, 1))) * 2)
    fibre = clouded(rng, shape, 0.02, 0.8, (40, 0.6))
    wood = coloured(np.asarray(0.25 * tone + 0.3 * rings + 0.45 * fibre, np.float32), dark, light)
    gap = np.clip(np.minimum(edge - board, board + 1 - edge) * 60, 0.25, 1) if count > 1 else np.ones(shape)
    return times(wood, gap.astype(np.float32))


def strokes(
    rng: Generator,
    shape: tuple[int, int],
    *,
    count: int,
    length: float,
    turn: float,
    stops: Sequence[Colour],
    width: int = 2,
) -> Picture:
    """Grass, straw, fur or fallen needles: many thin strokes; `turn`: how far they lean, in degrees."""
    image = Image.new("RGB", (shape[1], shape[0]), tuple(int(255 * part * 0.6) for part in stops[0]))
    draw = ImageDraw.Draw(image)
    colours = (coloured(rng.random((count, 1), np.float32), *stops)[:, 0] * 255).astype(int)
    ys, xs = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    angles, lengths = np.deg2rad(rng.normal(-90, turn, count)), shape[0] * length * rng.uniform(0.5, 1.2, count)
    for colour, y, x, angle, reach in zip(colours, ys, xs, angles, lengths, strict=True):
        end = (x + reach * np.cos(angle), y + reach * np.sin(angle))
        draw.line([(float(x), float(y)), (float(end[0]), float(end[1]))], fill=tuple(map(int, colour)), width=width)
    return np.asarray(image, np.float32) / 255


def leaves(rng: Generator, shape: tuple[int, int], *, count: int, size: float, stops: Sequence[Colour]) -> Picture:
    """Fallen leaves, chips or petals all over each other."""
    image = Image.new("RGB", (shape[1], shape[0]), tuple(int(128 * part) for part in stops[0]))
    draw = ImageDraw.Draw(image)
    for _ in range(count):
        centre, turn = rng.random(2) * (shape[1], shape[0]), rng.uniform(0, 2 * np.pi)
        around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        points = np.stack([np.cos(around), 0.5 * np.sin(around)], 1) * shape[0] * size * rng.uniform(0.6, 1.2, (12, 1))
        points = points @ np.asarray([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        colour = coloured(rng.random((1, 1), np.float32), *stops)[0, 0] * 255
        draw.polygon([(float(a), float(b)) for a, b in points], fill=tuple(map(int, colour)))
    return np.asarray(image, np.float32) / 255


def waves(
    rng: Generator, shape: tuple[int, int], *, size: float, stretch: float, strength: float, stops: Sequence[Colour]
) -> Picture:
    """Water or rippled sand: long folds, lit from the side."""
    relief = clouded(rng, shape, size, 0.55, (1, stretch))
    folds = 0.5 + 0.5 * np.sin(relief * 40).astype(np.float32)
    tone = 0.6 * relief + 0.4 * folds
    return times(coloured(tone.astype(np.float32), *stops), lit(folds * np.float32(0.3), strength))


def horizon(rng: Generator, above: Picture, ground: Picture, height: float, haze: Colour) -> Picture:
    """Land or sea up to the sky: the ground as a floor, below `height` (0..1 from above); both (H, W, 3) alike."""
    result = floor(ground, height, haze)
    top = round(above.shape[0] * height)
    squashed = Image.fromarray((np.clip(above, 0, 1) * 255).astype(np.uint8)).resize((above.shape[1], top))
    result[:top] = np.asarray(squashed, np.float32) / 255
    far = np.clip(1 - np.abs(np.arange(above.shape[0]) - top) / (0.06 * above.shape[0]), 0, 1).astype(np.float32)
    mist = far[:, None, None] * np.float32(rng.uniform(0.5, 0.8))
    return np.asarray(result * (1 - mist) + np.asarray(haze, np.float32) * mist, np.float32)


def land(
    rng: Generator,
    shape: tuple[int, int],
    *,
    above: Callable[[Generator, tuple[int, int]], Picture],
    ground: Callable[[Generator, tuple[int, int]], Picture],
    height: float,
    haze: Colour,
) -> Picture:
    """A sky over a ground, each made by its own recipe."""
    return horizon(rng, above(rng, shape), ground(rng, shape), height, haze)


def room(
    rng: Generator,
    shape: tuple[int, int],
    *,
    wall: Callable[[Generator, tuple[int, int]], Picture],
    ground: Callable[[Generator, tuple[int, int]], Picture],
    height: float,
) -> Picture:
    """An empty corner: a floor that meets a wall."""
    behind = wall(rng, shape)
    result = floor(ground(rng, shape), height, (0.4, 0.38, 0.36))
    top = round(shape[0] * height)
    result[:top] = behind[:top]
    shade = 1 - 0.25 * np.exp(-np.abs(np.arange(shape[0]) - top) / (0.04 * shape[0]))
    return times(result, np.broadcast_to(shade.astype(np.float32)[:, None], shape))


# Cloth and patterns


def weave(
    rng: Generator, shape: tuple[int, int], *, threads: int, warp: Colour, weft: Colour, twill: int = 1
) -> Picture:
    """Cloth: threads over and under; `twill` 2 or 3 for jeans. It hangs in soft folds."""
    y, x = places(shape)
    fold = 0.012 * clouded(rng, shape, 0.7, 0.4)
    down, across = (y + fold) * threads, (x + fold) * threads
    over = ((np.floor(down) + np.floor(across)) % (twill + 1) < twill)[..., None]
    first, second = np.asarray(warp, np.float32), np.asarray(weft, np.float32)
    roundness = np.where(over[..., 0], np.sin(np.pi * (across % 1)), np.sin(np.pi * (down % 1)))
    light = (0.65 + 0.35 * roundness) * (0.8 + 0.4 * clouded(rng, shape, 0.5, 0.4)) + 0.04 * grain(rng, shape, 2)
    return times(np.where(over, first, second), light.astype(np.float32))


def stripes(
    rng: Generator, shape: tuple[int, int], *, count: float, colours: Sequence[Colour], angle: float
) -> Picture:
    """Stripes of wallpaper or cloth, at an angle in degrees."""
    y, x = places(shape)
    turn = np.deg2rad(angle)
    along = (np.sin(turn) * y + np.cos(turn) * x) * count + rng.random()
    return in_turn(along, colours)


def checks(rng: Generator, shape: tuple[int, int], *, count: int, ground: Colour, colour: Colour) -> Picture:
    """A tablecloth: stripes both ways, darker where they meet."""
    y, x = places(shape)
    amount = ((y * count + rng.random()) % 1 < 0.5) * 0.5 + ((x * count + rng.random()) % 1 < 0.5) * 0.5
    return coloured(amount.astype(np.float32), ground, colour)


def dots(rng: Generator, shape: tuple[int, int], *, count: int, size: float, ground: Colour, colour: Colour) -> Picture:
    """Wallpaper or cloth with dots, every other row shifted; `size`: their radius beside their distance."""
    y, x = places(shape)
    down = y * count + rng.random()
    across = x * count + 0.5 * (np.floor(down) % 2)
    inside = np.hypot(down % 1 - 0.5, across % 1 - 0.5)
    return coloured(np.clip((size - inside) * 12, 0, 1).astype(np.float32), ground, colour)


def zigzag(rng: Generator, shape: tuple[int, int], *, count: int, colours: Sequence[Colour]) -> Picture:
    """Zigzags, one below the other."""
    y, x = places(shape)
    along = y * count + 0.8 * np.abs((x * count * 0.7 + rng.random()) % 2 - 1)
    return in_turn(along, colours)


def noise(rng: Generator, shape: tuple[int, int], *, size: int, colour: bool, contrast: float) -> Picture:
    """Specks of `size` pixels, grey or coloured: a screen without a signal, a covered lens."""
    planes = [grain(rng, shape, size) for _ in range(3)] if colour else [grain(rng, shape, size)] * 3
    return np.asarray(0.5 + contrast * np.stack(planes, 2), np.float32)


# Pages


def sentence(rng: Generator, letters: int) -> str:
    """Words, about as long as asked for."""
    line = ""
    while len(line) < letters:
        line += str(rng.choice(WORDS)) + " "
    return line[:letters].strip()


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, so that pages look alike everywhere."""
    return ImageFont.load_default(size)


def scanned(image: Image.Image, rng: Generator, tilt: float) -> Picture:
    """A page as it comes from a scanner or a phone: a little askew, unevenly lit."""
    paper = image.getpixel((1, 1))
    turned = image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=paper)
    light = 0.92 + 0.1 * clouded(rng, (image.height, image.width), 1.5, 0.3)
    return times(np.asarray(turned, np.float32) / 255, np.asarray(light, np.float32))


def bytes_of(colour: Colour) -> tuple[int, int, int]:
    """0..1 -> 0..255."""
    red, green, blue = (round(255 * part) for part in colour)
    return red, green, blue


def page(
    rng: Generator,
    shape: tuple[int, int],
    *,
    size: int,
    columns: int,
    tilt: float,
    ink: Colour = INK,
    paper: Colour = PAPER,
) -> Picture:
    """Text in columns with paragraphs, a headline, and margins."""
    height, width = shape
    image = Image.new("RGB", (width, height), bytes_of(paper))
    draw, fill = ImageDraw.Draw(image), bytes_of(ink)
    margin, top = width // 14, height // 14
    draw.text((margin, top), sentence(rng, 24), fill, font(size * 2))
    column = (width - margin) // columns
    for left in range(margin, width - margin, column):
        y = top + size * 4
        while y < height - top:
            letters = int((column - margin) / (size * 0.5) * (0.5 if rng.random() < 0.15 else 1))
            draw.text((left, y), sentence(rng, max(letters, 4)), fill, font(size))
            y += round(size * (2.4 if rng.random() < 0.12 else 1.4))
    return scanned(image, rng, tilt)


def terminal(
    rng: Generator, shape: tuple[int, int], *, size: int, ground: Colour, colours: Sequence[Colour]
) -> Picture:
    """A screen of program text or a log: indented lines in several colours."""
    image = Image.new("RGB", (shape[1], shape[0]), bytes_of(ground))
    draw = ImageDraw.Draw(image)
    for y in range(size // 2, shape[0] - size, round(size * 1.35)):
        x = size * (1 + 2 * int(rng.integers(0, 4)))
        for _ in range(int(rng.integers(0, 5))):
            word = sentence(rng, int(rng.integers(4, 18)))
            draw.text((x, y), word, bytes_of(colours[int(rng.integers(len(colours)))]), font(size))
            x += round(draw.textlength(word, font(size))) + size // 2
    return np.asarray(image, np.float32) / 255


def table(rng: Generator, shape: tuple[int, int], *, rows: int, columns: int, tilt: float, shaded: bool) -> Picture:
    """A sheet of figures with ruled lines; `shaded`: every other row, as programs show it."""
    image = Image.new("RGB", (shape[1], shape[0]), bytes_of((1, 1, 1)))
    draw, size = ImageDraw.Draw(image), round(shape[0] / rows * 0.5)
    ys = np.linspace(shape[0] * 0.04, shape[0] * 0.96, rows + 1).astype(int).tolist()
    xs = np.linspace(shape[1] * 0.05, shape[1] * 0.95, columns + 1).astype(int).tolist()
    for number, (top, bottom) in enumerate(pairwise(ys)):
        ground = (205, 216, 230) if number == 0 else (240, 243, 247) if shaded and number % 2 else (255, 255, 255)
        for left, right in pairwise(xs):
            draw.rectangle((left, top, right, bottom), ground, (150, 150, 155))
            text = sentence(rng, 9) if left == xs[0] or number == 0 else f"{rng.normal(0, 900):.1f}"
            draw.text((left + size // 2, top + size // 3), text, bytes_of(INK), font(size))
    return scanned(image, rng, tilt)


def ruled(rng: Generator, shape: tuple[int, int], *, rows: int, squared: bool, tilt: float) -> Picture:
    """An empty sheet of lined or squared paper."""
    image = Image.new("RGB", (shape[1], shape[0]), (247, 246, 240))
    draw, step = ImageDraw.Draw(image), shape[0] / rows
    for number in range(1, rows):
        draw.line((0, number * step, shape[1], number * step), (150, 175, 210), 2)
    for number in range(1, int(shape[1] / step) + 1 if squared else 0):
        draw.line((number * step, 0, number * step, shape[0]), (150, 175, 210), 2)
    return scanned(image, rng, tilt)


# The pictures


GREENS = ((0.10, 0.20, 0.04), (0.30, 0.42, 0.12), (0.55, 0.62, 0.28))
BROWNS = ((0.20, 0.12, 0.07), (0.50, 0.32, 0.17), (0.70, 0.52, 0.30))
GREYS = ((0.28, 0.27, 0.26), (0.52, 0.51, 0.49), (0.74, 0.72, 0.69))
REDS = ((0.45, 0.20, 0.15), (0.62, 0.31, 0.22), (0.72, 0.44, 0.33))
BLUE_SKY = ((0.25, 0.45, 0.75), (0.55, 0.72, 0.90), (0.80, 0.88, 0.95))
GREY_SKY = ((0.62, 0.65, 0.70), (0.78, 0.80, 0.82))
DUSK = ((0.16, 0.20, 0.40), (0.55, 0.40, 0.48), (0.95, 0.62, 0.38))
WHITE_CLOUD = ((0.72, 0.75, 0.80), (1.0, 1.0, 1.0))
GREY_CLOUD = ((0.40, 0.43, 0.48), (0.75, 0.77, 0.80))
SAND = ((0.62, 0.50, 0.36), (0.82, 0.71, 0.55), (0.92, 0.84, 0.70))
SEA = ((0.04, 0.16, 0.24), (0.12, 0.34, 0.44), (0.45, 0.62, 0.68))
WHITE, BLACK = (0.96, 0.96, 0.95), (0.04, 0.04, 0.05)
CODE = ((0.85, 0.85, 0.80), (0.55, 0.75, 0.95), (0.60, 0.80, 0.50), (0.90, 0.60, 0.45))

grass = partial(strokes, count=26000, length=0.06, turn=22, stops=GREENS)
meadow = partial(
    strokes, count=30000, length=0.03, turn=30, stops=((0.2, 0.3, 0.08), (0.5, 0.55, 0.2), (0.75, 0.7, 0.4))
)
sea = partial(waves, size=0.08, stretch=4, strength=0.05, stops=SEA)
beach = partial(plaster, colour=(0.82, 0.72, 0.56), size=0.03, strength=0.02)
boards = partial(planks, count=9, dark=(0.30, 0.18, 0.10), light=(0.66, 0.46, 0.28))
white_wall = partial(plaster, colour=(0.86, 0.85, 0.82), size=0.05, strength=0.012)

Recipe = Callable[[Generator, tuple[int, int]], Picture]
Camera = tuple[float, float, float]
PHOTO: Camera = (0.012, 0.25, 0.6)  # noise, vignette, blur
SCREEN: Camera = (0.0, 0.0, 0.0)
DARK: Camera = (0.03, 0.4, 0.8)
SOFT: Camera = (0.01, 0.3, 14)

RECIPES: dict[str, tuple[Recipe, Camera]] = {
    "sky-clear": (partial(slope, stops=BLUE_SKY), PHOTO),
    "sky-clear-deep": (partial(slope, stops=((0.05, 0.18, 0.5), (0.2, 0.45, 0.8)), angle=70), PHOTO),
    "sky-dusk": (partial(slope, stops=DUSK), PHOTO),
    "sky-overcast": (partial(sky, above=GREY_SKY, cloud=GREY_CLOUD, cover=0.9), PHOTO),
    "sky-cumulus": (partial(sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.4), PHOTO),
    "sky-cumulus-many": (partial(sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.7), PHOTO),
    "sky-cirrus": (partial(sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.5, stretch=(0.6, 6)), PHOTO),
    "sky-storm": (partial(sky, above=GREY_SKY, cloud=((0.15, 0.17, 0.2), (0.5, 0.5, 0.52)), cover=0.8), PHOTO),
    "sky-sunset": (
        partial(sky, above=DUSK, cloud=((0.35, 0.2, 0.3), (1.0, 0.7, 0.5)), cover=0.5, stretch=(0.8, 4)),
        PHOTO,
    ),
    "sky-fog": (partial(fog, dark=(0.55, 0.58, 0.60), light=(0.86, 0.87, 0.88)), PHOTO),
    "sky-fog-dark": (partial(fog, dark=(0.10, 0.12, 0.15), light=(0.42, 0.45, 0.48)), DARK),
    "sky-smoke": (partial(fog, dark=(0.30, 0.24, 0.2), light=(0.85, 0.72, 0.55)), PHOTO),
    "sky-stars": (partial(stars, count=1500, veil=0.3), DARK),
    "sky-stars-few": (partial(stars, count=250, veil=0), (0.02, 0.1, 0.3)),
    "sky-milky-way": (partial(stars, count=6000, veil=1.6), (0.02, 0.2, 0.4)),
    "light-gradient": (partial(slope, stops=((0.9, 0.4, 0.5), (0.3, 0.3, 0.8)), angle=35), SCREEN),
    "light-gradient-grey": (partial(slope, stops=((0.2, 0.2, 0.2), (0.9, 0.9, 0.9)), angle=0), SCREEN),
    "light-gradient-rainbow": (
        partial(slope, stops=((0.9, 0.2, 0.2), (0.9, 0.8, 0.2), (0.2, 0.7, 0.4), (0.2, 0.3, 0.8)), angle=20),
        SCREEN,
    ),
    "light-backdrop": (partial(glow, stops=((0.85, 0.85, 0.84), (0.45, 0.45, 0.46)), out=0.45), PHOTO),
    "light-backdrop-dark": (partial(glow, stops=((0.35, 0.35, 0.38), (0.05, 0.05, 0.06)), out=0.3), DARK),
    "light-backdrop-green": (partial(glow, stops=((0.2, 0.75, 0.3), (0.08, 0.45, 0.15)), out=0.4), PHOTO),
    "blank-white": (partial(slope, stops=(WHITE, (0.92, 0.92, 0.91))), PHOTO),
    "blank-black": (partial(slope, stops=(BLACK, (0.02, 0.02, 0.02))), DARK),
    "blank-grey": (partial(slope, stops=((0.5, 0.5, 0.5), (0.51, 0.51, 0.51))), SCREEN),
    "blur-garden": (partial(clutter, stops=(*GREENS, (0.8, 0.85, 0.6)), size=0.35), SOFT),
    "blur-street": (partial(clutter, stops=(*GREYS, (0.55, 0.35, 0.25), (0.8, 0.8, 0.85)), size=0.3), SOFT),
    "blur-room": (partial(clutter, stops=(*BROWNS, (0.9, 0.85, 0.75)), size=0.5), SOFT),
    "blur-dark": (partial(clutter, stops=((0.03, 0.03, 0.05), (0.2, 0.17, 0.15), (0.35, 0.3, 0.2)), size=0.4), SOFT),
    "blur-lights": (partial(lights, count=70, size=0.05, ground=(0.05, 0.05, 0.09)), (0.015, 0.2, 2)),
    "blur-lights-small": (partial(lights, count=260, size=0.018, ground=(0.10, 0.07, 0.05)), (0.015, 0.2, 2)),
    "blur-lights-day": (partial(lights, count=110, size=0.06, ground=(0.25, 0.33, 0.15)), (0.01, 0.2, 6)),
    "wall-white": (white_wall, PHOTO),
    "wall-yellow": (partial(plaster, colour=(0.85, 0.70, 0.40), size=0.04, strength=0.02), PHOTO),
    "wall-rough": (partial(plaster, colour=(0.60, 0.58, 0.55), size=0.1, strength=0.04), PHOTO),
    "wall-concrete": (partial(plaster, colour=(0.55, 0.55, 0.54), size=0.4, strength=0.008), PHOTO),
    "wall-brick": (partial(bricks, rows=14, stops=REDS, mortar=(0.70, 0.67, 0.62), shift=0.5, ratio=3), PHOTO),
    "wall-brick-large": (partial(bricks, rows=7, stops=REDS, mortar=(0.55, 0.52, 0.48), shift=0.5, ratio=3), PHOTO),
    "wall-brick-white": (
        partial(
            bricks,
            rows=18,
            stops=((0.78, 0.77, 0.74), (0.9, 0.89, 0.87)),
            mortar=(0.65, 0.64, 0.62),
            shift=0.5,
            ratio=3,
        ),
        PHOTO,
    ),
    "wall-brick-dark": (
        partial(
            bricks,
            rows=12,
            stops=((0.12, 0.10, 0.1), (0.32, 0.25, 0.23)),
            mortar=(0.3, 0.29, 0.28),
            shift=0.33,
            ratio=4,
        ),
        DARK,
    ),
    "wall-tiles": (
        partial(
            bricks, rows=9, stops=((0.82, 0.86, 0.88), (0.9, 0.93, 0.94)), mortar=(0.6, 0.6, 0.6), shift=0, ratio=1
        ),
        PHOTO,
    ),
    "wall-mosaic": (
        partial(
            bricks, rows=30, stops=((0.1, 0.3, 0.45), (0.3, 0.6, 0.7), (0.7, 0.85, 0.9)), mortar=WHITE, shift=0, ratio=1
        ),
        PHOTO,
    ),
    "wall-blocks": (partial(bricks, rows=6, stops=GREYS[1:], mortar=(0.45, 0.44, 0.42), shift=0.5, ratio=2), PHOTO),
    "wall-stones": (partial(stones, size=90, stops=GREYS, gap=(0.2, 0.19, 0.17), squeeze=1.6), PHOTO),
    "wall-planks": (boards, PHOTO),
    "wall-planks-white": (partial(planks, count=7, dark=(0.62, 0.60, 0.56), light=(0.90, 0.89, 0.86)), PHOTO),
    "wall-planks-grey": (partial(planks, count=14, dark=(0.25, 0.24, 0.22), light=(0.62, 0.60, 0.57)), PHOTO),
    "wall-veneer": (partial(planks, count=1, dark=(0.48, 0.30, 0.16), light=(0.80, 0.60, 0.38)), PHOTO),
    "ground-grass": (grass, PHOTO),
    "ground-grass-dry": (partial(strokes, count=22000, length=0.07, turn=50, stops=SAND), PHOTO),
    "ground-lawn": (partial(strokes, count=40000, length=0.025, turn=35, stops=GREENS), PHOTO),
    "ground-straw": (partial(strokes, count=9000, length=0.2, turn=90, stops=SAND, width=3), PHOTO),
    "ground-needles": (partial(strokes, count=15000, length=0.08, turn=90, stops=BROWNS), PHOTO),
    "ground-leaves": (partial(leaves, count=3000, size=0.04, stops=(*BROWNS, (0.75, 0.45, 0.15))), PHOTO),
    "ground-leaves-green": (partial(leaves, count=3500, size=0.035, stops=GREENS), PHOTO),
    "ground-chips": (partial(leaves, count=7000, size=0.022, stops=(*BROWNS, (0.85, 0.7, 0.5))), PHOTO),
    "ground-gravel": (partial(stones, size=22, stops=GREYS, gap=(0.15, 0.14, 0.13)), PHOTO),
    "ground-gravel-fine": (partial(stones, size=10, stops=(*GREYS, (0.6, 0.5, 0.4)), gap=(0.3, 0.28, 0.25)), PHOTO),
    "ground-pebbles": (
        partial(stones, size=45, stops=((0.35, 0.33, 0.32), (0.8, 0.76, 0.7)), gap=(0.1, 0.1, 0.1), squeeze=1.3),
        PHOTO,
    ),
    "ground-cobbles": (partial(stones, size=70, stops=GREYS[:2], gap=(0.16, 0.15, 0.12)), PHOTO),
    "ground-sand": (beach, PHOTO),
    "ground-sand-rippled": (partial(waves, size=0.3, stretch=5, strength=0.03, stops=SAND), PHOTO),
    "ground-snow": (partial(plaster, colour=(0.92, 0.94, 0.98), size=0.3, strength=0.01), PHOTO),
    "ground-asphalt": (partial(plaster, colour=(0.30, 0.30, 0.31), size=0.008, strength=0.03), PHOTO),
    "ground-soil": (partial(plaster, colour=(0.33, 0.23, 0.16), size=0.06, strength=0.05), PHOTO),
    "ground-paving": (partial(bricks, rows=10, stops=GREYS[1:], mortar=(0.3, 0.3, 0.28), shift=0.5, ratio=1.5), PHOTO),
    "water": (sea, PHOTO),
    "water-pool": (
        partial(waves, size=0.25, stretch=1.2, strength=0.03, stops=((0.1, 0.5, 0.65), (0.6, 0.9, 0.95))),
        PHOTO,
    ),
    "water-dark": (
        partial(waves, size=0.15, stretch=3, strength=0.06, stops=((0.02, 0.05, 0.08), (0.2, 0.26, 0.3))),
        DARK,
    ),
    "land-sea": (
        partial(
            land,
            above=partial(sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.3),
            ground=sea,
            height=0.45,
            haze=(0.7, 0.8, 0.87),
        ),
        PHOTO,
    ),
    "land-sea-dusk": (
        partial(land, above=partial(slope, stops=DUSK), ground=sea, height=0.6, haze=(0.75, 0.5, 0.4)),
        PHOTO,
    ),
    "land-meadow": (
        partial(land, above=partial(slope, stops=BLUE_SKY), ground=meadow, height=0.4, haze=(0.65, 0.72, 0.6)),
        PHOTO,
    ),
    "land-desert": (
        partial(land, above=partial(slope, stops=BLUE_SKY), ground=beach, height=0.5, haze=(0.85, 0.8, 0.7)),
        PHOTO,
    ),
    "land-snow": (
        partial(
            land,
            above=partial(sky, above=GREY_SKY, cloud=GREY_CLOUD, cover=0.8),
            ground=white_wall,
            height=0.5,
            haze=(0.8, 0.82, 0.85),
        ),
        PHOTO,
    ),
    "room-planks": (partial(room, wall=white_wall, ground=boards, height=0.55), PHOTO),
    "room-tiles": (
        partial(
            room,
            wall=partial(plaster, colour=(0.6, 0.7, 0.72), size=0.03, strength=0.01),
            ground=partial(bricks, rows=9, stops=GREYS[1:], mortar=WHITE, shift=0, ratio=1),
            height=0.4,
        ),
        PHOTO,
    ),
    "cloth-linen": (partial(weave, threads=110, warp=(0.80, 0.75, 0.65), weft=(0.70, 0.65, 0.55)), PHOTO),
    "cloth-jeans": (partial(weave, threads=160, warp=(0.15, 0.22, 0.42), weft=(0.65, 0.68, 0.75), twill=3), PHOTO),
    "cloth-wool": (partial(weave, threads=40, warp=(0.55, 0.18, 0.2), weft=(0.45, 0.15, 0.17)), PHOTO),
    "cloth-carpet": (
        partial(strokes, count=60000, length=0.012, turn=60, stops=((0.3, 0.1, 0.12), (0.6, 0.25, 0.25))),
        PHOTO,
    ),
    "cloth-stripes": (partial(stripes, count=24, colours=(WHITE, (0.3, 0.45, 0.65)), angle=0), PHOTO),
    "cloth-checks": (partial(checks, count=10, ground=WHITE, colour=(0.75, 0.15, 0.15)), PHOTO),
    "pattern-dots": (partial(dots, count=12, size=0.22, ground=(0.9, 0.86, 0.78), colour=(0.3, 0.5, 0.5)), PHOTO),
    "pattern-zigzag": (partial(zigzag, count=11, colours=(WHITE, (0.9, 0.7, 0.2), (0.3, 0.3, 0.35))), SCREEN),
    "pattern-diagonal": (
        partial(stripes, count=9, colours=((0.2, 0.3, 0.3), (0.8, 0.6, 0.4), (0.9, 0.85, 0.75)), angle=40),
        SCREEN,
    ),
    "noise-static": (partial(noise, size=3, colour=False, contrast=0.25), SCREEN),
    "noise-colour": (partial(noise, size=1, colour=True, contrast=0.2), SCREEN),
    "noise-covered-lens": (partial(slope, stops=((0.06, 0.05, 0.05), (0.09, 0.07, 0.06))), (0.08, 0.3, 0)),
    "page-text": (partial(page, size=18, columns=1, tilt=0.0), SCREEN),
    "page-text-scan": (partial(page, size=16, columns=1, tilt=1.2), (0.03, 0.1, 0.7)),
    "page-columns": (partial(page, size=15, columns=2, tilt=-0.6), (0.02, 0.15, 0.5)),
    "page-newspaper": (partial(page, size=13, columns=4, tilt=0.4, paper=(0.85, 0.82, 0.74)), (0.03, 0.2, 0.6)),
    "page-large-print": (partial(page, size=40, columns=1, tilt=0.0, ink=(0.1, 0.15, 0.4)), SCREEN),
    "page-terminal": (partial(terminal, size=17, ground=(0.10, 0.11, 0.13), colours=CODE), SCREEN),
    "page-program": (
        partial(terminal, size=22, ground=WHITE, colours=((0.1, 0.1, 0.1), (0.5, 0.1, 0.4), (0.1, 0.3, 0.6))),
        SCREEN,
    ),
    "page-table": (partial(table, rows=26, columns=7, tilt=0.0, shaded=True), SCREEN),
    "page-table-scan": (partial(table, rows=20, columns=5, tilt=-1.5, shaded=False), (0.03, 0.2, 0.8)),
    "page-ruled": (partial(ruled, rows=28, squared=False, tilt=0.8), PHOTO),
    "page-squared": (partial(ruled, rows=40, squared=True, tilt=0.0), SCREEN),
}


def picture(name: str) -> Image.Image:
    """One of RECIPES, 8-bit RGB, about 0.8 megapixels; its shape and its noise hang on its name alone."""
    recipe, (grains, vignette, blur) = RECIPES[name]
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng(seed)
    return developed(recipe(rng, SHAPES[seed % len(SHAPES)]), rng, grains, vignette, blur)


def main() -> None:
    """Write all into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in RECIPES:
        picture(name).save(folder / f"{name}.jpg", quality=92)


if __name__ == "__main__":
    main()
