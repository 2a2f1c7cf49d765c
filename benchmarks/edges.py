"""Measure outlines and their colours on photos with a true soft matte: `python benchmarks/edges.py DIR`.

    python benchmarks/edges.py DIR [--cutouts NAME=FOLDER...] [--seconds]

DIR is a folder as `benchmarks/quality.py` describes it; only its photos of kind `alpha` are used. `--cutouts`: folders
of finished cut-outs (ID_nobg.png or ID.png), to judge them with their own alphas, such as nobg=A rembg=B 'rembg -dc'=C;
`nobg remove DIR/images -o A`, `rembg p DIR/images B` and `rembg p -dc DIR/images C` write them.

Alpha: the true alpha is reduced by a factor and blurred by a sigma, which makes it as small and as soft as a network's
result. It is then stretched back by `watcher.matting.edges.upscale_alpha` and bilinearly. The table shows means over
the photos: MAE in the band that is soft in either alpha, sum of absolute differences (SAD) / 1000, and the gradient
error of quality.py.

Colours: the mean absolute difference, 0..255, in the edge band between a composite and the one of the true alpha and
the true foreground, on white, on black and on green (0, 160, 60). The true foreground of a photo is unknown, so it is
computed from the photo and its true alpha by closed-form matting (Levin, Lischinski and Weiss, TPAMI 2008, section 5;
the package pymatting). It is known for `pasted`: that foreground over another photo of DIR, mixed by the true alpha.
The table compares nobg's colours, the photo's own (`copy`), and what rembg writes without -dc (`rembg`: colours
multiplied by alpha once more, its naive_cutout) and with it (`rembg -dc`: estimate_foreground_ml of pymatting; Germer,
Uelwer, Conrad and Harmeling, ICPR 2020). Since all use the same alpha, the composites' errors are those of the colours,
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
from pymatting import estimate_foreground_cf, estimate_foreground_ml
from scipy import ndimage

from watcher.matting import edges
from watcher.matting.foreground import estimate_foreground

Values = NDArray[np.float64]
GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "green (0, 160, 60)": (0, 160, 60)}
REDUCTIONS = ((1.5, 1.5), (2.0, 1.5), (4.5, 0.7), (4.5, 1.5), (7.0, 2.5))
"""Factor of the reduction, and sigma of the blur in pixels of the small alpha; networks' alphas have 1 to 3."""


@dataclass(frozen=True)
class Photo:
    """A photo (H, W, 3) with its true alpha (H, W), 0..1, and its true foreground (H, W, 3), 0..255."""

    name: str
    rgb: Image.Image
    alpha: Values
    colours: Values

    def true_composite(self, ground: tuple[int, int, int]) -> Values:
        """Return the true composite on this ground: (H, W, 3), 0..255."""
        return composite(self.colours, self.alpha, ground)


def composite(colours: Values, alpha: Values, ground: tuple[int, int, int]) -> Values:
    """Return straight colours (H, W, 3), 0..255, over the colour `ground`, by alpha (H, W), 0..1."""
    share = alpha[..., None]
    return share * colours + (1 - share) * np.array(ground, np.float64)


def load_photos(folder: Path) -> list[Photo]:
    """Return the photos of kind `alpha`, with the foreground by closed-form matting."""
    with (folder / "index.csv").open(newline="") as file:
        names = [row["id"] for row in csv.DictReader(file) if row["kind"] == "alpha"]
    result = []
    for name in names:
        with (
            Image.open(folder / "images" / f"{name}.jpg") as image,
            Image.open(folder / "masks" / f"{name}.png") as mask,
        ):
            rgb, alpha = image.convert("RGB"), np.asarray(mask.convert("L"), np.float64) / 255
        colours = np.clip(estimate_foreground_cf(np.asarray(rgb, np.float64) / 255, alpha), 0, 1) * 255
        result.append(Photo(name, rgb, alpha, colours))
    return result


def paste(photo: Photo, other: Photo) -> Photo:
    """Return the foreground of `photo` over the photo `other`."""
    back = np.asarray(other.rgb.resize(photo.rgb.size, Image.Resampling.BICUBIC), np.float64)
    share = photo.alpha[..., None]
    mixed = np.rint(share * photo.colours + (1 - share) * back).astype(np.uint8)
    return Photo(photo.name, Image.fromarray(mixed), photo.alpha, photo.colours)


