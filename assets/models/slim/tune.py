"""Tune a slim network to answer as the original: `python tune.py NET.onnx SLIM.onnx OUT.onnx --photos DIR`.

No mask is used: the targets are the original's alpha and the outputs of its stages, on random crops of photos. The
original computes the targets of each crop once; they wait in float16. The error on photos that were held back is
printed now and then.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import graph  # type: ignore[import-not-found]  # beside this file
import photos  # type: ignore[import-not-found]  # beside this file
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

FEATURE_WEIGHT = 0.2  # of a stage's squared error, in shares of its variance
ALPHA_WEIGHT = 2.0  # of alpha's mean absolute error; the cross-entropy has the weight 1
EVERY = 400.0  # seconds between two looks at the held-back photos
SMALLEST = 0.003  # a tensor with a smaller root mean square moves as one of this size


class Teacher:
    """The original's answers."""

    def __init__(self, net: graph.Net) -> None:
        self.net = net
        self.logits = net.steps[-1].inputs[0]
        self.features = [step.output for step in net.steps if step.op == "Add"]  # the outputs of the stages

    def answer(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the logits and the features, in float16."""
        with torch.no_grad():
            values = graph.run(self.net, picture, [self.logits, *self.features])
        return {name: values[name].half() for name in (self.logits, *self.features)}

    def loss(self, values: dict[str, Tensor], target: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return cross-entropy (above its minimum), mean absolute error of alpha, and the features' relative error."""
        alpha, logits = torch.sigmoid(target[self.logits].float()), values[self.logits]
        cross = functional.binary_cross_entropy_with_logits(logits, alpha)
        cross = cross - functional.binary_cross_entropy(alpha, alpha)
        relative = torch.zeros(())
        for name in self.features:
            wanted = target[name].float()
            relative = relative + ((values[name] - wanted) ** 2).mean() / (wanted.var() + 1e-6)
        return cross, (torch.sigmoid(logits) - alpha).abs().mean(), relative


class HeldBack:
    """Photos that train nothing."""

    def __init__(self, net: graph.Net, paths: list[Path]) -> None:
        self.pictures = [photos.network_input(path, 512) for path in paths]
        self.wanted = [self._alpha(net, picture) for picture in self.pictures]

    @staticmethod
    def _alpha(net: graph.Net, picture: Tensor) -> Tensor:
        with torch.no_grad():
            return graph.run(net, picture)["output"]

    def error(self, slim: graph.Net) -> float:
        """Return the mean absolute difference between the alphas of `slim` and of the original."""
        pairs = zip(self.pictures, self.wanted, strict=True)
        return sum(float((self._alpha(slim, picture) - alpha).abs().mean()) for picture, alpha in pairs) / len(
            self.wanted
        )


def random_crop(path: Path, side: int, rng: random.Random) -> Tensor:
    """Return a photo or a part of it of at least half its width and height, mirrored or not, as a network's input."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    share = 1.0 if rng.random() < 0.5 else rng.uniform(0.5, 1)
    width, height = image.width * share, image.height * share
    left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    image = image.crop((int(left), int(top), int(left + width), int(top + height)))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return photos.to_input(image, side)


def tune(net: graph.Net, slim: graph.Net, args: argparse.Namespace) -> None:
    """Tune the weights of `slim` in place, and write the network to `args.output` now and then."""
    teacher = Teacher(net)
    tensors = [tensor for pair in slim.weights.values() for tensor in pair if tensor is not None]
    for tensor in tensors:
        tensor.requires_grad_(True)
    sizes = [max(float(tensor.detach().square().mean().sqrt()), SMALLEST) for tensor in tensors]
    optimiser = torch.optim.Adam([{"params": [tensor]} for tensor in tensors], betas=(0.9, 0.99))
    rng = random.Random(1)
    paths = photos.for_training(args.photos)
    check = HeldBack(net, photos.held_back(args.photos)[:6])
    print(f"before: error on held-back photos {check.error(slim):.5f}", flush=True)
    cache: list[tuple[Tensor, dict[str, Tensor]]] = []
    order: list[int] = []
    losses: list[list[float]] = []
    start = shown = time.monotonic()
    while (spent := (time.monotonic() - start) / args.seconds) < 1:
        warm = min(1.0, (len(losses) + 1) / 15)
        rate = args.rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * spent)))
        for group, size in zip(optimiser.param_groups, sizes, strict=True):
            group["lr"] = rate * size  # components have weights of very different sizes
        if len(cache) < args.crops:
            picture = random_crop(paths[len(cache) * 37 % len(paths)], args.side, rng)
            cache.append((picture, teacher.answer(picture)))
            index = len(cache) - 1
        else:
            order = order or rng.sample(range(args.crops), args.crops)
            index = order.pop()
        picture, target = cache[index]
        parts = teacher.loss(graph.run(slim, picture, [teacher.logits, *teacher.features]), target)
        loss = parts[0] + ALPHA_WEIGHT * parts[1] + FEATURE_WEIGHT * parts[2]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tensors, 5.0)
        optimiser.step()
        losses.append([float(part.detach()) for part in parts])
        if len(losses) % 10 == 0:
            means = [sum(column) / 10 for column in zip(*losses[-10:], strict=True)]
            print(
                f"{time.monotonic() - start:5.0f} s, step {len(losses)}:",
                *(f"{mean:.4f}" for mean in means),
                flush=True,
            )
        if time.monotonic() - shown > EVERY:
            shown = time.monotonic()
            print(f"error on held-back photos {check.error(slim):.5f}", flush=True)
            graph.write(slim, args.output)
    print(f"after {len(losses)} steps: error on held-back photos {check.error(slim):.5f}")
    graph.write(slim, args.output)


def main() -> None:
    """Tune the network on the command line for the time that is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="the original as float32 ONNX")
    parser.add_argument("slim", type=Path, help="the file that fit.py wrote")
    parser.add_argument("output", type=Path)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="a folder with index.csv")
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--side", type=int, default=448, help="of the crops")
    parser.add_argument("--crops", type=int, default=180, help="how many; later rounds use the same")
    parser.add_argument("--rate", type=float, default=1e-3, help="of a tensor's root mean square, at its highest")
    args = parser.parse_args()
    tune(graph.read(args.network), graph.read(args.slim), args)


if __name__ == "__main__":
    main()
