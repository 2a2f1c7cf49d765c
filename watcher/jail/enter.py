"""Enters the jail: no network, no files, no other programs, bounded memory, enforced by the operating system.

Each system has one backend, with `enter_before_threads(memory_limit)` and `enter_with_threads(memory_limit)`, called in
this order. Both return the layers that they tried to enter; `memory_limit` is the number of bytes that the process may
still take. This module picks the backend.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer


def enter_before_threads(model_memory: int = 0, *, accelerated: bool = False) -> list[Layer]:
    """Enter the layers that bind only the calling thread and those that it starts later: call it before others start.

    `model_memory`: bytes that the model needs. `accelerated`: an accelerator's driver has started threads already.
    """
    return _backend("enter_before_threads")(MEMORY_LIMIT_BYTES + model_memory, accelerated=accelerated)


def enter_with_threads(model_memory: int = 0, *, accelerated: bool = False) -> list[Layer]:
    """Enter the layers that bind the whole process: call it before anything that may be hostile is parsed.

    `model_memory`: bytes that the model needs. `accelerated`: an accelerator's driver works in this process, and may
    need more of the system than nobg itself.
    """
    return _backend("enter_with_threads")(MEMORY_LIMIT_BYTES + model_memory, accelerated=accelerated)


def _backend(name: str) -> Callable[..., list[Layer]]:
    """Return this system's function `name`. The first call imports the backend, so it must come before the jail."""
    if sys.platform == "linux":
        from watcher.jail import linux as backend
    elif sys.platform == "darwin":
        from watcher.jail import macos as backend
    elif sys.platform == "win32":
        from watcher.jail import windows as backend
    else:
        return lambda *_, **__: [Layer("jail", active=False, detail=f"nobg has no jail for {sys.platform}")]
    function: Callable[..., list[Layer]] = getattr(backend, name)
    return function
