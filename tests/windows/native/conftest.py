"""Tests for Windows' own Python, on Windows or in the kit: `bash tests/run --windows`."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    collect_ignore_glob = ["test_*.py"]
