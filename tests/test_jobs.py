"""jobs.py"""

import os
import sqlite3
from pathlib import Path

import pytest

from watcher import jobs
from watcher.jobs import Journal, open_journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "jobs.db", clock=lambda: 1000.0)


PHOTO = Path("/pictures/photo.jpg")


def test_the_same_source_content_and_recipe_is_one_job(journal: Journal) -> None:
    first = journal.record(PHOTO, "aa", "{}", "m", state="active")
    assert journal.record(PHOTO, "aa", "{}", "m", state="done") == first
    assert journal.record(PHOTO, "bb", "{}", "m", state="done") != first
    assert journal.record(PHOTO, "aa", '{"folder": "x"}', "m", state="done") != first
    assert journal.record(Path("/pictures/copy.jpg"), "aa", "{}", "m", state="done") != first


def test_a_job_is_found_with_what_was_recorded_last(journal: Journal) -> None:
    output = Path("/pictures/photo_nobg.png")
    number = journal.record(PHOTO, "aa", "{}", "m", state="failed", reason="truncated")
    journal.record(PHOTO, "aa", "{}", "m", state="active", output=output, output_hash="ff", verdict="subject")
    journal.finish(number)
    job = journal.find(PHOTO, "aa", "{}")
    assert job is not None
    assert (job.id, job.state, job.reason, job.output, job.verdict) == (number, "done", None, output, "subject")
    assert journal.find(PHOTO, "bb", "{}") is None


def test_only_what_we_wrote_from_that_source_and_nobody_edited_is_ours(journal: Journal) -> None:
    output = Path("/pictures/photo_nobg.png")
    journal.record(PHOTO, "aa", "{}", "m", state="done", output=output, output_hash="ff")
    assert journal.wrote(PHOTO, output, "ff")
    assert not journal.wrote(PHOTO, output, "00")
    assert not journal.wrote(Path("/pictures/photo.png"), output, "ff")
    assert not journal.wrote(PHOTO, Path("/pictures/other.png"), "ff")


def test_a_name_that_is_not_text_survives(journal: Journal) -> None:
    source = Path(os.fsdecode(b"/pictures/caf\xe9\n.jpg"))
    journal.record(source, "aa", "{}", "m", state="done", output=source.with_suffix(".png"), output_hash="ff")
    job = journal.find(source, "aa", "{}")
    assert job is not None
    assert os.fsencode(job.source) == b"/pictures/caf\xe9\n.jpg"


def test_the_file_is_for_its_owner_alone(journal: Journal, tmp_path: Path) -> None:
    assert journal.find(PHOTO, "aa", "{}") is None
    assert (tmp_path / "jobs.db").stat().st_mode & 0o777 == 0o600


def test_a_damaged_journal_is_moved_aside_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    journal, aside = open_journal(tmp_path)
    assert aside == tmp_path / "jobs.damaged-1.db"
    assert aside.read_bytes() == b"not a database" * 1000
    assert journal.record(PHOTO, "aa", "{}", "m", state="done") == 1
    journal.close()
    again, aside = open_journal(tmp_path)
    assert aside is None
    assert again.find(PHOTO, "aa", "{}") is not None


def test_a_journal_with_a_damaged_page_is_moved_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "jobs.db")
    for number in range(2000):
        journal.record(Path(f"/pictures/{number}.jpg"), "aa", "{}", "m", state="done")
    journal.close()
    with (tmp_path / "jobs.db").open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096)
    fresh, aside = open_journal(tmp_path)
    assert aside is not None
    assert fresh.find(Path("/pictures/1.jpg"), "aa", "{}") is None


def test_a_new_journal_that_another_program_just_began_is_not_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    path.write_bytes(b"not a database" * 1000)
    really = jobs.Journal

    def slowly(place: Path) -> Journal:
        monkeypatch.setattr(jobs, "Journal", really)
        assert open_journal(tmp_path)[1] == tmp_path / "jobs.damaged-1.db"  # the other program
        raise sqlite3.DatabaseError(f"{place} is damaged")

    monkeypatch.setattr(jobs, "Journal", slowly)
    journal, aside = open_journal(tmp_path)
    assert aside is None
    assert journal.record(PHOTO, "aa", "{}", "m", state="done") == 1
    assert not (tmp_path / "jobs.damaged-2.db").exists()
