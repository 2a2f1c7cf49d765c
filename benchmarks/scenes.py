"""Scenes without a subject: skies, lights, walls, grounds, water, land, rooms, cloth and patterns.

Each function takes a generator and the shape (H, W), and returns a picture as drawing.py describes it. The order in
which a function draws random numbers is part of its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.drawing import (
    Colour,
    Picture,
    cycle_colours,
    fractal_noise,
    map_colours,
    multiply,
    normalise,
    perspective_floor,
    pixel_positions,
    shade_relief,
    voronoi_cells,
    white_noise,
)

# Skies and light


def gradient(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], angle: float = 90) -> Picture:
    """A clear sky, or any even change of colour. `angle`: its direction in degrees; 90 is from top to bottom."""
    y, x = pixel_positions(shape)
    turn = np.deg2rad(angle)
    bend = 0.05 * fractal_noise(rng, shape, 2, 0.2)
    return map_colours(normalise((np.sin(turn) * y + np.cos(turn) * x).astype(np.float32) + bend), *stops)


def glow(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], out: float = 0.3) -> Picture:
    """Light on a plain backdrop that falls off from a point beside the middle."""
    y, x = pixel_positions(shape)
    distance = np.hypot(y - out, x - out - 0.4 * float(rng.random())).astype(np.float32)
    return map_colours(normalise(distance), *stops)


def sky(
    rng: Generator,
    shape: tuple[int, int],
    *,
    above: Sequence[Colour],
    cloud: Sequence[Colour],
    cover: float,
    stretch: tuple[float, float] = (1, 2),
) -> Picture:
    """Clouds before a gradient of colours. `cover`: the fraction of the sky that they hide, 0..1."""
    amount = fractal_noise(rng, shape, 0.45, 0.55, stretch)
    edge = float(np.quantile(amount, 1 - cover))
    veil = np.clip((amount - edge) / 0.3, 0, 1) ** 0.8
    clouds = map_colours(fractal_noise(rng, shape, 0.3, 0.5, stretch), *cloud)
    return np.asarray(gradient(rng, shape, stops=above) * (1 - veil[..., None]) + clouds * veil[..., None], np.float32)


def fog(rng: Generator, shape: tuple[int, int], *, dark: Colour, light: Colour) -> Picture:
    """Soft patches of low contrast, lighter towards the top."""
    y, _ = pixel_positions(shape)
    return map_colours(normalise(fractal_noise(rng, shape, 1.2, 0.35, (1, 3)) - 0.7 * y), dark, light)


def stars(rng: Generator, shape: tuple[int, int], *, count: int, veil: float) -> Picture:
    """A night sky: few bright stars, many faint ones, and a band of light of strength `veil`."""
    light = np.zeros(shape, np.float32)
    rows, columns = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    np.add.at(light, (rows, columns), rng.pareto(1.3, count).astype(np.float32) * 0.5)
    spots = np.asarray(
        Image.fromarray((np.clip(light, 0, 4) * 60).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.1))
    )
    y, x = pixel_positions(shape)
    band = np.exp(-(((y - 0.3 - 0.35 * x) / 0.22) ** 2)) * fractal_noise(rng, shape, 0.3, 0.6) * veil
    picture = map_colours((0.1 + band).astype(np.float32), (0.01, 0.01, 0.03), (0.45, 0.42, 0.5))
    return picture + np.asarray(spots, np.float32)[..., None] / 40


def bokeh(rng: Generator, shape: tuple[int, int], *, count: int, size: float, ground: Colour) -> Picture:
    """Points of light far out of focus. `size`: their radius in heights of the picture."""
    y, x = pixel_positions(shape)
    picture = np.broadcast_to(np.asarray(ground, np.float32), (*shape, 3)).copy()
    for _ in range(count):
        centre, radius = rng.random(2) * (1, shape[1] / shape[0]), size * rng.uniform(0.6, 1.2)
        disc = np.clip((radius - np.hypot(y - centre[0], x - centre[1])) * 80, 0, 1).astype(np.float32)
        colour = np.asarray([1, rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.8)], np.float32) * rng.uniform(0.1, 0.45)
        picture += disc[..., None] * colour.astype(np.float32)
    return picture


def blurred_backdrop(rng: Generator, shape: tuple[int, int], *, stops: Sequence[Colour], size: float) -> Picture:
    """The blurred background of a portrait: soft patches of the given colours."""
    patches = fractal_noise(rng, shape, size, 0.35)
    light = 0.7 + 0.6 * fractal_noise(rng, shape, size * 1.7, 0.3)
    return multiply(map_colours(patches, *stops), np.asarray(light, np.float32))


# Walls and grounds


def rough_surface(rng: Generator, shape: tuple[int, int], *, colour: Colour, size: float, strength: float) -> Picture:
    """A rough even surface, lit from the side: plaster, concrete, paper, snow, sand, asphalt."""
    stains = 0.9 + 0.2 * fractal_noise(rng, shape, 0.8, 0.5)
    light = shade_relief(fractal_noise(rng, shape, size, 0.75), strength)
    return multiply(
        map_colours(np.full(shape, 0.5, np.float32), colour, colour), np.asarray(stains * light, np.float32)
    )


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
    """Bricks, tiles or paving. `shift`: of each row, in bricks. `ratio`: the width of a brick to its height."""
    y, x = pixel_positions(shape)
    wobble = 0.0015 * fractal_noise(rng, shape, 0.05)
    row = np.floor((y + wobble) * rows)
    along = x * rows / ratio + row * shift
    number = np.floor(along).astype(np.intp)
    shades = rng.random((rows + 2, int(number.max()) + 2), np.float32)
    tone = shades[row.astype(np.intp), number] * 0.7 + 0.3 * fractal_noise(rng, shape, 0.06, 0.7)
    inside = np.minimum(
        np.minimum(y * rows - row, row + 1 - y * rows), np.minimum(along - number, number + 1 - along) * ratio
    )
    joint = np.clip((inside - 0.05) / 0.04, 0, 1).astype(np.float32)[..., None]
    surface = multiply(map_colours(tone, *stops), shade_relief(fractal_noise(rng, shape, 0.02, 0.8), 0.02))
    return np.asarray(surface * joint + np.asarray(mortar, np.float32) * (1 - joint), np.float32)


def stones(
    rng: Generator, shape: tuple[int, int], *, size: int, stops: Sequence[Colour], gap: Colour, squeeze: float = 1
) -> Picture:
    """Gravel, cobbles or a dry stone wall."""
    tone, depth = voronoi_cells(rng, shape, size, squeeze)
    round_off = np.clip(depth * 2.2, 0, 1) ** 0.5
    surface = multiply(
        map_colours(tone * 0.8 + 0.2 * fractal_noise(rng, shape, 0.04, 0.8), *stops),
        shade_relief(round_off, 0.02 * size / 24),
    )
    return np.asarray(
        surface * round_off[..., None] + np.asarray(gap, np.float32) * (1 - round_off[..., None]), np.float32
    )


def planks(rng: Generator, shape: tuple[int, int], *, count: int, dark: Colour, light: Colour) -> Picture:
    """Wooden boards side by side, with their grain; a single board is a veneer."""
    _, x = pixel_positions(shape)
    edge = x * count * shape[0] / shape[1]
    board = np.floor(edge)
    tone = rng.random(count + 1, dtype=np.float32)[board.astype(np.intp)]
    offset = rng.random(count + 1, dtype=np.float32)[board.astype(np.intp)] * 9
    rings = 0.5 + 0.5 * np.sin((x * 60 + offset + 14 * fractal_noise(rng, shape, 0.6, 0.4, (5, 1))) * 2)
    fibre = fractal_noise(rng, shape, 0.02, 0.8, (40, 0.6))
    wood = map_colours(np.asarray(0.25 * tone + 0.3 * rings + 0.45 * fibre, np.float32), dark, light)
    gap = np.clip(np.minimum(edge - board, board + 1 - edge) * 60, 0.25, 1) if count > 1 else np.ones(shape)
    return multiply(wood, gap.astype(np.float32))


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
    """Grass, straw, fur or fallen needles: many thin strokes. `turn`: the deviation of their direction, in degrees."""
    image = Image.new("RGB", (shape[1], shape[0]), tuple(int(255 * part * 0.6) for part in stops[0]))
    draw = ImageDraw.Draw(image)
    colours = (map_colours(rng.random((count, 1), np.float32), *stops)[:, 0] * 255).astype(int)
    ys, xs = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    angles, lengths = np.deg2rad(rng.normal(-90, turn, count)), shape[0] * length * rng.uniform(0.5, 1.2, count)
    for colour, y, x, angle, reach in zip(colours, ys, xs, angles, lengths, strict=True):
        end = (x + reach * np.cos(angle), y + reach * np.sin(angle))
        draw.line([(float(x), float(y)), (float(end[0]), float(end[1]))], fill=tuple(map(int, colour)), width=width)
    return np.asarray(image, np.float32) / 255


def leaves(rng: Generator, shape: tuple[int, int], *, count: int, size: float, stops: Sequence[Colour]) -> Picture:
    """Fallen leaves, chips or petals that cover each other."""
    image = Image.new("RGB", (shape[1], shape[0]), tuple(int(128 * part) for part in stops[0]))
    draw = ImageDraw.Draw(image)
    for _ in range(count):
        centre, turn = rng.random(2) * (shape[1], shape[0]), rng.uniform(0, 2 * np.pi)
        around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        points = np.stack([np.cos(around), 0.5 * np.sin(around)], 1) * shape[0] * size * rng.uniform(0.6, 1.2, (12, 1))
        points = points @ np.asarray([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        colour = map_colours(rng.random((1, 1), np.float32), *stops)[0, 0] * 255
        draw.polygon([(float(a), float(b)) for a, b in points], fill=tuple(map(int, colour)))
    return np.asarray(image, np.float32) / 255


def waves(
    rng: Generator, shape: tuple[int, int], *, size: float, stretch: float, strength: float, stops: Sequence[Colour]
) -> Picture:
    """Water or rippled sand: long folds, lit from the side."""
    relief = fractal_noise(rng, shape, size, 0.55, (1, stretch))
    folds = 0.5 + 0.5 * np.sin(relief * 40).astype(np.float32)
    tone = 0.6 * relief + 0.4 * folds
    return multiply(map_colours(tone.astype(np.float32), *stops), shade_relief(folds * np.float32(0.3), strength))


def join_at_horizon(rng: Generator, above: Picture, ground: Picture, height: float, haze: Colour) -> Picture:
    """Land or sea under a sky: `ground` as a floor below `height` (0..1 from above). Both pictures are (H, W, 3)."""
    result = perspective_floor(ground, height, haze)
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
    """A sky over a ground, each drawn by its own recipe."""
    return join_at_horizon(rng, above(rng, shape), ground(rng, shape), height, haze)


def room(
    rng: Generator,
    shape: tuple[int, int],
    *,
    wall: Callable[[Generator, tuple[int, int]], Picture],
    ground: Callable[[Generator, tuple[int, int]], Picture],
    height: float,
) -> Picture:
    """An empty room: a floor that meets a wall."""
    behind = wall(rng, shape)
    result = perspective_floor(ground(rng, shape), height, (0.4, 0.38, 0.36))
    top = round(shape[0] * height)
    result[:top] = behind[:top]
    shade = 1 - 0.25 * np.exp(-np.abs(np.arange(shape[0]) - top) / (0.04 * shape[0]))
    return multiply(result, np.broadcast_to(shade.astype(np.float32)[:, None], shape))


# Cloth and patterns


def weave(
    rng: Generator, shape: tuple[int, int], *, threads: int, warp: Colour, weft: Colour, twill: int = 1
) -> Picture:
    """Woven cloth in soft folds. `twill`: 1 for plain weave, 2 or 3 for jeans."""
    y, x = pixel_positions(shape)
    fold = 0.012 * fractal_noise(rng, shape, 0.7, 0.4)
    down, across = (y + fold) * threads, (x + fold) * threads
    over = ((np.floor(down) + np.floor(across)) % (twill + 1) < twill)[..., None]
    first, second = np.asarray(warp, np.float32), np.asarray(weft, np.float32)
    roundness = np.where(over[..., 0], np.sin(np.pi * (across % 1)), np.sin(np.pi * (down % 1)))
    light = (0.65 + 0.35 * roundness) * (0.8 + 0.4 * fractal_noise(rng, shape, 0.5, 0.4)) + 0.04 * white_noise(
        rng, shape, 2
    )
    return multiply(np.where(over, first, second), light.astype(np.float32))


def stripes(
    rng: Generator, shape: tuple[int, int], *, count: float, colours: Sequence[Colour], angle: float
) -> Picture:
    """Stripes of wallpaper or cloth. `angle` in degrees."""
    y, x = pixel_positions(shape)
    turn = np.deg2rad(angle)
    along = (np.sin(turn) * y + np.cos(turn) * x) * count + rng.random()
    return cycle_colours(along, colours)


def checks(rng: Generator, shape: tuple[int, int], *, count: int, ground: Colour, colour: Colour) -> Picture:
    """A tablecloth: stripes both ways, darker where they meet."""
    y, x = pixel_positions(shape)
    amount = ((y * count + rng.random()) % 1 < 0.5) * 0.5 + ((x * count + rng.random()) % 1 < 0.5) * 0.5
    return map_colours(amount.astype(np.float32), ground, colour)


def dots(rng: Generator, shape: tuple[int, int], *, count: int, size: float, ground: Colour, colour: Colour) -> Picture:
    """Wallpaper or cloth with dots, every other row shifted. `size`: their radius, as a fraction of their distance."""
    y, x = pixel_positions(shape)
    down = y * count + rng.random()
    across = x * count + 0.5 * (np.floor(down) % 2)
    inside = np.hypot(down % 1 - 0.5, across % 1 - 0.5)
    return map_colours(np.clip((size - inside) * 12, 0, 1).astype(np.float32), ground, colour)


def zigzag(rng: Generator, shape: tuple[int, int], *, count: int, colours: Sequence[Colour]) -> Picture:
    """Zigzag lines, one below the other."""
    y, x = pixel_positions(shape)
    along = y * count + 0.8 * np.abs((x * count * 0.7 + rng.random()) % 2 - 1)
    return cycle_colours(along, colours)


def specks(rng: Generator, shape: tuple[int, int], *, size: int, colour: bool, contrast: float) -> Picture:
    """Specks of `size` pixels, grey or coloured: a screen without a signal, a covered lens."""
    planes = [white_noise(rng, shape, size) for _ in range(3)] if colour else [white_noise(rng, shape, size)] * 3
    return np.asarray(0.5 + contrast * np.stack(planes, 2), np.float32)
