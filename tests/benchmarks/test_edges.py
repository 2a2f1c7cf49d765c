"""Which finished cut-outs the benchmark of edges takes, and whose colours it compares."""

import argparse
from pathlib import Path

import pytest

pytest.importorskip("pymatting", reason="needs pip install -e '.[bench]'")

from benchmarks import edges


def test_cutouts_have_a_name_and_a_folder(tmp_path: Path) -> None:
    assert edges.parse_cutouts(f"rembg -dc={tmp_path}") == ("rembg -dc", tmp_path)
    for text in (str(tmp_path), f"rembg={tmp_path / 'missing'}"):
        with pytest.raises(argparse.ArgumentTypeError, match="not NAME=FOLDER"):
            edges.parse_cutouts(text)


def test_cutouts_of_nobg_and_of_rembg_are_found(tmp_path: Path) -> None:
    assert edges.find_cutout(tmp_path, "a") == tmp_path / "a.png"
    (tmp_path / "a_nobg.png").touch()
    assert edges.find_cutout(tmp_path, "a") == tmp_path / "a_nobg.png"
