"""Start at login: what nobg writes on each system."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

from integrations import autostart_target, installer
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
