"""Stands in for Windows' libraries: keeps what it is told about AppContainers, and starts processes of this system.

It reads and writes the same structures, through the same pointers, as Windows would.
"""

from __future__ import annotations

import ctypes
import shlex
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from watcher.jail.appcontainer import access
from watcher.jail.appcontainer.library import PROTOTYPES, Windows

SID = struct.pack("<BB6s8I", 1, 8, b"\0\0\0\0\0\x0f", 2, *range(101, 108))
"""S-1-15-2-101-..., as an AppContainer has it."""
EVERYBODY = struct.pack("<BB6sI", 1, 1, b"\0\0\0\0\0\x01", 0)
ALREADY_EXISTS = 0x800700B7 - (1 << 32)


def entry(sid: bytes, *, mask: int = access.READ_AND_EXECUTE, flags: int = 3, kind: int = 0) -> bytes:
    """Return an entry of an ACL (ACE)."""
    return struct.pack("<BBHI", kind, flags, 8 + len(sid), mask) + sid


def acl(*entries: bytes) -> bytes:
    """Return an ACL of these entries."""
    body = b"".join(entries)
    return struct.pack("<BBHHH", 2, 0, 8 + len(body), len(entries), 0) + body


@dataclass
class FakeWindows:
    """The libraries' functions, by name. `failing`: name -> what it returns in place of its work."""

    acls: dict[str, bytes | None] = field(default_factory=dict)
    """Folder -> its ACL. Others have one that names everybody but no AppContainer; None: no ACL."""
    own_folder: str = "C:\\Users\\x\\AppData\\Local\\Packages\\nobg.worker\\AC"
    failing: dict[str, int] = field(default_factory=dict)
    has_profile: bool = False
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)
    buffers: dict[int, Any] = field(default_factory=dict)
    """What was handed out and not freed: address -> data."""
    closed: list[int] = field(default_factory=list)
    job_limits: bytes = b""

    def as_windows(self) -> Windows:
        """Return the libraries, as `library.load` does."""
        libraries = {name: _Library(self, list(prototypes)) for name, prototypes in PROTOTYPES.items()}
        return Windows(**libraries, last_error=lambda: 5)

    def names(self) -> list[str]:
        """Return the names of the functions that were called, in order."""
        return [name for name, _ in self.calls]

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Call a function: note it, then do its work, or fail."""
        self.calls.append((name, arguments))
        if name in self.failing:
            return self.failing[name]
        function: Callable[..., Any] = getattr(self, f"_{name}")
        return function(*arguments)

    def _hand_out(self, data: Any, pointer: Any) -> None:
        address = ctypes.addressof(data)
        self.buffers[address] = data
        pointer._obj.value = address

    def _release(self, address: Any) -> int:
        value = getattr(address, "value", address)
        if value is not None:
            del self.buffers[value]  # fails if it was not handed out, or freed already
        return 0

    _FreeSid = _LocalFree = _CoTaskMemFree = _release

    # userenv

    def _CreateAppContainerProfile(self, _name: str, _title: str, _about: str, caps: Any, count: int, sid: Any) -> int:  # noqa: N802
        assert (caps, count) == (None, 0)
        if self.has_profile:
            return ALREADY_EXISTS
        self.has_profile = True
        self._hand_out(ctypes.create_string_buffer(SID, len(SID)), sid)
        return 0

    def _DeriveAppContainerSidFromAppContainerName(self, _name: str, sid: Any) -> int:  # noqa: N802
        self._hand_out(ctypes.create_string_buffer(SID, len(SID)), sid)
        return 0

    def _GetAppContainerFolderPath(self, sid_text: str, path: Any) -> int:  # noqa: N802
        assert sid_text == "S-1-15-2-101"
        self._hand_out(ctypes.create_unicode_buffer(self.own_folder), path)
        return 0

    def _DeleteAppContainerProfile(self, _name: str) -> int:  # noqa: N802
        self.has_profile = False
        return 0

    # advapi32

    def _ConvertSidToStringSidW(self, sid: int, text: Any) -> int:  # noqa: N802
        assert access.sid_bytes(sid) == SID
        self._hand_out(ctypes.create_unicode_buffer("S-1-15-2-101"), text)
        return 1

    def _GetNamedSecurityInfoW(self, path: str, kind: int, what: int, *pointers: Any) -> int:  # noqa: N802
        assert (kind, what) == (1, 4)  # SE_FILE_OBJECT, DACL_SECURITY_INFORMATION
        owner, group, dacl, sacl, descriptor = pointers
        assert owner is group is sacl is None
        found = self.acls.setdefault(path, acl(entry(EVERYBODY)))
        data = ctypes.create_string_buffer(found or b"x", len(found or b"x"))
        self._hand_out(data, descriptor)
        dacl._obj.value = ctypes.addressof(data) if found is not None else None
        return 0

    def _SetEntriesInAclW(self, count: int, change: Any, address: int, new: Any) -> int:  # noqa: N802
        wanted = change._obj
        assert (count, wanted.Trustee.TrusteeForm) == (1, 0)  # TRUSTEE_IS_SID
        sid = access.sid_bytes(wanted.Trustee.ptstrName)
        old = ctypes.string_at(address, struct.unpack_from("<H", ctypes.string_at(address, 4), 2)[0])
        kept = [one for one in access.read_entries(old) if one.sid != sid]
        entries = [entry(one.sid, mask=one.mask, flags=one.flags, kind=one.kind) for one in kept]
        if wanted.grfAccessMode != access.REVOKE:
            entries.append(entry(sid, mask=wanted.grfAccessPermissions, flags=wanted.grfInheritance))
        data = acl(*entries)
        self._hand_out(ctypes.create_string_buffer(data, len(data)), new)
        return 0

    def _SetNamedSecurityInfoW(self, path: str, kind: int, what: int, *pointers: Any) -> int:  # noqa: N802
        owner, group, dacl, sacl = pointers
        assert (kind, what, owner, group, sacl) == (1, 4, None, None, None)
        self.acls[path] = self.buffers[dacl.value].raw
        return 0

    # kernel32

    def _InitializeProcThreadAttributeList(self, room: Any, count: int, _flags: int, size: Any) -> int:  # noqa: N802
        size._obj.value = 100 * count
        if room is None:
            return 0
        assert ctypes.sizeof(room) >= 100 * count
        self.started.append({"attributes": {}})
        return 1

    def _UpdateProcThreadAttribute(self, _room: Any, flags: int, key: int, value: Any, size: int, *none: Any) -> int:  # noqa: N802
        assert (flags, none) == (0, (None, None))
        assert size == ctypes.sizeof(value._obj)
        self.started[-1]["attributes"][key] = value._obj
        return 1

    def _DeleteProcThreadAttributeList(self, _room: Any) -> None:  # noqa: N802
        pass

    def _CreateProcessW(  # noqa: N802
        self, program: str, line: Any, *more: Any
    ) -> int:
        process_rights, thread_rights, inherits, flags, block, folder, startup, information = more
        assert (process_rights, thread_rights, inherits) == (None, None, True)
        handles = [startup._obj.hStdInput, startup._obj.hStdOutput, startup._obj.hStdError]
        variables = dict(one.split("=", 1) for one in block._obj[:].rstrip("\0").split("\0"))
        self.started[-1] |= {"line": line.value, "flags": flags, "folder": folder, "variables": variables}
        self.started[-1] |= {"program": program, "handles": handles, "startup": startup._obj}
        child = subprocess.Popen(
            shlex.split(line.value), stdin=handles[0], stdout=handles[1], stderr=handles[2], env=variables, cwd="/"
        )
        self.buffers[child.pid] = child
        information._obj.hProcess, information._obj.hThread = child.pid, 2
        information._obj.dwProcessId = child.pid
        return 1

    def _CreateJobObjectW(self, attributes: None, name: None) -> int:  # noqa: N802
        assert attributes is name is None
        return 77

    def _SetInformationJobObject(self, job: int, kind: int, limits: Any, size: int) -> int:  # noqa: N802
        assert (job, kind, size) == (77, 9, 144)
        self.job_limits = bytes(limits._obj)
        return 1

    def _WaitForSingleObject(self, handle: int, milliseconds: int) -> int:  # noqa: N802
        try:
            self.buffers[handle].wait(None if milliseconds == 0xFFFFFFFF else milliseconds / 1000)
        except subprocess.TimeoutExpired:
            return 0x102
        return 0

    def _GetExitCodeProcess(self, handle: int, code: Any) -> int:  # noqa: N802
        code._obj.value = self.buffers[handle].returncode
        return 1

    def _TerminateProcess(self, handle: int, _code: int) -> int:  # noqa: N802
        self.buffers[handle].kill()
        return 1

    def _CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.closed.append(handle)
        return 1


class _Library:
    """One library: it has the functions that PROTOTYPES names, no other."""

    def __init__(self, windows: FakeWindows, names: list[str]) -> None:
        for name in names:
            setattr(self, name, lambda *arguments, name=name: windows.call(name, arguments))
