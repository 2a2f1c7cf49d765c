"""The functions of Windows' libraries that make an AppContainer, with the types of their arguments.

Source: Microsoft's reference of the Windows API (userenv.h, aclapi.h, processthreadsapi.h, jobapi2.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BOOL = ctypes.c_int32
_DWORD = ctypes.c_uint32
_HRESULT = ctypes.c_int32
_HANDLE = _POINTER = ctypes.c_void_p
_TEXT = ctypes.c_wchar_p
_SIZE = ctypes.c_size_t

Prototypes = Mapping[str, tuple[Any, Sequence[Any]]]

PROTOTYPES: Mapping[str, Prototypes] = {
    "kernel32": {
        "InitializeProcThreadAttributeList": (_BOOL, (_POINTER, _DWORD, _DWORD, _POINTER)),
        "UpdateProcThreadAttribute": (_BOOL, (_POINTER, _DWORD, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER)),
        "DeleteProcThreadAttributeList": (None, (_POINTER,)),
        "CreateProcessW": (
            _BOOL,
            (_TEXT, _POINTER, _POINTER, _POINTER, _BOOL, _DWORD, _POINTER, _TEXT, _POINTER, _POINTER),
        ),
        "CreateJobObjectW": (_HANDLE, (_POINTER, _TEXT)),
        "SetInformationJobObject": (_BOOL, (_HANDLE, ctypes.c_int32, _POINTER, _DWORD)),
        "WaitForSingleObject": (_DWORD, (_HANDLE, _DWORD)),
        "GetExitCodeProcess": (_BOOL, (_HANDLE, _POINTER)),
        "TerminateProcess": (_BOOL, (_HANDLE, _DWORD)),
        "CloseHandle": (_BOOL, (_HANDLE,)),
        "LocalFree": (_POINTER, (_POINTER,)),
    },
    "advapi32": {
        "GetNamedSecurityInfoW": (
            _DWORD,
            (_TEXT, ctypes.c_int32, _DWORD, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER),
        ),
        "SetEntriesInAclW": (_DWORD, (_DWORD, _POINTER, _POINTER, _POINTER)),
        "SetNamedSecurityInfoW": (_DWORD, (_TEXT, ctypes.c_int32, _DWORD, _POINTER, _POINTER, _POINTER, _POINTER)),
        "ConvertSidToStringSidW": (_BOOL, (_POINTER, _POINTER)),
        "FreeSid": (_POINTER, (_POINTER,)),
    },
    "userenv": {
        "CreateAppContainerProfile": (_HRESULT, (_TEXT, _TEXT, _TEXT, _POINTER, _DWORD, _POINTER)),
        "DeriveAppContainerSidFromAppContainerName": (_HRESULT, (_TEXT, _POINTER)),
        "GetAppContainerFolderPath": (_HRESULT, (_TEXT, _POINTER)),
        "DeleteAppContainerProfile": (_HRESULT, (_TEXT,)),
    },
    "ole32": {
        "CoTaskMemFree": (None, (_POINTER,)),
    },
}
"""Library -> function -> type of its result, types of its arguments."""


class AppContainerError(Exception):
    """Windows, or this installation, does not allow an AppContainer; the text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Windows:
    """Windows' libraries, and the function that returns the error of the last call."""

    kernel32: Any
    advapi32: Any
    userenv: Any
    ole32: Any
    last_error: Callable[[], int]

    def check(self, name: str, succeeded: object) -> None:
        """Raise AppContainerError with the last error if the function `name` returned 0 (FALSE, or no handle)."""
        if not succeeded:
            raise AppContainerError(describe_failure(name, self.last_error()))


def load() -> Windows:
    """Load the libraries. Raises AppContainerError."""
    libraries = {name: _load_library(name, prototypes) for name, prototypes in PROTOTYPES.items()}
    return Windows(**libraries, last_error=getattr(ctypes, "get_last_error"))  # noqa: B009  only Windows has it


def _load_library(name: str, prototypes: Prototypes) -> Any:
    try:
        library = getattr(ctypes, "WinDLL")(name, use_last_error=True)  # noqa: B009  only Windows has it
    except OSError as error:
        raise AppContainerError(f"{name} does not load: {error}") from error
    return declare(library, name, prototypes)


def declare(library: Any, name: str, prototypes: Prototypes) -> Any:
    """Tell ctypes the types of the functions of `library`, and return it. Raises AppContainerError if it lacks one."""
    for function_name, (result_type, argument_types) in prototypes.items():
        try:
            function = getattr(library, function_name)
        except AttributeError as error:
            raise AppContainerError(f"{name} has no {function_name}") from error
        function.restype, function.argtypes = result_type, argument_types
    return library


def check_hresult(name: str, result: int) -> None:
    """Raise AppContainerError if the function `name` returned a failure."""
    if result < 0:
        raise AppContainerError(describe_failure(name, result))


def check_code(name: str, code: int) -> None:
    """Raise AppContainerError if the function `name` returned an error code of Windows."""
    if code:
        raise AppContainerError(describe_failure(name, code))


def describe_failure(name: str, code: int) -> str:
    """Return what failed and with which error, in Windows' words if it has any."""
    number = f"0x{code & 0xFFFFFFFF:08X}" if code < 0 else str(code)
    words = str(getattr(ctypes, "FormatError", lambda _code: "")(code)).strip().rstrip(".")
    return f"{name} failed with error {number}" + (f" ({words})" if words and "<no description>" not in words else "")
