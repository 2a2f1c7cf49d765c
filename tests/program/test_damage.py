"""damage.py: what a person is told of damaged records, in the command, the icon and a notification."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from watcher.desktop.overview import OverviewReader
from watcher.desktop.tray import ATTENTION, icon_state
from watcher.errors import for_desktop
from watcher.program import damage
from watcher.program.live_config import Settings
from watcher.program.resident import _Session
from watcher.queue.journal import Journal


@pytest.fixture
def state(home: Path) -> Path:
    """Return a state folder whose jobs.db was damaged: a page of the table of outputs."""
    folder = home / "state"
    folder.mkdir(parents=True)
    journal = Journal(folder)
    journal.enqueue((f"/pictures/{number}.jpg".encode(), 1, None) for number in range(61))
    ((page,),) = journal._db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outputs'", ())
    journal.close()
    with (folder / "jobs.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    Journal(folder, check_integrity=True).close()
    return folder


def test_the_icon_says_what_happened_until_the_damaged_file_is_deleted(state: Path) -> None:
    reader = OverviewReader(state)
    reader.has_changed()
    overview = reader.read()
    (problem,) = overview.problems
    assert "61" in problem
    assert str(state / "jobs.damaged-1.db") in problem
    assert icon_state(overview) == ATTENTION
    reader.has_changed()
    (state / "jobs.damaged-1.db").unlink()
    assert reader.has_changed()
    assert reader.read().problems == ()
    reader.close()


def test_one_notification_says_what_happened_whoever_found_the_damage(state: Path, tmp_path: Path) -> None:
    class StandInInterface:
        """Records what it is told."""

        def __init__(self) -> None:
            self.texts: list[str] = []

        def on_records_damaged(self, text: str) -> None:
            self.texts.append(for_desktop(text))

    interface: Any = StandInInterface()
    settings = Settings(tmp_path / "config.toml", tmp_path / "last-good.toml")
    session = _Session(state, settings, interface, threading.Event(), threading.Event())
    with contextlib.closing(Journal(state)) as journal:
        for _ in range(2):
            session._tell_of_damage(journal)
    (text,) = interface.texts
    assert "61 jobs, 61 of them waiting" in text


def test_a_text_says_whether_all_some_or_nothing_was_saved() -> None:
    path = Path("/state/jobs.damaged-1.db")
    assert "All of them could be read" in damage.describe(path, {"complete": True, "saved": 3})
    assert "3 jobs, 1 of them waiting" in damage.describe(path, {"complete": False, "saved": 3, "waiting": 1})
    assert "must be chosen again" in damage.describe(path, {"complete": False, "saved": 0})
    assert "must be chosen again" in damage.describe(path, {})
