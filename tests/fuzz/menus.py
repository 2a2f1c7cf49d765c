"""Harnesses of the person's files into which nobg merges its own part, and of nobg's record of them."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path

from integrations.artifact import IntegrationError
from integrations.context import Setup
from integrations.linux import autostart, open_with, thunar
from integrations.linux.open_with import DefaultApplications
from integrations.linux.thunar import CustomActions
from integrations.record import Record
from tests.support.menus import make_setup


@functools.cache
def setup() -> Setup:
    """A person's home and a system, in a temporary folder."""
    result = make_setup(Path(tempfile.mkdtemp(prefix="nobg-fuzz-")))
    (result.config_home / "autostart").mkdir(parents=True)
    result.record_path.parent.mkdir(parents=True)
    return result


@functools.cache
def custom_actions() -> CustomActions:
    """What nobg puts into uca.xml."""
    return next(artifact for artifact in thunar.artifacts(setup()) if isinstance(artifact, CustomActions))


@functools.cache
def default_applications() -> DefaultApplications:
    """What nobg puts into mimeapps.list."""
    return next(artifact for artifact in open_with.artifacts(setup()) if isinstance(artifact, DefaultApplications))


def fuzz_uca_xml(data: bytes) -> None:
    """insert(): IntegrationError. The other functions: nothing. What was inserted can be stripped again."""
    artifact = custom_actions()
    artifact.is_merged(data)
    stripped = artifact.strip(data, None)
    with contextlib.suppress(IntegrationError):
        merged = artifact.insert(stripped)
        assert artifact.is_merged(merged)
        assert not artifact.is_merged(artifact.strip(merged, None))


def fuzz_mimeapps(data: bytes) -> None:
    """Nothing is raised. What was inserted is found, and can be stripped again."""
    artifact = default_applications()
    open_with.parse_associations(data)
    artifact.is_merged(data)
    merged = artifact.insert(data)
    assert artifact.is_merged(merged)
    artifact.strip(merged, artifact.part_to_strip())


def fuzz_desktop_entry(data: bytes) -> None:
    """Nothing is raised, whatever a desktop or a person has made of nobg's autostart entry."""
    path = setup().config_home / "autostart" / "nobg.desktop"
    path.write_bytes(data)
    start = autostart.read_start(setup())
    assert start.starts in (True, False)
    artifact = next(item for item in autostart.artifacts(setup()) if item.address == str(path))
    with contextlib.suppress(IntegrationError):
        artifact.find_problem(artifact.plan(None))


def fuzz_menu_json(data: bytes) -> None:
    """Record.load(): IntegrationError. What it returns names targets, addresses and folders."""
    setup().record_path.write_bytes(data)
    with contextlib.suppress(IntegrationError):
        record = Record.load(setup().record_path)
        entries = record.entries_of(thunar.THUNAR)
        for entry in entries.values():
            assert isinstance(entry["kind"], str)
            assert isinstance(entry["address"], str)
        record.add_missing_folders(Path("/"))
