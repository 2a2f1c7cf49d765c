"""The shipped model on an older processor."""

import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from watcher.matting import models

needs_qemu = pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"), reason="needs qemu-x86_64 (Debian: qemu-user)"
)


@needs_qemu
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: model.name)
def test_a_processor_without_vnni_computes_the_same_mask(model: models.Model) -> None:
    """With weights in 8 bits instead of 7, sums saturate there: the same comparison is then off by 0.05 and more."""
    program = [os.path.realpath(sys.executable), str(ROOT / "tests" / "support" / "mask_128.py"), model.name]
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    masks = []
    for before in ([], ["qemu-x86_64", "-cpu", "Haswell"]):
        done = subprocess.run([*before, *program], capture_output=True, check=True, env=environment)
        masks.append(np.frombuffer(done.stdout, np.float32))
    here, haswell = masks
    assert here.size == 128 * 128
    assert 0.2 < (here > 0.5).mean() < 0.8
    assert np.abs(here - haswell).max() < 1e-3
