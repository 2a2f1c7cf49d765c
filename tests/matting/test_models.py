"""Tests of models.py."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Nobg
from watcher import paths
from watcher.errors import ModelError
from watcher.matting import models

# Copied from records and not from the catalogue: bytes, start of the SHA-256, side of the input, is the output logits.
RECORDED = {
    "isnet-int8": (44551292, "007a0e9a9d5e3932", 1024, False),
    "u2net-int8": (44435985, "95fab45e0a5f2bc2", 320, False),
    "modnet-int8": (6878991, "f774cd371804132a", 512, False),
    "isnet-fp16": (88188479, "b6e8497ba978a6f5", 1024, False),
    "isnet-general-use": (178648008, "60920e99c45464f2", 1024, False),
    "isnet-anime": (176069933, "f15622d853e82601", 1024, False),
    "u2net": (175997641, "8d10d2f3bb75ae3b", 320, False),
    "u2netp": (4574861, "309c8469258dda74", 320, False),
    "u2net_human_seg": (175997641, "01eb6a29a5c4d8ed", 320, False),
    "silueta": (44173029, "75da6c8d2f8096ec", 320, False),
    "birefnet-general": (972666916, "58f621f00f5d7560", 1024, True),
    "birefnet-general-lite": (224005088, "5600024376f572a5", 1024, True),
    "birefnet-portrait": (972666916, "1ba1c8ff5a7bbfad", 1024, True),
    "birefnet-dis": (972666916, "6470117bac6f8d82", 1024, True),
    "birefnet-hrsod": (972666916, "4f5837663194fb88", 1024, True),
    "birefnet-massive": (972666916, "a94814cac438a31f", 1024, True),
}
HALF, IMAGENET, ONE = (0.5, 0.5, 0.5), (0.485, 0.456, 0.406), (1.0, 1.0, 1.0)


def test_the_catalogue_has_what_was_recorded_and_nothing_for_non_commercial_use_alone() -> None:
    rows = {row.name: (row.size, row.sha256[:16], row.side, row.outputs_logits) for row in models.CATALOGUE}
    assert rows == RECORDED


@pytest.mark.parametrize("row", models.CATALOGUE, ids=lambda row: row.name)
def test_each_row_is_sound(row: models.Model) -> None:
    is_isnet, is_anime = row.name.startswith("isnet"), row.name == "isnet-anime"
    assert row.finds_people == (row.name == "modnet-int8")
    if row.finds_people:  # its input is -1..1
        assert (row.mean, row.std) == (HALF, HALF)
    else:
        assert row.mean == (HALF if is_isnet and not is_anime else IMAGENET)
        assert row.std == (ONE if is_isnet else (0.229, 0.224, 0.225))
    assert re.fullmatch(r"[0-9a-f]{64}", row.sha256)
    assert row.size < row.memory < 16_000_000_000
    assert row.licence
    assert "NC" not in row.licence
    assert row.good_for == row.good_for.strip().removesuffix(".")
    assert bool(row.sources) != (row in models.SHIPPED)


def test_no_two_rows_are_one_file() -> None:
    assert len({row.sha256 for row in models.CATALOGUE}) == len({row.name for row in models.CATALOGUE})
    assert len({row.name for row in models.CATALOGUE}) == len(models.CATALOGUE)
    assert [models.recognise(row.sha256) for row in models.CATALOGUE] == list(models.CATALOGUE)
    assert models.recognise("0" * 64) is None


def test_the_models_in_the_package_are_those_of_the_catalogue(nobg: Nobg) -> None:
    result = nobg("models", "verify")
    assert result.returncode == 0
    assert models.SHIPPED[0].sha256 in result.stdout
    assert models.path_of(models.SHIPPED[0]).stat().st_size == models.SHIPPED[0].size
    assert models.installed() == list(models.SHIPPED)


@pytest.mark.parametrize("damage", ["changed", "short", "missing"])
def test_a_damaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    data = bytearray(models.path_of(models.SHIPPED[0]).read_bytes())
    copy = tmp_path / "model.onnx"
    if damage == "changed":
        data[len(data) // 2] ^= 1
    if damage != "missing":
        copy.write_bytes(data[:1000] if damage == "short" else data)
    monkeypatch.setattr(models, "path_of", lambda _model: copy)
    with pytest.raises(ModelError, match="Install nobg again"):
        models.read(models.SHIPPED[0])
    with pytest.raises(ModelError, match="is not installed" if damage == "missing" else "Add it again"):
        models.read(models.find("u2net"))


def test_every_row_can_be_found_and_others_cannot() -> None:
    assert [models.find(model.name) for model in models.CATALOGUE] == list(models.CATALOGUE)
    for name in ("u3net", "", "../u2net", "/etc/passwd", "a\0b"):
        with pytest.raises(ModelError, match="no model called"):
            models.find(name)
    assert replace(models.SHIPPED[0]) == models.SHIPPED[0]


def test_a_name_cannot_lead_to_another_folder() -> None:
    folder = make_folder()
    outside = folder.parent / "outside.json"
    outside.write_bytes(models.encode_sidecar("ab" * 32, 7, 123, models.SHIPPED[0]))
    for name in ("../outside", str(outside.with_suffix(""))):
        with pytest.raises(ModelError, match="no model called"):
            models.find(name)


def test_a_model_with_a_sidecar_has_the_input_and_output_of_its_template() -> None:
    template = models.find("u2netp")
    folder = make_folder()
    models.sidecar_path("mine").write_bytes(models.encode_sidecar("ab" * 32, 7, 123, template))
    model = models.find("mine")
    assert (model.name, model.sha256, model.size, model.memory) == ("mine", "ab" * 32, 7, 123)
    assert (model.side, model.mean, model.std, model.outputs_logits) == (
        template.side,
        template.mean,
        template.std,
        template.outputs_logits,
    )
    assert models.find_in_catalogue("isnet-int8").multiple
    models.sidecar_path("other").write_bytes(models.encode_sidecar("ab" * 32, 7, 123, models.SHIPPED[0]))
    assert not models.find("other").multiple  # its trial has tried one size only
    assert model.licence == "not known to nobg"
    assert model not in models.installed()
    (folder / "mine.onnx").write_bytes(b"content")
    assert model in models.installed()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recipe_from": "none", "sha256": "", "size": 1, "memory": 1}'])
def test_a_damaged_sidecar_is_refused_alone(text: str) -> None:
    folder = make_folder()
    (folder / "mine.onnx").write_bytes(b"content")
    models.sidecar_path("mine").write_text(text)
    with pytest.raises(ModelError, match=r"mine\.json is damaged"):
        models.find("mine")
    assert models.installed() == list(models.SHIPPED)


def test_a_sidecar_cannot_take_the_place_of_a_row() -> None:
    make_folder()
    models.sidecar_path("u2net").write_bytes(models.encode_sidecar("ab" * 32, 7, 123, models.SHIPPED[0]))
    assert models.find("u2net") == models.find_in_catalogue("u2net")
    assert models.installed() == list(models.SHIPPED)


def test_models_are_in_the_data_folder_or_where_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert paths.models_dir() == home / "data" / "models"
    monkeypatch.delenv("NOBG_HOME")
    monkeypatch.setenv("NOBG_MODELS", str(tmp_path))
    assert paths.models_dir() == tmp_path
    monkeypatch.delenv("NOBG_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert paths.models_dir() == tmp_path / "nobg" / "models"


def test_the_catalogue_is_quick_to_import() -> None:
    code = "import sys, watcher.matting.models, watcher.matting.memory; "
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & {"numpy", "PIL", "onnxruntime", "psutil", "platformdirs", "subprocess"}


def make_folder() -> Path:
    """Make the folder of added models."""
    folder = paths.models_dir()
    folder.mkdir(parents=True)
    return folder


def test_a_sidecar_is_json() -> None:
    assert json.loads(models.encode_sidecar("ab", 1, 2, models.SHIPPED[0]))["recipe_from"] == "isnet-int8"
