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

RecordEntry = dict[str, Any]
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

    client_command: tuple[str, ...]
    resident_command: tuple[str, ...]
    verbs: tuple[Verb, ...]
    suffixes: tuple[str, ...]
    mime_types: tuple[str, ...]
    icon_path: Path
    record_path: Path
    home: Path
    config_home: Path
    data_home: Path
    config_dirs: tuple[Path, ...] = (Path("/etc/xdg"),)
    data_dirs: tuple[Path, ...] = (Path("/usr/local/share"), Path("/usr/share"))
    desktops: tuple[str, ...] = ()
    search_path: tuple[Path, ...] = ()
    root: Path = Path("/")

    def has_program(self, *programs: str) -> bool:
        """Is one of these programs installed?"""
        return any((folder / program).is_file() for folder in self.search_path for program in programs)

    def has_library(self, name: str) -> bool:
        """Is this library, which a file manager loads, where systems keep such? `name` may have wildcards."""
        places = ("usr/lib", "usr/lib64", "usr/lib/*")
        return any(any(self.root.glob(f"{place}/{name}")) for place in places)


class IntegrationError(Exception):
    """A piece cannot be written, and what is there stays as it is. The message says where, why and what next."""


class Artifact(Protocol):
    """One thing that is written: a file, a part of a file, a registry key. Frozen, so that a setup makes equal ones."""

    kind: ClassVar[str]

    @property
    def address(self) -> str:
        """Where it is, as people read it; no two things have the same one."""

    @property
    def folder(self) -> Path | None:
        """The folder that it is in, made if need be; None where it is in no folder."""

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """What the record is to keep of it; `old`: what it kept so far. Writes nothing. Raises TakenError."""

    def write(self, entry: RecordEntry) -> None:
        """Make it so, as planned. Raises OSError."""

    def preview(self) -> str:
        """What is written, for people (`nobg menu install --print`), with a comment that says where."""

    def find_problem(self, entry: RecordEntry) -> str | None:
        """What keeps it from being there as we want it, in a few words; None: nothing."""

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Take it away, knowing the record's entry alone; or what was left there, and why. Raises OSError."""


