"""library.py: Windows' functions and their failures."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from tests.support.fake_windows import FakeWindows
from watcher.jail.appcontainer import library
from watcher.jail.appcontainer.library import PROTOTYPES, AppContainerError


def test_each_function_gets_its_types() -> None:
    functions = {name: SimpleNamespace() for name in PROTOTYPES["kernel32"]}
    declared = library.declare(SimpleNamespace(**functions), "kernel32", PROTOTYPES["kernel32"])
    assert declared.CreateJobObjectW.restype is ctypes.c_void_p  # a handle has 64 bits: int would cut it
    assert len(declared.CreateProcessW.argtypes) == 10
    assert len(declared.UpdateProcThreadAttribute.argtypes) == 7


def test_a_function_that_windows_lacks_is_named() -> None:
    with pytest.raises(AppContainerError, match="userenv has no CreateAppContainerProfile"):
        library.declare(SimpleNamespace(), "userenv", PROTOTYPES["userenv"])


def test_a_failure_is_said_in_numbers_and_in_windows_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "FormatError", lambda _code: "Access is denied.\r\n", raising=False)
    windows = FakeWindows().as_windows()
    windows.check("CreateProcessW", 1)
    with pytest.raises(AppContainerError, match=r"^CreateProcessW failed with error 5 \(Access is denied\)$"):
        windows.check("CreateProcessW", 0)
    library.check_hresult("CreateAppContainerProfile", 0)
    with pytest.raises(AppContainerError, match=r"^CreateAppContainerProfile failed with error 0x80070005 \("):
        library.check_hresult("CreateAppContainerProfile", 0x80070005 - (1 << 32))
    library.check_code("SetEntriesInAclW", 0)
    with pytest.raises(AppContainerError, match="SetEntriesInAclW failed with error 87"):
        library.check_code("SetEntriesInAclW", 87)


def test_a_library_that_does_not_load_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **_options: object) -> None:
        raise OSError(126, f"no {name}")

    monkeypatch.setattr(ctypes, "WinDLL", refuse, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 0, raising=False)
    with pytest.raises(AppContainerError, match="kernel32 does not load"):
        library.load()
