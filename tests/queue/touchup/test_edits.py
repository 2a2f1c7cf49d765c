"""edits.py: the edits of each content, and what forgets and saves them."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

from tests.queue.conftest import Clock, enqueue, make_job, take_and_start
from watcher.queue.journal import Journal
from watcher.queue.touchup.edits import hash_of

STROKES = '[{"tool":"keep"}]'


def test_edits_belong_to_a_content_until_there_are_none(journal: Journal, clock: Clock) -> None:
    assert journal.edits.of("aa") == ""
    journal.edits.store("aa", STROKES)
    clock.now += 1
    journal.edits.store("aa", STROKES)
    assert journal._db.execute("SELECT * FROM edits", ()) == [("aa", STROKES, 1000.0)]
    journal.edits.store("aa", "[]")
    assert (journal.edits.of("aa"), journal.edits.of("bb")) == ("[]", "")
    journal.edits.store("aa", "")
    assert journal._db.execute("SELECT * FROM edits", ()) == []


def test_the_hash_is_short_and_empty_without_edits() -> None:
    assert hash_of("") == ""
    assert hash_of(STROKES) == hashlib.sha256(STROKES.encode()).hexdigest()[:16]


def test_a_value_of_another_type_counts_as_no_edits(journal: Journal) -> None:
    journal._db.execute("INSERT INTO edits VALUES ('aa', x'ff', 0)", ())
    assert journal.edits.of("aa") == ""


def test_a_started_job_has_the_edits_that_its_output_will_have(journal: Journal) -> None:
    enqueue(journal, "photo.jpg")
    job = take_and_start(journal)
    assert journal.find_jobs([job.id or 0])[0].edits == ""
    journal.record(job, state="failed", reason="unreadable")
    enqueue(journal, "photo.jpg")
    following = journal.next_job()
    assert following is not None
    started = journal.start(replace(following, source_hash="aa", edits="0123"))
    assert started is not None
    assert journal.find_jobs([started.id or 0])[0].edits == "0123"


def test_edits_go_with_the_last_job_of_their_content(journal: Journal) -> None:
    jobs = [journal.record(make_job(recipe=recipe), state="done") for recipe in ("{}", '{"mask": true}')]
    journal.edits.store("aa", STROKES)
    journal.edits.store("never done", STROKES)
    journal.forgotten.forget(jobs[:1])
    assert journal.edits.of("aa") == STROKES
    journal.forgotten.forget(jobs[1:])
    assert journal.edits.of("aa") == ""
    assert journal.edits.of("never done") == STROKES
    journal.forgotten.forget([], and_lost_names=True)
    assert journal.edits.of("never done") == ""


def test_edits_are_saved_from_a_damaged_file(journal: Journal, tmp_path: Path) -> None:
    journal.edits.store("aa", STROKES)
    enqueue(journal, *(f"{number}.jpg" for number in range(500)))
    journal.close()
    with (tmp_path / "jobs.db").open("r+b") as file:
        file.seek(30 * 4096)
        file.write(b"\xff" * 4096)
    repaired = Journal(tmp_path, check_integrity=True)
    assert repaired.damaged_path is not None
    assert repaired.edits.of("aa") == STROKES


def test_a_damaged_file_of_an_older_version_is_complete_without_edits(journal: Journal, tmp_path: Path) -> None:
    enqueue(journal, "photo.jpg")
    journal.close()
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.execute("DROP TABLE edits")  # damage, in a file of this version
    db.close()
    repaired = Journal(tmp_path)
    assert repaired.damaged_path is not None
    assert repaired.get_setting("rebuild") is None
    assert repaired.counts_by_state()["queued"] == 1
