"""The models in the package on an older processor."""

import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from watcher.matting import models

pytestmark = pytest.mark.slow

needs_qemu = pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"), reason="needs qemu-x86_64 (Debian: qemu-user)"
)


@needs_qemu
@pytest.mark.parametrize("model", models.SHIPPED, ids=lambda model: model.name)
def test_a_processor_without_vnni_computes_the_same_mask(model: models.Model) -> None:
    """With weights in 8 bits instead of 7, sums saturate there, and the two masks differ by 0.05 and more."""
    program = [os.path.realpath(sys.executable), str(ROOT / "tests" / "support" / "small_mask.py"), model.name]
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    masks = []
    for emulator in ([], ["qemu-x86_64", "-cpu", "Haswell"]):
        result = subprocess.run([*emulator, *program], capture_output=True, check=True, env=environment)
        masks.append(np.frombuffer(result.stdout, np.float32))
    native, haswell = masks
    assert native.size == haswell.size > 0
    assert 0.2 < (native > 0.5).mean() < 0.8
    assert np.abs(native - haswell).max() < 1e-3
