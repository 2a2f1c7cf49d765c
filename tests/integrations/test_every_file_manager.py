"""What every file manager's target must do, whichever it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from integrations import autostart_target, base, file_managers, processes
from integrations.base import File, IntegrationError, Setup, Target
from integrations.linux import quoting
from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL, build_verbs, flat_label
from tests.support.menus import (
    CUSTOM_RECIPES,
    GOLDEN_CLIENT,
    GOLDEN_PROGRAM,
    ODD_NAME,
    TARGETS,
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


@pytest.fixture(
    params=TARGETS, ids=lambda one: f"{one.key}-{'macos' if one is autostart_target('darwin') else 'linux'}"
)
def manager(request: pytest.FixtureRequest) -> Target:
    one: Target = request.param
    return one


def test_install_twice_is_install_once(manager: Target, setup: Setup) -> None:
    first = base.install(manager, setup)
    assert first.changed
    assert not first.problems
    once = snapshot_tree(setup.home)
    second = base.install(manager, setup)
    assert not second.changed
    assert second.addresses == first.addresses
    assert {**snapshot_tree(setup.home), ".local/state/nobg/menu.json": ()} == {
        **once,
        ".local/state/nobg/menu.json": (),
    }


def test_what_is_there_is_what_the_record_says(manager: Target, setup: Setup) -> None:
    done = base.install(manager, setup)
    there = {str(path) for path in setup.home.rglob("*") if path.is_file()} - {str(setup.record_path)}
    assert there == set(done.addresses)
    assert not [path for path in there if ".tmp" in path]


def test_uninstall_leaves_nothing_in_an_empty_home(manager: Target, setup: Setup) -> None:
    base.install(manager, setup)
    assert snapshot_tree(setup.home)
    done = base.uninstall(manager, setup)
    assert done.changed
    assert not done.problems
    assert snapshot_tree(setup.home) == {}


def test_uninstall_leaves_a_used_home_as_it_was(manager: Target, setup: Setup) -> None:
    inhabit(setup)
    before = snapshot_tree(setup.home)
    base.install(manager, setup)
    base.install(manager, replace(setup, verbs=build_verbs()))
    base.uninstall(manager, setup)
    assert without_times(snapshot_tree(setup.home)) == without_times(before)


def inhabit(setup: Setup) -> None:
    """Files of the person's, wherever ours go."""
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
    linux = [*file_managers("linux"), autostart_target("linux")]
    for target in filter(None, linux):
        base.install(target, setup)
    for target in filter(None, linux):
        assert not base.uninstall(target, setup).problems
    assert snapshot_tree(setup.home) == {}


def test_uninstall_where_nothing_is_installed_does_nothing(manager: Target, setup: Setup) -> None:
    assert not base.uninstall(manager, setup).changed
    assert snapshot_tree(setup.home) == {}


def test_a_foreign_file_in_the_way_is_never_touched(manager: Target, setup: Setup) -> None:
    for file in owned_files(manager, setup):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text("somebody else's")
    before = snapshot_tree(setup.home)
    done = base.install(manager, setup)
    assert len(done.problems) == len(owned_files(manager, setup))
    assert all("Move it away" in problem for problem in done.problems)
    base.uninstall(manager, setup)
    assert snapshot_tree(setup.home) == before


def test_a_link_in_the_way_is_never_followed(manager: Target, setup: Setup) -> None:
    target = setup.home / "precious"
    target.write_text("precious")
    for number, file in enumerate(owned_files(manager, setup)):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        alike = setup.home / f"alike-{number}"
        alike.write_bytes(file.content)
        file.path.symlink_to(alike if number % 2 else target)
    base.install(manager, setup)
    base.uninstall(manager, setup)
    assert target.read_text() == "precious"
    assert all(file.path.is_symlink() for file in owned_files(manager, setup))


def test_what_the_person_changed_is_left_and_said(manager: Target, setup: Setup) -> None:
    base.install(manager, setup)
    file = owned_files(manager, setup)[0].path
    file.write_text("changed")
    assert base.status(manager, setup).state == "stale"
    assert base.install(manager, setup).problems
    assert file.read_text() == "changed"
    (problem,) = base.uninstall(manager, setup).problems
    assert str(file) in problem
    assert [path for path in setup.home.rglob("*") if path.is_file()] == [file]


