"""review.py: which cut-outs want a look, in which order, and what accepting does."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher import places
from watcher.errors import DOUBTS, NoAnswerError
from watcher.program import review
from watcher.program.history_page import render_page
from watcher.queue.job import Job
from watcher.queue.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def make_done(journal: Journal, folder: Path, name: str, doubt: float | None, **changes: Any) -> Job:
    """Record a finished job with this doubt whose output exists."""
    output = folder / f"{name}_nobg.png"
    output.write_text(name)
    job = Job(folder / f"{name}.jpg", source_hash=name, model="m", **changes)
    return journal.record(job, state="done", output=output, output_hash=f"hash of {name}", doubt=doubt, why="soft")


def names(jobs: list[Job]) -> list[str]:
    return [job.source.stem for job in jobs]


def test_the_most_doubtful_come_first_and_clear_ones_not_at_all(journal: Journal, folder: Path) -> None:
    for name, doubt in {"a": 0.3, "b": None, "c": 1.0, "d": 0.0, "e": review.MIN_DOUBT, "f": 0.199, "g": 0.3}.items():
        make_done(journal, folder, name, doubt)
    assert names(review.wanting_a_look(journal)) == ["c", "g", "a", "e"]
    assert review.count(journal) == 4


def test_what_nobody_can_look_at_wants_no_look(journal: Journal, folder: Path) -> None:
    make_done(journal, folder, "deleted", 0.5)
    (folder / "deleted_nobg.png").unlink()
    journal.mark_undone(make_done(journal, folder, "undone", 0.5))
    journal.record(Job(folder / "x.jpg", source_hash="x"), state="skipped", reason="no_clear_subject", doubt=0.9)
    failed = make_done(journal, folder, "failed", 0.5)
    journal.record(failed, state="failed", reason="truncated", doubt=0.9)
    assert review.wanting_a_look(journal) == []


def test_what_a_person_touched_up_wants_no_look(journal: Journal, folder: Path) -> None:
    job = make_done(journal, folder, "a", 0.5, edits="ab" * 32)
    assert review.wanting_a_look(journal) == []
    assert (review.wants_a_look(job), review.describe(job)) == (False, "touched up")


def test_what_is_on_a_drive_that_does_not_answer_waits(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_done(journal, folder, "a", 0.5)

    def never_answer(path: Path) -> bool:
        raise NoAnswerError(str(path))

    monkeypatch.setattr(places, "exists", never_answer)
    assert review.count(journal) == 0


def test_accepting_is_remembered_until_the_picture_is_done_anew(journal: Journal, folder: Path) -> None:
    job = make_done(journal, folder, "a", 0.5)
    review.accept(job, journal)
    (accepted,) = journal.history()
    assert accepted.accepted is not None
    assert (review.wanting_a_look(journal), review.describe(accepted)) == ([], "looked at")
    again = make_done(journal, folder, "a", 0.4)
    assert (again.id, names(review.wanting_a_look(journal))) == (job.id, ["a"])


def test_a_result_that_is_newer_than_what_the_person_saw_is_not_accepted(journal: Journal, folder: Path) -> None:
    seen = make_done(journal, folder, "a", 0.5)
    journal.record(seen, state="done", output=seen.output, output_hash="newer", doubt=0.4)
    review.accept(seen, journal)
    assert names(review.wanting_a_look(journal)) == ["a"]


def test_at_most_so_many_are_counted(journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "MAX_COUNTED", 2)
    for name in "abc":
        make_done(journal, folder, name, 0.5)
    assert (review.count(journal), len(review.wanting_a_look(journal))) == (2, 3)


def test_counting_reads_no_more_than_the_doubtful_jobs(journal: Journal, folder: Path) -> None:
    make_done(journal, folder, "a", 0.5)
    statements: list[str] = []
    journal._db.connection.set_trace_callback(statements.append)
    review.count(journal)
    journal._db.connection.set_trace_callback(None)
    plans = [row[3] for text in statements for row in journal._db.connection.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert any("USING INDEX doubtful (doubt>" in plan for plan in plans), plans
    assert not any("SCAN" in plan or "TEMP B-TREE" in plan for plan in plans), plans


def test_a_reason_is_one_sentence_whatever_the_journal_holds() -> None:
    job = Job(Path("/a.jpg"), why="disagree_lower touches_edge of_a_later_nobg")
    assert review.reason(job) == ("the networks disagree about the lower part; a side of the picture cuts the subject.")
    assert review.reason(replace(job, why="")) == review.reason(replace(job, why="x")) == "nobg is not sure about it."
    assert all(text.endswith(".") and text[0].islower() for text in DOUBTS.values())


def test_the_page_says_what_wants_a_look_and_how_to_correct_it(folder: Path) -> None:
    doubtful = Job(folder / "a.jpg", id=1, state="done", output=folder / "a_nobg.png", doubt=0.5, why="soft")
    page = render_page([doubtful])
    assert "Wants a look: much of it is half transparent. To correct it: right-click" in page
    assert "Looked at." in (accepted := render_page([replace(doubtful, accepted=1.0)]))
    assert "To correct it" not in accepted
    for other in (replace(doubtful, doubt=0.1), replace(doubtful, undone=True)):
        assert "look" not in render_page([other]).partition("<body>")[2].lower().replace("looks", "")


def test_the_page_says_what_to_do_where_no_subject_is_clear(folder: Path) -> None:
    page = render_page([Job(folder / "a.jpg", id=1, state="skipped", reason="no_clear_subject")])
    assert "right-click the picture, “Touch up cut-out…”" in page
    assert "“Show me where” or “Cut out anyway”" in page
    assert os.fspath(folder) in page
