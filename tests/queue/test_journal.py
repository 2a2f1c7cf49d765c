"""jobs.py and store.py: the journal, and the file it is in."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from watcher import paths
from watcher.errors import DamagedJournalError, DestinationError, UsageError
from watcher.queue import store
from watcher.queue.journal import Job, Journal


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(tmp_path, clock)


PHOTO = Path("/pictures/photo.jpg")
OUTPUT = Path("/pictures/photo_nobg.png")


def job(path: Path = PHOTO, content: str = "aa", recipe: str = "{}") -> Job:
    return Job(path, recipe, source_hash=content, model="m")


def ask(journal: Journal, *names: str, **request: Any) -> None:
    """As the client does (no signature), or the folders (watch=…)."""
    seen = "1:2:3" if "watch" in request else None
    journal.enqueue([(os.fsencode(f"/pictures/{name}"), 7, seen) for name in names], **request)


def taken(journal: Journal, content: str = "aa") -> Job:
    """The next job, read and started."""
    waiting = journal.next_job()
    assert waiting is not None
    started = journal.start(replace(waiting, source_hash=content, signature="1:2:3", model="m"))
    assert started is not None
    return started


def test_the_same_source_content_and_recipe_is_one_job(journal: Journal) -> None:
    first = journal.record(job(), state="active").id
    assert journal.record(job(), state="done").id == first
    assert journal.record(job(content="bb"), state="done").id != first
    assert journal.record(job(recipe='{"folder": "2f"}'), state="done").id != first
    assert journal.record(job(Path("/pictures/copy.jpg")), state="done").id != first


def test_a_job_is_found_with_what_was_recorded_last(journal: Journal) -> None:
    number = journal.record(job(), state="failed", reason="truncated").id
    journal.record(job(), state="active", output=OUTPUT, output_hash="ff", verdict="subject")
    assert number is not None
    journal.finish(number)
    found = journal.find(PHOTO, "aa", "{}")
    assert found is not None
    assert (found.id, found.state, found.reason, found.output) == (number, "done", None, OUTPUT)
    assert found.verdict == "subject"
    assert journal.find(PHOTO, "bb", "{}") is None


def test_only_what_we_wrote_from_that_source_and_nobody_edited_is_ours(journal: Journal) -> None:
    journal.record(job(), state="done", output=OUTPUT, output_hash="ff")
    assert journal.has_written(PHOTO, OUTPUT, "ff")
    assert not journal.has_written(PHOTO, OUTPUT, "00")
    assert not journal.has_written(Path("/pictures/photo.png"), OUTPUT, "ff")
    assert not journal.has_written(PHOTO, Path("/pictures/other.png"), "ff")


def test_a_name_that_is_not_text_survives(journal: Journal) -> None:
    source = Path(os.fsdecode(b"/pictures/caf\xe9\n.jpg"))
    journal.record(job(source), state="done", output=source.with_suffix(".png"), output_hash="ff")
    found = journal.find(source, "aa", "{}")
    assert found is not None
    assert os.fsencode(found.source) == b"/pictures/caf\xe9\n.jpg"


def test_what_a_person_asked_for_goes_before_what_lay_in_a_folder(journal: Journal) -> None:
    ask(journal, "folder.jpg", watch=b"/pictures")
    ask(journal, "person.jpg")
    assert taken(journal).source.name == "person.jpg"
    assert taken(journal).source.name == "folder.jpg"
    assert journal.next_job() is None


def test_a_picture_that_waits_already_has_one_job_and_its_better_rank(journal: Journal) -> None:
    ask(journal, "b.jpg", "a.jpg", watch=b"/pictures")
    ask(journal, "a.jpg")
    ask(journal, "a.jpg", watch=b"/pictures")
    assert journal.counts_by_state()["queued"] == 2
    first = journal.next_job()
    assert first is not None
    assert (first.source.name, first.watch) == ("a.jpg", None)


def test_what_is_known_as_it_is_now_is_not_queued_by_a_folder_but_by_a_person(journal: Journal) -> None:
    ask(journal, "a.jpg", watch=b"/pictures")
    journal.record(taken(journal), state="done")
    ask(journal, "a.jpg", watch=b"/pictures")
    assert journal.next_job() is None
    assert journal.known_signatures("/pictures", ["{}"]) == {(b"/pictures/a.jpg", "1:2:3")}
    ask(journal, "a.jpg")
    assert journal.next_job() is not None


def test_asking_again_for_the_same_content_goes_on_with_the_same_job(journal: Journal) -> None:
    ask(journal, "a.jpg")
    done = journal.record(taken(journal), state="done")
    ask(journal, "a.jpg")
    assert taken(journal).id == done.id
    assert journal.counts_by_state()["active"] == 1
    assert sum(journal.counts_by_state().values()) == 1


def test_an_attempt_is_counted_before_and_forgotten_only_if_it_is_given_back(journal: Journal) -> None:
    ask(journal, "a.jpg")
    started = taken(journal)
    assert (started.attempts, started.worker_deaths) == (1, 1)
    journal.put_back(started)
    assert taken(journal).attempts == 1
    journal.put_back(replace(started, attempts=1), count_attempt=True)
    assert taken(journal).attempts == 2


def test_what_was_in_hand_when_the_program_ended_waits_again_and_its_death_is_not_blamed_on_it(
    journal: Journal, tmp_path: Path
) -> None:
    ask(journal, "a.jpg", "b.jpg")
    assert taken(journal, "aa").source.name == "a.jpg"
    journal.close()
    again = Journal(tmp_path)
    assert again.counts_by_state()["active"] == 1
    again.recover()
    assert again.counts_by_state()["active"] == 0
    first, second = taken(again, "bb"), taken(again, "aa")
    assert (first.source.name, second.source.name) == ("b.jpg", "a.jpg")  # what was interrupted comes last
    assert (second.attempts, second.interrupted, second.worker_deaths) == (2, 1, 1)


def test_a_job_that_must_wait_is_not_taken_before_its_time(journal: Journal, clock: Clock) -> None:
    ask(journal, "a.jpg")
    waiting = journal.next_job()
    assert waiting is not None
    journal.put_back(waiting, delay=2.0)
    assert journal.next_job() is None
    clock.now += 2.0
    assert journal.next_job() is not None


def test_the_pictures_of_a_paused_place_wait_and_the_others_do_not(journal: Journal) -> None:
    ask(journal, "a.jpg")
    journal.enqueue([(b"/other/b.jpg", 1, None)])
    journal.pause(Path("/pictures"), "full", 10)
    only = journal.next_job()
    assert only is not None
    assert only.source == Path("/other/b.jpg")
    assert [(pause.folder, pause.reason, pause.needed_bytes) for pause in journal.pauses()] == [
        (Path("/pictures"), "full", 10)
    ]
    assert journal.has_sources_in(Path("/pictures"))
    assert not journal.has_sources_in(Path("/"))
    journal.unpause(Path("/pictures"))
    first = journal.next_job()
    assert first is not None
    assert first.source == Path("/pictures/a.jpg")


def test_the_place_of_a_sub_folder_is_paused_apart_from_its_folder(journal: Journal) -> None:
    recipe = {"recipe": '{"folder": "637574"}', "subfolder": b"cut"}
    ask(journal, "a.jpg", watch=b"/pictures", **recipe)
    journal.pause(Path("/pictures/cut"), "full")
    assert journal.next_job() is None


def test_paused_means_that_everything_waits(journal: Journal) -> None:
    ask(journal, "a.jpg")
    journal.set_setting("paused", "1")
    assert journal.next_job() is None
    journal.set_setting("paused", None)
    assert journal.next_job() is not None


def test_a_folder_that_is_no_longer_watched_takes_its_jobs_with_it(journal: Journal) -> None:
    ask(journal, "a.jpg", watch=b"/pictures")
    ask(journal, "b.jpg", watch=b"/kept")
    ask(journal, "c.jpg")
    journal.drop_unwatched_jobs({Path("/kept"): "{}"})
    assert {taken(journal, str(n)).source.name for n in range(2)} == {"b.jpg", "c.jpg"}
    assert journal.next_job() is None


def test_a_job_that_was_withdrawn_is_not_started(journal: Journal) -> None:
    ask(journal, "a.jpg", watch=b"/pictures")
    waiting = journal.next_job()
    assert waiting is not None
    journal.drop_unwatched_jobs({})
    assert journal.start(waiting) is None


def test_what_is_asked_for_anew_while_it_is_being_read_is_read_anew(journal: Journal, clock: Clock) -> None:
    earlier = journal.record(job(Path("/pictures/a.jpg")), state="done")
    ask(journal, "a.jpg")
    reading = journal.next_job()
    assert reading is not None
    clock.now += 1
    ask(journal, "a.jpg")  # it was saved again meanwhile
    assert journal.start(replace(reading, source_hash="old", model="m")) is None
    journal.merge_duplicate(reading, earlier)
    journal.record(reading, state="failed", reason="vanished")
    waiting = journal.next_job()
    assert waiting is not None
    assert (waiting.source.name, waiting.asked_at) == ("a.jpg", clock.now)


def test_numbers_that_no_job_can_have_are_no_error(journal: Journal) -> None:
    ask(journal, "a.jpg")
    assert [found.id for found in journal.find_jobs([1, 1, -5, 10**30])] == [1]


def test_the_last_request_is_what_was_asked_for_in_one_go(journal: Journal, clock: Clock) -> None:
    for names in (["a.jpg"], ["b.jpg", "c.jpg"]):
        clock.now += 1
        ask(journal, *names)
    for name in "abc":
        journal.record(taken(journal, name), state="done", output=Path(f"/pictures/{name}_nobg.png"), output_hash="ff")
    assert [job.source.name for job in journal.jobs_of_last_request()] == ["b.jpg", "c.jpg"]
    for done in journal.jobs_of_last_request():
        journal.mark_undone(done)
    assert [job.source.name for job in journal.jobs_of_last_request()] == ["a.jpg"]


WHITE, CROP = '{"background": "#ffffff"}', '{"crop": "5%"}'


def test_another_default_recipe_is_for_what_a_folder_does_not_know(journal: Journal) -> None:
    watch = Path("/pictures")
    assert journal.known_recipes(watch, "{}", "{}") == ["{}"]
    ask(journal, "a.jpg", watch=b"/pictures")
    journal.record(taken(journal, "aa"), state="done")
    recipes = journal.known_recipes(watch, WHITE, "{}")
    assert sorted(recipes) == sorted(["{}", WHITE])
    assert journal.known_signatures("/pictures", recipes) == {(b"/pictures/a.jpg", "1:2:3")}
    assert journal.has_job(b"/pictures/a.jpg", recipes, "1:2:3")
    assert not journal.has_job(b"/pictures/a.jpg", recipes, "9:9:9")
    ask(journal, "a.jpg", "b.jpg", watch=b"/pictures", recipe=WHITE)
    assert journal.counts_by_state()["queued"] == 1
    assert taken(journal, "bb").source.name == "b.jpg"


def test_what_a_folder_followed_outlives_the_program_and_does_not_grow(journal: Journal, tmp_path: Path) -> None:
    for recipe in ("{}", WHITE, CROP, WHITE, "{}"):
        journal.known_recipes(Path("/pictures"), recipe, "{}")
    again = Journal(tmp_path)
    assert sorted(again.known_recipes(Path("/pictures"), WHITE, "{}")) == sorted(["{}", WHITE, CROP])
    assert again.known_recipes(Path("/other"), WHITE, "{}") == [WHITE]


@pytest.mark.parametrize("said", [None, '{"folder": "6375"}'])
def test_a_folder_that_says_something_else_itself_does_all_anew(journal: Journal, said: str | None) -> None:
    for recipe in ("{}", WHITE):
        journal.known_recipes(Path("/pictures"), recipe, "{}")
    assert journal.known_recipes(Path("/pictures"), CROP, said) == [CROP]
    assert journal.known_recipes(Path("/pictures"), CROP, "{}") == [CROP]  # what was, was given up


def test_a_content_that_was_settled_under_an_earlier_default_is_found(journal: Journal) -> None:
    journal.known_recipes(Path("/pictures"), "{}", "{}")
    earlier = journal.record(job(), state="done")
    journal.known_recipes(Path("/pictures"), WHITE, "{}")
    found = journal.find_settled_under_earlier_recipe(replace(job(recipe=WHITE), watch=Path("/pictures")))
    assert found is not None
    assert found.id == earlier.id
    assert journal.find_settled_under_earlier_recipe(replace(job(recipe=WHITE), watch=Path("/other"))) is None
    assert journal.find_settled_under_earlier_recipe(job(recipe=WHITE)) is None
    assert (
        journal.find_settled_under_earlier_recipe(replace(job(content="bb", recipe=WHITE), watch=Path("/pictures")))
        is None
    )


def test_what_waits_and_is_being_done_is_counted(journal: Journal) -> None:
    assert journal.pending_counts() == (0, 0)
    ask(journal, "a.jpg", "b.jpg", "c.jpg")
    journal.record(taken(journal, "a"), state="done")
    taken(journal, "b")
    assert journal.pending_counts() == (1, 1)


def test_the_newest_results_are_those_that_are_there_to_be_looked_at(journal: Journal, clock: Clock) -> None:
    for name in "abcdef":
        ask(journal, f"{name}.jpg")
        clock.now += 1
        started = taken(journal, name)
        if name == "b":
            journal.record(started, state="failed", reason="truncated")
        elif name != "f":
            journal.record(started, state="done", output=Path(f"/pictures/{name}_nobg.png"), output_hash="ff")
    (undone,) = journal.find_jobs([4])
    journal.mark_undone(undone)
    assert [path.name for path in journal.recent_outputs(2)] == ["e_nobg.png", "c_nobg.png"]
    assert [path.name for path in journal.recent_outputs(10)] == ["e_nobg.png", "c_nobg.png", "a_nobg.png"]
    (anew,) = journal.find_jobs([3])
    journal.record(replace(anew, id=None, source_hash="edited"), state="done", output=anew.output, output_hash="fe")
    assert [path.name for path in journal.recent_outputs(10)] == ["c_nobg.png", "e_nobg.png", "a_nobg.png"]


LOOKS: dict[str, Callable[[Journal], object]] = {
    "waiting": lambda journal: journal.pending_counts(),
    "recent": lambda journal: journal.recent_outputs(10),
    "last_asked": lambda journal: journal.jobs_of_last_request(),
    "next": lambda journal: journal.next_job(),
    "recover": lambda journal: journal.recover(),
    "signatures": lambda journal: journal.known_signatures("/pictures", ["{}", WHITE]),
    "knows": lambda journal: journal.has_job(os.fsencode(PHOTO), ["{}", WHITE], "x"),
    "settled_before": lambda journal: journal.find_settled_under_earlier_recipe(
        replace(job(), watch=Path("/pictures"))
    ),
    "enqueue": lambda journal: ask(journal, "a.jpg", watch=b"/pictures"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_no_look_goes_through_all_jobs(journal: Journal, name: str) -> None:
    plan = plan_of(journal, LOOKS[name])
    assert any("jobs" in step for step in plan), "this test has seen nothing"
    assert [step for step in plan if re.match("SCAN jobs(?! USING)", step)] == []
    partial = ("in_hand", "waiting") if name in ("waiting", "recover", "next") else ("results",)
    scanned = [step.split()[-1] for step in plan if step.startswith("SCAN jobs")]
    assert set(scanned) <= set(partial)  # which have few rows, or are read from one end
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan if name != "settled_before")


def test_a_look_that_goes_through_all_jobs_would_be_seen(journal: Journal) -> None:
    plan = plan_of(journal, lambda journal: journal.history())
    assert any(re.match("SCAN jobs(?! USING)", step) for step in plan)


def plan_of(journal: Journal, act: Callable[[Journal], object]) -> list[str]:
    """How SQLite goes about what `act` asks it."""
    statements: list[str] = []
    journal._db.set_trace_callback(statements.append)
    act(journal)
    journal._db.set_trace_callback(None)
    asked = [text for text in statements if re.match("(SELECT|UPDATE|INSERT|DELETE)", text.strip())]
    return [str(row[3]) for text in asked for row in journal._db.execute(f"EXPLAIN QUERY PLAN {text}")]


def test_the_file_is_for_its_owner_alone(journal: Journal, tmp_path: Path) -> None:
    assert journal.find(PHOTO, "aa", "{}") is None
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_or_read_only_disk_is_said_in_words(journal: Journal) -> None:
    journal._execute("PRAGMA query_only = ON", ())
    with pytest.raises(DestinationError, match="cannot write there"):
        ask(journal, "a.jpg")
    with pytest.raises(DestinationError):
        journal.record(job(), state="done")


def test_a_damaged_journal_is_moved_aside_not_deleted_and_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    journal = Journal(tmp_path)
    assert journal.damaged_path == tmp_path / "jobs.damaged-1.db"
    assert journal.damaged_path.read_bytes() == b"not a database" * 1000
    assert journal.get_setting("rebuild")
    journal.record(job(), state="done")
    journal.close()
    again = Journal(tmp_path)
    assert again.damaged_path is None
    assert again.find(PHOTO, "aa", "{}") is not None


def damage(path: Path) -> None:
    """Overwrite some pages in the middle, of tables and indexes."""
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096 * 8)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """The folder of a journal with 2,000 jobs, closed."""
    journal = Journal(tmp_path)
    journal.enqueue((f"/pictures/{number}.jpg".encode(), 1, None) for number in range(2000))
    journal.close()
    return tmp_path


def test_a_damaged_page_is_found_by_a_thorough_look(large: Path) -> None:
    damage(large / "jobs.db")
    assert Journal(large, check_integrity=True).damaged_path is not None
    assert Journal(large).counts_by_state()["queued"] == 0


def test_damage_that_turns_up_later_is_called_by_its_name(large: Path) -> None:
    damage(large / "jobs.db")
    journal = Journal(large)
    with pytest.raises(DamagedJournalError):
        [journal.has_job(f"/pictures/{number}.jpg".encode(), ["{}"], "x") for number in range(2000)]


def test_the_client_begins_new_records_rather_than_lose_a_picture(large: Path) -> None:
    (large / "jobs.db").write_bytes(b"\xff" * 40960)
    store.open_and_enqueue(str(large), [(b"/pictures/new.jpg", 1, False)])
    waiting = Journal(large).next_job()
    assert waiting is not None
    assert waiting.source.name == "new.jpg"


def test_a_new_journal_that_another_program_just_began_is_not_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    really = store.connect

    def slowly(path: str) -> sqlite3.Connection:
        monkeypatch.setattr(store, "connect", really)
        assert Journal(tmp_path).damaged_path == tmp_path / "jobs.damaged-1.db"  # the other program
        raise sqlite3.DatabaseError(f"{path} is damaged")

    monkeypatch.setattr(store, "connect", slowly)
    journal = Journal(tmp_path)
    assert journal.damaged_path is None
    assert journal.next_job() is None
    assert not (tmp_path / "jobs.damaged-2.db").exists()


def test_a_journal_that_was_replaced_notices(journal: Journal, tmp_path: Path) -> None:
    assert journal.is_current()
    (tmp_path / "jobs.db").rename(tmp_path / "aside.db")
    assert not journal.is_current()
    other = Journal(tmp_path)
    assert not journal.is_current()
    assert other.is_current()


def test_a_second_connection_of_one_process_does_not_take_the_first_ones_locks(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    ask(journal, "a.jpg")
    Journal(tmp_path).close()
    code = f"from watcher.queue import store; store.add({str(tmp_path)!r}, [(b'/pictures/b.jpg', 1, False)])"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "jobs.db-wal").exists()  # the other program was not the last to use it, and knew
    assert journal.counts_by_state()["queued"] == 2


def test_many_open_a_new_journal_at_once(tmp_path: Path) -> None:
    def begin(number: int) -> bool:
        return store.open_and_enqueue(str(tmp_path), [(f"/pictures/{number}.jpg".encode(), 1, False)])

    with ThreadPoolExecutor(20) as pool:
        assert not any(pool.map(begin, range(20)))
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
    found = journal.find(PHOTO, "aa", "{}")
    assert found is not None
    assert (found.id, found.state, found.output, found.changed_at) == (5, "done", OUTPUT, 900.0)
    assert journal.has_written(PHOTO, OUTPUT, "ff")
    journal.enqueue([(b"/pictures/photo.jpg", 1, None)])
    assert taken(journal, "aa").id == 5
    assert tables(tmp_path) == tables(new(tmp_path))


def new(tmp_path: Path) -> Path:
    """The folder of a journal that was never another version's."""
    folder = tmp_path / "new"
    folder.mkdir()
    Journal(folder).close()
    return folder


