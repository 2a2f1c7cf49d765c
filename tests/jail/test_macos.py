"""The jail on macOS, with a stand-in for the system's library."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from tests.support.libraries import FakeLibrary
from watcher.jail import macos

if sys.platform != "win32":
    import resource

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of resources to set")


def test_it_enters_the_sandbox_named_pure_computation() -> None:
    library = FakeLibrary(sandbox_init=0)
    assert macos.enter_sandbox(library).active
    ((_, (profile, flags, message)),) = library.calls
    assert profile == b"pure-computation"  # kSBXProfilePureComputation
    assert isinstance(flags, ctypes.c_uint64)
    assert flags.value == 1  # SANDBOX_NAMED
    assert isinstance(message._obj, ctypes.c_char_p)


def test_a_sandbox_that_is_refused_is_reported_with_the_reason_which_is_freed() -> None:
    def refuse(_profile: bytes, _flags: object, message: Any) -> int:
        message._obj.value = b"already sandboxed"
        return -1

    library = FakeLibrary(sandbox_init=refuse, sandbox_free_error=0)
    layer = macos.enter_sandbox(library)
    assert (layer.active, layer.detail) == (False, "sandbox: already sandboxed")
    assert library.names == ["sandbox_init", "sandbox_free_error"]
    refused = macos.enter_sandbox(FakeLibrary(sandbox_init=-1))
    assert (refused.active, refused.detail) == (False, "sandbox: no reason given")


def test_a_library_that_is_gone_or_lacks_the_function_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> FakeLibrary:
        assert path == "/usr/lib/libsystem_sandbox.dylib"
        raise OSError("image not found")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    (layer,) = macos.enter_with_threads(1)
    assert (layer.active, layer.detail) == (False, "sandbox: image not found")
    monkeypatch.setattr(ctypes, "CDLL", lambda _path: FakeLibrary())
    (layer,) = macos.enter_with_threads(1)
    assert not layer.active
    assert "sandbox_init" in layer.detail


def test_core_dumps_are_off_and_the_missing_limit_of_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, values: limits.append((kind, values)))
    (layer,) = macos.enter_before_threads(1)
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]
    assert (layer.name, layer.active) == ("memory", False)
