"""How the tools are started that the benchmarks compare."""

from pathlib import Path

import pytest

from benchmarks.support import tools, waiting

HELP_OF_2_0_86 = """
  -a, --alpha-matting             use alpha matting
  -af, --alpha-matting-foreground-threshold INTEGER
  -dc, --decontaminate            remove the background color fringing left on
"""
HELP_OF_2_0_60 = HELP_OF_2_0_86.replace(
    "  -dc, --decontaminate            remove the background color fringing left on\n", ""
)


def make_command(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("text", "options"), [(HELP_OF_2_0_86, ["-dc", "-a"]), (HELP_OF_2_0_60, ["-a"])])
def test_rembg_runs_with_the_options_that_the_installed_version_has(
    tmp_path: Path, text: str, options: list[str]
) -> None:
    command = make_command(tmp_path / "rembg", f"cat <<'END'{text}END")
    assert tools.rembg_options(command) == options


def test_a_missing_rembg_has_no_options(tmp_path: Path) -> None:
    assert tools.rembg_options(str(tmp_path / "rembg")) == []


def test_the_option_is_in_both_commands_and_in_the_name() -> None:
    tool = tools.rembg("rembg", Path("/w/isnet.onnx"), "-dc")
    assert tool.name == "rembg -dc"
    for command in (tool.picture_command(Path("a.jpg"), Path("b")), tool.folder_command(Path("a"), Path("b"))):
        assert "-dc" in command
    assert "-dc" not in tools.rembg("rembg", Path("/w/isnet.onnx")).picture_command(Path("a.jpg"), Path("b"))


def test_a_tool_that_hangs_fails_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "START_SECONDS", 0)
    monkeypatch.setattr(waiting, "PICTURE_SECONDS", 0)
    command = make_command(tmp_path / "hangs", "exec sleep 600")
    tool = tools.Tool("a tool", lambda _picture, _output: [command], lambda _folder, _output: [command])
    with pytest.raises(tools.ToolError, match="a tool did not end within 0 s"):
        tool.run([command])
