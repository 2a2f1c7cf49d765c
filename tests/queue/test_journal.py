"""journal.py, outputs.py and watched_files.py: what the journal records, and what it finds."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.queue.conftest import OUTPUT, PHOTO, Clock, enqueue, make_job, take_and_start
from watcher.errors import DestinationError
from watcher.queue.journal import Journal


def test_the_same_source_content_and_recipe_are_one_job(journal: Journal) -> None:
    first = journal.record(make_job(), state="active").id
    assert journal.record(make_job(), state="done").id == first
    assert journal.record(make_job(content="bb"), state="done").id != first
    assert journal.record(make_job(recipe='{"folder": "2f"}'), state="done").id != first
    assert journal.record(make_job(Path("/pictures/copy.jpg")), state="done").id != first


def test_a_job_is_found_with_what_was_recorded_last(journal: Journal) -> None:
    number = journal.record(make_job(), state="failed", reason="truncated").id
    journal.record(make_job(), state="active", output=OUTPUT, output_hash="ff", verdict="subject", doubt=0.125)
    assert number is not None
    journal.finish(number)
    found_job = journal.find(PHOTO, "aa", "{}")
    assert found_job is not None
    assert (found_job.id, found_job.state, found_job.reason, found_job.output) == (number, "done", None, OUTPUT)
    assert (found_job.verdict, found_job.doubt) == ("subject", 0.125)
    assert journal.find(PHOTO, "bb", "{}") is None


def test_a_new_attempt_and_a_new_result_without_a_doubt_have_none(journal: Journal) -> None:
    job = journal.record(make_job(), state="done", doubt=0.125, why="soft")
    failed = journal.record(job, state="failed", reason="truncated")
    assert (failed.doubt, failed.why) == (None, "")
    journal.record(job, state="done", doubt=0.125, why="soft")
    enqueue(journal, PHOTO.name)
    take_and_start(journal)
    started = journal.find(PHOTO, "aa", "{}")
    assert started is not None
    assert (started.state, started.doubt, started.why) == ("active", None, "")


def test_a_plan_that_is_discarded_leaves_the_doubt_of_the_earlier_result(journal: Journal) -> None:
    earlier = journal.record(
        make_job(), state="done", output=OUTPUT, output_hash="ff", doubt=0.125, why="soft", accepted=7.0
    )
    planned = journal.record(earlier, state="active", output=OUTPUT, output_hash="00", doubt=0.5)
    journal.discard_plan(planned, earlier)
    found_job = journal.find(PHOTO, "aa", "{}")
    assert found_job is not None
    assert (found_job.state, found_job.doubt, found_job.why, found_job.accepted) == ("done", 0.125, "soft", 7.0)


def test_only_an_unedited_file_that_nobg_wrote_from_that_source_counts_as_its_output(journal: Journal) -> None:
    journal.record(make_job(), state="done", output=OUTPUT, output_hash="ff")
    assert journal.outputs.has_written(PHOTO, OUTPUT, "ff")
    assert not journal.outputs.has_written(PHOTO, OUTPUT, "00")
    assert not journal.outputs.has_written(Path("/pictures/photo.png"), OUTPUT, "ff")
    assert not journal.outputs.has_written(PHOTO, Path("/pictures/other.png"), "ff")


def test_a_name_that_is_not_valid_text_is_recorded_unchanged(journal: Journal) -> None:
    source = Path(os.fsdecode(b"/pictures/caf\xe9\n.jpg"))
    journal.record(make_job(source), state="done", output=source.with_suffix(".png"), output_hash="ff")
    found_job = journal.find(source, "aa", "{}")
    assert found_job is not None
    assert os.fsencode(found_job.source) == b"/pictures/caf\xe9\n.jpg"


def test_a_persons_pictures_come_before_those_of_a_watched_folder(journal: Journal) -> None:
    enqueue(journal, "folder.jpg", watch=b"/pictures")
    enqueue(journal, "person.jpg")
    assert take_and_start(journal).source.name == "person.jpg"
    assert take_and_start(journal).source.name == "folder.jpg"
    assert journal.next_job() is None


def test_a_picture_that_is_queued_again_keeps_one_job_with_the_better_rank(journal: Journal) -> None:
    enqueue(journal, "b.jpg", "a.jpg", watch=b"/pictures")
    enqueue(journal, "a.jpg")
    enqueue(journal, "a.jpg", watch=b"/pictures")
    assert journal.counts_by_state()["queued"] == 2
    first = journal.next_job()
    assert first is not None
    assert (first.source.name, first.watch) == ("a.jpg", None)


def test_an_unchanged_file_with_a_job_is_queued_again_for_a_person_but_not_for_a_folder(journal: Journal) -> None:
    enqueue(journal, "a.jpg", watch=b"/pictures")
    journal.record(take_and_start(journal), state="done")
    enqueue(journal, "a.jpg", watch=b"/pictures")
    assert journal.next_job() is None
    assert journal.watched_files.known_signatures("/pictures", ["{}"]) == {(b"/pictures/a.jpg", "1:2:3")}
    enqueue(journal, "a.jpg")
    assert journal.next_job() is not None


def test_a_second_request_for_the_same_content_continues_the_same_job(journal: Journal) -> None:
    enqueue(journal, "a.jpg")
    done = journal.record(take_and_start(journal), state="done")
    enqueue(journal, "a.jpg")
    assert take_and_start(journal).id == done.id
    assert journal.counts_by_state()["active"] == 1
    assert sum(journal.counts_by_state().values()) == 1


def test_an_attempt_is_counted_before_it_starts_and_uncounted_only_if_the_job_is_put_back(journal: Journal) -> None:
    enqueue(journal, "a.jpg")
    started = take_and_start(journal)
    assert (started.attempts, started.worker_deaths) == (1, 1)
    journal.put_back(started)
    assert take_and_start(journal).attempts == 1
    journal.put_back(replace(started, attempts=1), count_attempt=True)
    assert take_and_start(journal).attempts == 2


def test_a_job_that_was_active_when_the_program_ended_is_queued_without_a_worker_death(
    journal: Journal, tmp_path: Path
) -> None:
    enqueue(journal, "a.jpg", "b.jpg")
    assert take_and_start(journal, "aa").source.name == "a.jpg"
    journal.close()
    reopened = Journal(tmp_path)
    assert reopened.counts_by_state()["active"] == 1
    reopened.recover()
    assert reopened.counts_by_state()["active"] == 0
    first, second = take_and_start(reopened, "bb"), take_and_start(reopened, "aa")
    assert (first.source.name, second.source.name) == ("b.jpg", "a.jpg")  # the interrupted job comes last
    assert (second.attempts, second.interrupted, second.worker_deaths) == (2, 1, 1)


def test_a_delayed_job_is_not_taken_before_its_time(journal: Journal, clock: Clock) -> None:
    enqueue(journal, "a.jpg")
    waiting = journal.next_job()
    assert waiting is not None
    journal.put_back(waiting, delay=2.0)
    assert journal.next_job() is None
    clock.now += 2.0
    assert journal.next_job() is not None


def test_the_pictures_of_a_paused_folder_wait_and_the_others_do_not(journal: Journal) -> None:
    enqueue(journal, "a.jpg")
    journal.enqueue([(b"/other/b.jpg", 1, None)])
    journal.pause(Path("/pictures"), "full", 10)
    unpaused = journal.next_job()
    assert unpaused is not None
    assert unpaused.source == Path("/other/b.jpg")
    assert [(pause.folder, pause.reason, pause.needed_bytes) for pause in journal.pauses()] == [
        (Path("/pictures"), "full", 10)
    ]
    assert journal.has_sources_in(Path("/pictures"))
    assert not journal.has_sources_in(Path("/"))
    journal.unpause(Path("/pictures"))
    first = journal.next_job()
    assert first is not None
    assert first.source == Path("/pictures/a.jpg")


def test_a_paused_sub_folder_holds_back_the_pictures_whose_outputs_go_there(journal: Journal) -> None:
    recipe = {"recipe": '{"folder": "637574"}', "subfolder": b"cut"}
    enqueue(journal, "a.jpg", watch=b"/pictures", **recipe)
    journal.pause(Path("/pictures/cut"), "full")
    assert journal.next_job() is None


def test_everything_waits_while_nobg_is_paused(journal: Journal) -> None:
    enqueue(journal, "a.jpg")
    journal.set_setting("paused", "1")
    assert journal.next_job() is None
    journal.set_setting("paused", None)
    assert journal.next_job() is not None


def test_the_queued_jobs_of_a_folder_that_is_no_longer_watched_are_removed(journal: Journal) -> None:
    enqueue(journal, "a.jpg", watch=b"/pictures")
    enqueue(journal, "b.jpg", watch=b"/watched")
    enqueue(journal, "c.jpg")
    journal.watched_files.drop_unwatched_jobs({Path("/watched"): "{}"})
    assert {take_and_start(journal, str(n)).source.name for n in range(2)} == {"b.jpg", "c.jpg"}
    assert journal.next_job() is None


def test_a_job_that_was_withdrawn_is_not_started(journal: Journal) -> None:
    enqueue(journal, "a.jpg", watch=b"/pictures")
    waiting = journal.next_job()
    assert waiting is not None
    journal.watched_files.drop_unwatched_jobs({})
    assert journal.start(waiting) is None


def test_a_picture_that_is_requested_again_while_it_is_being_read_is_read_again(journal: Journal, clock: Clock) -> None:
    earlier = journal.record(make_job(Path("/pictures/a.jpg")), state="done")
    enqueue(journal, "a.jpg")
    taken = journal.next_job()
    assert taken is not None
    clock.now += 1
    enqueue(journal, "a.jpg")  # it has been saved again
    assert journal.start(replace(taken, source_hash="old", model="m")) is None
    journal.merge_duplicate(taken, earlier)
    journal.record(taken, state="failed", reason="vanished")
    waiting = journal.next_job()
    assert waiting is not None
    assert (waiting.source.name, waiting.asked_at) == ("a.jpg", clock.now)


def test_numbers_that_no_job_can_have_are_ignored(journal: Journal) -> None:
    enqueue(journal, "a.jpg")
    assert [job.id for job in journal.find_jobs([1, 1, -5, 10**30])] == [1]


def test_the_last_request_is_all_that_was_requested_in_one_call(journal: Journal, clock: Clock) -> None:
    for names in (["a.jpg"], ["b.jpg", "c.jpg"]):
        clock.now += 1
        enqueue(journal, *names)
    for name in "abc":
        journal.record(
            take_and_start(journal, name), state="done", output=Path(f"/pictures/{name}_nobg.png"), output_hash="ff"
        )
    assert [job.source.name for job in journal.jobs_of_last_request()] == ["b.jpg", "c.jpg"]
    for done in journal.jobs_of_last_request():
        journal.mark_undone(done)
    assert [job.source.name for job in journal.jobs_of_last_request()] == ["a.jpg"]


WHITE, CROP = '{"background": "#ffffff"}', '{"crop": "5%"}'


def test_a_new_default_recipe_applies_only_to_files_that_a_folder_does_not_know(journal: Journal) -> None:
    watch = Path("/pictures")
    assert journal.watched_files.known_recipes(watch, "{}", "{}") == ["{}"]
    enqueue(journal, "a.jpg", watch=b"/pictures")
    journal.record(take_and_start(journal, "aa"), state="done")
    recipes = journal.watched_files.known_recipes(watch, WHITE, "{}")
    assert sorted(recipes) == sorted(["{}", WHITE])
    assert journal.watched_files.known_signatures("/pictures", recipes) == {(b"/pictures/a.jpg", "1:2:3")}
    assert journal.watched_files.has_job(b"/pictures/a.jpg", recipes, "1:2:3")
    assert not journal.watched_files.has_job(b"/pictures/a.jpg", recipes, "9:9:9")
    enqueue(journal, "a.jpg", "b.jpg", watch=b"/pictures", recipe=WHITE)
    assert journal.counts_by_state()["queued"] == 1
    assert take_and_start(journal, "bb").source.name == "b.jpg"


def test_the_recipes_that_a_folder_followed_outlast_the_program_and_do_not_pile_up(
    journal: Journal, tmp_path: Path
) -> None:
    for recipe in ("{}", WHITE, CROP, WHITE, "{}"):
        journal.watched_files.known_recipes(Path("/pictures"), recipe, "{}")
    reopened = Journal(tmp_path)
    assert sorted(reopened.watched_files.known_recipes(Path("/pictures"), WHITE, "{}")) == sorted(["{}", WHITE, CROP])
    assert reopened.watched_files.known_recipes(Path("/other"), WHITE, "{}") == [WHITE]


@pytest.mark.parametrize("default_overrides", [None, '{"folder": "6375"}'])
def test_a_folder_whose_own_settings_change_does_all_pictures_again(
    journal: Journal, default_overrides: str | None
) -> None:
    for recipe in ("{}", WHITE):
        journal.watched_files.known_recipes(Path("/pictures"), recipe, "{}")
    assert journal.watched_files.known_recipes(Path("/pictures"), CROP, default_overrides) == [CROP]
    assert journal.watched_files.known_recipes(Path("/pictures"), CROP, "{}") == [
        CROP
    ]  # the earlier defaults were forgotten


def test_content_that_was_settled_under_an_earlier_default_is_found(journal: Journal) -> None:
    journal.watched_files.known_recipes(Path("/pictures"), "{}", "{}")
    earlier = journal.record(make_job(), state="done")
    journal.watched_files.known_recipes(Path("/pictures"), WHITE, "{}")
    found_job = journal.watched_files.find_settled_under_earlier_recipe(
        replace(make_job(recipe=WHITE), watch=Path("/pictures"))
    )
    assert found_job is not None
    assert found_job.id == earlier.id
    assert (
        journal.watched_files.find_settled_under_earlier_recipe(replace(make_job(recipe=WHITE), watch=Path("/other")))
        is None
    )
    assert journal.watched_files.find_settled_under_earlier_recipe(make_job(recipe=WHITE)) is None
    assert (
        journal.watched_files.find_settled_under_earlier_recipe(
            replace(make_job(content="bb", recipe=WHITE), watch=Path("/pictures"))
        )
        is None
    )


def test_queued_and_active_jobs_are_counted(journal: Journal) -> None:
    assert journal.pending_counts() == (0, 0)
    enqueue(journal, "a.jpg", "b.jpg", "c.jpg")
    journal.record(take_and_start(journal, "a"), state="done")
    take_and_start(journal, "b")
    assert journal.pending_counts() == (1, 1)


def test_the_newest_outputs_leave_out_failed_and_undone_jobs(journal: Journal, clock: Clock) -> None:
    for name in "abcdef":
        enqueue(journal, f"{name}.jpg")
        clock.now += 1
        started = take_and_start(journal, name)
        if name == "b":
            journal.record(started, state="failed", reason="truncated")
        elif name != "f":
            journal.record(started, state="done", output=Path(f"/pictures/{name}_nobg.png"), output_hash="ff")
    (undone,) = journal.find_jobs([4])
    journal.mark_undone(undone)
    assert [path.name for path in journal.recent_outputs(2)] == ["e_nobg.png", "c_nobg.png"]
    assert [path.name for path in journal.recent_outputs(10)] == ["e_nobg.png", "c_nobg.png", "a_nobg.png"]
    (redone,) = journal.find_jobs([3])
    journal.record(replace(redone, id=None, source_hash="edited"), state="done", output=redone.output, output_hash="fe")
    assert [path.name for path in journal.recent_outputs(10)] == ["c_nobg.png", "e_nobg.png", "a_nobg.png"]


QUERIES: dict[str, Callable[[Journal], object]] = {
    "pending_counts": lambda journal: journal.pending_counts(),
    "recent_outputs": lambda journal: journal.recent_outputs(10),
    "last_request": lambda journal: journal.jobs_of_last_request(),
    "next": lambda journal: journal.next_job(),
    "recover": lambda journal: journal.recover(),
    "failures": lambda journal: (journal.failures.all(), journal.failures.count()),
    "failures_of_watch": lambda journal: journal.failures.in_watched_folder(Path("/pictures")),
    "failure": lambda journal: journal.failures.of(b"/pictures/a.jpg"),
    "supersede": lambda journal: journal.failures.supersede(make_job()),
    "signatures": lambda journal: journal.watched_files.known_signatures("/pictures", ["{}", WHITE]),
    "has_job": lambda journal: journal.watched_files.has_job(os.fsencode(PHOTO), ["{}", WHITE], "x"),
    "settled_under_earlier_recipe": lambda journal: journal.watched_files.find_settled_under_earlier_recipe(
        replace(make_job(), watch=Path("/pictures"))
    ),
    "enqueue": lambda journal: enqueue(journal, "a.jpg", watch=b"/pictures"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_scans_all_jobs(journal: Journal, name: str) -> None:
    journal.recover()  # as each start does
    plan = plan_of(journal, QUERIES[name])
    assert any("jobs" in step for step in plan), "the trace shows no statement on jobs"
    assert [step for step in plan if re.match("SCAN jobs(?! USING)", step)] == []
    partial_indexes = ("in_hand", "waiting") if name in ("pending_counts", "recover", "next") else ("results",)
    scanned = [step.split()[-1] for step in plan if step.startswith("SCAN jobs")]
    assert set(scanned) <= {*partial_indexes, "failures"}  # these have few rows, or are read from one end
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan if name != "settled_under_earlier_recipe")


def test_a_query_that_scans_all_jobs_would_be_noticed(journal: Journal) -> None:
    plan = plan_of(journal, lambda journal: journal.history())
    assert any(re.match("SCAN jobs(?! USING)", step) for step in plan)


def plan_of(journal: Journal, query: Callable[[Journal], object]) -> list[str]:
    """Return the steps by which SQLite runs the statements of `query`."""
    statements: list[str] = []
    journal._db.connection.set_trace_callback(statements.append)
    query(journal)
    journal._db.connection.set_trace_callback(None)
    explainable = [text for text in statements if re.match("(SELECT|UPDATE|INSERT|DELETE)", text.strip())]
    return [str(row[3]) for text in explainable for row in journal._db.connection.execute(f"EXPLAIN QUERY PLAN {text}")]


def test_a_full_or_read_only_disk_is_reported_in_plain_words(journal: Journal) -> None:
    journal._db.execute("PRAGMA query_only = ON", ())
    with pytest.raises(DestinationError, match="cannot write there"):
        enqueue(journal, "a.jpg")
    with pytest.raises(DestinationError):
        journal.record(make_job(), state="done")
