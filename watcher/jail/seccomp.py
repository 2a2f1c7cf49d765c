"""The seccomp filter: builds its program for this processor and installs it in all threads.

Sources: seccomp(2), linux/seccomp.h, linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from watcher.jail.layer import Layer
from watcher.jail.syscalls import ARCHITECTURES, X86_64, Architecture

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_CLONE_THREAD = 0x00010000
_X32_SYSCALL_BIT = 0x40000000

# struct sock_filter: the instructions of classic BPF
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# SECCOMP_RET_*: what a filter returns
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
# struct seccomp_data: byte offsets on a little-endian processor
_CALL_NUMBER_OFFSET, _AUDIT_ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET, _SECOND_ARGUMENT_OFFSET = 0, 4, 16, 24

_libc = ctypes.CDLL(None, use_errno=True)


def enter_seccomp() -> Layer:
    """Refuse the calls that reach the network, files and programs, in all threads."""
    name = "network"
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return Layer(name, active=False, detail=f"seccomp: nobg has no filter for {platform.machine()} processors")
    instructions = filter_program(architecture, os.getpid())
    program = (ctypes.c_char * len(instructions)).from_buffer_copy(instructions)
    header = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(program))  # struct sock_fprog
    buffer = ctypes.create_string_buffer(header, len(header))
    if _libc.syscall(architecture.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, buffer) != 0:
        return Layer(name, active=False, detail=f"seccomp: {os.strerror(ctypes.get_errno())}")
    return Layer(name, active=True, detail="seccomp: no socket, no file, no program can be opened, in any thread")


def filter_program(architecture: Architecture, pid: int) -> bytes:
    """Return the filter as struct sock_filter[]: code u16, jump-if-true u8, jump-if-false u8, operand u32.

    The filter allows a new thread (clone with CLONE_THREAD), but no new process. It cannot read the flags of clone3, so
    it returns ENOSYS, and libc falls back to clone. Three calls may name this process (`pid`) only: tgkill, which abort
    needs; prlimit64, where 0 is the calling process; setpriority, where 0 is the calling thread.
    """
    instructions = [
        _instruction(_LOAD, _AUDIT_ARCH_OFFSET),
        _instruction(_JUMP_IF_EQUAL, architecture.audit_arch, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _CALL_NUMBER_OFFSET),
    ]
    if architecture is X86_64:  # the x32 ABI has the same audit name, and further numbers for the same calls
        instructions += [
            _instruction(_JUMP_IF_AT_LEAST, _X32_SYSCALL_BIT, 0, 1),
            _instruction(_RETURN, _REFUSE | errno.EACCES),
        ]
    for number in sorted(set(architecture.refused_calls.values())):
        instructions += [
            _instruction(_JUMP_IF_EQUAL, number, 0, 1),
            _instruction(_RETURN, _REFUSE | errno.EACCES),
        ]
    instructions += [
        _instruction(_JUMP_IF_EQUAL, architecture.clone3, 0, 1),
        _instruction(_RETURN, _REFUSE | errno.ENOSYS),
        *_allow_only_if(architecture.clone, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_SET, _CLONE_THREAD)]),
        *_allow_only_if(architecture.tgkill, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, pid)]),
        *_allow_only_if(architecture.prlimit64, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, 0), (_JUMP_IF_EQUAL, pid)]),
        *_allow_only_if(architecture.setpriority, _SECOND_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, 0)]),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(instructions)


def _allow_only_if(number: int, argument_offset: int, tests: list[tuple[int, int]]) -> list[bytes]:
    """Allow call `number` if its argument passes one of the tests, else refuse it; other calls jump over this block.

    `tests`: each a jump instruction's code and operand.
    """
    count = len(tests)
    return [
        _instruction(_JUMP_IF_EQUAL, number, 0, count + 3),
        _instruction(_LOAD, argument_offset),
        *(_instruction(code, operand, count - index, 0) for index, (code, operand) in enumerate(tests)),
        _instruction(_RETURN, _REFUSE | errno.EACCES),
        _instruction(_RETURN, _ALLOW),
    ]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
