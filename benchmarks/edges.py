"""How good are outlines and colours? `python benchmarks/edges.py DIR` measures both on photos with a true soft matte.

    python benchmarks/edges.py DIR [--cutouts FOLDER] [--theirs FOLDER] [--seconds]

DIR is a folder as `benchmarks/quality.py` describes; only the photos of kind `alpha` are used. `--cutouts` and
`--theirs`: folders of finished cut-outs (ID_nobg.png) by nobg and by rembg, whose own alphas are then judged, too.

Alpha: the true one, made small and as soft as a network's answer (shrunk by the factor named, blurred by the sigma
named), is stretched back by `watcher.edges.full_size` and bilinearly. Means over the photos of: MAE in the band that is
soft in either, sum of absolute differences / 1000, and the gradient error of quality.py.

Colours: the mean absolute difference, 0..255, in the edge band, between a composite and the one of the true alpha and
the true foreground, on white, on black and on green (0, 160, 60). The true foreground of a photo is not known: it is
solved from the photo and its true alpha by closed form (Levin, Lischinski and Weiss, TPAMI 2008, section 5; pymatting,
which has to be installed). It is known in `pasted`: that foreground, mixed by the true alpha with another photo of DIR.
Compared are nobg's colours, the photo's own (`copy`), and what rembg writes by default (`rembg`: colours multiplied by
alpha once more, its naive_cutout). With one alpha for all of them, the composites' errors are those of the colours,
and the same on each ground.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pymatting import estimate_foreground_cf
from scipy import ndimage

from watcher.matting import edges

Values = NDArray[np.float64]
GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "green (0, 160, 60)": (0, 160, 60)}
SMALLER = ((1.5, 1.5), (2.0, 1.5), (4.5, 0.7), (4.5, 1.5), (7.0, 2.5))
"""How many times smaller, and sigma of the blur in pixels of the small alpha: networks' answers have 1 to 3."""


@dataclass(frozen=True)
class Photo:
    """A photo (H, W, 3) with its true alpha (H, W), 0..1, and its true foreground (H, W, 3), 0..255."""

    name: str
    rgb: Image.Image
    alpha: Values
    front: Values

    def composite(self, ground: tuple[int, int, int]) -> Values:
        """As it should look on this ground."""
        return over(self.front, self.alpha, ground)


def over(front: Values, alpha: Values, ground: tuple[int, int, int]) -> Values:
    """Straight colours (H, W, 3), 0..255, over one colour."""
    share = alpha[..., None]
    return share * front + (1 - share) * np.array(ground, np.float64)


def photos(folder: Path) -> list[Photo]:
    """Those of kind `alpha`, with the foreground that closed form finds."""
    with (folder / "index.csv").open(newline="") as file:
        names = [row["id"] for row in csv.DictReader(file) if row["kind"] == "alpha"]
    result = []
    for name in names:
        with (
            Image.open(folder / "images" / f"{name}.jpg") as image,
            Image.open(folder / "masks" / f"{name}.png") as mask,
        ):
            rgb, alpha = image.convert("RGB"), np.asarray(mask.convert("L"), np.float64) / 255
        front = np.clip(estimate_foreground_cf(np.asarray(rgb, np.float64) / 255, alpha), 0, 1) * 255
        result.append(Photo(name, rgb, alpha, front))
    return result


def pasted(photo: Photo, other: Photo) -> Photo:
    """The foreground of one photo before another."""
    back = np.asarray(other.rgb.resize(photo.rgb.size, Image.Resampling.BICUBIC), np.float64)
    share = photo.alpha[..., None]
    mixed = np.rint(share * photo.front + (1 - share) * back).astype(np.uint8)
    return Photo(photo.name, Image.fromarray(mixed), photo.alpha, photo.front)


def colours(photo: Photo, alpha: NDArray[np.uint8]) -> dict[str, Values]:
    """The straight colours by which each way would show the photo, with this alpha."""
    own = np.asarray(photo.rgb, np.float64)
    return {
        "nobg": np.asarray(edges.estimate_foreground(photo.rgb, alpha), np.float64),
        "copy": own,
        "rembg": own * (alpha[..., None] / 255),
    }


def band(*alphas: Values) -> NDArray[np.bool_]:
    """Where one of them is neither 0 nor 1."""
    result = np.zeros(alphas[0].shape, np.bool_)
    for alpha in alphas:
        result |= (alpha > 0.5 / 255) & (alpha < 1 - 0.5 / 255)
    return result


def print_colours(title: str, cases: Iterable[Photo]) -> None:
    """One table: true alpha for all."""
    errors: dict[str, list[list[float]]] = {}
    for photo in cases:
        where = band(photo.alpha)
        for way, front in colours(photo, np.rint(photo.alpha * 255).astype(np.uint8)).items():
            found = [over(front, photo.alpha, ground) - photo.composite(ground) for ground in GROUNDS.values()]
            errors.setdefault(way, []).append([float(np.abs(difference)[where].mean()) for difference in found])
    print_table(title, errors)


def print_table(title: str, errors: dict[str, list[list[float]]]) -> None:
    """Means over photos, a column for each ground."""
    print(f"\n| {title} | {' | '.join(GROUNDS)} |\n|---|{'---|' * len(GROUNDS)}")
    for way, rows in errors.items():
        print(f"| {way} | {' | '.join(f'{value:.2f}' for value in np.mean(rows, axis=0))} |")


