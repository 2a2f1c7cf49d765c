"""watched_files.Failures: which failed jobs still count."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.queue.conftest import PHOTO, Clock, enqueue, make_job, take_and_start
from watcher.program import control
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import PAUSE_RETRY_SECONDS, JournalQueue

WATCH = Path("/pictures")


def fail(journal: Journal, content: str = "half", recipe: str = "{}", watch: Path | None = None) -> Job:
    return journal.record(replace(make_job(PHOTO, content, recipe), watch=watch), state="failed", reason="truncated")


def settle(journal: Journal, job: Job, state: str) -> None:
    """Record a result of `job`, as dispatch does."""
    reason = {"skipped": "no_clear_subject", "failed": "unreadable"}.get(state)
    journal.failures.supersede(journal.record(job, state=state, reason=reason))


@pytest.mark.parametrize("state", ["done", "skipped"])
def test_a_failed_upload_that_later_succeeded_counts_no_more(journal: Journal, state: str) -> None:
    fail(journal)
    settle(journal, make_job(PHOTO, "whole"), state)
    assert journal.failures.count() == 0
    assert control.retry(journal, []) == []
    assert [job.notes for job in journal.history() if job.state == "failed"] == ["superseded"]


def test_a_picture_that_failed_twice_counts_once(journal: Journal) -> None:
    fail(journal)
    settle(journal, make_job(PHOTO, "other half"), "failed")
    assert [job.source_hash for job in journal.failures.all()] == ["other half"]


def test_a_failure_under_another_recipe_stays(journal: Journal) -> None:
    fail(journal)
    settle(journal, make_job(PHOTO, "whole", '{"mask": true}'), "done")
    assert journal.failures.count() == 1


def test_a_failure_under_an_earlier_default_of_the_same_watch_counts_no_more(journal: Journal) -> None:
    fail(journal, watch=WATCH)
    settle(journal, replace(make_job(PHOTO, "whole", '{"mask": true}'), watch=WATCH), "done")
    assert journal.failures.count() == 0


def test_a_picture_that_fails_again_after_it_was_done_counts(journal: Journal) -> None:
    fail(journal, "half")
    settle(journal, make_job(PHOTO, "whole"), "done")
    enqueue(journal, "photo.jpg")
    settle(journal, take_and_start(journal, "half"), "failed")
    assert [job.source_hash for job in journal.failures.all()] == ["half"]


def test_failures_that_an_older_nobg_left_are_cleared_at_the_start(journal: Journal, clock: Clock) -> None:
    fail(journal)
    clock.now += 5
    journal.record(make_job(PHOTO, "whole"), state="done")
    assert journal.failures.count() == 1
    journal.recover()
    assert journal.failures.count() == 0


def test_retry_leaves_out_what_the_person_has_deleted(tmp_path: Path, journal: Journal) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    device = folder.stat().st_dev
    for name in ("deleted.jpg", "kept.jpg"):
        path = folder / name
        path.write_text("x")
        journal.record(replace(make_job(path), device=device, signature="1:2:3"), state="failed", reason="unreadable")
    (folder / "deleted.jpg").unlink()
    assert [job.source.name for job in control.retry(journal, [])] == ["kept.jpg"]
    assert [job.source.name for job in journal.failures.all()] == ["kept.jpg"]


def test_a_failure_on_a_drive_that_is_unplugged_stays(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "stick" / "a.jpg"
    journal.record(replace(make_job(path), device=tmp_path.stat().st_dev + 1), state="failed", reason="timeout")
    assert len(control.retry(journal, [])) == 1


# The clock


def test_a_clock_set_back_makes_no_picture_wait(journal: Journal, clock: Clock) -> None:
    enqueue(journal, "photo.jpg")
    journal.put_back(take_and_start(journal), delay=2.0)
    assert journal.next_job() is None
    clock.now -= 3 * 3600
    assert journal.next_job() is not None


def test_a_clock_set_back_ends_a_pause(journal: Journal, clock: Clock) -> None:
    queue = JournalQueue(journal, clock)
    journal.pause(Path("/nowhere"), "full", 1 << 62)
    clock.now += PAUSE_RETRY_SECONDS / 2
    assert not queue.check_pauses()
    clock.now -= 3 * 3600
    assert queue.check_pauses()


def test_pictures_without_a_subject_are_listed_among_the_newest_results(journal: Journal, clock: Clock) -> None:
    def finish(number: int, state: str) -> None:
        clock.now += 1
        job = make_job(Path(f"/pictures/{number}.jpg"), str(number))
        output = Path(f"/pictures/{number}_nobg.png") if state == "done" else None
        reason = "no_clear_subject" if state == "skipped" else None
        journal.record(job, state=state, reason=reason, output=output, output_hash=output and "ff")

    def listed(limit: int) -> list[str]:
        return [job.source.stem for job in journal.failures.without_subject(limit)]

    for number, state in enumerate(("skipped", "done", "skipped", "done", "failed", "skipped")):
        finish(number, state)
    assert (listed(3), listed(2), listed(1)) == (["5", "2", "0"], ["5", "2"], ["5"])
    finish(6, "done")
    finish(7, "done")
    assert (listed(3), listed(1)) == (["5"], [])
    finish(5, "done")  # it was cut out anyway
    assert listed(3) == []
