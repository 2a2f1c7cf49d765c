"""Runs a command as a container would that has a seccomp filter of its own.

    python -m tests.support.confined landlock_create_ruleset=ENOSYS prctl:38=EPERM -- COMMAND...

Each rule names a call, as `watcher.jail.syscalls` does, if need be with the value of its first argument, and the error
that the filter answers. The filter binds the command and all that it starts. Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

from watcher.jail import syscalls

LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_CALL_NUMBER_OFFSET, _FIRST_ARGUMENT_OFFSET = 0, 16
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1


def rules(*calls: str, error: str) -> list[str]:
    """Return one rule for each call."""
    return [f"{call}={error}" for call in calls]


def prefix(answers: Iterable[str]) -> tuple[str, ...]:
    """Return the words before a command that bind it by these rules."""
    return (sys.executable, "-m", "tests.support.confined", *answers, "--")


def filter_program(answers: Iterable[str]) -> bytes:
    """Return the filter as struct sock_filter[]."""
    numbers = syscalls.ARCHITECTURES[platform.machine()].numbers(
        syscalls.ALLOWED | syscalls.REFUSED | syscalls.EXAMINED
    )
    program = [struct.pack("=HBBI", _LOAD, 0, 0, _CALL_NUMBER_OFFSET)]
    for answer in answers:
        what, error = answer.split("=")
        call, _colon, argument = what.partition(":")
        block = [struct.pack("=HBBI", _RETURN, 0, 0, _ERROR | getattr(errno, error))]
        if argument:
            block = [
                struct.pack("=HBBI", _LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
                struct.pack("=HBBI", _JUMP_IF_EQUAL, 0, 1, int(argument, 0)),
                *block,
                struct.pack("=HBBI", _LOAD, 0, 0, _CALL_NUMBER_OFFSET),
            ]
        program += [struct.pack("=HBBI", _JUMP_IF_EQUAL, 0, len(block), numbers[call]), *block]
    return b"".join([*program, struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)])


def main() -> None:
    """Install the filter, then become the command."""
    answers, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    program = filter_program(answers)
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 and libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("no_new_privs was refused")
    text = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))  # struct sock_fprog
    buffer = ctypes.create_string_buffer(header, len(header))
    number = syscalls.ARCHITECTURES[platform.machine()].numbers(syscalls.REFUSED)["seccomp"]
    if libc.syscall(number, _SECCOMP_SET_MODE_FILTER, 0, buffer) != 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
