"""paths.py: where nobg keeps its files."""

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from watcher import paths
from watcher.errors import UsageError


def test_the_folders_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOBG_HOME")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.models_dir() == platformdirs.user_data_path("nobg", appauthor=False) / "models"
    if sys.platform == "linux":
        assert paths.config_folder() == platformdirs.user_config_dir("nobg")
        assert paths.state_folder() == platformdirs.user_state_dir("nobg")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not look for HOME")
@pytest.mark.parametrize("value", ["", "~", "relative"])
def test_a_home_folder_without_a_full_path_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOME", value)
    with pytest.raises(UsageError, match="Set HOME"):
        paths.home_folder()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not look for HOME")
def test_without_home_and_without_an_entry_for_the_user_there_is_no_home_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """os.path.expanduser() returns `~` then, and a folder of that name would be made."""
    import pwd

    def find_nobody(_number: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", find_nobody)
    with pytest.raises(UsageError, match="Set HOME"):
        paths.home_folder()


def test_a_log_that_another_user_left_in_the_folder_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "state").mkdir()
    log = home / "state" / "worker.log"
    log.write_text("of root")
    inode, original_open = log.stat().st_ino, os.open

    def refuse_that_file(path: str, flags: int, mode: int = 0o777) -> int:
        if os.path.exists(path) and os.stat(path).st_ino == inode:
            raise PermissionError(13, "Permission denied", path)
        return original_open(path, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse_that_file)
        paths.open_log("worker.log").close()
    assert log.read_bytes() == b""


def test_modules_of_the_shells_pythonpath_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own_path = list(sys.path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "ros"), str(tmp_path), *own_path])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'ros'}{os.pathsep}")  # an empty entry stands for the current folder
    paths.leave_pythonpath()
    assert sys.path == [folder for folder in own_path if folder]
    assert "PYTHONPATH" not in os.environ


def test_a_pythonpath_by_which_nobg_itself_was_found_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    value = os.pathsep.join([str(tmp_path), str(Path(paths.__file__).parents[1])])
    monkeypatch.setattr(sys, "path", [*value.split(os.pathsep), *sys.path])
    monkeypatch.setenv("PYTHONPATH", value)
    paths.leave_pythonpath()
    assert paths.module_folders() == [folder for folder in sys.path if folder]
    assert os.environ["PYTHONPATH"] == value
    assert str(tmp_path) in sys.path
