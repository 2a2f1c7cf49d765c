"""Processes that nobg starts on Windows, where a program may open a console window."""

import ast
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ROOT
from watcher import enqueue, paths

WITHOUT_FLAGS = {
    "enqueue.py": 2,  # notify-send; the other is tested below
    "desktop/shell.py": 1,  # Linux's folder chooser
    "cli/edit.py": 1,  # it stays in the person's own terminal
    "jail/probe.py": 1,  # it is refused
}
"""Modules that start processes without NO_CONSOLE, and how many."""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    path = tmp_path / "python.exe"
    path.touch()
    return path


def test_on_windows_the_program_is_run_by_the_python_without_a_console(python: Path) -> None:
    without_console = python.with_name("pythonw.exe")
    without_console.touch()
    assert paths.background_python(str(python), "win32") == str(without_console)
    assert paths.background_python(str(python), "linux") == str(python)


def test_without_that_python_the_program_is_run_by_this_one(python: Path) -> None:
    assert paths.background_python(str(python), "win32") == str(python)


def test_a_click_on_windows_starts_the_program_without_a_window(monkeypatch: pytest.MonkeyPatch, python: Path) -> None:
    started: dict[str, Any] = {}
    monkeypatch.setattr(enqueue, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(paths, "background_python", lambda: str(python))
    monkeypatch.setattr(paths, "NO_CONSOLE", 0x08000000)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)

    def start(command: list[str], **options: Any) -> SimpleNamespace:
        started.update(options, command=command)
        return SimpleNamespace()

    monkeypatch.setattr(subprocess, "Popen", start)
    enqueue._start_detached(["watcher", "run"])
    assert started["command"] == [str(python), "-P", "-m", "watcher", "run"]
    assert started["creationflags"] == 0x08000200
    assert started["stdout"] == subprocess.DEVNULL  # who has started the client would wait for the program's end
    assert "pass_fds" not in started  # Windows knows none


@pytest.mark.parametrize("path", sorted((ROOT / "watcher").rglob("*.py")), ids=lambda path: path.name)
def test_no_process_of_nobg_opens_a_console(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    starts = [call for call in calls if ast.unparse(call.func) in {"subprocess.Popen", "subprocess.run"}]
    without = [call for call in starts if not any(word.arg == "creationflags" for word in call.keywords)]
    assert len(without) == WITHOUT_FLAGS.get(path.relative_to(ROOT / "watcher").as_posix(), 0)
