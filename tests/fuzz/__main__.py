"""`python -m tests.fuzz NAME [--seconds 600]`: run a harness on all stored inputs, then let atheris look for more.

An input that fails is written to --artifacts; put it into tests/fuzz/found/NAME when the parser is mended. Equal
--seed: equal inputs in equal order, on the same code.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz import harnesses

INSTRUMENTED = ["watcher", "integrations", "tomllib", "tarfile", "zipfile"]
"""Packages whose coverage guides the search: nobg's, and what it leaves the parsing to."""
TIFF_HARNESSES = ("tiff", "tiff_layout", "metadata")
"""Harnesses for which Pillow's parser of TIFF is instrumented, too. That takes several seconds."""


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=harnesses.NAMES)
    parser.add_argument(
        "--seconds", type=int, default=0, help="how long atheris looks for inputs (default: not at all)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="where to keep inputs that reach new code (default: nowhere)")
    parser.add_argument("--artifacts", type=Path, default=Path(), help="where to write an input that fails")
    return parser.parse_args()


def replay(name: str, harness: harnesses.Harness) -> None:
    """Run the harness on every stored input; name the input that fails."""
    paths = harnesses.inputs(name)
    for path in paths:
        try:
            harnesses.run_one(harness, path.read_bytes())
        except BaseException:
            print(f"{name} fails on {path}", file=sys.stderr)
            raise
    print(f"{name}: {len(paths)} stored inputs passed")


def fuzz(name: str, options: argparse.Namespace) -> None:
    """Let atheris look for inputs that fail. Ends the process."""
    import atheris

    packages = INSTRUMENTED + ["PIL.TiffImagePlugin"] * (name in TIFF_HARNESSES)
    with atheris.instrument_imports(include=packages, enable_loader_override=False):
        harness = harnesses.load(name)
    replay(name, harness)
    found = options.corpus or Path(tempfile.mkdtemp(prefix="nobg-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    stored = [folder / name for folder in (harnesses.CORPUS, harnesses.FOUND) if (folder / name).is_dir()]
    flags = {
        "max_total_time": options.seconds,
        "max_len": harnesses.MAX_INPUT_BYTES,
        "rss_limit_mb": harnesses.MAX_MEMORY_BYTES >> 20,
        "timeout": 600,  # ends a hang; run_one() measures
        "seed": options.seed,
        "artifact_prefix": f"{options.artifacts.resolve() / name}-",
        "verbosity": 1,
        "print_final_stats": 1,
    }
    arguments = [f"-{flag}={value}" for flag, value in flags.items()]
    atheris.Setup(
        [sys.argv[0], *arguments, str(found), *map(str, stored)], lambda data: harnesses.run_one(harness, data)
    )
    atheris.Fuzz()


def main() -> None:
    """Run the command."""
    options = parse_arguments()
    os.environ.setdefault("NOBG_HOME", tempfile.mkdtemp(prefix="nobg-fuzz-home-"))
    if options.seconds:
        fuzz(options.name, options)
    else:
        replay(options.name, harnesses.load(options.name))


if __name__ == "__main__":
    main()
