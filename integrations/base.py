"""What all targets share: verbs, the pieces they are written as, and install / uninstall / status on those.

A target (`Manager`) is data: which pieces it wants in this setup. A piece is planned first (nothing is written), then
the record says what will be ours, then it is written. So a crash leaves nothing that the record does not know, and
`uninstall` needs the record alone: it also removes what an older nobg wrote.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from integrations import processes

Entry = dict[str, Any]
"""What the record keeps of one piece: `kind`, `address`, and what the piece itself needs to be taken away again."""


@dataclass(frozen=True)
class Verb:
    """An action in a menu. `key`: letters, digits and hyphens; `arguments`: for the client, before the pictures."""

    key: str
    label: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setup:
    """All that a target needs and cannot import.

    `client`: the command that takes pictures; `program`: the one that starts the resident program; absolute paths, no
    control characters. `verbs`: the first one stands in the menu itself, the others in a sub-menu. `suffixes` with
    their period, lower case. `icon`: our picture, an SVG file. The folders are the person's (`home`, `config`, `data`)
    and the system's; `search` is where programs are looked for, `root` is / but in tests. `record`: our own file.
    """

    client: tuple[str, ...]
    program: tuple[str, ...]
    verbs: tuple[Verb, ...]
    suffixes: tuple[str, ...]
    mime_types: tuple[str, ...]
    icon: Path
    record: Path
    home: Path
    config: Path
    data: Path
    config_dirs: tuple[Path, ...] = (Path("/etc/xdg"),)
    data_dirs: tuple[Path, ...] = (Path("/usr/local/share"), Path("/usr/share"))
    desktops: tuple[str, ...] = ()
    search: tuple[Path, ...] = ()
    root: Path = Path("/")

    def has(self, *programs: str) -> bool:
        """Is one of these programs installed?"""
        return any((folder / program).is_file() for folder in self.search for program in programs)

    def has_library(self, name: str) -> bool:
        """Is this library, which a file manager loads, where systems keep such? `name` may have wildcards."""
        places = ("usr/lib", "usr/lib64", "usr/lib/*")
        return any(any(self.root.glob(f"{place}/{name}")) for place in places)


class TakenError(Exception):
    """A piece cannot be written, and what is there stays as it is. The message says where, why and what next."""


class Piece(Protocol):
    """One thing that is written: a file, a part of a file, a registry key. Frozen, so that a setup makes equal ones."""

    kind: ClassVar[str]

    @property
    def address(self) -> str:
        """Where it is, as people read it; no two things have the same one."""

    @property
    def folder(self) -> Path | None:
        """The folder that it is in, made if need be; None where it is in no folder."""

    def plan(self, old: Entry | None) -> Entry:
        """What the record is to keep of it; `old`: what it kept so far. Writes nothing. Raises TakenError."""

    def write(self, entry: Entry) -> None:
        """Make it so, as planned. Raises OSError."""

    def text(self) -> str:
        """What is written, for people (`nobg menu install --print`), with a comment that says where."""

    def problem(self, entry: Entry) -> str | None:
        """What keeps it from being there as we want it, in a few words; None: nothing."""

    @classmethod
    def remove(cls, entry: Entry) -> str | None:
        """Take it away, knowing the record's entry alone; or what was left there, and why. Raises OSError."""


