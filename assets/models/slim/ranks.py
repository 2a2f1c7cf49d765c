"""Choose the form and the rank of each convolution: `python ranks.py NET.onnx SENSITIVITY.pt RANKS.json --share 0.45`.

Forms: "keep" (the convolution as it is), "low" (3 x 3 to k components, then 1 x 1) and "coarse" (for a convolution that
reads an upsampled tensor joined with another one: the first part is computed before the upsampling, at a quarter of the
positions; both parts give k components, whose sum goes through a 1 x 1, or is the response if k is its full number).

The choice minimises the sum of the predicted errors at the output (sensitivity.py) for a sum of milliseconds: it is the
best one for some price of a millisecond, the same for all convolutions. The milliseconds come from a model that was
fitted to onnxruntime's profile of isnet-int8 on one thread at side 896.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import graph  # type: ignore[import-not-found]  # beside this file
import torch
from torch import Tensor

SIDE = 896
INPUT_RANK = 16  # of the first convolution, which is linear: its 64 outputs are sums of 27 inputs
MULTIPLE = 8  # of the ranks: the int8 kernels pad to it
FLOOR = 0.3  # of the mean sensitivity: no direction counts for less, because gradients see small errors only
MS_PER_GMAC, MS_PER_MILLION_OUTPUTS = 13.3, 0.5
CONCAT, RESIZE, ADD = 0.9, 1.0, 0.36  # milliseconds per million outputs


class Option(NamedTuple):
    """One way to compute a convolution."""

    form: str
    rank: int
    error: float  # predicted, of alpha: squared, summed over the positions of a picture
    ms: float


def convolution_ms(inputs: int, outputs: int, size: int, positions: float) -> float:
    """Return the modelled time of an int8 convolution. A 1 x 1 is less efficient than its operations say."""
    factor, fixed = (1.5, 1.0) if size == 1 else (1.0, 0.2)
    gmac = inputs * outputs * size * size * positions / 1e9
    return factor * MS_PER_GMAC * gmac + MS_PER_MILLION_OUTPUTS * outputs * positions / 1e6 + fixed


def roots(sensitivity: Tensor, floor: float = FLOOR) -> tuple[Tensor, Tensor]:
    """Return the symmetric square root of a sensitivity matrix with a floor under its eigenvalues, and its inverse."""
    values, vectors = torch.linalg.eigh(sensitivity.double())
    values = values.clamp(min=0)
    values = (values + floor * values.mean()).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T


def options(net: graph.Net, measured: dict[str, dict[str, Tensor]]) -> dict[str, list[Option]]:
    """Return the ways to compute each convolution; the first is always "keep"."""
    channels, sides = graph.shapes(net, SIDE)
    result = {}
    for step in net.steps:
        if step.op != "Conv" or step.name in ("conv_in", graph.LAST):
            continue
        outputs, inputs = net.weights[step.name][0].shape[:2]
        if step.inputs[0] == net.steps[0].output:
            inputs = INPUT_RANK
        positions = sides[step.output] ** 2
        millions = positions / 1e6
        root, _ = roots(measured["G"][step.name])
        energy = torch.linalg.eigvalsh(root @ measured["C"][step.name].double() @ root).flip(0).clamp(min=0)
        left = (energy.sum() - energy.cumsum(0)).tolist()
        upsampled = graph.upsampled_part(net, step)
        first = channels[upsampled[0]] if upsampled else 0
        whole_ms = convolution_ms(inputs, outputs, 3, positions) + (CONCAT * inputs + RESIZE * first) * millions
        found = [Option("keep", outputs, 0.0, whole_ms)]
        for rank in range(MULTIPLE, outputs + 1, MULTIPLE):
            behind = convolution_ms(rank, outputs, 1, positions) if rank < outputs else 0.0
            if upsampled:
                ms = convolution_ms(first, rank, 3, positions / 4) + convolution_ms(inputs - first, rank, 3, positions)
                ms += (RESIZE + ADD) * rank * millions
                found.append(Option("coarse", rank, left[rank - 1], ms + behind))
            elif rank < outputs:
                ms = convolution_ms(inputs, rank, 3, positions)
                found.append(Option("low", rank, left[rank - 1], ms + behind))
        result[step.name] = found
    return result


def choose(ways: dict[str, list[Option]], budget_ms: float) -> dict[str, Option]:
    """Return the option of each convolution at the least price of a millisecond that keeps to the budget."""

    def at(price: float) -> dict[str, Option]:
        def cost(option: Option) -> float:
            return option.error + price * option.ms

        return {name: min(found, key=cost) for name, found in ways.items()}

    low, high = 1e-9, 1e9
    for _ in range(80):
        middle = (low * high) ** 0.5
        if sum(option.ms for option in at(middle).values()) > budget_ms:
            low = middle
        else:
            high = middle
    return at(high)


def main() -> None:
    """Write {convolution: [form, rank]} to the file on the command line, and print the predictions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="the float32 ONNX file")
    parser.add_argument("sensitivity", type=Path, help="the file that sensitivity.py wrote")
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the convolutions' milliseconds")
    args = parser.parse_args()
    ways = options(graph.read(args.network), torch.load(args.sensitivity))
    whole = sum(found[0].ms for found in ways.values())
    chosen = choose(ways, args.share * whole)
    for name, option in chosen.items():
        print(f"{name:20} {option.form:7}{option.rank:4} of {ways[name][0].rank:3}", end="")
        print(f"{option.ms:7.1f} of {ways[name][0].ms:5.1f} ms, error {option.error:.3f}")
    print(f"{sum(option.ms for option in chosen.values()):.0f} of {whole:.0f} ms", end="")
    print(f", error {sum(option.error for option in chosen.values()):.1f}")
    rows = [f'"{name}": ["{option.form}", {option.rank}]' for name, option in chosen.items()]
    args.output.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    json.loads(args.output.read_text())


if __name__ == "__main__":
    main()
