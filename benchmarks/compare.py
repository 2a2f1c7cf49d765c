"""nobg beside rembg and @imgly/background-removal-node: `python -m benchmarks.compare [PHOTOS] --rembg … --imgly …`.

Time and memory on pictures that are made here, quality on the photos of PHOTOS, a folder as `benchmarks/quality.py`
describes it. All three tools cut out with IS-Net (nobg in 8 bits and with U2-Net beside it; rembg in float32, through
its `dis_custom` session; @imgly's in float16), each run as its own users run it: rembg's command; a few lines for node,
with the package's own defaults. Set-up, once (Python 3.11 or newer, Node 20 or newer):

    pip install -e '.[bench]'
    python -m venv rembg
    rembg/bin/pip install 'rembg[cpu,cli]>=2.0.86'
    mkdir imgly
    echo '{"dependencies": {"@imgly/background-removal-node": "1.4.5"}, "overrides": {"sharp": "0.33.5"}}' \
        > imgly/package.json
    npm install --prefix imgly --ignore-scripts
    python -m benchmarks.compare PHOTOS --rembg rembg/bin/rembg --imgly imgly

@imgly's package brings its models; rembg's file is made from them, in float32, unless --weights names one (such as
`~/.rembg/isnet-general-use.onnx`, which `rembg d isnet-general-use` fetches). sharp 0.33 comes whole from npm; 0.32,
which @imgly's package asks for, fetches libvips from elsewhere while it is installed.

How it is measured: each tool once beforehand, so that files are in the disk cache and byte code is compiled; then in
turn, because machines are noisy. Times are medians of whole commands, from start to exit; the right-click's is from the
start of `nobg-add` until the file is there, the program not running before. A speed "to rembg's" is the median of
the rounds' ratios: 4 is four times as fast. "Processor s" are those of a command and all that it started, for each
picture; they tell more than times where a machine is busy. Memory is the largest sum, in any round, of the resident
memory of the same, looked at every 10 ms.
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

NOBG = ("balanced", "fast", "best")
"""nobg's modes that are compared; the first is the usual one, and the one that is measured cold."""
PARTS = ("cold", "folder", "quality")
REMBG, IMGLY, CLICK = "rembg", "@imgly/background-removal-node", "nobg, right-click"

# What @imgly's README shows, for each picture named. A picture that fails must not end the others.
NODE = """
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
    """A tool did not do what it was asked; says why."""


@dataclass(frozen=True)
class Run:
    """What one run of a command took."""

    seconds: float
    work: float  # processor seconds, it and all that it started
    peak: int  # bytes, the same
    said: str = ""  # the line of it that tells most


@dataclass(frozen=True)
class Tool:
    """How one tool is run.

    `one` is its command for (picture, folder for the output), `many` for (folder of pictures, folder for the outputs).
    """

    name: str
    one: Callable[[Path, Path], list[str]]
    many: Callable[[Path, Path], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None  # in which it has to be run

    def run(self, command: list[str]) -> Run:
        """Run one of its commands. Raises ToolError with what it said, if it ends with an error."""
        with tempfile.TemporaryFile("w+") as said:
            before, start = work_of_children(), time.perf_counter()
            try:
                process = subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    cwd=self.directory,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                )
            except OSError as error:
                raise ToolError(str(error)) from error
            memory = PeakMemory(process.pid)
            memory.start()
            code = process.wait()
            seconds = time.perf_counter() - start
            said.seek(0)
            lines = said.read().strip().splitlines() or [f"exit code {code}"]
        telling = ([line for line in lines if re.match(r"[\w.]*Error\b", line)] or lines)[-1]
        if code != 0:
            raise ToolError(telling)
        return Run(seconds, work_of_children() - before, memory.peak, telling)


def work_of_children() -> float:
    """Processor seconds of all processes that we started and that have ended, and of theirs."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def work_of_program(pid: int) -> float:
    """The same of the resident program, which is no child of ours, and its worker, which both run."""
    program = psutil.Process(pid)
    return float(sum(sum(process.cpu_times()[:4]) for process in (program, *program.children(recursive=True))))


def nobg(mode: str) -> Tool:
    """One of its modes."""

    def command(source: Path, output: Path) -> list[str]:
        start = [sys.executable, "-m", "watcher", "remove", "--force", "--model", mode]
        return [*start, "-o", str(output), str(source)]

    return Tool(f"nobg, {mode}", command, command)


