"""start.py: what the AppContainer may read, what stays behind, and how it is undone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.fake_windows import SID, FakeWindows, acl, entry
from watcher.jail.appcontainer import access, library, start
from watcher.jail.appcontainer.access import ALL_APPLICATION_PACKAGES
from watcher.jail.appcontainer.library import AppContainerError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in takes descriptors for handles")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeWindows:
    """Windows, with a profile's folder."""
    own = tmp_path / "Packages" / "nobg.worker" / "AC"
    (own / "Temp").mkdir(parents=True)
    windows = FakeWindows(own_folder=str(own))
    monkeypatch.setattr(library, "load", windows.as_windows)
    return windows


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Folders of programs: name -> path."""
    for name in ("Python", "Python/Lib", "venv"):
        (tmp_path / name).mkdir()
    return {name: str(tmp_path / name).replace("/", "\\") for name in ("Python", "Python/Lib", "venv")}


def run(folders: list[Path], record: Path, **variables: str) -> None:
    """Start Python in the AppContainer, and let it end."""
    environment = {"SYSTEMROOT": "C:\\Windows", **variables}
    with open(os.devnull, "wb") as errors:
        child = start.start(
            [sys.executable, "-c", ""], environment, list(map(str, folders)), str(record), errors.fileno()
        )
    child.stdin.close()
    child.stdout.close()
    assert child.wait(60) == 0


def test_the_container_may_read_the_folders_that_are_closed_to_it_and_the_record_names_them(
    fake: FakeWindows, tmp_path: Path, folders: dict[str, str]
) -> None:
    fake.acls[folders["venv"]] = acl(entry(ALL_APPLICATION_PACKAGES))
    wanted = [tmp_path / "Python", tmp_path / "Python" / "Lib", tmp_path / "venv", tmp_path / "missing"]
    record = tmp_path / "record.json"
    run(wanted, record)
    assert json.loads(record.read_text()) == {"folders": [folders["Python"]]}
    granted = {folder for folder, rights in fake.acls.items() if rights and entry(SID) in rights}
    assert folders["Python"] in granted
    assert not granted & {folders["venv"], folders["Python/Lib"]}
    assert fake.started[0]["attributes"][0x20009].CapabilityCount == 0
    changes = fake.names().count("SetNamedSecurityInfoW")
    run(wanted, record)  # the second time, nothing is to do but to close the container's own folder
    own_folders = 3
    assert fake.names().count("SetNamedSecurityInfoW") == changes + own_folders
    assert json.loads(record.read_text()) == {"folders": [folders["Python"]]}


def test_undoing_removes_the_entries_the_container_and_the_record(
    fake: FakeWindows, tmp_path: Path, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: "missing" not in str(path))
    record = tmp_path / "record.json"
    run([tmp_path / "Python"], record)
    before = fake.acls[folders["Python"]]
    start.write_record(str(record), [folders["Python"], "C:\\missing"])
    assert start.undo(str(record)) == []
    after = fake.acls[folders["Python"]]
    assert before is not None
    assert after is not None
    assert entry(SID) in before
    assert entry(SID) not in after
    assert not fake.has_profile
    assert not record.exists()
    calls = len(fake.calls)
    assert start.undo(str(record)) == []
    assert len(fake.calls) == calls  # where nothing was done, nothing is undone


def test_what_cannot_be_undone_is_said_and_stays_in_the_record(
    fake: FakeWindows, tmp_path: Path, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)
    record = tmp_path / "record.json"
    start.write_record(str(record), [folders["Python"]])
    fake.failing["SetNamedSecurityInfoW"] = 5
    (problem,) = start.undo(str(record))
    assert f"An entry of nobg.worker stays in the permissions of {folders['Python']}: " in problem
    assert record.exists()
    fake.failing = {"DeleteAppContainerProfile": -1}
    (problem,) = start.undo(str(record))
    assert problem.startswith("The AppContainer nobg.worker stays: DeleteAppContainerProfile failed")
    assert record.exists()


def test_the_containers_own_folder_is_closed_for_writing_and_holds_its_temporary_files(
    fake: FakeWindows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(fake.own_folder)
    for folder in (own.parent, own, own / "Temp"):
        fake.acls[str(folder)] = acl(entry(SID, mask=0x1F01FF))  # FILE_ALL_ACCESS
    monkeypatch.setenv("LOCALAPPDATA", "C:\\Users\\x\\AppData\\Local")
    run([], tmp_path / "record.json", TEMP="C:\\Temp")
    variables = fake.started[0]["variables"]
    assert variables["TEMP"] == variables["TMP"] == f"{own}\\Temp"
    assert variables["LOCALAPPDATA"] == "C:\\Users\\x\\AppData\\Local"
    for folder in (own.parent, own, own / "Temp"):
        assert fake.acls[str(folder)] == acl(entry(SID, mask=access.READ_AND_EXECUTE))


def test_a_folder_of_its_own_that_cannot_be_closed_does_not_stop_it(fake: FakeWindows, tmp_path: Path) -> None:
    fake.failing["SetNamedSecurityInfoW"] = 5
    run([], tmp_path / "record.json")
    assert len(fake.started) == 1


@pytest.mark.parametrize("failing", ["CreateAppContainerProfile", "GetAppContainerFolderPath", "GetNamedSecurityInfoW"])
def test_a_call_that_fails_is_an_error_and_starts_nothing(
    fake: FakeWindows, tmp_path: Path, folders: dict[str, str], failing: str
) -> None:
    assert folders
    fake.failing[failing] = 5 if failing.startswith("GetNamed") else -1
    with pytest.raises(AppContainerError, match=failing):
        run([tmp_path / "Python"], tmp_path / "record.json")
    assert fake.started == []
    assert fake.buffers == {}


@pytest.mark.parametrize("folder", ["C:\\", "C:", "C:\\Users\\x", "c:\\users\\X", "C:\\Users", "\\\\server\\share\\"])
def test_a_folder_with_more_than_programs_is_not_opened_to_the_container(folder: str) -> None:
    with pytest.raises(AppContainerError, match="where your own files are"):
        start.check_folders([folder], "C:\\Users\\x")


@pytest.mark.parametrize("folder", ["C:\\Users\\x\\nobg", "C:\\Users\\xy", "D:\\Python", "\\\\server\\share\\Python"])
def test_a_folder_of_programs_may_be_opened(folder: str) -> None:
    start.check_folders([folder], "C:\\Users\\x")


@pytest.mark.parametrize("text", ["", "[]", '{"folders": 3}', '{"folders": [1, {}]}', "\0"])
def test_a_damaged_record_names_no_folder(tmp_path: Path, text: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(text)
    assert start.read_record(str(record)) == []
