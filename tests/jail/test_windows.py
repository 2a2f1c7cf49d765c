"""What the worker does and sees on Windows, with stand-ins for the system's libraries."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from tests.support.libraries import FakeLibrary
from watcher.jail import windows
from watcher.jail.layer import MEMORY_LIMIT_BYTES

JOB_CALLS = ["CreateJobObjectW", "SetInformationJobObject", "GetCurrentProcess", "AssignProcessToJobObject"]


def test_the_process_enters_a_job_with_one_process_and_bounded_memory() -> None:
    kernel = FakeLibrary(**dict.fromkeys([*JOB_CALLS, "CloseHandle"], 5))
    assert windows.enter_job_object(kernel).active
    assert kernel.names == [*JOB_CALLS, "CloseHandle"]
    assert kernel.calls[-1][1][0].value == 5  # the worker keeps no handle with which it could widen the limits
    limits = windows.job_limits()
    assert limits.BasicLimitInformation.LimitFlags == 0x8 | 0x100 | 0x400  # processes, memory, no crash dialog
    assert limits.BasicLimitInformation.ActiveProcessLimit == 1
    assert limits.ProcessMemoryLimit == MEMORY_LIMIT_BYTES
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert ctypes.sizeof(limits) == 144  # as winnt.h lays it out on 64-bit Windows


@pytest.mark.parametrize("refusing", ["CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject"])
def test_a_job_that_cannot_be_entered_is_reported(refusing: str) -> None:
    kernel = FakeLibrary(**(dict.fromkeys([*JOB_CALLS, "CloseHandle"], 1) | {refusing: 0}))
    assert not windows.enter_job_object(kernel).active
    assert kernel.names.count("CloseHandle") == (refusing != "CreateJobObjectW")


class Policies(FakeLibrary):
    """The policies of a process: bit 0 of each, as `SetProcessMitigationPolicy` has set it."""

    def __init__(self, *, accepts: bool = True, keeps: bool = True) -> None:
        self.flags: dict[int, int] = {}
        self.accepts, self.keeps = accepts, keeps
        super().__init__(
            GetCurrentProcess=6, SetProcessMitigationPolicy=self.set_flags, GetProcessMitigationPolicy=self.get_flags
        )

    def set_flags(self, policy: int, flags: Any, size: Any) -> int:
        """Set them, if they are accepted."""
        assert size.value == 4
        if self.accepts and self.keeps:
            self.flags[policy] = flags._obj.value
        return int(self.accepts)

    def get_flags(self, process: Any, policy: int, flags: Any, size: Any) -> int:
        """Tell them."""
        assert (process.value, size.value) == (6, 4)
        flags._obj.value = self.flags.get(policy, 0)
        return 1


def test_the_policies_forbid_programs_and_win32k_and_are_read_back() -> None:
    kernel = Policies()
    layers = [windows.forbid_programs(kernel), windows.forbid_win32k(kernel)]
    assert [layer.active for layer in layers] == [True, True]
    assert kernel.flags == {13: 1, 4: 1}  # ProcessChildProcessPolicy, ProcessSystemCallDisablePolicy


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (Policies(accepts=False), "Windows refused it"),
        (Policies(keeps=False), "Windows accepted it, but does not say that it is in force"),
        (FakeLibrary(GetCurrentProcess=6), "this Windows has none"),
    ],
)
def test_a_policy_that_is_not_in_force_is_no_active_layer(kernel: FakeLibrary, text: str) -> None:
    for layer in (windows.forbid_programs(kernel), windows.forbid_win32k(kernel)):
        assert not layer.active
        assert layer.detail.endswith(f": {text}")


class Token(FakeLibrary):
    """advapi32 with the token of a process."""

    def __init__(self, **told: int | None) -> None:
        self.told = {29: told["container"], 30: told["capabilities"]}  # TokenIsAppContainer, TokenCapabilities
        super().__init__(OpenProcessToken=self.open_token, GetTokenInformation=self.tell)

    @staticmethod
    def open_token(process: Any, access: Any, token: Any) -> int:
        """Give a handle."""
        assert (process.value, access.value) == (6, 8)  # TOKEN_QUERY
        token._obj.value = 99
        return 1

    def tell(self, token: Any, kind: int, room: Any, size: int, _needed: Any) -> int:
        """Write the number that is known."""
        assert token.value == 99
        assert size == ctypes.sizeof(room) >= 1024
        number = self.told[kind]
        room[0] = number or 0
        return int(number is not None)


@pytest.mark.parametrize(
    ("container", "capabilities", "active", "words"),
    [
        (1, 0, True, "AppContainer: no network, no file but"),
        (0, 0, False, "AppContainer: this worker is in none"),
        (None, None, False, "AppContainer: this worker is in none"),
        (1, 2, False, "AppContainer: it has capabilities"),
        (1, None, False, "AppContainer: it has capabilities"),
    ],
)
def test_the_layer_of_network_and_files_is_what_the_token_says(
    container: int | None, capabilities: int | None, active: bool, words: str
) -> None:
    kernel = FakeLibrary(GetCurrentProcess=6, CloseHandle=1)
    layer = windows.report_container(kernel, Token(container=container, capabilities=capabilities))
    assert (layer.name, layer.active) == ("network and files", active)
    assert layer.detail.startswith(words)
    assert kernel.names.count("CloseHandle") == 2 - (not container)


def test_a_token_that_cannot_be_opened_tells_nothing() -> None:
    advapi = FakeLibrary(OpenProcessToken=0)
    assert not windows.report_container(FakeLibrary(GetCurrentProcess=6), advapi).active


@pytest.mark.parametrize(
    ("container", "accelerated", "has_lockdown"), [(1, False, True), (1, True, False), (0, False, False)]
)
def test_win32k_is_locked_in_an_appcontainer_without_accelerator_only(
    monkeypatch: pytest.MonkeyPatch, container: int, accelerated: bool, has_lockdown: bool
) -> None:
    kernel = Policies()
    for name in (*JOB_CALLS, "CloseHandle"):
        setattr(kernel, name, lambda *_: 6)
    libraries = {"kernel32": kernel, "advapi32": Token(container=container, capabilities=0)}
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, **_options: libraries[name], raising=False)
    assert windows.enter_before_threads(1, accelerated=accelerated) == []
    layers = windows.enter_with_threads(1, accelerated=accelerated)
    names = ["network and files", "programs and memory", "programs", "windows and graphics"]
    assert [layer.name for layer in layers] == names[: 3 + has_lockdown]
    assert windows.is_contained() is bool(container)
