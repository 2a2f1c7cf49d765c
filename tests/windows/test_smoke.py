"""A small part of the Windows suite, in every run: `bash tests/run --windows` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.windows.conftest import run_tests

pytestmark = pytest.mark.slow


def test_the_unit_tests_of_names_locks_and_windows_own_parts_pass_under_wine(kit: Path) -> None:
    names = [
        "integrations/test_explorer.py",
        "test_lock.py",
        "test_naming.py",
        "test_commit.py",
        "windows/native/test_files.py",
    ]
    run_tests(kit, *(f"tests/{name}" for name in names), "-m", "not slow")


def test_a_picture_in_a_watched_folder_is_cut_out_under_wine(kit: Path) -> None:
    run_tests(kit, "tests/windows/native/test_real_networks.py")
