"""A convolutional ONNX graph as a list of steps: read it, run it in PyTorch, rewrite it, and write it back to ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional

Weights = tuple[Tensor, Tensor | None]  # of a convolution: (outputs, inputs, rows, columns), and its bias
LAST = "side1"  # the convolution that gives the answer's logits: one channel


@dataclass
class Step:
    """One operation: Conv, Relu, MaxPool (2 x 2), Concat, Resize (twice, bilinear), Add or Sigmoid."""

    op: str
    name: str
    inputs: list[str]
    output: str
    stride: int = 1
    dilation: int = 1


@dataclass
class Net:
    """The steps in order of computation, from the tensor `input` to the tensor `output`."""

    steps: list[Step] = field(default_factory=list)
    weights: dict[str, Weights] = field(default_factory=dict)  # by the name of the convolution

    def with_weights(self, weights: dict[str, Weights]) -> Net:
        """Return the same steps with other weights, which are detached from their computation."""
        copied = {
            name: (w.detach().clone(), None if b is None else b.detach().clone()) for name, (w, b) in weights.items()
        }
        return Net(list(self.steps), copied)


def read(path: Path) -> Net:
    """Return the float32 graph in the ONNX file `path`."""
    graph = onnx.load(path).graph
    initial = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    net = Net()
    for node in graph.node:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        inputs = [name for name in node.input if name and name not in initial]
        step = Step(node.op_type, node.name, inputs, node.output[0])
        if node.op_type in ("Conv", "ConvTranspose"):
            step.op = "Conv"
            step.name = node.name.strip("/").replace("/conv_s1", "").removesuffix("/Conv").replace("/", ".")
            step.stride, step.dilation = attributes.get("strides", [1])[0], attributes.get("dilations", [1])[0]
            tensors = [torch.from_numpy(initial[name].copy()) for name in node.input[1:]]
            weight = tensors[0].permute(1, 0, 2, 3).flip(2, 3) if node.op_type == "ConvTranspose" else tensors[0]
            net.weights[step.name] = (weight, tensors[1] if len(tensors) > 1 else None)
        net.steps.append(step)
    return net


def apply(step: Step, inputs: list[Tensor], weights: Weights | None) -> Tensor:  # noqa: PLR0911  # one for each operation
    """Return what `step` makes of `inputs`, each (1, channels, height, width)."""
    first = inputs[0]
    match step.op:
        case "Conv":
            assert weights is not None
            weight, bias = weights
            padding = step.dilation * (weight.shape[2] // 2)
            return functional.conv2d(first, weight, bias, step.stride, padding, step.dilation)
        case "Relu":
            return functional.relu(first)
        case "MaxPool":
            return functional.max_pool2d(first, 2, 2, ceil_mode=True)
        case "Concat":
            return torch.cat(inputs, 1)
        case "Resize":
            return functional.interpolate(first, scale_factor=2, mode="bilinear", align_corners=False)
        case "Add":
            return first + inputs[1]
        case "Sigmoid":
            return torch.sigmoid(first)
    raise ValueError(step.op)


def last_uses(steps: list[Step]) -> dict[str, int]:
    """Return, by the name of a tensor, the index of the last step that reads it."""
    return {name: index for index, step in enumerate(steps) for name in step.inputs}


def run(
    net: Net, picture: Tensor, keep: list[str] | None = None, weights: dict[str, Weights] | None = None
) -> dict[str, Tensor]:
    """Return the tensor `output` and those named in `keep`. `weights`: instead of the net's own."""
    weights = net.weights if weights is None else weights
    values = {"input": picture}
    last, kept = last_uses(net.steps), {*(keep or []), "output"}
    for index, step in enumerate(net.steps):
        values[step.output] = apply(step, [values[name] for name in step.inputs], weights.get(step.name))
        for name in step.inputs:
            if last[name] == index and name not in kept:
                values.pop(name, None)
    return {name: values[name] for name in kept}


def shapes(net: Net, side: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of channels and the side of each tensor, for a picture of (side, side)."""
    channels, sides = {"input": 3}, {"input": side}
    for step in net.steps:
        first = step.inputs[0]
        channels[step.output], sides[step.output] = channels[first], sides[first]
        match step.op:
            case "Conv":
                channels[step.output] = net.weights[step.name][0].shape[0]
                sides[step.output] = sides[first] // step.stride
            case "Concat":
                channels[step.output] = sum(channels[name] for name in step.inputs)
            case "MaxPool":
                sides[step.output] = -(-sides[first] // 2)
            case "Resize":
                sides[step.output] = 2 * sides[first]
    return channels, sides


def upsampled_part(net: Net, convolution: Step) -> tuple[str, str] | None:
    """Return (tensor before the upsampling, other tensor), if `convolution` reads these two joined, else None."""
    makers = {step.output: step for step in net.steps}
    joined = makers.get(convolution.inputs[0])
    if joined is None or joined.op != "Concat" or makers[joined.inputs[0]].op != "Resize":
        return None
    return makers[joined.inputs[0]].inputs[0], joined.inputs[1]


def write(net: Net, path: Path) -> None:
    """Write the net as ONNX, from `input` (1, 3, height, width) to `output` (1, 1, height, width)."""
    tensors = {"twice": np.array([1, 1, 2, 2], np.float32)}
    nodes = []
    for step in net.steps:
        op, inputs, attributes = step.op, list(step.inputs), dict[str, Any]()
        if op == "Conv":
            weight, bias = net.weights[step.name]
            size, padding = weight.shape[2], step.dilation * (weight.shape[2] // 2)
            attributes = {"kernel_shape": [size, size], "pads": [padding] * 4}
            if step.name == LAST:
                # The same sum as a transposed convolution: onnxruntime pads a convolution's one output to eight.
                op, weight = "ConvTranspose", weight.permute(1, 0, 2, 3).flip(2, 3)
            else:
                attributes |= {"strides": [step.stride] * 2, "dilations": [step.dilation] * 2}
            for kind, tensor in (("weight", weight), ("bias", bias)):
                if tensor is not None:
                    tensors[f"{step.name}.{kind}"] = np.ascontiguousarray(tensor.detach().numpy(), np.float32)
                    inputs.append(f"{step.name}.{kind}")
        elif op == "MaxPool":
            attributes = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        elif op == "Resize":
            inputs += ["", "twice"]
            attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        elif op == "Concat":
            attributes = {"axis": 1}
        nodes.append(helper.make_node(op, inputs, [step.output], name=step.name, **attributes))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "slim",
        [value("input", onnx.TensorProto.FLOAT, [1, 3, "height", "width"])],
        [value("output", onnx.TensorProto.FLOAT, [1, 1, "height", "width"])],
        [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
