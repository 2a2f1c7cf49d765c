"""Starts a process in an AppContainer and in a Job Object, with three pipes and no other handle.

Python's subprocess cannot: it passes no attributes of a process but the handles. Source: "Creating Processes",
CreateProcessW and UpdateProcThreadAttribute in Microsoft's documentation; winbase.h.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from watcher.jail.appcontainer.library import Windows
from watcher.jail.windows import EXTENDED_LIMIT_INFORMATION, outer_job_limits

HANDLE_LIST = 0x20002  # PROC_THREAD_ATTRIBUTE_...
MITIGATION_POLICY = 0x20007
SECURITY_CAPABILITIES = 0x20009
JOB_LIST = 0x2000D
CHILD_PROCESS_POLICY = 0x2000E

EXTENSION_POINT_DISABLE = 1 << 32
"""PROCESS_CREATION_MITIGATION_POLICY_EXTENSION_POINT_DISABLE_ALWAYS_ON: no library of another program is loaded."""
CHILD_PROCESS_RESTRICTED = 1
"""PROCESS_CREATION_CHILD_PROCESS_RESTRICTED."""

DETACHED_PROCESS = 0x8
"""No console: one in an AppContainer needs a setting of the person (LowBoxConsoleEnabled)."""
CREATE_UNICODE_ENVIRONMENT = 0x400
EXTENDED_STARTUPINFO_PRESENT = 0x80000
_STARTF_USESTDHANDLES = 0x100

_INFINITE = 0xFFFFFFFF
_WAIT_TIMEOUT = 0x102
_KILLED_EXIT_CODE = 1


@dataclass(frozen=True)
class Program:
    """What to start: the command, all of its variables, and the folder in which it works."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str


class StartupInfo(ctypes.Structure):
    """STARTUPINFOEXW: the fields of STARTUPINFOW, then the list of attributes."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("lpReserved", ctypes.c_void_p),
        ("lpDesktop", ctypes.c_void_p),
        ("lpTitle", ctypes.c_void_p),
        ("dwX", ctypes.c_uint32),
        ("dwY", ctypes.c_uint32),
        ("dwXSize", ctypes.c_uint32),
        ("dwYSize", ctypes.c_uint32),
        ("dwXCountChars", ctypes.c_uint32),
        ("dwYCountChars", ctypes.c_uint32),
        ("dwFillAttribute", ctypes.c_uint32),
        ("dwFlags", ctypes.c_uint32),
        ("wShowWindow", ctypes.c_uint16),
        ("cbReserved2", ctypes.c_uint16),
        ("lpReserved2", ctypes.c_void_p),
        ("hStdInput", ctypes.c_void_p),
        ("hStdOutput", ctypes.c_void_p),
        ("hStdError", ctypes.c_void_p),
        ("lpAttributeList", ctypes.c_void_p),
    )


class ProcessInformation(ctypes.Structure):
    """PROCESS_INFORMATION."""

    _fields_ = (
        ("hProcess", ctypes.c_void_p),
        ("hThread", ctypes.c_void_p),
        ("dwProcessId", ctypes.c_uint32),
        ("dwThreadId", ctypes.c_uint32),
    )


class SecurityCapabilities(ctypes.Structure):
    """SECURITY_CAPABILITIES; without capabilities, the process reaches no network."""

    _fields_ = (
        ("AppContainerSid", ctypes.c_void_p),
        ("Capabilities", ctypes.c_void_p),
        ("CapabilityCount", ctypes.c_uint32),
        ("Reserved", ctypes.c_uint32),
    )


class ContainedProcess:
    """A process that `start` has started, as far as the worker's parent needs subprocess.Popen.

    When the last reference to it goes, or this program ends, its Job Object ends the process.
    """

    def __init__(
        self, windows: Windows, information: ProcessInformation, job: int, pipes: tuple[BinaryIO, BinaryIO]
    ) -> None:
        self._windows = windows
        self._handle: int = information.hProcess
        self._job = job
        self.pid: int = information.dwProcessId
        self.stdin, self.stdout = pipes
        self.returncode: int | None = None

    def __del__(self) -> None:
        for handle in (self._handle, self._job):
            self._windows.kernel32.CloseHandle(handle)

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code. Raises subprocess.TimeoutExpired."""
        code = self._wait(_INFINITE if timeout is None else round(timeout * 1000))
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def _wait(self, milliseconds: int) -> int | None:
        kernel32 = self._windows.kernel32
        if self.returncode is None and kernel32.WaitForSingleObject(self._handle, milliseconds) != _WAIT_TIMEOUT:
            code = ctypes.c_uint32()
            self._windows.check("GetExitCodeProcess", kernel32.GetExitCodeProcess(self._handle, ctypes.byref(code)))
            self.returncode = code.value
        return self.returncode

    def kill(self) -> None:
        """End the process; if it has ended, do nothing."""
        if self.poll() is None:
            self._windows.kernel32.TerminateProcess(self._handle, _KILLED_EXIT_CODE)


