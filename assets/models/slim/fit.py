"""Fit a slim network to the original in closed form: `python fit.py NET.onnx SENSITIVITY.pt RANKS.json SLIM.onnx`.

The method is the asymmetric linear case of Zhang, Zou, He and Sun, "Accelerating very deep convolutional networks for
classification and detection" (TPAMI 2016): from the input to the output, each convolution is fitted to the responses
of the *original* with the inputs that the *slim* network gives it. So each one corrects the errors of those before.
A ridge pulls the solution to the original kernel. The components are those of the fitted responses in the metric of
sensitivity.py. What the ReLU does is left to tune.py.

All photos go through both networks in step; tensors wait in float16, and only while a step still needs them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import graph  # type: ignore[import-not-found]  # beside this file
import photos  # type: ignore[import-not-found]  # beside this file
import ranks  # type: ignore[import-not-found]  # beside this file
import torch
from torch import Tensor
from torch.nn import functional

RIDGE = 0.01  # of the mean variance of an input
SAMPLES = (8_000, 14_000)  # at least and at most, of positions
SAMPLES_PER_INPUT = 2.0
GOOD = 0.9995  # a kept convolution that explains this share of the response is not fitted again

Values = dict[str, list[Tensor]]  # by a tensor's name: one (1, channels, height, width) for each photo


def patches(tensor: Tensor, rows: Tensor, columns: Tensor, dilation: int) -> Tensor:
    """Return what a 3 x 3 convolution reads at the positions: (positions, channels * 9), in a kernel's order."""
    padded = functional.pad(tensor[0], (dilation,) * 4)
    offsets = torch.arange(3) * dilation
    read = padded[:, rows[:, None, None] + offsets[:, None], columns[:, None, None] + offsets]
    return read.permute(1, 0, 2, 3).reshape(len(rows), -1).float()


