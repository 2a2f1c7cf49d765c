"""The other real file managers, by hand: `bash tests/run tests/real_desktop/others.py`; about five minutes.

apt-get install --no-install-recommends nemo caja thunar pcmanfm libfm-modules libatk-adaptor libgail-common dolphin
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.real_desktop.session import Desktop, lacking
from tests.real_desktop.suite import assert_done, assert_white, give, is_running, mixed, person, pictures


@dataclass(frozen=True)
class Case:
    """A file manager. `remove`, `white`: the items; `options` go with each, for the driver.

    `filters`: does it show the items on pictures and folders only?
    """

    manager: str
    remove: str
    white: str
    remove_keys: str = ""
    white_keys: str = ""
    filters: bool = True

    def before(self) -> tuple[str, ...]:
        """Dolphin lets root start service menus that it refuses to others, so it is tested as one of these."""
        return ordinary_user() if self.manager == "dolphin" else ()


def ordinary_user() -> tuple[str, ...]:
    """Put before a command, makes it another user's than root. That one may read all: Python can be in root's home."""
    if os.geteuid() != 0:
        return ()
    user = ("--reuid=65534", "--regid=65534", "--clear-groups")
    return ("setpriv", *user, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


CASES = (
    Case("nemo", REMOVE_LABEL, f"{REMOVE_LABEL}: White background"),
    Case("caja", f"Scripts/{REMOVE_LABEL}", f"Scripts/{SUBMENU_LABEL}/White background", filters=False),
    Case("thunar", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
    Case("pcmanfm", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background"),
    # Qt 5 is not on the accessibility bus. From below: Properties, Remove background, the sub-menu.
    Case("dolphin", REMOVE_LABEL, f"{SUBMENU_LABEL}/White background", "Up Up Return", "Up Up Up Right Return"),
)


@pytest.fixture(params=CASES, ids=lambda case: case.manager)
def case(request: pytest.FixtureRequest) -> Case:
    """Each file manager that is here."""
    one: Case = request.param
    if lacks := lacking(one.manager):
        pytest.skip(f"not installed: {', '.join(lacks)}")
    return one


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that other users can reach; pytest's are closed to them, and KDE looks with access()."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        path = Path(place) / "pictures"
        path.mkdir()
        yield path


@pytest.fixture
def desktop(folder: Path, case: Case) -> Iterator[Desktop]:
    """Of a person who has just installed nobg and its menu entries."""
    with person(folder.parent, case.before()) as one:
        yield one


def click(desktop: Desktop, case: Case, folder: Path, item: str, keys: str = "") -> str:
    """Select all in the folder and click; what the file manager said."""
    give(folder, desktop.before)
    return desktop.visit(case.manager, folder, item, *(("--keys", keys) if keys else ()))


def test_odd_names(desktop: Desktop, case: Case, folder: Path) -> None:
    originals = pictures(folder)
    assert not is_running(desktop)
    click(desktop, case, folder, case.remove, case.remove_keys)
    assert_done(originals)
    assert is_running(desktop)
    desktop.end()
    assert not desktop.processes()
    assert not is_running(desktop)


def test_another_recipe(desktop: Desktop, case: Case, folder: Path) -> None:
    (original,) = pictures(folder, ("a.jpg",))
    click(desktop, case, folder, case.white, case.white_keys)
    assert_white(original)


def test_a_folder_and_a_picture(desktop: Desktop, case: Case, folder: Path) -> None:
    originals = mixed(folder)
    if not case.filters:
        (folder / "notes.txt").write_text("not a picture")
    said = click(desktop, case, folder, case.remove, case.remove_keys)
    assert case.filters or "notes.txt: " in said
    assert_done(originals)


def test_nothing_is_offered_on_text(desktop: Desktop, case: Case, folder: Path) -> None:
    if not case.filters or case.remove_keys:
        pytest.skip("it cannot filter scripts" if not case.filters else "keys cannot tell")
    pictures(folder, ("a.jpg",))
    (folder / "notes.txt").write_text("not a picture")
    desktop.visit(case.manager, folder, case.remove, "--absent")
