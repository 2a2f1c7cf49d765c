"""Start at login: what each system is told."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

from integrations import autostart_target, base
from integrations.autostart import LAUNCH_AGENT
from tests.support.menus import make_setup


def test_the_launch_agent_starts_the_program_as_it_is(tmp_path: Path) -> None:
    setup = replace(make_setup(tmp_path), resident_command=("/it's <here>/nobg", "run"))
    base.install(LAUNCH_AGENT, setup)
    agent = plistlib.loads((setup.home / "Library" / "LaunchAgents" / "nobg.plist").read_bytes())
    assert agent["ProgramArguments"] == ["/it's <here>/nobg", "run"]
    assert agent["RunAtLoad"] is True
    assert agent["Label"] == "nobg"


def test_each_system_has_its_own(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    where = {system: base.install(autostart_target(system), setup).addresses for system in ("linux", "darwin")}
    assert str(setup.config_home / "autostart" / "nobg.desktop") in where["linux"]
    assert not set(where["linux"]) & set(where["darwin"])
