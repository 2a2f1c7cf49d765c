"""Who may read a file: mode bits, group and ACL; and how an output is kept from being readable by more than that.

ACLs are those of POSIX (acl(5)), as Linux keeps them. nobg does not look at those of NFSv4, macOS and Windows.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import operator
import os
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_ACCESS_NAME, _DEFAULT_NAME = "system.posix_acl_access", "system.posix_acl_default"
_NO_ACL_ERRNOS = (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS) if hasattr(errno, "ENODATA") else ()
_READ_WRITE = 0o6
_OWNER_BITS = 0o600  # a photo from a camera card is often read-only; its cut-out must be writable

Entry = tuple[int, int]
"""Tag and number of a user or group that an ACL names."""


@dataclass(frozen=True)
class Access:
    """What others than its owner may do with a file: `group`, the file's own (`gid`), all others, and `named` ones.

    Three bits each. `gid` is None where any group is meant. An ACL's mask has been applied.
    """

    group: int
    other: int
    gid: int | None = None
    named: Mapping[Entry, int] = field(default_factory=dict)

    @property
    def everyone(self) -> int:
        """What all of them may do."""
        return functools.reduce(operator.and_, self.named.values(), self.group & self.other)

    def entries(self, gid: int) -> dict[Entry, int]:
        """Return what each user and group may do of which something is said. `gid`: the group where any is meant."""
        own = (_GROUP, gid if self.gid is None else self.gid)
        return {**self.named, own: self.group & self.named.get(own, 0o7)}

    @property
    def unnamed(self) -> int:
        """What is certain for somebody of whom the ACL says nothing: they may be in any of its groups, or in none."""
        groups = [bits for (tag, _), bits in self.named.items() if tag == _GROUP]
        return functools.reduce(operator.and_, groups, self.group & self.other)


def from_mode(mode: int, gid: int | None = None) -> Access:
    """Return what the mode bits say."""
    return Access(mode >> 3 & 0o7, mode & 0o7, gid)


def narrower(first: Access, second: Access, gid: int) -> Access:
    """Return what both allow, for a file of the group `gid`."""
    entries, others = first.entries(gid), second.entries(gid)
    unnamed, other_unnamed = first.unnamed, second.unnamed
    both = {key: entries.get(key, unnamed) & others.get(key, other_unnamed) for key in {*entries, *others}}
    group = both.pop((_GROUP, gid), unnamed & other_unnamed)
    other = first.other & second.other
    if not first.named and not second.named:  # mode bits are enough; members of another group count as others
        other = functools.reduce(operator.and_, both.values(), other)
        both = {}
    return Access(group, other, gid, both)


def of(descriptor: int, status: os.stat_result) -> Access:
    """Return the access to an open file. `status`: its fstat."""
    try:
        acl = _read_acl(descriptor, _ACCESS_NAME)
    except OSError:  # what cannot be known is taken for nothing
        return Access(0, 0, status.st_gid)
    return from_mode(status.st_mode, status.st_gid) if acl is None else _parse(acl, status.st_gid)


def _read_acl(file: int | str, name: str) -> bytes | None:
    if sys.platform != "linux":
        return None
    try:
        return os.getxattr(file, name)
    except OSError as error:
        if error.errno in _NO_ACL_ERRNOS:
            return None
        raise


def _parse(acl: bytes, gid: int | None) -> Access:
    """Return what an ACL says, as the system encodes it. Raises OSError if it is none."""
    if len(acl) < 4 or len(acl) % 8 != 4 or struct.unpack_from("<I", acl) != (_VERSION,):
        raise OSError(errno.EINVAL, "not an ACL")
    entries = {(tag, number): bits for tag, bits, number in struct.iter_unpack("<HHI", acl[4:])}
    mask = entries.get((_MASK, _NO_ID), 0o7)
    named = {key: bits & mask for key, bits in entries.items() if key[0] in (_USER, _GROUP)}
    group, other = entries.get((_GROUP_OBJ, _NO_ID), 0), entries.get((_OTHER, _NO_ID), 0)
    return Access(group & mask, other, gid, named)


def _encode(access: Access) -> bytes:
    mask = functools.reduce(operator.or_, access.named.values(), access.group)
    entries: Iterable[tuple[int, int, int]] = sorted(
        [
            (_USER_OBJ, _NO_ID, _READ_WRITE),
            (_GROUP_OBJ, _NO_ID, access.group),
            (_MASK, _NO_ID, mask),
            (_OTHER, _NO_ID, access.other),
            *((tag, number, bits) for (tag, number), bits in access.named.items()),
        ]
    )
    return struct.pack("<I", _VERSION) + b"".join(
        struct.pack("<HHI", tag, bits, number) for tag, number, bits in entries
    )


def of_new_file(folder: int | None, gid: int) -> Access:
    """Return the access that the system gives to a new file in the open folder: its default ACL, or the umask."""
    acl = None
    if folder is not None and sys.platform == "linux":
        try:
            acl = _read_acl(f"/proc/self/fd/{folder}", _DEFAULT_NAME)
        except OSError:
            return Access(0, 0, gid)
    if acl is None:
        return from_mode(0o666 & ~_umask(), gid)
    access = _parse(acl, gid)
    named = {key: bits & _READ_WRITE for key, bits in access.named.items()}
    return Access(access.group & _READ_WRITE, access.other & _READ_WRITE, gid, named)


def _umask() -> int:
    """Return this process's umask, if possible without changing it: other threads may be making files."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"Umask:"):
                    return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def apply(descriptor: int, access: Access) -> None:
    """Give an open new file of ours this access. Its owner may read and write it.

    File systems without permissions refuse; there, the file stays as they made it.
    """
    if sys.platform == "win32":
        return
    if sys.platform == "linux":
        if access.named:
            try:
                os.setxattr(descriptor, _ACCESS_NAME, _encode(access))
            except OSError:
                access = Access(access.everyone, access.everyone)
            else:
                return
        try:
            os.removexattr(descriptor, _ACCESS_NAME)  # from the folder's default ACL
        except OSError as error:
            if error.errno not in _NO_ACL_ERRNOS:
                access = Access(access.everyone, access.everyone)
    mode = _OWNER_BITS | access.group << 3 & 0o060 | access.other & 0o006
    if os.fstat(descriptor).st_mode & 0o7777 != mode:
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)
