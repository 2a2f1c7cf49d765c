"""Opening files and choosing folders, with the desktop's programs replaced by scripts that record their calls."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support.program import wait_for
from watcher.desktop import shell, strings
from watcher.errors import NobgError

ODD = (
    "plain.png",
    "two words.png",
    'it\'s "quoted" $HOME `ls`.png',
    "line\nend.png",
    "-x.png",
    "100% %20 #1?.png",
    "ü 写.png",
    os.fsdecode(b"not utf-8 \xff.png"),
)
each_odd_name = pytest.mark.parametrize("name", ODD, ids=ascii)


class Programs:
    """The only folder on PATH. Each program writes its session and its arguments into a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self._calls = folder / "calls"
        self._calls.mkdir()

    def add(self, name: str, *, says: str | bytes = "", complains: str = "", code: int = 0) -> None:
        """Add a program that prints `says` and, as an error, `complains`, and exits with `code`."""
        output_file = self.folder / f"{name}.says"
        output_file.write_bytes(os.fsencode(says))
        output = shlex.quote(str(output_file))
        calls = shlex.quote(str(self._calls / name))
        script = self.folder / name
        script.write_text(
            f"#!/bin/sh\nread -r _ _ _ _ _ session _ < /proc/$$/stat\n"
            f"{{ echo $session; printf '%s\\0' \"$@\"; }} > {calls}.new\n"
            f"/bin/mv {calls}.new {calls}\n/bin/cat {output}\n"
            f"printf %s {shlex.quote(complains)} >&2\nexit {code}\n"
        )
        script.chmod(0o755)

    def was_called(self, name: str) -> bool:
        """Return whether the program was called."""
        return (self._calls / name).exists()

    def arguments_of(self, name: str) -> list[str]:
        """Return the arguments of the program's last call."""
        _, _, words = (self._calls / name).read_bytes().partition(b"\n")
        return [os.fsdecode(word) for word in words.split(b"\0")[:-1]]

    def session(self, name: str) -> int:
        """Return the session id of the program's last process."""
        return int((self._calls / name).read_bytes().partition(b"\n")[0])


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    programs = Programs(tmp_path)
    monkeypatch.setenv("PATH", str(programs.folder))
    for name in ("DESKTOP_SESSION", "XDG_CURRENT_DESKTOP", "FILEDIALOG_CWD"):
        monkeypatch.delenv(name, raising=False)
    return programs


@pytest.fixture(autouse=True)
def _fresh_library() -> Iterator[None]:
    """Make the test import crossfiledialog again: it chooses a program at its import, and remembers the last folder."""

    def library_modules() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "crossfiledialog"}

    before = library_modules()
    for name in before:
        del sys.modules[name]
    yield
    for name in library_modules():
        del sys.modules[name]
    sys.modules.update(before)


