"""Measure how errors of each convolution reach the network's output: `python sensitivity.py NET.onnx FILE.pt`.

For each convolution with responses y (before the ReLU), the program accumulates two matrices (channels, channels) over
photos: the covariance of y, and G = sum over positions of g g^T, where g is the gradient of a random projection of
alpha with respect to y. If an approximation leaves an error with the covariance C in y, then trace(G C) predicts the
squared error of alpha, to first order and for errors that are independent between positions.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import graph  # type: ignore[import-not-found]  # beside this file
import photos  # type: ignore[import-not-found]  # beside this file
import torch
from torch import Tensor

SIDE = 448  # of the pictures
SOFTER = 1.5  # the logits are divided by this, so that decided pixels have a gradient too


def accumulate(net: graph.Net, picture: Tensor, sums: dict[str, dict[str, Tensor]]) -> None:
    """Add one picture's part to `sums`: "G", "C" (mean of y y^T) and "mean", each by the convolution's name."""

    def add(kind: str, name: str, value: Tensor) -> None:
        sums[kind][name] = sums[kind].get(name, torch.zeros(())) + value

    def measure(name: str, response: Tensor) -> None:
        flat = response.detach()[0].flatten(1)
        add("C", name, flat @ flat.T / flat.shape[1])
        add("mean", name, flat.mean(1, keepdim=True))

        def receive(gradient: Tensor) -> None:
            flat = gradient[0].flatten(1)
            add("G", name, flat @ flat.T)

        response.register_hook(receive)

    values = {"input": picture}
    for step in net.steps[:-1]:  # without the sigmoid
        value = graph.apply(step, [values[name] for name in step.inputs], net.weights.get(step.name))
        if step.op == "Conv":
            if not value.requires_grad:
                value.requires_grad_(True)
            measure(step.name, value)
        values[step.output] = value
    alpha = torch.sigmoid(values[net.steps[-1].inputs[0]] / SOFTER)
    (alpha * torch.randn_like(alpha)).sum().backward()


def main() -> None:
    """Write {"G": {name: matrix}, "C": {name: matrix}} to the file on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="the float32 ONNX file")
    parser.add_argument("output", type=Path)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="a folder with index.csv")
    parser.add_argument("--count", type=int, default=16, help="how many photos")
    args = parser.parse_args()
    torch.manual_seed(0)
    net = graph.read(args.network)
    sums: dict[str, dict[str, Tensor]] = {"G": {}, "C": {}, "mean": {}}
    chosen = photos.spread(photos.for_training(args.photos), args.count)
    for path in chosen:
        accumulate(net, photos.network_input(path, SIDE), sums)
    count = len(chosen)
    means = {name: value / count for name, value in sums["mean"].items()}
    result: dict[str, dict[str, Any]] = {
        "G": {name: value / count for name, value in sums["G"].items()},
        "C": {name: value / count - means[name] @ means[name].T for name, value in sums["C"].items()},
    }
    torch.save(result, args.output)


if __name__ == "__main__":
    main()
