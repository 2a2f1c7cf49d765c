"""store.py, database.py and schema.py: the file jobs.db, its damage and its migration."""

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest

from tests.queue.conftest import OUTPUT, PHOTO, enqueue, make_job, take_and_start
from watcher import lock, paths
from watcher.errors import DamagedJournalError, UsageError
from watcher.queue import schema, store
from watcher.queue.damage import repair
from watcher.queue.journal import Journal


def test_the_file_is_for_its_owner_alone(journal: Journal, tmp_path: Path) -> None:
    assert journal.find(PHOTO, "aa", "{}") is None
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_journal_is_moved_aside_not_deleted_and_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    journal = Journal(tmp_path)
    assert journal.damaged_path == tmp_path / "jobs.damaged-1.db"
    assert journal.damaged_path.read_bytes() == b"not a database" * 1000
    assert journal.get_setting("rebuild")
    journal.record(make_job(), state="done")
    journal.close()
    reopened = Journal(tmp_path)
    assert reopened.damaged_path is None
    assert reopened.find(PHOTO, "aa", "{}") is not None


def damage(path: Path) -> None:
    """Overwrite some pages in the middle, of tables and indexes."""
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096 * 8)


@pytest.fixture
def large_journal(tmp_path: Path) -> Path:
    """Return the folder of a closed journal with 2,000 jobs."""
    journal = Journal(tmp_path)
    journal.enqueue((f"/pictures/{number}.jpg".encode(), 1, None) for number in range(2000))
    journal.close()
    return tmp_path


def test_the_integrity_check_finds_a_damaged_page(large_journal: Path) -> None:
    damage(large_journal / "jobs.db")
    assert Journal(large_journal, check_integrity=True).damaged_path is not None
    assert Journal(large_journal).counts_by_state()["queued"] > 1900


def test_damage_that_shows_up_later_is_reported_as_damage(large_journal: Path) -> None:
    damage(large_journal / "jobs.db")
    journal = Journal(large_journal)
    with pytest.raises(DamagedJournalError):
        [journal.watched_files.has_job(f"/pictures/{number}.jpg".encode(), ["{}"], "x") for number in range(2000)]


def test_the_client_creates_new_records_rather_than_lose_a_picture(large_journal: Path) -> None:
    (large_journal / "jobs.db").write_bytes(b"\xff" * 40960)
    store.open_and_enqueue(str(large_journal), [(b"/pictures/new.jpg", 1, False)])
    job = Journal(large_journal).next_job()
    assert job is not None
    assert job.source.name == "new.jpg"


def test_a_new_journal_that_another_program_has_just_created_is_not_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    connect = store.connect

    def connect_slowly(path: str) -> sqlite3.Connection:
        monkeypatch.setattr(store, "connect", connect)
        assert Journal(tmp_path).damaged_path == tmp_path / "jobs.damaged-1.db"  # the other program
        raise sqlite3.DatabaseError(f"{path} is damaged")

    monkeypatch.setattr(store, "connect", connect_slowly)
    journal = Journal(tmp_path)
    assert journal.damaged_path is None
    assert journal.next_job() is None
    assert not (tmp_path / "jobs.damaged-2.db").exists()


def test_a_damaged_journal_is_left_to_the_program_that_is_moving_it_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    monkeypatch.setattr(repair, "LOCK_SECONDS", 0.0)
    held = lock.acquire(str(tmp_path), name="repair.lock")
    assert held is not None
    with pytest.raises(DamagedJournalError):
        Journal(tmp_path)
    assert (tmp_path / "jobs.db").exists()  # not moved by two programs at once
    lock.release(held)
    assert Journal(tmp_path).damaged_path == tmp_path / "jobs.damaged-1.db"


def test_a_journal_that_was_replaced_notices(journal: Journal, tmp_path: Path) -> None:
    assert journal.is_current()
    (tmp_path / "jobs.db").rename(tmp_path / "aside.db")
    assert not journal.is_current()
    other = Journal(tmp_path)
    assert not journal.is_current()
    assert other.is_current()


