"""Landlock: denies this thread, and those that it starts later, every file.

Sources: landlock(7) and linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from watcher.jail.layer import Layer

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1

_libc = ctypes.CDLL(None, use_errno=True)


def enter_landlock(*, accelerated: bool = False) -> Layer:
    """Deny every file and all else that this Landlock covers: TCP, abstract sockets, signals to other processes.

    Landlock does not bind threads that run already, so the process must have one thread only. `accelerated`: an
    accelerator's driver has started further threads, which is accepted, since they decode no pictures.
    """
    name = "files"
    if not accelerated and (obstacle := _other_threads()):
        return Layer(name, active=False, detail=f"Landlock: {obstacle}")
    version = kernel_version()
    if version < 1:
        return Layer(name, active=False, detail=f"Landlock: {_why_absent(-version)}")
    attributes = ruleset_attributes(version)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, buffer, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return Layer(name, active=False, detail=f"Landlock: {os.strerror(ctypes.get_errno())}")
    try:
        if _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
            return Layer(name, active=False, detail=f"Landlock: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)
    exception = (
        " by the threads that decode pictures (only seccomp binds the accelerator's own threads)" if accelerated else ""
    )
    return Layer(name, active=True, detail=f"Landlock version {version}: no file can be opened{exception}")


def _other_threads() -> str:
    """Return what keeps Landlock from binding all of this process, or ""."""
    try:
        return "other threads were running already" if len(os.listdir("/proc/self/task")) > 1 else ""
    except OSError:
        return "without /proc, nobg cannot tell whether it would bind all threads"


def _why_absent(error: int) -> str:
    """Return in words why the kernel did not say its version of Landlock."""
    if error in (0, errno.ENOSYS):
        return "this kernel has none (Linux 5.13 and newer have it), or a container hides it"
    if error == errno.EOPNOTSUPP:
        return "it is switched off in this kernel"
    return f"the system refuses it, as some containers do ({os.strerror(error)})"


def kernel_version() -> int:
    """Return the version of the kernel's Landlock; if it has none, the error that it answers, times -1."""
    version: int = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION)
    return version if version > 0 else -ctypes.get_errno()


def ruleset_attributes(version: int) -> bytes:
    """Return a struct landlock_ruleset_attr that handles all that `version` covers. Without rules, it denies it all."""
    file_bits = 13  # EXECUTE ... MAKE_SYM
    if version >= 2:
        file_bits = 14  # REFER
    if version >= 3:
        file_bits = 15  # TRUNCATE
    if version >= 5:
        file_bits = 16  # IOCTL_DEV
    fields = [(1 << file_bits) - 1]
    if version >= 4:
        fields.append(0b11)  # BIND_TCP, CONNECT_TCP
    if version >= 6:
        fields.append(0b11)  # scoped: ABSTRACT_UNIX_SOCKET, SIGNAL
    return struct.pack(f"={len(fields)}Q", *fields)
