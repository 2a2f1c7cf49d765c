"""A kill -9 at any rename of an installation leaves nothing that `uninstall` does not find."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations import installer
from integrations.context import Setup
from integrations.target import Target
from tests.support.menus import TARGETS, make_setup, snapshot_tree

KILLED, FINISHED = 9, 0


def install_and_be_killed(targets: list[Target], setup: Setup, number: int) -> None:
    """Install everything; at rename `number`, end as after kill -9."""
    rename, count = os.replace, 0

    def rename_or_die(source: Any, destination: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            os._exit(KILLED)
        rename(source, destination)

    os.replace = rename_or_die  # type: ignore[assignment]
    for target in targets:
        installer.install(target, setup)
    os._exit(FINISHED)


@pytest.mark.parametrize("is_update", [False, True], ids=["first", "update"])
def test_a_kill_at_any_rename_leaves_nothing_that_uninstall_does_not_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_update: bool
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill loses nothing that was written, and a test saves time
    setup = make_setup(tmp_path)
    setup.record_path.parent.mkdir(parents=True)  # the program's own folder
    (setup.record_path.parent / "settings.lock").touch()
    (setup.config_home).mkdir()
    elsewhere = tmp_path / "home" / "dotfiles"
    elsewhere.mkdir()
    (elsewhere / "mimeapps.list").write_text("[Added Associations]\n")
    (setup.config_home / "mimeapps.list").symlink_to(elsewhere / "mimeapps.list")
    empty = snapshot_tree(setup.home)
    targets = [target for target in TARGETS if target.key != "finder"]
    number, exit_code = 0, KILLED
    while exit_code == KILLED:
        number += 1
        if is_update:
            for target in targets:
                installer.install(target, replace(setup, verbs=setup.verbs[:1]))
        process = multiprocessing.get_context("fork").Process(
            target=install_and_be_killed, args=(targets, setup, number)
        )
        process.start()
        process.join()
        exit_code = process.exitcode or FINISHED
        for target in targets:
            assert not installer.uninstall(target, setup).problems
        assert list(snapshot_tree(setup.home)) == list(empty), number
        assert (elsewhere / "mimeapps.list").read_text() == "[Added Associations]\n"
    assert number > len(targets)
