"""Start at login: what each system is told."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path

from integrations import base, start_at_login
from integrations.autostart import LAUNCH_AGENT
from tests.support.menus import make_setup


def test_the_launch_agent_starts_the_program_as_it_is(tmp_path: Path) -> None:
    setup = replace(make_setup(tmp_path), program=("/it's <here>/nobg", "run"))
    base.install(LAUNCH_AGENT, setup)
    agent = plistlib.loads((setup.home / "Library" / "LaunchAgents" / "nobg.plist").read_bytes())
    assert agent["ProgramArguments"] == ["/it's <here>/nobg", "run"]
    assert agent["RunAtLoad"] is True
    assert agent["Label"] == "nobg"


def test_each_system_has_its_own(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    where = {system: base.install(start_at_login(system), setup).where for system in ("linux", "darwin")}
    assert str(setup.config / "autostart" / "nobg.desktop") in where["linux"]
    assert not set(where["linux"]) & set(where["darwin"])