@dataclass(frozen=True)
class PathArtifact:
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
class File(PathArtifact):
    """A file of ours."""

    content: bytes
    executable: bool = False
    kind: ClassVar[str] = "file"

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """The hash to come, and the one so far: whichever of the two is found there later is ours."""
        known = [] if previous is None else previous["sha256"][:1]
        now, new = file_digest(self.path), sha256(self.content)
        if now not in (None, new, *known):
            raise IntegrationError(
                f"{self.path} is there and is not as nobg wrote it, so it was left. Move it away, then install again."
            )
        return make_entry(self, sha256=[new, *(one for one in known if one != new)])

    def write(self, _entry: RecordEntry) -> None:
        """In one step; not at all where it is so already."""
        if file_digest(self.path) != sha256(self.content) or self._is_mode_wrong():
            write_atomically(self.path, self.content, 0o755 if self.executable else 0o644)

    def preview(self) -> str:
        """The file, below its path."""
        return f"# {self.path}{' (executable)' if self.executable else ''}\n{self.content.decode(errors='replace')}"

    def find_problem(self, entry: RecordEntry) -> str | None:
        """Gone, changed, from another nobg, or not executable?"""
        now = file_digest(self.path)
        if now is None:
            return f"{self.path} is gone"
        if now != sha256(self.content):
            ours = now in entry["sha256"]
            return f"{self.path} is not {'what nobg would write now' if ours else 'as nobg wrote it: it was changed'}"
        return f"{self.path} is not executable any more" if self._is_mode_wrong() else None

    def _is_mode_wrong(self) -> bool:
        return self.executable and os.name == "posix" and os.stat(self.path).st_mode & 0o111 != 0o111

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Only what is still as we wrote it."""
        path = Path(entry["address"])
        now = file_digest(path)
        if now is not None and now not in entry["sha256"]:
            return f"{path} was changed since nobg wrote it, so it was left."
        path.unlink(missing_ok=True)
        return None


@dataclass(frozen=True)
class Target:
    """A target. `present`: is that file manager here? `pieces`: what to write; `kinds`: what of, now or formerly.

    `notice`: what the person has to do so that a change is seen, and `process` what runs until then; empty: nothing.
    `lacks`: what would make the entries
    better, a sentence. `refresh`: commands that make the system look again; it does not matter if they fail.
    """

    key: str
    label: str
    is_present: Callable[[Setup], bool]
    artifacts: Callable[[Setup], Sequence[Artifact]]
    artifact_types: tuple[type[Artifact], ...] = (File,)
    restart_instruction: str = ""
    process_name: str = ""
    hint: Callable[[Setup], str] = lambda _: ""
    refresh_commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class InstallResult:
    """What install or uninstall did. `where`: the addresses concerned; `problems`: sentences; `changed`: anything?"""

    target: Target
    addresses: tuple[str, ...]
    problems: tuple[str, ...]
    changed: bool


@dataclass(frozen=True)
class Status:
    """How a target is. `state`: absent (no such file manager here), `not installed`, `current`, `stale`.

    `restart`: it runs since before the last change, so what `notice` says has to be done.
    """

    target: Target
    is_present: bool
    state: str
    problems: tuple[str, ...] = ()
    hint: str = ""
    needs_restart: bool = False


@dataclass
class Record:
    """What we wrote: entries by address, each with its `users` (targets), and the folders that we made."""

    path: Path
    entries: dict[str, RecordEntry] = field(default_factory=dict)
    created_folders: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Record:
        """What the file says. Raises TakenError where it makes no sense: it alone knows what to remove."""
        try:
            values = json.loads(path.read_bytes())
            return cls(path, values["entries"], values["folders"])
        except FileNotFoundError:
            return cls(path)
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrationError(
                f"{path}, which says what was installed, is damaged. Delete it, remove by hand what menus still show, "
                "and install again."
            ) from error

    def entries_of(self, target: Target) -> dict[str, RecordEntry]:
        """The entries that this target uses."""
        return {address: entry for address, entry in self.entries.items() if target.key in entry["users"]}

    def put(self, entry: RecordEntry, target: Target, setup: Setup) -> None:
        """An entry that this target uses from now on, beside those who did so far."""
        users = self.entries.get(entry["address"], {}).get("users", [])
        self.entries[entry["address"]] = {
            **entry,
            "client": list(setup.client_command),
            "users": sorted({*users, target.key}),
        }

    def add_missing_folders(self, folder: Path | None) -> None:
        """Remember those that will have to be made for this one to be there."""
        missing = () if folder is None else [one for one in (folder, *folder.parents) if not one.exists()]
        self.created_folders += [str(one) for one in missing if str(one) not in self.created_folders]

    def save(self) -> None:
        """In one step. Raises OSError."""
        self.add_missing_folders(self.path.parent)
        make_private_folders(self.path.parent)
        values = {"entries": self.entries, "folders": self.created_folders}
        write_atomically(self.path, json.dumps(values, indent=1).encode(), 0o600)

    def save_and_prune(self) -> None:
        """Remove the folders that we made and that are empty, and the record itself once it says nothing.

        A folder that others use by now stays ours to remove as long as something else of ours is installed.
        """
        if self.entries:
            self.save()
        else:
            self.path.unlink(missing_ok=True)
        before = list(self.created_folders)
        for folder in sorted(before, key=len, reverse=True):
            with contextlib.suppress(OSError):  # not empty, or gone
                os.rmdir(folder)
        self.created_folders = [folder for folder in before if os.path.isdir(folder)]
        if self.entries and self.created_folders != before:
            self.save()


def install(target: Target, setup: Setup) -> InstallResult:
    """Write what the target wants, repair what is not so any more, remove what an older version wrote."""
    record = Record.load(setup.record_path)
    pieces = target.artifacts(setup)
    planned, problems = _plan(pieces, record)
    before = _find_problems(planned)
    for piece, entry in planned:
        record.put(entry, target, setup)
        record.add_missing_folders(piece.folder)
    try:
        record.save()
    except OSError as error:  # then nobody would know what to remove
        return InstallResult(target, (), (*problems, _describe_os_error(error)), changed=False)
    problems += _write_planned(planned)
    wanted = {piece.address for piece in pieces}
    leftover = [address for address in record.entries_of(target) if address not in wanted]
    problems += _remove(target, leftover, record)
    changed = bool(leftover) or before != _find_problems(planned)
    _save_and_refresh(target, record, problems, refresh=changed)
    return InstallResult(target, tuple(piece.address for piece, _ in planned), tuple(problems), changed)


def uninstall(target: Target, setup: Setup) -> InstallResult:
    """Remove what the record says we wrote; what was changed since is left, and that is said."""
    record = Record.load(setup.record_path)
    addresses = list(record.entries_of(target))
    problems = _remove(target, addresses, record)
    if addresses:
        _save_and_refresh(target, record, problems, refresh=True)
    return InstallResult(target, tuple(addresses), tuple(problems), changed=bool(addresses))


def status(target: Target, setup: Setup) -> Status:
    """How the target is; writes nothing."""
    present = target.is_present(setup)
    entries = Record.load(setup.record_path).entries_of(target)
    if not entries:
        return Status(target, present, "not installed" if present else "absent")
    pieces = {piece.address: piece for piece in target.artifacts(setup)}
    started = {word for entry in entries.values() for word in entry["client"] if os.path.isabs(word)}
    problems = [f"{word}, which it starts, is gone" for word in sorted(started) if not os.path.exists(word)]
    problems += [f"{address} is not there yet" for address in pieces if address not in entries]
    problems += [f"{address} is of no use any more" for address in entries if address not in pieces]
    problems += filter(None, _find_problems((piece, entries[at]) for at, piece in pieces.items() if at in entries))
    state = "stale" if problems else "current"
    restart = processes.has_process_older_than(target.process_name, map(Path, entries), setup.root / "proc")
    return Status(target, present, state, tuple(problems), target.hint(setup), restart)


def _plan(artifacts: Iterable[Artifact], record: Record) -> tuple[list[tuple[Artifact, RecordEntry]], list[str]]:
    """The pieces that can be written, with what the record is to keep of them; and why the others cannot."""
    planned, problems = [], []
    for piece in artifacts:
        try:
            planned.append((piece, piece.plan(record.entries.get(piece.address))))
        except IntegrationError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(_describe_os_error(error))
    return planned, problems


def _find_problems(planned: Iterable[tuple[Artifact, RecordEntry]]) -> list[str | None]:
    """What is wrong with the pieces just now."""
    found: list[str | None] = []
    for piece, entry in planned:
        try:
            found.append(piece.find_problem(entry))
        except OSError as error:
            found.append(_describe_os_error(error))
    return found


def _write_planned(planned: Iterable[tuple[Artifact, RecordEntry]]) -> list[str]:
    """Write all that can be written; why the others could not."""
    problems = []
    for piece, entry in planned:
        try:
            if piece.folder is not None:
                make_private_folders(piece.folder)
            piece.write(entry)
        except OSError as error:
            problems.append(_describe_os_error(error))
    return problems


def _remove(target: Target, addresses: Iterable[str], record: Record) -> list[str]:
    """Take these pieces away and out of the record, unless another target uses them; what was left, and why."""
    kinds = {kind.kind: kind for kind in target.artifact_types}
    left: list[str] = []
    for address in addresses:
        entry = record.entries[address]
        others = [key for key in entry["users"] if key != target.key]
        if others:
            entry["users"] = others
            continue
        try:
            left += filter(None, [kinds[entry["kind"]].remove(entry)])  # a target knows the kinds it ever wrote
            del record.entries[address]
        except OSError as error:  # it stays in the record: the next attempt may succeed
            left.append(_describe_os_error(error))
    return left


def _save_and_refresh(target: Target, record: Record, problems: list[str], *, refresh: bool) -> None:
    """Keep the record, tidy up, make the system look again."""
    try:
        record.save_and_prune()
    except OSError as error:
        problems.append(_describe_os_error(error))
    for command in target.refresh_commands if refresh else ():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=30, check=False)


def _describe_os_error(error: OSError) -> str:
    return f"{error.filename or 'A file'} was refused ({error.strerror or error}). Check permissions and free space."


def make_entry(artifact: Artifact, **values: Any) -> RecordEntry:
    """An entry for the record."""
    return {"kind": artifact.kind, "address": artifact.address, **values}


def file_digest(path: Path) -> str | None:
    """SHA-256 of the file; None: there is none. A link or a folder has none that could be ours: empty."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return sha256(path.read_bytes()) if stat.S_ISREG(status.st_mode) else ""


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def make_private_folders(folder: Path) -> None:
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
