"""Install, uninstall and inspect any target.

`install` plans each artifact without writing anything, saves in the record what nobg is about to own, and only then
writes. So a crash leaves nothing that is not in the record. `uninstall` needs the record alone, so it also removes
what an older nobg wrote.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from integrations import processes
from integrations.artifact import Artifact, IntegrationError, RecordEntry
from integrations.context import Setup
from integrations.files import make_private_folders, remove_temporary_files
from integrations.record import Record
from integrations.target import InstallResult, Status, Target


def install(target: Target, setup: Setup) -> InstallResult:
    """Write the target's artifacts, repair those that differ and remove those that it no longer has.

    Raises IntegrationError if the record is damaged.
    """
    record = Record.load(setup.record_path)
    remove_temporary_files(record.folders_written_to())
    artifacts = target.artifacts(setup)
    planned, problems = _plan(artifacts, record)
    problems_before = _find_problems(planned)
    for artifact, entry in planned:
        record.add_entry(entry, target, setup)
        record.add_missing_folders(artifact.folder)
    try:
        record.save()
    except OSError as error:  # without the record, uninstall could not find the artifacts: write none
        return InstallResult(target, (), (*problems, _describe_os_error(error)), changed=False)
    problems += _write_planned(planned)
    current_addresses = {artifact.address for artifact in artifacts}
    obsolete_addresses = [address for address in record.entries_of(target) if address not in current_addresses]
    problems += _remove(target, obsolete_addresses, record)
    changed = bool(obsolete_addresses) or problems_before != _find_problems(planned)
    _save_and_refresh(target, record, problems, refresh=changed)
    return InstallResult(target, tuple(artifact.address for artifact, _ in planned), tuple(problems), changed)


def uninstall(target: Target, setup: Setup) -> InstallResult:
    """Remove what the record lists for this target; what a person changed since stays and is reported.

    Raises IntegrationError if the record is damaged.
    """
    record = Record.load(setup.record_path)
    remove_temporary_files(record.folders_written_to())
    addresses = list(record.entries_of(target))
    problems = _remove(target, addresses, record)
    if addresses:
        _save_and_refresh(target, record, problems, refresh=True)
    return InstallResult(target, tuple(addresses), tuple(problems), changed=bool(addresses))


def status(target: Target, setup: Setup) -> Status:
    """Return the state of the target; write nothing. Raises IntegrationError if the record is damaged."""
    is_present = target.is_present(setup)
    entries = Record.load(setup.record_path).entries_of(target)
    if not entries:
        return Status(target, is_present, "not installed" if is_present else "absent")
    artifacts = {artifact.address: artifact for artifact in target.artifacts(setup)}
    client_paths = {word for entry in entries.values() for word in entry["client"] if os.path.isabs(word)}
    problems = [f"{path}, which it starts, is gone" for path in sorted(client_paths) if not os.path.exists(path)]
    problems += [f"{address} is not installed yet" for address in artifacts if address not in entries]
    problems += [f"{address} is no longer needed" for address in entries if address not in artifacts]
    installed = [(artifact, entries[address]) for address, artifact in artifacts.items() if address in entries]
    problems += filter(None, _find_problems(installed))
    state = "stale" if problems else "current"
    needs_restart = processes.has_process_older_than(target.process_name, map(Path, entries), setup.root / "proc")
    return Status(target, is_present, state, tuple(problems), target.hint(setup), needs_restart)


def _plan(artifacts: Iterable[Artifact], record: Record) -> tuple[list[tuple[Artifact, RecordEntry]], list[str]]:
    """Return the artifacts that can be written, with their new entries; and why the others cannot be written."""
    planned, problems = [], []
    for artifact in artifacts:
        try:
            planned.append((artifact, artifact.plan(record.entries.get(artifact.address))))
        except IntegrationError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(_describe_os_error(error))
    return planned, problems


def _find_problems(planned: Iterable[tuple[Artifact, RecordEntry]]) -> list[str | None]:
    """Return the present problem of each artifact, None for those that are as intended."""
    problems: list[str | None] = []
    for artifact, entry in planned:
        try:
            problems.append(artifact.find_problem(entry))
        except OSError as error:
            problems.append(_describe_os_error(error))
    return problems


def _write_planned(planned: Iterable[tuple[Artifact, RecordEntry]]) -> list[str]:
    """Write all artifacts that can be written; return why the others could not."""
    problems = []
    for artifact, entry in planned:
        try:
            if artifact.folder is not None:
                make_private_folders(artifact.folder)
            artifact.write(entry)
        except OSError as error:
            problems.append(_describe_os_error(error))
    return problems


def _remove(target: Target, addresses: Iterable[str], record: Record) -> list[str]:
    """Remove these artifacts and their entries, unless another target uses them; return what had to stay, and why."""
    types_by_kind = {artifact_type.kind: artifact_type for artifact_type in target.artifact_types}
    problems: list[str] = []
    for address in addresses:
        entry = record.entries[address]
        other_users = [key for key in entry["users"] if key != target.key]
        if other_users:
            entry["users"] = other_users
            continue
        try:
            problems += filter(None, [types_by_kind[entry["kind"]].remove(entry)])
            del record.entries[address]
        except OSError as error:  # the entry stays in the record: the next attempt may succeed
            problems.append(_describe_os_error(error))
    return problems


def _save_and_refresh(target: Target, record: Record, problems: list[str], *, refresh: bool) -> None:
    """Save the record, remove empty folders and run the refresh commands; add what fails to `problems`."""
    try:
        record.save_and_prune()
    except OSError as error:
        problems.append(_describe_os_error(error))
    for command in target.refresh_commands if refresh else ():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=30, check=False)


def _describe_os_error(error: OSError) -> str:
    location, reason = error.filename or "A file", error.strerror or error
    return f"{location} could not be accessed ({reason}). Check permissions and free space."
