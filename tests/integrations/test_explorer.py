"""Explorer's menu, its shortcut and the Run key, on a registry in memory; tests/real_desktop/wine.py uses wine."""

from __future__ import annotations

import copy
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integrations import autostart_target, file_managers, installer
from integrations.artifact import IntegrationError
from integrations.context import Setup
from integrations.verbs import TOUCH_UP, build_verbs
from integrations.windows import explorer, registry
from integrations.windows.autostart import RUN_KEY, RUN_KEY_AUTOSTART
from integrations.windows.explorer import CLASSES_KEY, EXPLORER
from integrations.windows.registry import RegistryValue, RegistryValues
from integrations.windows.shell_link import shell_link
from tests.real_desktop.wine import parse
from tests.support.desktop.fake_winreg import FakeWinreg
from tests.support.menus import ODD_NAME
from tests.support.program import ROOT
from watcher import lock as file_lock
from watcher.formats import SUFFIXES
from watcher.queue.journal import Journal

GOLDEN = ROOT / "tests" / "golden" / "windows"
CLIENT = r"C:\Users\Jürgen Ö\nobg\Scripts\nobg-add.exe"
PNG = rf"{CLASSES_KEY}\SystemFileAssociations\.png\shell"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> FakeWinreg:
    """Replace the registry with that of a new account, in memory."""
    fake = FakeWinreg()
    for key in (RUN_KEY, CLASSES_KEY):
        fake.CreateKeyEx(fake.HKEY_CURRENT_USER, key)
    monkeypatch.setattr(registry, "winreg", fake)
    return fake


