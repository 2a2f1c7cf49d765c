"""job.py: rows that this version of nobg did not write."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from watcher.cli import main
from watcher.queue.job import COLUMNS, Job, job_from_row
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.worker import dispatch
from watcher.worker.supervisor import Supervisor

ODD_VALUES: dict[str, list[object]] = {
    "reason": ["owned", 7, b"\xff"],
    "detail": [b"\xff", 7, "\x1b[31m \u202e."],
    "verdict": ["owned", 7],
    "seconds": ["abc", b"x", -1e300, 1e300],
    "notes": ["owned twice", 7],
    "doubt": ["abc", b"x", -0.001, 1.001, 1e300, float("inf")],
    "output": ["text", 7, b""],
    "moved_to": [7],
    "signature": [7],
    "recipe": ['{"later": 1}', "[]", "no JSON", 7],
    "changed_at": ["abc", 1e300],
}


@pytest.fixture
def state(home: Path) -> Path:
    folder = home / "state"
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder)
    for name in ("odd.jpg", "good.jpg"):
        journal.record(Job(home / name, source_hash=name), state="failed", reason="unreadable", detail="broken")
    journal.close()
    return folder


def change(state: Path, column: str, value: object) -> None:
    with sqlite3.connect(state / "jobs.db") as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        assert db.execute(f"UPDATE jobs SET {column} = ? WHERE id = 1", (value,)).rowcount == 1
    db.close()


@pytest.mark.parametrize(("column", "value"), [(name, value) for name, odd in ODD_VALUES.items() for value in odd])
def test_an_odd_row_breaks_no_command(
    column: str, value: object, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(state, column, value)
    for command in (["history"], ["status"], ["retry"]):
        assert main.main(command) == 0, capsys.readouterr()
    assert "good.jpg" in capsys.readouterr().out
    assert main.main(["history", "--json"]) == 0
    json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("value", ODD_VALUES["doubt"])
def test_a_doubt_that_no_network_can_have_is_none(
    value: object, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(state, "doubt", value)
    assert main.main(["history", "--json"]) == 0
    assert [job["doubt"] for job in json.loads(capsys.readouterr().out)["jobs"]] == [None, None]


@pytest.mark.parametrize("value", [0.0, 0.125, 1.0])
def test_the_doubt_of_the_journal_is_shown_as_json(
    value: float, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(state, "doubt", value)
    assert main.main(["history", "--json"]) == 0
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert {job["source"].rpartition("/")[2]: job["doubt"] for job in jobs} == {"odd.jpg": value, "good.jpg": None}


def test_a_queued_job_with_a_recipe_of_a_later_version_fails_and_the_others_go_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "a.jpg").write_text("a")
    journal.enqueue([(os.fsencode(tmp_path / "a.jpg"), None, None)], recipe='{"later": 1}')
    journal.enqueue([(os.fsencode(tmp_path / "b.jpg"), None, None)])
    results = list(dispatch.process_queue(JournalQueue(journal), journal, Supervisor()))
    assert [(job.source.name, job.reason) for job in results] == [("a.jpg", "unsupported"), ("b.jpg", "vanished")]
    assert "another version of nobg" in (results[0].detail or "")


def test_every_column_has_a_value_when_the_row_has_none() -> None:
    assert job_from_row((None,) * len(COLUMNS.split(", "))) == Job(Path("?"))
