"""Rewrite MODNet's published graph for 8 bits, and give it a second output: the probability that there is a person.

Where that is low, the finished model skips the rest, nine tenths of its work, and answers with an empty alpha.

The published graph (opset 11) normalises half of the channels of a layer by batch and the other half by instance
("IBNorm" in "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition", Ke and others, AAAI 2022).
`rewrite` splits such a convolution in two, puts the batch normalisation into the weights of the first half, and turns
the two matrix products of the attention block into convolutions of 1 x 1. The result computes the same, for each size
that is a multiple of 32, and quantises as other convolutions do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 13  # the lowest with weights quantised per channel
MIN_PERSON = 0.35  # probability; fusion.MIN_PERSON is the same, since below it nobody asks for the alpha
FloatArray = NDArray[np.float32]


class _Graph:
    """The published graph, and the nodes and weights of the new one."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.nodes = [node for node in graph.node if node.op_type != "Constant"]
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self.new_nodes: list[onnx.NodeProto] = []
        self.replaced: set[str] = set()  # names of published nodes that have a substitute

    def weight(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = values.astype(np.float32)
        return name

    def only_user(self, name: str) -> onnx.NodeProto:
        (user,) = self.users[name]
        return user

    def add(self, kind: str, inputs: list[str], output: str, name: str, **attributes: Any) -> str:
        self.new_nodes.append(helper.make_node(kind, inputs, [output], name=name, **attributes))
        return output


def rewrite(data: bytes) -> onnx.ModelProto:
    """Return the network in opset 13: from `input` (1, 3, H, W) to `output` (1, 1, H, W), H and W multiples of 32."""
    model = onnx.load_from_string(data)
    graph = _Graph(model.graph)
    _replace_attention(graph)
    for node in graph.nodes:
        slices = [user for user in graph.users.get(node.output[0], []) if user.op_type == "Slice"]
        if node.op_type == "Conv" and slices:
            _split_normalised(graph, node, slices)
        elif node.name not in graph.replaced:
            graph.new_nodes.append(node)
    used = {name for node in graph.new_nodes for name in node.input}
    weights = [numpy_helper.from_array(graph.constants[name], name) for name in sorted(used & graph.constants.keys())]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(_in_order(graph.new_nodes, {"input", "", *graph.constants}))
    model.graph.initializer.extend(weights)
    model.opset_import[0].version = OPSET
    for value in (model.graph.input[0], model.graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_value = 1
        dims[2].dim_param, dims[3].dim_param = "height", "width"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    onnx.checker.check_model(model)
    return model


def _replace_attention(graph: _Graph) -> None:
    """Replace the block between the global pool and the product with the pooled tensor."""
    (pool,) = [node for node in graph.nodes if node.op_type == "GlobalAveragePool"]
    (product,) = [node for node in graph.nodes if node.op_type == "Mul"]
    squeeze, excite = [node for node in graph.nodes if node.op_type == "MatMul"]
    block = {"Shape", "Gather", "Unsqueeze", "Reshape", "Expand", "MatMul", "Mul"}
    for node in graph.nodes:
        shape_only = node.op_type == "Concat" and any(
            name in other.output for name in node.input for other in graph.nodes if other.op_type == "Unsqueeze"
        )
        if node.op_type in block or shape_only:
            graph.replaced.add(node.name)
    graph.replaced |= {graph.only_user(squeeze.output[0]).name, graph.only_user(excite.output[0]).name}

    def as_kernel(node: onnx.NodeProto) -> str:
        return graph.weight(f"{node.name}_kernel", graph.constants[node.input[1]].T[:, :, None, None])

    tensor = graph.add("Conv", [pool.output[0], as_kernel(squeeze)], "squeezed", "squeeze", kernel_shape=[1, 1])
    tensor = graph.add("Relu", [tensor], "squeezed_relu", "squeeze_relu")
    tensor = graph.add("Conv", [tensor, as_kernel(excite)], "excited", "excite", kernel_shape=[1, 1])
    tensor = graph.add("Sigmoid", [tensor], "attention", "attention_sigmoid")
    graph.add("Mul", [pool.input[0], tensor], product.output[0], product.name)


def _split_normalised(graph: _Graph, conv: onnx.NodeProto, slices: list[onnx.NodeProto]) -> None:
    """Replace a convolution, the normalisations of its two halves and their concatenation."""
    norms = {graph.only_user(node.output[0]).op_type: graph.only_user(node.output[0]) for node in slices}
    batch, instance = norms["BatchNormalization"], norms["InstanceNormalization"]
    concat = graph.only_user(batch.output[0])
    after = graph.users[concat.output[0]]
    relu = after[0] if len(after) == 1 and after[0].op_type == "Relu" else None
    scale, shift, mean, variance = (graph.constants[name] for name in batch.input[1:5])
    factor = scale / np.sqrt(variance + _attributes(batch)["epsilon"])
    kernel, half = graph.constants[conv.input[1]], len(scale)
    bias = graph.constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(kernel), np.float32)

    def half_conv(suffix: str, weights: FloatArray, biases: FloatArray) -> str:
        name = f"{conv.name}_{suffix}"
        inputs = [conv.input[0], graph.weight(f"{name}_kernel", weights), graph.weight(f"{name}_bias", biases)]
        return graph.add("Conv", inputs, f"{conv.output[0]}_{suffix}", name, **_attributes(conv))

    first = half_conv("bn", kernel[:half] * factor[:, None, None, None], (bias[:half] - mean) * factor + shift)
    second = half_conv("in", kernel[half:], bias[half:])
    norm_inputs = [
        second,
        graph.weight(f"{conv.name}_norm_scale", graph.constants[instance.input[1]]),
        graph.weight(f"{conv.name}_norm_shift", graph.constants[instance.input[2]]),
    ]
    norm_name = f"{conv.name}_instancenorm"
    second = graph.add("InstanceNormalization", norm_inputs, f"{second}_normed", norm_name, **_attributes(instance))
    if relu is not None:  # before the concatenation, so that each half is quantised with its own range
        first = graph.add("Relu", [first], f"{first}_relu", f"{conv.name}_bn_relu")
        second = graph.add("Relu", [second], f"{second}_relu", f"{conv.name}_in_relu")
    graph.add("Concat", [first, second], (relu or concat).output[0], concat.name, axis=1)
    graph.replaced |= {node.name for node in (*slices, batch, instance, concat, *([relu] if relu is not None else []))}


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _in_order(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes in an order in which each comes after those that compute its inputs."""
    waiting, ordered, known = list(nodes), list[onnx.NodeProto](), set(known)
    while waiting:
        ready = next(node for node in waiting if known.issuperset(node.input))
        waiting.remove(ready)
        ordered.append(ready)
        known.update(ready.output)
    return ordered


def add_person_output(path: Path, weights_path: Path) -> None:
    """Add the output `person` (1, 1, 1, 1) to the quantised model: the probability of a person, 0..1.

    It is a logistic regression on the 1,280 pooled features of the deepest layer. `weights_path`: JSON with `weights`
    and `bias`, which fit_person.py wrote.
    """
    model = onnx.load(path)
    fitted = json.loads(weights_path.read_text())
    (pool,) = [node for node in model.graph.node if node.op_type == "GlobalAveragePool"]
    kernel = np.array(fitted["weights"], np.float32)[None, :, None, None]
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(kernel, "person_kernel"),
            numpy_helper.from_array(np.array([fitted["bias"]], np.float32), "person_bias"),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("Conv", [pool.output[0], "person_kernel", "person_bias"], ["person_logit"], name="person"),
            helper.make_node("Sigmoid", ["person_logit"], ["person"], name="person_sigmoid"),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("person", TensorProto.FLOAT, [1, 1, 1, 1]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def skip_without_person(path: Path) -> None:
    """Let the model compute `output` only if the probability of a person is above MIN_PERSON; otherwise it is 0.

    All that `person` does not need goes into a branch of an If node, with its weights: onnxruntime joins quantised
    operators within a branch as it does elsewhere.
    """
    model = onnx.load(path)
    graph = model.graph
    needed, first, rest = {"person"}, list[onnx.NodeProto](), list[onnx.NodeProto]()
    for node in reversed(graph.node):
        (first if needed.intersection(node.output) else rest).append(node)
        if first and first[-1] is node:
            needed.update(node.input)
    for node in rest:
        for names in (node.input, node.output):
            names[:] = ["alpha" if name == "output" else name for name in names]
    of_rest = {name for node in rest for name in node.input}
    alpha, nobody = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("alpha", "nobody"))
    weights = [tensor for tensor in graph.initializer if tensor.name in of_rest]
    with_person = helper.make_graph(rest[::-1], "with_person", [], [alpha], weights)
    without_nodes = [
        helper.make_node("Shape", ["input"], ["input_shape"]),
        helper.make_node("Mul", ["input_shape", "one_channel_mask"], ["shape_without_channels"]),
        helper.make_node("Max", ["shape_without_channels", "ones"], ["alpha_shape"]),
        helper.make_node("ConstantOfShape", ["alpha_shape"], ["nobody"]),
    ]
    constants = {"one_channel_mask": [1, 0, 1, 1], "ones": [1, 1, 1, 1]}
    without_weights = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    without_person = helper.make_graph(without_nodes, "without_person", [], [nobody], without_weights)
    of_first = {name for node in first for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in of_first]
    kept.append(numpy_helper.from_array(np.array([[[[MIN_PERSON]]]], np.float32), "min_person"))
    kept.append(numpy_helper.from_array(np.array([1], np.int64), "one_value"))
    nodes = [
        *first[::-1],
        helper.make_node("Greater", ["person", "min_person"], ["is_person"], name="is_person"),
        helper.make_node("Reshape", ["is_person", "one_value"], ["condition"], name="condition"),
        helper.make_node(
            "If", ["condition"], ["output"], name="people", then_branch=with_person, else_branch=without_person
        ),
    ]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, path)
