"""`nobg menu` and `nobg autostart`, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL
from tests.conftest import Nobg
from tests.support.menus import ODD_NAME
from watcher import paths
from watcher.cli import menus as cli_menus
from watcher.config import Config
from watcher.errors import UsageError
from watcher.program import menus as menu

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file managers of Linux")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home; the file managers that are here are two."""
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


def written(person: Path) -> list[Path]:
    return [path for path in person.rglob("*") if path.is_file()]


def test_install_is_for_the_file_managers_that_are_here(nobg: Nobg, person: Path, home: Path) -> None:
    done = nobg("menu", "install")
    assert done.returncode == 0, done.stderr
    assert "Nemo: installed in ~/.local/share/nemo/actions\n" in done.stdout
    assert "Caja: installed in ~/.config/caja/scripts\n" in done.stdout
    assert "Thunar" not in done.stdout
    assert not (person / ".config/Thunar").exists()
    assert "Nemo: is installed already" in nobg("menu", "install").stdout
    done = nobg("menu", "uninstall")
    assert "Nemo: removed from ~/.local/share/nemo/actions\n" in done.stdout
    assert list(person.iterdir()) == list(home.iterdir()) == []
    assert "Nothing was installed" in nobg("menu", "uninstall").stderr


def test_one_that_is_named_is_installed_though_it_is_not_here(nobg: Nobg, person: Path) -> None:
    done = nobg("menu", "install", "thunar")
    assert "restart it: thunar -q" in done.stdout
    assert {path.name for path in written(person)} == {"uca.xml", "nobg.svg"}
    done = nobg("menu", "install", "finder-of-tomorrow")
    assert done.returncode == 2
    assert "nautilus, nemo" in done.stderr


def test_status_is_for_people_and_programs(nobg: Nobg, person: Path) -> None:
    nobg("menu", "install", "caja")
    (person / ".config/caja/scripts" / REMOVE_LABEL).chmod(0o644)
    text = nobg("menu", "status").stdout
    assert "Nemo: not installed; nobg menu install puts it there\n" in text
    assert "Dolphin: not on this computer\n" in text
    assert "is not executable any more" in text
    answer = json.loads(nobg("menu", "status", "caja", "--json").stdout)
    (caja,) = answer["file_managers"]
    assert (caja["name"], caja["present"], caja["state"]) == ("caja", True, "stale")
    assert nobg("menu", "install").returncode == 0
    assert "Caja: installed\n" in nobg("menu", "status").stdout


def test_print_only_shows(nobg: Nobg, person: Path) -> None:
    done = nobg("menu", "install", "thunar", "nemo", "--print")
    assert "\t<name>Remove background</name>\n" in done.stdout
    assert "[Nemo Action]" in done.stdout
    assert written(person) == []


def test_recipes_of_the_person_are_in_the_menu_and_known_when_clicked(
    nobg: Nobg, person: Path, home: Path, photo: Path
) -> None:
    paths.config_path().parent.mkdir()
    name = json.dumps(ODD_NAME)
    paths.config_path().write_text(
        f'[recipes.{name}]\nmask = true\nmenu = true\nlabel = "Mine\\nnow"\n'
        '[recipes.hidden]\nmask = true\n[recipes."line\\nend"]\nmenu = true\n'
    )
    done = nobg("menu", "install", "caja")
    assert r"'line\nend' is not in the menu" in done.stderr
    scripts = person / ".config/caja/scripts" / SUBMENU_LABEL
    assert {path.name for path in scripts.iterdir()} == {"White background", "Crop to subject", "Mask only", "Mine now"}
    text = (scripts / "Mine now").read_text()
    assert f"NOBG_HOME={home}" in text
    environment = {"CAJA_SCRIPT_SELECTED_URIS": f"{photo.with_name('missing.jpg').as_uri()}\n", "HOME": str(person)}
    done = subprocess.run([scripts / "Mine now"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "missing.jpg: the file is not there" in done.stderr) == (1, True)


def test_what_cannot_be_written_is_said_with_exit_code_1(nobg: Nobg, person: Path) -> None:
    taken = person / ".config/caja/scripts" / REMOVE_LABEL
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")
    done = nobg("menu", "install", "caja", "--json")
    assert done.returncode == 1
    assert "Move it away" in done.stderr
    (caja,) = json.loads(done.stdout)["file_managers"]
    assert len(caja["problems"]) == 1
    assert taken.read_text() == "mine"


def test_autostart_on_off_status(nobg: Nobg, person: Path) -> None:
    assert json.loads(nobg("autostart", "status", "--json").stdout)["autostart"] is False
    assert nobg("autostart", "on").stdout == "nobg starts at login.\n"
    entry = (person / ".config/autostart/nobg.desktop").read_text()
    assert any(line.startswith("Exec=") and line.endswith(" run") for line in entry.splitlines())
    assert json.loads(nobg("autostart", "status", "--json").stdout) == {"autostart": True, "problems": []}
    nobg("menu", "install", "nemo")
    nobg("menu", "uninstall")
    assert nobg("autostart", "status").stdout == "nobg starts at login.\n"
    assert nobg("autostart", "off").returncode == 0
    assert written(person) == []


def test_the_client_is_called_by_a_path_that_is_there() -> None:
    setup = menu.make_setup()
    assert setup.client_command[:1] == ("/usr/bin/env",)
    assert all(os.path.exists(word) for word in setup.client_command if os.path.isabs(word))
    assert os.path.dirname(setup.client_command[2]) == os.path.dirname(sys.executable)


def test_without_installed_commands_the_checkout_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.delenv("NOBG_HOME")
    monkeypatch.setattr("watcher.config.load", lambda _: Config())
    client = menu.make_setup().client_command
    assert client[1:2] == ("-P",)
    assert client[2].endswith("integrations/checkout.py")
    assert os.path.exists(client[2])
    assert client[3:] == ("add",)


def test_a_place_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBG_HOME", "/tmp/\udcff")
    with pytest.raises(UsageError, match="not valid text"):
        menu.make_setup()


def test_the_doctor_learns_of_what_is_here(nobg: Nobg, person: Path) -> None:
    nobg("menu", "install", "caja")
    (person / ".config/caja/scripts" / REMOVE_LABEL).unlink()
    found = {name: (state, detail) for name, state, detail in cli_menus.checks()}
    assert found["Menu of Nemo"][0] == "good"
    assert found["Menu of Caja"][0] == "warning"
    assert "Menu of Dolphin" not in found
    assert found["Start at login"][0] == "good"
