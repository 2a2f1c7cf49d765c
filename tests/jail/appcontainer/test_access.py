"""access.py: who may read a folder, and how an entry for the AppContainer comes and goes."""

from __future__ import annotations

import ctypes

import pytest

from tests.support.fake_windows import EVERYBODY, SID, FakeWindows, acl, entry
from watcher.jail.appcontainer import access
from watcher.jail.appcontainer.access import ALL_APPLICATION_PACKAGES, READ_AND_EXECUTE
from watcher.jail.appcontainer.library import AppContainerError

FOLDER = "C:\\Python"


@pytest.fixture
def sid() -> int:
    """The address of a SID."""
    buffer = ctypes.create_string_buffer(SID, len(SID))
    KEPT.append(buffer)
    return ctypes.addressof(buffer)


KEPT: list[object] = []


def test_the_structures_have_the_sizes_of_64_bit_windows() -> None:
    assert (ctypes.sizeof(access.Trustee), ctypes.sizeof(access.ExplicitAccess)) == (32, 48)
    offsets = {name: getattr(access.ExplicitAccess, name).offset for name, _ in access.ExplicitAccess._fields_}
    assert offsets == {"grfAccessPermissions": 0, "grfAccessMode": 4, "grfInheritance": 8, "Trustee": 16}
    offsets = {name: getattr(access.Trustee, name).offset for name, _ in access.Trustee._fields_}
    assert offsets["TrusteeForm"] == 12
    assert offsets["TrusteeType"] == 16
    assert offsets["ptstrName"] == 24


PROGRAM_FILES = (
    entry(ALL_APPLICATION_PACKAGES, flags=0),
    entry(ALL_APPLICATION_PACKAGES, flags=0x0B, mask=0xA0000000),  # below only, GENERIC_READ | GENERIC_EXECUTE
)
GENERIC_ALL = 1 << 28


@pytest.mark.parametrize(
    ("entries", "lets"),
    [
        ((), False),
        ((entry(EVERYBODY),), False),
        ((entry(SID),), True),
        ((entry(ALL_APPLICATION_PACKAGES),), True),
        ((entry(SID, mask=GENERIC_ALL),), True),
        (PROGRAM_FILES, True),
        (PROGRAM_FILES[:1], False),  # the folder, but nothing below
        (PROGRAM_FILES[1:], False),  # what is below, but not the folder
        ((entry(SID, mask=READ_AND_EXECUTE & ~0x20),), False),  # no execution
        ((entry(SID, flags=2),), False),  # folders below, but no files
        ((entry(SID, kind=1),), False),  # denies
        ((entry(SID, kind=5), entry(EVERYBODY)), False),  # an entry of another shape
    ],
)
def test_an_entry_lets_the_container_read_a_folder_and_all_below(entries: tuple[bytes, ...], lets: bool) -> None:
    assert access.lets_read(acl(*entries), {SID, ALL_APPLICATION_PACKAGES}) is lets


def test_a_grant_adds_an_entry_and_a_revocation_leaves_the_folder_as_it_was(sid: int) -> None:
    fake = FakeWindows()
    windows = fake.as_windows()
    assert not access.is_granted(windows, sid, FOLDER)
    before = fake.acls[FOLDER]
    access.change(windows, sid, FOLDER, access.GRANT)
    assert access.is_granted(windows, sid, FOLDER)
    assert fake.acls[FOLDER] == acl(entry(EVERYBODY), entry(SID, mask=0x1200A9, flags=3))
    access.change(windows, sid, FOLDER, access.REVOKE)
    assert fake.acls[FOLDER] == before
    assert fake.buffers == {}  # all is freed


def test_a_folder_without_acl_is_left_alone(sid: int) -> None:
    fake = FakeWindows(acls={FOLDER: None})
    windows = fake.as_windows()
    assert access.is_granted(windows, sid, FOLDER)
    access.change(windows, sid, FOLDER, access.GRANT)
    assert fake.acls == {FOLDER: None}
    assert "SetNamedSecurityInfoW" not in fake.names()


@pytest.mark.parametrize("failing", ["GetNamedSecurityInfoW", "SetEntriesInAclW", "SetNamedSecurityInfoW"])
def test_what_windows_refuses_is_said_with_its_error_and_nothing_stays_allocated(sid: int, failing: str) -> None:
    fake = FakeWindows(failing={failing: 5})
    with pytest.raises(AppContainerError, match=f"{failing}.* failed with error 5"):
        access.change(fake.as_windows(), sid, FOLDER, access.GRANT)
    assert fake.buffers == {}
