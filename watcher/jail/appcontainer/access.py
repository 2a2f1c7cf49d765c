"""What the AppContainer may read: entries for its SID in the access control lists (ACLs) of the program's folders.

Sources: "Access Control Lists" in Microsoft's documentation; winnt.h (ACL, ACE_HEADER, ACCESS_ALLOWED_ACE, SID) and
accctrl.h (EXPLICIT_ACCESS_W, TRUSTEE_W). `icacls FOLDER` shows these lists.
"""

from __future__ import annotations

import contextlib
import ctypes
import struct
from collections.abc import Iterator
from typing import NamedTuple

from watcher.jail.appcontainer.library import Windows, check_code

READ_AND_EXECUTE = 0x1200A9
"""FILE_GENERIC_READ | FILE_GENERIC_EXECUTE."""
ALL_APPLICATION_PACKAGES = struct.pack("<BB6sII", 1, 2, b"\0\0\0\0\0\x0f", 2, 1)
"""The SID S-1-15-2-1, to which "Program Files" and "Windows" are open."""

GRANT, SET, REVOKE = 1, 2, 4  # ACCESS_MODE
_SE_FILE_OBJECT = 1
_DACL_SECURITY_INFORMATION = 4
_TRUSTEE_IS_SID = 0
_ALLOWED, _DENIED = 0, 1  # types of an entry
_TO_FILES, _TO_FOLDERS, _BELOW_ONLY = 0x01, 0x02, 0x08  # flags of an entry
_GENERIC_ALL, _GENERIC_EXECUTE, _GENERIC_READ = 1 << 28, 1 << 29, 1 << 31
_ACL_HEADER = struct.Struct("<BBHHH")
_ENTRY_HEADER = struct.Struct("<BBHI")


class Trustee(ctypes.Structure):
    """TRUSTEE_W; `ptstrName` is the address of a SID."""

    _fields_ = (
        ("pMultipleTrustee", ctypes.c_void_p),
        ("MultipleTrusteeOperation", ctypes.c_int32),
        ("TrusteeForm", ctypes.c_int32),
        ("TrusteeType", ctypes.c_int32),
        ("ptstrName", ctypes.c_void_p),
    )


class ExplicitAccess(ctypes.Structure):
    """EXPLICIT_ACCESS_W."""

    _fields_ = (
        ("grfAccessPermissions", ctypes.c_uint32),
        ("grfAccessMode", ctypes.c_int32),
        ("grfInheritance", ctypes.c_uint32),
        ("Trustee", Trustee),
    )


class Entry(NamedTuple):
    """One entry of an access control list (ACE), with its SID as bytes."""

    kind: int
    flags: int
    mask: int
    sid: bytes


def read_entries(acl: bytes) -> Iterator[Entry]:
    """Yield the entries of an ACL that allow or deny; other kinds have another shape."""
    _revision, _, _size, count, _ = _ACL_HEADER.unpack_from(acl)
    start = _ACL_HEADER.size
    for _number in range(count):
        kind, flags, size, mask = _ENTRY_HEADER.unpack_from(acl, start)
        if kind in (_ALLOWED, _DENIED):
            sid = acl[start + _ENTRY_HEADER.size : start + size]
            yield Entry(kind, flags, mask, sid[: _sid_size(sid)])
        start += size


def _sid_size(sid: bytes) -> int:
    return 8 + 4 * sid[1]  # revision, number of parts, authority (6 bytes), parts of 4 bytes


def lets_read(acl: bytes, sids: set[bytes]) -> bool:
    """Return whether the ACL of a folder lets one of `sids` read the folder and all that is created below it."""
    entries = [entry for entry in read_entries(acl) if entry.kind == _ALLOWED and entry.sid in sids]
    reading = [entry for entry in entries if _includes_reading(entry.mask)]
    both = _TO_FILES | _TO_FOLDERS
    return any(not entry.flags & _BELOW_ONLY for entry in reading) and any(
        entry.flags & both == both for entry in reading
    )


def _includes_reading(mask: int) -> bool:
    if mask & _GENERIC_ALL:
        return True
    return mask & READ_AND_EXECUTE == READ_AND_EXECUTE or bool(mask & _GENERIC_READ and mask & _GENERIC_EXECUTE)


def sid_bytes(sid: int) -> bytes:
    """Return the SID at this address."""
    return ctypes.string_at(sid, _sid_size(ctypes.string_at(sid, 2)))


def is_granted(windows: Windows, sid: int, folder: str) -> bool:
    """Return whether the AppContainer may read `folder`: by an entry of its own, or by one for all of them.

    So it is where there is no ACL: a drive without rights has none. Raises AppContainerError.
    """
    with _acl_of(windows, folder) as address:
        return address is None or lets_read(_acl_bytes(address), {sid_bytes(sid), ALL_APPLICATION_PACKAGES})


def change(windows: Windows, sid: int, folder: str, mode: int) -> None:
    """Let the AppContainer read `folder` and all below (GRANT), do nothing else there (SET), or nothing (REVOKE).

    Windows carries the change to all files below, which takes seconds for ten thousands. Raises AppContainerError.
    """
    access = ExplicitAccess(
        grfAccessPermissions=READ_AND_EXECUTE,
        grfAccessMode=mode,
        grfInheritance=_TO_FILES | _TO_FOLDERS,
        Trustee=Trustee(TrusteeForm=_TRUSTEE_IS_SID, ptstrName=sid),
    )
    advapi32, new = windows.advapi32, ctypes.c_void_p()
    with _acl_of(windows, folder) as address:
        if address is None:
            return  # a list that has this entry alone would lock everybody else out
        check_code("SetEntriesInAclW", advapi32.SetEntriesInAclW(1, ctypes.byref(access), address, ctypes.byref(new)))
    try:
        code = advapi32.SetNamedSecurityInfoW(
            folder, _SE_FILE_OBJECT, _DACL_SECURITY_INFORMATION, None, None, new, None
        )
        check_code(f"SetNamedSecurityInfoW for {folder}", code)
    finally:
        windows.kernel32.LocalFree(new)


@contextlib.contextmanager
def _acl_of(windows: Windows, folder: str) -> Iterator[int | None]:
    """Give the address of the folder's ACL, as long as it is valid; None if it has none. Raises AppContainerError."""
    acl, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
    code = windows.advapi32.GetNamedSecurityInfoW(
        folder,
        _SE_FILE_OBJECT,
        _DACL_SECURITY_INFORMATION,
        None,
        None,
        ctypes.byref(acl),
        None,
        ctypes.byref(descriptor),
    )
    check_code(f"GetNamedSecurityInfoW for {folder}", code)
    try:
        yield acl.value
    finally:
        windows.kernel32.LocalFree(descriptor)


def _acl_bytes(address: int) -> bytes:
    size = _ACL_HEADER.unpack(ctypes.string_at(address, _ACL_HEADER.size))[2]
    return ctypes.string_at(address, size)
