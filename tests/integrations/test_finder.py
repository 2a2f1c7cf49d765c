"""finder.py and the LaunchAgent: the bundles' keys, and what zsh makes of their command."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import unicodedata
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations import autostart_target, base, file_managers
from integrations.autostart import LAUNCH_AGENT
from integrations.base import Setup
from integrations.macos import finder
from integrations.macos.finder import FINDER
from integrations.verbs import build_verbs
from tests.support.menus import ODD_NAME, snapshot_tree
from tests.support.program import ROOT

GOLDEN = ROOT / "tests" / "golden" / "macos" / "finder"

NAMES = (
    "a b.png",
    "-d.png",
    "--recipe",
    "q'\"$x`id`.png",
    "n\nl.png",
    "é.png",
    "~",
    "=ls",
    "*",
    "!x \\ %20 (1) & ;.png",
    "",
)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    home = tmp_path / "home"
    home.mkdir()
    return Setup(
        client_command=("/Users/jo/it's nobg/bin/nobg-add",),
        resident_command=("/Users/jo/it's nobg/bin/nobg", "run"),
        verbs=build_verbs((("shop", "For the shop"),)),
        suffixes=(),
        mime_types=(),
        icon_path=tmp_path / "icon.svg",
        record_path=home / "nobg" / "menu.json",
        home=home,
        config_home=home / ".config",
        data_home=home / ".local" / "share",
    )


@pytest.fixture(autouse=True)
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was run so that the system looks again."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(subprocess, "run", recording(commands, subprocess.run))
    return commands


def recording(commands: list[tuple[str, ...]], really: Any) -> Any:
    def run(command: Any, **options: Any) -> Any:
        if command[0].startswith("/System"):
            commands.append(tuple(command))
            raise FileNotFoundError(command[0])
        return really(command, **options)

    return run


def written(setup: Setup) -> dict[str, bytes]:
    services = setup.home / "Library" / "Services"
    return {str(path.relative_to(services)): path.read_bytes() for path in services.rglob("*") if path.is_file()}


def test_a_mac_has_finder() -> None:
    assert file_managers("darwin") == (FINDER,)
    assert autostart_target("darwin") is LAUNCH_AGENT


def test_install_twice_is_install_once_and_uninstall_leaves_nothing(
    setup: Setup, flushed: list[tuple[str, ...]]
) -> None:
    assert base.install(FINDER, setup).problems == ()
    once = snapshot_tree(setup.home / "Library")
    assert not base.install(FINDER, setup).changed
    assert snapshot_tree(setup.home / "Library") == once
    assert flushed == [("/System/Library/CoreServices/pbs", "-flush")]
    base.uninstall(FINDER, setup)
    assert snapshot_tree(setup.home) == {}
    assert len(flushed) == 2


def test_the_services_of_others_stay(setup: Setup) -> None:
    other = setup.home / "Library" / "Services" / "Other.workflow" / "Contents" / "Info.plist"
    other.parent.mkdir(parents=True)
    other.write_text("theirs")
    before = {name: content for name, (_, _, content) in snapshot_tree(setup.home).items()}
    base.install(FINDER, setup)
    base.install(FINDER, replace(setup, verbs=build_verbs((("other", "Other"),))))
    assert "Other (nobg).workflow/Contents/Info.plist" in written(setup)
    assert not any(name.startswith("For the shop") for name in written(setup))
    assert not list(setup.home.rglob("For the shop*"))
    base.uninstall(FINDER, setup)
    assert {name: content for name, (_, _, content) in snapshot_tree(setup.home).items()} == before


def test_golden_files(setup: Setup) -> None:
    """NOBG_GOLDEN=write makes them anew; look at the difference before you keep it."""
    base.install(FINDER, setup)
    found = written(setup)
    if os.environ.get("NOBG_GOLDEN") == "write":
        for name, content in found.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_bytes(content)
    assert found == {str(path.relative_to(GOLDEN)): path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()}


def test_each_quick_action_says_whose_it_is(setup: Setup) -> None:
    table = build_verbs(
        (("shop", "For the shop"), ("a", "a/b: c"), ("b", "Same"), ("c", "SAME"), ("d", "\u00e4"), ("e", "A\u0308"))
    )
    base.install(FINDER, replace(setup, verbs=table))
    bundles = {name.partition(".workflow/")[0] for name in written(setup)}
    assert bundles == {
        "Remove Background (nobg)",
        "White Background (nobg)",
        "Crop to Subject (nobg)",
        "Mask Only (nobg)",
        "For the shop (nobg)",
        "a\N{DIVISION SLASH}b\N{MODIFIER LETTER COLON} c (nobg)",
        "Same (nobg)",
        f"SAME (nobg, {table[7].key})",
        "\u00e4 (nobg)",
        f"A\u0308 (nobg, {table[9].key})",
    }
    assert len({unicodedata.normalize("NFC", name).casefold() for name in bundles}) == len(table)
    labels = {
        plistlib.loads(content)["NSServices"][0]["NSMenuItem"]["default"]
        for name, content in written(replace(setup)).items()
        if name.endswith("Info.plist")
    }
    assert "a/b: c (nobg)" in labels
    assert len(labels) == len(table)


def test_a_bundle_is_a_service_for_pictures_in_finder(setup: Setup) -> None:
    ids = []
    for verb in setup.verbs:
        (service,) = finder.info_plist("x")["NSServices"]
        assert service["NSMessage"] == "runWorkflowAsService"
        assert service["NSSendFileTypes"] == ["public.image"]
        document = finder.workflow_document(setup, verb)
        (action,) = document["actions"]
        assert document["workflowMetaData"]["workflowTypeIdentifier"] == "com.apple.Automator.servicesMenu"
        assert action["action"]["BundleIdentifier"] == "com.apple.RunShellScript"
        assert action["action"]["ActionParameters"]["inputMethod"] == 1
        ids += [action["action"][name] for name in ("InputUUID", "OutputUUID", "UUID")]
    assert all(str(uuid.UUID(one)).upper() == one for one in ids)
    assert len(set(ids)) == 3 * len(setup.verbs)


@pytest.mark.skipif(shutil.which("plistutil") is None, reason="plistutil is not installed (Debian: libplist-utils)")
def test_another_reader_of_property_lists_agrees(setup: Setup, tmp_path: Path) -> None:
    base.install(FINDER, replace(setup, verbs=build_verbs(((ODD_NAME, ODD_NAME),))))
    base.install(autostart_target("darwin"), setup)
    lists = [path for path in setup.home.rglob("*") if path.suffix in {".plist", ".wflow"}]
    assert len(lists) == 2 * 5 + 1
    for path in lists:
        subprocess.run(["plistutil", "-i", path, "-f", "bin", "-o", tmp_path / "binary"], check=True)
        assert plistlib.loads((tmp_path / "binary").read_bytes()) == plistlib.loads(path.read_bytes())


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("options", ["", "setopt RC_QUOTES MAGIC_EQUAL_SUBST EXTENDED_GLOB NULL_GLOB SH_WORD_SPLIT"])
def test_zsh_hands_every_name_over_whole(setup: Setup, tmp_path: Path, options: str) -> None:
    (tmp_path / ".zshenv").write_text(options)
    client = tmp_path / 'it\'s "my" $HOME' / "nobg add"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n')
    client.chmod(0o755)
    own = build_verbs(((ODD_NAME, "1"), ("=ls", "2"), ("~", "3"), ("-- '' !x", "4"), ("''", "5")))
    chosen = replace(setup, client_command=("/usr/bin/env", "NOBG_HOME=/a b/~", str(client)), verbs=own)
    for verb in chosen.verbs:
        action = finder.workflow_document(chosen, verb)["actions"][0]["action"]
        parameters = action["ActionParameters"]
        # what Automator does when input is passed as arguments
        done = subprocess.run(
            [parameters["shell"].removeprefix("/bin/"), "-c", parameters["COMMAND_STRING"], "-", *NAMES],
            env={**os.environ, "ZDOTDIR": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().split("\0")[:-1] == [*verb.arguments, "--", *NAMES]
        assert done.stderr == b""


def test_where_to_enable_it_is_said(setup: Setup) -> None:
    base.install(FINDER, setup)
    assert "Quick Actions" in base.status(FINDER, setup).hint
    assert "System Settings" in base.status(FINDER, setup).hint
