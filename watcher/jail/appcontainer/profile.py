"""The profile of nobg's AppContainer: its name, its security identifier (SID), and the folder that Windows gives it.

A profile belongs to the person; every worker of theirs is in the same one.
"""

from __future__ import annotations

import ctypes
import os

from watcher.jail.appcontainer.library import Windows, check_hresult

NAME = "nobg.worker"
_TITLE = "nobg"
_DESCRIPTION = "The part of nobg that opens pictures: without network, and without your files."
_ALREADY_EXISTS = 0x800700B7 - (1 << 32)
"""HRESULT_FROM_WIN32(ERROR_ALREADY_EXISTS), as a signed number."""


def make(windows: Windows) -> int:
    """Make the profile, without capabilities, if there is none. Return the address of its SID, which `free` frees.

    Raises AppContainerError.
    """
    sid = ctypes.c_void_p()
    result = windows.userenv.CreateAppContainerProfile(NAME, _TITLE, _DESCRIPTION, None, 0, ctypes.byref(sid))
    if result == _ALREADY_EXISTS:
        return find_sid(windows)
    check_hresult("CreateAppContainerProfile", result)
    return _address(sid, "CreateAppContainerProfile")


def find_sid(windows: Windows) -> int:
    """Return the address of the profile's SID, which follows from its name. Raises AppContainerError."""
    sid = ctypes.c_void_p()
    result = windows.userenv.DeriveAppContainerSidFromAppContainerName(NAME, ctypes.byref(sid))
    check_hresult("DeriveAppContainerSidFromAppContainerName", result)
    return _address(sid, "DeriveAppContainerSidFromAppContainerName")


def _address(sid: ctypes.c_void_p, name: str) -> int:
    """Return the address, if the function `name` has set one. Raises AppContainerError."""
    check_hresult(name, 0 if sid.value else -1)
    return sid.value or 0


def free(windows: Windows, sid: int) -> None:
    """Free a SID that `make` or `find_sid` returned."""
    windows.advapi32.FreeSid(sid)


def folder(windows: Windows, sid: int) -> str:
    """Return the folder `Packages/nobg.worker/AC` that Windows made for the profile. Raises AppContainerError."""
    text, path = ctypes.c_void_p(), ctypes.c_void_p()
    windows.check("ConvertSidToStringSidW", windows.advapi32.ConvertSidToStringSidW(sid, ctypes.byref(text)))
    try:
        sid_text = ctypes.wstring_at(text.value or 0)
    finally:
        windows.kernel32.LocalFree(text)
    check_hresult("GetAppContainerFolderPath", windows.userenv.GetAppContainerFolderPath(sid_text, ctypes.byref(path)))
    try:
        return ctypes.wstring_at(path.value or 0)
    finally:
        windows.ole32.CoTaskMemFree(path)


def folders(path: str) -> list[str]:
    """Return the profile's folder `path` and all below, and the one that contains it if it is the profile's, too."""
    package = os.path.dirname(path)
    is_own = os.path.basename(package).lower() == NAME.lower()  # and not the one of all AppContainers
    return [found for found, _, _ in os.walk(package if is_own else path)]


def delete(windows: Windows) -> None:
    """Delete the profile, with its folder. Without a profile, nothing happens. Raises AppContainerError."""
    check_hresult("DeleteAppContainerProfile", windows.userenv.DeleteAppContainerProfile(NAME))