def rembg(command: str, weights: Path) -> Tool:
    """The command of rembg with these weights."""
    weights = weights.expanduser().resolve()
    session = ["-m", "dis_custom", "-x", json.dumps({"model_path": str(weights)})]

    def one(picture: Path, output: Path) -> list[str]:
        return [command, "i", *session, str(picture), str(output / f"{picture.stem}.png")]

    def many(folder: Path, output: Path) -> list[str]:
        return [command, "p", *session, str(folder), str(output)]

    # It takes models from its own folder only. Its onnxruntime would call home.
    environment = {"U2NET_HOME": str(weights.parent), "ORT_DISABLE_TELEMETRY": "1"}
    return Tool(REMBG, one, many, environment)


def imgly(folder: Path) -> Tool:
    """@imgly's package, installed in this folder: it looks for its models in the one that it is run in."""

    def one(picture: Path, output: Path) -> list[str]:
        return ["node", "-e", NODE, str(output), str(picture)]

    def many(pictures: Path, output: Path) -> list[str]:
        return ["node", "-e", NODE, str(output), *map(str, sorted(pictures.iterdir()))]

    return Tool(IMGLY, one, many, directory=folder)


def package(folder: Path) -> Path:
    """Where npm put @imgly's package."""
    return folder / "node_modules" / IMGLY


def float32_weights(folder: Path, file: Path) -> None:
    """Write the model of @imgly's package, float16, as rembg's users have it: in float32, with the same values."""
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


def click(picture: Path) -> Run:
    """A right-click with nothing running, until the output is there; then the program is stopped."""
    output = picture.with_name(f"{picture.stem}_nobg.png")
    lock = Path(os.environ["NOBG_HOME"], "state", "running.lock")
    lock.unlink(missing_ok=True)  # the number in it is the last program's
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


def usable(tools: Iterable[Tool], picture: Path, place: Path) -> list[Tool]:
    """Those that cut out this picture, which also warms them up; says why the others are left out."""
    found = []
    for tool in tools:
        output = place / "trial" / tool.name.replace("/", "-")
        output.mkdir(parents=True)
        try:
            run = tool.run(tool.one(picture, output))
            if not any(output.glob("*.png")):
                raise ToolError(f"it made no file ({run.said})")  # noqa: TRY301  the same answer to both
        except ToolError as error:
            print(f"{tool.name} is left out: {error}\n", flush=True)
        else:
            found.append(tool)
    return found


