"""How much memory is free, and is that enough for a model?"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from watcher.errors import ModelError
from watcher.matting.models import Model
from watcher.matting.modes import FAST, Mode


def check(mode: Mode | Model, free: int | None = None) -> None:
    """Raise ModelError where it needs more than is `free` (bytes; None: look). To be asked before it is read."""
    free = available() if free is None else free
    if free is None or mode.memory <= free:
        return
    smaller = f", or use what needs less: nobg models use {FAST.name}" if mode.memory > FAST.memory else ""
    raise ModelError(
        f"The model {mode.name} needs about {format_gigabytes(mode.memory)} of memory, and {format_gigabytes(free)} are free. "
        f"Close other programs{smaller}"
    )


def format_gigabytes(count: int) -> str:
    """Bytes as people say them: 5.8 GB."""
    return f"{count / 1e9:.1f} GB"


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still get without others being pushed out; None where the system does not say.

    On Linux the system's word for it, or less where a container or a service has a limit of its own.
    """
    if sys.platform != "linux":
        import psutil  # on Linux it takes a worker's start 20 ms longer, and does not know of containers

        return int(psutil.virtual_memory().available)
    found = [_machine_available(root), *_cgroups_available(root)]
    return min((free for free in found if free is not None), default=None)


def _machine_available(root: Path) -> int | None:
    """MemAvailable in proc(5): what is free, and what the kernel would give back."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _read_text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _cgroups_available(root: Path) -> list[int | None]:
    """What is left in each control group that holds us: ours and those above it, versions 2 and 1 (cgroups(7))."""
    left = []
    for line in _read_text(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            top = root / "sys/fs/cgroup/memory"
        else:
            continue
        # In a container the path is often the host's and not there; then the top is the container's own group.
        ours = top / path.lstrip("/")
        left += [
            _cgroup_available(group, *names) for group in (ours, *ours.parents) if group == top or top in group.parents
        ]
    return left


def _cgroup_available(group: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    """The limit less what is used, files that nobody has open not counted; None where there is no limit."""
    most, used = _read_text(group / limit).strip(), _read_text(group / usage).strip()
    if not most.isdecimal() or not used.isdecimal():
        return None
    cache = re.search(rf"^{reclaimable} (\d+)$", _read_text(group / "memory.stat"), re.MULTILINE)
    return max(0, int(most) - int(used) + (int(cache[1]) if cache else 0))


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def peak() -> int | None:
    """The most memory, in bytes, that this process has had so far; None where the system does not say."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # getrusage(2): kilobytes, but bytes on macOS