def print_cutouts(cases: list[Photo], folders: dict[str, Path]) -> None:
    """Two tables of finished cut-outs, each with its own alpha: the whole error, and that of the colours alone."""
    whole: dict[str, list[list[float]]] = {}
    alone: dict[str, list[list[float]]] = {}
    for photo in cases:
        found = {}
        for way, folder in folders.items():
            with Image.open(folder / f"{photo.name}_nobg.png") as image:
                found[way] = np.asarray(image.convert("RGBA"), np.float64)
        if "nobg" in found:
            copied = found["nobg"].copy()
            copied[..., :3] = np.asarray(photo.rgb)
            found["nobg's alpha, copy"] = copied
        near = max(1, round(0.005 * math.hypot(*photo.alpha.shape)))
        where = np.asarray(ndimage.binary_dilation(band(photo.alpha), iterations=near), np.bool_)
        for way, pixels in found.items():
            front, alpha = pixels[..., :3], pixels[..., 3] / 255
            whole.setdefault(way, []).append(
                [
                    float(np.abs(over(front, alpha, ground) - photo.composite(ground))[where].mean())
                    for ground in GROUNDS.values()
                ]
            )
            soft = band(alpha) & band(photo.alpha)
            difference = float(np.abs(alpha[..., None] * (front - photo.front))[soft].mean()) if soft.any() else 0.0
            alone.setdefault(way, []).append([difference] * len(GROUNDS))
    print_table("own alpha and own colours, within 0.5 % of the diagonal from the true band", whole)
    print_table("own alpha, the colours alone, where both alphas are soft", alone)


def bilinear(alpha: NDArray[np.float32], rgb: Image.Image) -> NDArray[np.uint8]:
    """Alpha at the photo's size, without the photo."""
    wide = np.asarray(Image.fromarray(alpha).resize(rgb.size, Image.Resampling.BILINEAR))
    return np.clip(wide * 255 + 0.5, 0, 255).astype(np.uint8)


def smaller(alpha: Values, times: float, sigma: float) -> NDArray[np.float32]:
    """Alpha as a network would answer for a photo so much larger than what it sees."""
    size = (max(1, round(alpha.shape[1] / times)), max(1, round(alpha.shape[0] / times)))
    small = np.asarray(Image.fromarray(alpha.astype(np.float32)).resize(size, Image.Resampling.BOX))
    return np.asarray(ndimage.gaussian_filter(small, sigma), np.float32)


def print_outlines(cases: list[Photo]) -> None:
    """The table of alpha."""
    ways: dict[str, Callable[[NDArray[np.float32], Image.Image], NDArray[np.uint8]]]
    ways = {"bilinear": bilinear, "nobg": edges.upscale_alpha}
    print("\n| larger by | sigma | way | MAE in the band | SAD | gradient |\n|---|---|---|---|---|---|")
    for times, sigma in SMALLER:
        for way, act in ways.items():
            rows = []
            for photo in cases:
                small = smaller(photo.alpha, times, sigma)
                found = act(small, photo.rgb) / 255
                where = band(photo.alpha, bilinear(small, photo.rgb) / 255)
                error = np.abs(found - photo.alpha)
                steepness = slope(found) - slope(photo.alpha)
                rows.append((error[where].mean(), error.sum() / 1000, (steepness**2).sum() / 1000))
            print(f"| {times} | {sigma} | {way} | {' | '.join(f'{value:.4f}' for value in np.mean(rows, axis=0))} |")


def slope(alpha: Values) -> Values:
    """As quality.py's gradient error has it."""
    return np.asarray(ndimage.gaussian_gradient_magnitude(alpha, 1.4), np.float64)


def print_seconds(photo: Photo) -> None:
    """Processor seconds of this thread, the least of five, the photo enlarged to several sizes."""
    print("\n| pixels | bilinear | full_size | foreground |\n|---|---|---|---|")
    for size in ((1200, 850), (4000, 3000), (6000, 4000)):
        rgb = photo.rgb.resize(size, Image.Resampling.BICUBIC)
        square = Image.fromarray(photo.alpha.astype(np.float32)).resize((1024, 1024), Image.Resampling.BILINEAR)
        small = np.asarray(ndimage.gaussian_filter(np.asarray(square), 2.0), np.float32)
        alpha = edges.upscale_alpha(small, rgb)
        least = [
            seconds(lambda rgb=rgb, small=small: bilinear(small, rgb)),  # type: ignore[misc]
            seconds(lambda rgb=rgb, small=small: edges.upscale_alpha(small, rgb)),  # type: ignore[misc]
            seconds(lambda rgb=rgb, alpha=alpha: edges.estimate_foreground(rgb, alpha)),  # type: ignore[misc]
        ]
        print(f"| {size[0]} x {size[1]} | {' | '.join(f'{value:.3f}' for value in least)} |")


def seconds(act: Callable[[], object]) -> float:
    """The least of five, of this thread on the processor."""
    taken = []
    for _ in range(5):
        start = time.thread_time()
        act()
        taken.append(time.thread_time() - start)
    return min(taken)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--cutouts", type=Path, help="finished cut-outs of nobg, ID_nobg.png")
    parser.add_argument("--theirs", type=Path, help="finished cut-outs of rembg, ID_nobg.png")
    parser.add_argument("--seconds", action="store_true", help="measure the time, too")
    options = parser.parse_args()
    cases = photos(options.folder)
    print_outlines(cases)
    print_colours("colours, photos, true alpha", cases)
    mixtures = [pasted(photo, cases[number - 1]) for number, photo in enumerate(cases)]
    print_colours("colours, pasted, true alpha", mixtures)
    folders = {"nobg": options.cutouts, "rembg": options.theirs}
    if any(folders.values()):
        print_cutouts(cases, {way: folder for way, folder in folders.items() if folder is not None})
    if options.seconds:
        print_seconds(cases[0])


if __name__ == "__main__":
    main()
