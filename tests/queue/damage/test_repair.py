"""repair.py and salvage.py: what can be read of a damaged jobs.db is in the new one."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.queue.conftest import OUTPUT, PHOTO, enqueue, make_job
from watcher.errors import DestinationError
from watcher.queue import store
from watcher.queue.damage import repair, salvage
from watcher.queue.journal import Journal

PAGE = 4096


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Return the folder of a closed journal with 61 queued jobs, one result, a pause and a watched folder."""
    journal = Journal(tmp_path)
    journal.record(make_job(), state="done", output=OUTPUT, output_hash="ff")
    journal.enqueue((f"/pictures/{number}.jpg".encode(), 1, None) for number in range(61))
    journal.set_setting("paused", "1")
    journal.close()
    return tmp_path


def overwrite_root(folder: Path, name: str) -> None:
    """Overwrite the first page of a table or index."""
    with sqlite3.connect(folder / "jobs.db") as db:
        ((page,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchall()
    db.close()
    with (folder / "jobs.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def change_schema(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "jobs.db", isolation_level=None) as db:
        db.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize("name", ["jobs", "sqlite_autoindex_jobs_1", "by_folder", "outputs", "written", "settings"])
def test_queue_results_and_pause_survive_damage_to_any_table(filled: Path, name: str) -> None:
    overwrite_root(filled, name)
    journal = Journal(filled, check_integrity=True)
    assert journal.damaged_path == filled / "jobs.damaged-1.db"
    assert journal.counts_by_state()["queued"] == 61
    assert journal.outputs.has_written(PHOTO, OUTPUT, "ff")
    assert name == "jobs" or journal.find(PHOTO, "aa", "{}") is not None
    assert name == "settings" or journal.get_setting("paused") == "1"
    assert sorted(path.name for path in filled.iterdir() if "jobs.repair" in path.name) == []


def test_saved_jobs_keep_their_numbers_and_no_number_is_used_again(filled: Path) -> None:
    overwrite_root(filled, "by_folder")
    before = sqlite3.connect(filled / "jobs.db")
    rows = before.execute("SELECT id, source FROM jobs ORDER BY id").fetchall()
    before.close()
    journal = Journal(filled, check_integrity=True)
    assert journal._db.execute("SELECT id, source FROM jobs ORDER BY id", ()) == rows
    journal._db.execute("DELETE FROM jobs", ())
    enqueue(journal, "new.jpg")
    assert journal._db.execute("SELECT id FROM jobs", ()) == [(rows[-1][0] + 1,)]


def test_records_without_tables_are_replaced_and_a_click_is_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.execute(f"PRAGMA user_version = {store.SCHEMA_VERSION}")
    db.close()
    store.open_and_enqueue(str(tmp_path), [(b"/pictures/new.jpg", 1, False)])
    assert Journal(tmp_path).counts_by_state()["queued"] == 1
    assert (tmp_path / "jobs.damaged-1.db").exists()


def test_a_table_that_is_missing_costs_the_others_nothing(filled: Path) -> None:
    with sqlite3.connect(filled / "jobs.db") as db:
        db.execute("DROP TABLE followed")
    db.close()
    journal = Journal(filled)
    assert journal.counts_by_state()["queued"] == 61
    assert journal.get_setting("paused") == "1"


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 5, 6, -5, 1 << 20])
def test_a_damaged_number_of_the_version_loses_nothing(filled: Path, version: int) -> None:
    with sqlite3.connect(filled / "jobs.db") as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    journal = Journal(filled)
    assert journal.counts_by_state()["queued"] == 61
    assert journal.get_setting("paused") == "1"


def test_a_message_of_sqlite_that_is_not_utf_8_is_damage(filled: Path) -> None:
    change_schema(filled, "UPDATE sqlite_master SET name = CAST(x'62ff' AS TEXT), sql = 'x' WHERE name = 'by_folder'")
    journal = Journal(filled)
    assert journal.damaged_path is not None
    assert journal.counts_by_state()["queued"] == 61


def test_text_that_is_not_utf_8_hides_no_other_row(filled: Path) -> None:
    with sqlite3.connect(filled / "jobs.db") as db:
        db.execute("UPDATE jobs SET detail = CAST(x'ff41' AS TEXT), recipe = CAST(x'fe' AS TEXT) WHERE id = 1")
    db.close()
    journal = Journal(filled)
    (job,) = journal.history()
    assert (job.source, job.detail) == (PHOTO, r"\xffA")


def test_records_that_another_program_has_locked_are_neither_damaged_nor_unwritable(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.0)
    other = sqlite3.connect(filled / "jobs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DestinationError, match=r"Another program is using .* Wait until it has finished") as caught:
        store.open_and_enqueue(str(filled), [(b"/pictures/new.jpg", 1, False)])
    assert "Make room" not in str(caught.value)
    other.close()
    store.open_and_enqueue(str(filled), [(b"/pictures/new.jpg", 1, False)])
    assert not list(filled.glob("*damaged*"))


def test_a_click_waits_longer_than_a_minute_for_locked_records() -> None:
    assert store.BUSY_SECONDS > 60


def replace_and_be_killed(folder: str, where: str) -> None:
    """Open a damaged journal, and die as after kill -9 at a step of its repair."""

    def die(*_: Any) -> None:
        os._exit(9)

    if where == "rename of the log":
        os.replace = die_at_second(os.replace)
    else:
        vars({"salvage": salvage, "repair": repair}[where.partition(".")[0]])[where.partition(".")[2]] = die
    Journal(Path(folder), check_integrity=True)


def die_at_second(function: Any) -> Any:
    calls = []

    def call(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            os._exit(9)
        function(*arguments)

    return call


@pytest.mark.parametrize("where", ["repair._move", "rename of the log", "salvage.read", "repair._insert_job"])
def test_a_repair_that_kill_9_interrupts_is_finished_by_the_next_program(filled: Path, where: str) -> None:
    overwrite_root(filled, "by_folder")
    (filled / "jobs.db-shm").write_bytes(b"")
    process = multiprocessing.get_context("fork").Process(target=replace_and_be_killed, args=(str(filled), where))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    journal = Journal(filled)
    assert journal.counts_by_state()["queued"] == 61
    assert sorted(path.name for path in filled.glob("jobs.repair*")) == []


def test_a_click_that_was_vouched_for_in_a_damaged_file_survives_the_repair(filled: Path) -> None:
    overwrite_root(filled, "outputs")  # the click does not come near that page
    store.open_and_enqueue(str(filled), [(b"/pictures/new.jpg", 1, False)])
    assert not list(filled.glob("*damaged*"))
    journal = Journal(filled, check_integrity=True)
    assert journal.damaged_path is not None
    assert journal.counts_by_state()["queued"] == 62
