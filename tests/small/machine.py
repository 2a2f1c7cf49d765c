"""A small machine: User Mode Linux, a kernel of its own with as much memory as it is given, one core, and our files.

Its kernel ends programs when memory is used up, as a real one does. It needs Debian's package user-mode-linux, no root
and no virtualisation. The machine sees this system's folders under the same names.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.program import ROOT

CAN_RUN = sys.platform == "linux" and shutil.which("linux.uml") is not None
_INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/shm && mount -t tmpfs -o size=1m tmpfs /dev/shm
cd {folder}
export PATH={path} {variables}
{command} > {folder}/machine.out 2> {folder}/machine.err
echo $? > {folder}/machine.code
grep -E '^oom_kill ' /proc/vmstat > {folder}/machine.vmstat
sync
echo o > /proc/sysrq-trigger
sleep 60
"""


def run(
    folder: Path, command: Sequence[str | Path], *, megabytes: int, variables: Mapping[str, str], timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder` as the only program of a machine with so much memory. Returns what it printed.

    The kernel's count of programs that it ended for want of memory is in machine.vmstat in the folder.
    """
    words = {**variables, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
    init = folder / "machine-init"
    init.write_text(
        _INIT.format(
            folder=shlex.quote(str(folder)),
            path=shlex.quote(os.environ["PATH"]),
            variables=shlex.join(f"{name}={value}" for name, value in words.items()),
            command=shlex.join(map(str, command)),
        )
    )
    init.chmod(0o755)
    kernel = ["linux.uml", f"mem={megabytes}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw"]
    console = ["quiet", "con=null", "con0=null,fd:1", "ssl=null"]
    booted = subprocess.run(
        [*kernel, *console, f"init={init}"],
        env={**os.environ, "TMPDIR": "/dev/shm"},  # the machine's memory is a file there
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    code = folder / "machine.code"
    assert code.exists(), booted.stdout + booted.stderr
    return subprocess.CompletedProcess(
        list(map(str, command)),
        int(code.read_text()),
        (folder / "machine.out").read_text(),
        (folder / "machine.err").read_text(),
    )
