"""The jail on Linux: resource limits, Landlock and seccomp, through ctypes, without privileges or namespaces.

Sources: prctl(2), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from watcher.jail.landlock import enter_landlock
from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer
from watcher.jail.seccomp import enter_seccomp

if sys.platform == "linux":
    import resource

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def enter_before_threads(memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Set the limits, which still need to read /proc, then enter Landlock, which binds this thread and its children.

    `accelerated`: an accelerator's driver has started threads; see `enter_landlock`.
    """
    set_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker without its parent is useless
    set_prctl(_PR_SET_NO_NEW_PRIVS, 1)  # the kernel demands it for Landlock and seccomp without privileges
    return [set_resource_limits(memory_limit), enter_landlock(accelerated=accelerated)]


def enter_with_threads(_memory_limit: int = MEMORY_LIMIT_BYTES) -> list[Layer]:
    """Enter seccomp, for all threads at once."""
    set_prctl(_PR_SET_DUMPABLE, 0)  # no other process of this person may read the worker's memory
    return [enter_seccomp()]


def set_prctl(option: int, value: int) -> None:
    """Set one attribute of this process. Raises OSError if the kernel refuses."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")


def set_resource_limits(memory_limit: int = MEMORY_LIMIT_BYTES) -> Layer:
    """Forbid core dumps, which would contain pictures, and more than `memory_limit` further bytes of memory."""
    with open("/proc/self/statm") as file:
        used_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = used_bytes + memory_limit
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return Layer("memory", active=True, detail=f"at most {limit / (1 << 30):.1f} GiB of address space, no core dump")
