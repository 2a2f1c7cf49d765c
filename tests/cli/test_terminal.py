"""terminal.py: no name of a file acts on the terminal that shows it."""

import sys
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import Nobg
from watcher.cli import menus, remove
from watcher.cli.terminal import printable

ACTING = "\x1b\n\x7f\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041"
"""Controls, changes of direction, line breaks, and characters that nobody sees."""


@pytest.mark.parametrize("character", ACTING, ids=ascii)
def test_what_acts_is_shown_as_its_code(character: str) -> None:
    shown = printable(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert f"{ord(character):02x}" in shown


@pytest.mark.parametrize(
    "name", ["Käse 日本.jpg", "نمی\u200cشود.jpg", "👩\u200d👧.png", "a\xa0b\u202fc.jpg", "a\\b.jpg"], ids=ascii
)
def test_names_in_any_script_are_shown_as_they_are(name: str) -> None:
    assert printable(name) == name


def test_a_preview_keeps_its_lines_and_tabs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# /a\u202eb\n\t<x>\x1b[2J</x>\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    menus._print_text(text)
    assert capsys.readouterr().out == "# /a\\u202eb\n\t<x>\\x1b[2J</x>\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    menus._print_text(text)
    assert capsys.readouterr().out == text


def test_a_notice_of_the_worker_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    remove._print_notice("no \x1b]0;title\x07 of\u2028mine")
    assert capsys.readouterr().err == "no \\x1b]0;title\\x07 of\\u2028mine\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("remove", "{name}.jpg"),
        ("remove", "-{name}.jpg", "photo.jpg"),  # argparse quotes what it takes for an option
        ("remove", "--model", "{name}", "photo.jpg"),
        ("{name}",),
        ("watch", "add", "{name}"),
        ("watch", "remove", "{name}"),
        ("undo", "{name}"),
        ("retry", "{name}"),
        ("forget", "{name}"),
        ("models", "use", "{name}"),
        ("models", "add", "{name}"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("photo")
def test_no_command_sends_a_terminal_what_turns_or_breaks_its_lines(nobg: Nobg, arguments: tuple[str, ...]) -> None:
    name = "x\x1b[2J\u202egpj\u2028y"
    result = nobg(*(argument.format(name=name) for argument in arguments))
    assert result.returncode
    shown = result.stdout + result.stderr
    assert not [character for character in shown if unicodedata.category(character) in ("Cf", "Zl", "Zp")]
    assert "\x1b" not in shown


def test_a_picture_that_fails_is_named_without_what_acts(nobg: Nobg, tmp_path: Path) -> None:
    (tmp_path / "a\u202egpj.exe.jpg").write_bytes(b"no picture")
    result = nobg("remove", str(tmp_path))
    assert "a\\u202egpj.exe.jpg: " in result.stderr
    assert "\u202e" not in result.stdout + result.stderr
