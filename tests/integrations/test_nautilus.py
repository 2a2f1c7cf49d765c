"""Nautilus: its scripts, run by a shell, and its extension, run with stand-ins. Caja's scripts are the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations import installer
from integrations.context import Setup
from integrations.linux.caja import CAJA
from integrations.linux.nautilus import NAUTILUS, extension_source
from integrations.target import Target
from integrations.verbs import GONE_TEXT, REMOVE_LABEL, SUBMENU_LABEL, TOUCH_UP, TOUCH_UP_LABEL
from tests.support.menus import ODD_NAME, make_setup, owned_files


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Return a setup whose client writes its arguments and the selected URIs into a file."""
    setup = make_setup(tmp_path)
    client = tmp_path / "it's a $client"
    client.write_text(
        '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done > "$0.tmp"; '
        'printf "%s" "$NAUTILUS_SCRIPT_SELECTED_URIS" >> "$0.tmp"; mv "$0.tmp" "$0.out"\n'
    )
    client.chmod(0o755)
    return replace(setup, client_command=(str(client),))


def client_input(setup: Setup) -> list[str]:
    """Return the arguments and URIs that the client received; wait until it has run."""
    path = Path(f"{setup.client_command[0]}.out")
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, "the client was not started"
        time.sleep(0.01)
    return path.read_text().splitlines()


@pytest.mark.parametrize(("target", "folder"), [(NAUTILUS, ".local/share/nautilus"), (CAJA, ".config/caja")])
def test_a_script_passes_the_selection_and_its_recipe(target: Target, folder: str, setup: Setup) -> None:
    installer.install(target, replace(setup, root=setup.root / "no-library"))
    scripts = setup.home / folder / "scripts"
    (odd,) = (scripts / SUBMENU_LABEL).glob("it's*")
    environment = {**os.environ, "NAUTILUS_SCRIPT_SELECTED_URIS": "file:///a%20b.png\n"}
    subprocess.run([odd, "a name", "%20"], env=environment, check=True)
    assert client_input(setup) == ["--recipe", ODD_NAME, "--from-env", "file:///a%20b.png"]
    assert (scripts / REMOVE_LABEL).is_file()
    assert sorted(path.name for path in scripts.iterdir()) == [REMOVE_LABEL, SUBMENU_LABEL, TOUCH_UP_LABEL]


@pytest.mark.parametrize(("target", "folder"), [(NAUTILUS, ".local/share/nautilus"), (CAJA, ".config/caja")])
def test_a_script_opens_the_window_on_the_selection(target: Target, folder: str, setup: Setup) -> None:
    installer.install(target, replace(setup, root=setup.root / "no-library"))
    environment = {**os.environ, "NAUTILUS_SCRIPT_SELECTED_URIS": "file:///a%20b.png\n"}
    subprocess.run([setup.home / folder / "scripts" / TOUCH_UP_LABEL], env=environment, check=True)
    assert client_input(setup) == ["--edit", "--from-env", "file:///a%20b.png"]


def test_the_extension_is_installed_if_nautilus_python_is(setup: Setup) -> None:
    without_python = replace(setup, root=setup.home)
    path = setup.data_home / "nautilus-python" / "extensions" / "nobg.py"
    installer.install(NAUTILUS, without_python)
    assert not path.exists()
    assert "python3-nautilus" in installer.status(NAUTILUS, without_python).hint
    status = installer.status(NAUTILUS, setup)
    assert status.state == "stale"
    assert not status.hint
    installer.install(NAUTILUS, setup)
    assert path.exists()
    installer.install(NAUTILUS, without_python)
    assert not path.parent.parent.exists()


class Selected:
    """A file that is selected in Nautilus."""

    def __init__(self, uri: str, *, folder: bool = False, target: str = "") -> None:
        self.get_activation_uri: Callable[[], str] = lambda: target or uri
        self.get_uri: Callable[[], str] = lambda: uri
        self.get_uri_scheme: Callable[[], str] = lambda: uri.partition(":")[0]
        self.is_directory: Callable[[], bool] = lambda: folder


class Item:
    """A menu item. Call `clicked` to click it."""

    def __init__(self, name: str, label: str, icon: str, tip: str = "") -> None:
        self.name, self.label, self.icon, self.tip = name, label, icon, tip
        self.menu: list[Item] = []
        self.clicked: Callable[[], None] = lambda: None

    def connect(self, signal: str, function: Callable[..., None], *arguments: object) -> None:
        """Connect the click, as GObject does."""
        assert signal == "activate"
        self.clicked = lambda: function(self, *arguments)

    def set_submenu(self, menu: list[Item]) -> None:
        """Set the sub-menu, as Nautilus does."""
        self.menu = menu


class Menu(list[Item]):
    """A sub-menu."""

    append_item = list.append


