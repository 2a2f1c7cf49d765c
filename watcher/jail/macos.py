"""The jail on macOS: the kernel's sandbox with its "pure computation" profile, and no core dump.

Source: sandbox_init(3). kSBXProfilePureComputation forbids network, file and process access; open files stay open.
Not verified on a Mac: written from the manual page and tested against a stand-in for libsystem_sandbox.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer

if sys.platform != "win32":
    import resource

_LIBRARY = "/usr/lib/libsystem_sandbox.dylib"
_PROFILE = b"pure-computation"
"""The value of kSBXProfilePureComputation."""
_SANDBOX_NAMED = 1
_NAME = "network and files"


def enter_before_threads(_memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Forbid core dumps. The sandbox comes later: it binds all threads, whenever a process enters it."""
    del accelerated
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return [Layer("memory", active=False, detail="macOS does not enforce RLIMIT_AS; core dumps are off")]


def enter_with_threads(_memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Enter the sandbox."""
    del accelerated
    try:
        return [enter_sandbox(ctypes.CDLL(_LIBRARY))]
    except (OSError, AttributeError) as error:  # the library, or its function, is gone: it has long been deprecated
        return [Layer(_NAME, active=False, detail=f"sandbox: {error}")]


def enter_sandbox(library: Any) -> Layer:
    """Enter the sandbox through `library` (libsystem_sandbox)."""
    message = ctypes.c_char_p()
    if library.sandbox_init(_PROFILE, ctypes.c_uint64(_SANDBOX_NAMED), ctypes.byref(message)) == 0:
        return Layer(_NAME, active=True, detail="sandbox: pure computation, nothing can be opened")
    reason = (message.value or b"no reason given").decode(errors="replace")
    if message.value is not None:
        library.sandbox_free_error(message)
    return Layer(_NAME, active=False, detail=f"sandbox: {reason}")