def test_what_an_older_nobg_wrote_is_replaced_and_removed(manager: Target, setup: Setup) -> None:
    older = replace(
        setup,
        verbs=build_verbs([("old", "An old one"), *CUSTOM_RECIPES]),
        client_command=(f"{setup.client_command[0]}-old",),
    )
    older = replace(older, resident_command=(f"{setup.resident_command[0]}-old", "run"))
    Path(older.client_command[0]).touch(mode=0o755)
    base.install(manager, older)
    assert base.status(manager, setup).state == "stale"
    assert base.install(manager, setup).changed
    assert base.status(manager, setup).state == "current"
    fresh = make_setup_beside(setup)
    base.install(manager, fresh)
    assert own_files(setup) == own_files(fresh)
    base.uninstall(manager, setup)
    assert snapshot_tree(setup.home) == {}


def make_setup_beside(setup: Setup) -> Setup:
    """The same system and another home."""
    home = setup.home.parent / "other"
    moved = {name: home / getattr(setup, name).relative_to(setup.home) for name in ("home", "config", "data", "record")}
    return replace(setup, **moved)


def own_files(setup: Setup) -> dict[str, tuple[int, bytes]]:
    found = without_times(snapshot_tree(setup.home))
    return {name: value for name, value in found.items() if not name.endswith("menu.json")}


def test_an_uninstall_by_a_nobg_with_other_verbs_needs_the_record_alone(manager: Target, setup: Setup) -> None:
    base.install(manager, setup)
    base.uninstall(manager, replace(setup, verbs=build_verbs(), suffixes=(), mime_types=()))
    assert snapshot_tree(setup.home) == {}


def test_status_tells_absent_not_installed_current_and_gone(manager: Target, setup: Setup) -> None:
    assert base.status(manager, setup).state == "not installed"
    nowhere = replace(setup, search_path=())
    assert base.status(manager, nowhere).is_present == (manager.key in ("open-with", "autostart"))
    base.install(manager, setup)
    assert base.status(manager, setup).state == "current"
    gone = owned_files(manager, setup)[0].path
    gone.unlink()
    status = base.status(manager, setup)
    assert status.state == "stale"
    assert f"{gone} is gone" in status.problems
    base.install(manager, setup)
    assert base.status(manager, setup).state == "current"


def test_a_moved_environment_is_stale_and_repaired(manager: Target, setup: Setup) -> None:
    base.install(manager, setup)
    moved = Path(setup.client_command[0]).rename(setup.home.parent / "nobg-add")
    now = replace(setup, client_command=(str(moved),), resident_command=(str(moved), "run"))
    status = base.status(manager, now)
    assert status.state == "stale"
    assert any(f"{setup.client_command[0]}, which it starts, is gone" in problem for problem in status.problems)
    base.install(manager, now)
    assert base.status(manager, now).state == "current"
    base.uninstall(manager, now)
    assert snapshot_tree(setup.home) == {}


def test_a_lost_exec_bit_is_stale_and_repaired(manager: Target, setup: Setup) -> None:
    base.install(manager, setup)
    scripts = [file.path for file in owned_files(manager, setup) if file.executable]
    for path in scripts:
        path.chmod(0o644)
        status = base.status(manager, setup)
        assert f"{path} is not executable any more" in status.problems
        assert base.install(manager, setup).changed
        assert path.stat().st_mode & 0o777 == 0o755
    assert bool(scripts) == (manager.key in ("nautilus", "caja", "dolphin"))


def test_modes_do_not_depend_on_the_umask(manager: Target, setup: Setup) -> None:
    old = os.umask(0o077)
    try:
        base.install(manager, setup)
    finally:
        os.umask(old)
    for file in owned_files(manager, setup):
        assert file.path.stat().st_mode & 0o777 == (0o755 if file.executable else 0o644)
    assert setup.record_path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_refuses_is_said_and_the_rest_is_written(manager: Target, setup: Setup) -> None:
    first, *others = owned_files(manager, setup)
    blocked = first.path.parent
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")
    done = base.install(manager, setup)
    assert any(str(blocked) in problem for problem in done.problems)
    assert all(file.path.is_file() for file in others if blocked not in file.path.parents)
    base.uninstall(manager, setup)
    assert [path for path in setup.home.rglob("*") if path.is_file()] == [blocked]


@dataclass(frozen=True)
class Cut(File):
    """A file in whose middle the power goes."""

    kind: ClassVar[str] = "cut"

    def write(self, _entry: base.RecordEntry) -> None:
        """Not even half."""
        raise KeyboardInterrupt


