"""The jail on Linux: resource limits, Landlock and seccomp, through ctypes, without privileges or namespaces.

A container may refuse each of these steps by a filter of its own. The worker then works without that step, and its
layer says so. Sources: prctl(2), setrlimit(2).
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import sys
from collections.abc import Callable

from watcher.jail.landlock import enter_landlock
from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer
from watcher.jail.seccomp import enter_seccomp

if sys.platform == "linux":
    import resource

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

MAX_OPEN_FILES = 64
"""Descriptors of a worker without accelerator, which has five. Pipes take memory that RLIMIT_AS does not count."""
DRIVER_FILE_BYTES = 1 << 30
"""How long a file may become that an accelerator's driver has opened before the jail. Other workers have no files."""
THREADS_BEYOND = 4096
"""How many threads all programs of this person may start before the worker can start none.

It must be more than a browser and a compiler start, and less than a machine suffers from. The worker needs about 20.
"""
_MOST_THREADS = 1 << 22  # that Linux can have

_libc = ctypes.CDLL(None, use_errno=True)


def enter_before_threads(memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Set the limits, which still need to read /proc, then enter Landlock, which binds this thread and its children.

    `accelerated`: an accelerator's driver has started threads; see `enter_landlock`.
    """
    limits = Limits()
    limits.apply("that it ends with nobg", end_with_parent)
    limits.apply("no new privileges", forbid_new_privileges)
    limits.apply("a limit of memory", lambda: limit_memory(memory_limit))
    limits.apply("no core dump", forbid_core_dumps)
    landlock = enter_landlock(accelerated=accelerated)
    limits.apply("a limit of files", lambda: limit_files(accelerated=accelerated))
    limits.apply("a limit of threads", limit_threads)  # this starts a thread, so Landlock comes first
    return [limits.as_layer(), landlock]


def enter_with_threads(_memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Enter seccomp, for all threads at once. `accelerated`: see `enter_seccomp`."""
    try:
        set_prctl(_PR_SET_DUMPABLE, 0)  # no other process of this person may read the worker's memory
    except OSError as error:
        detail = f"prctl: other programs of this person can read the worker's memory ({error.strerror})"
        return [Layer("other programs", active=False, detail=detail), enter_seccomp(accelerated=accelerated)]
    return [enter_seccomp(accelerated=accelerated)]


class Limits:
    """The steps that make up the layer "memory": what each has set, and which the system refused."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._refused: list[str] = []

    def apply(self, what: str, step: Callable[[], str]) -> None:
        """Run `step`, which returns what it has set, or "" if that needs no word; `what` names it if it is refused."""
        try:
            done = step()
        except (OSError, ValueError) as error:  # resource has a ValueError for EPERM
            self._refused.append(f"{what} ({getattr(error, 'strerror', None) or error})")
        else:
            self._done += [done] if done else []

    def as_layer(self) -> Layer:
        """Return the layer; it is active if nothing was refused."""
        refused = [f"not set: {', '.join(self._refused)}"] if self._refused else []
        done = [", ".join(self._done)] if self._done else []
        return Layer("memory", active=not refused, detail="; ".join(done + refused))


def end_with_parent() -> str:
    """Ask the kernel to end this process with the thread that has started it: a worker without nobg is useless."""
    set_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return ""


def forbid_new_privileges() -> str:
    """Forbid this process to gain privileges: the kernel demands it for Landlock and seccomp, except of root."""
    set_prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return ""


def set_prctl(option: int, value: int) -> None:
    """Set one attribute of this process. Raises OSError if the kernel refuses."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def forbid_core_dumps() -> str:
    """Forbid core dumps, which would contain pictures."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return "no core dump"


def limit_memory(memory_limit: int) -> str:
    """Forbid more than `memory_limit` further bytes of memory."""
    with open("/proc/self/statm") as file:
        used_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = _limit(resource.RLIMIT_AS, used_bytes + memory_limit)
    return f"at most {limit / (1 << 30):.1f} GiB of address space"


def limit_files(*, accelerated: bool) -> str:
    """Forbid that a file grows, which also bounds memfd_create, and many descriptors.

    An accelerator's driver may have files and need descriptors, so its limits are wider.
    """
    if accelerated:
        limit = _limit(resource.RLIMIT_FSIZE, DRIVER_FILE_BYTES)
        return f"no file beyond {limit / (1 << 30):.1f} GiB"
    _limit(resource.RLIMIT_FSIZE, 0)
    return f"no file that grows, {_limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)} open files"


def _limit(kind: int, limit: int) -> int:
    """Set a limit of this process for good: to `limit`, or to what it may set at most. Return what is set."""
    _soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, limit))
    return limit


def limit_threads() -> str:
    """Bound the number of threads by RLIMIT_NPROC, which counts those of all programs of this person.

    In a container, /proc does not show all of them. So we look from which limit on a thread starts. If it starts at 0,
    the kernel exempts this process: it runs as root.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    longest = _MOST_THREADS if soft == resource.RLIM_INFINITY else soft
    for limit in (0, *(1 << power for power in range(6, _MOST_THREADS.bit_length()))):
        if limit > longest:
            break
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))
        if _can_start_thread():
            resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
            if limit == 0:
                return "any number of threads, since this is root"
            return f"{_limit(resource.RLIMIT_NPROC, min(limit + THREADS_BEYOND, longest))} threads of this person"
    resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    return "no further thread, since the system's limit is reached"


def _can_start_thread() -> bool:
    ended = _thread.allocate_lock()
    ended.acquire()
    try:
        _thread.start_new_thread(ended.release, ())
    except RuntimeError:  # EAGAIN
        return False
    ended.acquire()
    return True
