"""A stand-in for the window "Touch up": it records how it was started. And a system without it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_for


class StandInEditor:
    """Takes the place of the Python that would run the window."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._record = folder / "editor-record"
        program = folder / "stand-in-editor"
        new = f"{self._record}.new"
        write = f'{{ pwd; echo "$DISPLAY"; printf "%s\\n" "$@"; }} > {new}'
        program.write_text(f"#!/bin/sh\n{write}\nmv {new} {self._record}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        set_installed(monkeypatch, installed=True)

    def take_arguments(self) -> list[str]:
        """Wait until it was started. Return the arguments of `watcher.editor`."""
        wait_for(self._record.exists)
        folder, self.display, *command = self._record.read_text().splitlines()
        self._record.unlink()
        assert (folder, command[:3]) == ("/", ["-P", "-m", "watcher.editor"])
        return command[3:]

    @property
    def was_started(self) -> bool:
        """Whether it was started since the last `take_arguments`."""
        return self._record.exists()


def set_installed(monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    """Make it look as if Qt for Python were installed, or not."""
    find_spec = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> object:
        return (sys if installed else None) if name == "PySide6" else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