@dataclass(frozen=True)
class OnDisk:
    """What pieces that are a file, or a part of one, have in common."""

    path: Path

    @property
    def address(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def folder(self) -> Path | None:
        """The one it is in."""
        return self.path.parent


@dataclass(frozen=True)
class File(OnDisk):
    """A file of ours."""

    content: bytes
    executable: bool = False
    kind: ClassVar[str] = "file"

    def plan(self, old: Entry | None) -> Entry:
        """The hash to come, and the one so far: whichever of the two is found there later is ours."""
        known = [] if old is None else old["sha256"][:1]
        now, new = digest(self.path), sha256(self.content)
        if now not in (None, new, *known):
            raise TakenError(
                f"{self.path} is there and is not as nobg wrote it, so it was left. Move it away, then install again."
            )
        return entry_of(self, sha256=[new, *(one for one in known if one != new)])

    def write(self, _entry: Entry) -> None:
        """In one step; not at all where it is so already."""
        if digest(self.path) != sha256(self.content) or self._mode_is_wrong():
            write_atomically(self.path, self.content, 0o755 if self.executable else 0o644)

    def text(self) -> str:
        """The file, below its path."""
        return f"# {self.path}{' (executable)' if self.executable else ''}\n{self.content.decode(errors='replace')}"

    def problem(self, entry: Entry) -> str | None:
        """Gone, changed, from another nobg, or not executable?"""
        now = digest(self.path)
        if now is None:
            return f"{self.path} is gone"
        if now != sha256(self.content):
            ours = now in entry["sha256"]
            return f"{self.path} is not {'what nobg would write now' if ours else 'as nobg wrote it: it was changed'}"
        return f"{self.path} is not executable any more" if self._mode_is_wrong() else None

    def _mode_is_wrong(self) -> bool:
        return self.executable and os.name == "posix" and os.stat(self.path).st_mode & 0o111 != 0o111

    @classmethod
    def remove(cls, entry: Entry) -> str | None:
        """Only what is still as we wrote it."""
        path = Path(entry["address"])
        now = digest(path)
        if now is not None and now not in entry["sha256"]:
            return f"{path} was changed since nobg wrote it, so it was left."
        path.unlink(missing_ok=True)
        return None


@dataclass(frozen=True)
class Manager:
    """A target. `present`: is that file manager here? `pieces`: what to write; `kinds`: what of, now or formerly.

    `notice`: what the person has to do so that a change is seen, and `process` what runs until then; empty: nothing.
    `lacks`: what would make the entries
    better, a sentence. `refresh`: commands that make the system look again; it does not matter if they fail.
    """

    key: str
    label: str
    present: Callable[[Setup], bool]
    pieces: Callable[[Setup], Sequence[Piece]]
    kinds: tuple[type[Piece], ...] = (File,)
    notice: str = ""
    process: str = ""
    lacks: Callable[[Setup], str] = lambda _: ""
    refresh: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Done:
    """What install or uninstall did. `where`: the addresses concerned; `problems`: sentences; `changed`: anything?"""

    manager: Manager
    where: tuple[str, ...]
    problems: tuple[str, ...]
    changed: bool


@dataclass(frozen=True)
class Status:
    """How a target is. `state`: absent (no such file manager here), `not installed`, `current`, `stale`.

    `restart`: it runs since before the last change, so what `notice` says has to be done.
    """

    manager: Manager
    present: bool
    state: str
    problems: tuple[str, ...] = ()
    lacks: str = ""
    restart: bool = False


@dataclass
class Record:
    """What we wrote: entries by address, each with its `users` (targets), and the folders that we made."""

    path: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Record:
        """What the file says. Raises TakenError where it makes no sense: it alone knows what to remove."""
        try:
            values = json.loads(path.read_bytes())
            return cls(path, values["entries"], values["folders"])
        except FileNotFoundError:
            return cls(path)
        except (ValueError, KeyError, TypeError) as error:
            raise TakenError(
                f"{path}, which says what was installed, is damaged. Delete it, remove by hand what menus still show, "
                "and install again."
            ) from error

    def of(self, manager: Manager) -> dict[str, Entry]:
        """The entries that this target uses."""
        return {address: entry for address, entry in self.entries.items() if manager.key in entry["users"]}

    def put(self, entry: Entry, manager: Manager, setup: Setup) -> None:
        """An entry that this target uses from now on, beside those who did so far."""
        users = self.entries.get(entry["address"], {}).get("users", [])
        self.entries[entry["address"]] = {
            **entry,
            "client": list(setup.client),
            "users": sorted({*users, manager.key}),
        }

    def note_folders(self, folder: Path | None) -> None:
        """Remember those that will have to be made for this one to be there."""
        missing = () if folder is None else [one for one in (folder, *folder.parents) if not one.exists()]
        self.folders += [str(one) for one in missing if str(one) not in self.folders]

    def save(self) -> None:
        """In one step. Raises OSError."""
        self.note_folders(self.path.parent)
        make_folder(self.path.parent)
        values = {"entries": self.entries, "folders": self.folders}
        write_atomically(self.path, json.dumps(values, indent=1).encode(), 0o600)

    def close(self) -> None:
        """Remove the folders that we made and that are empty, and the record itself once it says nothing.

        A folder that others use by now stays ours to remove as long as something else of ours is installed.
        """
        if self.entries:
            self.save()
        else:
            self.path.unlink(missing_ok=True)
        before = list(self.folders)
        for folder in sorted(before, key=len, reverse=True):
            with contextlib.suppress(OSError):  # not empty, or gone
                os.rmdir(folder)
        self.folders = [folder for folder in before if os.path.isdir(folder)]
        if self.entries and self.folders != before:
            self.save()


def install(manager: Manager, setup: Setup) -> Done:
    """Write what the target wants, repair what is not so any more, remove what an older version wrote."""
    record = Record.load(setup.record)
    pieces = manager.pieces(setup)
    planned, problems = _plan(pieces, record)
    before = _look(planned)
    for piece, entry in planned:
        record.put(entry, manager, setup)
        record.note_folders(piece.folder)
    try:
        record.save()
    except OSError as error:  # then nobody would know what to remove
        return Done(manager, (), (*problems, _refused(error)), changed=False)
    problems += _write(planned)
    wanted = {piece.address for piece in pieces}
    leftover = [address for address in record.of(manager) if address not in wanted]
    problems += _remove(manager, leftover, record)
    changed = bool(leftover) or before != _look(planned)
    _finish(manager, record, problems, refresh=changed)
    return Done(manager, tuple(piece.address for piece, _ in planned), tuple(problems), changed)


def uninstall(manager: Manager, setup: Setup) -> Done:
    """Remove what the record says we wrote; what was changed since is left, and that is said."""
    record = Record.load(setup.record)
    addresses = list(record.of(manager))
    problems = _remove(manager, addresses, record)
    if addresses:
        _finish(manager, record, problems, refresh=True)
    return Done(manager, tuple(addresses), tuple(problems), changed=bool(addresses))


def status(manager: Manager, setup: Setup) -> Status:
    """How the target is; writes nothing."""
    present = manager.present(setup)
    entries = Record.load(setup.record).of(manager)
    if not entries:
        return Status(manager, present, "not installed" if present else "absent")
    pieces = {piece.address: piece for piece in manager.pieces(setup)}
    started = {word for entry in entries.values() for word in entry["client"] if os.path.isabs(word)}
    problems = [f"{word}, which it starts, is gone" for word in sorted(started) if not os.path.exists(word)]
    problems += [f"{address} is not there yet" for address in pieces if address not in entries]
    problems += [f"{address} is of no use any more" for address in entries if address not in pieces]
    problems += filter(None, _look((piece, entries[at]) for at, piece in pieces.items() if at in entries))
    state = "stale" if problems else "current"
    restart = processes.since_before(manager.process, map(Path, entries), setup.root / "proc")
    return Status(manager, present, state, tuple(problems), manager.lacks(setup), restart)


def _plan(pieces: Iterable[Piece], record: Record) -> tuple[list[tuple[Piece, Entry]], list[str]]:
    """The pieces that can be written, with what the record is to keep of them; and why the others cannot."""
    planned, problems = [], []
    for piece in pieces:
        try:
            planned.append((piece, piece.plan(record.entries.get(piece.address))))
        except TakenError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(_refused(error))
    return planned, problems


def _look(planned: Iterable[tuple[Piece, Entry]]) -> list[str | None]:
    """What is wrong with the pieces just now."""
    found: list[str | None] = []
    for piece, entry in planned:
        try:
            found.append(piece.problem(entry))
        except OSError as error:
            found.append(_refused(error))
    return found


def _write(planned: Iterable[tuple[Piece, Entry]]) -> list[str]:
    """Write all that can be written; why the others could not."""
    problems = []
    for piece, entry in planned:
        try:
            if piece.folder is not None:
                make_folder(piece.folder)
            piece.write(entry)
        except OSError as error:
            problems.append(_refused(error))
    return problems


def _remove(manager: Manager, addresses: Iterable[str], record: Record) -> list[str]:
    """Take these pieces away and out of the record, unless another target uses them; what was left, and why."""
    kinds = {kind.kind: kind for kind in manager.kinds}
    left: list[str] = []
    for address in addresses:
        entry = record.entries[address]
        others = [key for key in entry["users"] if key != manager.key]
        if others:
            entry["users"] = others
            continue
        try:
            left += filter(None, [kinds[entry["kind"]].remove(entry)])  # a target knows the kinds it ever wrote
            del record.entries[address]
        except OSError as error:  # it stays in the record: the next attempt may succeed
            left.append(_refused(error))
    return left


def _finish(manager: Manager, record: Record, problems: list[str], *, refresh: bool) -> None:
    """Keep the record, tidy up, make the system look again."""
    try:
        record.close()
    except OSError as error:
        problems.append(_refused(error))
    for command in manager.refresh if refresh else ():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=30, check=False)


def _refused(error: OSError) -> str:
    return f"{error.filename or 'A file'} was refused ({error.strerror or error}). Check permissions and free space."


def entry_of(piece: Piece, **values: Any) -> Entry:
    """An entry for the record."""
    return {"kind": piece.kind, "address": piece.address, **values}


def digest(path: Path) -> str | None:
    """SHA-256 of the file; None: there is none. A link or a folder has none that could be ours: empty."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return sha256(path.read_bytes()) if stat.S_ISREG(status.st_mode) else ""


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def make_folder(folder: Path) -> None:
    """With those above it; open to their owner alone, as the XDG Base Directory Specification wants them."""
    for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        one.mkdir(mode=0o700, exist_ok=True)


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """The whole file or nothing, whenever the power goes; file managers that watch the folder never see half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".nobg-", suffix=".tmp")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
