"""The numbers of system calls, compared with the headers of the kernel that this machine has."""

import re
from pathlib import Path

import pytest

from watcher.jail import syscalls
from watcher.jail.syscalls import AARCH64, ARCHITECTURES, NEWEST_CALL, X86_64, Architecture

TABLES = {"ALLOWED": syscalls.ALLOWED, "REFUSED": syscalls.REFUSED, "EXAMINED": syscalls.EXAMINED}
HEADERS = {  # of Debian's linux-libc-dev; that of aarch64 is the generic one
    X86_64: ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", {}),
    AARCH64: ("/usr/include/asm-generic/unistd.h", {"newfstatat": "fstatat"}),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_numbers_are_those_of_the_kernels_headers(architecture: Architecture) -> None:
    path, renamed = HEADERS[architecture]
    if not Path(path).exists():
        pytest.skip(f"needs {path} (Debian: linux-libc-dev)")
    text = Path(path).read_text()
    actual = {match[1]: int(match[2]) for match in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)}
    newest = actual.get("syscalls", max(actual.values()))  # in the generic header, __NR_syscalls is their count
    for table in TABLES.values():
        for name, numbers in table.items():
            number = numbers[architecture.column]
            assert actual.get(renamed.get(name, name)) == number or (number or 0) >= newest, name


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_each_call_is_listed_once(architecture: Architecture) -> None:
    numbers = [number for table in TABLES.values() for number in architecture.numbers(table).values()]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) == NEWEST_CALL
    names = [name for table in TABLES.values() for name in table]
    assert len(names) == len(set(names))
