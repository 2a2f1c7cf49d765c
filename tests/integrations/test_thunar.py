"""Thunar's one file, in which nobg's actions are among the person's."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from integrations import installer
from integrations.context import Setup
from integrations.linux.thunar import THUNAR
from integrations.verbs import GONE_TEXT_THUNAR, REMOVE_LABEL, SUBMENU_LABEL, TOUCH_UP_LABEL, build_verbs
from tests.support.menus import ODD_NAME, SYSTEM_ACTIONS, make_setup, snapshot_tree

MINE = b"""<?xml version='1.0' encoding='UTF-8'?>\r
<actions><!-- mine -->
  <action><name>Mine &amp; \xc3\xa9</name><unique-id>1-1</unique-id><command>true %f</command></action></actions>
<!-- the end -->"""


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


@pytest.fixture
def uca(setup: Setup) -> Path:
    path = setup.config_home / "Thunar" / "uca.xml"
    path.parent.mkdir(parents=True)
    path.write_bytes(MINE)
    return path


def action_names(path: Path) -> list[str | None]:
    return [action.findtext("name") for action in ET.fromstring(path.read_bytes()).findall("action")]


def test_nobgs_actions_come_after_the_persons(setup: Setup, uca: Path) -> None:
    installer.install(THUNAR, setup)
    assert action_names(uca) == ["Mine & é", *(verb.label.replace("_", "__") for verb in setup.all_verbs)]
    assert uca.read_bytes().startswith(MINE.partition(b"</actions>")[0])
    assert uca.read_bytes().endswith(b"</actions>\n<!-- the end -->")


def test_each_action_is_complete(setup: Setup, uca: Path) -> None:
    installer.install(THUNAR, setup)
    first, *others, touch_up = ET.fromstring(uca.read_bytes()).findall("action")[1:]
    assert (first.findtext("name"), first.findtext("submenu")) == (REMOVE_LABEL, "")
    assert {action.findtext("submenu") for action in others} == {SUBMENU_LABEL}
    assert ODD_NAME in [action.findtext("name") for action in others]
    for action in (first, *others):
        assert action.find("image-files") is not None
        assert action.find("text-files") is None
        assert (action.findtext("command") or "").endswith("-- %U")
        assert action.find("directories") is not None
    assert (touch_up.findtext("name"), touch_up.findtext("submenu")) == (TOUCH_UP_LABEL, "")
    assert touch_up.find("directories") is None
    assert (touch_up.findtext("command") or "").endswith("-- %u")  # so Thunar does not show it on several pictures


@pytest.mark.parametrize(
    "content",
    [
        MINE,
        SYSTEM_ACTIONS,
        b"<actions/>",
        b"<actions></actions>",
        b"",
        b"\n",
        b"<actions>\n  </actions>\n",
        b"<?xml version='1.0' encoding='ISO-8859-1'?><actions><action><name>\xe9</name></action></actions>",
    ],
)
def test_uninstall_restores_the_file_byte_for_byte(content: bytes, setup: Setup, uca: Path) -> None:
    uca.write_bytes(content)
    uca.chmod(0o600)
    installer.install(THUNAR, setup)
    assert REMOVE_LABEL in action_names(uca)
    assert uca.stat().st_mode & 0o777 == 0o600
    installer.install(THUNAR, replace(setup, verbs=build_verbs()))
    assert action_names(uca).count(REMOVE_LABEL) == 1
    installer.uninstall(THUNAR, setup)
    assert uca.read_bytes() == content
    assert uca.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"<actions>", b"no xml", b"<other></other>", "<actions></actions>".encode("utf-16")]
)
def test_a_file_in_another_format_is_not_changed(content: bytes, setup: Setup, uca: Path) -> None:
    uca.write_bytes(content)
    (problem,) = installer.install(THUNAR, setup).problems
    assert str(uca) in problem
    assert uca.read_bytes() == content
    installer.uninstall(THUNAR, setup)
    assert uca.read_bytes() == content


def test_without_a_file_the_systems_actions_stay_and_uninstall_deletes_the_file(setup: Setup) -> None:
    installer.install(THUNAR, setup)
    uca = setup.config_home / "Thunar" / "uca.xml"
    assert action_names(uca)[:2] == ["Open Terminal Here", REMOVE_LABEL]
    installer.uninstall(THUNAR, setup)
    assert snapshot_tree(setup.home) == {}


def test_the_systems_actions_are_found_in_folders_that_the_session_does_not_name(setup: Setup) -> None:
    xfce_folder = setup.root / "etc/xdg/xdg-xfce/Thunar"
    (setup.root / "etc/xdg/Thunar").rename(setup.root / "etc/xdg/elsewhere")
    xfce_folder.mkdir(parents=True)
    (xfce_folder / "uca.xml").write_bytes(SYSTEM_ACTIONS)
    installer.install(THUNAR, setup)
    assert action_names(setup.config_home / "Thunar" / "uca.xml")[0] == "Open Terminal Here"


def test_an_action_that_the_person_added_stays(setup: Setup, uca: Path) -> None:
    installer.install(THUNAR, setup)
    added = b"<action><name>New</name><unique-id>2-2</unique-id></action>"
    uca.write_bytes(uca.read_bytes().replace(b"<!-- mine -->", b"<!-- mine -->" + added))
    assert installer.status(THUNAR, setup).state == "current"
    installer.uninstall(THUNAR, setup)
    assert uca.read_bytes() == MINE.replace(b"<!-- mine -->", b"<!-- mine -->" + added)


def test_a_file_that_thunar_rewrote_is_understood(setup: Setup, uca: Path) -> None:
    installer.install(THUNAR, setup)
    root = ET.fromstring(uca.read_bytes())
    uca.write_bytes(ET.tostring(root))
    assert installer.status(THUNAR, setup).state == "current"
    uca.write_bytes(ET.tostring(root).replace(REMOVE_LABEL.encode(), b"Renamed", 1))
    assert installer.status(THUNAR, setup).state == "stale"
    installer.install(THUNAR, setup)
    assert action_names(uca).count(REMOVE_LABEL) == 1
    installer.uninstall(THUNAR, setup)
    assert action_names(uca) == ["Mine & é"]


def test_uninstall_restores_what_the_last_install_found(setup: Setup, uca: Path) -> None:
    installer.install(THUNAR, setup)
    changed = uca.read_bytes().replace(b"true %f", b"false %f")
    uca.write_bytes(changed)
    installer.install(THUNAR, replace(setup, verbs=build_verbs()))
    installer.uninstall(THUNAR, setup)
    assert uca.read_bytes() == MINE.replace(b"true %f", b"false %f")


def test_a_link_stays_a_link(setup: Setup, uca: Path) -> None:
    elsewhere = setup.home / "dotfiles"
    uca.rename(elsewhere)
    uca.symlink_to(elsewhere)
    installer.install(THUNAR, setup)
    assert uca.is_symlink()
    assert REMOVE_LABEL in action_names(elsewhere)
    installer.uninstall(THUNAR, setup)
    assert uca.is_symlink()
    assert elsewhere.read_bytes() == MINE


def test_an_action_starts_the_client_or_says_that_nobg_was_removed(
    setup: Setup, uca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    client = tmp_path / 'it\'s "my" $HOME 100%' / "nobg-add"
    client.parent.mkdir()
    for path in (programs / "notify-send", client):
        path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    setup = replace(setup, client_command=(str(client),))
    installer.install(THUNAR, setup)
    action = ET.fromstring(uca.read_bytes()).findall("action")[-2]
    command = (action.findtext("command") or "").replace("%%", "%").removesuffix("%U")  # as Thunar expands it
    uris = ["file:///a%20b.jpg", "file:///'c'.jpg"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(f"{command} {shlex.join(uris)}", shell=True, capture_output=True, text=True, check=False)

    assert run().stdout.splitlines() == [*setup.verbs[-1].arguments, "--", *uris]
    client.unlink()
    assert run().stdout.splitlines() == ["--app-name=nobg", "--", "nobg", GONE_TEXT_THUNAR]
    assert run().returncode == 1
