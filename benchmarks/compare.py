"""Compare nobg with rembg and @imgly/background-removal-node.

    python -m benchmarks.compare [PHOTOS] --rembg COMMAND --imgly FOLDER

Time and memory are measured on generated pictures, quality on the photos of PHOTOS, a folder as `benchmarks/quality.py`
describes it. All three tools use IS-Net: nobg in 8 bits together with other networks, rembg in float32 through its
`dis_custom` session, and @imgly's package in float16. Each runs as its users run it: rembg by its command, @imgly's
package by a few lines for node with its defaults. rembg runs three times: plainly, with -dc (clean colours at edges)
and with -a (alpha matting), as far as the installed version has these options. -dc leaves alpha as it is, so it has no
row in the table of quality; `benchmarks/edges.py` compares the colours. Set-up, once (Python 3.11 or newer, Node 20 or
newer):

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

Every wait ends: a command that hangs is left out of the comparison or ends it, with a message.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.quality import METRICS, format_columns, score_all
from benchmarks.resident import CLIENT_COMMAND, stop_program
from benchmarks.speed import PeakMemory, make_pictures
from benchmarks.support.tools import (
    IMGLY,
    REMBG,
    Run,
    Tool,
    ToolError,
    imgly,
    nobg,
    package,
    rembg,
    rembg_options,
    work_of_children,
    work_of_program,
    write_float32_weights,
)
from benchmarks.support.waiting import PROGRAM_SECONDS, START_SECONDS, wait_for_output, wait_until

NOBG_MODES = ("balanced", "fast", "best")
"""nobg's modes that are compared; the first is the default, and the one that is measured cold."""
PARTS = ("cold", "folder", "quality")
CLICK = "nobg, right-click"
CAPTION = (
    "rembg runs IS-Net in float32 (the model isnet-general-use). Its default model, BRIA RMBG-2.0 (1 GB, not free for "
    "commercial use), is not compared: it could not be had here."
)
"""What every reader of the tables must know; it stands above them."""


def run_click(picture: Path) -> Run:
    """Measure a right-click with nothing running until the output exists; then stop the resident program."""
    output = picture.with_name(f"{picture.stem}_nobg.png")
    lock = Path(os.environ["NOBG_HOME"], "state", "running.lock")
    lock.unlink(missing_ok=True)  # it still contains the process number of the last program
    before, start = work_of_children(), time.perf_counter()
    subprocess.run([*CLIENT_COMMAND, str(picture)], check=True, timeout=PROGRAM_SECONDS)
    wait_until(lambda: lock.exists() and lock.read_text().strip(), "the client did not start nobg")
    pid = int(lock.read_text())
    memory = PeakMemory(pid)
    memory.start()
    try:
        wait_for_output(output)
        seconds = time.perf_counter() - start
        work = work_of_program(pid) + work_of_children() - before
    finally:
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
                run = tool.run(tool.folder_command(work_folder / "many", Path(output)), count)
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
        if tool.name == f"{REMBG} -dc":
            continue  # its alpha is rembg's
        with tempfile.TemporaryDirectory(dir=work_folder) as output:
            tool.run(tool.folder_command(work_folder / "photos", Path(output)), len(rows))
            convert_for_scoring(Path(output))
            scores = [measures for measures in score_all(rows, photos, Path(output)) if measures is not None]
        print(f"| {tool.name} | {len(scores)} of {len(rows)} | {format_columns(scores)} |", flush=True)
    print()


def last_word(*command: str) -> str:
    """Return the last word that a command prints, such as its version."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
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
    if options.rembg:
        print(f"{CAPTION}\n", flush=True)


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
        tools += [rembg(options.rembg, weights, option) for option in (None, *rembg_options(options.rembg))]
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
        try:
            if "cold" in options.only:
                compare_cold(tools, work_folder, 2 * options.rounds)
            if "folder" in options.only:
                compare_folder(tools, work_folder, options.rounds, options.count)
            if "quality" in options.only and options.photos:
                compare_quality(tools, work_folder, options.photos, options.every)
        except (ToolError, TimeoutError) as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
