"""The jail of a process that shows a window: no internet, no other program, no core dump.

It is wider than the worker's: a window needs files (fonts, themes), shared memory, and local sockets to the display,
the bus and the screen reader. The worker, not the window, parses what may be hostile.
"""

from __future__ import annotations

import signal
import sys

from watcher.jail.layer import Layer

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CORE_LIMIT = 1
"""Bytes of a core dump. Linux dumps into a program (systemd-coredump) even if the limit is 0, but not if it is 1."""


def enter_window() -> list[Layer]:
    """Enter the jail, after the window system is connected: over SSH, the display is an internet socket.

    Returns the layers that were tried. On Linux, the process also ends with the thread that has started it.
    """
    if sys.platform != "linux":
        return [Layer("network", active=False, detail=f"nobg has no jail for windows on {sys.platform}")]
    import resource

    from watcher.jail.linux import set_prctl
    from watcher.jail.seccomp import enter_window_seccomp

    set_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    set_prctl(_PR_SET_NO_NEW_PRIVS, 1)  # the kernel demands it for seccomp without privileges
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:  # otherwise, it cannot be raised
        resource.setrlimit(resource.RLIMIT_CORE, (_CORE_LIMIT, _CORE_LIMIT))
    return [Layer("memory", active=True, detail="no core dump"), enter_window_seccomp()]
