"""Quantise a slim network to 8 bits as ../build.py does: `python quantise.py SLIM.onnx OUT.onnx --calibrate DIR`.

Two things differ. The ranges come from side 896, at which `balanced` runs IS-Net. And a Resize keeps the range of its
input, so that onnxruntime computes it in 8 bits without a conversion. Without `--calibrate`, the ranges come from
isnet-slim-ranges.json.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import graph  # type: ignore[import-not-found]  # beside this file
import onnx
import photos  # type: ignore[import-not-found]  # beside this file
from onnxruntime.quantization.calibrate import save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

build = import_module("build")  # in the folder above; a folder called build beside it would be another module to mypy
NETWORK = replace(
    build.NETWORKS["isnet-int8.onnx"],
    side=896,
    float_nodes=("conv_in", graph.LAST),
    ranges_file="slim/isnet-slim-ranges.json",
)


def main() -> None:
    """Quantise the network on the command line and print the file's SHA-256."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="the slim network as float32 ONNX")
    parser.add_argument("output", type=Path)
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="measure the ranges, on the photos in DIR")
    parser.add_argument("--count", type=int, default=109, help="how many photos")
    parser.add_argument("--ranges", type=Path, default=build.HERE / NETWORK.ranges_file, help="the file of the ranges")
    args = parser.parse_args()
    network = replace(NETWORK, ranges_file=str(args.ranges.resolve()))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "float32.onnx"
        quant_pre_process(args.network, model, skip_symbolic_shape=True)
        if args.calibrate:
            chosen = photos.spread(photos.even_rows(args.calibrate), args.count)
            ranges = build.calibrate(model, network, chosen, Path(folder))
            for node in onnx.load(model).graph.node:
                if node.op_type == "Resize" and node.input[0] in ranges.data and node.output[0] in ranges.data:
                    ranges.data[node.output[0]] = ranges.data[node.input[0]]
            save_tensors_data(ranges, args.ranges)
        build.quantise(model, network, args.output)
    print(hashlib.sha256(args.output.read_bytes()).hexdigest(), args.output)


if __name__ == "__main__":
    main()
