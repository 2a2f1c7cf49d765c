"""What the desktop does for us, with its programs replaced by scripts that note how they were called."""

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
    """The only folder on PATH. Each program writes what it is given, and its session, into a file, word by word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self._calls = folder / "calls"
        self._calls.mkdir()

    def add(self, name: str, *, says: str | bytes = "", complains: str = "", code: int = 0) -> None:
        """Put a program there."""
        said = self.folder / f"{name}.says"
        said.write_bytes(os.fsencode(says))
        shown = shlex.quote(str(said))
        calls = shlex.quote(str(self._calls / name))
        script = self.folder / name
        script.write_text(
            f"#!/bin/sh\nread -r _ _ _ _ _ session _ < /proc/$$/stat\n"
            f"{{ echo $session; printf '%s\\0' \"$@\"; }} > {calls}.new\n"
            f"/bin/mv {calls}.new {calls}\n/bin/cat {shown}\n"
            f"printf %s {shlex.quote(complains)} >&2\nexit {code}\n"
        )
        script.chmod(0o755)

    def called(self, name: str) -> bool:
        """Was it?"""
        return (self._calls / name).exists()

    def given(self, name: str) -> list[str]:
        """The words it was called with last."""
        _, _, words = (self._calls / name).read_bytes().partition(b"\n")
        return [os.fsdecode(word) for word in words.split(b"\0")[:-1]]

    def session(self, name: str) -> int:
        """Of the process that it was."""
        return int((self._calls / name).read_bytes().partition(b"\n")[0])


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path)
    monkeypatch.setenv("PATH", str(made.folder))
    for name in ("DESKTOP_SESSION", "XDG_CURRENT_DESKTOP", "FILEDIALOG_CWD"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture(autouse=True)
def _fresh_library() -> Iterator[None]:
    """The library chooses a program when it is imported, and remembers the last folder."""

    def known() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "crossfiledialog"}

    before = known()
    for name in before:
        del sys.modules[name]
    yield
    for name in known():
        del sys.modules[name]
    sys.modules.update(before)


def on(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `desk`, and it alone, take this system for another."""
    monkeypatch.setattr(shell, "sys", SimpleNamespace(platform=platform, executable=sys.executable))


# Opening


