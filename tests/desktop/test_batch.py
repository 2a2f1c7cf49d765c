"""When a batch is summed up, and what its summary says; with a clock that the test sets."""

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from watcher.desktop import batch as batch_module
from watcher.desktop.batch import Batch, Summary, describe_progress
from watcher.errors import NOTES, REASONS, advise
from watcher.queue.job import Job

PICTURES = Path("/home/ada/Pictures")


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batch(clock: Clock) -> Batch:
    return Batch(clock)


def done(number: int, name: str = "", folder: Path = PICTURES) -> Job:
    output = folder / (name or f"photo{number}_nobg.png")
    return Job(PICTURES / f"photo{number}.jpg", id=number, state="done", output=output, seconds=2.0)


def missed(name: str, reason: str = "unreadable", detail: str | None = None) -> Job:
    state = "skipped" if reason in ("no_clear_subject", "already_done") else "failed"
    return Job(PICTURES / name, id=99, state=state, reason=reason, detail=detail)


def summarize(*jobs: Job) -> Summary:
    """Return the summary of these jobs alone."""
    clock = Clock()
    batch = Batch(clock)
    for job in jobs:
        batch.add(job)
    clock.now += batch_module.QUIET_SECONDS
    summary = batch.take_due_summary()
    assert summary is not None
    return summary


# When a summary is due


def test_a_batch_is_summed_up_once_when_it_is_over(batch: Batch, clock: Clock) -> None:
    batch.add(done(1))
    assert batch.take_due_summary() is None  # the next picture may be on its way
    clock.now += 0.5
    batch.add(done(2))
    clock.now += 0.9
    assert batch.take_due_summary() is None
    assert batch.has_pending_summary
    clock.now += 0.1
    summary = batch.take_due_summary()
    assert summary is not None
    assert summary.done_ids == (1, 2)
    assert not batch.has_pending_summary
    clock.now += 3600
    assert batch.take_due_summary() is None


def test_later_jobs_are_summed_up_together_ten_seconds_after_the_last_summary(batch: Batch, clock: Clock) -> None:
    batch.add(done(1))
    clock.now += 1
    assert batch.take_due_summary() is not None
    for number in (2, 3, 4):
        clock.now += 2
        batch.add(done(number))
        clock.now += 1
        assert batch.take_due_summary() is None
    assert batch.has_pending_summary
    clock.now += 0.5
    assert batch.take_due_summary() is None
    clock.now += 0.5
    summary = batch.take_due_summary()
    assert summary is not None
    assert summary.done_ids == (2, 3, 4)


def test_in_an_hour_of_small_batches_there_is_at_most_one_summary_in_ten_seconds(batch: Batch, clock: Clock) -> None:
    times: list[float] = []
    numbers: list[int] = []
    for second in range(3600):
        if second % 3 == 0:
            batch.add(done(second))
        clock.now += 1
        summary = batch.take_due_summary()
        if summary is not None:
            times.append(clock.now)
            numbers.extend(summary.done_ids)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= batch_module.SUMMARY_INTERVAL_SECONDS
    assert numbers == list(range(0, numbers[-1] + 1, 3))  # no job is forgotten or summed up twice
    assert len(times) > 250


def test_there_is_no_summary_before_anything_happened(batch: Batch) -> None:
    assert batch.take_due_summary() is None
    assert not batch.has_pending_summary


# What a summary says


def test_one_cut_out_is_named_and_opens_with_a_click() -> None:
    output = PICTURES / "photo_nobg.png"
    assert summarize(done(1, "photo_nobg.png")) == Summary(
        "Cut-out ready", "photo_nobg.png in Pictures", (1,), output, PICTURES, output, only_output=output
    )


def test_many_cut_outs_are_counted_and_a_click_opens_their_folder() -> None:
    summary = summarize(*map(done, range(1, 13)))
    assert (summary.title, summary.body) == ("12 cut-outs ready", "In Pictures")
    assert summary.done_ids == tuple(range(1, 13))
    assert (summary.target, summary.folder) == (PICTURES, PICTURES)
    assert summary.first_output == PICTURES / "photo1_nobg.png"


def test_of_several_folders_a_click_opens_the_one_with_the_most_outputs() -> None:
    attic, beach = PICTURES / "attic", PICTURES / "beach"
    summary = summarize(done(1), done(2, folder=attic), done(3, folder=attic), done(4, folder=beach))
    assert summary.body == "In 3 folders"
    assert (summary.target, summary.folder, summary.first_output) == (attic, attic, attic / "photo2_nobg.png")


def test_a_picture_that_was_done_twice_counts_once() -> None:
    attic = PICTURES / "attic"
    summary = summarize(done(1), done(1), done(1), done(2, folder=attic), done(3, folder=attic))
    assert (summary.title, summary.done_ids) == ("3 cut-outs ready", (1, 2, 3))
    assert summary.folder == attic


def test_the_root_of_a_drive_has_a_name_too() -> None:
    assert summarize(done(1, "a_nobg.png", Path("/"))).body == "a_nobg.png in /"