def in_turn(cases: dict[str, Callable[[int], Run]], rounds: int) -> dict[str, list[Run]]:
    """Each case once in each round; it is told the round's number."""
    runs: dict[str, list[Run]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, act in cases.items():
            runs[name].append(act(number))
    return runs


def print_runs(title: str, runs: dict[str, list[Run]], pictures: int) -> None:
    """A table of time and memory."""
    head = (title, "seconds a picture", "pictures a second", "to rembg's", "processor s", "peak memory", "to rembg's")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, mine in runs.items():
        seconds = statistics.median(run.seconds for run in mine) / pictures
        work = statistics.median(run.work for run in mine) / pictures
        peak = max(run.peak for run in mine)
        faster = larger = "-"
        if REMBG in runs:
            theirs = runs[REMBG]
            faster = f"{statistics.median(b.seconds / a.seconds for a, b in zip(mine, theirs, strict=True)):.2f}"
            larger = f"{peak / max(run.peak for run in theirs):.2f}"
        speed = f"{seconds:.2f} | {1 / seconds:.2f} | {faster}"
        print(f"| {name} | {speed} | {work:.2f} | {peak / 1e9:.2f} GB | {larger} |")
    print(flush=True)


def cold(tools: list[Tool], place: Path, rounds: int) -> None:
    """One picture of 1.5 megapixels by each command, and by the right-click; nothing running before."""
    make_pictures(place / "one", [(1500, 1000)] * (rounds + 1))
    pictures = sorted((place / "one").iterdir())
    outputs = place / "one-out"
    outputs.mkdir()

    def command(tool: Tool) -> Callable[[int], Run]:
        return lambda number: tool.run(tool.one(pictures[number], outputs))

    click(pictures[rounds])  # warms up
    cases: dict[str, Callable[[int], Run]] = {CLICK: lambda number: click(pictures[number])}
    others = [tool for tool in tools if tool.name not in {nobg(mode).name for mode in NOBG[1:]}]
    print_runs("one picture of 1.5 MP, cold", in_turn(cases | {tool.name: command(tool) for tool in others}, rounds), 1)


def in_a_folder(tools: list[Tool], place: Path, rounds: int, count: int) -> None:
    """A folder of pictures by one command."""
    sides = [(int((mp * 1.5e6) ** 0.5), int((mp * 1e6 / 1.5) ** 0.5)) for mp in np.linspace(0.3, 2.0, count)]
    make_pictures(place / "many", sides)

    def command(tool: Tool) -> Callable[[int], Run]:
        def act(_number: int) -> Run:
            with tempfile.TemporaryDirectory(dir=place) as output:
                run = tool.run(tool.many(place / "many", Path(output)))
                if (made := len(list(Path(output).glob("*.png")))) < count:
                    raise SystemExit(f"{tool.name} made {made} files of {count}")
            return run

        return act

    title = f"a folder of {count} pictures of 0.3 to 2 MP"
    print_runs(title, in_turn({tool.name: command(tool) for tool in tools}, rounds), count)


def as_scored(folder: Path) -> None:
    """Name and store all cut-outs as benchmarks/quality.py reads them: ID_nobg.png, with an alpha channel.

    @imgly's are pictures of 256 colours, alpha included: that is how it asks sharp for PNG.
    """
    for path in folder.glob("*.png"):
        if not path.stem.endswith("_nobg"):
            with Image.open(path) as image:
                image.convert("RGBA").save(path.with_name(f"{path.stem}_nobg.png"), compress_level=1)
            path.unlink()


def quality(tools: list[Tool], place: Path, photos: Path, every: int) -> None:
    """The masks of every n-th photo against the truth."""
    with (photos / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::every]
    (place / "photos").mkdir()
    for row in rows:
        shutil.copy(photos / "images" / f"{row['id']}.jpg", place / "photos")
    head = ("masks", "photos", *METRICS)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for tool in tools:
        with tempfile.TemporaryDirectory(dir=place) as output:
            tool.run(tool.many(place / "photos", Path(output)))
            as_scored(Path(output))
            scores = [measures for measures in score_all(rows, photos, Path(output)) if measures is not None]
        print(f"| {tool.name} | {len(scores)} of {len(rows)} | {format_columns(scores)} |", flush=True)
    print()


def said_by(*command: str) -> str:
    """The last word that a command prints, such as its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (done.stdout.split() or ["unknown"])[-1]


def processor() -> str:
    """Its name, as far as the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def print_head(options: argparse.Namespace) -> None:
    """When, on what machine, and which versions."""
    versions = [f"nobg {said_by(sys.executable, '-m', 'watcher', '--version')}"]
    if options.rembg:
        versions.append(f"rembg {said_by(options.rembg, '--version')}")
    if options.imgly and (about := package(options.imgly) / "package.json").exists():
        versions.append(f"{IMGLY} {json.loads(about.read_text())['version']} on node {said_by('node', '--version')}")
    # All tools may use all of them, which is what each does on its own.
    machine = f"{psutil.cpu_count()} processors ({processor()}), {psutil.virtual_memory().total / 1e9:.0f} GB"
    today = dt.datetime.now(tz=dt.UTC).date()
    print(f"{today}, {machine}, {platform.platform()}. {', '.join(versions)}.\n", flush=True)


def chosen(options: argparse.Namespace, place: Path) -> list[Tool]:
    """The modes of nobg, and the other tools that are there."""
    if options.imgly and not package(options.imgly).exists():
        raise SystemExit(f"{options.imgly} has no node_modules/{IMGLY}. This file's first lines say how to install it.")
    tools = [nobg(mode) for mode in NOBG]
    if options.rembg:
        weights = options.weights
        if weights is None and options.imgly:
            weights = place / "weights" / "isnet.onnx"
            float32_weights(options.imgly, weights)
        if weights is None:
            raise SystemExit("rembg needs --imgly FOLDER to take the weights from, or --weights FILE")
        tools.append(rembg(options.rembg, weights))
    if options.imgly:
        tools.append(imgly(options.imgly.resolve()))
    return tools


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", metavar="PHOTOS", help="without it: no table of quality")
    parser.add_argument("--rembg", metavar="COMMAND", help="rembg's command, such as rembg/bin/rembg")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="IS-Net in float32, for rembg")
    parser.add_argument("--imgly", type=Path, metavar="FOLDER", help="where npm installed @imgly's package")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="which tables (default: all)")
    parser.add_argument("--rounds", type=int, default=2, help="of the folder; cold, twice as many (default 2)")
    parser.add_argument("--count", type=int, default=20, help="pictures in the folder (default 20)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="quality on every n-th photo (default: all)")
    options = parser.parse_args()
    print_head(options)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ["NOBG_HOME"] = str(place / "home")
        make_pictures(place / "trial-picture", [(1500, 1000)])
        tools = usable(chosen(options, place), place / "trial-picture" / "000.jpg", place)
        if "cold" in options.only:
            cold(tools, place, 2 * options.rounds)
        if "folder" in options.only:
            in_a_folder(tools, place, options.rounds, options.count)
        if "quality" in options.only and options.photos:
            quality(tools, place, options.photos, options.every)


if __name__ == "__main__":
    main()
