"""The jail of a process that shows a window: no internet, no other program, no core dump.

It is wider than the worker's: a window needs files (fonts, themes), shared memory, and local sockets to the display,
the bus and the screen reader. The worker, not the window, parses what may be hostile.
"""

from __future__ import annotations

import sys

from watcher.jail.layer import Layer

_CORE_LIMIT = 1
"""Bytes of a core dump. Linux dumps into a program (systemd-coredump) even if the limit is 0, but not if it is 1."""


def enter_window() -> list[Layer]:
    """Enter the jail, after the window system is connected: over SSH, the display is an internet socket.

    Returns the layers that were tried. On Linux, the process also ends with the thread that has started it.
    """
    if sys.platform != "linux":
        return [Layer("network", active=False, detail=f"nobg has no jail for windows on {sys.platform}")]
    from watcher.jail.linux import Limits, end_with_parent, forbid_new_privileges
    from watcher.jail.seccomp import enter_window_seccomp

    limits = Limits()
    limits.apply("that it ends with nobg", end_with_parent)
    limits.apply("no new privileges", forbid_new_privileges)
    limits.apply("no core dump", _forbid_core_dumps)
    return [limits.as_layer(), enter_window_seccomp()]


def _forbid_core_dumps() -> str:
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:  # otherwise, it cannot be raised
        resource.setrlimit(resource.RLIMIT_CORE, (_CORE_LIMIT, _CORE_LIMIT))
    return "no core dump"
