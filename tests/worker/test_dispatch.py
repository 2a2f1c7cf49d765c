"""dispatch.py, tasks.py and publish.py, with a stand-in worker that dies and hangs on demand."""

import errno
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.support.outputs import stand_in_output
from tests.support.program import STAND_IN_WORKER
from watcher import commit
from watcher.errors import UNFORESEEN_TEXT, DestinationError, ModelError, WorkerError, describe_reason
from watcher.formats import END_MISSING
from watcher.matting import memory, modes
from watcher.matting.modes import Mode
from watcher.queue.job import Job
from watcher.queue.job_queue import InMemoryQueue
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.recipe import Recipe
from watcher.worker import dispatch, publish, supervisor, tasks
from watcher.worker.answers import Answer
from watcher.worker.tasks import Task

Run = Callable[..., list[Job]]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the stand-in worker. Return its log: a line for each picture, and `started` for each start."""
    path = tmp_path / "worker.log"
    command = [sys.executable, str(STAND_IN_WORKER), str(path)]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def write(folder: Path, *contents: str) -> list[Path]:
    """Write files 0.jpg, 1.jpg, … with the given contents; return their paths."""
    paths = [folder / f"{number}.jpg" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    return paths


def states(results: list[Job]) -> dict[str, str]:
    """Return each job's reason, or its state if it has none, by the stem of its source."""
    return {result.source.stem: result.reason or result.state for result in results}


@pytest.mark.usefixtures("log")
def test_each_source_gets_its_own_output(folder: Path, journal: Journal) -> None:
    sources = write(folder, *(f"ok {number}" for number in range(10)))
    results = list(dispatch.run(sources, journal))
    assert [result.source for result in results] == sources
    for number, result in enumerate(results):
        assert result.output == folder / f"{number}_nobg.png"
        assert result.output.read_bytes() == stand_in_output(f"ok {number}")


def test_one_worker_serves_all_and_none_starts_without_work(log: Path, folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok 0", "ok 1", "ok 2")
    assert states(list(dispatch.run([folder / "missing.jpg"], journal))) == {"missing": "vanished"}
    assert not log.exists()
    list(dispatch.run(sources, journal))
    assert log.read_text().split("\n").count("started") == 1


def test_a_picture_that_kills_the_worker_fails_alone_after_three_deaths(
    log: Path, folder: Path, journal: Journal
) -> None:
    sources = write(folder, "ok 0", "ok 1", "die", "ok 3", "ok 4", "ok 5")
    results = list(dispatch.run(sources, journal))
    assert states(results) == {"0": "done", "1": "done", "2": "worker_died", "3": "done", "4": "done", "5": "done"}
    lines = log.read_text().split("\n")
    assert lines.count("die") == 3
    assert lines.count("started") == 4
    failed = journal.find(sources[2], commit.read_source(sources[2]).sha256, "{}")
    assert failed is not None
    assert failed.reason == "worker_died"


def test_a_picture_during_which_nobg_itself_was_ended_speaks_of_memory_and_asks_for_no_report(
    folder: Path, journal: Journal
) -> None:
    (source,) = write(folder, "ok")
    interrupted = Job(source, attempts=tasks.MAX_INTERRUPTIONS, interrupted=tasks.MAX_INTERRUPTIONS)
    failed: Any = tasks.prepare_task(interrupted, InMemoryQueue([], journal), journal)
    assert (failed.state, failed.reason) == ("failed", "worker_died")
    sentence = describe_reason(failed.reason, failed.detail)
    assert "memory" in sentence
    assert "report" not in sentence


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("content", "kill_counts", "sentence"),
    [
        ("killed", (4, 5), "there was not enough memory"),
        ("killed", (4, 4), "another program ended nobg's worker"),
        ("killed", (None, None), "another program ended nobg's worker"),
        ("die", (4, 5), "nobg's worker ended unexpectedly"),
    ],
)
def test_a_worker_that_the_out_of_memory_killer_ends_is_not_reported_as_a_fault_of_nobg(
    content: str,
    kill_counts: tuple[int | None, int | None],
    sentence: str,
    *,
    folder: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "kill_count", itertools.cycle(kill_counts).__next__)
    (job,) = dispatch.run(write(folder, content), journal)
    assert (job.state, job.reason) == ("failed", "worker_died")
    shown = describe_reason("worker_died", job.detail or "")
    assert shown.startswith(sentence)
    assert ("report it" in shown) == (content == "die")


