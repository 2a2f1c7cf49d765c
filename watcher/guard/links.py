"""Open files and folders where other users can put links: which links are followed, and which are refused.

What a person named may lead through links. Below it, where nobg found or made the rest, whoever may write to the folder
can put a link in place of anything, at any time. So every step there is taken from an open folder, never by a path.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from watcher.guard.long_paths import for_system

_MAX_LINKS = 40  # as Linux
_LINK_ERRNOS = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
"""What systems answer for a link that they shall not follow. EMLINK: FreeBSD."""
_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether the system opens a name in an open folder. Windows does not; there, a link takes special rights."""
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NONBLOCK", 0)
_OPENAT2 = 437  # the same on every processor that nobg runs on
_AT_FDCWD, _RESOLVE_NO_SYMLINKS = -100, 0x04  # <fcntl.h>, <linux/openat2.h>


class Rule(enum.Enum):
    """Which links are followed below what a person named.

    In the named part itself, a link of another user is followed only to what that user owns.
    """

    NONE = enum.auto()
    OWN = enum.auto()
    """Those that this user or root has made."""


class RefusedLinkError(OSError):
    """A path leads through a link that another user may have made. `link`: its name."""

    def __init__(self, path: str, link: str) -> None:
        super().__init__(errno.ELOOP, "a link is not followed", path)
        self.link = link


def open_path(path: str | Path, flags: int, below: str | Path | None = None, rule: Rule = Rule.NONE) -> int:
    """Open a file or folder, as os.open does. Raises OSError, of which RefusedLinkError.

    `below`: the folder that a person named, below which `rule` is in force; None: a person named `path` itself.
    """
    text = os.fspath(path)
    if not _HAS_DESCRIPTORS:
        return os.open(for_system(text), flags)
    if _has_openat2():
        try:
            return _open_without_links(text, flags)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
    return _walk(text, flags, below, rule)


def _walk(text: str, flags: int, below: str | Path | None, rule: Rule) -> int:
    """Open the path name by name, each in the folder before it."""
    names = _names(os.path.join(os.getcwd(), text))
    named = len(names) if below is None else _common(names, _names(os.fspath(below)))
    # Names that are left, each with its rule (None: named by a person). A number: who must own what has been reached.
    pending: list[tuple[str, Rule | None] | int] = []
    pending += [(name, None if index < named else rule) for index, name in enumerate(names)][::-1]
    current, links = os.open("/", _FOLDER_FLAGS), 0
    try:
        while pending:
            step = pending.pop()
            if isinstance(step, int):
                if os.fstat(current).st_uid != step:
                    raise RefusedLinkError(text, text)  # noqa: TRY301  the descriptor is closed below
                continue
            name, rule_here = step
            is_last = all(isinstance(later, int) for later in pending)
            following, target, owner = _step(current, name, flags if is_last else _FOLDER_FLAGS)
            if following is not None:
                os.close(current)
                current = following
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), text)  # noqa: TRY301
            is_own = owner in (0, os.geteuid())
            if rule_here is Rule.NONE or (rule_here is Rule.OWN and not is_own):
                raise RefusedLinkError(text, name)  # noqa: TRY301
            if not is_own:
                pending.append(owner)
            if target.startswith("/"):
                os.close(current)
                current = os.open("/", _FOLDER_FLAGS)
            pending.extend((part, rule_here) for part in _names(target)[::-1])
    except BaseException:
        os.close(current)
        raise
    return current


def _names(text: str) -> list[str]:
    return [name for name in text.split("/") if name not in ("", ".")]


def _common(names: list[str], others: list[str]) -> int:
    """Return how many names both paths have in common at their start."""
    pairs = zip(names, others, strict=False)
    return next((index for index, (name, other) in enumerate(pairs) if name != other), min(len(names), len(others)))


def _step(folder: int, name: str, flags: int) -> tuple[int | None, str, int]:
    """Open `name` in the open folder. Return its descriptor; or None, and a link's target and owner."""
    try:
        return _open_at(folder, name, flags), "", 0
    except OSError as error:
        if error.errno not in _LINK_ERRNOS:
            raise
        link = _read_link(folder, name)
        if link is None:
            raise
        return None, *link


def _open_at(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except PermissionError:
        search_only = getattr(os, "O_PATH", 0)  # a folder that may be passed but not listed
        if flags != _FOLDER_FLAGS or not search_only:
            raise
        return os.open(name, search_only | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)


def _read_link(folder: int, name: str) -> tuple[str, int] | None:
    """Return target and owner of the link; None if it is none."""
    try:
        if sys.platform == "linux":  # the descriptor makes both answers those of one link
            link = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
            try:
                return os.readlink("", dir_fd=link), os.fstat(link).st_uid
            finally:
                os.close(link)
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
        target = os.readlink(name, dir_fd=folder)
        after = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return (target, before.st_uid) if os.path.samestat(before, after) else None


class _How(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@functools.cache
def _has_openat2() -> bool:
    """Return whether Linux (5.6 or later) has openat2, and no filter of a container refuses it."""
    if sys.platform != "linux":
        return False
    try:
        os.close(_open_without_links("/", os.O_PATH))
    except OSError:
        return False
    return True


@functools.cache
def _syscall() -> Callable[..., int]:
    """Return syscall(2), for calls with the arguments of openat2."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.POINTER(_How), ctypes.c_size_t)
    call.restype = ctypes.c_long
    return call


@functools.cache
def _how(flags: int) -> _How:
    return _How(flags | os.O_CLOEXEC | getattr(os, "O_LARGEFILE", 0), 0, _RESOLVE_NO_SYMLINKS)


def _open_without_links(path: str, flags: int) -> int:
    """Open `path`, or raise ELOOP if any name in it is a link: one call instead of one for each name."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    while True:
        descriptor = _syscall()(_OPENAT2, _AT_FDCWD, name, _how(flags), ctypes.sizeof(_How))
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code), path)


class Folder:
    """An open folder, whatever its path leads to by now. `descriptor`: for `dir_fd`; None on Windows."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor

    def at(self, name: str) -> str:
        """Return how to call the file `name` in this folder, beside `dir_fd=descriptor`."""
        return for_system(self.path / name) if self.descriptor is None else name


@contextlib.contextmanager
def opened(path: Path, below: Path | None = None, rule: Rule = Rule.NONE) -> Iterator[Folder]:
    """Open a folder for as long as the block runs. `below` and `rule`: as for open_path()."""
    if not _HAS_DESCRIPTORS:
        yield Folder(path, None)
        return
    try:
        descriptor = open_path(path, _FOLDER_FLAGS, below, rule)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        descriptor = open_path(path, os.O_PATH | os.O_DIRECTORY, below, rule)
    try:
        yield Folder(path, descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, below: Path) -> None:
    """Make a folder and those above it, where they are missing. Own links are followed (Rule.OWN).

    Raises FileExistsError if a file is in the way; otherwise as open_path().
    """
    try:
        with opened(path, below, Rule.OWN):
            if _HAS_DESCRIPTORS or os.path.isdir(for_system(path)):
                return
    except FileNotFoundError:
        if path == path.parent:
            raise
    except NotADirectoryError as error:
        raise FileExistsError(path) from error
    make_folder(path.parent, below)
    with opened(path.parent, below, Rule.OWN) as folder:
        try:
            os.mkdir(folder.at(path.name), dir_fd=folder.descriptor)
        except FileExistsError:  # another run has made it
            if not os.path.isdir(for_system(path)):
                raise
