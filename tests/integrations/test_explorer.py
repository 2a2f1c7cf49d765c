"""explorer.py, registry.py, shell_link.py and the Run key, on a registry in memory; tests/real_desktop/wine.py has more."""

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

from integrations import autostart_target, base, file_managers
from integrations.autostart import RUN_KEY, RUN_KEY_AUTOSTART
from integrations.base import IntegrationError, Setup
from integrations.verbs import build_verbs
from integrations.windows import explorer, registry
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
    """A registry as a new account has it."""
    fake = FakeWinreg()
    for key in (RUN_KEY, CLASSES_KEY):
        fake.CreateKeyEx(fake.HKEY_CURRENT_USER, key)
    monkeypatch.setattr(registry, "winreg", fake)
    return fake


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that Explorer was told to look again."""
    calls: list[str] = []
    monkeypatch.setattr(registry, "notify_explorer", lambda: calls.append("told"))
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


def files(setup: Setup) -> list[Path]:
    return [path for path in setup.home.rglob("*") if path != setup.record_path]


def values(setup: Setup) -> set[tuple[str, str, object]]:
    return {(value.key, value.name, value.data) for value in explorer.registry_values(setup)}


def test_windows_has_explorer_and_the_run_key() -> None:
    assert file_managers("win32") == (EXPLORER,)
    assert autostart_target("win32") is RUN_KEY_AUTOSTART


def test_what_is_in_the_registry_is_what_was_decided(windows: FakeWinreg, setup: Setup) -> None:
    done = base.install(EXPLORER, setup)
    assert (done.changed, done.problems) == (True, ())
    assert windows.texts() == values(setup)
    assert base.status(EXPLORER, setup).state == "current"


def test_install_twice_is_install_once(windows: FakeWinreg, setup: Setup, told: list[str]) -> None:
    base.install(EXPLORER, setup)
    before, record = copy.deepcopy(windows.keys), setup.record_path.read_bytes()
    assert told == ["told"]
    assert not base.install(EXPLORER, setup).changed
    assert (windows.keys, setup.record_path.read_bytes()) == (before, record)
    assert told == ["told"]


@pytest.mark.parametrize("inhabited", [False, True])
def test_uninstall_leaves_no_key_file_or_folder(
    windows: FakeWinreg, setup: Setup, told: list[str], *, inhabited: bool
) -> None:
    if inhabited:
        windows.put(rf"{PNG}\other", "MUIVerb", "Other")
        windows.put(rf"{CLASSES_KEY}\systemfileassociations\.GIF\shell", "", "other")
        windows.put(rf"{CLASSES_KEY}\.heic", "PerceivedType", "image")
        (setup.config_home / "Microsoft" / "Windows" / "SendTo").mkdir(parents=True)
    keys, before = copy.deepcopy(windows.keys), files(setup)
    base.install(EXPLORER, setup)
    assert windows.keys != keys
    assert len(told) == 1
    done = base.uninstall(EXPLORER, setup)
    assert done.problems == ()
    assert (windows.keys, files(setup)) == (keys, before)
    assert not setup.record_path.exists()
    assert len(told) == 2


def test_what_is_not_ours_in_our_keys_is_left_and_said(windows: FakeWinreg, setup: Setup) -> None:
    base.install(EXPLORER, setup)
    windows.put(rf"{PNG}\nobg.remove", "Position", "Top")
    windows.put(rf"{PNG}\nobg.remove\DropTarget", "CLSID", "{0}")
    assert not base.install(EXPLORER, setup).changed
    (problem,) = base.uninstall(EXPLORER, setup).problems
    assert rf"{PNG}\nobg.remove holds something that nobg did not write" in problem
    assert windows.texts() == {
        (rf"{PNG}\nobg.remove", "Position", "Top"),
        (rf"{PNG}\nobg.remove\DropTarget", "CLSID", "{0}"),
    }


def test_a_value_that_was_changed_is_repaired_by_install_and_left_by_uninstall(
    windows: FakeWinreg, setup: Setup
) -> None:
    base.install(EXPLORER, setup)
    windows.put(rf"{PNG}\nobg.remove", "MUIVerb", "Mine")
    status = base.status(EXPLORER, setup)
    assert status.state == "stale"
    assert "MUIVerb is from an older or moved nobg, or was changed" in status.problems[0]
    (problem,) = base.uninstall(EXPLORER, setup).problems
    assert "value MUIVerb holds something" in problem
    assert windows.texts() == {(rf"{PNG}\nobg.remove", "MUIVerb", "Mine")}
    assert base.install(EXPLORER, setup).problems == ()
    assert windows.texts() == values(setup)
    base.uninstall(EXPLORER, setup)
    assert windows.texts() == set()


def test_what_a_reg_file_brought_is_taken_over(windows: FakeWinreg, setup: Setup) -> None:
    for value in explorer.registry_values(replace(setup, client_command=(r"D:\old\nobg-add.exe",))):
        windows.put(value.key, value.name, value.data)
    assert base.install(EXPLORER, setup).problems == ()
    assert windows.texts() == values(setup)
    base.uninstall(EXPLORER, setup)
    assert not any("nobg" in key for key in windows.keys)  # those above were there before us


def test_a_changed_table_leaves_nothing_of_the_old_one(windows: FakeWinreg, setup: Setup) -> None:
    empty = copy.deepcopy(windows.keys)
    base.install(EXPLORER, replace(setup, verbs=build_verbs((("a", "A"), ("b", "B")))))
    newer = replace(setup, verbs=build_verbs()[:1], suffixes=(".png", ".new"), client_command=(r"D:\nobg-add.exe",))
    assert base.status(EXPLORER, newer).state == "stale"
    assert base.install(EXPLORER, newer).changed
    assert windows.texts() == values(newer)
    assert not any("menu" in key or ".heic" in key for key in windows.keys)
    base.uninstall(EXPLORER, newer)
    assert windows.keys == empty


@pytest.mark.parametrize("after", [0, 1, 7, 60])
def test_a_crash_or_refusal_in_between_can_be_repaired_and_removed(
    windows: FakeWinreg, setup: Setup, after: int
) -> None:
    empty = copy.deepcopy(windows.keys)
    windows.refuse_after = after
    (problem,) = base.install(EXPLORER, setup).problems
    assert re.match(r"HKEY_CURRENT_USER\\Software.* was refused \(Access is denied\)", problem)
    windows.refuse_after = None
    base.uninstall(EXPLORER, setup)
    assert (windows.keys, files(setup)) == (empty, [])


def test_each_kind_of_file_has_the_verb_and_the_sub_menu(setup: Setup) -> None:
    table = {(value.key, value.name): value.data for value in explorer.registry_values(setup)}
    for suffix in setup.suffixes:
        shell = rf"{CLASSES_KEY}\SystemFileAssociations\{suffix}\shell"
        assert table[rf"{shell}\nobg.remove", "MUIVerb"] == "Remove background"
        assert table[rf"{shell}\nobg.remove\command", ""] == f'"{CLIENT}" -- "%1"'
        assert table[rf"{shell}\nobg.remove.more", "ExtendedSubCommandsKey"] == "nobg.menu"
        assert (rf"{shell}\nobg.remove.more", "") not in table  # Explorer makes no sub-menu then
    entries = {key for key, name in table if name == "MUIVerb"}
    assert all(table[key, "MultiSelectModel"] == "Player" and table[key, "Icon"] == f"{CLIENT},0" for key in entries)
    assert [key.rpartition("\\")[2] for key in sorted(entries) if "nobg.menu" in key] == [
        "01-white",
        "02-crop",
        "03-mask",
        f"04-{setup.verbs[4].key}",
    ]
    assert table[rf"{CLASSES_KEY}\nobg.menu\shell\02-crop\command", ""] == f'"{CLIENT}" --recipe crop -- "%1"'


def test_odd_recipes_and_folders_come_apart_as_they_were_meant(setup: Setup) -> None:
    odd = replace(
        setup, client_command=(r"C:\100% & ^\nobg-add.exe",), verbs=build_verbs(((ODD_NAME, "a & b"), ("%1", "@home")))
    )
    table = {(value.key, value.name): value.data for value in explorer.registry_values(odd)}
    commands = [data for (key, _), data in table.items() if key.endswith("command") and ".menu" in key]
    path = r"C:\-%1 a.png"
    assert [as_windows_reads(command, path) for command in commands] == [
        [*odd.client_command, *verb.arguments, "--", path] for verb in odd.verbs[1:]
    ]
    labels = [data for (key, name), data in table.items() if name == "MUIVerb" and ".menu" in key]
    assert labels[3:] == ["a && b", "\N{FULLWIDTH COMMERCIAL AT}home"]


def as_windows_reads(command: str, path: str) -> list[str]:
    """The shell puts the file in, then the C runtime takes the line apart."""
    line = re.sub("%(.)", lambda code: path if code[1] == "1" else code[1], command)
    words = [
        word for word in re.findall(r'((?:"(?:\\.|[^"\\])*"|[^\s"])+)(?:\s|$)', line.replace("\\", "\\\\")) if word
    ]
    plain = [re.sub(r'(?<!\\)"', "", word.replace('\\\\"', '\\"')) for word in words]
    return [word.replace('\\"', '"').replace("\\\\", "\\") for word in plain]


def test_an_ico_beside_our_picture_is_the_icon(setup: Setup) -> None:
    ico = setup.icon_path.with_suffix(".ico")
    ico.touch()
    assert {value.data for value in explorer.registry_values(setup) if value.name == "Icon"} == {f"{ico},0"}


def test_golden_files(setup: Setup) -> None:
    """NOBG_GOLDEN=write makes them anew; look at the difference before you keep it."""
    folder = "C:\\Program Files\\nobg"
    clear = replace(
        setup, client_command=(rf"{folder}\nobg-add.exe",), resident_command=(rf"{folder}\pythonw.exe", "-m", "watcher")
    )
    clear = replace(clear, verbs=build_verbs((("shop", "Für den Laden"),)))
    (run,) = RUN_KEY_AUTOSTART.artifacts(clear)
    assert isinstance(run, RegistryValues)
    written = {
        "explorer.reg": registry.encode_reg_file(registry.reg_file(explorer.registry_values(clear))),
        "autostart.reg": registry.encode_reg_file(registry.reg_file(run.values)),
        "Remove background.lnk": explorer.send_to_shortcut(clear).content,
    }
    if os.environ.get("NOBG_GOLDEN") == "write":
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, content in written.items():
            (GOLDEN / name).write_bytes(content)
    assert written == {path.name: path.read_bytes() for path in GOLDEN.iterdir()}


def test_a_reg_file_is_utf_16_with_line_ends_of_windows() -> None:
    content = registry.encode_reg_file(registry.reg_file([RegistryValue("Software\\a", "", "ü")]))
    assert content.startswith(b"\xff\xfeW\0i\0")
    text = content.decode("utf-16")
    assert text == (
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\a]\r\n@=hex(1):fc,00,00,00\r\n"
    )


def test_a_reg_file_says_every_value_and_nothing_else(setup: Setup) -> None:
    odd = replace(setup, verbs=build_verbs(((ODD_NAME, ODD_NAME), ("long", "ü" * 100))))
    wanted = list(explorer.registry_values(odd))
    assert list(parse(registry.reg_file(wanted))) == wanted
    assert max(map(len, registry.reg_file(wanted).splitlines())) < 250


def test_print_is_one_reg_file(setup: Setup) -> None:
    printed = "\n".join(piece.preview() for piece in EXPLORER.artifacts(replace(setup, config_home=Path("/ö"))))
    assert printed.isascii()
    assert printed.startswith("Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\Classes\\")
    assert printed.count("Windows Registry Editor") == 1
    assert set(parse(printed)) == set(explorer.registry_values(setup))
    rest = printed[printed.index("\n; ") :]
    assert all(line.startswith("; ") for line in rest.strip().splitlines())
    assert "Remove background.lnk" in rest


def test_the_shortcut_starts_the_client_with_what_is_sent(setup: Setup) -> None:
    odd = replace(setup, client_command=(CLIENT, "-P", r"C:\a b\checkout.py", "add"))
    assert read_link(explorer.send_to_shortcut(odd).content) == {
        "target": CLIENT,
        "arguments": r'-P "C:\a b\checkout.py" add --',
        "comment": "Cut the subject out; the result appears beside the picture, which stays as it is.",
        "icon": CLIENT,
    }
    assert explorer.send_to_shortcut(odd).path == setup.config_home / "Microsoft/Windows/SendTo/Remove background.lnk"


def read_link(content: bytes) -> dict[str, str]:
    """[MS-SHLLINK], as far as our file needs it."""
    size, identity, flags = struct.unpack_from("<I16sI", content)
    assert (size, identity.hex()) == (76, "0114020000000000c000000000000046")
    assert flags & 0b11 == 0  # neither an item list nor the volume's data
    assert flags & 1 << 9  # the environment block
    assert struct.unpack_from("<I", content, 60) == (1,)  # SW_SHOWNORMAL
    assert content[64:76] == bytes(12)
    place, found = 76, {}
    for bit, name in ((2, "comment"), (3, ""), (4, ""), (5, "arguments"), (6, "icon")):
        if flags & 1 << bit:
            (length,) = struct.unpack_from("<H", content, place)
            found[name] = content[place + 2 : place + 2 + 2 * length].decode("utf-16-le")
            place += 2 + 2 * length
    assert struct.unpack_from("<II", content, place) == (0x314, 0xA0000001)
    found["target"] = content[place + 8 + 260 : place + 0x314].decode("utf-16-le").rstrip("\0")
    assert content[place + 0x314 :] == bytes(4)
    return found


def test_a_target_that_no_shortcut_can_hold_is_said() -> None:
    with pytest.raises(IntegrationError, match="shorter folder"):
        shell_link("C:\\" + "a" * 257, "", "", "")


def test_the_run_key_gets_one_value_and_loses_it_again(windows: FakeWinreg, setup: Setup) -> None:
    windows.put(RUN_KEY, "other", "other.exe")
    before = copy.deepcopy(windows.keys)
    base.install(RUN_KEY_AUTOSTART, setup)
    assert (RUN_KEY, "nobg", r'"C:\Users\Jürgen Ö\nobg\Scripts\nobg.exe" run') in windows.texts()
    base.install(EXPLORER, setup)
    assert not base.install(RUN_KEY_AUTOSTART, setup).changed
    base.uninstall(EXPLORER, setup)
    assert base.status(RUN_KEY_AUTOSTART, setup).state == "current"
    base.uninstall(RUN_KEY_AUTOSTART, setup)
    assert windows.keys == before


def test_another_program_called_nobg_keeps_its_place(windows: FakeWinreg, setup: Setup) -> None:
    for data, kind in (("theirs.exe", windows.REG_SZ), (7, windows.REG_DWORD)):
        windows.put(RUN_KEY, "nobg", data, kind)
        (problem,) = base.install(RUN_KEY_AUTOSTART, setup).problems
        assert rf"HKEY_CURRENT_USER\{RUN_KEY}, value nobg is '{data}' already, which is not of nobg" in problem
        base.uninstall(RUN_KEY_AUTOSTART, setup)
        assert windows.texts() == {(RUN_KEY, "nobg", data)}


def test_a_run_value_that_somebody_changed_is_left(windows: FakeWinreg, setup: Setup) -> None:
    base.install(RUN_KEY_AUTOSTART, setup)
    windows.put(RUN_KEY, "nobg", "theirs.exe")
    (problem,) = base.uninstall(RUN_KEY_AUTOSTART, setup).problems
    assert "value nobg holds something that nobg did not write" in problem
    assert windows.texts() == {(RUN_KEY, "nobg", "theirs.exe")}


@pytest.fixture
def running(home: Path) -> Iterator[Path]:
    """As if the program ran: it would be started otherwise."""
    state = home / "state"
    state.mkdir()
    lock = file_lock.acquire(str(state))
    assert lock is not None
    yield state
    file_lock.release(lock)


def test_a_hundred_pictures_are_a_hundred_clients_and_a_hundred_jobs(tmp_path: Path, running: Path) -> None:
    names = [f"-{number}% %1 & ^.png" for number in range(100)]
    for name in names:
        (tmp_path / name).touch()
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())"]
    clients = [subprocess.Popen([*client, "--recipe", "white", "--", str(tmp_path / name)]) for name in names]
    assert [one.wait() for one in clients] == [0] * 100
    journal = Journal(running)
    jobs = journal.find_jobs(range(1, 102))
    journal.close()
    assert sorted(job.source.name for job in jobs) == sorted(names)
    assert {job.recipe for job in jobs} == {'{"background": "#ffffff"}'}


@pytest.mark.parametrize("into_a_file", [False, True])
def test_what_is_printed_on_windows_goes_into_a_file_as_utf_16(tmp_path: Path, *, into_a_file: bool) -> None:
    imports = "import sys; import integrations.windows.registry; from watcher.cli import menus"
    code = f"{imports}; sys.platform = 'win32'; menus._print_text('a\\nb\\n')"
    if into_a_file:
        with open(tmp_path / "a.reg", "wb") as file:
            subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
        assert (tmp_path / "a.reg").read_bytes() == b"\xff\xfe" + "a\r\nb\r\n".encode("utf-16-le")
    else:
        assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout == b"a\nb\n"