def start(windows: Windows, program: Program, sid: int | None, errors: int) -> ContainedProcess:
    """Start a program in the AppContainer `sid`, with pipes for its input and output.

    `sid`: the address of a SID; None: no AppContainer. `errors`: the descriptor for what it prints.
    Raises AppContainerError, OSError.
    """
    job = make_job(windows)
    child_ends, own_ends = [], []
    try:
        for is_input in (True, False):
            read_end, write_end = os.pipe()
            child_ends.append(read_end if is_input else write_end)
            own_ends.append(write_end if is_input else read_end)
        child_ends.append(os.dup(errors))
        handles = [inheritable_handle(descriptor) for descriptor in child_ends]
        information = _create(windows, program, attributes_of(handles, job, sid), handles)
    except BaseException:
        windows.kernel32.CloseHandle(job)
        for descriptor in own_ends:
            os.close(descriptor)
        raise
    finally:
        for descriptor in child_ends:
            os.close(descriptor)
    return ContainedProcess(windows, information, job, (os.fdopen(own_ends[0], "wb"), os.fdopen(own_ends[1], "rb")))


def make_job(windows: Windows) -> int:
    """Make the Job Object for one process, which ends with its last handle, and return the handle.

    Raises AppContainerError.
    """
    kernel32, limits = windows.kernel32, outer_job_limits()
    job: int = kernel32.CreateJobObjectW(None, None)
    windows.check("CreateJobObjectW", job)
    try:
        result = kernel32.SetInformationJobObject(
            job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        )
        windows.check("SetInformationJobObject", result)
    except BaseException:
        kernel32.CloseHandle(job)
        raise
    return job


def inheritable_handle(descriptor: int) -> int:
    """Return the handle of a descriptor, inheritable by the processes that name it."""
    if sys.platform != "win32":
        return descriptor
    import msvcrt

    handle = msvcrt.get_osfhandle(descriptor)
    os.set_handle_inheritable(handle, True)
    return handle


def attributes_of(handles: Sequence[int], job: int, sid: int | None) -> dict[int, Any]:
    """Return the attributes of the process: key -> value, as ctypes data."""
    attributes: dict[int, Any] = {
        HANDLE_LIST: (ctypes.c_void_p * len(handles))(*handles),
        JOB_LIST: (ctypes.c_void_p * 1)(job),
        CHILD_PROCESS_POLICY: ctypes.c_uint32(CHILD_PROCESS_RESTRICTED),
        MITIGATION_POLICY: ctypes.c_uint64(EXTENSION_POINT_DISABLE),
    }
    if sid is not None:
        attributes[SECURITY_CAPABILITIES] = SecurityCapabilities(AppContainerSid=sid)
    return attributes


def environment_block(environment: Mapping[str, str]) -> str:
    """Return the variables as CreateProcessW takes them: sorted by name, each with a NUL at its end, and one more."""
    return "".join(f"{name}={environment[name]}\0" for name in sorted(environment, key=str.upper)) + "\0"


def _create(
    windows: Windows, program: Program, attributes: Mapping[int, Any], handles: Sequence[int]
) -> ProcessInformation:
    """Call CreateProcessW. Raises AppContainerError."""
    kernel32, information = windows.kernel32, ProcessInformation()
    startup = StartupInfo(cb=ctypes.sizeof(StartupInfo), dwFlags=_STARTF_USESTDHANDLES)
    startup.hStdInput, startup.hStdOutput, startup.hStdError = handles
    text = ctypes.create_unicode_buffer(subprocess.list2cmdline(program.command))  # CreateProcessW may write into it
    variables = ctypes.create_unicode_buffer(environment_block(program.environment))
    size = ctypes.c_size_t()
    kernel32.InitializeProcThreadAttributeList(None, len(attributes), 0, ctypes.byref(size))  # fails, with the size
    room = ctypes.create_string_buffer(max(size.value, 1))
    initialized = kernel32.InitializeProcThreadAttributeList(room, len(attributes), 0, ctypes.byref(size))
    windows.check("InitializeProcThreadAttributeList", initialized)
    try:
        for key, value in attributes.items():
            updated = kernel32.UpdateProcThreadAttribute(
                room, 0, key, ctypes.byref(value), ctypes.sizeof(value), None, None
            )
            windows.check(f"UpdateProcThreadAttribute(0x{key:X})", updated)
        startup.lpAttributeList = ctypes.addressof(room)
        flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | DETACHED_PROCESS
        created = kernel32.CreateProcessW(
            program.command[0],
            text,
            None,
            None,
            True,
            flags,
            ctypes.byref(variables),
            program.folder,
            ctypes.byref(startup),
            ctypes.byref(information),
        )
        windows.check("CreateProcessW", created)
    finally:
        kernel32.DeleteProcThreadAttributeList(room)
    kernel32.CloseHandle(information.hThread)
    return information
