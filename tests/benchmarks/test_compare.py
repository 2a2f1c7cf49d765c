"""What the comparison with other tools says above its tables, and which rows they have."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("py_sod_metrics", reason="needs pip install -e '.[bench]'")

from benchmarks import compare
from benchmarks.support.tools import Tool

WRITE_CUTOUT = "import sys; from PIL import Image; Image.new('LA', (40, 40), (0, 255)).save(sys.argv[1])"


def stand_in(name: str) -> Tool:
    def command(_source: Path, output: Path) -> list[str]:
        return [sys.executable, "-c", WRITE_CUTOUT, str(output / "a.png")]

    return Tool(name, command, command)


def test_the_head_names_the_model_of_rembg_that_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "last_word", lambda *_command: "1.0")
    compare.print_head(argparse.Namespace(rembg="rembg", imgly=None))
    assert "BRIA RMBG-2.0 (1 GB, not free for commercial use), is not compared" in capsys.readouterr().out


def test_rembg_with_clean_colours_has_no_row_of_quality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("images", "masks", "work"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "images" / "a.jpg")
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(tmp_path / "masks" / "a.png")
    (tmp_path / "index.csv").write_text("id,dataset,kind\na,set,mask\n")
    tools = [stand_in(name) for name in ("rembg", "rembg -dc", "rembg -a")]
    compare.compare_quality(tools, tmp_path / "work", tmp_path, 1)
    head, line, *rows = [text.split("|") for text in capsys.readouterr().out.strip().splitlines()]
    assert [cells[1].strip() for cells in rows] == ["rembg", "rembg -a"]
    assert {len(cells) for cells in (head, line, *rows)} == {len(head)}