def foreground_colours(photo: Photo, alpha: NDArray[np.uint8]) -> dict[str, Values]:
    """Return the straight colours (H, W, 3), 0..255, that each method gives the photo, with this alpha."""
    own = np.asarray(photo.rgb, np.float64)
    decontaminated = np.clip(estimate_foreground_ml(own / 255, alpha / 255.0), 0, 1) * 255
    return {
        "nobg": np.asarray(estimate_foreground(photo.rgb, alpha), np.float64),
        "copy": own,
        "rembg": own * (alpha[..., None] / 255),
        "rembg -dc": np.floor(decontaminated),
    }


def soft_band(*alphas: Values) -> NDArray[np.bool_]:
    """Return where one of the alphas (H, W), 0..1, is neither 0 nor 1."""
    result = np.zeros(alphas[0].shape, np.bool_)
    for alpha in alphas:
        result |= (alpha > 0.5 / 255) & (alpha < 1 - 0.5 / 255)
    return result


def print_colours(title: str, photos: Iterable[Photo]) -> None:
    """Print the table of colours, all with the true alpha."""
    errors: dict[str, list[list[float]]] = {}
    for photo in photos:
        band = soft_band(photo.alpha)
        for method, colours in foreground_colours(photo, np.rint(photo.alpha * 255).astype(np.uint8)).items():
            differences = [
                composite(colours, photo.alpha, ground) - photo.true_composite(ground) for ground in GROUNDS.values()
            ]
            errors.setdefault(method, []).append([float(np.abs(difference)[band].mean()) for difference in differences])
    print_table(title, errors)


def print_table(title: str, errors: dict[str, list[list[float]]]) -> None:
    """Print the means over photos, with a column for each ground."""
    print(f"\n| {title} | {' | '.join(GROUNDS)} |\n|---|{'---|' * len(GROUNDS)}")
    for method, rows in errors.items():
        print(f"| {method} | {' | '.join(f'{value:.2f}' for value in np.mean(rows, axis=0))} |")


def find_cutout(folder: Path, name: str) -> Path:
    """Return the cut-out of the photo `name`: nobg appends _nobg to names, rembg does not."""
    path = folder / f"{name}_nobg.png"
    return path if path.exists() else folder / f"{name}.png"


def parse_cutouts(text: str) -> tuple[str, Path]:
    """Return the name and the folder in NAME=FOLDER."""
    name, equals, folder = text.partition("=")
    if not equals or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: not NAME=FOLDER with a folder that exists")
    return name, Path(folder)


def print_cutouts(photos: list[Photo], folders: dict[str, Path]) -> None:
    """Print two tables of finished cut-outs with their own alphas: the whole error, and that of the colours alone."""
    total_errors: dict[str, list[list[float]]] = {}
    colour_errors: dict[str, list[list[float]]] = {}
    for photo in photos:
        cutouts = {}
        for method, folder in folders.items():
            with Image.open(find_cutout(folder, photo.name)) as image:
                cutouts[method] = np.asarray(image.convert("RGBA"), np.float64)
        if "nobg" in cutouts:
            copied = cutouts["nobg"].copy()
            copied[..., :3] = np.asarray(photo.rgb)
            cutouts["nobg's alpha, copy"] = copied
        reach = max(1, round(0.005 * math.hypot(*photo.alpha.shape)))
        band = np.asarray(ndimage.binary_dilation(soft_band(photo.alpha), iterations=reach), np.bool_)
        for method, pixels in cutouts.items():
            colours, alpha = pixels[..., :3], pixels[..., 3] / 255
            total_errors.setdefault(method, []).append(
                [
                    float(np.abs(composite(colours, alpha, ground) - photo.true_composite(ground))[band].mean())
                    for ground in GROUNDS.values()
                ]
            )
            soft = soft_band(alpha) & soft_band(photo.alpha)
            difference = float(np.abs(alpha[..., None] * (colours - photo.colours))[soft].mean()) if soft.any() else 0.0
            colour_errors.setdefault(method, []).append([difference] * len(GROUNDS))
    print_table("own alpha and own colours, within 0.5 % of the diagonal from the true band", total_errors)
    print_table("own alpha, the colours alone, where both alphas are soft", colour_errors)