@pytest.fixture
def notifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each call that makes Explorer read the menu entries again."""
    calls: list[str] = []
    monkeypatch.setattr(registry, "notify_explorer", lambda: calls.append("notified"))
    return calls


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    home = tmp_path / "home"
    home.mkdir()
    return Setup(
        client_command=(CLIENT,),
        resident_command=(r"C:\Users\Jürgen Ö\nobg\Scripts\nobg.exe", "run"),
        verbs=build_verbs((("shop", "For the shop"),)),
        suffixes=tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes),
        mime_types=(),
        icon_path=tmp_path / "icon.svg",
        record_path=home / "nobg" / "menu.json",
        home=home,
        config_home=home / "AppData" / "Roaming",
        data_home=home / "AppData" / "Local",
    )


def installed_files(setup: Setup) -> list[Path]:
    return [path for path in setup.home.rglob("*") if path != setup.record_path]


def intended_values(setup: Setup) -> set[tuple[str, str, object]]:
    return {(value.key, value.name, value.data) for value in explorer.registry_values(setup)}


def test_windows_has_explorer_and_the_run_key() -> None:
    assert file_managers("win32") == (EXPLORER,)
    assert autostart_target("win32") is RUN_KEY_AUTOSTART


def test_install_writes_the_intended_values(windows: FakeWinreg, setup: Setup) -> None:
    result = installer.install(EXPLORER, setup)
    assert (result.changed, result.problems) == (True, ())
    assert windows.texts() == intended_values(setup)
    assert installer.status(EXPLORER, setup).state == "current"


def test_install_twice_is_install_once(windows: FakeWinreg, setup: Setup, notifications: list[str]) -> None:
    installer.install(EXPLORER, setup)
    before, record = copy.deepcopy(windows.keys), setup.record_path.read_bytes()
    assert notifications == ["notified"]
    assert not installer.install(EXPLORER, setup).changed
    assert (windows.keys, setup.record_path.read_bytes()) == (before, record)
    assert notifications == ["notified"]


@pytest.mark.parametrize("has_other_entries", [False, True])
def test_uninstall_leaves_no_key_file_or_folder(
    windows: FakeWinreg, setup: Setup, notifications: list[str], *, has_other_entries: bool
) -> None:
    if has_other_entries:
        windows.put(rf"{PNG}\other", "MUIVerb", "Other")
        windows.put(rf"{CLASSES_KEY}\systemfileassociations\.GIF\shell", "", "other")
        windows.put(rf"{CLASSES_KEY}\.heic", "PerceivedType", "image")
        (setup.config_home / "Microsoft" / "Windows" / "SendTo").mkdir(parents=True)
    keys_before, files_before = copy.deepcopy(windows.keys), installed_files(setup)
    installer.install(EXPLORER, setup)
    assert windows.keys != keys_before
    assert len(notifications) == 1
    result = installer.uninstall(EXPLORER, setup)
    assert result.problems == ()
    assert (windows.keys, installed_files(setup)) == (keys_before, files_before)
    assert not setup.record_path.exists()
    assert len(notifications) == 2


@pytest.mark.parametrize("is_left", ["nothing", "an empty key", "other texts"])
def test_explorer_is_notified_of_an_uninstallation_only_if_something_was_removed(
    windows: FakeWinreg, setup: Setup, notifications: list[str], is_left: str
) -> None:
    before = copy.deepcopy(windows.keys)
    installer.install(EXPLORER, setup)
    if is_left == "other texts":
        for key, name, _ in windows.texts():
            windows.put(key, name, "mine")
    else:
        windows.keys = before
    if is_left == "an empty key":
        windows.CreateKeyEx(windows.HKEY_CURRENT_USER, rf"{PNG}\nobg.remove")
    installer.uninstall(EXPLORER, setup)
    assert notifications == ["notified"] * (2 if is_left == "an empty key" else 1)


def test_foreign_content_in_keys_of_nobg_stays_and_is_reported(windows: FakeWinreg, setup: Setup) -> None:
    installer.install(EXPLORER, setup)
    windows.put(rf"{PNG}\nobg.remove", "Position", "Top")
    windows.put(rf"{PNG}\nobg.remove\DropTarget", "CLSID", "{0}")
    assert not installer.install(EXPLORER, setup).changed
    (problem,) = installer.uninstall(EXPLORER, setup).problems
    assert rf"{PNG}\nobg.remove contains something that nobg did not write" in problem
    assert windows.texts() == {
        (rf"{PNG}\nobg.remove", "Position", "Top"),
        (rf"{PNG}\nobg.remove\DropTarget", "CLSID", "{0}"),
    }


def test_install_repairs_a_changed_value_and_uninstall_leaves_it(windows: FakeWinreg, setup: Setup) -> None:
    installer.install(EXPLORER, setup)
    windows.put(rf"{PNG}\nobg.remove", "MUIVerb", "Mine")
    status = installer.status(EXPLORER, setup)
    assert status.state == "stale"
    assert "MUIVerb is from an older or moved nobg, or was changed" in status.problems[0]
    (problem,) = installer.uninstall(EXPLORER, setup).problems
    assert "value MUIVerb contains something" in problem
    assert windows.texts() == {(rf"{PNG}\nobg.remove", "MUIVerb", "Mine")}
    assert installer.install(EXPLORER, setup).problems == ()
    assert windows.texts() == intended_values(setup)
    installer.uninstall(EXPLORER, setup)
    assert windows.texts() == set()


def test_values_from_a_reg_file_are_taken_over(windows: FakeWinreg, setup: Setup) -> None:
    for value in explorer.registry_values(replace(setup, client_command=(r"D:\old\nobg-add.exe",))):
        windows.put(value.key, value.name, value.data)
    assert installer.install(EXPLORER, setup).problems == ()
    assert windows.texts() == intended_values(setup)
    installer.uninstall(EXPLORER, setup)
    assert not any("nobg" in key for key in windows.keys)  # the keys above nobg's existed before


def test_changed_verbs_leave_nothing_of_the_old_ones(windows: FakeWinreg, setup: Setup) -> None:
    empty = copy.deepcopy(windows.keys)
    installer.install(EXPLORER, replace(setup, verbs=build_verbs((("a", "A"), ("b", "B")))))
    newer = replace(setup, verbs=build_verbs()[:1], suffixes=(".png", ".new"), client_command=(r"D:\nobg-add.exe",))
    assert installer.status(EXPLORER, newer).state == "stale"
    assert installer.install(EXPLORER, newer).changed
    assert windows.texts() == intended_values(newer)
    assert not any("menu" in key or ".heic" in key for key in windows.keys)
    installer.uninstall(EXPLORER, newer)
    assert windows.keys == empty


@pytest.mark.parametrize("after", [0, 1, 7, 60])
def test_a_refused_write_in_between_can_be_repaired_and_removed(windows: FakeWinreg, setup: Setup, after: int) -> None:
    empty = copy.deepcopy(windows.keys)
    windows.refuse_after = after
    (problem,) = installer.install(EXPLORER, setup).problems
    assert re.match(r"HKEY_CURRENT_USER\\Software.* could not be accessed \(Access is denied\)", problem)
    windows.refuse_after = None
    installer.uninstall(EXPLORER, setup)
    assert (windows.keys, installed_files(setup)) == (empty, [])


def test_each_kind_of_file_has_the_verb_and_the_sub_menu(setup: Setup) -> None:
    data_by_location = {(value.key, value.name): value.data for value in explorer.registry_values(setup)}
    for suffix in setup.suffixes:
        shell_key = rf"{CLASSES_KEY}\SystemFileAssociations\{suffix}\shell"
        assert data_by_location[rf"{shell_key}\nobg.remove", "MUIVerb"] == "Remove background"
        assert data_by_location[rf"{shell_key}\nobg.remove\command", ""] == f'"{CLIENT}" -- "%1"'
        assert data_by_location[rf"{shell_key}\nobg.remove.more", "ExtendedSubCommandsKey"] == "nobg.menu"
        # Explorer makes no sub-menu if the key has a default value.
        assert (rf"{shell_key}\nobg.remove.more", "") not in data_by_location
    entries = {key for key, name in data_by_location if name == "MUIVerb"}
    assert all(data_by_location[key, "MultiSelectModel"] == "Player" for key in entries)
    assert all(data_by_location[key, "Icon"] == f"{CLIENT},0" for key in entries)
    assert [key.rpartition("\\")[2] for key in sorted(entries) if "nobg.menu" in key] == [
        "01-white",
        "02-crop",
        "03-mask",
        f"04-{setup.verbs[4].key}",
    ]
    assert (
        data_by_location[rf"{CLASSES_KEY}\nobg.menu\shell\02-crop\command", ""] == f'"{CLIENT}" --recipe crop -- "%1"'
    )


def test_touching_up_is_offered_for_one_picture_of_each_kind(setup: Setup) -> None:
    values = explorer.registry_values(replace(setup, touch_up=TOUCH_UP))
    data_by_location = {(value.key, value.name): value.data for value in values}
    for suffix in setup.suffixes:
        key = rf"{CLASSES_KEY}\SystemFileAssociations\{suffix}\shell\nobg.touch-up"
        assert data_by_location[key, "MUIVerb"] == "Touch up cut-out…"
        assert data_by_location[key, "MultiSelectModel"] == "Single"
        assert data_by_location[rf"{key}\command", ""] == f'"{CLIENT}" --edit -- "%1"'
    assert not [value for value in explorer.registry_values(setup) if "touch-up" in value.key]


def test_odd_recipes_and_folders_are_split_into_the_intended_arguments(setup: Setup) -> None:
    odd = replace(
        setup, client_command=(r"C:\100% & ^\nobg-add.exe",), verbs=build_verbs(((ODD_NAME, "a & b"), ("%1", "@home")))
    )
    data_by_location = {(value.key, value.name): value.data for value in explorer.registry_values(odd)}
    commands = [data for (key, _), data in data_by_location.items() if key.endswith("command") and ".menu" in key]
    path = r"C:\-%1 a.png"
    assert [split_like_windows(command, path) for command in commands] == [
        [*odd.client_command, *verb.arguments, "--", path] for verb in odd.verbs[1:]
    ]
    labels = [data for (key, name), data in data_by_location.items() if name == "MUIVerb" and ".menu" in key]
    assert labels[3:] == ["a && b", "\N{FULLWIDTH COMMERCIAL AT}home"]


def split_like_windows(command: str, path: str) -> list[str]:
    """Insert the file as the shell does, then split the line as the C runtime does."""
    line = re.sub("%(.)", lambda code: path if code[1] == "1" else code[1], command)
    words = [
        word for word in re.findall(r'((?:"(?:\\.|[^"\\])*"|[^\s"])+)(?:\s|$)', line.replace("\\", "\\\\")) if word
    ]
    unquoted = [re.sub(r'(?<!\\)"', "", word.replace('\\\\"', '\\"')) for word in words]
    return [word.replace('\\"', '"').replace("\\\\", "\\") for word in unquoted]


def test_an_ico_file_beside_the_icon_is_used(setup: Setup) -> None:
    ico = setup.icon_path.with_suffix(".ico")
    ico.touch()
    assert {value.data for value in explorer.registry_values(setup) if value.name == "Icon"} == {f"{ico},0"}


def test_golden_files(setup: Setup) -> None:
    """Compare with tests/golden. NOBG_GOLDEN=write rewrites them; check the difference before you commit it."""
    folder = "C:\\Program Files\\nobg"
    golden_setup = replace(
        setup, client_command=(rf"{folder}\nobg-add.exe",), resident_command=(rf"{folder}\pythonw.exe", "-m", "watcher")
    )
    golden_setup = replace(golden_setup, verbs=build_verbs((("shop", "Für den Laden"),)), touch_up=TOUCH_UP)
    (run_values,) = RUN_KEY_AUTOSTART.artifacts(golden_setup)
    assert isinstance(run_values, RegistryValues)
    written = {
        "explorer.reg": registry.encode_reg_file(registry.reg_file(explorer.registry_values(golden_setup))),
        "autostart.reg": registry.encode_reg_file(registry.reg_file(run_values.values)),
        "Remove background.lnk": explorer.send_to_shortcut(golden_setup).content,
    }
    if os.environ.get("NOBG_GOLDEN") == "write":
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, content in written.items():
            (GOLDEN / name).write_bytes(content)
    assert written == {path.name: path.read_bytes() for path in GOLDEN.iterdir()}


def test_a_reg_file_is_utf_16_with_windows_line_ends() -> None:
    content = registry.encode_reg_file(registry.reg_file([RegistryValue("Software\\a", "", "ü")]))
    assert content.startswith(b"\xff\xfeW\0i\0")
    text = content.decode("utf-16")
    assert text == (
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\a]\r\n@=hex(1):fc,00,00,00\r\n"
    )


def test_a_reg_file_has_every_value_and_nothing_else(setup: Setup) -> None:
    odd = replace(setup, verbs=build_verbs(((ODD_NAME, ODD_NAME), ("long", "ü" * 100))))
    values = list(explorer.registry_values(odd))
    assert list(parse(registry.reg_file(values))) == values
    assert max(map(len, registry.reg_file(values).splitlines())) < 250


def test_print_is_one_reg_file(setup: Setup) -> None:
    printed = "\n".join(artifact.preview() for artifact in EXPLORER.artifacts(replace(setup, config_home=Path("/ö"))))
    assert printed.isascii()
    assert printed.startswith("Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\Classes\\")
    assert printed.count("Windows Registry Editor") == 1
    assert set(parse(printed)) == set(explorer.registry_values(setup))
    comment = printed[printed.index("\n; ") :]
    assert all(line.startswith("; ") for line in comment.strip().splitlines())
    assert "Remove background.lnk" in comment


def test_the_shortcut_starts_the_client_with_what_is_sent(setup: Setup) -> None:
    odd = replace(setup, client_command=(CLIENT, "-P", r"C:\a b\checkout.py", "add"))
    assert read_link(explorer.send_to_shortcut(odd).content) == {
        "program": CLIENT,
        "arguments": r'-P "C:\a b\checkout.py" add --',
        "comment": "Cut the subject out; the result appears beside the picture, which stays as it is.",
        "icon": CLIENT,
    }
    assert explorer.send_to_shortcut(odd).path == setup.config_home / "Microsoft/Windows/SendTo/Remove background.lnk"


def read_link(content: bytes) -> dict[str, str]:
    """Return the texts of a shortcut. It reads as much of [MS-SHLLINK] as nobg's shortcut needs."""
    size, class_id, flags = struct.unpack_from("<I16sI", content)
    assert (size, class_id.hex()) == (76, "0114020000000000c000000000000046")
    assert flags & 0b11 == 0  # neither an item list nor the volume's data
    assert flags & 1 << 9  # the environment block
    assert struct.unpack_from("<I", content, 60) == (1,)  # SW_SHOWNORMAL
    assert content[64:76] == bytes(12)
    offset, fields = 76, {}
    for bit, name in ((2, "comment"), (3, ""), (4, ""), (5, "arguments"), (6, "icon")):
        if flags & 1 << bit:
            (length,) = struct.unpack_from("<H", content, offset)
            fields[name] = content[offset + 2 : offset + 2 + 2 * length].decode("utf-16-le")
            offset += 2 + 2 * length
    assert struct.unpack_from("<II", content, offset) == (0x314, 0xA0000001)
    fields["program"] = content[offset + 8 + 260 : offset + 0x314].decode("utf-16-le").rstrip("\0")
    assert content[offset + 0x314 :] == bytes(4)
    return fields


