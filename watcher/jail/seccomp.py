"""The seccomp filter: builds its program for this processor and installs it in all threads.

Sources: seccomp(2), linux/seccomp.h, linux/filter.h; fcntl(2), ioctl_tty(2) and prctl(2) for the commands.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

from watcher.jail import syscalls
from watcher.jail.layer import Layer
from watcher.jail.syscalls import ARCHITECTURES, X86_64, Architecture

_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_X32_SYSCALL_BIT = 0x40000000

# struct sock_filter: the instructions of classic BPF
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# SECCOMP_RET_*: what a filter returns
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERROR | errno.EACCES
_ABSENT = _ERROR | errno.ENOSYS  # as a kernel answers that does not have the call; libraries then do without it
# struct seccomp_data: byte offsets on a little-endian processor; the arguments have 64 bits each
_CALL_NUMBER_OFFSET, _AUDIT_ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16

_CLONE_THREAD = 0x00010000
_CLONE_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_AF_UNIX = 1
_F_SETFL = 4
_O_ASYNC = 0o20000
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. Not among them: F_SETOWN, F_SETOWN_EX, F_SETSIG,
# F_SETLEASE and F_NOTIFY, by which the kernel sends a signal to any process; F_SETPIPE_SZ, which takes kernel memory.
_FCNTL_COMMANDS = (0, 1, 2, 3, 1030, 1032)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2: what libc asks of a descriptor of unknown kind
_IOCTL_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)
# TIOCSCTTY, TIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCCONS, TIOCNOTTY, TIOCVHANGUP, FIOASYNC, FIOSETOWN, SIOCSPGRP: they
# type into a terminal, or have the kernel send signals. A driver needs commands of its own, so that only these can go.
_HARMFUL_IOCTL_COMMANDS = (0x540E, 0x5410, 0x5412, 0x541C, 0x541D, 0x5422, 0x5437, 0x5452, 0x8901, 0x8902)
# PR_GET_PDEATHSIG, GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, CAPBSET_READ, SET_TIMERSLACK, GET_TIMERSLACK,
# GET_NO_NEW_PRIVS, SET_THP_DISABLE, GET_THP_DISABLE, SVE_GET_VL, SME_GET_VL, GET_AUXV, SET_VMA (names of memory).
# Not among them: PR_SET_PDEATHSIG, without which the worker outlives its parent; PR_SET_DUMPABLE; PR_SET_PTRACER.
_PRCTL_OPTIONS = (2, 3, 15, 16, 21, 23, 29, 30, 39, 41, 42, 51, 64, 0x41555856, 0x53564D41)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Condition:
    """What must hold for an argument: one of the fields that are not None.

    `argument`: its position, from 0. The kernel reads the lower 32 bits of the arguments that are examined; `upper`
    asks for the others, which a pointer has.
    """

    argument: int
    equals: int | None = None
    differs_from: int | None = None
    has_bit: int | None = None
    lacks_bits: int | None = None
    upper: bool = False

    def instructions(self, steps_to_failure: int) -> list[bytes]:
        """Return two instructions; if the condition does not hold, they jump over `steps_to_failure` further ones."""
        load = _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * self.argument + (4 if self.upper else 0))
        if self.equals is not None:
            return [load, _instruction(_JUMP_IF_EQUAL, self.equals, 0, steps_to_failure)]
        if self.differs_from is not None:
            return [load, _instruction(_JUMP_IF_EQUAL, self.differs_from, steps_to_failure, 0)]
        if self.has_bit is not None:
            return [load, _instruction(_JUMP_IF_SET, self.has_bit, 0, steps_to_failure)]
        assert self.lacks_bits is not None
        return [load, _instruction(_JUMP_IF_SET, self.lacks_bits, steps_to_failure, 0)]


Alternatives = list[list[Condition]]
"""A call is allowed if all conditions of one of the lists hold."""


def rules(pid: int, *, strict: bool) -> dict[str, Alternatives]:
    """Return when each call of `syscalls.EXAMINED` is allowed in the process `pid`.

    `clone`: a thread, but no process and no namespace. `tgkill`: a signal to this process, which abort sends.
    `prlimit64`: to read this process's limits. `setpriority`: of the calling thread.
    """
    reads_limit = [Condition(2, equals=0), Condition(2, equals=0, upper=True)]
    ioctl: Alternatives = [[Condition(1, equals=command)] for command in _IOCTL_COMMANDS]
    if not strict:
        ioctl = [[Condition(1, differs_from=command) for command in _HARMFUL_IOCTL_COMMANDS]]
    return {
        "clone": [[Condition(0, has_bit=_CLONE_THREAD), Condition(0, lacks_bits=_CLONE_NEW_NAMESPACES)]],
        "tgkill": [[Condition(0, equals=pid)]],
        "prlimit64": [[Condition(0, equals=own), *reads_limit] for own in (0, pid)],
        "setpriority": [[Condition(0, equals=0), Condition(1, equals=0)]],
        "fcntl": [
            *([Condition(1, equals=command)] for command in _FCNTL_COMMANDS),
            [Condition(1, equals=_F_SETFL), Condition(2, lacks_bits=_O_ASYNC)],
        ],
        "ioctl": ioctl,
        "prctl": [[Condition(0, equals=option)] for option in _PRCTL_OPTIONS],
    }


def enter_seccomp(*, accelerated: bool = False) -> Layer:
    """Refuse the calls that reach the network, files and programs, in all threads.

    `accelerated`: an accelerator's driver works in this process. It may need calls that nobody has listed, and so may
    a libc other than glibc: there, the filter refuses what is listed, instead of all that is not.
    """
    name = "network"
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return Layer(name, active=False, detail=f"seccomp: nobg has no filter for {platform.machine()} processors")
    strict = not accelerated and _libc_is_glibc()
    failure = _install(architecture, filter_program(architecture, os.getpid(), strict=strict))
    if failure:
        return Layer(name, active=False, detail=f"seccomp: {failure}")
    kind = "only calls that reach nothing else are allowed" if strict else "a list of calls is refused"
    detail = f"seccomp: no socket, no file, no program can be opened, in any thread; {kind}"
    return Layer(name, active=True, detail=detail)


def enter_window_seccomp() -> Layer:
    """Refuse all sockets but local ones, and other programs, in all threads: for a process that shows a window."""
    name = "network"
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return Layer(name, active=False, detail=f"seccomp: nobg has no filter for {platform.machine()} processors")
    failure = _install(architecture, window_filter_program(architecture))
    if failure:
        return Layer(name, active=False, detail=f"seccomp: {failure}")
    return Layer(name, active=True, detail="seccomp: only local sockets, no other program, in any thread")


def _install(architecture: Architecture, instructions: bytes) -> str:
    """Install a filter in all threads. Returns why the kernel refuses it, or ""."""
    program = (ctypes.c_char * len(instructions)).from_buffer_copy(instructions)
    header = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(program))  # struct sock_fprog
    buffer = ctypes.create_string_buffer(header, len(header))
    number = architecture.numbers(syscalls.REFUSED)["seccomp"]
    if _libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, buffer) != 0:
        return os.strerror(ctypes.get_errno())
    return ""


def _libc_is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (OSError, ValueError):  # another libc does not know the name
        return False


def filter_program(architecture: Architecture, pid: int, *, strict: bool) -> bytes:
    """Return the filter as struct sock_filter[]: code u16, jump-if-true u8, jump-if-false u8, operand u32.

    What is in none of the lists does not exist (ENOSYS) if `strict`; otherwise it is allowed, unless it is newer than
    the lists. The filter cannot read the flags of clone3, so that call does not exist, and libc falls back to clone.
    """
    instructions = _beginning(architecture)
    if strict:
        instructions += _answer_each(architecture.numbers(syscalls.ALLOWED), _ALLOW)
    instructions += _answer_each(architecture.numbers(syscalls.REFUSED), _REFUSE)
    examined = architecture.numbers(syscalls.EXAMINED)
    instructions += _answer_each({"clone3": examined["clone3"]}, _ABSENT)
    for name, alternatives in rules(pid, strict=strict).items():
        instructions += _allow_only_if(examined[name], alternatives)
    if not strict:
        instructions += [
            _instruction(_JUMP_IF_AT_LEAST, syscalls.NEWEST_CALL + 1, 1, 0),
            _instruction(_RETURN, _ALLOW),
        ]
    return b"".join([*instructions, _instruction(_RETURN, _ABSENT)])


def window_filter_program(architecture: Architecture) -> bytes:
    """Return the filter of a process that shows a window, in the same form. What is newer than the lists is absent.

    A local socket reaches the display, the bus and the screen reader. `ioctl` cannot type into a terminal.
    """
    refused = {name: syscalls.REFUSED[name] for name in syscalls.REFUSED_TO_WINDOWS}
    examined = architecture.numbers(syscalls.EXAMINED)
    socket = architecture.numbers(syscalls.REFUSED)["socket"]
    harmless = [Condition(1, differs_from=command) for command in _HARMFUL_IOCTL_COMMANDS]
    instructions = [
        *_beginning(architecture),
        *_answer_each(architecture.numbers(refused), _REFUSE),
        *_answer_each({"clone3": examined["clone3"]}, _ABSENT),
        *_allow_only_if(examined["clone"], [[Condition(0, lacks_bits=_CLONE_NEW_NAMESPACES)]]),
        *_allow_only_if(examined["ioctl"], [harmless]),
        *_allow_only_if(socket, [[Condition(0, equals=_AF_UNIX)]]),
        _instruction(_JUMP_IF_AT_LEAST, syscalls.NEWEST_CALL + 1, 1, 0),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _ABSENT),
    ]
    return b"".join(instructions)


def _beginning(architecture: Architecture) -> list[bytes]:
    """End a process that uses another ABI than the one whose numbers the filter knows; load the number of the call."""
    instructions = [
        _instruction(_LOAD, _AUDIT_ARCH_OFFSET),
        _instruction(_JUMP_IF_EQUAL, architecture.audit_arch, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _CALL_NUMBER_OFFSET),
    ]
    if architecture is X86_64:  # the x32 ABI has the same audit name, and further numbers for the same calls
        instructions += [_instruction(_JUMP_IF_AT_LEAST, _X32_SYSCALL_BIT, 0, 1), _instruction(_RETURN, _REFUSE)]
    return instructions


def _answer_each(calls: dict[str, int], answer: int) -> list[bytes]:
    """Return `answer` for each of the calls; other calls jump over this block."""
    pairs = ([_instruction(_JUMP_IF_EQUAL, call, 0, 1), _instruction(_RETURN, answer)] for call in calls.values())
    return [instruction for pair in pairs for instruction in pair]


def _allow_only_if(number: int, alternatives: Alternatives) -> list[bytes]:
    """Allow call `number` if one of the alternatives holds, else refuse it; other calls jump over this block."""
    block: list[bytes] = []
    for conditions in alternatives:
        for index, condition in enumerate(conditions):
            conditions_left = len(conditions) - index - 1
            block += condition.instructions(2 * conditions_left + 1)  # over them, and over the return
        block.append(_instruction(_RETURN, _ALLOW))
    block.append(_instruction(_RETURN, _REFUSE))
    return [_instruction(_JUMP_IF_EQUAL, number, 0, len(block)), *block]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
