"""A folder that belongs to another user, and a command that the system refuses it to, also when root runs the tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

OTHER_USER = 65534


def give_away(folder: Path) -> tuple[str, ...]:
    """Give `folder` to another user. Returns the words before a command that has no power to use it all the same."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root can give a folder to another user, and setpriv(1) takes root's power over files away")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER_USER, OTHER_USER)
    folder.chmod(0o700)
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search")
