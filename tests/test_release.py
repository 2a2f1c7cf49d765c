"""The lock files of a release: exact versions with hashes, of everything that pyproject.toml asks for."""

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

LOCKS = {"requirements.txt": ("project", "dependencies"), "build-requirements.txt": ("build-system", "requires")}


def locked(name: str) -> dict[Requirement, list[str]]:
    """Return the requirements of a lock file, each with its hashes."""
    text = (ROOT / "packaging" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line.split(" --hash=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {Requirement(entry[0].strip()): [value.strip() for value in entry[1:]] for entry in entries}


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_release_has_one_version_and_hashes(name: str) -> None:
    for requirement, hashes in locked(name).items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement


@pytest.mark.parametrize(("name", "section"), LOCKS.items())
def test_the_lock_has_all_that_the_project_asks_for(name: str, section: tuple[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for wanted in map(Requirement, project[section[0]][section[1]]):
        candidates = [pinned for pinned in locked(name) if pinned.name == wanted.name]
        assert candidates, f"{wanted.name} is not in packaging/{name}"
        for pinned in candidates:
            (version,) = [specifier.version for specifier in pinned.specifier]
            assert wanted.specifier.contains(version), f"{pinned} is not {wanted}: write packaging/{name} again"


@pytest.mark.slow
def test_the_locked_packages_need_nothing_that_is_not_locked() -> None:
    # With hashes, pip refuses each package that the files do not name.
    locks = [word for name in LOCKS for word in ("-r", str(ROOT / "packaging" / name))]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--require-hashes", "--quiet"]
    result = subprocess.run([*pip, *locks], capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, result.stderr
