"""models.py"""

from dataclasses import replace
from pathlib import Path

import pytest

from watcher import models
from watcher.errors import ModelError

from .conftest import Nobg


def test_the_shipped_model_is_the_one_in_the_catalogue(nobg: Nobg) -> None:
    done = nobg("models", "verify")
    assert done.returncode == 0
    assert models.DEFAULT.sha256 in done.stdout
    assert models.path_of(models.DEFAULT).stat().st_size == models.DEFAULT.size


@pytest.mark.parametrize("damage", ["changed", "short", "missing"])
def test_a_damaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    data = bytearray(models.path_of(models.DEFAULT).read_bytes())
    copy = tmp_path / "model.onnx"
    if damage == "changed":
        data[len(data) // 2] ^= 1
    if damage != "missing":
        copy.write_bytes(data[:1000] if damage == "short" else data)
    monkeypatch.setattr(models, "path_of", lambda _model: copy)
    with pytest.raises(ModelError, match="Install nobg again"):
        models.read(models.DEFAULT)


def test_every_row_can_be_found_and_others_cannot() -> None:
    assert [models.find(model.name) for model in models.CATALOGUE] == list(models.CATALOGUE)
    with pytest.raises(ModelError, match="no model called u3net"):
        models.find("u3net")
    assert replace(models.DEFAULT) == models.DEFAULT
