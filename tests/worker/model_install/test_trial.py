"""trial.py: the test run of a model that nobg does not know."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import ROOT
from tests.support.tiny_onnx import network, unknown_model
from watcher import paths
from watcher.errors import ModelError, UsageError
from watcher.jail.limited_pipe import MAX_BYTES
from watcher.matting import models, modes
from watcher.matting.networks import inference
from watcher.worker import supervisor
from watcher.worker.model_install import trial as model_trial

pytestmark = pytest.mark.slow

TEMPLATE = models.find("u2netp")


def shipped_alpha() -> NDArray[np.float32]:
    mode = modes.single_model_mode(models.SHIPPED[0])
    ensemble = inference.load_ensemble(mode.read_models(), mode, threads=2)
    with Image.open(paths.asset(model_trial.SAMPLE)) as image:
        return inference.infer(ensemble, image)[0][0].alpha


def test_the_subject_that_a_model_must_find_is_the_one_that_the_shipped_model_finds() -> None:
    alpha = shipped_alpha()
    assert model_trial.subject_grid(alpha) == int(model_trial.SAMPLE_SUBJECT_GRID, 16)
    assert model_trial.find_problem(alpha) is None


def test_a_mask_may_be_coarser_but_must_show_the_same_subject() -> None:
    expected = np.array([int(bit) for bit in f"{int(model_trial.SAMPLE_SUBJECT_GRID, 16):0256b}"], np.float32).reshape(
        16, 16
    )
    assert model_trial.find_problem(expected) is None
    assert model_trial.find_problem(np.roll(expected, 1, axis=1)) is None
    assert "another subject" in (model_trial.find_problem(1 - expected) or "")
    assert "another subject" in (model_trial.find_problem(np.flipud(expected)) or "")
    assert "no subject" in (model_trial.find_problem(expected * 0.4) or "")
    assert "all of" in (model_trial.find_problem(np.ones_like(expected)) or "")
    assert "from -1.00 to 1.00" in (model_trial.find_problem(expected * 2 - 1) or "")


def test_the_shipped_model_under_other_bytes_passes_and_its_memory_is_measured() -> None:
    memory_bytes = model_trial.run(unknown_model(), models.SHIPPED[0])
    assert 300_000_000 < memory_bytes < 3_000_000_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not a model", "cannot be loaded"),
        (network("ReduceMean", "Zero", side=320), "finds no subject"),
        (network("ReduceMean", "Zero", "Exp", side=320), "takes all"),
        (network("ReduceMean", side=320), "its values go from"),
        (network("ReduceMean", "Zero", "Log", side=320), "not finite numbers"),
        (network("Sigmoid", side=320, channels=3), "not a mask of 320 x 320"),
        (network("ReduceMean", side=64), "INVALID_ARGUMENT"),
    ],
    ids=["no model", "empty", "full", "logits", "infinite", "three channels", "another size"],
)
def test_a_model_without_a_plausible_mask_is_refused_in_plain_words(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        model_trial.run(data, TEMPLATE)
    assert "does not work as u2netp does" in str(refused.value)
    assert "--recipe-from" in str(refused.value)


@pytest.mark.skipif(sys.platform != "linux", reason="the jails of other systems are not verified")
def test_the_model_is_tried_in_the_jail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sitecustomize module, which Python imports at its start, tries to open a file and a socket at exit."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, resource, socket, sys\n"
        "def attempt():\n"
        "    for act in (lambda: open(sys.executable, 'rb'), socket.socket):\n"
        "        try:\n"
        "            act()\n"
        "            print('open', file=sys.stderr)\n"
        "        except OSError:\n"
        "            print('refused', file=sys.stderr)\n"
        "    print(resource.getrlimit(resource.RLIMIT_AS)[0] > 0, file=sys.stderr)\n"
        "atexit.register(attempt)\n"
    )
    environment = supervisor.worker_environment()
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    monkeypatch.setattr(model_trial, "worker_environment", lambda: environment)
    with pytest.raises(UsageError, match="finds no subject"):
        model_trial.run(network("ReduceMean", "Zero", side=320), TEMPLATE)
    assert (paths.state_dir() / "trial.log").read_text().split() == ["refused", "refused", "True"]


@pytest.mark.skipif(sys.platform != "linux", reason="the jails of other systems are not verified")
def test_a_hostile_model_is_tried_in_the_whole_jail() -> None:
    path = ROOT / "tests" / "support" / "workers" / "hostile_model.py"
    command = [sys.executable, "-P", str(path), "trial", TEMPLATE.name]
    environment = supervisor.worker_environment()
    completed = subprocess.run(command, input=b"model", stdout=subprocess.PIPE, env=environment, check=True)
    assert json.loads(completed.stdout)["problem"] == "The model could: nothing."


def test_what_a_trial_prints_neither_fills_the_disk_nor_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os\n"
        "def flood():\n"
        "    for _ in range(3000):\n"
        "        os.write(2, bytes(1024))\n"
        "        os.write(1, bytes(1024))\n"
        "atexit.register(flood)\n"
    )
    environment = supervisor.worker_environment()
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    monkeypatch.setattr(model_trial, "worker_environment", lambda: environment)
    with pytest.raises(UsageError, match="finds no subject"):  # the model's answer came before
        model_trial.run(network("ReduceMean", "Zero", side=320), TEMPLATE)
    assert (paths.state_dir() / "trial.log").stat().st_size < MAX_BYTES + 1000


def test_without_enough_memory_the_model_is_not_tried() -> None:
    with pytest.raises(ModelError, match="GB are free"):
        model_trial.run(b"", replace(TEMPLATE, memory=1 << 50))
