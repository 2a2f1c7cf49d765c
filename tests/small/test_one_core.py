"""nobg on a computer with one core. Quick, so it is part of every run."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Nobg, make_photo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("taskset"), reason="taskset(1) leaves a program one core"),
]


@pytest.mark.usefixtures("fast_model")
def test_on_one_core_several_pictures_are_done(nobg: Nobg, tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / f"{turns}.png", quarter_turns=turns) for turns in range(3)]
    done = nobg("remove", "--json", *photos, prefix=("taskset", "--cpu-list", "0"))
    assert done.returncode == 0, done.stderr
    assert {job["state"] for job in json.loads(done.stdout)["jobs"]} <= {"done", "skipped"}
    assert (tmp_path / "0_nobg.png").exists()