def test_a_picture_that_could_not_be_done_is_named_with_its_reason() -> None:
    summary = summarize(missed("photo.jpg", "truncated"))
    assert summary == Summary(
        "photo.jpg could not be done", "The end of the file is missing. Copy or download it again."
    )


def test_of_many_failures_three_are_named() -> None:
    summary = summarize(*(missed(f"{number}.jpg", "vanished") for number in range(7)))
    assert summary.title == "7 pictures could not be done"
    reason = "the file is not there (any more). Check the name."
    assert summary.body.split("\n") == [*(f"{number}.jpg: {reason}" for number in range(3)), "… and 4 more"]


def test_up_to_three_failures_are_all_named() -> None:
    assert len(summarize(*(missed(f"{number}.jpg") for number in range(3))).body.split("\n")) == 3


def test_a_missing_clear_subject_is_reported() -> None:
    summary = summarize(missed("sky.jpg", "no_clear_subject"))
    assert summary.title == "No clear subject"
    assert summary.body == "sky.jpg shows no clear subject, so nothing was written"
    summary_of_both = summarize(missed("sky.jpg", "no_clear_subject"), missed("sea.jpg", "no_clear_subject"))
    assert summary_of_both.title == "No clear subject in 2 pictures"
    assert summary_of_both.body.split("\n")[1] == "sea.jpg shows no clear subject, so nothing was written"


def test_a_mixed_batch_reports_done_and_failed_pictures() -> None:
    summary = summarize(*map(done, range(1, 11)), missed("sky.jpg", "no_clear_subject"), missed("b.jpg"))
    assert summary.title == "10 cut-outs ready, 2 not"
    where, sky, other = summary.body.split("\n")
    assert where == "In Pictures"
    assert sky.startswith("sky.jpg shows no clear subject")
    assert other.startswith("b.jpg: the file is damaged")
    assert summary.target == PICTURES
    summary_of_two = summarize(done(1), missed("b.jpg"))
    assert summary_of_two.title == "1 cut-out ready, 1 not"
    assert summary_of_two.target == PICTURES / "photo1_nobg.png"
    assert summary_of_two.body.split("\n")[1].startswith("b.jpg: the file is damaged")


def test_a_detail_that_is_a_sentence_replaces_the_general_reason() -> None:
    assert summarize(missed("a.jpg", "unsupported", "it is a folder.")).body == "It is a folder."
    assert summarize(missed("a.jpg", "unreadable", "broken data stream")).body.startswith("The file is damaged")


@pytest.mark.parametrize("reason", REASONS)
def test_no_summary_mentions_a_command(reason: str) -> None:
    for summary in (summarize(missed("a.jpg", reason)), summarize(done(1), missed("b.jpg"), missed("a.jpg", reason))):
        assert "`" not in summary.title + summary.body
        assert summary.body


def test_a_notification_has_the_parts_for_the_desktop() -> None:
    detail = advise(
        "the model x is not installed.", desktop="Choose another.", terminal="`nobg models list` says where."
    )
    assert summarize(missed("a.jpg", "unsupported", detail)).body == "The model x is not installed. Choose another."


def test_a_cut_out_made_with_a_remark_says_so() -> None:
    noted = [replace(done(number), notes="end_missing") for number in range(5)]
    assert summarize(noted[1]).body == (
        "photo1_nobg.png in Pictures\nphoto1.jpg: the end of the file is missing, and with it the lowest rows or fine "
        "details. Copy or download it again."
    )
    lines = summarize(replace(done(9), notes="first_frame enlarged"), *noted, done(7)).body.split("\n")
    assert lines[1] == "photo9.jpg: " + " ".join((NOTES["first_frame"], NOTES["enlarged"]))
    assert (len(lines), lines[-1]) == (5, "… and 3 more")
    assert summarize(done(1)).body == "photo1_nobg.png in Pictures"


def test_control_characters_in_names_are_made_visible() -> None:
    name = "a\n\x1b[31m\u202e{count}\udcff"
    shown = r"a\x0a\x1b[31m\x202e{count}\xdcff"
    assert summarize(missed(f"{name}.jpg")).title == f"{shown}.jpg could not be done"
    assert summarize(done(1, f"{name}.png", Path("/b\n"))).body == rf"{shown}.png in b\x0a"
    assert summarize(missed("b.jpg"), missed(f"{name}.jpg")).body.split("\n")[1].startswith(f"{shown}.jpg: ")
    assert "\n" not in summarize(missed("a.jpg", "unsupported", "two\nlines.")).body


# Done before


def test_a_repeated_request_is_answered_with_nothing_new() -> None:
    output = PICTURES / "a_nobg.png"
    before = replace(missed("a.jpg", "already_done"), output=output)
    summary = summarize(before)
    assert summary.title == "Nothing new to do"
    assert summary.body == "a.jpg was done before and has not changed"
    assert (summary.done_ids, summary.target, summary.folder, summary.first_output) == ((), output, PICTURES, output)
    summary_of_both = summarize(before, missed("b.jpg", "already_done"))
    assert summary_of_both.body == "2 pictures were done before and have not changed"
    assert (summary_of_both.target, summary_of_both.first_output) == (PICTURES, output)


