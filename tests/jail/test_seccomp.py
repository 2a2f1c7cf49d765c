"""The seccomp filter's program, interpreted here: its decision on each system call."""

import struct
import sys

import pytest

from watcher.jail.seccomp import filter_program
from watcher.jail.syscalls import ARCHITECTURES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp exists only on Linux")


def decide(program: bytes, audit_arch: int, number: int, first_argument: int = 0, second_argument: int = 0) -> int:
    """Interpret the filter, classic BPF, as the kernel would for one system call; return its decision."""
    data = struct.pack("<IIQ6Q", number, audit_arch, 0, first_argument, second_argument, 0, 0, 0, 0)
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


ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_the_filter_allows_or_refuses_each_call_as_specified(name: str) -> None:
    architecture = ARCHITECTURES[name]
    program = filter_program(architecture, pid=4242)
    for number in range(600):
        if number in architecture.refused_calls.values():
            expected = REFUSE | 13
        elif number == architecture.clone3:
            expected = REFUSE | 38
        elif number in (architecture.clone, architecture.tgkill, architecture.setpriority, architecture.prlimit64):
            continue
        else:
            expected = ALLOW
        assert decide(program, architecture.audit_arch, number) == expected, number
    assert decide(program, architecture.audit_arch, architecture.clone, 0x3D0F00) == ALLOW  # what pthread_create passes
    assert decide(program, architecture.audit_arch, architecture.clone, 17) == REFUSE | 13  # SIGCHLD: fork
    assert decide(program, architecture.audit_arch, architecture.tgkill, 4242) == ALLOW
    assert decide(program, architecture.audit_arch, architecture.tgkill, 1) == REFUSE | 13
    assert decide(program, architecture.audit_arch, architecture.prlimit64, 0) == ALLOW
    assert decide(program, architecture.audit_arch, architecture.prlimit64, 4242) == ALLOW
    assert decide(program, architecture.audit_arch, architecture.prlimit64, 1) == REFUSE | 13
    assert decide(program, architecture.audit_arch, architecture.setpriority, 0, 0) == ALLOW
    assert decide(program, architecture.audit_arch, architecture.setpriority, 0, 1) == REFUSE | 13
    assert decide(program, architecture.audit_arch ^ 1, 0) == KILL
    assert len(program) // 8 < 256 * 16


def test_the_filter_refuses_the_x32_abi() -> None:
    program = filter_program(ARCHITECTURES["x86_64"], pid=1)
    assert decide(program, 0xC000003E, 0x40000000 + 41) == REFUSE | 13
