"""Python for aarch64 under qemu-user, with nobg's packages: no root file system to boot, no registration in the kernel.

`make` needs debootstrap (as root) and pip; running it needs qemu-user and unshare(1) as root. qemu-user emulates
neither seccomp nor Landlock, so that nothing enforces the jail there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.program import ROOT

FOLDER = ROOT / ".arm-root"
PYTHON = FOLDER / "opt" / "nobg" / "bin" / "python"
CAN_MAKE = (
    sys.platform == "linux"
    and os.geteuid() == 0
    and all(shutil.which(name) for name in ("debootstrap", "dpkg-deb", "qemu-aarch64", "unshare"))
)
_SUITE, _VERSION = "bookworm", "3.11"
_PACKAGES = "python3,libgomp1"
_WHEELS = [f"manylinux_2_{minor}_aarch64" for minor in (17, 27, 28)]
# onnxruntime reads this file when it is imported, and ends the process if it finds another processor's.
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
_START = """#!/bin/sh
root={root}
libraries=$root/usr/lib/aarch64-linux-gnu
exec qemu-aarch64 -cpu cortex-a72 $libraries/ld-linux-aarch64.so.1 \\
  --library-path $libraries:$root/lib/aarch64-linux-gnu --argv0 "$0" $root/usr/bin/python{version} "$@"
"""


def prefix() -> tuple[str, ...]:
    """Return the words before a command, in which /proc/cpuinfo is that of an ARM processor."""
    mount = f'mount --bind {FOLDER}/cpuinfo /proc/cpuinfo && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh")


def make() -> None:
    """Make the folder, unless it is there: Debian's packages are only unpacked, and the wheels are pip's."""
    if PYTHON.exists():
        return
    part = FOLDER.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    include = f"--include={_PACKAGES}"
    _run("debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", include, _SUITE, str(part))
    for package in (part / "var/cache/apt/archives").glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(part))
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = [line for line in dependencies if "!=" not in line.partition(";")[2]] + ["psutil", "pytest"]
    packages = part / "opt" / "nobg" / "lib" / f"python{_VERSION}" / "site-packages"
    options = [f"--platform={name}" for name in (*_WHEELS, "manylinux2014_aarch64")]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    _run(*pip, f"--target={packages}", *options, f"--python-version={_VERSION}", "--only-binary=:all:", *wanted)
    (part / "cpuinfo").write_text(_CPUINFO)
    (part / "opt/nobg/pyvenv.cfg").write_text(f"home = {FOLDER}/usr/bin\ninclude-system-site-packages = false\n")
    start = part / PYTHON.relative_to(FOLDER)
    start.parent.mkdir()
    start.write_text(_START.format(root=FOLDER, version=_VERSION))
    start.chmod(0o755)
    part.rename(FOLDER)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def environment(home: Path) -> dict[str, str]:
    """Return the environment for `PYTHON`: nobg from this checkout, with its folders in `home`."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "NOBG_HOME": str(home)}