def test_finished_pictures_that_a_watched_folder_finds_again_are_not_reported(batch: Batch, clock: Clock) -> None:
    batch.add(replace(missed("a.jpg", "already_done"), watch=PICTURES))
    assert not batch.has_pending_summary
    clock.now += 60
    assert batch.take_due_summary() is None


def test_pictures_done_before_are_not_mentioned_beside_new_results() -> None:
    before = missed("a.jpg", "already_done")
    assert summarize(before, done(1, "b_nobg.png")) == summarize(done(1, "b_nobg.png"))
    assert summarize(before, missed("b.jpg")) == summarize(missed("b.jpg"))


# Progress


def test_finished_pictures_are_counted_until_the_queue_is_idle(batch: Batch, clock: Clock) -> None:
    assert (batch.finished_count, batch.elapsed) == (0, 0.0)
    batch.add(done(1))  # took two seconds
    clock.now += 3
    batch.add(missed("b.jpg"))
    assert (batch.finished_count, batch.elapsed) == (2, 5.0)
    clock.now += 0.5
    batch.take_due_summary()
    assert batch.finished_count == 2
    clock.now += 0.5
    batch.take_due_summary()
    assert (batch.finished_count, batch.elapsed) == (0, 0.0)
    clock.now += 1
    batch.add(done(3))
    clock.now += 5
    assert batch.take_due_summary() is None  # a summary is not due yet, but the queue is idle
    assert (batch.finished_count, batch.has_pending_summary) == (0, True)


@pytest.mark.parametrize(
    ("finished", "waiting", "elapsed", "text"),
    [
        (3, 9, 2.67, "3 of 12, about 8 s"),
        (0, 12, 0.0, "0 of 12"),
        (0, 12, 5.0, "0 of 12"),
        (3, 9, 0.0, "3 of 12"),
        (12, 0, 30.0, "12 of 12"),
        (1000, 1, 10.0, "1000 of 1001, about 1 s"),
        (1, 1, 59.4, "1 of 2, about 59 s"),
        (1, 1, 59.6, "1 of 2, about 1 min"),
        (1, 2, 60.0, "1 of 3, about 2 min"),
        (1, 1, 3569.0, "1 of 2, about 59 min"),
        (1, 1, 3571.0, "1 of 2, about 1 h"),
        (1, 9999, 2.0, "1 of 10000, about 6 h"),
    ],
)
def test_progress_is_rounded_as_people_say_it(finished: int, waiting: int, elapsed: float, text: str) -> None:
    assert describe_progress(finished, waiting, elapsed) == text


def test_a_batch_of_ten_thousand_stays_small(batch: Batch, clock: Clock) -> None:
    jobs = [
        done(number, folder=PICTURES / str(number % 100)) if number % 2 else missed(f"{number}.jpg")
        for number in range(10_000)
    ]
    tracemalloc.start()
    try:
        while jobs:
            batch.add(jobs.pop())
        memory = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert memory < 500_000
    clock.now += 1
    summary = batch.take_due_summary()
    assert summary is not None
    assert summary.title == "5000 cut-outs ready, 5000 not"
    assert summary.body.split("\n")[0] == "In 50 folders"
    assert len(summary.body) < 1000


# What wants a look, and what has no clear subject


def doubtful(number: int, **changes: Any) -> Job:
    return replace(done(number), doubt=0.5, why="disagree_lower", **changes)


def test_a_single_cut_out_that_wants_a_look_says_why_and_can_be_touched_up() -> None:
    summary = summarize(doubtful(1))
    assert summary.body == "photo1_nobg.png in Pictures\nIt wants a look: the networks disagree about the lower part."
    assert (summary.only_output, summary.doubtful_count) == (PICTURES / "photo1_nobg.png", 1)
    assert summarize(done(1)).body == "photo1_nobg.png in Pictures"


def test_a_batch_says_how_many_want_a_look() -> None:
    summary = summarize(done(1), doubtful(2), done(3))
    assert summary.body == "In Pictures\n1 of them wants a look"
    assert (summary.only_output, summary.doubtful_count) == (None, 1)
    assert "2 of them want a look" in summarize(done(1), doubtful(2), doubtful(3)).body
    accepted = summarize(done(1), doubtful(2, accepted=1.0), doubtful(3, edits="ab"), doubtful(4, undone=True))
    assert (accepted.body, accepted.doubtful_count) == ("In Pictures", 0)


def test_pictures_without_a_clear_subject_can_be_cut_out_anyway() -> None:
    first, second = (replace(missed(f"{number}.jpg", "no_clear_subject"), id=number) for number in (7, 8))
    assert summarize(first).unclear_ids == (7,)
    assert summarize(first).only_unclear == PICTURES / "7.jpg"
    assert summarize(first, second, first).unclear_ids == (7, 8)
    for others in ((second,), (missed("a.jpg"),), (done(1),)):
        summary = summarize(first, *others)
        assert (summary.only_unclear, 7 in summary.unclear_ids) == (None, True)
    assert summarize(missed("a.jpg")).unclear_ids == ()