def test_closing_a_second_connection_of_one_process_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    enqueue(journal, "a.jpg")
    Journal(tmp_path).close()
    code = (
        f"from watcher.queue import store; store.open_and_enqueue({str(tmp_path)!r}, [(b'/pictures/b.jpg', 1, False)])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "jobs.db-wal").exists()  # the other program knew that it was not the last user of the file
    assert journal.counts_by_state()["queued"] == 2


def test_many_programs_can_open_a_new_journal_at_once(tmp_path: Path) -> None:
    def enqueue_one(number: int) -> bool:
        return store.open_and_enqueue(str(tmp_path), [(f"/pictures/{number}.jpg".encode(), 1, False)])

    with ThreadPoolExecutor(20) as pool:
        assert not any(pool.map(enqueue_one, range(20)))
    assert Journal(tmp_path).counts_by_state()["queued"] == 20


VERSION_1 = """
CREATE TABLE jobs (id INTEGER PRIMARY KEY, source BLOB NOT NULL, source_hash TEXT NOT NULL, recipe TEXT NOT NULL,
    model TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, detail TEXT, verdict TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, seconds REAL, changed_at REAL NOT NULL, output BLOB, output_hash TEXT,
    UNIQUE (source, source_hash, recipe));
CREATE TABLE outputs (output BLOB NOT NULL, output_hash TEXT NOT NULL, source BLOB NOT NULL,
    PRIMARY KEY (output, output_hash, source)) WITHOUT ROWID;
PRAGMA user_version = 1;
INSERT INTO jobs VALUES (5, CAST('/pictures/photo.jpg' AS BLOB), 'aa', '{}', 'm', 'done', NULL, NULL, 'subject', 0,
    0.5, 900.0, CAST('/pictures/photo_nobg.png' AS BLOB), 'ff');
INSERT INTO outputs VALUES (CAST('/pictures/photo_nobg.png' AS BLOB), 'ff', CAST('/pictures/photo.jpg' AS BLOB));
"""


def test_the_records_of_the_first_version_are_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.executescript(VERSION_1)
    db.close()
    journal = Journal(tmp_path)
    found_job = journal.find(PHOTO, "aa", "{}")
    assert found_job is not None
    assert (found_job.id, found_job.state, found_job.output, found_job.changed_at) == (5, "done", OUTPUT, 900.0)
    assert journal.outputs.has_written(PHOTO, OUTPUT, "ff")
    journal.enqueue([(b"/pictures/photo.jpg", 1, None)])
    assert take_and_start(journal, "aa").id == 5
    assert tables(tmp_path) == tables(new_journal_folder(tmp_path))


def new_journal_folder(tmp_path: Path) -> Path:
    """Create a journal in the present version, and return its folder."""
    folder = tmp_path / "new"
    folder.mkdir()
    Journal(folder).close()
    return folder


def tables(folder: Path) -> list[tuple[str, ...]]:
    """Return the name and SQL of all tables and indexes."""
    with sqlite3.connect(folder / "jobs.db") as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    db.close()
    return rows


JOBS_OF_VERSION_7 = re.sub(r"    (why|edits|accepted) .*\n", "", schema._JOBS)
JOBS_OF_VERSION_6 = re.sub(r"    doubt .*\n", "", JOBS_OF_VERSION_7)
JOBS_OF_VERSION_5 = re.sub(r"    listed .*\n", "", JOBS_OF_VERSION_6)
ENQUEUE_OF_VERSION_5 = re.sub(r"    listed = .*\n|:?\blisted, ", "", store._ENQUEUE)
TABLES_OF_VERSION_2 = JOBS_OF_VERSION_5.replace(" AUTOINCREMENT", "") + schema._TABLES + schema._INDEXES
TABLES_OF_VERSION_3 = TABLES_OF_VERSION_2 + schema._INDEXES_ADDED_IN_3 + schema._SCHEMA_ADDED_IN_3
TABLES_OF_VERSION_4 = TABLES_OF_VERSION_3 + schema._INDEXES_ADDED_IN_4 + schema._SCHEMA_ADDED_IN_4
NEW_IN_8 = ("", "", None)
"""The columns `why`, `edits` and `accepted` of a job that an older version recorded."""


def test_the_records_of_the_second_version_are_kept_and_their_files_stay_known_under_another_default(
    tmp_path: Path,
) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.executescript(TABLES_OF_VERSION_2 + "PRAGMA user_version = 2;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 2)
        no_followed = ENQUEUE_OF_VERSION_5.replace("followed", "(SELECT NULL AS watch, NULL AS recipe)")
        patch.setattr(store, "_TABLES", {"jobs"})
        patch.setattr(store, "_ENQUEUE", no_followed)
        earlier = Journal(tmp_path)
        enqueue(earlier, "plain.jpg", watch=b"/pictures")
        enqueue(earlier, "mask.jpg", watch=b"/pictures", recipe='{"mask": true}')
        enqueue(earlier, "cut.jpg", watch=b"/cut", recipe='{"folder": "6375"}')
        enqueue(earlier, "white.jpg", watch=b"/pictures", recipe='{"folder": "6375", "background": "#ffffff"}')
        enqueue(earlier, "person.jpg")
        journal_rows = earlier._db.execute("SELECT * FROM jobs", ())
        earlier.close()
    journal = Journal(tmp_path)
    assert journal._db.execute("SELECT * FROM jobs", ()) == [(*row, None, None, *NEW_IN_8) for row in journal_rows]
    assert tables(tmp_path) == tables(new_journal_folder(tmp_path))
    assert sorted(journal._db.execute("SELECT * FROM followed", ())) == [
        (b"/cut", '{"folder": "6375"}', '{"folder": "6375"}'),
        (b"/pictures", "{}", "{}"),
    ]
    enqueue(journal, "plain.jpg", watch=b"/pictures", recipe='{"crop": "5%"}')
    assert journal.counts_by_state()["queued"] == len(journal_rows)


def test_the_records_of_the_third_version_are_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.executescript(TABLES_OF_VERSION_3 + "PRAGMA user_version = 3;")
        db.execute("INSERT INTO outputs VALUES (x'61', 'hash', x'62')")
    db.close()
    journal = Journal(tmp_path)
    assert tables(tmp_path) == tables(new_journal_folder(tmp_path))
    assert journal.outputs.is_output_content("hash")


def test_the_records_of_the_fourth_version_are_kept_and_their_numbers_are_never_used_again(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.executescript(TABLES_OF_VERSION_4 + "PRAGMA user_version = 4;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 4)
        patch.setattr(store, "_TABLES", {"jobs"})
        patch.setattr(store, "_ENQUEUE", ENQUEUE_OF_VERSION_5)
        earlier = Journal(tmp_path)
        for name in ("a.jpg", "b.jpg"):
            enqueue(earlier, name)
        rows = earlier._db.execute("SELECT * FROM jobs", ())
        earlier.close()
    journal = Journal(tmp_path)
    assert journal._db.execute("SELECT * FROM jobs", ()) == [(*row, None, None, *NEW_IN_8) for row in rows]
    assert tables(tmp_path) == tables(new_journal_folder(tmp_path))
    journal._db.execute("DELETE FROM jobs", ())
    enqueue(journal, "c.jpg")
    assert journal._db.execute("SELECT id FROM jobs", ()) == [(3,)]


def test_the_records_of_the_fifth_version_are_kept_and_their_numbers_are_never_used_again(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        added = schema._INDEXES_ADDED_IN_3 + schema._INDEXES_ADDED_IN_4
        added += schema._SCHEMA_ADDED_IN_3 + schema._SCHEMA_ADDED_IN_4
        db.executescript(JOBS_OF_VERSION_5 + schema._TABLES + schema._INDEXES + added + "PRAGMA user_version = 5;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 5)
        patch.setattr(store, "_TABLES", {"jobs"})
        patch.setattr(store, "_ENQUEUE", ENQUEUE_OF_VERSION_5)
        earlier = Journal(tmp_path)
        for name in ("a.jpg", "b.jpg"):
            enqueue(earlier, name)
        earlier._db.execute("DELETE FROM jobs WHERE id = 2", ())
        rows = earlier._db.execute("SELECT * FROM jobs", ())
        earlier.close()
    journal = Journal(tmp_path)
    assert journal._db.execute("SELECT * FROM jobs", ()) == [(*row, None, None, *NEW_IN_8) for row in rows]
    columns = "SELECT name, type FROM pragma_table_info('jobs')"
    with sqlite3.connect(new_journal_folder(tmp_path) / "jobs.db") as db:
        assert journal._db.execute(columns, ()) == db.execute(columns).fetchall()
    db.close()
    enqueue(journal, "c.jpg")
    assert journal._db.execute("SELECT id FROM jobs", ()) == [(1,), (3,)]


def test_the_records_of_the_sixth_version_are_kept_without_a_doubt(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        added = schema._INDEXES_ADDED_IN_3 + schema._INDEXES_ADDED_IN_4
        added += schema._SCHEMA_ADDED_IN_3 + schema._SCHEMA_ADDED_IN_4
        db.executescript(JOBS_OF_VERSION_6 + schema._TABLES + schema._INDEXES + added + "PRAGMA user_version = 6;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 6)
        patch.setattr(store, "_TABLES", {"jobs"})
        earlier = Journal(tmp_path)
        enqueue(earlier, "a.jpg", "b.jpg", listed=[b"/pictures/b.jpg"])
        rows = earlier._db.execute("SELECT * FROM jobs", ())
        earlier.close()
    journal = Journal(tmp_path)
    assert journal.damaged_path is None
    assert journal._db.execute("SELECT * FROM jobs", ()) == [(*row, None, *NEW_IN_8) for row in rows]
    columns = "SELECT name, type FROM pragma_table_info('jobs')"
    with sqlite3.connect(new_journal_folder(tmp_path) / "jobs.db") as db:
        assert journal._db.execute(columns, ()) == db.execute(columns).fetchall()
    db.close()
    job = journal.record(take_and_start(journal), state="done", doubt=0.125)
    assert [found_job.doubt for found_job in journal.find_jobs([job.id or 0, 2])] == [0.125, None]


def test_the_records_of_the_seventh_version_are_kept_without_edits(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        added = schema._INDEXES_ADDED_IN_3 + schema._INDEXES_ADDED_IN_4
        added += schema._SCHEMA_ADDED_IN_3 + schema._SCHEMA_ADDED_IN_4
        db.executescript(JOBS_OF_VERSION_7 + schema._TABLES + schema._INDEXES + added + "PRAGMA user_version = 7;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 7)
        patch.setattr(store, "_TABLES", {"jobs"})
        earlier = Journal(tmp_path)
        enqueue(earlier, "a.jpg", "b.jpg", listed=[b"/pictures/b.jpg"])
        earlier._db.execute("UPDATE jobs SET doubt = 0.25", ())
        rows = earlier._db.execute("SELECT * FROM jobs", ())
        earlier.close()
    journal = Journal(tmp_path)
    assert journal.damaged_path is None
    assert journal._db.execute("SELECT * FROM jobs", ()) == [(*row, *NEW_IN_8) for row in rows]
    columns = "SELECT name, type FROM pragma_table_info('jobs')"
    new_folder = new_journal_folder(tmp_path)
    with sqlite3.connect(new_folder / "jobs.db") as db:
        assert journal._db.execute(columns, ()) == db.execute(columns).fetchall()
    db.close()
    assert [name for name, _ in tables(tmp_path)] == [name for name, _ in tables(new_folder)]
    journal.edits.store("aa", "[]")
    assert journal.edits.of("aa") == "[]"


def test_the_records_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(UsageError, match="newer nobg"):
        Journal(tmp_path)
    assert os.listdir(tmp_path) == ["jobs.db"]


def test_the_state_folder_is_the_one_that_platformdirs_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOBG_HOME")
    for value in (None, str(tmp_path), "not/absolute"):
        if value is None:
            monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        else:
            monkeypatch.setenv("XDG_STATE_HOME", value)
        if value != "not/absolute":  # the XDG specification says to ignore a relative path
            assert paths.state_folder() == platformdirs.user_state_dir("nobg", appauthor=False)
        assert os.path.isabs(paths.state_folder())
