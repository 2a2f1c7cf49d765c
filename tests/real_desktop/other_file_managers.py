"""Tests of the other real file managers, to run on request (10 minutes), in the Debian 13 that debian13.sh makes.

bash tests/real_desktop/debian13.sh DIR python -m pytest tests/real_desktop/other_file_managers.py
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.suite import assert_done, assert_white, give, is_running, mixed, person, pictures


@dataclass(frozen=True)
class Case:
    """A file manager.

    `remove` and `white` are the labels of the items. `filters`: whether the items appear for pictures and folders only.
    """

    manager: str
    remove: str
    white: str
    filters: bool = True

    def command_prefix(self) -> tuple[str, ...]:
        """Return the prefix for Dolphin: it lets root start service menus that it refuses to other users."""
        return ordinary_user() if self.manager == "dolphin" else ()


def ordinary_user() -> tuple[str, ...]:
    """Return a command prefix that switches from root to another user.

    That user may read everything, since Python can be in root's home.
    """
    if os.geteuid() != 0:
        return ()
    user = ("--reuid=65534", "--regid=65534", "--clear-groups")
    return ("setpriv", *user, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


CASES = (
    Case("nemo", REMOVE_LABEL, f"{REMOVE_LABEL}: White background"),
    Case("caja", f"Scripts/{REMOVE_LABEL}", f"Scripts/{SUBMENU_LABEL}/White background", filters=False),
    Case("thunar", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
    Case("pcmanfm", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
    Case("pcmanfm-qt", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
    Case("dolphin", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
)


@pytest.fixture(params=CASES, ids=lambda case: case.manager)
def case(request: pytest.FixtureRequest) -> Case:
    """Each file manager that is installed."""
    parameter: Case = request.param
    if missing := missing_programs(parameter.manager):
        pytest.skip(f"not installed: {', '.join(missing)}")
    return parameter


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that other users can read. Those of pytest are private, and KDE checks with access()."""
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        path = Path(parent) / "pictures"
        path.mkdir()
        yield path


@pytest.fixture
def desktop(folder: Path, case: Case) -> Iterator[Desktop]:
    """The desktop of a person who has just installed nobg and its menu entries."""
    with person(folder.parent, case.command_prefix()) as person_desktop:
        yield person_desktop


def click(desktop: Desktop, case: Case, folder: Path, item: str) -> str:
    """Select everything in the folder and click the item; return the file manager's standard error."""
    give(folder, desktop.command_prefix)
    return desktop.visit(case.manager, folder, item)


def test_odd_names(desktop: Desktop, case: Case, folder: Path) -> None:
    originals = pictures(folder)
    assert not is_running(desktop)
    click(desktop, case, folder, case.remove)
    assert_done(originals)
    assert is_running(desktop)
    desktop.end()
    assert not desktop.processes()
    assert not is_running(desktop)


def test_another_recipe(desktop: Desktop, case: Case, folder: Path) -> None:
    (original,) = pictures(folder, ("a.jpg",))
    click(desktop, case, folder, case.white)
    assert_white(original)


def test_a_folder_and_a_picture(desktop: Desktop, case: Case, folder: Path) -> None:
    originals = mixed(folder)
    if not case.filters:
        (folder / "notes.txt").write_text("not a picture")
    errors = click(desktop, case, folder, case.remove)
    assert case.filters or "notes.txt: " in errors
    assert_done(originals)


def test_nothing_is_offered_on_text(desktop: Desktop, case: Case, folder: Path) -> None:
    if not case.filters:
        pytest.skip("it shows scripts for all files")
    pictures(folder, ("a.jpg",))
    (folder / "notes.txt").write_text("not a picture")
    give(folder, desktop.command_prefix)
    desktop.visit(case.manager, folder, case.remove, "--absent")
