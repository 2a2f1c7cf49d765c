"""Make the pictures of docs/recipes.md with the real command: `python docs/make_pictures.py`, from a set-up nobg."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).resolve().parent
SAMPLES = DOCS.parent / "assets" / "samples"
SIDE = 260

SHOP = """
[recipes.shop]
background = "white"
crop = true
canvas = "2000x2000"
padding = "5%"
shadow = true
format = "jpeg"
"""

PICTURES = {
    "transparent": ("coffee", "--recipe transparent"),
    "shop": ("coffee", "--recipe shop"),
    "card": ("coffee", "--background #ffcc00 --crop 8% --shadow 60 --canvas 4:5 --padding 8%"),
    "white": ("astronaut", "--recipe white"),
    "crop": ("astronaut", "--recipe crop"),
    "mask": ("astronaut", "--recipe mask"),
    "picture": ("astronaut", f"--background {SAMPLES / 'rocket.jpg'}"),
    "contain": ("astronaut", f"--background {SAMPLES / 'rocket.jpg'} --fit contain"),
    "placed": ("coffee", "--canvas 3:2 --placement bottom-left --crop --background silver"),
}
"""Name of the picture -> the sample, and what is said on the command line; README says the same."""


def cut_out(sample: str, options: str, home: Path) -> Image.Image:
    """What `nobg remove` writes."""
    command = [sys.executable, "-m", "watcher", "remove", str(SAMPLES / f"{sample}.jpg"), *options.split()]
    environment = os.environ | {"NOBG_HOME": str(home)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "-o", folder], env=environment, check=True, capture_output=True, text=True)
        with Image.open(done.stdout.rstrip("\n")) as image:
            return image.convert("RGBA")


def on_squares(image: Image.Image) -> Image.Image:
    """As image programs show what is transparent."""
    rows, columns = np.indices(image.size[::-1])
    grey = np.where((rows // 8 + columns // 8) % 2, 204, 255).astype(np.uint8)
    ground = Image.fromarray(grey).convert("RGBA")
    ground.alpha_composite(image)
    return ground.convert("RGB")


def main() -> None:
    """Write docs/pictures/recipes/NAME.jpg."""
    (DOCS / "pictures" / "recipes").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "config").mkdir()
        (home / "config" / "config.toml").write_text(SHOP)
        for picture, (sample, options) in PICTURES.items():
            image = cut_out(sample, options, home)
            image.thumbnail((SIDE, SIDE))
            on_squares(image).save(DOCS / "pictures" / "recipes" / f"{picture}.jpg", quality=88)


if __name__ == "__main__":
    main()
