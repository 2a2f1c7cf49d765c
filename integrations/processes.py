"""Does a file manager run that has not seen what was written since? Linux says so in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def has_process_older_than(process_name: str, files: Iterable[Path], proc: Path) -> bool:
    """Has a process of this name been running since before the last change of these files?"""
    if not process_name or not proc.is_dir():
        return False
    changes = [file.stat().st_mtime for file in files if file.is_file()]
    return any(start < max(changes, default=0.0) for start in _start_times(process_name, proc))


def _start_times(process_name: str, proc: Path) -> Iterable[float]:
    """When the person's processes of this name began, in seconds since 1970."""
    for folder in proc.glob("[0-9]*"):
        try:
            if (folder / "comm").read_text() == f"{process_name[:15]}\n" and folder.stat().st_uid == os.getuid():
                yield _boot_time(proc) + _start_ticks(folder) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):  # it has just ended
            continue


def _start_ticks(folder: Path) -> int:
    """Field 22 of proc(5)'s stat; the second one, the name, may hold anything, but the last parenthesis ends it."""
    return int((folder / "stat").read_text().rpartition(")")[2].split()[19])


def _boot_time(proc: Path) -> int:
    return next(int(line.split()[1]) for line in (proc / "stat").read_text().splitlines() if line.startswith("btime"))
