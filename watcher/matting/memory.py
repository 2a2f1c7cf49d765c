"""How much memory is free, whether it is enough for a model, how much this process has taken, and pixels in flight."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

from watcher.errors import ModelError, advise
from watcher.matting.models import Model
from watcher.matting.modes import FAST, Mode


def check(mode: Mode | Model, free: int | None = None) -> None:
    """Raise ModelError if the mode or model needs more than `free` bytes (None: `available()`).

    Call it before the model is read. If the system does not say how much is free, nothing is refused.
    """
    free = available() if free is None else free
    if free is None or mode.memory <= free:
        return
    less, decimals = mode.memory > FAST.memory, _decimals_apart(mode.memory, free)
    smaller = f'write model = "{FAST.name}" in the settings file, which needs less.' if less else ""
    command = f"use what needs less: nobg models use {FAST.name}" if less else ""
    close = "Close other programs"
    raise ModelError(
        advise(
            f"The model {mode.name} needs about {format_gigabytes(mode.memory, decimals)} of memory, and "
            f"{format_gigabytes(free, decimals)} are free.",
            desktop=f"{close}, or {smaller}" if less else f"{close}.",
            terminal=f"{close}, or {command}" if less else f"{close}.",
        )
    )


def _decimals_apart(larger: int, smaller: int) -> int:
    """Return with how many decimals two different sizes look different."""
    return next(
        (count for count in range(1, 9) if format_gigabytes(larger, count) != format_gigabytes(smaller, count)), 9
    )


def format_gigabytes(count: int, decimals: int = 1) -> str:
    """Return bytes as gigabytes of 10^9, with one decimal unless more are asked for: 5.8 GB."""
    return f"{count / 1e9:.{decimals}f} GB"


def available(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process can get before the system swaps; None if the system does not say.

    On Linux, that is MemAvailable, or less if a control group (of a container or a service) leaves less. `root`: the
    folder in which proc/ and sys/ are looked up, for tests.
    """
    if sys.platform != "linux":
        import psutil  # not on Linux, where it costs each start of a worker 20 ms and ignores containers' limits

        return int(psutil.virtual_memory().available)
    limits = [_machine_available(root), *_cgroups_available(root)]
    return min((free for free in limits if free is not None), default=None)


def kill_count(root: Path = Path("/")) -> int | None:
    """Return how many processes the kernel has killed since it started because memory was used up.

    None if the system does not say. `root`: see available().
    """
    match = re.search(r"^oom_kill (\d+)$", _read_text(root / "proc/vmstat"), re.MULTILINE)
    return int(match[1]) if match else None


def _machine_available(root: Path) -> int | None:
    """Return MemAvailable of proc(5) in bytes: what is free, and what the kernel can reclaim."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _read_text(root / "proc/meminfo"), re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _cgroups_available(root: Path) -> list[int | None]:
    """Return the bytes left in this process's control group and in each above it, of versions 2 and 1 (cgroups(7))."""
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
        # In a container, the path is often the host's and does not exist; `top` is the container's own group then.
        own_group = top / path.lstrip("/")
        left += [
            _cgroup_available(group, *names)
            for group in (own_group, *own_group.parents)
            if group == top or top in group.parents
        ]
    return left


def _cgroup_available(group: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    """Return limit minus usage in bytes, not counting inactive file cache; None if the group has no limit."""
    limit_text, usage_text = _read_text(group / limit).strip(), _read_text(group / usage).strip()
    if not limit_text.isdecimal() or not usage_text.isdecimal():
        return None
    cache = re.search(rf"^{reclaimable} (\d+)$", _read_text(group / "memory.stat"), re.MULTILINE)
    return max(0, int(limit_text) - int(usage_text) + (int(cache[1]) if cache else 0))


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def peak() -> int | None:
    """Return the peak memory of this process so far, in bytes; None if the system does not say."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum if sys.platform == "darwin" else maximum * 1024  # getrusage(2): kilobytes, but bytes on macOS


class Budget:
    """Limits how many pixels are in flight. A picture on its own is always admitted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def acquire(self, amount: int) -> None:
        """Wait until `amount` pixels are free, or all are, and take them."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + amount <= self._limit)
            self._used += amount

    def release(self, amount: int) -> None:
        """Free the `amount` pixels that `acquire` took."""
        with self._changed:
            self._used -= amount
            self._changed.notify_all()