@pytest.mark.slow
def test_a_picture_that_hangs_fails_as_timeout_and_the_others_are_done(
    log: Path, folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "PICTURE_TIMEOUT_SECONDS", 4.0)
    results = list(dispatch.run(write(folder, "ok 0", "hang", "ok 2"), journal))
    assert states(results) == {"0": "done", "1": "timeout", "2": "done"}
    assert log.read_text().split("\n").count("hang") == 2  # once with other pictures, once alone


@pytest.mark.usefixtures("log")
def test_what_was_done_is_not_done_again(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok")
    first = list(dispatch.run(sources, journal))[0]
    second = list(dispatch.run(sources, journal))[0]
    assert (first.doubt, first.why) == (second.doubt, second.why) == (0.125, "soft")
    assert (second.state, second.reason, second.output, second.id) == (
        "skipped",
        "already_done",
        first.output,
        first.id,
    )
    assert first.output is not None
    first.output.unlink()
    assert states(list(dispatch.run(sources, journal))) == {"0": "done"}


@pytest.mark.usefixtures("log")
def test_force_redoes_a_picture_and_replaces_its_output(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok")
    first = list(dispatch.run(sources, journal))[0]
    again = list(dispatch.run(sources, journal, force=True))[0]
    assert (again.state, again.output) == ("done", first.output)
    assert sorted(os.listdir(folder)) == ["0.jpg", "0_nobg.png"]


@pytest.mark.usefixtures("log")
def test_a_changed_source_replaces_its_own_old_output(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok old")
    list(dispatch.run(sources, journal))
    write(folder, "ok new")
    result = list(dispatch.run(sources, journal))[0]
    assert result.output == folder / "0_nobg.png"
    assert result.output.read_bytes() == stand_in_output("ok new")


@pytest.mark.usefixtures("log")
def test_a_source_that_is_changed_back_gets_its_first_cut_out_back(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok old")
    for content in ("ok old", "ok new", "ok old"):
        write(folder, content)
        result = list(dispatch.run(sources, journal))[0]
        assert (result.state, result.output) == ("done", folder / "0_nobg.png")
        assert (folder / "0_nobg.png").read_bytes() == stand_in_output(f"{content}")
    assert sorted(os.listdir(folder)) == ["0.jpg", "0_nobg.png"]


@pytest.mark.usefixtures("log")
def test_after_a_failure_the_earlier_output_still_counts_as_nobgs_own(
    folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write(folder, "ok")
    list(dispatch.run(sources, journal))
    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "worker_command", lambda _mode: [sys.executable, "-c", STARTS_AND_DIES])
        assert states(list(dispatch.run(sources, journal, force=True))) == {"0": "worker_died"}
    assert list(dispatch.run(sources, journal, force=True))[0].output == folder / "0_nobg.png"


STARTS_AND_DIES = (
    "import sys; from watcher.worker import protocol; "
    "protocol.write_message(sys.stdout.buffer, {'ready': True, 'jail': []})"
)


@pytest.mark.usefixtures("log")
def test_two_runs_on_one_picture_make_one_output(
    folder: Path, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write(folder, "ok")
    publish = commit.publish
    second_journal = Journal(tmp_path)

    def publish_after_second_run(*arguments: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(commit, "publish", publish)
            assert states(list(dispatch.run(sources, second_journal))) == {"0": "done"}
        publish(*arguments)

    monkeypatch.setattr(commit, "publish", publish_after_second_run)
    result = list(dispatch.run(sources, journal))[0]
    assert (result.state, result.output) == ("done", folder / "0_nobg.png")
    assert sorted(os.listdir(folder)) == ["0.jpg", "0_nobg.png"]


@pytest.mark.usefixtures("log")
def test_a_link_to_an_output_of_nobg_is_not_replaced_by_a_file(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok old")
    list(dispatch.run(sources, journal))
    (folder / "0_nobg.png").rename(folder / "kept.png")
    (folder / "0_nobg.png").symlink_to("kept.png")
    write(folder, "ok new")
    assert list(dispatch.run(sources, journal))[0].output == folder / "0_nobg-2.png"
    assert (folder / "kept.png").read_bytes() == stand_in_output("ok old")


def test_a_journal_that_cannot_be_written_ends_the_run_in_plain_words(
    log: Path, folder: Path, journal: Journal
) -> None:
    journal._db.execute("PRAGMA query_only = ON", ())
    with pytest.raises(DestinationError, match="cannot write there"):
        list(dispatch.run(write(folder, "ok"), journal))
    assert "ok" in log.read_text()


@pytest.mark.usefixtures("log")
def test_an_edited_output_is_left_alone(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok old")
    list(dispatch.run(sources, journal))
    (folder / "0_nobg.png").write_text("edited")
    write(folder, "ok new")
    result = list(dispatch.run(sources, journal))[0]
    assert result.output == folder / "0_nobg-2.png"
    assert (folder / "0_nobg.png").read_text() == "edited"


@pytest.mark.usefixtures("log")
def test_two_sources_with_the_same_stem_do_not_share_an_output(folder: Path, journal: Journal) -> None:
    (folder / "a.jpg").write_text("ok jpg")
    (folder / "a.png").write_text("ok png")
    results = list(dispatch.run([folder / "a.jpg", folder / "a.png"], journal))
    assert [result.output for result in results] == [folder / "a_nobg.png", folder / "a_nobg-2.png"]
    (folder / "a.png").write_text("ok png changed")
    assert list(dispatch.run([folder / "a.png"], journal))[0].output == folder / "a_nobg-2.png"
    assert (folder / "a_nobg.png").read_bytes() == stand_in_output("ok jpg")


@pytest.mark.usefixtures("log")
def test_a_link_or_a_folder_with_the_name_of_the_output_is_left_alone(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok")
    (folder / "0_nobg.png").symlink_to("nowhere")
    (folder / "0_nobg-2.png").mkdir()
    assert list(dispatch.run(sources, journal))[0].output == folder / "0_nobg-3.png"
    assert not (folder / "nowhere").exists()


@pytest.mark.usefixtures("log")
def test_another_output_folder_is_another_recipe(folder: Path, journal: Journal, tmp_path: Path) -> None:
    sources = write(folder, "ok")
    elsewhere = tmp_path / "out"
    elsewhere.mkdir()
    list(dispatch.run(sources, journal))
    result = list(dispatch.run(sources, journal, recipe=Recipe(elsewhere)))[0]
    assert (result.state, result.output) == ("done", elsewhere / "0_nobg.png")
    assert states(list(dispatch.run(sources, journal, recipe=Recipe(elsewhere)))) == {"0": "already_done"}
    assert states(list(dispatch.run(sources, journal))) == {"0": "already_done"}


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("published", [True, False])
def test_after_a_crash_between_journal_and_file_a_picture_is_done_once(
    folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    class PowerCutError(BaseException):
        pass

    publish = commit.publish

    def cut_power(*arguments: object) -> None:
        if published:
            publish(*arguments)  # type: ignore[arg-type]
        raise PowerCutError

    sources = write(folder, "ok")
    monkeypatch.setattr(commit, "publish", cut_power)
    with pytest.raises(PowerCutError):
        list(dispatch.run(sources, journal))
    monkeypatch.setattr(commit, "publish", publish)
    result = list(dispatch.run(sources, journal))[0]
    assert result.reason == ("already_done" if published else None)
    assert result.output == folder / "0_nobg.png"
    assert sorted(os.listdir(folder)) == ["0.jpg", "0_nobg.png"]
    assert states(list(dispatch.run(sources, journal))) == {"0": "already_done"}


@pytest.mark.usefixtures("log")
def test_a_full_disk_stops_the_run_and_fails_no_picture(
    folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sources = write(folder, "ok 0", "ok 1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raise_no_space)
        with pytest.raises(DestinationError):
            list(dispatch.run(sources, journal))
    assert journal.counts_by_state() == {"queued": 0, "active": 0, "done": 0, "skipped": 0, "failed": 0}
    assert states(list(dispatch.run(sources, journal))) == {"0": "done", "1": "done"}


@pytest.mark.usefixtures("log")
def test_a_full_disk_loses_no_records(folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = write(folder, "ok")
    first = list(dispatch.run(sources, journal))[0]
    assert first.output is not None
    first.output.unlink()  # otherwise there is nothing to write

    def raise_no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", raise_no_space)
    with pytest.raises(DestinationError):
        list(dispatch.run(sources, journal, force=True))
    (job,) = journal.history()
    assert (job.id, job.state, job.output, job.output_hash) == (first.id, "done", first.output, first.output_hash)


@pytest.mark.usefixtures("log")
def test_a_full_disk_stops_only_the_pictures_of_that_disk(
    folder: Path, tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write(folder, "ok 0", "ok 1")
    other = tmp_path / "other" / "b.jpg"
    other.parent.mkdir()
    other.write_text("ok b")
    publish = commit.publish

    def publish_unless_full(target: Path, *arguments: Any) -> None:
        if target.parent == folder:
            raise DestinationError("There is no room.", folder, "full")
        publish(target, *arguments)

    monkeypatch.setattr(commit, "publish", publish_unless_full)
    with pytest.raises(DestinationError):
        list(dispatch.run([*sources, other], journal))
    assert (tmp_path / "other" / "b_nobg.png").read_bytes() == stand_in_output("ok b")


def test_a_worker_that_does_not_start_is_reported_in_plain_words(
    folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: [sys.executable, "-c", "import no_such_module"])
    with pytest.raises(WorkerError, match="does not start"):
        list(dispatch.run(write(folder, "ok"), journal))


def test_a_worker_without_its_model_is_reported_in_plain_words(
    folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        supervisor, "worker_command", lambda _mode: [sys.executable, "-m", "watcher.worker.process", "no-such-model"]
    )
    with pytest.raises(ModelError, match="no model called no-such-model"):
        list(dispatch.run(write(folder, "ok"), journal))


MASK = Recipe(mask=True)


def output_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "nobg" in path.name)


@pytest.mark.usefixtures("log")
def test_what_another_recipe_made_stays_and_each_recipe_replaces_its_own(folder: Path, journal: Journal) -> None:
    (source,) = sources = write(folder, "ok old")
    list(dispatch.run(sources, journal))
    list(dispatch.run(sources, journal, recipe=MASK))
    assert output_names(folder) == ["0_nobg-2.png", "0_nobg.png"]
    source.write_text("ok new")
    list(dispatch.run(sources, journal, recipe=MASK))  # in the other order
    list(dispatch.run(sources, journal))
    assert output_names(folder) == ["0_nobg-2.png", "0_nobg.png"]
    assert (folder / "0_nobg.png").read_bytes() == stand_in_output("ok new")
    assert (folder / "0_nobg-2.png").read_bytes() == stand_in_output("mask of ok new")


@pytest.mark.usefixtures("log")
def test_two_recipes_with_the_same_result_share_one_output(folder: Path, journal: Journal) -> None:
    sources = write(folder, "ok")
    list(dispatch.run(sources, journal))
    (again,) = dispatch.run(sources, journal, recipe=Recipe(folder))
    assert (again.state, output_names(folder)) == ("done", ["0_nobg.png"])


@pytest.mark.usefixtures("log")
def test_the_background_picture_goes_to_the_worker_and_a_missing_one_fails_in_plain_words(
    folder: Path, journal: Journal, tmp_path: Path
) -> None:
    beach = tmp_path / "beach.jpg"
    beach.write_text(", a beach")
    sources = write(folder, "ok")
    (done,) = dispatch.run(sources, journal, recipe=Recipe(background=beach))
    assert done.output is not None
    assert done.output.read_bytes() == stand_in_output("ok, a beach")
    beach.unlink()
    (failed,) = dispatch.run(sources, journal, recipe=Recipe(background=beach), force=True)
    assert (failed.state, failed.reason) == ("failed", "vanished")
    assert str(failed.detail).startswith(f"the background picture {beach} cannot be read: the file is not there")


@pytest.fixture
def models_started(log: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the model of each started worker; the models are `a`, `b` and the default one."""
    started: list[str] = []

    def command(mode: Mode) -> list[str]:
        started.append(mode.name)
        return [sys.executable, str(STAND_IN_WORKER), str(log)]

    def find(name: str) -> Mode:
        if name not in ("a", "b"):
            raise ModelError(f"There is no model called {name}.")
        return replace(modes.DEFAULT, name=name)

    monkeypatch.setattr(supervisor, "worker_command", command)
    monkeypatch.setattr(modes, "find", find)
    return started


def process_with_models(folder: Path, journal: Journal, *model_names: str | None) -> list[Job]:
    """Process one picture for each name, with a recipe for that model; None: with no model in the recipe."""
    sources = write(folder, *(f"ok {number}" for number in range(len(model_names))))
    jobs = [Job(path, Recipe(model=model).key()) for path, model in zip(sources, model_names, strict=True)]
    worker_supervisor = supervisor.Supervisor()
    try:
        return list(dispatch.process_queue(InMemoryQueue(jobs, journal), journal, worker_supervisor))
    finally:
        worker_supervisor.stop_worker()


def test_each_picture_is_done_by_the_model_of_its_recipe(
    folder: Path, journal: Journal, models_started: list[str]
) -> None:
    results = process_with_models(folder, journal, None, None, "a", "a", "b", None)
    assert [job.state for job in results] == ["done"] * 6
    default = modes.DEFAULT.name
    assert [job.model for job in results] == [default, default, "a", "a", "b", default]
    assert models_started == [default, "a", "b", default]


def test_a_missing_model_fails_only_its_own_pictures(folder: Path, journal: Journal, models_started: list[str]) -> None:
    results = process_with_models(folder, journal, None, "gone", None)
    outcomes = {job.source.stem: (job.state, job.reason, job.detail) for job in results}
    assert outcomes["1"][:2] == ("failed", "unsupported")
    assert outcomes["0"] == outcomes["2"] == ("done", None, None)
    assert set(models_started) == {modes.DEFAULT.name}


def test_a_picture_done_by_another_model_counts_as_not_done(
    folder: Path, journal: Journal, models_started: list[str]
) -> None:
    sources = write(folder, "ok")
    list(dispatch.run(sources, journal))
    other = replace(modes.DEFAULT, name="a")
    (again,) = dispatch.run(sources, journal, mode=other)
    assert (again.state, again.model) == ("done", "a")
    (third,) = dispatch.run(sources, journal, mode=other)
    assert third.reason == "already_done"
    assert output_names(folder) == ["0_nobg.png"]  # it replaced the first output
    assert models_started == [modes.DEFAULT.name, "a"]


@pytest.mark.usefixtures("models_started")
def test_the_reason_why_a_model_cannot_be_used_is_a_full_sentence(folder: Path, journal: Journal) -> None:
    (job,) = process_with_models(folder, journal, "gone")
    assert describe_reason(job.reason or "", job.detail or "").startswith(
        "the model gone cannot be used: There is no model"
    )


def test_a_worker_that_dies_while_loading_a_recipes_model_fails_only_that_picture(
    folder: Path, journal: Journal, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(mode: Mode) -> list[str]:
        dying = [sys.executable, "-c", "import os; os._exit(9)"]
        return dying if mode.name == "a" else [sys.executable, str(STAND_IN_WORKER), str(log)]

    monkeypatch.setattr(supervisor, "worker_command", command)
    monkeypatch.setattr(modes, "find", lambda name: replace(modes.DEFAULT, name=name))
    assert states(process_with_models(folder, journal, "a", None)) == {"0": "unsupported", "1": "done"}


@pytest.mark.usefixtures("log")
def test_a_cut_out_that_two_recipes_share_is_replaced_by_either(folder: Path, journal: Journal) -> None:
    (source,) = sources = write(folder, "ok old")
    for recipe in (Recipe(), Recipe(folder)):
        list(dispatch.run(sources, journal, recipe=recipe))
    source.write_text("ok new")
    for recipe in (Recipe(), Recipe(folder)):
        list(dispatch.run(sources, journal, recipe=recipe))
    assert output_names(folder) == ["0_nobg.png"]
    assert (folder / "0_nobg.png").read_bytes() == stand_in_output("ok new")


@pytest.mark.parametrize("watch", [None, Path("/watched")])
def test_the_worker_is_told_whether_a_person_named_the_picture(watch: Path | None, folder: Path) -> None:
    path = write(folder, "ok")[0]
    header, _ = Task(Job(path, watch=watch), commit.read_source(path)).message()
    assert header["named"] == (watch is None)


def test_a_picture_whose_end_is_missing_waits_if_it_is_still_growing(folder: Path, journal: Journal) -> None:
    path = write(folder, "begin")[0]
    task = Task(Job(path), commit.read_source(path))
    queue = InMemoryQueue([], journal)
    answer = Answer("done", notes=(END_MISSING,), output=b"output")
    with patch.object(queue, "defer_if_not_ready", return_value=True):
        assert publish.handle_answer(task, answer, queue, journal) is None
    assert not (folder / "0_nobg.png").exists()
    done = publish.handle_answer(task, answer, queue, journal)
    assert done is not None
    assert done.notes == END_MISSING


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("step", ["prepare_task", "handle_answer"])
def test_something_unforeseen_fails_one_picture_at_the_third_time_and_the_others_are_done(
    step: str, folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write(folder, "ok 0", "odd", "ok 2")
    real, tries = getattr(dispatch, step), []

    def fail_for_the_odd_one(job_or_task: Job | Task, *arguments: Any) -> Any:
        job = job_or_task if isinstance(job_or_task, Job) else job_or_task.job
        if job.source == sources[1]:
            tries.append(job)
            raise ZeroDivisionError
        return real(job_or_task, *arguments)

    monkeypatch.setattr(dispatch, step, fail_for_the_odd_one)
    results = {job.source.stem: job for job in dispatch.run(sources, journal)}
    assert {stem: job.detail or job.state for stem, job in results.items()} == {
        "0": "done",
        "1": UNFORESEEN_TEXT,
        "2": "done",
    }
    assert len(tries) == 3
    assert not (folder / "1_nobg.png").exists()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("step", ["prepare_task", "handle_answer"])
def test_in_the_resident_program_too_it_is_counted_in_the_journal(
    step: str, folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write(folder, "odd", "ok 1")
    real = getattr(dispatch, step)

    def fail_for_the_odd_one(job_or_task: Job | Task, *arguments: Any) -> Any:
        job = job_or_task if isinstance(job_or_task, Job) else job_or_task.job
        if job.source == sources[0]:
            raise ZeroDivisionError
        return real(job_or_task, *arguments)

    monkeypatch.setattr(dispatch, step, fail_for_the_odd_one)
    journal.enqueue([(os.fsencode(path), None, None) for path in sources])
    program = supervisor.Supervisor()
    try:
        list(dispatch.process_queue(JournalQueue(journal), journal, program))
    finally:
        program.stop_worker()
    assert {job.source: job.detail or job.state for job in journal.history()} == {
        sources[0]: UNFORESEEN_TEXT,
        sources[1]: "done",
    }


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are UTF-8 there")
@pytest.mark.usefixtures("log")
def test_a_name_that_is_not_utf_8_can_stand_in_a_sentence_of_the_journal(tmp_path: Path, journal: Journal) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    sources = write(folder, "ok 0")
    recipe = Recipe(background=folder / "missing.jpg")
    (job,) = dispatch.run(sources, journal, recipe=recipe)
    assert job.reason == "vanished"
    recorded = journal.history()[0].detail
    assert recorded is not None
    assert "caf\\udce9" in recorded
