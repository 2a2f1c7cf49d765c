"""Find file managers that were started before the last change, so they do not show it yet. Linux only, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def has_process_older_than(process_name: str, files: Iterable[Path], proc_folder: Path) -> bool:
    """Return whether one of the person's processes of this name was started before the last change of these files.

    False without a `process_name`, and on systems without `proc_folder` (/proc).
    """
    if not process_name or not proc_folder.is_dir():
        return False
    change_times = [file.stat().st_mtime for file in files if file.is_file()]
    last_change = max(change_times, default=0.0)
    return any(start_time < last_change for start_time in _start_times(process_name, proc_folder))


def _start_times(process_name: str, proc_folder: Path) -> Iterable[float]:
    """Yield the start of each of the person's processes of this name, in seconds since 1970."""
    for folder in proc_folder.glob("[0-9]*"):
        try:
            # The kernel keeps 15 bytes of a name.
            if (folder / "comm").read_text() == f"{process_name[:15]}\n" and folder.stat().st_uid == os.getuid():
                yield _boot_time(proc_folder) + _start_ticks(folder) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):  # the process has just ended
            continue


def _start_ticks(folder: Path) -> int:
    """Return field 22 of proc(5)'s stat. Field 2, the name, may hold anything; the last parenthesis ends it."""
    return int((folder / "stat").read_text().rpartition(")")[2].split()[19])


def _boot_time(proc_folder: Path) -> int:
    lines = (proc_folder / "stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime"))