def test_a_crash_in_the_middle_leaves_nothing_that_uninstall_does_not_know(manager: Target, setup: Setup) -> None:
    cut = Cut(setup.config_home / "deep" / "er" / "cut", b"cut")
    broken = replace(
        manager, artifacts=lambda one: [*manager.artifacts(one), cut], artifact_types=(*manager.artifact_types, Cut)
    )
    with pytest.raises(KeyboardInterrupt):
        base.install(broken, setup)
    assert setup.record_path.is_file()
    base.uninstall(broken, setup)
    assert snapshot_tree(setup.home) == {}


def test_the_icon_stays_as_long_as_somebody_uses_it(setup: Setup) -> None:
    nemo, dolphin = (one for one in TARGETS if one.key in ("nemo", "dolphin"))
    base.install(nemo, setup)
    base.install(dolphin, replace(setup, icon_path=ROOT / "LICENSE"))  # a newer one
    icon = setup.data_home / "icons/hicolor/scalable/apps/nobg.svg"
    assert icon.read_bytes() == (ROOT / "LICENSE").read_bytes()
    base.uninstall(nemo, setup)
    assert icon.is_file()
    assert not base.uninstall(dolphin, setup).problems
    assert snapshot_tree(setup.home) == {}


def test_a_folder_of_ours_that_others_use_goes_with_the_last_of_ours(setup: Setup) -> None:
    nautilus, nemo = (one for one in TARGETS if one.key in ("nautilus", "nemo"))
    base.install(nautilus, setup)
    base.install(nemo, setup)
    other = setup.data_home / "nautilus" / "scripts" / "other"
    other.touch()
    base.uninstall(nautilus, setup)
    other.unlink()
    base.uninstall(nemo, setup)
    assert snapshot_tree(setup.home) == {}


def test_a_damaged_record_is_said_and_nothing_is_done(manager: Target, setup: Setup) -> None:
    setup.record_path.parent.mkdir(parents=True)
    setup.record_path.write_text("{")
    before = snapshot_tree(setup.home)
    for act in (base.install, base.uninstall, base.status):
        with pytest.raises(IntegrationError, match="damaged"):
            act(manager, setup)
    assert snapshot_tree(setup.home) == before


def golden_setup(setup: Setup) -> Setup:
    return replace(setup, client_command=GOLDEN_CLIENT, resident_command=GOLDEN_PROGRAM)


def test_golden_files(manager: Target, setup: Setup) -> None:
    """NOBG_GOLDEN=write makes them anew; look at the difference before you keep it.

    One text for each target: the names in it are such that a checkout on Windows could not have them.
    """
    base.install(manager, golden_setup(setup))
    system = "macos" if manager is autostart_target("darwin") else "linux"
    path = GOLDEN / system / f"{manager.key}.txt"
    left_out = ("menu.json", "nobg.svg", "mimeinfo.cache")
    found = [(name, file) for name, file in all_files(setup.home) if not name.endswith(left_out)]
    written = "\n".join(f"=== {name}{executable(file)}\n{file.read_text()}" for name, file in sorted(found))
    if os.environ.get("NOBG_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written)
    assert written == path.read_text()


def executable(path: Path) -> str:
    return " (executable)" if path.stat().st_mode & 0o100 else ""


def all_files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("key", ["nemo", "dolphin", "pcmanfm", "open-with"])
def test_commands_come_apart_as_they_were_meant(key: str, setup: Setup) -> None:
    setup = golden_setup(setup)
    (manager,) = (one for one in TARGETS if one.key == key)
    lines = b"\n".join(file.content for file in owned_files(manager, setup)).decode().splitlines()
    commands = [as_glib_reads(line.removeprefix("Exec=")) for line in lines if line.startswith("Exec=")]
    wanted = [[*GOLDEN_CLIENT, *verb.arguments, "--", "%U"] for verb in setup.verbs]
    assert commands == (wanted[:1] if key == "open-with" else wanted)


def as_glib_reads(line: str) -> list[str]:
    """A value of a key file, then a command line, then its field codes (but %U)."""
    value = re.sub(r"\\(.)", lambda escape: {"s": " "}.get(escape[1], escape[1]), line)
    words = [quoted or plain for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)]
    plain = [re.sub(r'\\(["`$\\])', r"\1", word) for word in words]
    return [word if word == "%U" else word.replace("%%", "%") for word in plain]


