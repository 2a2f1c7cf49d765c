"""The fixture that tests against other programs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import write_scene


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the scene as PNGs, for the files that other programs make from it."""
    return write_scene(tmp_path_factory.mktemp("matrix"))
