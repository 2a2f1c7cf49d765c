"""All harnesses by name, where their inputs are, and what one input may cost."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

Harness = Callable[[bytes], None]
"""Feeds one input to a parser. Raises whatever the parser does not document, and AssertionError for a wrong result."""

MODULES = {
    "pictures": ("containers", "tiff_layout", "tiff", "jpeg", "jxl", "metadata", "profiles", "frames"),
    "settings": ("config", "recipe", "job_row"),
    "messages": ("protocol", "touchup", "edits", "zip_package", "npm_package"),
    "menus": ("uca_xml", "mimeapps", "desktop_entry", "menu_json"),
}
"""Module of this folder -> the names of its harnesses: `containers` is its function `fuzz_containers`."""

NAMES = tuple(name for names in MODULES.values() for name in names)

FOLDER = Path(__file__).parent
CORPUS, FOUND = FOLDER / "corpus", FOLDER / "found"
"""Folders with a sub-folder for each harness: inputs to start from, and inputs that once failed."""

MAX_CPU_SECONDS = 10
"""Processor time for one input, a thousand times what most take. Time on the clock would depend on the machine."""
MAX_MEMORY_BYTES = 2 << 30
"""The most memory that the process may ever have taken."""
MAX_INPUT_BYTES = 1 << 16


class TooCostlyError(Exception):
    """A small input took too much time or memory."""


def load(name: str) -> Harness:
    """Return the harness of this name. Imports its module, and with it the parser."""
    module = next(module for module, names in MODULES.items() if name in names)
    harness: Harness = getattr(importlib.import_module(f"tests.fuzz.{module}"), f"fuzz_{name}")
    return harness


def inputs(name: str) -> list[Path]:
    """Return the files of the corpus and of what was found, for this harness."""
    return sorted(path for folder in (CORPUS, FOUND) for path in (folder / name).glob("*") if path.is_file())


def run_one(harness: Harness, data: bytes) -> None:
    """Run the harness on one input. Raises TooCostlyError if that takes more than the limits."""
    start = time.process_time()
    harness(data)
    seconds = time.process_time() - start
    if seconds > MAX_CPU_SECONDS:
        raise TooCostlyError(f"{len(data)} bytes took {seconds:.1f} s of processor time")
    peak = peak_memory()
    if peak > MAX_MEMORY_BYTES:
        raise TooCostlyError(f"{len(data)} bytes took {peak >> 20} MiB of memory")


def peak_memory() -> int:
    """Return the most bytes of memory that this process has ever taken; 0 where nobody says."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