@each_odd_name
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_file_is_opened_by_the_persons_program(
    name: str, platform: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(platform, monkeypatch)
    opener = {"linux": "xdg-open", "darwin": "open"}[platform]
    programs.add(opener)
    shell.open_path(tmp_path / name)
    assert programs.given(opener) == [str(tmp_path / name)]


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
def test_a_desktop_that_opens_nothing_says_so(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on(platform, monkeypatch)
    with pytest.raises(NobgError, match="could not be opened"):
        shell.open_path(tmp_path / "photo.png")


def test_windows_opens_files_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on("win32", monkeypatch)
    opened: list[Path] = []
    monkeypatch.setattr(os, "startfile", opened.append, raising=False)
    shell.open_path(tmp_path / "two words.png")
    assert opened == [tmp_path / "two words.png"]


def test_windows_has_no_program_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise OSError(1155, "No application is associated with the specified file for this operation")

    on("win32", monkeypatch)
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
    wait_for(lambda: nautilus.called("nautilus"))
    assert nautilus.given("nautilus") == ["--select", (tmp_path / name).as_uri()]
    assert not nautilus.called("xdg-open")


def test_the_file_manager_outlives_nobg(tmp_path: Path, nautilus: Programs) -> None:
    shell.reveal(tmp_path / "photo.png")
    wait_for(lambda: nautilus.called("nautilus"))
    assert nautilus.session("nautilus") != os.getsid(0)


def test_without_a_file_manager_that_can_show_it_the_folder_is_opened(tmp_path: Path, programs: Programs) -> None:
    programs.add("xdg-open")
    programs.add("xdg-mime", says="unheard-of.desktop\n")
    shell.reveal(tmp_path / "folder" / "photo.png")
    assert programs.called("xdg-open")
    assert programs.given("xdg-open") == [str(tmp_path / "folder")]


@each_odd_name
def test_where_showing_fails_the_folder_is_opened(
    name: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path, monkeypatch)
    programs.add("xdg-open")
    shell.reveal(tmp_path / name / "photo.png")
    assert programs.given("xdg-open") == [str(tmp_path / name)]


def test_where_opening_the_folder_fails_too_a_person_is_told(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path, monkeypatch)
    programs.add("xdg-open", code=4)
    with pytest.raises(NobgError, match="could not be opened"):
        shell.reveal(tmp_path / "photo.png")


def broken_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the library that shows files fail, in processes that are started from now on."""
    (folder / "library").mkdir()
    (folder / "library" / "showinfm.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(folder / "library"))


# Choosing a folder


@pytest.mark.parametrize("name", ODD[:-1], ids=ascii)
@pytest.mark.parametrize("program", ["zenity", "kdialog"])
def test_the_chosen_folder_is_taken_as_it_is_called(
    name: str, program: str, tmp_path: Path, programs: Programs
) -> None:
    programs.add(program, says=f"{tmp_path / name}\n")
    assert shell.choose_folder(tmp_path) == tmp_path / name


def test_a_folders_name_that_is_not_utf_8_is_taken_or_refused_in_words(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path / ODD[-1]}\n")
    with contextlib.suppress(NobgError):
        assert shell.choose_folder(tmp_path) == tmp_path / ODD[-1]


def test_the_chosen_folders_name_may_end_in_a_space(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path}/holiday \n")
    assert shell.choose_folder(tmp_path) == tmp_path / "holiday "


def test_the_window_says_what_for_and_begins_in_the_pictures(tmp_path: Path, programs: Programs) -> None:
    start = tmp_path / "my \"pictures\" 'here'"
    programs.add("zenity", says=f"{tmp_path}\n")
    shell.choose_folder(start)
    given = programs.given("zenity")
    assert {"--file-selection", "--directory", f"--title={strings.CHOOSE_FOLDER}"} < set(given)
    assert f"--filename={start}/" in given  # without the slash, zenity begins in the folder above


def test_kdialog_begins_in_the_pictures(tmp_path: Path, programs: Programs) -> None:
    programs.add("kdialog", says=f"{tmp_path}\n")
    shell.choose_folder(tmp_path / "pictures")
    assert programs.given("kdialog")[:2] == ["--getexistingdirectory", str(tmp_path / "pictures")]


@pytest.mark.parametrize(("desktop", "program"), [("KDE", "kdialog"), ("GNOME", "zenity")])
def test_a_desktop_shows_its_own_window(
    desktop: str, program: str, tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    for name in ("kdialog", "zenity"):
        programs.add(name, says=f"{tmp_path / name}\n")
    assert shell.choose_folder(tmp_path) == tmp_path / program


@pytest.mark.parametrize("program", ["zenity", "kdialog"])
def test_no_folder_is_no_mistake(program: str, tmp_path: Path, programs: Programs) -> None:
    programs.add(program, code=1)
    assert shell.choose_folder(tmp_path) is None


def test_without_a_program_for_it_a_person_hears_which_to_install(tmp_path: Path, programs: Programs) -> None:
    with pytest.raises(NobgError, match="zenity or kdialog"):
        shell.choose_folder(tmp_path)
    programs.add("zenity", says=f"{tmp_path}\n")
    assert shell.choose_folder(tmp_path) == tmp_path  # it was installed meanwhile


def test_a_folder_can_be_chosen_after_the_last_one_is_gone(tmp_path: Path, programs: Programs) -> None:
    stick = tmp_path / "stick"
    (stick / "holiday").mkdir(parents=True)
    programs.add("zenity", says=f"{stick / 'holiday'}\n")
    shell.choose_folder(tmp_path)
    shutil.rmtree(stick)  # unplugged
    programs.add("zenity", says=f"{tmp_path}\n")
    assert shell.choose_folder(tmp_path) == tmp_path


def test_when_one_program_is_gone_the_other_asks(tmp_path: Path, programs: Programs) -> None:
    programs.add("zenity", says=f"{tmp_path}\n")
    programs.add("kdialog", says=f"{tmp_path / 'other'}\n")
    shell.choose_folder(tmp_path)
    (programs.folder / "zenity").unlink()
    assert shell.choose_folder(tmp_path) == tmp_path / "other"


@pytest.fixture
def mac(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A Mac, also for the library; it asks through osascript."""
    monkeypatch.setattr(sys, "platform", "darwin")
    return programs


def test_macos_asks_and_answers(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", says="/Users/a/My Pictures/\n")
    assert shell.choose_folder(tmp_path / 'a "quoted" \\ name') == Path("/Users/a/My Pictures")
    script = mac.given("osascript")[-1]
    assert f'with prompt "{strings.CHOOSE_FOLDER}"' in script
    assert f'POSIX file "{tmp_path}/a \\"quoted\\" \\\\ name"' in script


@pytest.mark.parametrize("words", ["User canceled.", "Vom Benutzer abgebrochen."])
def test_macos_calls_cancelling_an_error_we_do_not(words: str, tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains=f"0:62: execution error: {words} (-128)\n", code=1)
    assert shell.choose_folder(tmp_path) is None


def test_macos_refuses_to_ask(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains="execution error: No user interaction allowed. (-1713)\n", code=1)
    with pytest.raises(NobgError, match="settings file"):
        shell.choose_folder(tmp_path)


def test_macos_is_not_told_to_install_programs_of_linux(tmp_path: Path, mac: Programs) -> None:
    mac.add("osascript", complains="execution error: No user interaction allowed. (-1713)\n", code=1)
    with pytest.raises(NobgError, match=r"^((?!zenity).)*$"):
        shell.choose_folder(tmp_path)


@pytest.mark.parametrize(("answer", "chosen"), [("C:\\My Pictures", Path("C:\\My Pictures")), (None, None), ("", None)])
def test_windows_asks_and_answers(
    answer: str | None, chosen: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = windows_dialog(monkeypatch, answer)
    assert shell.choose_folder(tmp_path) == chosen
    assert asked == [{"title": strings.CHOOSE_FOLDER, "start_dir": str(tmp_path)}]


def test_windows_refuses_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows_dialog(monkeypatch, None, refuses=True)
    with pytest.raises(NobgError, match="settings file"):
        shell.choose_folder(tmp_path)


def windows_dialog(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, *, refuses: bool = False
) -> list[dict[str, Any]]:
    """Replace the library by one that answers so; the list is what it is asked."""
    on("win32", monkeypatch)
    package, exceptions = ModuleType("crossfiledialog"), ModuleType("crossfiledialog.exceptions")
    error = type("FileDialogException", (Exception,), {})
    asked: list[dict[str, Any]] = []

    def choose_folder(**options: Any) -> str | None:
        asked.append(options)
        if refuses:
            raise error("CoCreateInstance failed (HRESULT=0x80040154)")
        return answer

    vars(exceptions)["FileDialogException"] = error
    vars(package).update(choose_folder=choose_folder, exceptions=exceptions)
    monkeypatch.setitem(sys.modules, "crossfiledialog", package)
    monkeypatch.setitem(sys.modules, "crossfiledialog.exceptions", exceptions)
    return asked


def test_the_windows_library_knows_what_it_is_asked() -> None:
    """It cannot be imported here, so it is read."""
    package = importlib.util.find_spec("crossfiledialog")
    assert package is not None
    assert package.origin is not None
    tree = ast.parse(Path(package.origin).with_name("win32.py").read_text(encoding="utf-8"))
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    assert [one.arg for one in functions["choose_folder"].args.args] == ["title", "start_dir"]
