"""A target: a file manager or the start at login, as data; and the results of working on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File


@dataclass(frozen=True)
class LoginStart:
    """Whether nobg starts at login. The file `path` decides ("" if it is no file).

    `reason`: a sentence on why it does not although it is installed, or ""; `can_switch`: nobg can change that.
    `notes`: sentences on how it starts.
    """

    path: str
    starts: bool
    reason: str = ""
    can_switch: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A file manager or the start at login: which artifacts nobg writes for it.

    `is_present(setup)`: whether that file manager is installed. `artifacts(setup)`: what to write. `artifact_types`:
    the types that this target writes or ever wrote. `restart_instruction`: what the person must do to see a change,
    and `process_name` the process that shows the old state until then; both empty if a change shows at once.
    `hint(setup)`: a sentence on how to find or improve the entries, or "". `refresh_commands`: commands that make the
    system read the artifacts again; it does not matter if they fail. `read_start(setup)`: for a start at login, whether
    it takes place; None if only the record tells.
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
    read_start: Callable[[Setup], LoginStart | None] = lambda _: None


@dataclass(frozen=True)
class InstallResult:
    """What `install` or `uninstall` did.

    `addresses`: the artifacts concerned. `problems`: sentences. `changed`: whether anything was written or removed.
    """

    target: Target
    addresses: tuple[str, ...]
    problems: tuple[str, ...]
    changed: bool


@dataclass(frozen=True)
class Status:
    """The state of a target.

    `state` is "absent" (no such file manager here), "not installed", "current" or "stale". `needs_restart`: the file
    manager has been running since before the last change, so the person must follow `Target.restart_instruction`.
    """

    target: Target
    is_present: bool
    state: str
    problems: tuple[str, ...] = ()
    hint: str = ""
    needs_restart: bool = False
