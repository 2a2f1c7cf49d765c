"""Start at login: what nobg writes on each system."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

import pytest

from integrations import autostart_target, installer
from integrations.context import Setup
from integrations.files import File
from integrations.linux.autostart import XDG_AUTOSTART, desktop_entry, read_start
from integrations.macos.autostart import LAUNCH_AGENT
from tests.support.menus import make_setup


def test_the_launch_agent_starts_the_program_as_it_is(tmp_path: Path) -> None:
    setup = replace(make_setup(tmp_path), resident_command=("/it's <here>/nobg", "run"))
    installer.install(LAUNCH_AGENT, setup)
    agent = plistlib.loads((setup.home / "Library" / "LaunchAgents" / "nobg.plist").read_bytes())
    assert agent["ProgramArguments"] == ["/it's <here>/nobg", "run"]
    assert agent["RunAtLoad"] is True
    assert agent["Label"] == "nobg"


def test_each_system_has_its_own_file(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    systems = ("linux", "darwin")
    addresses = {system: installer.install(autostart_target(system), setup).addresses for system in systems}
    assert str(setup.config_home / "autostart" / "nobg.desktop") in addresses["linux"]
    assert not set(addresses["linux"]) & set(addresses["darwin"])


SWITCHES = ("Hidden=true", "X-GNOME-Autostart-enabled=false", "X-MATE-Autostart-enabled=false")
DESKTOPS = {"X-GNOME-Autostart-enabled=false": "GNOME", "X-MATE-Autostart-enabled=false": "MATE"}


def install_entry(folder: Path, *added_lines: str, desktop: str = "") -> tuple[Setup, Path]:
    """Install the start at login on this desktop, then add lines as the desktop's own settings do."""
    setup = replace(make_setup(folder), desktops=tuple(filter(None, [desktop])))
    installer.install(XDG_AUTOSTART, setup)
    path = setup.config_home / "autostart" / "nobg.desktop"
    path.write_text(path.read_text() + "".join(f"{line}\n" for line in added_lines))
    return setup, path


@pytest.mark.parametrize("switch", SWITCHES)
def test_switched_off_in_the_desktops_settings_is_off_and_on_sets_it_back(switch: str, tmp_path: Path) -> None:
    setup, path = install_entry(tmp_path, switch, desktop=DESKTOPS.get(switch, "XFCE"))
    start = read_start(setup)
    assert not start.starts
    assert switch in start.reason
    assert not installer.status(XDG_AUTOSTART, setup).problems  # the person's choice needs no repair
    assert not installer.install(XDG_AUTOSTART, setup).problems
    assert read_start(setup).starts
    assert switch not in path.read_text()


@pytest.mark.parametrize("switch", SWITCHES[1:])
@pytest.mark.parametrize("desktop", ["KDE", ""])
def test_a_switch_of_another_desktop_does_not_count_as_off(switch: str, desktop: str, tmp_path: Path) -> None:
    setup, _ = install_entry(tmp_path, switch, desktop=desktop)
    start = read_start(setup)
    assert start.starts
    assert switch in " ".join(start.notes)


def test_a_delay_of_the_desktop_is_reported_and_on_removes_it(tmp_path: Path) -> None:
    setup, path = install_entry(tmp_path, "X-GNOME-Autostart-Delay=30", desktop="X-Cinnamon")
    start = read_start(setup)
    assert start.starts
    assert "30 s" in " ".join(start.notes)
    installer.install(XDG_AUTOSTART, setup)
    assert "Delay" not in path.read_text()
    assert not read_start(setup).notes


@pytest.mark.parametrize("line", [*SWITCHES, "X-GNOME-Autostart-Delay=30", "Name[de]=nobg", "NoDisplay=false"])
def test_off_removes_the_entry_whatever_the_desktop_added(line: str, tmp_path: Path) -> None:
    setup, path = install_entry(tmp_path, line)
    assert not installer.uninstall(XDG_AUTOSTART, setup).problems
    assert not path.exists()


def test_off_removes_an_entry_that_the_desktop_has_sorted_and_an_older_nobg_wrote(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    content = b"".join(
        line for line in desktop_entry(setup).splitlines(keepends=True) if not line.startswith(b"TryExec")
    )
    older = File(setup.config_home / "autostart" / "nobg.desktop", content)
    installer.install(replace(XDG_AUTOSTART, artifacts=lambda _: [older], artifact_types=(File,)), setup)
    header, *lines = content.decode().splitlines()
    older.path.write_text("\n".join([header, *sorted([*lines, "Hidden=true"], reverse=True), ""]))
    assert not installer.uninstall(XDG_AUTOSTART, setup).problems
    assert not older.path.exists()


def test_an_entry_with_another_command_stays_and_counts_as_on(tmp_path: Path) -> None:
    setup, path = install_entry(tmp_path)
    path.write_text(path.read_text().replace("Exec=", "Exec=nice "))
    assert installer.uninstall(XDG_AUTOSTART, setup).problems
    assert path.exists()
    path.write_text(path.read_text().replace("TryExec=nice ", "TryExec="))
    assert read_start(setup).starts


@pytest.mark.parametrize("desktop", ["sway", "i3", "Hyprland"])
def test_a_desktop_without_autostart_files_is_named_with_the_command(desktop: str, tmp_path: Path) -> None:
    setup, _ = install_entry(tmp_path, desktop=desktop)
    start = read_start(setup)
    assert not start.starts
    assert start.reason.startswith(f"{desktop} starts nothing from autostart files")
    assert start.reason.endswith("nobg run")


def test_an_entry_for_other_desktops_only_does_not_start_here(tmp_path: Path) -> None:
    setup, _ = install_entry(tmp_path, "OnlyShowIn=MATE;XFCE;", desktop="KDE")
    assert not read_start(setup).starts
    assert read_start(replace(setup, desktops=("XFCE",))).starts


def test_an_entry_whose_program_is_gone_starts_nothing(tmp_path: Path) -> None:
    setup, _ = install_entry(tmp_path)
    Path(setup.resident_program).unlink()
    assert "is gone" in read_start(setup).reason


def test_an_entry_whose_program_no_folder_can_have_does_not_start(tmp_path: Path) -> None:
    for number, program in enumerate(("/a\0b", "/" + "a" * 5000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        setup, path = install_entry(folder, f"TryExec={program}")
        assert read_start(setup).starts is False
        assert "is gone" in read_start(setup).reason
        assert path.exists()


def test_a_folder_of_programs_that_may_not_be_searched_has_none(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    long_folder = Path("/" + "a" * 300)
    assert not replace(setup, search_path=(long_folder, Path("/zero\0"))).has_program("thunar")
    assert replace(setup, search_path=(long_folder, *setup.search_path)).has_program("thunar")
