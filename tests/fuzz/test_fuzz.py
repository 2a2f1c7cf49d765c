"""Every harness passes on the stored inputs and, for four seconds, on those that atheris finds.

The search starts from the same seed each time, so that these seconds repeat the start of the longer search by hand.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fuzz import harnesses, make_corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the file managers are those of Linux"),
]

SECONDS = 4


def run_harness(name: str, folder: Path, *options: str) -> None:
    """Run one harness in a process of its own, whose memory is its alone."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--artifacts", str(folder), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


@pytest.mark.parametrize("name", harnesses.NAMES)
def test_a_parser_raises_only_what_it_documents(name: str, tmp_path: Path) -> None:
    has_atheris = importlib.util.find_spec("atheris") is not None
    run_harness(name, tmp_path, *(["--seconds", str(SECONDS)] if has_atheris else []))


def test_every_harness_has_a_small_corpus() -> None:
    assert set(make_corpus.MAKERS) == set(harnesses.NAMES)
    for name in harnesses.NAMES:
        assert list((harnesses.CORPUS / name).iterdir())
    paths = [path for name in harnesses.NAMES for path in harnesses.inputs(name)]
    assert sum(path.stat().st_size for path in paths) < 1 << 19


def test_an_input_that_costs_too_much_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harnesses, "MAX_CPU_SECONDS", -1)
    with pytest.raises(harnesses.TooCostlyError, match="processor time"):
        harnesses.run_one(lambda _: None, b"")
    monkeypatch.setattr(harnesses, "MAX_CPU_SECONDS", 10)
    monkeypatch.setattr(harnesses, "MAX_MEMORY_BYTES", -1)
    with pytest.raises(harnesses.TooCostlyError, match="MiB of memory"):
        harnesses.run_one(lambda _: None, b"")
