"""What every target must do: each file manager and each start at login."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from integrations import autostart_target, file_managers, installer
from integrations.artifact import IntegrationError, RecordEntry
from integrations.context import Setup
from integrations.files import File
from integrations.target import Target
from integrations.verbs import REMOVE_LABEL, build_verbs
from tests.support.menus import (
    CUSTOM_RECIPES,
    TARGETS,
    make_golden_setup,
    make_setup,
    owned_files,
    snapshot_tree,
    without_times,
)
from tests.support.program import ROOT

GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


def system_of(target: Target) -> str:
    return "macos" if target is autostart_target("darwin") else "linux"


@pytest.fixture(params=TARGETS, ids=lambda target: f"{target.key}-{system_of(target)}")
def target(request: pytest.FixtureRequest) -> Target:
    parameter: Target = request.param
    return parameter


def test_install_twice_is_install_once(target: Target, setup: Setup) -> None:
    first = installer.install(target, setup)
    assert first.changed
    assert not first.problems
    tree_after_first = snapshot_tree(setup.home)
    second = installer.install(target, setup)
    assert not second.changed
    assert second.addresses == first.addresses
    record = str(setup.record_path.relative_to(setup.home))
    assert {**snapshot_tree(setup.home), record: ()} == {**tree_after_first, record: ()}


def test_the_files_are_those_that_install_reports(target: Target, setup: Setup) -> None:
    result = installer.install(target, setup)
    files = {str(path) for path in setup.home.rglob("*") if path.is_file()} - {str(setup.record_path)}
    assert files == set(result.addresses)
    assert not [path for path in files if ".tmp" in path]


def test_uninstall_leaves_nothing_in_an_empty_home(target: Target, setup: Setup) -> None:
    installer.install(target, setup)
    assert snapshot_tree(setup.home)
    result = installer.uninstall(target, setup)
    assert result.changed
    assert not result.problems
    assert snapshot_tree(setup.home) == {}


def test_uninstall_leaves_a_used_home_as_it_was(target: Target, setup: Setup) -> None:
    add_files_of_the_person(setup)
    before = snapshot_tree(setup.home)
    installer.install(target, setup)
    installer.install(target, replace(setup, verbs=build_verbs()))
    installer.uninstall(target, setup)
    assert without_times(snapshot_tree(setup.home)) == without_times(before)


def add_files_of_the_person(setup: Setup) -> None:
    """Put files of the person wherever nobg writes."""
    for target in TARGETS:
        for file in owned_files(target, setup):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            (file.path.parent / "mine").write_text("mine")
    for name, text in {
        "Thunar/uca.xml": '<?xml version="1.0"?>\n<actions><action><name>Mine</name></action></actions>',
        "mimeapps.list": "[Added Associations]\nimage/png=mine.desktop;\n\n[Default Applications]\ntext/plain=vi",
    }.items():
        (setup.config_home / name).parent.mkdir(exist_ok=True)
        (setup.config_home / name).write_text(text)
        (setup.config_home / name).chmod(0o640)


def test_all_targets_together_leave_nothing(setup: Setup) -> None:
    targets = [*file_managers("linux"), autostart_target("linux")]
    for target in targets:
        installer.install(target, setup)
    for target in targets:
        assert not installer.uninstall(target, setup).problems
    assert snapshot_tree(setup.home) == {}


def test_uninstall_where_nothing_is_installed_does_nothing(target: Target, setup: Setup) -> None:
    assert not installer.uninstall(target, setup).changed
    assert snapshot_tree(setup.home) == {}


def test_a_foreign_file_in_the_way_is_never_touched(target: Target, setup: Setup) -> None:
    for file in owned_files(target, setup):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text("somebody else's")
    before = snapshot_tree(setup.home)
    result = installer.install(target, setup)
    assert len(result.problems) == len(owned_files(target, setup))
    assert all("Move it away" in problem for problem in result.problems)
    installer.uninstall(target, setup)
    assert snapshot_tree(setup.home) == before


def test_a_link_in_the_way_is_never_followed(target: Target, setup: Setup) -> None:
    precious = setup.home / "precious"
    precious.write_text("precious")
    for number, file in enumerate(owned_files(target, setup)):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        copy = setup.home / f"copy-{number}"
        copy.write_bytes(file.content)
        file.path.symlink_to(copy if number % 2 else precious)
    installer.install(target, setup)
    installer.uninstall(target, setup)
    assert precious.read_text() == "precious"
    assert all(file.path.is_symlink() for file in owned_files(target, setup))


def test_what_the_person_changed_stays_and_is_reported(target: Target, setup: Setup) -> None:
    installer.install(target, setup)
    file = owned_files(target, setup)[0].path
    file.write_text("changed")
    assert installer.status(target, setup).state == "stale"
    assert installer.install(target, setup).problems
    assert file.read_text() == "changed"
    (problem,) = installer.uninstall(target, setup).problems
    assert str(file) in problem
    assert [path for path in setup.home.rglob("*") if path.is_file()] == [file]


def test_what_an_older_nobg_wrote_is_replaced_and_removed(target: Target, setup: Setup) -> None:
    older = replace(
        setup,
        verbs=build_verbs([("old", "An old one"), *CUSTOM_RECIPES]),
        client_command=(f"{setup.client_command[0]}-old",),
    )
    older = replace(older, resident_command=(f"{setup.resident_command[0]}-old", "run"))
    Path(older.client_command[0]).touch(mode=0o755)
    installer.install(target, older)
    assert installer.status(target, setup).state == "stale"
    assert installer.install(target, setup).changed
    assert installer.status(target, setup).state == "current"
    fresh = with_other_home(setup)
    installer.install(target, fresh)
    assert installed_files(setup) == installed_files(fresh)
    installer.uninstall(target, setup)
    assert snapshot_tree(setup.home) == {}


def with_other_home(setup: Setup) -> Setup:
    """Return a setup of the same system with another home."""
    home = setup.home.parent / "other"
    names = ("home", "config_home", "data_home", "record_path")
    return replace(setup, **{name: home / getattr(setup, name).relative_to(setup.home) for name in names})


def installed_files(setup: Setup) -> dict[str, tuple[int, bytes]]:
    """Return everything in the home except the record."""
    tree = without_times(snapshot_tree(setup.home))
    return {name: mode_and_content for name, mode_and_content in tree.items() if not name.endswith("menu.json")}


def test_uninstall_by_a_nobg_with_other_verbs_needs_the_record_alone(target: Target, setup: Setup) -> None:
    installer.install(target, setup)
    installer.uninstall(target, replace(setup, verbs=build_verbs(), suffixes=(), mime_types=()))
    assert snapshot_tree(setup.home) == {}


def test_status_distinguishes_absent_not_installed_current_and_gone(target: Target, setup: Setup) -> None:
    assert installer.status(target, setup).state == "not installed"
    without_programs = replace(setup, search_path=())
    assert installer.status(target, without_programs).is_present == (target.key in ("open-with", "autostart"))
    installer.install(target, setup)
    assert installer.status(target, setup).state == "current"
    deleted = owned_files(target, setup)[0].path
    deleted.unlink()
    status = installer.status(target, setup)
    assert status.state == "stale"
    assert f"{deleted} is gone" in status.problems
    installer.install(target, setup)
    assert installer.status(target, setup).state == "current"


def test_a_moved_environment_is_stale_and_repaired(target: Target, setup: Setup) -> None:
    installer.install(target, setup)
    client = Path(setup.client_command[0]).rename(setup.home.parent / "nobg-add")
    moved = replace(setup, client_command=(str(client),), resident_command=(str(client), "run"))
    status = installer.status(target, moved)
    assert status.state == "stale"
    assert any(f"{setup.client_command[0]}, which it starts, is gone" in problem for problem in status.problems)
    installer.install(target, moved)
    assert installer.status(target, moved).state == "current"
    installer.uninstall(target, moved)
    assert snapshot_tree(setup.home) == {}


def test_a_lost_exec_bit_is_stale_and_repaired(target: Target, setup: Setup) -> None:
    installer.install(target, setup)
    scripts = [file.path for file in owned_files(target, setup) if file.executable]
    for path in scripts:
        path.chmod(0o644)
        status = installer.status(target, setup)
        assert f"{path} is no longer executable" in status.problems
        assert installer.install(target, setup).changed
        assert path.stat().st_mode & 0o777 == 0o755
    assert bool(scripts) == (target.key in ("nautilus", "caja", "dolphin"))


def test_modes_do_not_depend_on_the_umask(target: Target, setup: Setup) -> None:
    previous_umask = os.umask(0o077)
    try:
        installer.install(target, setup)
    finally:
        os.umask(previous_umask)
    for file in owned_files(target, setup):
        assert file.path.stat().st_mode & 0o777 == (0o755 if file.executable else 0o644)
    assert setup.record_path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_reported_and_the_rest_is_written(target: Target, setup: Setup) -> None:
    first, *others = owned_files(target, setup)
    blocked = first.path.parent
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")
    result = installer.install(target, setup)
    assert any(str(blocked) in problem for problem in result.problems)
    assert all(file.path.is_file() for file in others if blocked not in file.path.parents)
    installer.uninstall(target, setup)
    assert [path for path in setup.home.rglob("*") if path.is_file()] == [blocked]


@dataclass(frozen=True)
class CrashingFile(File):
    """A file during whose writing the program crashes."""

    kind: ClassVar[str] = "crashing"

    def write(self, _entry: RecordEntry) -> None:
        """Write nothing."""
        raise KeyboardInterrupt


def test_a_crash_in_the_middle_leaves_nothing_that_uninstall_does_not_know(target: Target, setup: Setup) -> None:
    crashing_file = CrashingFile(setup.config_home / "deep" / "er" / "file", b"content")
    broken = replace(
        target,
        artifacts=lambda setup: [*target.artifacts(setup), crashing_file],
        artifact_types=(*target.artifact_types, CrashingFile),
    )
    with pytest.raises(KeyboardInterrupt):
        installer.install(broken, setup)
    assert setup.record_path.is_file()
    installer.uninstall(broken, setup)
    assert snapshot_tree(setup.home) == {}


def test_the_icon_stays_as_long_as_a_target_uses_it(setup: Setup) -> None:
    nemo, dolphin = (target for target in TARGETS if target.key in ("nemo", "dolphin"))
    installer.install(nemo, setup)
    installer.install(dolphin, replace(setup, icon_path=ROOT / "LICENSE"))  # a newer icon
    icon = setup.data_home / "icons/hicolor/scalable/apps/nobg.svg"
    assert icon.read_bytes() == (ROOT / "LICENSE").read_bytes()
    installer.uninstall(nemo, setup)
    assert icon.is_file()
    assert not installer.uninstall(dolphin, setup).problems
    assert snapshot_tree(setup.home) == {}


def test_a_folder_of_nobg_that_others_use_is_removed_with_the_last_target(setup: Setup) -> None:
    nautilus, nemo = (target for target in TARGETS if target.key in ("nautilus", "nemo"))
    installer.install(nautilus, setup)
    installer.install(nemo, setup)
    foreign_file = setup.data_home / "nautilus" / "scripts" / "other"
    foreign_file.touch()
    installer.uninstall(nautilus, setup)
    foreign_file.unlink()
    installer.uninstall(nemo, setup)
    assert snapshot_tree(setup.home) == {}


def test_a_damaged_record_is_reported_and_nothing_is_done(target: Target, setup: Setup) -> None:
    setup.record_path.parent.mkdir(parents=True)
    setup.record_path.write_text("{")
    before = snapshot_tree(setup.home)
    for action in (installer.install, installer.uninstall, installer.status):
        with pytest.raises(IntegrationError, match="damaged"):
            action(target, setup)
    assert snapshot_tree(setup.home) == before


def test_golden_files(target: Target, tmp_path: Path) -> None:
    """Compare with tests/golden. NOBG_GOLDEN=write rewrites them; check the difference before you commit it.

    All files of a target are in one text, since a checkout on Windows could not have files of these names.
    """
    setup = make_golden_setup(tmp_path)
    installer.install(target, setup)
    path = GOLDEN / system_of(target) / f"{target.key}.txt"
    ignored = ("menu.json", "nobg.svg", "mimeinfo.cache")
    files = [(name, file) for name, file in all_files(setup.home) if not name.endswith(ignored)]
    written = "\n".join(f"=== {name}{executable(file)}\n{file.read_text()}" for name, file in sorted(files))
    if os.environ.get("NOBG_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written)
    assert written == path.read_text()


def executable(path: Path) -> str:
    return " (executable)" if path.stat().st_mode & 0o100 else ""


def all_files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file())


def test_the_record_can_be_read_by_people(setup: Setup) -> None:
    installer.install(TARGETS[0], setup)
    record = json.loads(setup.record_path.read_text())
    assert str(setup.data_home / "nautilus" / "scripts" / REMOVE_LABEL) in record["entries"]
