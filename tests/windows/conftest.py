"""The kit, for tests that start its programs from Linux."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]

KIT = ROOT / ".windows-kit"
_MISSING_LIBRARY = 3  # make_kit.sh's code


@pytest.fixture(scope="session")
def kit() -> Path:
    """Windows' own Python with nobg, below a folder: `kit / "python"`, `kit / "installed"`; see make_kit.sh."""
    missing = [name for name in ("wine", "x86_64-w64-mingw32-gcc", "unzip") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}; as root, tests/run installs them")
    import fcntl  # Windows, which loads this file too, has none

    KIT.mkdir(exist_ok=True)
    with (KIT.parent / ".windows-kit.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # one of several processes makes it
        made = subprocess.run(
            ["bash", ROOT / "tests" / "windows" / "make_kit.sh", KIT], capture_output=True, text=True, check=False
        )
    if made.returncode == _MISSING_LIBRARY:
        pytest.skip(made.stderr)
    assert made.returncode == 0, made.stdout + made.stderr
    return KIT


def run_tests(kit: Path, *arguments: str) -> None:
    """Run tests by Windows' Python, and print what it prints."""
    command: list[str | Path] = [
        kit / "python",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.windows.skips",
        *arguments,
    ]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    sys.stdout.write(result.stdout + result.stderr)
    assert result.returncode == 0