def test_a_field_code_in_a_name_stays_a_name() -> None:
    assert quoting.exec_line(["a%U", "b"], "%U") == "a%%U b %U" or quoting.exec_line(["a%U"], "%U") == '"a%%U" %U'


def test_labels_are_unique_and_a_recipe_may_take_a_built_in_name() -> None:
    table = build_verbs([("a", REMOVE_LABEL), ("b", "Same"), ("c", "Same"), ("white", "My white"), ("d", "")])
    labels = [verb.label for verb in table]
    assert len(set(labels)) == len(labels)
    assert labels[:2] == [REMOVE_LABEL, "My white"]
    assert len({verb.key for verb in table}) == len(table)
    assert [verb.arguments for verb in table][:2] == [(), ("--recipe", "white")]


def test_keys_stay_when_recipes_come_and_go() -> None:
    keys = {verb.label: verb.key for verb in build_verbs(CUSTOM_RECIPES)}
    assert {verb.label: verb.key for verb in build_verbs(CUSTOM_RECIPES[2:])}["a/b"] == keys["a/b"]
    assert all(key.replace("-", "").isalnum() and key.isascii() for key in keys.values())


def test_flat_labels_begin_alike() -> None:
    assert [flat_label(verb).startswith(REMOVE_LABEL) for verb in build_verbs(CUSTOM_RECIPES)] == [True] * 8
    assert SUBMENU_LABEL.startswith(REMOVE_LABEL)


def test_file_names_are_shown_and_are_none_twice() -> None:
    names = quoting.file_names(["a/b", ".hidden", "..", "50%", "x" * 300, "x" * 301, "", ODD_NAME])
    assert len(set(names)) == len(names)
    assert not [name for name in names if "/" in name or "%" in name or name.startswith(".") or len(name) > 220]


def test_a_new_file_manager_is_one_line(setup: Setup) -> None:
    keys = [one.key for one in file_managers("linux")]
    assert keys == ["nautilus", "nemo", "caja", "dolphin", "thunar", "pcmanfm", "open-with"]
    assert all(one.is_present(setup) for one in file_managers("linux"))


def test_integrations_load_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import integrations; light = set(sys.modules) - before;"
        "integrations.managers('linux'); integrations.start_at_login('linux'); integrations.start_at_login('darwin');"
        "print(*light, '|', *{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    light, _, all_of_it = done.stdout.partition("|")
    assert set(light.split()) == {"__future__", "integrations"}
    assert not set(all_of_it.split()) - set(sys.stdlib_module_names) - {"integrations"}


def test_a_file_manager_that_runs_since_before_needs_a_restart(tmp_path: Path) -> None:
    written = tmp_path / "written"
    written.touch()
    os.utime(written, (1000, 1000))
    process = tmp_path / "proc" / "7"
    process.mkdir(parents=True)
    (tmp_path / "proc" / "stat").write_text("cpu 1 2\nbtime 900\n")
    (process / "comm").write_text("thunar\n")

    def needed(seconds: int) -> bool:
        ticks = seconds * os.sysconf("SC_CLK_TCK")
        (process / "stat").write_text(f"7 (th) unar) S {' '.join('0' for _ in range(18))} {ticks} 0\n")
        return processes.has_process_older_than("thunar", [written], tmp_path / "proc")

    assert needed(99)
    assert not needed(101)
    assert not processes.has_process_older_than("nautilus", [written], tmp_path / "proc")
    assert not processes.has_process_older_than("", [written], tmp_path / "proc")


def test_the_processes_of_this_machine_can_be_read(tmp_path: Path) -> None:
    name = Path("/proc/self/comm").read_text().strip() if os.path.isdir("/proc/self") else ""
    new = tmp_path / "new"
    new.touch()
    assert processes.has_process_older_than(name, [new], Path("/proc")) == bool(name)


@pytest.mark.parametrize("command", [["add", "--"], ["--version"]])
def test_a_checkout_runs_as_it_lies_there(command: list[str]) -> None:
    script = ROOT / "integrations" / "checkout.py"
    done = subprocess.run(
        [sys.executable, "-P", "-S", script, *command], cwd="/", env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "nobg" in done.stdout + done.stderr) == ({"add": 2}.get(command[0], 0), True), done.stderr


def test_the_record_can_be_read_by_people(setup: Setup) -> None:
    base.install(TARGETS[0], setup)
    record = json.loads(setup.record_path.read_text())
    assert str(setup.data_home / "nautilus" / "scripts" / REMOVE_LABEL) in record["entries"]
