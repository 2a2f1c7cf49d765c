"""What may import what, and that the documents speak of what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from watcher.formats import FORMATS

MODULES = sorted(path.stem for path in (ROOT / "watcher").glob("*.py") if not path.stem.startswith("__"))


@pytest.mark.parametrize("module", ["watcher.cli", "watcher.enqueue", "integrations"])
def test_the_command_and_the_client_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & {
        "numpy",
        "PIL",
        "onnxruntime",
        "tqdm",
        "platformdirs",
        "watchdog",
        "pystray",
        "sqlite3",
    } - ({"sqlite3"} if module == "watcher.enqueue" else set())


@pytest.mark.parametrize("module", MODULES)
def test_each_module_opens_with_its_job_and_is_in_the_architecture(module: str) -> None:
    source = (ROOT / "watcher" / f"{module}.py").read_text()
    assert source.startswith('"""')
    assert re.search(rf"\b{module}\.py\b", (ROOT / "ARCHITECTURE.md").read_text())


def test_telemetry_is_off_wherever_watcher_has_been_imported() -> None:
    code = (
        "import os; del os.environ['ORT_DISABLE_TELEMETRY']; import watcher; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {"ORT_DISABLE_TELEMETRY": "0", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("path", [*(ROOT / "benchmarks").glob("*.py"), ROOT / "assets/models/build.py"], ids=str)
def test_every_other_importer_of_onnxruntime_switches_telemetry_off_first(path: Path) -> None:
    lines = path.read_text().splitlines()
    first = next((n for n, line in enumerate(lines) if re.match(r"\s*(import|from) onnxruntime", line)), None)
    if first is not None:
        before = "\n".join(lines[:first])
        assert "ORT_DISABLE_TELEMETRY" in before or re.search(r"^from watcher", before, re.MULTILINE)


def test_the_readme_names_every_kind_of_picture() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, suffixes, _types, remark in FORMATS.values():
        assert f"| {name} | {' '.join(f'`{suffix}`' for suffix in suffixes)} | {remark} |\n" in readme


def test_the_readme_runs_the_test_command_and_ci_does_too() -> None:
    assert "bash tests/run" in (ROOT / "README.md").read_text()
    assert "bash tests/run" in (ROOT / ".ci" / "run").read_text()
