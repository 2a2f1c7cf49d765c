"""The package as a whole: its list of file managers, what its import loads, and the script for a checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from integrations import file_managers
from tests.support.menus import make_setup
from tests.support.program import ROOT


def test_all_file_managers_of_linux_are_listed(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    keys = [target.key for target in file_managers("linux")]
    assert keys == ["nautilus", "nemo", "caja", "dolphin", "thunar", "pcmanfm", "pcmanfm-qt", "open-with"]
    assert all(target.is_present(setup) for target in file_managers("linux"))


def test_integrations_load_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import integrations; light = set(sys.modules) - before;"
        "[(integrations.file_managers(system), integrations.autostart_target(system))"
        " for system in ('linux', 'darwin', 'win32')];"
        "print(*light, '|', *{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    light, _, everything = result.stdout.partition("|")
    assert set(light.split()) == {"__future__", "integrations"}
    assert not set(everything.split()) - set(sys.stdlib_module_names) - {"integrations"}


@pytest.mark.parametrize("command", [["add", "--"], ["--version"]])
def test_nobg_runs_from_a_checkout(command: list[str]) -> None:
    script = ROOT / "integrations" / "checkout.py"
    result = subprocess.run(
        [sys.executable, "-P", "-S", script, *command], cwd="/", env={}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, "nobg" in result.stdout + result.stderr) == ({"add": 2}.get(command[0], 0), True), (
        result.stderr
    )
