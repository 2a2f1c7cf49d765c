"""Pages without a subject: text, program text, tables and empty paper, as scanned or as a screen shows them.

Each function that takes a shape (H, W) returns a picture as drawing.py describes it. The order in which a function
draws random numbers is part of its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawing import Colour, Picture, fractal_noise, multiply

TEXT = (
    "the of account under river carried and in which a year between light seven to paper measure from north "
    "with small as evening letters for price, not had. When number is on garden by at whole field morning: "
    "street table, water of it be. Report were section through (second) village, company winter's general 1874 "
    "engine every £12 moved window"
)
WORDS = TEXT.split()
INK, PAPER = (0.12, 0.12, 0.14), (0.95, 0.94, 0.91)


def random_text(rng: Generator, letters: int) -> str:
    """Return random words, cut to `letters` letters."""
    line = ""
    while len(line) < letters:
        line += str(rng.choice(WORDS)) + " "
    return line[:letters].strip()


def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, so that pages look the same on each machine."""
    return ImageFont.load_default(size)


def scan(image: Image.Image, rng: Generator, tilt: float) -> Picture:
    """Return a page as a scanner or a phone delivers it: turned by `tilt` degrees and unevenly lit."""
    paper = image.getpixel((1, 1))
    turned = image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=paper)
    light = 0.92 + 0.1 * fractal_noise(rng, (image.height, image.width), 1.5, 0.3)
    return multiply(np.asarray(turned, np.float32) / 255, np.asarray(light, np.float32))


def to_bytes(colour: Colour) -> tuple[int, int, int]:
    """Return the colour in 0..255."""
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
    """Text in columns, with paragraphs, a headline and margins."""
    height, width = shape
    image = Image.new("RGB", (width, height), to_bytes(paper))
    draw, fill = ImageDraw.Draw(image), to_bytes(ink)
    margin, top = width // 14, height // 14
    draw.text((margin, top), random_text(rng, 24), fill, load_font(size * 2))
    column = (width - margin) // columns
    for left in range(margin, width - margin, column):
        y = top + size * 4
        while y < height - top:
            letters = int((column - margin) / (size * 0.5) * (0.5 if rng.random() < 0.15 else 1))
            draw.text((left, y), random_text(rng, max(letters, 4)), fill, load_font(size))
            y += round(size * (2.4 if rng.random() < 0.12 else 1.4))
    return scan(image, rng, tilt)


def terminal(
    rng: Generator, shape: tuple[int, int], *, size: int, ground: Colour, colours: Sequence[Colour]
) -> Picture:
    """A screen of program text or a log: indented lines in several colours."""
    image = Image.new("RGB", (shape[1], shape[0]), to_bytes(ground))
    draw = ImageDraw.Draw(image)
    for y in range(size // 2, shape[0] - size, round(size * 1.35)):
        x = size * (1 + 2 * int(rng.integers(0, 4)))
        for _ in range(int(rng.integers(0, 5))):
            word = random_text(rng, int(rng.integers(4, 18)))
            draw.text((x, y), word, to_bytes(colours[int(rng.integers(len(colours)))]), load_font(size))
            x += round(draw.textlength(word, load_font(size))) + size // 2
    return np.asarray(image, np.float32) / 255


def table(rng: Generator, shape: tuple[int, int], *, rows: int, columns: int, tilt: float, shaded: bool) -> Picture:
    """A sheet of figures with ruled lines. `shaded`: every other row is tinted, as spreadsheets show it."""
    image = Image.new("RGB", (shape[1], shape[0]), to_bytes((1, 1, 1)))
    draw, size = ImageDraw.Draw(image), round(shape[0] / rows * 0.5)
    ys = np.linspace(shape[0] * 0.04, shape[0] * 0.96, rows + 1).astype(int).tolist()
    xs = np.linspace(shape[1] * 0.05, shape[1] * 0.95, columns + 1).astype(int).tolist()
    for number, (top, bottom) in enumerate(pairwise(ys)):
        ground = (205, 216, 230) if number == 0 else (240, 243, 247) if shaded and number % 2 else (255, 255, 255)
        for left, right in pairwise(xs):
            draw.rectangle((left, top, right, bottom), ground, (150, 150, 155))
            text = random_text(rng, 9) if left == xs[0] or number == 0 else f"{rng.normal(0, 900):.1f}"
            draw.text((left + size // 2, top + size // 3), text, to_bytes(INK), load_font(size))
    return scan(image, rng, tilt)


def ruled(rng: Generator, shape: tuple[int, int], *, rows: int, squared: bool, tilt: float) -> Picture:
    """An empty sheet of lined or squared paper."""
    image = Image.new("RGB", (shape[1], shape[0]), (247, 246, 240))
    draw, step = ImageDraw.Draw(image), shape[0] / rows
    for number in range(1, rows):
        draw.line((0, number * step, shape[1], number * step), (150, 175, 210), 2)
    for number in range(1, int(shape[1] / step) + 1 if squared else 0):
        draw.line((number * step, 0, number * step, shape[0]), (150, 175, 210), 2)
    return scan(image, rng, tilt)
