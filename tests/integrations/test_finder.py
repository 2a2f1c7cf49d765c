"""Finder's Quick Actions: the keys of the bundles, and how zsh runs their command."""

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

from integrations import autostart_target, file_managers, installer
from integrations.context import Setup
from integrations.macos import finder
from integrations.macos.autostart import LAUNCH_AGENT
from integrations.macos.finder import FINDER
from integrations.verbs import GONE_TEXT, TOUCH_UP, build_verbs
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
def refresh_commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record the commands of macOS that make the system read the services again; they fail, as they do elsewhere."""
    commands: list[tuple[str, ...]] = []
    real_run: Any = subprocess.run

    def run(command: Any, **options: Any) -> Any:
        if command[0].startswith("/System"):
            commands.append(tuple(command))
            raise FileNotFoundError(command[0])
        return real_run(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def service_files(setup: Setup) -> dict[str, bytes]:
    services = setup.home / "Library" / "Services"
    return {str(path.relative_to(services)): path.read_bytes() for path in services.rglob("*") if path.is_file()}


def test_a_mac_has_finder() -> None:
    assert file_managers("darwin") == (FINDER,)
    assert autostart_target("darwin") is LAUNCH_AGENT


def test_install_twice_is_install_once_and_uninstall_leaves_nothing(
    setup: Setup, refresh_commands: list[tuple[str, ...]]
) -> None:
    assert installer.install(FINDER, setup).problems == ()
    tree_after_first = snapshot_tree(setup.home / "Library")
    assert not installer.install(FINDER, setup).changed
    assert snapshot_tree(setup.home / "Library") == tree_after_first
    assert refresh_commands == [("/System/Library/CoreServices/pbs", "-flush")]
    installer.uninstall(FINDER, setup)
    assert snapshot_tree(setup.home) == {}
    assert len(refresh_commands) == 2


def test_the_services_of_others_stay(setup: Setup) -> None:
    other = setup.home / "Library" / "Services" / "Other.workflow" / "Contents" / "Info.plist"
    other.parent.mkdir(parents=True)
    other.write_text("theirs")
    before = {name: content for name, (_, _, content) in snapshot_tree(setup.home).items()}
    installer.install(FINDER, setup)
    installer.install(FINDER, replace(setup, verbs=build_verbs((("other", "Other"),))))
    assert "Other (nobg).workflow/Contents/Info.plist" in service_files(setup)
    assert not any(name.startswith("For the shop") for name in service_files(setup))
    assert not list(setup.home.rglob("For the shop*"))
    installer.uninstall(FINDER, setup)
    assert {name: content for name, (_, _, content) in snapshot_tree(setup.home).items()} == before


def test_golden_files(setup: Setup) -> None:
    """Compare with tests/golden. NOBG_GOLDEN=write rewrites them; check the difference before you commit it."""
    installer.install(FINDER, replace(setup, touch_up=TOUCH_UP))
    files = service_files(setup)
    if os.environ.get("NOBG_GOLDEN") == "write":
        for name, content in files.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_bytes(content)
    assert files == {str(path.relative_to(GOLDEN)): path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()}


def test_each_quick_action_names_nobg(setup: Setup) -> None:
    verbs = build_verbs(
        (("shop", "For the shop"), ("a", "a/b: c"), ("b", "Same"), ("c", "SAME"), ("d", "\u00e4"), ("e", "A\u0308"))
    )
    installer.install(FINDER, replace(setup, verbs=verbs))
    bundles = {name.partition(".workflow/")[0] for name in service_files(setup)}
    assert bundles == {
        "Remove Background (nobg)",
        "White Background (nobg)",
        "Crop to Subject (nobg)",
        "Mask Only (nobg)",
        "For the shop (nobg)",
        "a\N{DIVISION SLASH}b\N{MODIFIER LETTER COLON} c (nobg)",
        "Same (nobg)",
        f"SAME (nobg, {verbs[7].key})",
        "\u00e4 (nobg)",
        f"A\u0308 (nobg, {verbs[9].key})",
    }
    assert len({unicodedata.normalize("NFC", name).casefold() for name in bundles}) == len(verbs)
    labels = {
        plistlib.loads(content)["NSServices"][0]["NSMenuItem"]["default"]
        for name, content in service_files(setup).items()
        if name.endswith("Info.plist")
    }
    assert "a/b: c (nobg)" in labels
    assert len(labels) == len(verbs)


def test_a_bundle_is_a_service_for_pictures_in_finder(setup: Setup) -> None:
    ids = []
    for verb in setup.verbs:
        (service,) = finder.info_plist("x")["NSServices"]
        assert service["NSMessage"] == "runWorkflowAsService"
        assert service["NSSendFileTypes"] == ["public.image"]
        document = finder.workflow_document(setup, verb, "a.workflow")
        (action,) = document["actions"]
        assert document["workflowMetaData"]["workflowTypeIdentifier"] == "com.apple.Automator.servicesMenu"
        assert action["action"]["BundleIdentifier"] == "com.apple.RunShellScript"
        assert action["action"]["ActionParameters"]["inputMethod"] == 1
        ids += [action["action"][name] for name in ("InputUUID", "OutputUUID", "UUID")]
    assert all(str(uuid.UUID(action_id)).upper() == action_id for action_id in ids)
    assert len(set(ids)) == 3 * len(setup.verbs)


@pytest.mark.skipif(shutil.which("plistutil") is None, reason="plistutil is not installed (Debian: libplist-utils)")
def test_another_reader_of_property_lists_agrees(setup: Setup, tmp_path: Path) -> None:
    installer.install(FINDER, replace(setup, verbs=build_verbs(((ODD_NAME, ODD_NAME),))))
    installer.install(autostart_target("darwin"), setup)
    lists = [path for path in setup.home.rglob("*") if path.suffix in {".plist", ".wflow"}]
    assert len(lists) == 2 * 5 + 1
    for path in lists:
        subprocess.run(["plistutil", "-i", path, "-f", "bin", "-o", tmp_path / "binary"], check=True)
        assert plistlib.loads((tmp_path / "binary").read_bytes()) == plistlib.loads(path.read_bytes())


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("options", ["", "setopt RC_QUOTES MAGIC_EQUAL_SUBST EXTENDED_GLOB NULL_GLOB SH_WORD_SPLIT"])
def test_zsh_passes_every_name_whole(setup: Setup, tmp_path: Path, options: str) -> None:
    (tmp_path / ".zshenv").write_text(options)
    client = tmp_path / 'it\'s "my" $HOME' / "nobg add"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n')
    client.chmod(0o755)
    odd_verbs = build_verbs(((ODD_NAME, "1"), ("=ls", "2"), ("~", "3"), ("-- '' !x", "4"), ("''", "5")))
    odd_setup = replace(setup, client_command=("/usr/bin/env", "NOBG_HOME=/a b/~", str(client)), verbs=odd_verbs)
    for verb in odd_setup.verbs:
        action = finder.workflow_document(odd_setup, verb, "a.workflow")["actions"][0]["action"]
        parameters = action["ActionParameters"]
        # Automator runs this when it passes its input as arguments.
        result = subprocess.run(
            [parameters["shell"].removeprefix("/bin/"), "-c", parameters["COMMAND_STRING"], "-", *NAMES],
            env={**os.environ, "ZDOTDIR": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        assert result.stdout.decode().split("\0")[:-1] == [*verb.arguments, "--", *NAMES]
        assert result.stderr == b""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("names", "shown"), [(["a.png"], "--edit -- a.png"), (["a.png", "b.png"], "Select one picture")]
)
def test_touching_up_asks_for_one_picture(setup: Setup, tmp_path: Path, names: list[str], shown: str) -> None:
    for name in ("osascript", "client"):
        (tmp_path / name).write_text('#!/bin/sh\nprintf "%s " "$@"\n')
        (tmp_path / name).chmod(0o755)
    touch_up_setup = replace(setup, client_command=(str(tmp_path / "client"),), touch_up=TOUCH_UP)
    command = finder.zsh_command(touch_up_setup, TOUCH_UP, "a.workflow")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(["zsh", "-c", command, "-", *names], env=environment, capture_output=True, check=False)
    assert result.returncode == len(names) - 1
    assert shown in result.stdout.decode()


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_an_entry_says_that_nobg_was_removed_and_which_bundle_to_delete(setup: Setup, tmp_path: Path) -> None:
    stub = tmp_path / "osascript"
    stub.write_text('#!/bin/sh\nprintf "%s\n" "$@"\n')
    stub.chmod(0o755)
    installer.install(FINDER, setup)
    (workflow,) = (setup.home / "Library" / "Services").glob("Crop*/Contents/document.wflow")
    action = plistlib.loads(workflow.read_bytes())["actions"][0]["action"]
    result = subprocess.run(
        ["zsh", "-c", action["ActionParameters"]["COMMAND_STRING"], "-", "a.png"],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout.endswith(f"\nnobg\n{GONE_TEXT} ~/Library/Services/{workflow.parents[1].name}\n")


def test_the_hint_says_where_to_enable_the_entries(setup: Setup) -> None:
    installer.install(FINDER, setup)
    assert "Quick Actions" in installer.status(FINDER, setup).hint
    assert "System Settings" in installer.status(FINDER, setup).hint
