"""Compare models with rembg, which runs the same files, and measure the memory that they take.

    python -m benchmarks.models nobg NAME PHOTOS OUTPUT     write the masks of an installed model, by nobg's own steps
    python benchmarks/models.py rembg SESSION PHOTOS OUTPUT [--model FILE]
                                                            the same by rembg; in an environment that has rembg
    python -m benchmarks.models compare PHOTOS FIRST SECOND score two such sets against the truth and each other
    python -m benchmarks.models memory NAME...              the peak memory of a real worker, at 12 megapixels

PHOTOS has index.csv, images/ID.jpg, masks/ID.png and void/ID.png, as `benchmarks/quality.py` describes them. A mask
becomes the alpha of OUTPUT/ID_nobg.png, so that `quality.py PHOTOS --pictures OUTPUT` can score it, too. With --model
(sessions `u2net_custom` and `dis_custom`), rembg finds the file only below the folder that U2NET_HOME names.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before rembg imports onnxruntime, whose telemetry is on by default

import numpy as np
from PIL import Image

AlphaFunction = Callable[[bytes], Image.Image]
"""The bytes of a photo -> its alpha (mode L)."""


def load_nobg(name: str) -> AlphaFunction:
    """Return the function that computes alpha as the worker does, with the mode or model `name`."""
    from watcher.matting import edges, fusion, modes
    from watcher.matting.networks import inference
    from watcher.picture import codecs

    mode = modes.find(name)
    ensemble = inference.load_ensemble(mode.read_models(), mode, len(os.sched_getaffinity(0)))

    def infer(data: bytes) -> Image.Image:
        rgb = codecs.decode(codecs.open_header(data)).rgb
        return Image.fromarray(edges.upscale_alpha(fusion.fuse_views(*inference.infer(ensemble, rgb)), rgb))

    return infer


def load_rembg(name: str, file: Path | None) -> AlphaFunction:
    """Return the function that computes alpha by rembg, with the session `name` and perhaps a model's file."""
    import rembg  # type: ignore[import-not-found]  # it is not installed where mypy runs

    options: dict[str, Any] = {} if file is None else {"model_path": str(file)}
    session = rembg.new_session(name, **options)

    def infer(data: bytes) -> Image.Image:
        mask: Image.Image = rembg.remove(Image.open(io.BytesIO(data)), session=session, only_mask=True)
        return mask

    return infer


def read_ids(photos: Path) -> list[str]:
    """Return the ids of the photos in index.csv."""
    with (photos / "index.csv").open(newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def write_masks(infer: AlphaFunction, photos: Path, output: Path) -> None:
    """Write, for every photo, a grey picture whose alpha channel is the mask."""
    output.mkdir(parents=True, exist_ok=True)
    for name in read_ids(photos):
        mask = infer((photos / "images" / f"{name}.jpg").read_bytes())
        Image.merge("LA", (mask, mask)).save(output / f"{name}_nobg.png", compress_level=1)


def iou(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """Return the intersection over union of two masks (H, W), bool; 1 if both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def read_mask(path: Path, channel: str) -> np.ndarray[Any, Any]:
    """Return where a channel of the picture, L or A, is at least half: (H, W), bool."""
    with Image.open(path) as image:
        return np.asarray(image.convert("LA" if channel == "A" else "L").getchannel(channel)) >= 127.5


def compare(photos: Path, folders: list[Path]) -> None:
    """Print the mean IoU of each set with the truth (void pixels count as right), and of one set with the other."""
    rows = []
    for name in read_ids(photos):
        true = read_mask(photos / "masks" / f"{name}.png", "L")
        masks = [read_mask(folder / f"{name}_nobg.png", "A") for folder in folders]
        void = photos / "void" / f"{name}.png"
        is_void = read_mask(void, "L") if void.exists() else np.zeros_like(true)
        rows.append([*(iou(np.where(is_void, true, mask), true) for mask in masks), iou(*masks)])
    first, second, mutual = np.mean(rows, axis=0)
    print(f"| {folders[0].name} | {folders[1].name} | difference | IoU of one with the other |\n|---|---|---|---|")
    print(f"| {first:.4f} | {second:.4f} | {first - second:+.4f} | {mutual:.4f} |")


def print_memory(names: list[str]) -> None:
    """Print the peak memory of a real worker, in its jail, that does one photo of 12 megapixels three times."""
    from watcher import paths
    from watcher.matting import modes
    from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

    with Image.open(paths.asset("samples/astronaut.jpg")) as image:
        large = image.resize((4000, 3000))
    photo = io.BytesIO()
    large.save(photo, "JPEG")
    print("| model | resident, GB | address space, GB | jail |\n|---|---|---|---|")
    for name in names:
        with Worker(modes.find(name)) as worker:
            ready = worker.wait_until_ready()
            for number in range(3):
                worker.send({"id": number, "force": True}, photo.getvalue())
            for _ in range(3):
                answer, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
                assert answer["state"] == "done", answer
            status = Path(f"/proc/{worker.pid}/status").read_text()
        resident, space = (_kilobytes(status, field) * 1024 / 1e9 for field in ("VmHWM", "VmPeak"))
        limit = next((layer["detail"] for layer in ready["jail"] if layer["name"] == "memory"), "")
        print(f"| {name} | {resident:.2f} | {space:.2f} | {limit} |")


def _kilobytes(status: str, field: str) -> int:
    return int(next(line for line in status.splitlines() if line.startswith(f"{field}:")).split()[1])


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("nobg", "rembg"):
        masks = commands.add_parser(command)
        masks.add_argument("name")
        masks.add_argument("photos", type=Path)
        masks.add_argument("output", type=Path)
        masks.add_argument("--model", type=Path)
    both = commands.add_parser("compare")
    both.add_argument("photos", type=Path)
    both.add_argument("folders", type=Path, nargs=2)
    commands.add_parser("memory").add_argument("names", nargs="+")
    options = parser.parse_args()
    if options.command == "compare":
        compare(options.photos, options.folders)
    elif options.command == "memory":
        print_memory(options.names)
    else:
        infer = load_nobg(options.name) if options.command == "nobg" else load_rembg(options.name, options.model)
        write_masks(infer, options.photos, options.output)


if __name__ == "__main__":
    main()
