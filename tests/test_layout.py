"""The layout of the packages, their imports, and whether the documents cover every module and format."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from watcher.formats import FORMATS

MODULES = sorted(path.relative_to(ROOT) for top in ("watcher", "integrations") for path in (ROOT / top).rglob("*.py"))
WINGS = [path for path in MODULES if path.name == "__init__.py" and len(path.parts) > 2]

MAX_MODULES = 12
"""Modules in one folder, besides its __init__."""
MAX_LINES = 400
"""Lines of one module."""


@pytest.mark.parametrize("module", ["watcher.cli.main", "watcher.enqueue", "integrations"])
def test_the_command_and_the_client_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "PIL", "onnxruntime", "tqdm", "platformdirs", "watchdog", "pystray", "sqlite3"}
    assert not set(loaded) & heavy - ({"sqlite3"} if module == "watcher.enqueue" else set())


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_each_module_opens_with_its_job_and_is_in_the_architecture(path: Path) -> None:
    assert ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    if path.parts[0] == "watcher" and not path.name.startswith("__"):
        name = re.escape("/".join(path.parts[1:]))  # queue/store.py
        assert re.search(rf"(?<![\w/])(?:watcher/)?{name}\b", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


def test_no_folder_and_no_file_is_too_large() -> None:
    folders = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {str(folder): count for folder, count in folders.items() if count > MAX_MODULES} == {}
    lines = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("path", WINGS, ids=str)
def test_the_init_of_a_wing_is_a_docstring_alone(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_telemetry_is_off_wherever_watcher_has_been_imported() -> None:
    code = (
        "import os; del os.environ['ORT_DISABLE_TELEMETRY']; import watcher; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {"ORT_DISABLE_TELEMETRY": "0", "PATH": "/usr/bin:/bin"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout == "1\n"


@pytest.mark.parametrize("path", [*(ROOT / "benchmarks").glob("*.py"), ROOT / "assets/models/build.py"], ids=str)
def test_every_other_importer_of_onnxruntime_switches_telemetry_off_first(path: Path) -> None:
    lines = path.read_text().splitlines()
    imports = (number for number, line in enumerate(lines) if re.match(r"\s*(import|from) onnxruntime", line))
    first = next(imports, None)
    if first is not None:
        before = "\n".join(lines[:first])
        assert "ORT_DISABLE_TELEMETRY" in before or re.search(r"^from watcher", before, re.MULTILINE)


def test_the_documents_name_every_kind_of_picture() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    for name, suffixes, _types, remark in FORMATS.values():
        assert f"| {name} | {' '.join(f'`{suffix}`' for suffix in suffixes)} | {remark} |\n" in text
