"""The menu in the real registry, and its verbs as shell32 runs them, with nobg as pip has installed it in the kit."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import winreg
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

assert sys.platform == "win32"

from integrations.windows.autostart import RUN_KEY
from integrations.windows.explorer import CLASSES_KEY, SUBMENU_KEY
from tests.conftest import wait_for
from tests.support.program import Program, outputs

pytestmark = pytest.mark.slow

SCRIPTS = Path(sys.prefix).parent / "installed-py" / "Scripts"
NAMES = (
    "two words.jpg",
    "ü 写 & 100% %20 (1).jpg",
    "-dash.jpg",
    "^caret;semi,.jpg",
    "%PATH% %1.jpg",
    "it's [y] {z}~#=+@!.jpg",
)
VERB = r"SystemFileAssociations\.jpg"
_NO_CLOSE, _NO_UI, _CLASS_NAME, _HIDE = 0x40, 0x400, 0x1, 0


class Execution(ctypes.Structure):
    """SHELLEXECUTEINFOW."""

    _fields_ = (
        ("cbSize", ctypes.c_uint32),
        ("fMask", ctypes.c_uint32),
        ("hwnd", ctypes.c_void_p),
        ("lpVerb", ctypes.c_wchar_p),
        ("lpFile", ctypes.c_wchar_p),
        ("lpParameters", ctypes.c_wchar_p),
        ("lpDirectory", ctypes.c_wchar_p),
        ("nShow", ctypes.c_int),
        ("hInstApp", ctypes.c_void_p),
        ("lpIDList", ctypes.c_void_p),
        ("lpClass", ctypes.c_wchar_p),
        ("hkeyClass", ctypes.c_void_p),
        ("dwHotKey", ctypes.c_uint32),
        ("hIcon", ctypes.c_void_p),
        ("hProcess", ctypes.c_void_p),
    )


def click(path: Path, verb: str, shell_class: str) -> None:
    """Run a verb as Explorer does, and wait for the client's end."""
    execution = Execution(ctypes.sizeof(Execution), _NO_CLOSE | _NO_UI | _CLASS_NAME)
    execution.lpVerb, execution.lpFile, execution.lpClass, execution.nShow = verb, str(path), shell_class, _HIDE
    assert ctypes.WinDLL("shell32").ShellExecuteExW(ctypes.byref(execution)), ctypes.WinError()
    ctypes.WinDLL("kernel32").WaitForSingleObject(ctypes.c_void_p(execution.hProcess), 120_000)


def installed(*arguments: str) -> str:
    """Run the installed nobg.exe. Returns what it prints."""
    return subprocess.run([SCRIPTS / "nobg.exe", *arguments], capture_output=True, text=True, check=True).stdout


def tree(root: Any, key: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield key, name, value and type of all values below a key of the registry."""
    try:
        opened = winreg.OpenKey(root, key)
    except FileNotFoundError:
        return
    with opened:
        keys, values, _ = winreg.QueryInfoKey(opened)
        for number in range(values):
            yield key, *winreg.EnumValue(opened, number)
        names = [winreg.EnumKey(opened, number) for number in range(keys)]
    for name in names:
        yield from tree(root, rf"{key}\{name}")


def menu() -> list[tuple[str, str, str, int]]:
    """Return nobg's values in the registry of the person."""
    keys = ("SystemFileAssociations", SUBMENU_KEY)
    return [value for key in keys for value in tree(winreg.HKEY_CURRENT_USER, rf"{CLASSES_KEY}\{key}")]


@pytest.fixture
def installed_menu() -> Iterator[None]:
    if not SCRIPTS.is_dir():
        pytest.skip("only the kit has an installed nobg")
    installed("menu", "install")
    yield
    installed("menu", "uninstall")
    assert not menu()


@pytest.mark.usefixtures("installed_menu")
def test_a_click_on_each_entry_makes_a_cut_out(stand_in: Program) -> None:
    """Wine 8 does not merge a person's classes into HKEY_CLASSES_ROOT, so the machine's get the same values."""
    for key, name, value, kind in menu():
        with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            winreg.SetValueEx(opened, name, 0, kind, value)
    stand_in.start()
    for name in NAMES:
        (stand_in.folder / name).write_text(f"ok {name}")
        click(stand_in.folder / name, "nobg.remove", VERB)
    wait_for(stand_in.has_done(len(NAMES)))
    assert outputs(stand_in.folder) == sorted(f"{name.removesuffix('.jpg')}_nobg.png" for name in NAMES)


@pytest.mark.usefixtures("installed_menu")
def test_the_menu_is_current_and_starts_the_installed_client() -> None:
    commands = [value for key, _, value, _ in menu() if key.endswith(r"\command")]
    assert commands
    assert all(command.startswith(f'"{SCRIPTS}\\nobg-add.exe"') or SCRIPTS.name in command for command in commands)
    assert "installed" in installed("menu", "status")


def test_the_start_at_login_is_switched_on_and_off() -> None:
    if not SCRIPTS.is_dir():
        pytest.skip("only the kit has an installed nobg")
    installed("autostart", "on")
    (command,) = [value for _, name, value, _ in tree(winreg.HKEY_CURRENT_USER, RUN_KEY) if name == "nobg"]
    assert "pythonw.exe" in command
    installed("autostart", "off")
    assert not [name for _, name, _, _ in tree(winreg.HKEY_CURRENT_USER, RUN_KEY) if name == "nobg"]
