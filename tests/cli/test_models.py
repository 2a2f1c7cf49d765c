"""`nobg models`, as a person runs it; with the real files if NOBG_TEST_MODELS names their folder."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Nobg, make_photo
from tests.support.tiny_onnx import unknown_model
from watcher import paths
from watcher.matting import models, modes
from watcher.worker.model_install import files as model_files
from watcher.worker.model_install import trial as model_trial

pytestmark = pytest.mark.slow

FILES = os.environ.get("NOBG_TEST_MODELS", "")
"""A folder with files that cannot be in the project: u2net.onnx, its wheel, the npm package, ..."""


@pytest.fixture
def unknown_file(tmp_path: Path) -> Path:
    """Return the path of a file with a working model that nobg does not know."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(unknown_model())
    return path


def test_the_list_describes_each_model(nobg: Nobg) -> None:
    result = nobg("models", "list")
    assert result.returncode == 0
    for model in models.CATALOGUE:
        assert model.name in result.stdout
        assert model.good_for in result.stdout
        assert model.licence in result.stdout
        assert f"commercial use: {model.card.weights.commercial_use}\n" in result.stdout
        assert all(source in result.stdout for source in model.sources)
    assert "balanced (in use)" in result.stdout
    assert all(f"{mode.name}" in result.stdout and mode.good_for in result.stdout for mode in modes.MODES)
    assert "isnet-int8 (installed)" in result.stdout
    assert "u2net (not installed)" in result.stdout
    assert "nobg models add FILE" in result.stdout


def test_the_list_names_no_registry(nobg: Nobg) -> None:
    text = nobg("models", "list").stdout
    assert "releases/download" in text
    assert not any(host in text for host in ("pypi.org", "npmjs", "pythonhosted", "unpkg", "jsdelivr"))


def test_the_list_for_scripts(nobg: Nobg) -> None:
    rows = {row["name"]: row for row in json.loads(nobg("models", "list", "--json").stdout)["models"]}
    assert list(rows) == [model.name for model in models.CATALOGUE]
    assert (rows["isnet-int8"]["installed"], rows["isnet-int8"]["in_use"]) == (True, False)
    assert (rows["u2net"]["installed"], rows["u2net"]["in_use"]) == (False, False)
    assert rows["u2net"]["size"] == 175997641
    assert rows["u2net"]["sources"]
    assert all(row["licence"] and row["memory"] and row["good_for"] for row in rows.values())
    assert rows["isnet-int8"]["card"]["training_data"] == rows["isnet-general-use"]["card"]["training_data"] == "DIS5K"


def test_an_unknown_model_can_be_added_used_and_replaced_by_the_default(
    nobg: Nobg, unknown_file: Path, home: Path
) -> None:
    refused = nobg("models", "add", unknown_file)
    assert refused.returncode == 2
    assert "--recipe-from" in refused.stderr
    added = nobg("models", "add", unknown_file, "--recipe-from", "isnet-int8")
    assert added.returncode == 0, added.stderr
    assert "Licence: not known to nobg" in added.stdout
    assert nobg("models", "verify").stdout.count("undamaged") == 4

    assert nobg("models", "use", "mine").returncode == 0
    config = home / "config" / "config.toml"
    assert 'model = "mine"' in config.read_text()
    assert "mine (in use)" in nobg("models", "list").stdout
    assert nobg("models", "use", "balanced").returncode == 0
    assert "model" not in config.read_text().replace("config", "")


def test_use_keeps_the_other_settings(nobg: Nobg, unknown_file: Path, home: Path, folder: Path) -> None:
    model_files.add(unknown_file, models.SHIPPED[0])
    config = home / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'# mine\n[[folders]]\npath = "{folder}"  # a comment\n')
    assert nobg("models", "use", "mine").returncode == 0
    assert 'model = "mine"' in config.read_text()
    assert "# a comment" in config.read_text()
    assert nobg("watch", "list").stdout.count(str(folder)) == 1
    assert nobg("models", "use", "balanced").returncode == 0
    assert config.read_text().strip() == f'# mine\n[[folders]]\npath = "{folder}"  # a comment'


@pytest.mark.parametrize(("name", "message"), [("u2net", "is not installed"), ("none", "no model called none")])
def test_use_refuses_a_model_that_is_not_installed(nobg: Nobg, home: Path, name: str, message: str) -> None:
    result = nobg("models", "use", name)
    assert result.returncode == 3
    assert message in result.stderr
    assert not (home / "config" / "config.toml").exists()


def test_verify_and_use_find_damage(nobg: Nobg, unknown_file: Path) -> None:
    added = model_files.add(unknown_file, models.SHIPPED[0])
    models.path_of(added).write_bytes(b"damaged")
    result = nobg("models", "verify")
    assert result.returncode == 3
    assert "isnet-int8 is undamaged" in result.stdout
    assert "mine.onnx is damaged" in result.stderr
    assert nobg("models", "use", "mine").returncode == 3


def test_a_missing_file_is_wrong_usage(nobg: Nobg) -> None:
    result = nobg("models", "add", "missing.onnx")
    assert result.returncode == 2
    assert "missing.onnx cannot be read" in result.stderr


def test_pictures_are_done_and_doctor_checks_with_the_model_in_use(
    nobg: Nobg, unknown_file: Path, tmp_path: Path
) -> None:
    model_files.add(unknown_file, models.SHIPPED[0])
    nobg("models", "use", "mine")
    make_photo(tmp_path / "photo.jpg")
    result = nobg("remove", "--json", "photo.jpg")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["jobs"][0]["model"] == "mine"
    checks = {check["name"]: check for check in json.loads(nobg("doctor", "--json").stdout)["checks"]}
    assert checks["Model mine"]["detail"].startswith("in use, SHA-256")
    assert checks["Model u2net-int8"]["state"] == "good"
    assert "GB" in checks["Memory"]["detail"]
    assert checks["Sample picture"]["state"] == "good"


def test_doctor_reports_that_the_model_in_use_is_missing(nobg: Nobg, unknown_file: Path) -> None:
    added = model_files.add(unknown_file, models.SHIPPED[0])
    nobg("models", "use", "mine")
    models.path_of(added).unlink()
    result = nobg("doctor")
    assert result.returncode == 3
    assert "[no] Model mine: The model mine is not installed" in result.stdout
    assert "mine (in use, but not installed)" in nobg("models", "list").stdout


@pytest.mark.skipif(not FILES, reason="NOBG_TEST_MODELS names no folder with the real files")
def test_the_real_files_are_recognised_and_find_the_subject(nobg: Nobg) -> None:
    files = [path for path in sorted(Path(FILES).iterdir()) if path.suffix in (".onnx", ".whl", ".tgz")]
    assert files
    for path in files:
        model = model_files.add(path)
        assert model in models.installed()
        assert models.path_of(model).parent == paths.models_dir()
        assert model_trial.run(models.read(model), model) < model.memory * 1.1
        assert nobg("models", "use", model.name).returncode == 0
    assert len(json.loads(nobg("models", "list", "--json").stdout)["models"]) == len(models.CATALOGUE)
