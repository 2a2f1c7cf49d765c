"""Run inside the small machine: `nobg remove` beside a program that takes all memory as soon as the worker has its own.

`python -m tests.small.crowded PHOTO`. The kernel may not end the other program, so that it has to end nobg's worker.
Prints what nobg prints; ends with its exit code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

_LOADED = 250 << 20
"""So many bytes has a worker that has its networks."""


def _worker_has_loaded() -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"watcher.worker.process" in (folder / "cmdline").read_bytes():
                return int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > _LOADED
        except OSError:
            continue
    return False


def main() -> int:
    """Start nobg, then take the memory until nobg ends."""
    Path("/proc/self/oom_score_adj").write_text("-1000")
    taken: list[bytearray] = []
    settings = ["remove", "--json", "--force", "--model", "fast"]
    command = ["sh", "-c", 'echo 0 > /proc/self/oom_score_adj; exec "$@"', "sh", sys.executable, "-m", "watcher"]
    with subprocess.Popen([*command, *settings, sys.argv[1]]) as nobg:
        while nobg.poll() is None and not _worker_has_loaded():
            time.sleep(0.02)
        while nobg.poll() is None:
            if _worker_has_loaded():
                taken.append(bytearray(b"x") * (4 << 20))
            else:  # the worker has ended; nobg itself is not to be ended for want of memory
                time.sleep(0.02)
    return nobg.returncode


if __name__ == "__main__":
    sys.exit(main())