def pretend_platform(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `shell`, and no other module, behave as on this platform."""
    monkeypatch.setattr(shell, "sys", SimpleNamespace(platform=platform, executable=sys.executable))


# Opening


@each_odd_name
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_file_is_opened_by_the_persons_program(
    name: str, platform: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_platform(platform, monkeypatch)
    opener = {"linux": "xdg-open", "darwin": "open"}[platform]
    programs.add(opener)
    shell.open_path(tmp_path / name)
    assert programs.arguments_of(opener) == [str(tmp_path / name)]


def test_what_is_opened_outlives_nobg(tmp_path: Path, programs: Programs) -> None:
    programs.add("xdg-open")
    shell.open_path(tmp_path)
    assert programs.session("xdg-open") != os.getsid(0)


def test_a_file_that_no_program_opens_is_named(tmp_path: Path, programs: Programs) -> None:
    programs.add("xdg-open", code=3)
    with pytest.raises(NobgError, match=r"photo\.png could not be opened"):
        shell.open_path(tmp_path / "photo.png")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_without_a_program_to_open_files_an_error_is_raised(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_platform(platform, monkeypatch)
    with pytest.raises(NobgError, match="could not be opened"):
        shell.open_path(tmp_path / "photo.png")


def test_windows_opens_files_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_platform("win32", monkeypatch)
    opened: list[Path] = []
    monkeypatch.setattr(os, "startfile", opened.append, raising=False)
    shell.open_path(tmp_path / "two words.png")
    assert opened == [tmp_path / "two words.png"]


def test_a_file_that_windows_cannot_open_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise OSError(1155, "No application is associated with the specified file for this operation")

    pretend_platform("win32", monkeypatch)
    monkeypatch.setattr(os, "startfile", refuse, raising=False)
    with pytest.raises(NobgError, match=r"photo\.png could not be opened"):
        shell.open_path(tmp_path / "photo.png")


# Showing a file in its folder


@pytest.fixture
def nautilus(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Nautilus is the person's file manager."""
    applications = tmp_path / "share" / "applications"
    applications.mkdir(parents=True)
    entry = "[Desktop Entry]\nType=Application\nName=Files\nExec=nautilus --new-window %U\n"
    (applications / "org.gnome.Nautilus.desktop").write_text(entry)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    programs.add("xdg-mime", says="org.gnome.Nautilus.desktop\n")
    programs.add("nautilus")
    programs.add("xdg-open")
    return programs


@pytest.mark.parametrize("name", ["plain.png", 'it\'s "quoted" $HOME\n写.png', ODD[-1]], ids=ascii)
def test_a_file_is_shown_in_the_persons_file_manager(name: str, tmp_path: Path, nautilus: Programs) -> None:
    (tmp_path / name).touch()
    shell.reveal(tmp_path / name)
    wait_for(lambda: nautilus.was_called("nautilus"))
    assert nautilus.arguments_of("nautilus") == ["--select", (tmp_path / name).as_uri()]
    assert not nautilus.was_called("xdg-open")


def test_the_file_manager_outlives_nobg(tmp_path: Path, nautilus: Programs) -> None:
    shell.reveal(tmp_path / "photo.png")
    wait_for(lambda: nautilus.was_called("nautilus"))
    assert nautilus.session("nautilus") != os.getsid(0)


def test_without_a_file_manager_that_can_show_it_the_folder_is_opened(tmp_path: Path, programs: Programs) -> None:
    programs.add("xdg-open")
    programs.add("xdg-mime", says="unheard-of.desktop\n")
    shell.reveal(tmp_path / "folder" / "photo.png")
    assert programs.was_called("xdg-open")
    assert programs.arguments_of("xdg-open") == [str(tmp_path / "folder")]


@each_odd_name
def test_if_showing_a_file_fails_its_folder_is_opened(
    name: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path, monkeypatch)
    programs.add("xdg-open")
    shell.reveal(tmp_path / name / "photo.png")
    assert programs.arguments_of("xdg-open") == [str(tmp_path / name)]


def test_if_opening_the_folder_fails_too_an_error_is_raised(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path, monkeypatch)
    programs.add("xdg-open", code=4)
    with pytest.raises(NobgError, match="could not be opened"):
        shell.reveal(tmp_path / "photo.png")


def broken_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the library that shows files fail in new processes."""
    (folder / "library").mkdir()
    (folder / "library" / "showinfm.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(folder / "library"))


# Choosing a folder


@pytest.mark.parametrize("name", ODD[:-1], ids=ascii)
@pytest.mark.parametrize("program", ["zenity", "kdialog"])
def test_the_name_of_the_chosen_folder_is_kept_exactly(
    name: str, program: str, tmp_path: Path, programs: Programs
) -> None:
    programs.add(program, says=f"{tmp_path / name}\n")
    assert shell.choose_folder(tmp_path) == tmp_path / name


def test_a_folders_name_that_is_not_utf_8_is_kept_or_refused_with_a_message(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path / ODD[-1]}\n")
    with contextlib.suppress(NobgError):
        assert shell.choose_folder(tmp_path) == tmp_path / ODD[-1]


def test_the_chosen_folders_name_may_end_in_a_space(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path}/holiday \n")
    assert shell.choose_folder(tmp_path) == tmp_path / "holiday "


def test_the_window_has_a_title_and_starts_in_the_pictures(tmp_path: Path, programs: Programs) -> None:
    start = tmp_path / "my \"pictures\" 'here'"
    programs.add("zenity", says=f"{tmp_path}\n")
    shell.choose_folder(start)
    arguments = programs.arguments_of("zenity")
    assert {"--file-selection", "--directory", f"--title={strings.CHOOSE_FOLDER}"} < set(arguments)
    assert f"--filename={start}/" in arguments  # without the slash, zenity starts in the folder above


def test_kdialog_starts_in_the_pictures(tmp_path: Path, programs: Programs) -> None:
    programs.add("kdialog", says=f"{tmp_path}\n")
    shell.choose_folder(tmp_path / "pictures")
    assert programs.arguments_of("kdialog")[:2] == ["--getexistingdirectory", str(tmp_path / "pictures")]


@pytest.mark.parametrize(("desktop", "program"), [("KDE", "kdialog"), ("GNOME", "zenity")])
def test_a_desktop_shows_its_own_window(
    desktop: str, program: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    for name in ("kdialog", "zenity"):
        programs.add(name, says=f"{tmp_path / name}\n")
    assert shell.choose_folder(tmp_path) == tmp_path / program


@pytest.mark.parametrize("program", ["zenity", "kdialog"])
def test_a_cancelled_choice_is_no_error(program: str, tmp_path: Path, programs: Programs) -> None:
    programs.add(program, code=1)
    assert shell.choose_folder(tmp_path) is None


def test_without_a_folder_chooser_the_message_says_what_to_install(tmp_path: Path, programs: Programs) -> None:
    with pytest.raises(NobgError, match="zenity or kdialog"):
        shell.choose_folder(tmp_path)
    programs.add("zenity", says=f"{tmp_path}\n")
    assert shell.choose_folder(tmp_path) == tmp_path  # zenity has been installed since


def test_a_folder_can_be_chosen_after_the_last_one_is_gone(tmp_path: Path, programs: Programs) -> None:
    stick = tmp_path / "stick"
    (stick / "holiday").mkdir(parents=True)
    programs.add("zenity", says=f"{stick / 'holiday'}\n")
    shell.choose_folder(tmp_path)
    shutil.rmtree(stick)  # unplugged
    programs.add("zenity", says=f"{tmp_path}\n")
    assert shell.choose_folder(tmp_path) == tmp_path


def test_when_one_program_is_gone_the_other_is_used(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path}\n")
    programs.add("kdialog", says=f"{tmp_path / 'other'}\n")
    shell.choose_folder(tmp_path)
    (programs.folder / "zenity").unlink()
    assert shell.choose_folder(tmp_path) == tmp_path / "other"


@pytest.fixture
def mac(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A Mac, also for the library, which shows its dialog by osascript."""
    monkeypatch.setattr(sys, "platform", "darwin")
    return programs


def test_the_folder_dialog_of_macos_returns_the_choice(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", says="/Users/a/My Pictures/\n")
    assert shell.choose_folder(tmp_path / 'a "quoted" \\ name') == Path("/Users/a/My Pictures")
    script = mac.arguments_of("osascript")[-1]
    assert f'with prompt "{strings.CHOOSE_FOLDER}"' in script
    assert f'POSIX file "{tmp_path}/a \\"quoted\\" \\\\ name"' in script


@pytest.mark.parametrize("words", ["User canceled.", "Vom Benutzer abgebrochen."])
def test_a_cancelled_choice_on_macos_is_no_error(words: str, tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains=f"0:62: execution error: {words} (-128)\n", code=1)
    assert shell.choose_folder(tmp_path) is None


def test_a_folder_dialog_that_fails_on_macos_is_an_error(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains="execution error: No user interaction allowed. (-1713)\n", code=1)
    with pytest.raises(NobgError, match="settings file"):
        shell.choose_folder(tmp_path)


def test_on_macos_no_message_names_programs_of_linux(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains="execution error: No user interaction allowed. (-1713)\n", code=1)
    with pytest.raises(NobgError, match=r"^((?!zenity).)*$"):
        shell.choose_folder(tmp_path)


@pytest.mark.parametrize(("answer", "chosen"), [("C:\\My Pictures", Path("C:\\My Pictures")), (None, None), ("", None)])
def test_the_folder_dialog_of_windows_returns_the_choice(
    answer: str | None, chosen: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = windows_dialog(monkeypatch, answer)
    assert shell.choose_folder(tmp_path) == chosen
    assert calls == [{"title": strings.CHOOSE_FOLDER, "start_dir": str(tmp_path)}]


def test_a_folder_dialog_that_fails_on_windows_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows_dialog(monkeypatch, None, refuses=True)
    with pytest.raises(NobgError, match="settings file"):
        shell.choose_folder(tmp_path)


def windows_dialog(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, *, refuses: bool = False
) -> list[dict[str, Any]]:
    """Replace the library by a stand-in that returns `answer` or raises; return the list of its calls."""
    pretend_platform("win32", monkeypatch)
    package, exceptions = ModuleType("crossfiledialog"), ModuleType("crossfiledialog.exceptions")
    error = type("FileDialogException", (Exception,), {})
    calls: list[dict[str, Any]] = []

    def choose_folder(**options: Any) -> str | None:
        calls.append(options)
        if refuses:
            raise error("CoCreateInstance failed (HRESULT=0x80040154)")
        return answer

    vars(exceptions)["FileDialogException"] = error
    vars(package).update(choose_folder=choose_folder, exceptions=exceptions)
    monkeypatch.setitem(sys.modules, "crossfiledialog", package)
    monkeypatch.setitem(sys.modules, "crossfiledialog.exceptions", exceptions)
    return calls


def test_the_windows_library_has_the_parameters_that_are_used() -> None:
    """The library's module for Windows cannot be imported here, so the test parses it."""
    package = importlib.util.find_spec("crossfiledialog")
    assert package is not None
    assert package.origin is not None
    tree = ast.parse(Path(package.origin).with_name("win32.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [argument.arg for argument in functions["choose_folder"].args.args] == ["title", "start_dir"]
