"""We are among the programs of "Open With", and double clicks go on doing what they did."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from integrations import base
from integrations.base import Setup
from integrations.linux.open_with import OPEN_WITH, parse_associations
from tests.support.menus import make_setup, snapshot_tree


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


def gio(setup: Setup, mime: str) -> str:
    """Who opens it, and who offers to, as GLib says."""
    environment = {
        **os.environ,
        "HOME": str(setup.home),
        "XDG_CONFIG_HOME": str(setup.config_home),
        "LC_ALL": "C.UTF-8",
    }
    environment |= {"XDG_DATA_HOME": str(setup.data_home), "XDG_DATA_DIRS": str(setup.data_dirs[0])}
    environment |= {"XDG_CONFIG_DIRS": str(setup.config_dirs[0]), "XDG_CURRENT_DESKTOP": ""}
    done = subprocess.run(["gio", "mime", mime], env=environment, capture_output=True, text=True, check=False)
    return done.stdout


needs_gio = pytest.mark.skipif(
    not (shutil.which("gio") and shutil.which("update-desktop-database")),
    reason="needs gio, desktop-file-utils",
)


@needs_gio
def test_the_program_that_opened_pictures_goes_on_opening_them(setup: Setup) -> None:
    client = Path(setup.client_command[0])
    assert client.exists()  # GLib passes over an application whose program is not there
    before = gio(setup, "image/png")
    assert "viewer.desktop" in before.splitlines()[0]
    base.install(OPEN_WITH, setup)
    after = gio(setup, "image/png")
    assert "viewer.desktop" in after.splitlines()[0]
    assert "nobg.desktop" in after
    base.uninstall(OPEN_WITH, setup)
    assert gio(setup, "image/png") == before


@needs_gio
def test_without_our_lines_we_would_take_over(setup: Setup) -> None:
    base.install(OPEN_WITH, setup)
    (setup.config_home / "mimeapps.list").unlink()
    assert "nobg.desktop" in gio(setup, "image/png").splitlines()[0]
    assert base.status(OPEN_WITH, setup).state == "stale"


def test_kinds_that_nothing_else_opens_are_not_ours_to_open(setup: Setup) -> None:
    base.install(OPEN_WITH, setup)
    entry = parse_associations((setup.data_home / "applications" / "nobg.desktop").read_bytes())["Desktop Entry"]
    assert entry["MimeType"] == ["image/jpeg", "image/png"]  # image/gif has a program that is gone


def test_what_was_chosen_is_not_chosen_anew(setup: Setup) -> None:
    setup.config_home.mkdir()
    chosen = setup.config_home / "mimeapps.list"
    chosen.write_text("[Default Applications]\nimage/png=other.desktop\n")
    base.install(OPEN_WITH, setup)
    assert chosen.read_text() == ("[Default Applications]\nimage/jpeg=viewer.desktop;\nimage/png=other.desktop\n")


@pytest.mark.parametrize("place", ["etc/xdg/mimeapps.list", "share/applications/gnome-mimeapps.list"])
def test_what_the_system_or_the_desktop_chose_needs_no_line(place: str, setup: Setup) -> None:
    (setup.root / place).write_text("[Default Applications]\nimage/png=viewer.desktop\nimage/jpeg=viewer.desktop\n")
    base.install(OPEN_WITH, replace(setup, desktops=("GNOME",)))
    assert not (setup.config_home / "mimeapps.list").exists()
    assert base.status(OPEN_WITH, replace(setup, desktops=("GNOME",))).state == "current"


def test_a_program_that_the_person_added_goes_first_and_a_removed_one_does_not_count(setup: Setup) -> None:
    for name in ("added", "removed"):
        (setup.data_dirs[0] / "applications" / f"{name}.desktop").touch()
    setup.config_home.mkdir()
    text = (
        "[Added Associations]\nimage/png=removed.desktop;added.desktop;\n"
        "[Removed Associations]\nimage/png=removed.desktop;\n"
    )
    (setup.config_home / "mimeapps.list").write_text(text)
    base.install(OPEN_WITH, setup)
    assert "\nimage/png=added.desktop;viewer.desktop;\n" in (setup.config_home / "mimeapps.list").read_text()
    base.uninstall(OPEN_WITH, setup)
    assert (setup.config_home / "mimeapps.list").read_text() == text


def test_what_the_person_chose_meanwhile_stays(setup: Setup) -> None:
    base.install(OPEN_WITH, setup)
    chosen = setup.config_home / "mimeapps.list"
    chosen.write_text(chosen.read_text().replace("image/png=viewer.desktop;", "image/png=new.desktop;"))
    assert base.status(OPEN_WITH, setup).state == "current"
    base.uninstall(OPEN_WITH, setup)
    assert chosen.read_text() == "[Default Applications]\nimage/png=new.desktop;\n"


def test_a_group_of_ours_goes_when_it_is_empty(setup: Setup) -> None:
    setup.config_home.mkdir()
    chosen = setup.config_home / "mimeapps.list"
    chosen.write_text("[Added Associations]\ntext/plain=vi.desktop;")
    base.install(OPEN_WITH, setup)
    chosen.write_text(chosen.read_text().replace("vi.", "ed."))
    base.uninstall(OPEN_WITH, setup)
    assert chosen.read_text().strip() == "[Added Associations]\ntext/plain=ed.desktop;"


def test_an_index_that_others_need_stays(setup: Setup) -> None:
    folder = setup.data_home / "applications"
    folder.mkdir(parents=True)
    (folder / "other.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Other\nExec=/bin/true\nMimeType=text/plain;\n"
    )
    base.install(OPEN_WITH, setup)
    base.uninstall(OPEN_WITH, setup)
    if shutil.which("update-desktop-database"):
        assert "other.desktop" in (folder / "mimeinfo.cache").read_text()
    assert "nobg" not in str(snapshot_tree(setup.home))


@needs_gio
@pytest.mark.parametrize("others", [False, True])
def test_we_leave_an_index_whose_program_was_removed_meanwhile(others: bool, setup: Setup) -> None:
    base.install(OPEN_WITH, setup)
    (setup.search_path[0] / "update-desktop-database").unlink()
    index = setup.data_home / "applications" / "mimeinfo.cache"
    if others:
        index.write_text(index.read_text() + "text/plain=nobg.desktop;other.desktop;\n")
    assert not base.uninstall(OPEN_WITH, setup).problems
    if others:
        assert index.read_text() == "[MIME Cache]\ntext/plain=other.desktop;\n"
    else:
        assert snapshot_tree(setup.home) == {}
