"""profile.py: the AppContainer's profile is made once, and has one SID."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.fake_windows import SID, FakeWindows
from watcher.jail.appcontainer import access, profile
from watcher.jail.appcontainer.library import AppContainerError


def test_the_profile_is_made_once_and_its_sid_is_found_again() -> None:
    fake = FakeWindows()
    windows = fake.as_windows()
    for _ in range(2):
        sid = profile.make(windows)
        assert access.sid_bytes(sid) == SID
        profile.free(windows, sid)
    assert fake.names().count("DeriveAppContainerSidFromAppContainerName") == 1
    name, title, description, *_ = fake.calls[0][1]
    assert re.fullmatch("[-_. A-Za-z0-9]{1,64}", name)
    assert len(title) <= 512
    assert len(description) <= 2048
    assert fake.buffers == {}


@pytest.mark.parametrize("code", [0x80070005, 0x80004001])
def test_a_profile_that_windows_refuses_is_said(code: int) -> None:
    fake = FakeWindows(failing={"CreateAppContainerProfile": code - (1 << 32)})
    with pytest.raises(AppContainerError, match=f"CreateAppContainerProfile failed with error 0x{code:X}"):
        profile.make(fake.as_windows())


def test_a_success_without_a_sid_is_a_failure() -> None:
    fake = FakeWindows(failing={"CreateAppContainerProfile": 0})
    with pytest.raises(AppContainerError, match="CreateAppContainerProfile failed"):
        profile.make(fake.as_windows())


def test_the_folder_and_all_below_are_found(tmp_path: Path) -> None:
    own = tmp_path / "nobg.worker" / "AC"
    (own / "Temp").mkdir(parents=True)
    fake = FakeWindows(own_folder=str(own))
    windows = fake.as_windows()
    sid = profile.make(windows)
    assert profile.folder(windows, sid) == str(own)
    assert profile.folders(str(own)) == [str(own.parent), str(own), str(own / "Temp")]
    assert profile.folders(str(own.parent)) == profile.folders(str(own))  # not what is beside it
    profile.free(windows, sid)
    assert fake.buffers == {}
