"""`nobg menu` and `nobg autostart`, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.conftest import Nobg
from tests.support.menus import ODD_NAME
from watcher import paths
from watcher.cli import menus
from watcher.worker import starter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file managers of Linux")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a new home on a system with two file managers, and return the path of that home."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("nemo", "caja"):
        (programs / name).touch(mode=0o755)
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("NOBG_HOME", str(home))
    (tmp_path / "person").mkdir()
    return tmp_path / "person"


def written_files(person: Path) -> list[Path]:
    """Return every file below the home."""
    return [path for path in person.rglob("*") if path.is_file()]


def test_install_is_for_the_file_managers_on_this_computer(nobg: Nobg, person: Path, home: Path) -> None:
    result = nobg("menu", "install")
    assert result.returncode == 0, result.stderr
    assert "Nemo: installed in ~/.local/share/nemo/actions\n" in result.stdout
    assert "Caja: installed in ~/.config/caja/scripts\n" in result.stdout
    assert "Thunar" not in result.stdout
    assert not (person / ".config/Thunar").exists()
    assert "Nemo: is already installed" in nobg("menu", "install").stdout
    result = nobg("menu", "uninstall")
    assert "Nemo: removed from ~/.local/share/nemo/actions\n" in result.stdout
    assert list(person.iterdir()) == list(home.iterdir()) == []
    assert "Nothing was installed" in nobg("menu", "uninstall").stderr


def test_a_file_manager_that_is_named_is_installed_even_if_it_is_missing(nobg: Nobg, person: Path) -> None:
    result = nobg("menu", "install", "thunar")
    assert "restart it: thunar -q" in result.stdout
    assert {path.name for path in written_files(person)} == {"uca.xml", "nobg.svg"}
    result = nobg("menu", "install", "finder-of-tomorrow")
    assert result.returncode == 2
    assert "nautilus, nemo" in result.stderr


def test_status_is_for_people_and_programs(nobg: Nobg, person: Path) -> None:
    nobg("menu", "install", "caja")
    (person / ".config/caja/scripts" / REMOVE_LABEL).chmod(0o644)
    text = nobg("menu", "status").stdout
    assert "Nemo: not installed; to install it: nobg menu install\n" in text
    assert "Dolphin: not on this computer\n" in text
    assert "is no longer executable" in text
    answer = json.loads(nobg("menu", "status", "caja", "--json").stdout)
    (caja,) = answer["file_managers"]
    assert (caja["name"], caja["present"], caja["state"]) == ("caja", True, "stale")
    assert nobg("menu", "install").returncode == 0
    assert "Caja: installed. " in nobg("menu", "status").stdout


def test_print_writes_nothing(nobg: Nobg, person: Path) -> None:
    result = nobg("menu", "install", "thunar", "nemo", "--print")
    assert "\t<name>Remove background</name>\n" in result.stdout
    assert "[Nemo Action]" in result.stdout
    assert written_files(person) == []


def test_recipes_from_the_settings_are_in_the_menu_and_work_when_clicked(
    nobg: Nobg, person: Path, home: Path, photo: Path
) -> None:
    paths.config_path().parent.mkdir()
    name = json.dumps(ODD_NAME)
    paths.config_path().write_text(
        f'[recipes.{name}]\nmask = true\nmenu = true\nlabel = "Mine\\nnow"\n'
        '[recipes.hidden]\nmask = true\n[recipes."line\\nend"]\nmenu = true\n'
    )
    result = nobg("menu", "install", "caja")
    assert r"'line\nend' is not in the menu" in result.stderr
    scripts = person / ".config/caja/scripts" / SUBMENU_LABEL
    assert {path.name for path in scripts.iterdir()} == {"White background", "Crop to subject", "Mask only", "Mine now"}
    text = (scripts / "Mine now").read_text()
    assert f"NOBG_HOME={home}" in text
    environment = {"CAJA_SCRIPT_SELECTED_URIS": f"{photo.with_name('missing.jpg').as_uri()}\n", "HOME": str(person)}
    result = subprocess.run([scripts / "Mine now"], env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, "missing.jpg: the file is not there" in result.stderr) == (1, True)


def test_an_entry_that_cannot_be_written_is_reported_with_exit_code_1(nobg: Nobg, person: Path) -> None:
    taken = person / ".config/caja/scripts" / REMOVE_LABEL
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")
    result = nobg("menu", "install", "caja", "--json")
    assert result.returncode == 1
    assert "Move it away" in result.stderr
    (caja,) = json.loads(result.stdout)["file_managers"]
    assert len(caja["problems"]) == 1
    assert taken.read_text() == "mine"


def test_autostart_on_off_status(nobg: Nobg, person: Path) -> None:
    assert json.loads(nobg("autostart", "status", "--json").stdout)["autostart"] is False
    assert nobg("autostart", "on").stdout == "nobg starts at login.\n"
    entry = (person / ".config/autostart/nobg.desktop").read_text()
    assert any(line.startswith("Exec=") and line.endswith(" run") for line in entry.splitlines())
    assert json.loads(nobg("autostart", "status", "--json").stdout) == {
        "autostart": True,
        "problems": [],
        "notes": [],
    }
    nobg("menu", "install", "nemo")
    nobg("menu", "uninstall")
    assert nobg("autostart", "status").stdout == "nobg starts at login.\n"
    assert nobg("autostart", "off").returncode == 0
    assert written_files(person) == []


def test_autostart_status_on_and_off_respect_the_desktops_own_settings(nobg: Nobg, person: Path) -> None:
    nobg("autostart", "on")
    entry = person / ".config/autostart/nobg.desktop"
    entry.write_text(f"{entry.read_text()}Hidden=true\n")
    assert nobg("autostart", "status").stdout == (
        "nobg does not start at login. It is switched off in the desktop's settings (Hidden=true). "
        "To change that: nobg autostart on\n"
    )
    result = json.loads(nobg("autostart", "on", "--json").stdout)
    assert result == {"autostart": True, "changed": True, "problems": []}
    entry.write_text(f"{entry.read_text()}X-GNOME-Autostart-Delay=5\n")
    assert "It waits 5 s" in nobg("autostart", "status").stdout
    assert nobg("autostart", "off").returncode == 0
    assert written_files(person) == []


def test_autostart_off_never_says_off_while_it_is_on(nobg: Nobg, person: Path) -> None:
    nobg("autostart", "on")
    entry = person / ".config/autostart/nobg.desktop"
    entry.write_text(entry.read_text().replace("\nExec=", "\nExec=nice "))
    for _ in range(2):  # the second time, nobg has no record of the file
        result = nobg("autostart", "off")
        assert result.returncode == 1
        assert f"nobg still starts at login. To end that, delete the file {entry}." in result.stderr
        assert nobg("autostart", "status").stdout == "nobg starts at login.\n"


def test_autostart_on_says_where_no_desktop_would_start_it(
    nobg: Nobg, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "sway")
    result = nobg("autostart", "on")
    assert (result.returncode, result.stdout) == (1, "")
    assert "sway starts nothing from autostart files by itself" in result.stderr
    assert (person / ".config/autostart/nobg.desktop").exists()  # for the other desktops
    assert "autostart on" not in nobg("autostart", "status").stdout


def test_doctor_checks_the_file_managers_on_this_computer(nobg: Nobg, person: Path) -> None:
    nobg("menu", "install", "caja")
    (person / ".config/caja/scripts" / REMOVE_LABEL).unlink()
    checks = {name: (state, detail) for name, state, detail in menus.checks()}
    assert checks["Menu of Nemo"][0] == "good"
    assert checks["Menu of Caja"][0] == "warning"
    assert "Menu of Dolphin" not in checks
    assert checks["Start at login"][0] == "good"


def test_uninstalling_everything_removes_the_appcontainer_and_says_what_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def remove() -> list[str]:
        calls.append(1)
        return ["The AppContainer nobg.worker stays: x."]

    monkeypatch.setattr(starter, "forget_container", remove)
    assert menus.uninstall(Namespace(managers=["nemo"], json=False)) == 0
    assert calls == []
    assert menus.uninstall(Namespace(managers=[], json=False)) == 1
    assert calls == [1]
    assert "The AppContainer nobg.worker stays: x." in capsys.readouterr().err
