"""The models against rembg, which runs the same files, and the memory they take.

    python -m benchmarks.models ours NAME PHOTOS OUTPUT     masks of an installed model, by our own steps
    python benchmarks/models.py rembg SESSION PHOTOS OUTPUT [--model FILE]
                                                            the same by rembg; in an environment that has rembg
    python -m benchmarks.models compare PHOTOS FIRST SECOND how far two such sets are from the truth, and apart
    python -m benchmarks.models memory NAME...              the most that a real worker takes, at 12 megapixels

PHOTOS holds index.csv, images/ID.jpg, masks/ID.png and void/ID.png, as `benchmarks/quality.py` describes; a mask
becomes the alpha of OUTPUT/ID_nobg.png, so that `quality.py PHOTOS --pictures OUTPUT` scores it, too. rembg finds a
file named with --model (sessions `u2net_custom`, `dis_custom`) only under the folder that U2NET_HOME names.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # rembg imports onnxruntime, whose wheels call home otherwise

import numpy as np
from PIL import Image

Matter = Callable[[bytes], Image.Image]


def ours(name: str) -> Matter:
    """Bytes of a photo -> its alpha (mode L), as the worker makes it."""
    from watcher.matting import edges, fusion, inference, modes
    from watcher.picture import codecs

    mode = modes.find(name)
    ensemble = inference.load_ensemble(mode.read_models(), mode, len(os.sched_getaffinity(0)))

    def act(data: bytes) -> Image.Image:
        rgb = codecs.decode(codecs.open_header(data)).rgb
        answers = inference.infer_views(ensemble, [inference.network_input(rgb, view) for view in mode.views])
        return Image.fromarray(edges.upscale_alpha(fusion.fuse_views(mode, answers), rgb))

    return act


def rembg(name: str, file: Path | None) -> Matter:
    """The same by rembg."""
    import rembg as theirs  # type: ignore[import-not-found]  # it is not in our environment

    options: dict[str, Any] = {} if file is None else {"model_path": str(file)}
    session = theirs.new_session(name, **options)

    def act(data: bytes) -> Image.Image:
        mask: Image.Image = theirs.remove(Image.open(io.BytesIO(data)), session=session, only_mask=True)
        return mask

    return act


def identifiers(photos: Path) -> list[str]:
    """The photos by their names."""
    with (photos / "index.csv").open(newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def write_masks(act: Matter, photos: Path, output: Path) -> None:
    """A grey picture with the alpha for every photo."""
    output.mkdir(parents=True, exist_ok=True)
    for name in identifiers(photos):
        mask = act((photos / "images" / f"{name}.jpg").read_bytes())
        Image.merge("LA", (mask, mask)).save(output / f"{name}_nobg.png", compress_level=1)


def iou(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """Intersection over union of two masks (H, W) bool; 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def subject(path: Path, channel: str) -> np.ndarray[Any, Any]:
    """Where a picture's channel is at least a half."""
    with Image.open(path) as image:
        return np.asarray(image.convert("LA" if channel == "A" else "L").getchannel(channel)) >= 127.5


def compare(photos: Path, folders: list[Path]) -> None:
    """Mean IoU of each set with the truth (right wherever that is void), and of one set with the other."""
    rows = []
    for name in identifiers(photos):
        true = subject(photos / "masks" / f"{name}.png", "L")
        masks = [subject(folder / f"{name}_nobg.png", "A") for folder in folders]
        void = photos / "void" / f"{name}.png"
        free = subject(void, "L") if void.exists() else np.zeros_like(true)
        rows.append([*(iou(np.where(free, true, mask), true) for mask in masks), iou(*masks)])
    first, second, each_other = np.mean(rows, axis=0)
    print(f"| {folders[0].name} | {folders[1].name} | difference | IoU of one with the other |\n|---|---|---|---|")
    print(f"| {first:.4f} | {second:.4f} | {first - second:+.4f} | {each_other:.4f} |")


def print_memory(names: list[str]) -> None:
    """The peaks of a real worker, jail and all, that does one photo of 12 megapixels three times."""
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
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("ours", "rembg"):
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
        act = ours(options.name) if options.command == "ours" else rembg(options.name, options.model)
        write_masks(act, options.photos, options.output)


if __name__ == "__main__":
    main()
