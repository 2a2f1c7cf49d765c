"""The seccomp filter's program, interpreted here: its decision on each system call."""

import errno
import struct
import sys

import pytest

from watcher.jail import syscalls
from watcher.jail.seccomp import filter_program
from watcher.jail.syscalls import ARCHITECTURES, NEWEST_CALL, Architecture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp exists only on Linux")

ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
REFUSE, ABSENT = ERROR | errno.EACCES, ERROR | errno.ENOSYS
PID = 4242

F_GETFL, F_SETFL = 3, 4
TCGETS, FIONREAD = 0x5401, 0x541B
PR_SET_NAME, PR_SET_VMA = 15, 0x53564D41
PTHREAD_FLAGS = 0x3D0F00  # what pthread_create passes to clone
CLONE_THREAD = 0x10000
POINTER = 0x7F12_0000_0000  # whose lower 32 bits are 0

architectures = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
profiles = pytest.mark.parametrize("strict", [True, False], ids=["strict", "listed"])


def decide(program: bytes, audit_arch: int, number: int, *arguments: int) -> int:
    """Interpret the filter, classic BPF, as the kernel would for one system call; return its decision."""
    data = struct.pack("<IIQ6Q", number, audit_arch, 0, *(*arguments, *[0] * 6)[:6])
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, position * 8)
        position += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
            continue
        is_met = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[code]
        position += if_true if is_met else if_false


def answer(architecture: Architecture, call: str, *arguments: int, strict: bool = True) -> int:
    """Return the filter's decision on an examined call in the process PID."""
    number = architecture.numbers(syscalls.EXAMINED)[call]
    return decide(filter_program(architecture, PID, strict=strict), architecture.audit_arch, number, *arguments)


@architectures
def test_the_strict_filter_allows_only_what_is_listed(architecture: Architecture) -> None:
    program = filter_program(architecture, PID, strict=True)
    allowed, refused, examined = (
        set(architecture.numbers(calls).values()) for calls in (syscalls.ALLOWED, syscalls.REFUSED, syscalls.EXAMINED)
    )
    for number in set(range(600)) - examined:
        expected = ALLOW if number in allowed else REFUSE if number in refused else ABSENT
        assert decide(program, architecture.audit_arch, number) == expected, number


@architectures
def test_the_other_filter_refuses_what_is_listed_and_what_is_newer(architecture: Architecture) -> None:
    program = filter_program(architecture, PID, strict=False)
    refused, examined = (set(architecture.numbers(calls).values()) for calls in (syscalls.REFUSED, syscalls.EXAMINED))
    for number in set(range(600)) - examined:
        expected = REFUSE if number in refused else ABSENT if number > NEWEST_CALL else ALLOW
        assert decide(program, architecture.audit_arch, number) == expected, number


@architectures
@profiles
def test_a_thread_may_start_and_a_process_or_namespace_may_not(architecture: Architecture, strict: bool) -> None:
    assert answer(architecture, "clone", PTHREAD_FLAGS, strict=strict) == ALLOW
    assert answer(architecture, "clone", 17, strict=strict) == REFUSE  # SIGCHLD: fork
    for shift in (17, 25, 26, 27, 28, 29, 30):  # CLONE_NEWNS and the others
        assert answer(architecture, "clone", PTHREAD_FLAGS | 1 << shift, strict=strict) == REFUSE
    assert answer(architecture, "clone3", POINTER, strict=strict) == ABSENT


@architectures
@profiles
def test_signals_limits_and_priorities_are_those_of_the_worker_itself(architecture: Architecture, strict: bool) -> None:
    assert answer(architecture, "tgkill", PID, strict=strict) == ALLOW
    assert answer(architecture, "tgkill", 1, strict=strict) == REFUSE
    assert answer(architecture, "prlimit64", 0, 9, strict=strict) == ALLOW
    assert answer(architecture, "prlimit64", PID, 9, strict=strict) == ALLOW
    assert answer(architecture, "prlimit64", 1, 9, strict=strict) == REFUSE
    for new_limit in (POINTER, POINTER | 64, 64):
        assert answer(architecture, "prlimit64", 0, 9, new_limit, strict=strict) == REFUSE
    assert answer(architecture, "setpriority", 0, 0, 19, strict=strict) == ALLOW
    for which, who in ((0, 1), (0, PID), (1, 0), (2, 0), (2, 1000)):  # a process; its group; all of this person
        assert answer(architecture, "setpriority", which, who, 19, strict=strict) == REFUSE


@architectures
@profiles
def test_fcntl_makes_the_kernel_send_no_signal(architecture: Architecture, strict: bool) -> None:
    for command in (F_GETFL, F_SETFL, 0, 1, 2, 1030):
        assert answer(architecture, "fcntl", 3, command, 0o4000, strict=strict) == ALLOW
    assert answer(architecture, "fcntl", 3, F_SETFL, 0o20000, strict=strict) == REFUSE  # O_ASYNC
    # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ; locks; F_ADD_SEALS
    for command in (8, 10, 15, 1024, 1026, 1031, 6, 7, 37, 38, 1033):
        assert answer(architecture, "fcntl", 3, command, 1, strict=strict) == REFUSE
        assert (
            answer(architecture, "fcntl", 3, command | 1 << 32, 1, strict=strict) == REFUSE
        )  # the kernel drops bit 32


@architectures
@profiles
def test_ioctl_makes_the_kernel_send_no_signal_and_types_into_no_terminal(
    architecture: Architecture, strict: bool
) -> None:
    for command in (TCGETS, FIONREAD):
        assert answer(architecture, "ioctl", 3, command, strict=strict) == ALLOW
    for command in (0x5452, 0x8901, 0x8902, 0x5412, 0x541C, 0x540E):  # FIOASYNC, FIOSETOWN, SIOCSPGRP, TIOCSTI, …
        assert answer(architecture, "ioctl", 3, command, strict=strict) == REFUSE
    driver_command = 0xC0104600  # of /dev/nvidia0
    assert answer(architecture, "ioctl", 3, driver_command, strict=strict) == (REFUSE if strict else ALLOW)


@architectures
@profiles
def test_prctl_names_threads_and_does_not_undo_the_jail(architecture: Architecture, strict: bool) -> None:
    for option in (PR_SET_NAME, PR_SET_VMA):
        assert answer(architecture, "prctl", option, POINTER, strict=strict) == ALLOW
    # PR_SET_PDEATHSIG, SET_DUMPABLE, SET_KEEPCAPS, SET_SECCOMP, SET_MM, SET_PTRACER, SET_CHILD_SUBREAPER
    for option in (1, 4, 8, 22, 35, 0x59616D61, 36):
        assert answer(architecture, "prctl", option, 0, strict=strict) == REFUSE


@architectures
@profiles
def test_another_abi_ends_the_process(architecture: Architecture, strict: bool) -> None:
    program = filter_program(architecture, PID, strict=strict)
    assert decide(program, architecture.audit_arch ^ 1, 0) == KILL
    assert len(program) // 8 < 4096  # BPF_MAXINSNS


@profiles
def test_the_filter_refuses_the_x32_abi(strict: bool) -> None:
    program = filter_program(ARCHITECTURES["x86_64"], PID, strict=strict)
    assert decide(program, 0xC000003E, 0x40000000 + 41) == REFUSE
    assert decide(program, 0xC000003E, 0x40000000) == REFUSE
