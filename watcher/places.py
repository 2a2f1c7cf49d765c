"""Ask about places that may not answer: a network or FUSE drive is asked in a thread of its own, with a time limit.

A system call on such a drive can block for as long as the drive is silent, and nothing ends it. So each drive has at
most one such call for each of the two kinds of askers, and while one is overdue, every further question about the
drive is answered at once: it does not answer. Everything else is asked directly.

The right-click client imports this module; so threads are imported only when a drive is asked.
"""

from __future__ import annotations

import os
import re
import sys
import time
from _thread import allocate_lock, get_ident

from watcher.errors import NoAnswerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

ANSWER_SECONDS = 3.0
"""How long a drive may take to answer, or to make progress with a long answer."""
JOBS, FOLDERS = "jobs", "folders"
"""The kinds of askers: who reads and writes pictures, and who looks after watched folders. They do not wait in line."""

_MOUNTINFO = "/proc/self/mountinfo"
_REMOTE_TYPES = frozenset(("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "fuse", "fuseblk", "9p", "afs", "ceph"))
_MORE_REMOTE_TYPES = frozenset(("glusterfs", "davfs", "vboxsf", "prl_fs", "virtiofs", "drvfs"))  # and fuse.NAME
_MAX_LINKS = 40


class Mount:
    """A drive that may not answer. `number`: the system's; another drive at the same `point` has another one."""

    def __init__(self, number: str, point: str, device: int | None = None) -> None:
        self.number = number
        self.point = point
        self.device = device

    def __eq__(self, other: object) -> bool:
        """Return whether both are one drive, mounted once."""
        return isinstance(other, Mount) and (self.number, self.point) == (other.number, other.point)

    def __hash__(self) -> int:
        """Go with __eq__."""
        return hash((self.number, self.point))


# Which drives there are


class MountTable:
    """The mounts of this machine, read again when they change. `generation` counts the changes."""

    def __init__(self) -> None:
        self.generation = 0
        self.text = ""
        self.points: frozenset[tuple[str, str]] = frozenset()
        self.remote: dict[str, Mount] = {}
        self._lock = allocate_lock()
        self._descriptor: int | None = None
        self._poll: Any = None

    def refresh(self) -> None:
        """Read the table if it has changed."""
        with self._lock:
            if self.generation and not self._has_changed():
                return
            text = self._read()
            if text != self.text or not self.generation:
                self.generation += 1
                self.text = text
                self.points, self.remote = _parse(text)

    def _has_changed(self) -> bool:
        """Return whether the system reports a change: see proc_pid_mountinfo(5). It costs a microsecond."""
        if self._descriptor is None:
            return False
        if self._poll is None:
            import select

            self._poll = select.poll()
            self._poll.register(self._descriptor, select.POLLPRI)
        return bool(self._poll.poll(0))

    def _read(self) -> str:
        try:
            if self._descriptor is None:
                self._descriptor = os.open(_MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            parts = []
            while part := os.read(self._descriptor, 1 << 16):
                parts.append(part)
            return os.fsdecode(b"".join(parts))
        except (OSError, AttributeError):  # not Linux
            return ""


table = MountTable()


def _parse(text: str) -> tuple[frozenset[tuple[str, str]], dict[str, Mount]]:
    """Return number and point of every mount that can be seen, and those that may not answer, by their points."""
    points: dict[str, str] = {}
    remote: dict[str, Mount] = {}
    for line in text.split("\n"):
        mount_part, _, file_system_part = line.partition(" - ")
        fields = mount_part.split(" ")
        if len(fields) <= 4:
            continue
        point = _unescape(fields[4])
        for hidden in [other for other in remote if _is_in(other, point)]:  # a later mount hides those below it
            del remote[hidden]
        points[point] = fields[0]
        type_name = file_system_part.split(" ")[0]
        if point != "/" and (_is_remote_type(type_name) or type_name == "autofs"):  # it waits for a server
            remote[point] = Mount(fields[0], point, os.makedev(*map(int, fields[2].split(":"))))
    return frozenset(points.items()), remote


def _unescape(text: str) -> str:
    if "\\" not in text:  # most names; the right-click client has no time to compile the pattern for them
        return text
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _is_remote_type(name: str) -> bool:
    return name in _REMOTE_TYPES or name in _MORE_REMOTE_TYPES or name.startswith("fuse.")


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def find(path: str | bytes | os.PathLike[str]) -> Mount | None:
    """Return the drive that `path` is on, if it may not answer. No such drive is asked for that."""
    return resolve(path)[1]


def resolve(path: str | bytes | os.PathLike[str]) -> tuple[str, Mount | None]:
    """Return the absolute path, with links resolved as far as no such drive is asked; and the drive as find() does."""
    absolute = os.path.abspath(os.fsdecode(path))
    if sys.platform == "win32":
        drive = os.path.splitdrive(absolute)[0]
        return absolute, Mount(drive, drive) if _is_remote_drive(drive) else None
    if sys.platform != "darwin":
        table.refresh()
        if not table.remote:
            return absolute, None
    # Not the normalised path: the system itself follows a link before it goes up from there.
    text = os.fsdecode(path)
    full = text if os.path.isabs(text) else os.path.join(os.getcwd(), text)
    return _follow(full, None if sys.platform == "darwin" else table.remote)


def _follow(absolute: str, remote: dict[str, Mount] | None) -> tuple[str, Mount | None]:
    """Resolve the links in a path, one name after another, until a drive in `remote` is reached."""
    current, pending, links = "", absolute.split("/")[:0:-1], 0
    while pending:
        name = pending.pop()
        if name in ("", "."):
            continue
        if name == "..":
            current = os.path.dirname(current).rstrip("/")
            continue
        candidate = f"{current}/{name}"
        if _is_remote_point(candidate, remote):
            return _innermost(candidate, pending[::-1], remote)
        try:
            target = os.readlink(candidate)
        except OSError:
            current = candidate
            continue
        links += 1
        if links > _MAX_LINKS:
            return absolute, None
        if target.startswith("/"):
            current = ""
        pending.extend(target.split("/")[::-1])
    return current or "/", None


def _is_remote_point(path: str, remote: dict[str, Mount] | None) -> bool:
    """Return whether a drive is mounted at `path`. macOS (`remote` None): network drives are below /Volumes.

    So are local drives there, for which the same works as well.
    """
    return os.path.dirname(path) == "/Volumes" if remote is None else path in remote


def _innermost(point: str, names: list[str], remote: dict[str, Mount] | None) -> tuple[str, Mount]:
    """Return the path of `names` below `point`, and the last mount on the way. Links there cannot be read."""
    path, found = point, point
    for name in names:
        path = os.path.normpath(f"{path}/{name}")
        if remote is not None and path in remote:
            found = path
    return path, Mount(found, found) if remote is None else remote[found]


def _is_remote_drive(drive: str) -> bool:
    import ctypes

    drive_remote = 4  # DRIVE_REMOTE
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  type checkers know it on Windows only
    return drive.startswith("\\\\") or kernel.GetDriveTypeW(drive + "\\") == drive_remote


def mounts_below(folder: str) -> tuple[frozenset[tuple[str, str]], dict[str, Mount]]:
    """Return the mounts below `folder`: number and point of each, and by their path there those that may not answer."""
    top, mount = resolve(folder)
    if sys.platform != "linux" or mount is not None:
        return frozenset(), {}
    table.refresh()
    top = os.path.realpath(top)  # resolve() leaves links if no drive may be silent
    points = frozenset(item for item in table.points if item[0] != top and _is_in(item[0], top))
    prefix = len(top.rstrip("/"))
    remote = {
        folder.rstrip("/") + point[prefix:]: mount
        for point, mount in table.remote.items()
        if point != top and _is_in(point, top)
    }
    return points, remote


def must_poll(folder: str) -> bool:
    """Return whether `folder` is on a file system that another machine can change without an event on this one."""
    path, mount = resolve(folder)
    if mount is not None or sys.platform != "linux":
        return mount is not None
    return _is_remote_type(file_system_type(os.path.realpath(path), table.text))


def file_system_type(path: str, mountinfo: str) -> str:
    """Return the type of the file system that `path` is on, or "" if it is unknown.

    `path`: absolute, with links resolved. `mountinfo`: the text of /proc/self/mountinfo (proc(5)).
    """
    type_name = ""
    for line in mountinfo.split("\n"):
        mount_part, _, file_system_part = line.partition(" - ")
        fields = mount_part.split(" ")
        # A later mount hides the earlier ones at and below its mount point.
        if len(fields) > 4 and _is_in(path, _unescape(fields[4])):
            type_name = file_system_part.split(" ")[0]
    return type_name


# Asking them


class Question:
    """A call on a drive, in a thread of its own."""

    def __init__(self, mount: Mount, call: Callable[[], Any], on_answered: Callable[[], object]) -> None:
        import threading

        self.mount = mount
        self.asked_at = self.progress_at = time.monotonic()
        self.answered_at: float | None = None
        self._call = call
        self._on_answered = on_answered
        self._answered = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    @property
    def is_answered(self) -> bool:
        """Whether result() has something to return."""
        return self._answered.is_set()

    @property
    def seconds(self) -> float:
        """How long the answer took, or has taken so far."""
        return (self.answered_at or time.monotonic()) - self.asked_at

    def seconds_left(self, limit: float) -> float:
        """Return the seconds until the question is overdue; 0.0: it is."""
        return max(0.0, self.progress_at + limit - time.monotonic())

    def is_overdue(self, limit: float | None = None) -> bool:
        """Return whether the drive has made no progress for `limit` seconds."""
        return not self.is_answered and self.seconds_left(ANSWER_SECONDS if limit is None else limit) <= 0

    def wait(self, seconds: float) -> bool:
        """Wait until the question is answered, for `seconds` at most. Return whether it is."""
        return self._answered.wait(seconds)

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def run(self) -> None:
        """Make the call. The thread's own function."""
        _questions_of_threads[get_ident()] = self
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001  result() raises it
            self._error = error
        finally:
            del _questions_of_threads[get_ident()]
            self.answered_at = time.monotonic()
            with _lock:
                for key in [key for key, question in _open_questions.items() if question is self]:
                    del _open_questions[key]
            self._answered.set()
            self._on_answered()


_lock = allocate_lock()
_open_questions: dict[tuple[Mount, str], Question] = {}
_questions_of_threads: dict[int, Question] = {}


def is_asking() -> bool:
    """Return whether this thread makes a call for ask() or start_asking()."""
    return get_ident() in _questions_of_threads


def note_progress() -> None:
    """In a long call: note that the drive answers."""
    question = _questions_of_threads.get(get_ident())
    if question is not None:
        question.progress_at = time.monotonic()


def start_asking(
    mount: Mount, asker: str, call: Callable[[], Any], on_answered: Callable[[], object] = lambda: None
) -> Question | None:
    """Make the call in a thread, and return at once. None: an earlier call of this asker has not been answered yet."""
    import threading

    with _lock:
        if (mount, asker) in _open_questions:
            return None
        question = _open_questions[mount, asker] = Question(mount, call, on_answered)
    try:
        threading.Thread(target=question.run, name=f"asks {mount.point}", daemon=True).start()
    except RuntimeError:  # the system allows no further thread
        with _lock:
            del _open_questions[mount, asker]
        raise
    return question


def is_silent(mount: Mount, limit: float | None = None) -> bool:
    """Return whether a question to the drive is overdue."""
    return any(question.is_overdue(limit) for question in _questions_to(mount))


def _questions_to(mount: Mount) -> list[Question]:
    with _lock:
        return [question for question in _open_questions.values() if question.mount == mount]


def ask(
    path: str | bytes | os.PathLike[str], function: Callable[..., T], *arguments: Any, limit: float | None = None
) -> T:
    """Return `function(*arguments)`, which concerns the file or folder `path`.

    `limit`: seconds; None: ANSWER_SECONDS. Raises NoAnswerError, and whatever `function` raises.
    """
    mount = find(path)
    if mount is None or is_asking():
        return function(*arguments)
    limit = ANSWER_SECONDS if limit is None else limit
    question = None
    while question is None:
        if is_silent(mount, limit):
            raise NoAnswerError(mount.point)
        question = start_asking(mount, JOBS, lambda: function(*arguments))
        if question is None:
            for earlier in _questions_to(mount)[:1]:
                earlier.wait(min(0.1, limit))
    while not question.wait(question.seconds_left(limit)):
        if question.is_overdue(limit):
            raise NoAnswerError(mount.point)
    result: T = question.result()
    return result


def exists(path: str | bytes | os.PathLike[str]) -> bool:
    """Return whether there is anything at `path`, as os.path.lexists does. Raises NoAnswerError."""
    return ask(path, os.path.lexists, path)


def does_not_answer(path: str | bytes | os.PathLike[str]) -> bool:
    """Return whether `path` is on a drive that does not answer now."""
    mount = find(path)
    return mount is not None and is_silent(mount)