def tables(folder: Path) -> list[tuple[str, ...]]:
    """All tables and indexes."""
    with sqlite3.connect(folder / "jobs.db") as db:
        found = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    db.close()
    return found


def test_the_records_of_the_second_version_are_kept_and_what_folders_did_is_known_under_another_default(
    tmp_path: Path,
) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.executescript(store._TABLES + "PRAGMA user_version = 2;")
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 2)
        patch.setattr(store, "_ENQUEUE", store._ENQUEUE.replace("followed", "(SELECT NULL AS watch, NULL AS recipe)"))
        before = Journal(tmp_path)
        ask(before, "plain.jpg", watch=b"/pictures")
        ask(before, "mask.jpg", watch=b"/pictures", recipe='{"mask": true}')
        ask(before, "cut.jpg", watch=b"/cut", recipe='{"folder": "6375"}')
        ask(before, "white.jpg", watch=b"/pictures", recipe='{"folder": "6375", "background": "#ffffff"}')
        ask(before, "person.jpg")
        journal_rows = before._execute("SELECT * FROM jobs", ())
        before.close()
    journal = Journal(tmp_path)
    assert journal._execute("SELECT * FROM jobs", ()) == journal_rows
    assert tables(tmp_path) == tables(new(tmp_path))
    assert sorted(journal._execute("SELECT * FROM followed", ())) == [
        (b"/cut", '{"folder": "6375"}', '{"folder": "6375"}'),
        (b"/pictures", "{}", "{}"),
    ]
    ask(journal, "plain.jpg", watch=b"/pictures", recipe='{"crop": "5%"}')
    assert journal.counts_by_state()["queued"] == len(journal_rows)


def test_the_records_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(UsageError, match="newer nobg"):
        Journal(tmp_path)
    assert os.listdir(tmp_path) == ["jobs.db"]


def test_the_state_folder_is_where_platformdirs_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOBG_HOME")
    for value in (None, str(tmp_path), "not/absolute"):
        if value is None:
            monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        else:
            monkeypatch.setenv("XDG_STATE_HOME", value)
        if value != "not/absolute":  # the specification says: ignore it
            assert paths.state_folder() == platformdirs.user_state_dir("nobg", appauthor=False)
        assert os.path.isabs(paths.state_folder())
