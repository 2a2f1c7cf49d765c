"""`nobg edit` and `nobg review`: what they start, and what they say if they cannot; hints of `nobg remove`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.support.program import STAND_IN_WORKER
from watcher import paths
from watcher.cli.main import main
from watcher.matting.touchup.edits import encode
from watcher.matting.touchup.hints import make
from watcher.queue.journal import Journal
from watcher.worker import supervisor


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace the editor's process. Return the commands that would have started it."""
    commands: list[list[str]] = []

    def execve(_program: str, command: list[str], _environment: dict[str, str]) -> None:
        commands.append(command)
        raise SystemExit(0)

    monkeypatch.setattr("watcher.program.touch_up.is_available", lambda: True)
    monkeypatch.setattr("watcher.cli.edit.os.execve", execve)
    return commands


def test_edit_and_review_start_the_editor(started: list[list[str]]) -> None:
    editor = [sys.executable, "-P", "-m", "watcher.editor"]
    for arguments in (["edit", "a b.jpg"], ["edit", "a.jpg", "--recipe", "white", "--tool", "box"], ["review"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert started == [
        [*editor, "--", "a b.jpg"],
        [*editor, "--recipe", "white", "--tool", "box", "--", "a.jpg"],
        [*editor, "--review"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edit", "a.jpg", "--recipe", "none such"], "There is no recipe called none such."),
        (["edit", "."], "is a folder. Name a picture."),
    ],
)
def test_edit_refuses_what_makes_no_sense(
    started: list[list[str]], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("command", [["edit", "a.jpg"], ["review"]])
def test_without_the_library_they_say_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "nobg: Touch up needs one more package, PySide6-Essentials, for its window. Add it with: "
        "pipx inject nobg-watcher PySide6-Essentials, or with: pip install 'nobg-watcher[editor]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1,2,3"], "--box: it takes four numbers: left, top, right and bottom. Correct it"),
        (["--box", "9,2,3,4"], "--box: left must be less than right, and top less than bottom. Correct it"),
        (["--keep-point", "1"], "--keep-point: it takes two numbers, X and Y. Correct it"),
        (["--drop-point", "1,nan"], "--drop-point: it takes two numbers, X and Y, in pixels from the top left"),
        (["--keep", "all", "--without-edits"], "--without-edits leaves out what --box and the like say."),
    ],
    ids=str,
)
def test_wrong_hints_are_named(
    capsys: pytest.CaptureFixture[str], photo: Path, arguments: list[str], message: str
) -> None:
    assert main(["remove", str(photo), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_hint_that_is_no_number_is_an_error_of_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["remove", "a.jpg", "--box", "a,b,c,d"])
    assert "argument --box: a,b,c,d is no list of numbers such as 120,40" in capsys.readouterr().err


def test_hints_apply_to_each_picture_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, str(STAND_IN_WORKER), str(tmp_path / "log")]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    pictures = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for picture in pictures:
        picture.write_text(f"ok {picture.name}")
    arguments = ["--box", "1,2,30,40", "--keep-point", "5,6", "--keep-point", "7,8", "--keep", "largest"]
    assert main(["remove", *map(str, pictures), *arguments]) == 0
    expected = encode(make((1, 2, 30, 40), [(5, 6), (7, 8)], keep="largest"))
    journal = Journal(paths.state_dir())
    for picture in pictures:
        assert journal.edits.of(hashlib.sha256(picture.read_bytes()).hexdigest()) == expected
        assert expected.encode() in picture.with_name(f"{picture.stem}_nobg.png").read_bytes()
    assert main(["remove", *map(str, pictures), *arguments]) == 0
    assert "2 pictures were done before" in capsys.readouterr().err
    assert main(["remove", str(pictures[0]), "--without-edits"]) == 0
    assert expected.encode() not in (tmp_path / "a_nobg.png").read_bytes()
    journal.close()
