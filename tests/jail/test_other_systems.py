"""The backends for macOS and Windows, with stand-ins for these systems' libraries."""

import ctypes
from typing import Any

import pytest

from watcher.jail import macos, windows
from watcher.jail.layer import MEMORY_LIMIT_BYTES


class FakeLibrary:
    """A C library whose functions record their calls and return prepared answers."""

    def __init__(self, **answers: int) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name, answer in answers.items():
            setattr(self, name, self._function(name, answer))

    def _function(self, name: str, answer: int) -> Any:
        def function(*arguments: Any) -> int:
            self.calls.append((name, arguments))
            return answer

        return function


def test_macos_enters_the_named_sandbox_and_reports_when_it_cannot() -> None:
    library = FakeLibrary(sandbox_init=0)
    assert macos.enter_sandbox(library).active
    (_, (profile, flags, _message)) = library.calls[0]
    assert (profile, flags.value) == (b"pure-computation", 1)
    refused = macos.enter_sandbox(FakeLibrary(sandbox_init=-1))
    assert not refused.active
    assert "no reason given" in refused.detail


def test_windows_puts_the_process_into_a_job_with_one_process_and_bounded_memory() -> None:
    kernel = FakeLibrary(CreateJobObjectW=5, GetCurrentProcess=6, SetInformationJobObject=1, AssignProcessToJobObject=1)
    assert windows.enter_job_object(kernel).active
    names = [name for name, _ in kernel.calls]
    assert names == ["CreateJobObjectW", "SetInformationJobObject", "GetCurrentProcess", "AssignProcessToJobObject"]
    limits = windows.job_limits()
    assert limits.BasicLimitInformation.ActiveProcessLimit == 1
    assert limits.ProcessMemoryLimit == MEMORY_LIMIT_BYTES
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert ctypes.sizeof(limits) == 144  # as winnt.h lays it out on 64-bit Windows


@pytest.mark.parametrize("refusing", ["CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject"])
def test_windows_reports_when_the_job_cannot_be_entered(refusing: str) -> None:
    answers = dict.fromkeys(("CreateJobObjectW", "GetCurrentProcess", "SetInformationJobObject"), 1)
    kernel = FakeLibrary(**(answers | {"AssignProcessToJobObject": 1} | {refusing: 0}))
    assert not windows.enter_job_object(kernel).active