def test_a_path_too_long_for_a_shortcut_is_an_error() -> None:
    with pytest.raises(IntegrationError, match="shorter path"):
        shell_link("C:\\" + "a" * 257, "", "", "")


def test_the_run_key_gets_one_value_and_loses_it_again(windows: FakeWinreg, setup: Setup) -> None:
    windows.put(RUN_KEY, "other", "other.exe")
    before = copy.deepcopy(windows.keys)
    installer.install(RUN_KEY_AUTOSTART, setup)
    assert (RUN_KEY, "nobg", r'"C:\Users\Jürgen Ö\nobg\Scripts\nobg.exe" run') in windows.texts()
    installer.install(EXPLORER, setup)
    assert not installer.install(RUN_KEY_AUTOSTART, setup).changed
    installer.uninstall(EXPLORER, setup)
    assert installer.status(RUN_KEY_AUTOSTART, setup).state == "current"
    installer.uninstall(RUN_KEY_AUTOSTART, setup)
    assert windows.keys == before


def test_another_program_called_nobg_keeps_its_value(windows: FakeWinreg, setup: Setup) -> None:
    for data, kind in (("theirs.exe", windows.REG_SZ), (7, windows.REG_DWORD)):
        windows.put(RUN_KEY, "nobg", data, kind)
        (problem,) = installer.install(RUN_KEY_AUTOSTART, setup).problems
        assert rf"HKEY_CURRENT_USER\{RUN_KEY}, value nobg is '{data}' already, which nobg did not write" in problem
        installer.uninstall(RUN_KEY_AUTOSTART, setup)
        assert windows.texts() == {(RUN_KEY, "nobg", data)}


