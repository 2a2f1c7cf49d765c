"""What nobg says if onnxruntime is not installed: in words, and as a person sees it."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT
from watcher.matting.networks import runtime

MUSL = "Use nobg on a system with glibc, such as Debian, Ubuntu or Fedora, or in a container of one."


def test_where_it_is_installed_there_is_nothing_to_say() -> None:
    assert runtime.why_missing() == ""


@pytest.mark.parametrize(
    ("system", "libc", "words"),
    [
        ("linux", ("glibc", "2.36"), "Install nobg again."),
        ("linux", ("", ""), MUSL),
        ("linux", ("musl", "1.2.5"), MUSL),
        ("win32", ("", ""), "Install nobg again."),
    ],
)
def test_what_to_do_depends_on_the_systems_c_library(
    system: str, libc: tuple[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    assert runtime.why_missing().startswith("The package onnxruntime is not installed")
    assert runtime.why_missing().endswith(words)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_an_environment_without_it_is_told_so_by_remove_and_doctor(tmp_path: Path, photo: Path) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    own = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    for entry in packages.iterdir():
        if not entry.name.startswith(("onnxruntime", "_", "nobg_watcher")) and entry.suffix != ".pth":
            (own / entry.name).symlink_to(entry)
    (own / "nobg.pth").write_text(f"{ROOT}\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [str(python), "-m", "watcher", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    removed = run("remove", photo)
    assert removed.returncode == 3
    assert "The package onnxruntime is not installed." in removed.stderr
    assert "Traceback" not in removed.stderr
    checks = {check["name"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]}
    assert checks["onnxruntime"]["detail"].startswith("The package onnxruntime is not installed.")
    assert "onnxruntime" in checks["Worker"]["detail"]