@pytest.fixture
def menu(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the extension as nautilus-python does, with stand-ins for its libraries."""
    repository = types.ModuleType("gi.repository")
    library = types.SimpleNamespace(MenuProvider=type("MenuProvider", (), {}), MenuItem=Item, Menu=Menu)
    gio = types.SimpleNamespace(
        Subprocess=types.SimpleNamespace(new=lambda words, _flags: subprocess.run(words, check=True)),
        SubprocessFlags=types.SimpleNamespace(NONE=0),
    )
    vars(repository).update(Gio=gio, GObject=types.SimpleNamespace(GObject=type("GObject", (), {})), Nautilus=library)
    monkeypatch.setitem(sys.modules, "gi", types.ModuleType("gi"))
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    namespace: dict[str, Any] = {}
    exec(compile(extension_source(setup), "nobg.py", "exec"), namespace)
    return namespace["NobgMenu"]()


PICTURE = Selected("file:///a/b%20c.JPG")


def test_the_extension_offers_all_verbs_on_pictures(menu: Any, setup: Setup) -> None:
    top, more = menu.get_file_items([PICTURE, Selected("file:///a/%E5%86%99.jxl")])
    assert [top.label, more.label] == [REMOVE_LABEL, SUBMENU_LABEL]
    assert [item.label.replace("__", "_") for item in more.menu] == [verb.label for verb in setup.verbs[1:]]
    names = [item.name for item in (top, more, *more.menu)]
    assert len(set(names)) == len(names)
    assert top.icon == "nobg"


def test_the_extension_supports_both_calls(menu: Any) -> None:
    assert len(menu.get_file_items("window", [PICTURE])) == len(menu.get_file_items([PICTURE])) == 3
    assert menu.get_background_items("window", PICTURE) == []


@pytest.mark.parametrize(
    "selected",
    [
        [],
        [Selected("file:///a/notes.txt")],
        [PICTURE, Selected("file:///a/notes.txt")],
        [Selected("sftp://host/a.png")],
        [Selected("recent:///1", target="sftp://host/a.png")],
        [Selected("recent:///1", target="file:///a/notes.txt")],
        [Selected("trash:///", folder=True)],
        [Selected("file:///a/drawing.svg")],
        [Selected("file:///a/png")],
    ],
)
def test_the_extension_offers_nothing_on_anything_else(menu: Any, selected: list[Selected]) -> None:
    assert menu.get_file_items(selected) == []


def test_the_extension_offers_to_touch_up_one_picture(menu: Any, setup: Setup) -> None:
    *_, touch_up = menu.get_file_items([PICTURE])
    assert (touch_up.label, touch_up.tip) == (TOUCH_UP_LABEL, TOUCH_UP.tooltip)
    touch_up.clicked()
    assert client_input(setup) == ["--edit", "--", "file:///a/b%20c.JPG"]
    for selected in ([PICTURE, PICTURE], [Selected("file:///a", folder=True)]):
        assert TOUCH_UP_LABEL not in [item.label for item in menu.get_file_items(selected)]


def test_without_the_window_the_extension_does_not_offer_it(setup: Setup) -> None:
    assert "\nTOUCH_UP = None " in extension_source(replace(setup, touch_up=None))


def test_the_extension_offers_itself_on_folders(menu: Any) -> None:
    assert menu.get_file_items([PICTURE, Selected("file:///a", folder=True)])


def test_a_click_starts_the_client_with_uris(menu: Any, setup: Setup) -> None:
    _, more = menu.get_file_items([PICTURE, Selected("file:///-dash.png")])
    (odd,) = (item for item in more.menu if item.label == ODD_NAME)
    odd.clicked()
    assert client_input(setup) == ["--recipe", ODD_NAME, "--", "file:///a/b%20c.JPG", "file:///-dash.png"]


def test_in_recent_the_extension_uses_the_address_of_the_picture_itself(menu: Any, setup: Setup) -> None:
    top, *_ = menu.get_file_items([Selected("recent:///1", target="file:///a/b%20c.JPG")])
    top.clicked()
    assert client_input(setup) == ["--", "file:///a/b%20c.JPG"]


def test_the_extension_offers_nothing_once_nobg_is_removed(menu: Any, setup: Setup) -> None:
    assert menu.get_file_items([PICTURE])
    Path(setup.client_command[0]).unlink()
    assert menu.get_file_items([PICTURE]) == []


@pytest.mark.parametrize("notifier", ["notify-send", "zenity", None])
def test_a_script_says_that_nobg_was_removed_and_which_file_to_delete(
    notifier: str | None, setup: Setup, tmp_path: Path
) -> None:
    installer.install(CAJA, setup)
    script = setup.config_home / "caja" / "scripts" / REMOVE_LABEL
    Path(setup.client_command[0]).unlink()
    programs = tmp_path / "programs"
    programs.mkdir()
    if notifier is not None:
        (programs / notifier).write_text('#!/bin/sh\nprintf "%s\\n" "$@" >&2\n')
        (programs / notifier).chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", script], env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert f"{GONE_TEXT} {script}" in result.stderr


@pytest.mark.parametrize("target", [NAUTILUS, CAJA], ids=lambda target: target.key)
def test_status_says_what_to_do_with_thousands_of_pictures_where_scripts_cannot_start(
    target: Target, setup: Setup
) -> None:
    setup = replace(setup, root=setup.root / "no-library")
    installer.install(target, setup)
    assert "select their folder" in installer.status(target, setup).hint
    script = next(file for file in owned_files(target, setup) if file.executable).path
    uris = "".join(
        f"file:///home/anna/Pictures/Holiday%20in%20Italy/IMG_2023_{number:04}.jpg\n" for number in range(2000)
    )
    environment = {**os.environ, "NAUTILUS_SCRIPT_SELECTED_URIS": uris}
    with pytest.raises(OSError, match="too long"):  # the limit of Linux that the hint is about
        subprocess.run([script], env=environment, check=False)


def test_with_the_extension_only_one_sub_menu_has_the_name(setup: Setup) -> None:
    """Nautilus finds its sub-menus by name: of two with the same name, it may open the wrong one."""
    scripts = setup.data_home / "nautilus" / "scripts"
    installer.install(NAUTILUS, replace(setup, root=setup.root / "no-library"))
    assert (scripts / SUBMENU_LABEL).is_dir()
    installer.install(NAUTILUS, setup)  # now with nautilus-python
    assert not (scripts / SUBMENU_LABEL).exists()
    assert (scripts / REMOVE_LABEL).exists()