def coarse_patches(tensor: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return `patches` of a tensor at half the size, interpolated at the positions as Resize does."""

    def around(position: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        exact = ((position + 0.5) / 2 - 0.5).clamp(0, size - 1)
        first = exact.floor().long()
        return first, (first + 1).clamp(max=size - 1), exact - first

    top, bottom, down = around(rows, tensor.shape[2])
    left, right, across = around(columns, tensor.shape[3])
    total = torch.zeros(())
    for row, part in ((top, 1 - down), (bottom, down)):
        for column, share in ((left, 1 - across), (right, across)):
            total = total + patches(tensor, row, column, 1) * (part * share)[:, None]
    return total


def coarse_kernel(weight: Tensor) -> Tensor:
    """Return a first guess of the kernel that does before the upsampling what `weight` does behind it."""
    taps = torch.tensor([[0.5, 0, 0], [0.5, 1, 0.5], [0, 0, 0.5]])
    return torch.einsum("ax,oixy,by->oiab", taps, weight, taps)


@dataclass
class Regression:
    """responses = inputs @ matrix + bias, with the covariance of what it explains."""

    matrix: Tensor  # (inputs, channels)
    bias: Tensor
    explained: Tensor  # (channels, channels)
    mean: Tensor  # of the inputs


def share_explained(inputs: Tensor, responses: Tensor, matrix: Tensor) -> float:
    """Return R squared of inputs @ matrix plus the best constant."""
    left = responses - inputs @ matrix
    return float(1 - left.var(0, correction=0).sum() / responses.var(0, correction=0).sum())


def regress(inputs: Tensor, responses: Tensor, guess: Tensor, *, fit: bool) -> Regression:
    """Return the ridge regression around the matrix `guess`, or with `fit` false the guess with the best bias."""
    mean = inputs.mean(0)
    centred = inputs - mean
    matrix = guess
    if fit:
        gram = centred.T @ centred
        right = centred.T @ (responses - responses.mean(0) - centred @ guess)
        gram.diagonal().add_(RIDGE * gram.diagonal().mean())
        matrix = guess + torch.cholesky_solve(right, torch.linalg.cholesky(gram))
    outputs = centred @ matrix
    return Regression(matrix, responses.mean(0) - mean @ matrix, outputs.T @ outputs / len(outputs), mean)


def components(explained: Tensor, sensitivity: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return (down, up), both (channels, rank): responses @ down has unit variance, and @ up.T gives them back."""
    root, inverse = (part.float() for part in ranks.roots(sensitivity))
    vectors = torch.linalg.eigh((root @ explained @ root).double())[1].flip(1)[:, :rank].float()
    down, up = root @ vectors, inverse @ vectors
    deviation = (down.T @ explained @ down).diagonal().clamp(min=1e-12).sqrt()
    return down / deviation, up * deviation


class Fitter:
    """Builds the slim network, step by step, with the values of both networks on all photos."""

    def __init__(self, net: graph.Net, chosen: dict[str, tuple[str, int]], sensitivity: dict[str, Tensor]) -> None:
        self.net, self.chosen, self.sensitivity = net, chosen, sensitivity
        self.slim = graph.Net()
        self.original: Values = {}
        self.values: Values = {}
        self._random = torch.Generator().manual_seed(0)
        self._input_up: Tensor | None = None  # from the components of the first convolution to its 64 outputs
        makers = {step.output: step for step in net.steps}
        self.last, self.last_slim = graph.last_uses(net.steps), graph.last_uses(net.steps)
        self.dropped: set[str] = set()  # tensors that the slim network does not compute
        for index, step in enumerate(net.steps):
            if chosen.get(step.name, ("keep", 0))[0] == "coarse":
                joined = makers[step.inputs[0]]
                self.dropped |= {joined.output, joined.inputs[0]}
                for name in graph.upsampled_part(net, step) or ():
                    self.last_slim[name] = max(self.last_slim[name], index)

    def fit(self, inputs: list[Tensor]) -> graph.Net:
        """Return the slim network, fitted on `inputs`."""
        self.original["input"] = self.values["input"] = [tensor.half() for tensor in inputs]
        for index, step in enumerate(self.net.steps):
            self.original[step.output] = self._compute(self.original, step, self.net.weights.get(step.name))
            if step.op == "Conv" and step.name == "conv_in":
                self._fit_first(step)
            elif step.op == "Conv":
                self._fit_convolution(step)
            elif step.output not in self.dropped:
                self._emit(step, None)
            for values, last in ((self.original, self.last), (self.values, self.last_slim)):
                for name in [name for name in values if last.get(name, len(self.net.steps)) <= index]:
                    del values[name]
        return self.slim

    @staticmethod
    def _compute(values: Values, step: graph.Step, weights: graph.Weights | None) -> list[Tensor]:
        count = len(values[step.inputs[0]])
        return [
            graph.apply(step, [values[name][photo].float() for name in step.inputs], weights).half()
            for photo in range(count)
        ]

    def _emit(self, step: graph.Step, weights: graph.Weights | None) -> None:
        self.slim.steps.append(step)
        if weights is not None:
            weight, bias = weights
            weights = (weight.contiguous(), None if bias is None else bias.contiguous())
            self.slim.weights[step.name] = weights
        self.values[step.output] = self._compute(self.values, step, weights)

    def _fit_first(self, step: graph.Step) -> None:
        """The first convolution is linear, so the next one takes its components directly."""
        weight, bias = self.net.weights[step.name]
        assert bias is not None
        sample = torch.cat([tensor[0].flatten(1)[:, ::37].float() for tensor in self.original[step.output]], 1)
        mean = sample.mean(1)
        down, up = components(torch.cov(sample, correction=0), self.sensitivity[step.name], ranks.INPUT_RANK)
        self._input_up = up
        self._emit(step, (torch.einsum("oixy,ok->kixy", weight, down), (bias - mean) @ down))

    def _samples(self, step: graph.Step, parts: tuple[str, str] | None, inputs: int) -> tuple[Tensor, Tensor]:
        """Return what the slim convolution reads and what the original responds, at random positions of all photos."""
        responses = self.original[step.output]
        count = int(min(SAMPLES[1], max(SAMPLES[0], SAMPLES_PER_INPUT * inputs))) // len(responses)
        read, wanted = [], []
        for photo, response in enumerate(responses):
            positions = torch.randint(response[0, 0].numel(), (count,), generator=self._random)
            rows, columns = positions // response.shape[3], positions % response.shape[3]
            if parts:
                first = coarse_patches(self.values[parts[0]][photo], rows, columns)
                read.append(torch.cat([first, patches(self.values[parts[1]][photo], rows, columns, 1)], 1))
            else:
                read.append(patches(self.values[step.inputs[0]][photo], rows, columns, step.dilation))
            wanted.append(response[0][:, rows, columns].T.float())
        return torch.cat(read), torch.cat(wanted)

    def _fit_convolution(self, step: graph.Step) -> None:
        weight, _ = self.net.weights[step.name]
        outputs = weight.shape[0]
        form, rank = self.chosen.get(step.name, ("keep", outputs))
        if self._input_up is not None:
            weight, self._input_up = torch.einsum("oixy,ik->okxy", weight, self._input_up), None
        parts = graph.upsampled_part(self.net, step) if form == "coarse" else None
        first = self.values[parts[0]][0].shape[1] if parts else 0
        guess = torch.cat([coarse_kernel(weight[:, :first]).flatten(1), weight[:, first:].flatten(1)], 1).T
        read, wanted = self._samples(step, parts, len(guess))
        before = share_explained(read, wanted, guess)
        found = regress(read, wanted, guess, fit=form != "keep" or before < GOOD)
        matrix, bias, target = found.matrix, found.bias, step.output
        if rank < outputs:
            down, up = components(found.explained, self.sensitivity[step.name], rank)
            matrix, target = matrix @ down, f"{step.output}.k"
            bias = -(found.mean @ matrix)  # the components have the mean 0
            behind = (up[:, :, None, None], found.bias - bias @ up.T)
        after = share_explained(read, wanted, matrix if rank == outputs else matrix @ up.T)
        print(f"{step.name:20} {form:7}{rank:4} of {outputs:3}: R2 {before:.4f} -> {after:.4f}", flush=True)
        kernel = matrix.T.reshape(matrix.shape[1], -1, 3, 3)
        name = step.name
        if parts:
            low, high, fine = (f"{step.output}.{part}" for part in ("low", "high", "fine"))
            self._emit(graph.Step("Conv", f"{name}.coarse", [parts[0]], low), (kernel[:, :first], None))
            self._emit(graph.Step("Resize", f"{name}.resize", [low], high), None)
            self._emit(graph.Step("Conv", f"{name}.fine", [parts[1]], fine), (kernel[:, first:], bias))
            self._emit(graph.Step("Add", f"{name}.add", [high, fine], target), None)
            for tensor in (low, high, fine):
                del self.values[tensor]
        else:
            only = name if rank == outputs else f"{name}.low"
            self._emit(graph.Step("Conv", only, list(step.inputs), target, dilation=step.dilation), (kernel, bias))
        if rank < outputs:
            self._emit(graph.Step("Conv", f"{name}.up", [target], step.output), behind)
            del self.values[target]


def main() -> None:
    """Fit the network with the ranks on the command line, and write it as float32 ONNX."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="the float32 ONNX file")
    parser.add_argument("sensitivity", type=Path, help="the file that sensitivity.py wrote")
    parser.add_argument("ranks", type=Path, help="the file that ranks.py wrote")
    parser.add_argument("output", type=Path)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="a folder with index.csv")
    parser.add_argument("--count", type=int, default=16, help="how many photos")
    parser.add_argument("--side", type=int, default=768, help="of the pictures")
    args = parser.parse_args()
    chosen = {name: (form, rank) for name, (form, rank) in json.loads(args.ranks.read_text()).items()}
    paths = photos.spread(photos.for_training(args.photos), args.count)
    fitter = Fitter(graph.read(args.network), chosen, torch.load(args.sensitivity)["G"])
    with torch.no_grad():
        slim = fitter.fit([photos.network_input(path, args.side) for path in paths])
    pairs = zip(fitter.original["output"], fitter.values["output"], strict=True)
    errors = [float((left.float() - right.float()).abs().mean()) for left, right in pairs]
    print(f"alpha differs by {sum(errors) / len(errors):.4f} on average")
    graph.write(slim, args.output)


if __name__ == "__main__":
    main()
