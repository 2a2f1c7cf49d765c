"""nobg is among the programs of "Open With", and a double click does what it did before."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from integrations import installer
from integrations.context import Setup
from integrations.linux.open_with import OPEN_WITH, parse_associations
from tests.support.menus import make_setup, snapshot_tree


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


def gio(setup: Setup, mime: str) -> str:
    """Return what GLib says about a type: its default program, then all programs that open it."""
    environment = {
        **os.environ,
        "HOME": str(setup.home),
        "XDG_CONFIG_HOME": str(setup.config_home),
        "LC_ALL": "C.UTF-8",
    }
    environment |= {"XDG_DATA_HOME": str(setup.data_home), "XDG_DATA_DIRS": str(setup.data_dirs[0])}
    environment |= {"XDG_CONFIG_DIRS": str(setup.config_dirs[0]), "XDG_CURRENT_DESKTOP": ""}
    result = subprocess.run(["gio", "mime", mime], env=environment, capture_output=True, text=True, check=False)
    return result.stdout


needs_gio = pytest.mark.skipif(
    not (shutil.which("gio") and shutil.which("update-desktop-database")),
    reason="needs gio, desktop-file-utils",
)


@needs_gio
def test_the_default_program_for_pictures_stays(setup: Setup) -> None:
    client = Path(setup.client_command[0])
    assert client.exists()  # GLib ignores an application whose program does not exist
    before = gio(setup, "image/png")
    assert "viewer.desktop" in before.splitlines()[0]
    installer.install(OPEN_WITH, setup)
    after = gio(setup, "image/png")
    assert "viewer.desktop" in after.splitlines()[0]
    assert "nobg.desktop" in after
    installer.uninstall(OPEN_WITH, setup)
    assert gio(setup, "image/png") == before


@needs_gio
def test_without_nobgs_lines_nobg_would_become_the_default(setup: Setup) -> None:
    installer.install(OPEN_WITH, setup)
    (setup.config_home / "mimeapps.list").unlink()
    assert "nobg.desktop" in gio(setup, "image/png").splitlines()[0]
    assert installer.status(OPEN_WITH, setup).state == "stale"


def test_types_that_no_other_program_opens_are_not_offered(setup: Setup) -> None:
    installer.install(OPEN_WITH, setup)
    entry = parse_associations((setup.data_home / "applications" / "nobg.desktop").read_bytes())["Desktop Entry"]
    assert entry["MimeType"] == ["image/jpeg", "image/png"]  # the program for image/gif is not installed


def test_a_chosen_default_stays(setup: Setup) -> None:
    setup.config_home.mkdir()
    defaults = setup.config_home / "mimeapps.list"
    defaults.write_text("[Default Applications]\nimage/png=other.desktop\n")
    installer.install(OPEN_WITH, setup)
    assert defaults.read_text() == ("[Default Applications]\nimage/jpeg=viewer.desktop;\nimage/png=other.desktop\n")


@pytest.mark.parametrize("file", ["etc/xdg/mimeapps.list", "share/applications/gnome-mimeapps.list"])
def test_a_default_of_the_system_or_the_desktop_needs_no_line(file: str, setup: Setup) -> None:
    (setup.root / file).write_text("[Default Applications]\nimage/png=viewer.desktop\nimage/jpeg=viewer.desktop\n")
    installer.install(OPEN_WITH, replace(setup, desktops=("GNOME",)))
    assert not (setup.config_home / "mimeapps.list").exists()
    assert installer.status(OPEN_WITH, replace(setup, desktops=("GNOME",))).state == "current"


def test_an_added_program_comes_first_and_a_removed_program_does_not_count(setup: Setup) -> None:
    for name in ("added", "removed"):
        (setup.data_dirs[0] / "applications" / f"{name}.desktop").touch()
    setup.config_home.mkdir()
    text = (
        "[Added Associations]\nimage/png=removed.desktop;added.desktop;\n"
        "[Removed Associations]\nimage/png=removed.desktop;\n"
    )
    (setup.config_home / "mimeapps.list").write_text(text)
    installer.install(OPEN_WITH, setup)
    assert "\nimage/png=added.desktop;viewer.desktop;\n" in (setup.config_home / "mimeapps.list").read_text()
    installer.uninstall(OPEN_WITH, setup)
    assert (setup.config_home / "mimeapps.list").read_text() == text


def test_a_default_chosen_after_install_stays(setup: Setup) -> None:
    installer.install(OPEN_WITH, setup)
    defaults = setup.config_home / "mimeapps.list"
    defaults.write_text(defaults.read_text().replace("image/png=viewer.desktop;", "image/png=new.desktop;"))
    assert installer.status(OPEN_WITH, setup).state == "current"
    installer.uninstall(OPEN_WITH, setup)
    assert defaults.read_text() == "[Default Applications]\nimage/png=new.desktop;\n"


def test_a_group_that_nobg_added_is_removed_when_empty(setup: Setup) -> None:
    setup.config_home.mkdir()
    defaults = setup.config_home / "mimeapps.list"
    defaults.write_text("[Added Associations]\ntext/plain=vi.desktop;")
    installer.install(OPEN_WITH, setup)
    defaults.write_text(defaults.read_text().replace("vi.", "ed."))
    installer.uninstall(OPEN_WITH, setup)
    assert defaults.read_text().strip() == "[Added Associations]\ntext/plain=ed.desktop;"


def test_a_cache_that_other_programs_need_stays(setup: Setup) -> None:
    folder = setup.data_home / "applications"
    folder.mkdir(parents=True)
    (folder / "other.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Other\nExec=/bin/true\nMimeType=text/plain;\n"
    )
    installer.install(OPEN_WITH, setup)
    installer.uninstall(OPEN_WITH, setup)
    if shutil.which("update-desktop-database"):
        assert "other.desktop" in (folder / "mimeinfo.cache").read_text()
    assert "nobg" not in str(snapshot_tree(setup.home))


@needs_gio
@pytest.mark.parametrize("has_others", [False, True])
def test_uninstall_cleans_the_cache_without_update_desktop_database(has_others: bool, setup: Setup) -> None:
    installer.install(OPEN_WITH, setup)
    (setup.search_path[0] / "update-desktop-database").unlink()
    cache = setup.data_home / "applications" / "mimeinfo.cache"
    if has_others:
        cache.write_text(cache.read_text() + "text/plain=nobg.desktop;other.desktop;\n")
    assert not installer.uninstall(OPEN_WITH, setup).problems
    if has_others:
        assert cache.read_text() == "[MIME Cache]\ntext/plain=other.desktop;\n"
    else:
        assert snapshot_tree(setup.home) == {}


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".desktop", "zero\0.desktop", "\ufffd\u2028.desktop"], ids=["long", "zero", "odd"]
)
def test_a_program_that_no_folder_can_have_is_no_default(setup: Setup, name: str) -> None:
    setup.config_home.mkdir()
    defaults = setup.config_home / "mimeapps.list"
    defaults.write_text(f"[Added Associations]\nimage/png={name};\n")
    assert not installer.install(OPEN_WITH, setup).problems
    assert "image/png=viewer.desktop;" in defaults.read_text()
    assert not installer.uninstall(OPEN_WITH, setup).problems
    assert defaults.read_text() == f"[Added Associations]\nimage/png={name};\n"