def bilinear(alpha: NDArray[np.float32], rgb: Image.Image) -> NDArray[np.uint8]:
    """Stretch alpha to the photo's size, whatever the photo shows."""
    wide = np.asarray(Image.fromarray(alpha).resize(rgb.size, Image.Resampling.BILINEAR))
    return np.clip(wide * 255 + 0.5, 0, 255).astype(np.uint8)


def reduce_alpha(alpha: Values, factor: float, sigma: float) -> NDArray[np.float32]:
    """Return alpha as a network would give it for a photo `factor` times as large as the network's input."""
    size = (max(1, round(alpha.shape[1] / factor)), max(1, round(alpha.shape[0] / factor)))
    small = np.asarray(Image.fromarray(alpha.astype(np.float32)).resize(size, Image.Resampling.BOX))
    return np.asarray(ndimage.gaussian_filter(small, sigma), np.float32)


def print_outlines(photos: list[Photo]) -> None:
    """Print the table of alpha."""
    methods: dict[str, Callable[[NDArray[np.float32], Image.Image], NDArray[np.uint8]]]
    methods = {"bilinear": bilinear, "nobg": edges.upscale_alpha}
    print("\n| larger by | sigma | way | MAE in the band | SAD | gradient |\n|---|---|---|---|---|---|")
    for factor, sigma in REDUCTIONS:
        for method, upscale in methods.items():
            rows = []
            for photo in photos:
                small = reduce_alpha(photo.alpha, factor, sigma)
                upscaled = upscale(small, photo.rgb) / 255
                band = soft_band(photo.alpha, bilinear(small, photo.rgb) / 255)
                error = np.abs(upscaled - photo.alpha)
                gradient_difference = gradient(upscaled) - gradient(photo.alpha)
                rows.append((error[band].mean(), error.sum() / 1000, (gradient_difference**2).sum() / 1000))
            print(
                f"| {factor} | {sigma} | {method} | {' | '.join(f'{value:.4f}' for value in np.mean(rows, axis=0))} |"
            )


def gradient(alpha: Values) -> Values:
    """Return the gradient magnitude, as in quality.py's gradient error."""
    return np.asarray(ndimage.gaussian_gradient_magnitude(alpha, 1.4), np.float64)


def print_seconds(photo: Photo) -> None:
    """Print the processor seconds of this thread, the minimum of five, with the photo enlarged to several sizes."""
    print("\n| pixels | bilinear | upscale_alpha | estimate_foreground |\n|---|---|---|---|")
    for size in ((1200, 850), (4000, 3000), (6000, 4000)):
        rgb = photo.rgb.resize(size, Image.Resampling.BICUBIC)
        square = Image.fromarray(photo.alpha.astype(np.float32)).resize((1024, 1024), Image.Resampling.BILINEAR)
        small = np.asarray(ndimage.gaussian_filter(np.asarray(square), 2.0), np.float32)
        alpha = edges.upscale_alpha(small, rgb)
        row = [
            processor_seconds(lambda rgb=rgb, small=small: bilinear(small, rgb)),  # type: ignore[misc]
            processor_seconds(lambda rgb=rgb, small=small: edges.upscale_alpha(small, rgb)),  # type: ignore[misc]
            processor_seconds(lambda rgb=rgb, alpha=alpha: estimate_foreground(rgb, alpha)),  # type: ignore[misc]
        ]
        print(f"| {size[0]} x {size[1]} | {' | '.join(f'{value:.3f}' for value in row)} |")


def processor_seconds(function: Callable[[], object]) -> float:
    """Return the processor seconds of this thread for a call of `function`: the minimum of five calls."""
    times = []
    for _ in range(5):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return min(times)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--cutouts", nargs="+", type=parse_cutouts, metavar="NAME=FOLDER", help="finished cut-outs")
    parser.add_argument("--seconds", action="store_true", help="measure the time, too")
    options = parser.parse_args()
    photos = load_photos(options.folder)
    print_outlines(photos)
    print_colours("colours, photos, true alpha", photos)
    mixtures = [paste(photo, photos[number - 1]) for number, photo in enumerate(photos)]
    print_colours("colours, pasted, true alpha", mixtures)
    if options.cutouts:
        print_cutouts(photos, dict(options.cutouts))
    if options.seconds:
        print_seconds(photos[0])


if __name__ == "__main__":
    main()
