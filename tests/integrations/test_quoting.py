"""Command lines in key files, read back as GLib reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from integrations.linux import quoting
from tests.support.menus import GOLDEN_CLIENT, TARGETS, make_golden_setup, owned_files


@pytest.mark.parametrize("key", ["nemo", "dolphin", "pcmanfm", "pcmanfm-qt", "open-with"])
def test_commands_are_split_into_the_intended_arguments(key: str, tmp_path: Path) -> None:
    setup = make_golden_setup(tmp_path)
    (target,) = (target for target in TARGETS if target.key == key)
    lines = b"\n".join(file.content for file in owned_files(target, setup)).decode().splitlines()
    commands = [split_like_glib(line.removeprefix("Exec=")) for line in lines if line.startswith("Exec=")]
    files = "%F" if key.startswith("pcmanfm") else "%U"
    expected = [[*GOLDEN_CLIENT, *verb.arguments, "--", files] for verb in setup.all_verbs]
    assert commands == (expected[:1] if key == "open-with" else expected)


def split_like_glib(value: str) -> list[str]:
    """Undo the quoting of the key file, then that of the command line, then that of other field codes."""
    line = re.sub(r"\\(.)", lambda escape: {"s": " "}.get(escape[1], escape[1]), value)
    words = [quoted or bare for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)]
    unescaped = [re.sub(r'\\(["`$\\])', r"\1", word) for word in words]
    return [word if word in ("%U", "%F") else word.replace("%%", "%") for word in unescaped]


def test_a_field_code_in_a_name_stays_a_name() -> None:
    assert quoting.exec_line(["a%U", "b"], "%U") == "a%%U b %U" or quoting.exec_line(["a%U"], "%U") == '"a%%U" %U'


@pytest.mark.parametrize("key", ["nemo", "dolphin", "pcmanfm", "pcmanfm-qt", "open-with", "autostart"])
def test_entries_name_the_program_without_which_they_are_dead(key: str, tmp_path: Path) -> None:
    setup = replace(
        make_golden_setup(tmp_path),
        client_command=("/usr/bin/env", "NOBG_HOME=/h", "/opt/50% nobg/nobg-add"),
        resident_command=("/opt/50% nobg/nobg-add", "run"),
    )
    target = next(target for target in TARGETS if target.key == key)
    files = [file.content.decode() for file in owned_files(target, setup) if b"Exec=" in file.content]
    line = "TryExec=/opt/50% nobg/nobg-add"
    if key == "nemo":
        line = "Dependencies=/opt/50% nobg/nobg-add;"
    elif key.startswith("pcmanfm"):  # libfm 1.4 shows no entry with TryExec, and expands field codes in this key
        line = "ShowIfTrue=test -x '/opt/50%% nobg/nobg-add' && echo true"
    assert files
    assert all(f"\n{line}\n" in content for content in files)
