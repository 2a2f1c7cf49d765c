"""What icon and menu show agrees with settings, journal and integrations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import wait_for
from watcher import paths
from watcher.desktop import actions, overview, strings
from watcher.desktop.notifications import Notification
from watcher.desktop.overview import Overview, OverviewReader, UnclearPicture
from watcher.program import control, menus
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.settings.config import Folder


@pytest.fixture
def state(home: Path) -> Path:
    return paths.state_dir() if home else home


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    journal = Journal(state)
    yield journal
    journal.close()


@pytest.fixture
def reader(state: Path, journal: Journal) -> Iterator[OverviewReader]:
    assert journal
    reader = OverviewReader(state)
    yield reader
    reader.close()


def write_settings(text: str) -> None:
    """Write config.toml."""
    paths.config_path().parent.mkdir(parents=True, exist_ok=True)
    paths.config_path().write_text(text)


def done(journal: Journal, folder: Path, name: str) -> Job:
    """Record a picture as done, with its output."""
    job = Job(folder / f"{name}.jpg", source_hash=name, asked_at=1.0)
    return journal.record(job, state="done", output=folder / f"{name}_nobg.png", output_hash="x")


def test_without_a_change_nothing_has_to_be_read_again(reader: OverviewReader) -> None:
    assert reader.has_changed()
    assert reader.read() == Overview()
    wait_for(lambda: not reader.has_changed(), 5)
    assert not reader.has_changed()


def test_each_kind_of_change_is_noticed(reader: OverviewReader, journal: Journal, state: Path) -> None:
    wait_for(lambda: not reader.has_changed(), 5)
    control.set_paused(journal, paused=True)
    assert reader.has_changed()
    write_settings("notifications = false")
    assert reader.has_changed()
    (state / menus.RECORD_FILE_NAME).write_text(json.dumps({"entries": {}, "folders": []}))
    assert reader.has_changed()
    wait_for(lambda: not reader.has_changed(), 5)


def test_a_change_during_a_check_is_not_missed(reader: OverviewReader, journal: Journal, state: Path) -> None:
    wait_for(lambda: not reader.has_changed(), 5)
    control.set_paused(journal, paused=True)
    assert reader.has_changed()
    assert reader.has_changed()  # the file system could give the next change the same time
    assert (state / "jobs.db-wal").stat().st_size


def test_the_overview_has_settings_and_journal(reader: OverviewReader, journal: Journal, tmp_path: Path) -> None:
    write_settings(f'recipe = "white"\nnotifications = false\n[[folders]]\npath = "{tmp_path}"\nenabled = false\n')
    control.set_paused(journal, paused=True)
    journal.enqueue([(b"/a/b.jpg", None, None)])
    output = done(journal, tmp_path, "a").output
    journal.set_setting("offline_by", "seccomp")
    snapshot = reader.read()
    assert (snapshot.paused, snapshot.waiting, snapshot.recipe, snapshot.notifications) == (True, 1, "white", False)
    assert snapshot.folders == (overview.FolderStatus(tmp_path, enabled=False),)
    assert snapshot.recent == (output,)
    assert snapshot.offline_by == "seccomp"


def test_the_newest_results_come_first_and_no_more_than_ten(
    reader: OverviewReader, journal: Journal, tmp_path: Path
) -> None:
    for number in range(12):
        done(journal, tmp_path, f"{number}")
    assert [path.name for path in reader.read().recent] == [f"{number}_nobg.png" for number in range(11, 1, -1)]


def test_the_overview_has_what_wants_a_look_and_what_has_no_clear_subject(
    reader: OverviewReader, journal: Journal, tmp_path: Path
) -> None:
    doubtful = done(journal, tmp_path, "doubtful")
    journal.record(doubtful, state="done", output=doubtful.output, output_hash="x", doubt=0.5)
    (tmp_path / "doubtful_nobg.png").touch()
    unclear = journal.record(Job(tmp_path / "fog.jpg", source_hash="fog"), state="skipped", reason="no_clear_subject")
    snapshot = reader.read()
    assert snapshot.doubtful_count == 1
    assert snapshot.unclear == (UnclearPicture(tmp_path / "fog.jpg", unclear.id or 0),)


def test_wrong_settings_are_a_problem_and_the_last_good_ones_are_shown(reader: OverviewReader, state: Path) -> None:
    (state / "config.last-good.toml").write_text('recipe = "crop"')
    write_settings("nonsense = 1")
    snapshot = reader.read()
    assert snapshot.recipe == "crop"
    assert len(snapshot.problems) == 1
    assert "nonsense" in snapshot.problems[0]


def test_folders_destinations_and_the_worker_can_have_problems(
    reader: OverviewReader, journal: Journal, tmp_path: Path
) -> None:
    off = tmp_path / "off"
    write_settings(f'[[folders]]\npath = "{tmp_path}"\n[[folders]]\npath = "{off}"\nenabled = false\n')
    folder_states = {str(tmp_path): ["missing", "it is not there."], str(off): ["missing", "it is not there."]}
    journal.set_setting("folders", json.dumps(folder_states))
    journal.pause(Path("/mnt/full"), "full")
    journal.set_setting("trouble", "The model is damaged.")
    problems = reader.read().problems
    assert problems[0] == f"{tmp_path}: it is not there."
    assert problems[1].startswith("/mnt/full: there is no room")
    assert problems[2:] == ("The model is damaged.",)


def test_a_file_that_the_person_deleted_starts_nothing_at_login(
    reader: OverviewReader, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CURRENT_DESKTOP", raising=False)
    (tmp_path / "autostart").mkdir()
    files = {"nobg.desktop": tmp_path / "autostart" / "nobg.desktop", "script": tmp_path / "script"}
    users = {"nobg.desktop": ["autostart"], "script": ["nautilus"]}
    entries = {
        str(path): {"kind": "file", "address": str(path), "users": users[name], "client": []}
        for name, path in files.items()
    }
    (state / menus.RECORD_FILE_NAME).write_text(json.dumps({"entries": entries, "folders": []}))
    assert (reader.read().is_in_menu, reader.read().starts_at_login) == (False, False)
    for path in files.values():
        path.write_text("[Desktop Entry]\nExec=nobg run\n")
    assert (reader.read().is_in_menu, reader.read().starts_at_login) == (True, True)
    assert reader.has_changed()
    # As the desktop's own settings do:
    files["nobg.desktop"].write_text("[Desktop Entry]\nExec=nobg run\nHidden=true\n")
    assert reader.has_changed()
    assert (reader.read().is_in_menu, reader.read().starts_at_login) == (True, False)
    files["nobg.desktop"].unlink()
    assert reader.has_changed()
    assert (reader.read().is_in_menu, reader.read().starts_at_login) == (True, False)


def test_a_replaced_journal_is_read_from_its_new_file(reader: OverviewReader, journal: Journal, state: Path) -> None:
    reader.has_changed()
    journal.close()
    for path in state.glob("jobs.db*"):
        path.unlink()
    new = Journal(state)
    control.set_paused(new, paused=True)
    assert reader.has_changed()
    assert reader.read().paused
    new.close()


def test_without_a_home_folder_no_pictures_folder_is_offered_or_made(
    reader: OverviewReader, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.listdir()
    journal.set_setting("welcome", overview.SETUP_OFFERED)
    for variable in ("", "here"):
        monkeypatch.setenv("HOME", variable)
        assert overview.offered_folder() is None
        assert reader.read().offers == (overview.SETUP_MENU, overview.SETUP_LOGIN)
        assert actions._pictures_folder() == Path("/")
        shown: list[Notification] = []
        actions.Actions(shown.append, lambda: None).accept_offers([overview.SETUP_FOLDER])
        assert [notification.body for notification in shown] == [strings.NO_PICTURES_FOLDER]
    assert os.listdir() == before


def test_offers_are_what_is_not_set_up_yet(reader: OverviewReader, journal: Journal, tmp_path: Path) -> None:
    assert reader.read().offers == ()
    journal.set_setting("welcome", overview.SETUP_OFFERED)
    assert reader.read().offers == (overview.SETUP_MENU, overview.SETUP_FOLDER, overview.SETUP_LOGIN)
    write_settings(f'[[folders]]\npath = "{tmp_path}"\n')
    assert reader.read().offers == (overview.SETUP_MENU, overview.SETUP_LOGIN)
    journal.set_setting("welcome", overview.SETUP_DISMISSED)
    assert reader.read().offers == ()


@pytest.mark.parametrize(
    ("left_out", "unwatched", "named"),
    [
        ({}, None, None),
        (
            {"inside": 24, "more_inside": False, "named_like_cut_outs": 1, "example": "bag_nobg.jpg"},
            "24 pictures in folders inside it are not watched.",
            "bag_nobg.jpg is left, since it has the name of a cut-out. To have it done, rename it.",
        ),
        ({"inside": 1, "more_inside": True}, "At least 1 picture in folders inside it is not watched.", None),
    ],
)
def test_a_folder_says_what_it_leaves(left_out: dict[str, Any], unwatched: str | None, named: str | None) -> None:
    status = overview._folder_status(Folder(Path("/srv/shop")), ["watched", None, left_out])
    assert (status.unwatched, status.named_like_cut_outs) == (unwatched, named)
    assert (
        overview._folder_status(Folder(Path("/srv/shop"), recursive=True), ["watched", None, left_out]).unwatched
        is None
    )


def test_files_from_the_future_are_not_read_again_and_again(journal: Journal, state: Path) -> None:
    journal.set_setting("paused", "1")
    for path in state.iterdir():
        os.utime(path, (4e9, 4e9))  # the clock has been set back
    reader = overview.OverviewReader(state)
    assert reader.has_changed()
    assert not reader.has_changed()
