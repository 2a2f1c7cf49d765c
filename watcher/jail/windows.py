"""The jail on Windows, as the worker sees it: a Job Object, policies of its process, and the AppContainer it is in.

`watcher.jail.appcontainer` starts the worker in an AppContainer; here, the worker asks Windows whether it is in one. A
Job Object and policies alone do not keep a process from the network or from files, and `nobg doctor` says so. Sources:
the Windows SDK's winnt.h; "Job Objects", SetProcessMitigationPolicy and GetTokenInformation in Microsoft's
documentation. Not verified on Windows: written from the documentation, run under wine, which enforces none of it, and
tested against stand-ins for Windows' libraries.
"""

from __future__ import annotations

import ctypes
from typing import Any

from watcher.jail.layer import MEMORY_LIMIT_BYTES, Layer

EXTENDED_LIMIT_INFORMATION = 9
_LIMIT_ACTIVE_PROCESS = 0x00000008
_LIMIT_PROCESS_MEMORY = 0x00000100
_LIMIT_DIE_ON_UNHANDLED_EXCEPTION = 0x00000400
_LIMIT_KILL_ON_JOB_CLOSE = 0x00002000

_SYSTEM_CALL_DISABLE_POLICY = 4  # its bit 0: no system call of win32k, which draws windows
_CHILD_PROCESS_POLICY = 13  # its bit 0: no further process

_TOKEN_QUERY = 8
_TOKEN_IS_APP_CONTAINER = 29
_TOKEN_CAPABILITIES = 30


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
    """Return the limits of the Job Object that a worker enters: one process, bounded memory, no crash dialog."""
    limits = ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = (
        _LIMIT_ACTIVE_PROCESS | _LIMIT_PROCESS_MEMORY | _LIMIT_DIE_ON_UNHANDLED_EXCEPTION
    )
    limits.BasicLimitInformation.ActiveProcessLimit = 1
    limits.ProcessMemoryLimit = memory_limit
    return limits


def outer_job_limits() -> ExtendedLimits:
    """Return the limits of the Job Object in which a contained worker is started: its parent alone has the handle.

    With it, the worker ends: also if its parent was killed.
    """
    limits = job_limits(0)
    limits.BasicLimitInformation.LimitFlags ^= _LIMIT_PROCESS_MEMORY | _LIMIT_KILL_ON_JOB_CLOSE
    return limits


def enter_before_threads(_memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Do nothing: all layers bind the whole process, so `enter_with_threads` enters them."""
    del accelerated
    return []


def enter_with_threads(memory_limit: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """Enter the Job Object and the policies, and report what Windows says of the AppContainer.

    `accelerated`: an accelerator's driver works in this process. It may need win32k, which is then left open.
    """
    win_dll = getattr(ctypes, "WinDLL")  # noqa: B009  only Windows has it
    kernel32, advapi32 = (win_dll(name, use_last_error=True) for name in ("kernel32", "advapi32"))
    container = report_container(kernel32, advapi32)
    layers = [container, enter_job_object(kernel32, memory_limit), forbid_programs(kernel32)]
    if container.active and not accelerated:  # the AppContainer's process may fail at it: there is another way then
        layers.append(forbid_win32k(kernel32))
    return layers


def enter_job_object(kernel32: Any, memory_limit: int = MEMORY_LIMIT_BYTES) -> Layer:
    """Put this process into a Job Object through `kernel32`, and close its handle, with which it could be undone."""
    name = "programs and memory"
    for function in (kernel32.CreateJobObjectW, kernel32.GetCurrentProcess):
        function.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel32.CreateJobObjectW(None, None))
    if not job:
        return Layer(name, active=False, detail="Job Object: Windows could not create it")
    try:
        limits = job_limits(memory_limit)
        if not kernel32.SetInformationJobObject(
            job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            return Layer(name, active=False, detail="Job Object: Windows refused the limits")
        if not kernel32.AssignProcessToJobObject(job, ctypes.c_void_p(kernel32.GetCurrentProcess())):
            return Layer(name, active=False, detail="Job Object: Windows could not assign this process to it")
    finally:
        kernel32.CloseHandle(job)  # the Job Object lives on until its process has ended
    return Layer(name, active=True, detail="Job Object: no further program, bounded memory")


def forbid_programs(kernel32: Any) -> Layer:
    """Set the policy that this process may start no other."""
    problem = set_policy(kernel32, _CHILD_PROCESS_POLICY)
    return Layer("programs", active=not problem, detail=f"child-process policy: {problem or 'no further program'}")


def forbid_win32k(kernel32: Any) -> Layer:
    """Set the policy that this process makes no system call of win32k: no window, and none of win32k's weaknesses."""
    problem = set_policy(kernel32, _SYSTEM_CALL_DISABLE_POLICY)
    return Layer(
        "windows and graphics", active=not problem, detail=f"win32k lockdown: {problem or 'no call of it is allowed'}"
    )


def set_policy(kernel32: Any, policy: int) -> str:
    """Set bit 0 of a policy of this process; return why it is not in force, or "" if it is."""
    flags, found = ctypes.c_uint32(1), ctypes.c_uint32(0)
    size = ctypes.c_size_t(ctypes.sizeof(flags))
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    try:
        if not kernel32.SetProcessMitigationPolicy(policy, ctypes.byref(flags), size):
            return "Windows refused it"
        process = ctypes.c_void_p(kernel32.GetCurrentProcess())
        if kernel32.GetProcessMitigationPolicy(process, policy, ctypes.byref(found), size) and found.value & 1:
            return ""
    except AttributeError:
        return "this Windows has none"
    return "Windows accepted it, but does not say that it is in force"


def report_container(kernel32: Any, advapi32: Any) -> Layer:
    """Report what Windows says of this process: whether it is in an AppContainer, and with which capabilities."""
    name = "network and files"
    if not read_token(kernel32, advapi32, _TOKEN_IS_APP_CONTAINER):
        return Layer(name, active=False, detail="AppContainer: this worker is in none, so Windows closes neither off")
    capabilities = read_token(kernel32, advapi32, _TOKEN_CAPABILITIES)
    if capabilities != 0:
        return Layer(name, active=False, detail="AppContainer: it has capabilities that nobg did not ask for")
    return Layer(
        name, active=True, detail="AppContainer: no network, no file but those of Windows and of installed programs"
    )


def is_contained() -> bool:
    """Return whether this process is in an AppContainer without capabilities, as Windows says."""
    win_dll = getattr(ctypes, "WinDLL")  # noqa: B009  only Windows has it
    return report_container(win_dll("kernel32"), win_dll("advapi32")).active


def read_token(kernel32: Any, advapi32: Any, kind: int) -> int | None:
    """Return the first number of what Windows says about this process's token; None if it says nothing.

    `kind`: TokenIsAppContainer, a number that is 1 or 0; or TokenCapabilities, which starts with their count.
    """
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    token, size = ctypes.c_void_p(), ctypes.c_uint32()
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    if not advapi32.OpenProcessToken(process, ctypes.c_uint32(_TOKEN_QUERY), ctypes.byref(token)):
        return None
    try:
        room = (ctypes.c_uint32 * 1024)()
        if not advapi32.GetTokenInformation(token, kind, room, ctypes.sizeof(room), ctypes.byref(size)):
            return None
        return int(room[0])
    finally:
        kernel32.CloseHandle(token)
