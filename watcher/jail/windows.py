"""The jail on Windows: a Job Object that allows no further process and bounds the memory.

Source: the Windows SDK's winnt.h and "Job Objects" in Microsoft's documentation. A Job Object does not keep a process
from the network or from files, and `nobg doctor` says so. Not verified on Windows: written from the documentation and
tested against a stand-in for kernel32.
"""

from __future__ import annotations

import ctypes
from typing import Any

from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer

_EXTENDED_LIMIT_INFORMATION = 9
_LIMIT_ACTIVE_PROCESS = 0x00000008
_LIMIT_PROCESS_MEMORY = 0x00000100
_LIMIT_DIE_ON_UNHANDLED_EXCEPTION = 0x00000400
_LIMIT_KILL_ON_JOB_CLOSE = 0x00002000


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION; `IoInfo` is IO_COUNTERS, six 64-bit counters."""

    _fields_ = (
        ("BasicLimitInformation", BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def job_limits(memory_limit: int = MEMORY_LIMIT_BYTES) -> ExtendedLimits:
    """Return the Job Object's limits: one process, bounded memory, no crash dialog, an end when its handle closes."""
    limits = ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = (
        _LIMIT_ACTIVE_PROCESS | _LIMIT_PROCESS_MEMORY | _LIMIT_DIE_ON_UNHANDLED_EXCEPTION | _LIMIT_KILL_ON_JOB_CLOSE
    )
    limits.BasicLimitInformation.ActiveProcessLimit = 1
    limits.ProcessMemoryLimit = memory_limit
    return limits


def enter_before_threads(_memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Do nothing: a Job Object binds the whole process, so `enter_with_threads` enters it."""
    del accelerated
    return []


def enter_with_threads(memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Enter the Job Object, and report the layer that Windows does not offer."""
    del accelerated
    return [
        enter_job_object(getattr(ctypes, "WinDLL")("kernel32", use_last_error=True), memory_limit),  # noqa: B009  only Windows has it
        Layer("network and files", active=False, detail="Windows: nobg cannot close these off yet"),
    ]


def enter_job_object(kernel32: Any, memory_limit: int = MEMORY_LIMIT_BYTES) -> Layer:
    """Put this process into a Job Object through `kernel32`; the handle stays open as long as the process lives."""
    name = "programs and memory"
    for function in (kernel32.CreateJobObjectW, kernel32.GetCurrentProcess):
        function.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel32.CreateJobObjectW(None, None))
    if not job:
        return Layer(name, active=False, detail="Job Object: Windows could not create it")
    limits = job_limits(memory_limit)
    if not kernel32.SetInformationJobObject(
        job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
    ):
        return Layer(name, active=False, detail="Job Object: Windows refused the limits")
    if not kernel32.AssignProcessToJobObject(job, ctypes.c_void_p(kernel32.GetCurrentProcess())):
        return Layer(name, active=False, detail="Job Object: Windows could not assign this process to it")
    return Layer(name, active=True, detail="Job Object: no further program, bounded memory")
