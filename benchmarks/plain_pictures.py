"""Draw pictures without a subject: `python -m benchmarks.plain_pictures FOLDER` writes 98, the same each time.

Skies, walls, grounds, cloths, patterns, pages, blurred backgrounds, and wide open land and sea: none of them has
anything to cut out, so nobg should skip each with "no clear subject". They are computed from noise with a fixed seed
for each picture, so no third party has rights to them. The bytes may differ a little between versions of numpy and
Pillow.

scenes.py and pages.py draw; RECIPES has the parameters of each picture.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from benchmarks import pages, scenes
from benchmarks.drawing import Picture, photograph

SHAPES = ((768, 1024), (1024, 768), (900, 900), (640, 1136))
"""Height and width in pixels."""

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

grass = partial(scenes.strokes, count=26000, length=0.06, turn=22, stops=GREENS)
meadow = partial(
    scenes.strokes, count=30000, length=0.03, turn=30, stops=((0.2, 0.3, 0.08), (0.5, 0.55, 0.2), (0.75, 0.7, 0.4))
)
sea = partial(scenes.waves, size=0.08, stretch=4, strength=0.05, stops=SEA)
beach = partial(scenes.rough_surface, colour=(0.82, 0.72, 0.56), size=0.03, strength=0.02)
boards = partial(scenes.planks, count=9, dark=(0.30, 0.18, 0.10), light=(0.66, 0.46, 0.28))
white_wall = partial(scenes.rough_surface, colour=(0.86, 0.85, 0.82), size=0.05, strength=0.012)

Recipe = Callable[[Generator, tuple[int, int]], Picture]
Camera = tuple[float, float, float]
"""Noise, vignette and blur, as `drawing.photograph` takes them."""
PHOTO: Camera = (0.012, 0.25, 0.6)
SCREEN: Camera = (0.0, 0.0, 0.0)
DARK: Camera = (0.03, 0.4, 0.8)
SOFT: Camera = (0.01, 0.3, 14)

RECIPES: dict[str, tuple[Recipe, Camera]] = {
    "sky-clear": (partial(scenes.gradient, stops=BLUE_SKY), PHOTO),
    "sky-clear-deep": (partial(scenes.gradient, stops=((0.05, 0.18, 0.5), (0.2, 0.45, 0.8)), angle=70), PHOTO),
    "sky-dusk": (partial(scenes.gradient, stops=DUSK), PHOTO),
    "sky-overcast": (partial(scenes.sky, above=GREY_SKY, cloud=GREY_CLOUD, cover=0.9), PHOTO),
    "sky-cumulus": (partial(scenes.sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.4), PHOTO),
    "sky-cumulus-many": (partial(scenes.sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.7), PHOTO),
    "sky-cirrus": (partial(scenes.sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.5, stretch=(0.6, 6)), PHOTO),
    "sky-storm": (partial(scenes.sky, above=GREY_SKY, cloud=((0.15, 0.17, 0.2), (0.5, 0.5, 0.52)), cover=0.8), PHOTO),
    "sky-sunset": (
        partial(scenes.sky, above=DUSK, cloud=((0.35, 0.2, 0.3), (1.0, 0.7, 0.5)), cover=0.5, stretch=(0.8, 4)),
        PHOTO,
    ),
    "sky-fog": (partial(scenes.fog, dark=(0.55, 0.58, 0.60), light=(0.86, 0.87, 0.88)), PHOTO),
    "sky-fog-dark": (partial(scenes.fog, dark=(0.10, 0.12, 0.15), light=(0.42, 0.45, 0.48)), DARK),
    "sky-smoke": (partial(scenes.fog, dark=(0.30, 0.24, 0.2), light=(0.85, 0.72, 0.55)), PHOTO),
    "sky-stars": (partial(scenes.stars, count=1500, veil=0.3), DARK),
    "sky-stars-few": (partial(scenes.stars, count=250, veil=0), (0.02, 0.1, 0.3)),
    "sky-milky-way": (partial(scenes.stars, count=6000, veil=1.6), (0.02, 0.2, 0.4)),
    "light-gradient": (partial(scenes.gradient, stops=((0.9, 0.4, 0.5), (0.3, 0.3, 0.8)), angle=35), SCREEN),
    "light-gradient-grey": (partial(scenes.gradient, stops=((0.2, 0.2, 0.2), (0.9, 0.9, 0.9)), angle=0), SCREEN),
    "light-gradient-rainbow": (
        partial(scenes.gradient, stops=((0.9, 0.2, 0.2), (0.9, 0.8, 0.2), (0.2, 0.7, 0.4), (0.2, 0.3, 0.8)), angle=20),
        SCREEN,
    ),
    "light-backdrop": (partial(scenes.glow, stops=((0.85, 0.85, 0.84), (0.45, 0.45, 0.46)), out=0.45), PHOTO),
    "light-backdrop-dark": (partial(scenes.glow, stops=((0.35, 0.35, 0.38), (0.05, 0.05, 0.06)), out=0.3), DARK),
    "light-backdrop-green": (partial(scenes.glow, stops=((0.2, 0.75, 0.3), (0.08, 0.45, 0.15)), out=0.4), PHOTO),
    "blank-white": (partial(scenes.gradient, stops=(WHITE, (0.92, 0.92, 0.91))), PHOTO),
    "blank-black": (partial(scenes.gradient, stops=(BLACK, (0.02, 0.02, 0.02))), DARK),
    "blank-grey": (partial(scenes.gradient, stops=((0.5, 0.5, 0.5), (0.51, 0.51, 0.51))), SCREEN),
    "blur-garden": (partial(scenes.blurred_backdrop, stops=(*GREENS, (0.8, 0.85, 0.6)), size=0.35), SOFT),
    "blur-street": (
        partial(scenes.blurred_backdrop, stops=(*GREYS, (0.55, 0.35, 0.25), (0.8, 0.8, 0.85)), size=0.3),
        SOFT,
    ),
    "blur-room": (partial(scenes.blurred_backdrop, stops=(*BROWNS, (0.9, 0.85, 0.75)), size=0.5), SOFT),
    "blur-dark": (
        partial(scenes.blurred_backdrop, stops=((0.03, 0.03, 0.05), (0.2, 0.17, 0.15), (0.35, 0.3, 0.2)), size=0.4),
        SOFT,
    ),
    "blur-lights": (partial(scenes.bokeh, count=70, size=0.05, ground=(0.05, 0.05, 0.09)), (0.015, 0.2, 2)),
    "blur-lights-small": (partial(scenes.bokeh, count=260, size=0.018, ground=(0.10, 0.07, 0.05)), (0.015, 0.2, 2)),
    "blur-lights-day": (partial(scenes.bokeh, count=110, size=0.06, ground=(0.25, 0.33, 0.15)), (0.01, 0.2, 6)),
    "wall-white": (white_wall, PHOTO),
    "wall-yellow": (partial(scenes.rough_surface, colour=(0.85, 0.70, 0.40), size=0.04, strength=0.02), PHOTO),
    "wall-rough": (partial(scenes.rough_surface, colour=(0.60, 0.58, 0.55), size=0.1, strength=0.04), PHOTO),
    "wall-concrete": (partial(scenes.rough_surface, colour=(0.55, 0.55, 0.54), size=0.4, strength=0.008), PHOTO),
    "wall-brick": (partial(scenes.bricks, rows=14, stops=REDS, mortar=(0.70, 0.67, 0.62), shift=0.5, ratio=3), PHOTO),
    "wall-brick-large": (
        partial(scenes.bricks, rows=7, stops=REDS, mortar=(0.55, 0.52, 0.48), shift=0.5, ratio=3),
        PHOTO,
    ),
    "wall-brick-white": (
        partial(
            scenes.bricks,
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
            scenes.bricks,
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
            scenes.bricks,
            rows=9,
            stops=((0.82, 0.86, 0.88), (0.9, 0.93, 0.94)),
            mortar=(0.6, 0.6, 0.6),
            shift=0,
            ratio=1,
        ),
        PHOTO,
    ),
    "wall-mosaic": (
        partial(
            scenes.bricks,
            rows=30,
            stops=((0.1, 0.3, 0.45), (0.3, 0.6, 0.7), (0.7, 0.85, 0.9)),
            mortar=WHITE,
            shift=0,
            ratio=1,
        ),
        PHOTO,
    ),
    "wall-blocks": (
        partial(scenes.bricks, rows=6, stops=GREYS[1:], mortar=(0.45, 0.44, 0.42), shift=0.5, ratio=2),
        PHOTO,
    ),
    "wall-stones": (partial(scenes.stones, size=90, stops=GREYS, gap=(0.2, 0.19, 0.17), squeeze=1.6), PHOTO),
    "wall-planks": (boards, PHOTO),
    "wall-planks-white": (partial(scenes.planks, count=7, dark=(0.62, 0.60, 0.56), light=(0.90, 0.89, 0.86)), PHOTO),
    "wall-planks-grey": (partial(scenes.planks, count=14, dark=(0.25, 0.24, 0.22), light=(0.62, 0.60, 0.57)), PHOTO),
    "wall-veneer": (partial(scenes.planks, count=1, dark=(0.48, 0.30, 0.16), light=(0.80, 0.60, 0.38)), PHOTO),
    "ground-grass": (grass, PHOTO),
    "ground-grass-dry": (partial(scenes.strokes, count=22000, length=0.07, turn=50, stops=SAND), PHOTO),
    "ground-lawn": (partial(scenes.strokes, count=40000, length=0.025, turn=35, stops=GREENS), PHOTO),
    "ground-straw": (partial(scenes.strokes, count=9000, length=0.2, turn=90, stops=SAND, width=3), PHOTO),
    "ground-needles": (partial(scenes.strokes, count=15000, length=0.08, turn=90, stops=BROWNS), PHOTO),
    "ground-leaves": (partial(scenes.leaves, count=3000, size=0.04, stops=(*BROWNS, (0.75, 0.45, 0.15))), PHOTO),
    "ground-leaves-green": (partial(scenes.leaves, count=3500, size=0.035, stops=GREENS), PHOTO),
    "ground-chips": (partial(scenes.leaves, count=7000, size=0.022, stops=(*BROWNS, (0.85, 0.7, 0.5))), PHOTO),
    "ground-gravel": (partial(scenes.stones, size=22, stops=GREYS, gap=(0.15, 0.14, 0.13)), PHOTO),
    "ground-gravel-fine": (
        partial(scenes.stones, size=10, stops=(*GREYS, (0.6, 0.5, 0.4)), gap=(0.3, 0.28, 0.25)),
        PHOTO,
    ),
    "ground-pebbles": (
        partial(scenes.stones, size=45, stops=((0.35, 0.33, 0.32), (0.8, 0.76, 0.7)), gap=(0.1, 0.1, 0.1), squeeze=1.3),
        PHOTO,
    ),
    "ground-cobbles": (partial(scenes.stones, size=70, stops=GREYS[:2], gap=(0.16, 0.15, 0.12)), PHOTO),
    "ground-sand": (beach, PHOTO),
    "ground-sand-rippled": (partial(scenes.waves, size=0.3, stretch=5, strength=0.03, stops=SAND), PHOTO),
    "ground-snow": (partial(scenes.rough_surface, colour=(0.92, 0.94, 0.98), size=0.3, strength=0.01), PHOTO),
    "ground-asphalt": (partial(scenes.rough_surface, colour=(0.30, 0.30, 0.31), size=0.008, strength=0.03), PHOTO),
    "ground-soil": (partial(scenes.rough_surface, colour=(0.33, 0.23, 0.16), size=0.06, strength=0.05), PHOTO),
    "ground-paving": (
        partial(scenes.bricks, rows=10, stops=GREYS[1:], mortar=(0.3, 0.3, 0.28), shift=0.5, ratio=1.5),
        PHOTO,
    ),
    "water": (sea, PHOTO),
    "water-pool": (
        partial(scenes.waves, size=0.25, stretch=1.2, strength=0.03, stops=((0.1, 0.5, 0.65), (0.6, 0.9, 0.95))),
        PHOTO,
    ),
    "water-dark": (
        partial(scenes.waves, size=0.15, stretch=3, strength=0.06, stops=((0.02, 0.05, 0.08), (0.2, 0.26, 0.3))),
        DARK,
    ),
    "land-sea": (
        partial(
            scenes.land,
            above=partial(scenes.sky, above=BLUE_SKY, cloud=WHITE_CLOUD, cover=0.3),
            ground=sea,
            height=0.45,
            haze=(0.7, 0.8, 0.87),
        ),
        PHOTO,
    ),
    "land-sea-dusk": (
        partial(scenes.land, above=partial(scenes.gradient, stops=DUSK), ground=sea, height=0.6, haze=(0.75, 0.5, 0.4)),
        PHOTO,
    ),
    "land-meadow": (
        partial(
            scenes.land,
            above=partial(scenes.gradient, stops=BLUE_SKY),
            ground=meadow,
            height=0.4,
            haze=(0.65, 0.72, 0.6),
        ),
        PHOTO,
    ),
    "land-desert": (
        partial(
            scenes.land, above=partial(scenes.gradient, stops=BLUE_SKY), ground=beach, height=0.5, haze=(0.85, 0.8, 0.7)
        ),
        PHOTO,
    ),
    "land-snow": (
        partial(
            scenes.land,
            above=partial(scenes.sky, above=GREY_SKY, cloud=GREY_CLOUD, cover=0.8),
            ground=white_wall,
            height=0.5,
            haze=(0.8, 0.82, 0.85),
        ),
        PHOTO,
    ),
    "room-planks": (partial(scenes.room, wall=white_wall, ground=boards, height=0.55), PHOTO),
    "room-tiles": (
        partial(
            scenes.room,
            wall=partial(scenes.rough_surface, colour=(0.6, 0.7, 0.72), size=0.03, strength=0.01),
            ground=partial(scenes.bricks, rows=9, stops=GREYS[1:], mortar=WHITE, shift=0, ratio=1),
            height=0.4,
        ),
        PHOTO,
    ),
    "cloth-linen": (partial(scenes.weave, threads=110, warp=(0.80, 0.75, 0.65), weft=(0.70, 0.65, 0.55)), PHOTO),
    "cloth-jeans": (
        partial(scenes.weave, threads=160, warp=(0.15, 0.22, 0.42), weft=(0.65, 0.68, 0.75), twill=3),
        PHOTO,
    ),
    "cloth-wool": (partial(scenes.weave, threads=40, warp=(0.55, 0.18, 0.2), weft=(0.45, 0.15, 0.17)), PHOTO),
    "cloth-carpet": (
        partial(scenes.strokes, count=60000, length=0.012, turn=60, stops=((0.3, 0.1, 0.12), (0.6, 0.25, 0.25))),
        PHOTO,
    ),
    "cloth-stripes": (partial(scenes.stripes, count=24, colours=(WHITE, (0.3, 0.45, 0.65)), angle=0), PHOTO),
    "cloth-checks": (partial(scenes.checks, count=10, ground=WHITE, colour=(0.75, 0.15, 0.15)), PHOTO),
    "pattern-dots": (
        partial(scenes.dots, count=12, size=0.22, ground=(0.9, 0.86, 0.78), colour=(0.3, 0.5, 0.5)),
        PHOTO,
    ),
    "pattern-zigzag": (partial(scenes.zigzag, count=11, colours=(WHITE, (0.9, 0.7, 0.2), (0.3, 0.3, 0.35))), SCREEN),
    "pattern-diagonal": (
        partial(scenes.stripes, count=9, colours=((0.2, 0.3, 0.3), (0.8, 0.6, 0.4), (0.9, 0.85, 0.75)), angle=40),
        SCREEN,
    ),
    "noise-static": (partial(scenes.specks, size=3, colour=False, contrast=0.25), SCREEN),
    "noise-colour": (partial(scenes.specks, size=1, colour=True, contrast=0.2), SCREEN),
    "noise-covered-lens": (partial(scenes.gradient, stops=((0.06, 0.05, 0.05), (0.09, 0.07, 0.06))), (0.08, 0.3, 0)),
    "page-text": (partial(pages.page, size=18, columns=1, tilt=0.0), SCREEN),
    "page-text-scan": (partial(pages.page, size=16, columns=1, tilt=1.2), (0.03, 0.1, 0.7)),
    "page-columns": (partial(pages.page, size=15, columns=2, tilt=-0.6), (0.02, 0.15, 0.5)),
    "page-newspaper": (partial(pages.page, size=13, columns=4, tilt=0.4, paper=(0.85, 0.82, 0.74)), (0.03, 0.2, 0.6)),
    "page-large-print": (partial(pages.page, size=40, columns=1, tilt=0.0, ink=(0.1, 0.15, 0.4)), SCREEN),
    "page-terminal": (partial(pages.terminal, size=17, ground=(0.10, 0.11, 0.13), colours=CODE), SCREEN),
    "page-program": (
        partial(pages.terminal, size=22, ground=WHITE, colours=((0.1, 0.1, 0.1), (0.5, 0.1, 0.4), (0.1, 0.3, 0.6))),
        SCREEN,
    ),
    "page-table": (partial(pages.table, rows=26, columns=7, tilt=0.0, shaded=True), SCREEN),
    "page-table-scan": (partial(pages.table, rows=20, columns=5, tilt=-1.5, shaded=False), (0.03, 0.2, 0.8)),
    "page-ruled": (partial(pages.ruled, rows=28, squared=False, tilt=0.8), PHOTO),
    "page-squared": (partial(pages.ruled, rows=40, squared=True, tilt=0.0), SCREEN),
}


def draw_picture(name: str) -> Image.Image:
    """Return the picture of RECIPES called `name`: 8-bit RGB, about 0.8 megapixels.

    Its shape and its random numbers depend on the name alone.
    """
    recipe, (noise, vignette, blur) = RECIPES[name]
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng(seed)
    return photograph(recipe(rng, SHAPES[seed % len(SHAPES)]), rng, noise, vignette, blur)


def main() -> None:
    """Write all pictures into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in RECIPES:
        draw_picture(name).save(folder / f"{name}.jpg", quality=92)


if __name__ == "__main__":
    main()
