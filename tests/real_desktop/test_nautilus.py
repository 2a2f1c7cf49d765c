"""Real Nautilus on a desktop of its own; the tests click the labels that a person reads in its menus."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL, TOUCH_UP_LABEL
from tests.conftest import wait_for
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.suite import ODD_NAMES, assert_done, assert_white, is_running, mixed, person, pictures

MISSING = missing_programs("nautilus")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")]


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    """The desktop of a person who has just installed nobg and its menu entries."""
    with person(tmp_path) as person_desktop:
        yield person_desktop


@pytest.fixture
def with_extension(desktop: Desktop) -> Desktop:
    """The same desktop, if Nautilus loads nobg's extension."""
    if not (desktop.home / ".local/share/nautilus-python/extensions/nobg.py").exists():
        pytest.skip("not installed: python3-nautilus")
    return desktop


def test_the_extension_takes_odd_names(with_extension: Desktop, folder: Path) -> None:
    originals = pictures(folder)
    assert not is_running(with_extension)
    with_extension.visit("nautilus", folder, REMOVE_LABEL)
    assert_done(originals)
    assert is_running(with_extension)
    with_extension.end()
    assert not with_extension.processes()
    assert not is_running(with_extension)


def test_the_script_takes_odd_names_and_folders_and_reports_other_files(desktop: Desktop, folder: Path) -> None:
    originals = {**pictures(folder, ODD_NAMES), **mixed(folder)}
    (folder / "notes.txt").write_text("not a picture")
    assert not is_running(desktop)
    errors = desktop.visit("nautilus", folder, f"Scripts/{REMOVE_LABEL}")
    assert "notes.txt: " in errors
    assert_done(originals)


def test_the_sub_menu_has_other_recipes(with_extension: Desktop, folder: Path) -> None:
    (original,) = pictures(folder, ("a.jpg",))
    with_extension.visit("nautilus", folder, f"{SUBMENU_LABEL}/White background")
    assert_white(original)


def test_the_extension_does_not_offer_itself_on_text(with_extension: Desktop, folder: Path) -> None:
    pictures(folder, ("a.jpg",))
    (folder / "notes.txt").write_text("not a picture")
    with_extension.visit("nautilus", folder, REMOVE_LABEL, "--absent")


def test_the_extension_opens_the_window_on_one_picture(with_extension: Desktop, folder: Path) -> None:
    if importlib.util.find_spec("PySide6") is None:
        pytest.skip("not installed: the extra `editor`")
    pictures(folder, ("a.jpg",))
    with_extension.visit("nautilus", folder, TOUCH_UP_LABEL)
    wait_for(lambda: "Touch up" in window_titles(with_extension))
    assert not is_running(with_extension)  # nothing was queued


def test_the_extension_does_not_offer_the_window_on_several(with_extension: Desktop, folder: Path) -> None:
    pictures(folder, ("a.jpg", "b.jpg"))
    with_extension.visit("nautilus", folder, TOUCH_UP_LABEL, "--absent")


def window_titles(desktop: Desktop) -> str:
    """Return the titles of all windows, a line for each."""
    command = ["xdotool", "search", "--name", ".", "getwindowname", "%@"]
    return subprocess.run(command, env=desktop.environment, capture_output=True, text=True, check=False).stdout