def test_a_run_value_that_a_person_changed_stays(windows: FakeWinreg, setup: Setup) -> None:
    installer.install(RUN_KEY_AUTOSTART, setup)
    windows.put(RUN_KEY, "nobg", "theirs.exe")
    (problem,) = installer.uninstall(RUN_KEY_AUTOSTART, setup).problems
    assert "value nobg contains something that nobg did not write" in problem
    assert windows.texts() == {(RUN_KEY, "nobg", "theirs.exe")}


@pytest.fixture
def running(home: Path) -> Iterator[Path]:
    """Hold the resident program's lock, so that no client starts it."""
    state = home / "state"
    state.mkdir()
    lock = file_lock.acquire(str(state))
    assert lock is not None
    yield state
    file_lock.release(lock)


@pytest.mark.slow
def test_a_hundred_pictures_are_a_hundred_clients_and_a_hundred_jobs(tmp_path: Path, running: Path) -> None:
    names = [f"-{number}% %1 & ^.png" for number in range(100)]
    for name in names:
        (tmp_path / name).touch()
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())"]
    processes = [subprocess.Popen([*client, "--recipe", "white", "--", str(tmp_path / name)]) for name in names]
    assert [process.wait() for process in processes] == [0] * 100
    journal = Journal(running)
    jobs = journal.find_jobs(range(1, 102))
    journal.close()
    assert sorted(job.source.name for job in jobs) == sorted(names)
    assert {job.recipe for job in jobs} == {'{"background": "#ffffff"}'}


@pytest.mark.parametrize("into_a_file", [False, True])
def test_output_on_windows_goes_into_a_file_as_utf_16(tmp_path: Path, *, into_a_file: bool) -> None:
    imports = "import sys; import integrations.windows.registry; from watcher.cli import menus"
    code = f"{imports}; sys.platform = 'win32'; menus._print_text('a\\nb\\n')"
    if into_a_file:
        with open(tmp_path / "a.reg", "wb") as file:
            subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
        assert (tmp_path / "a.reg").read_bytes() == b"\xff\xfe" + "a\r\nb\r\n".encode("utf-16-le")
    else:
        assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout == b"a\nb\n"
