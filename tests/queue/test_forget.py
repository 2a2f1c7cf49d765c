"""forget.py and `nobg history --forget`: what is forgotten is gone from every file, and nothing is done twice."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Nobg
from watcher import commit
from watcher.desktop import strings
from watcher.desktop.actions import Actions
from watcher.desktop.notifications import Notification
from watcher.errors import NobgError, UsageError
from watcher.naming import escape_unprintable
from watcher.program import control
from watcher.queue import undo
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.store import is_output

DAY = 86400.0


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    (home / "state").mkdir()
    journal = Journal(home / "state")
    yield journal
    journal.close()


def do(journal: Journal, folder: Path, name: str, recipe: str = "{}") -> Job:
    """Create a picture, its cut-out and its finished job."""
    source, output = folder / f"{name}.jpg", folder / f"{name}-cut.png"
    source.write_text(name)
    output.write_text(f"PNG of {name}")
    job = Job(source, recipe, source_hash=name, model="m", signature=commit.file_signature(source.stat()))
    return journal.record(job, state="done", output=output, output_hash=commit.sha256_of(output))


def files_with(text: str, home: Path) -> list[str]:
    """Return the names of the files of nobg that contain the text."""
    return [path.name for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_what_is_forgotten_is_in_no_file_even_while_another_program_has_the_records_open(
    journal: Journal, folder: Path, home: Path
) -> None:
    other = Journal(home / "state")
    secret, kept = do(journal, folder, "secret"), do(journal, folder, "kept")
    assert other.history()
    control.write_history_page(journal)
    log_line = f"Job 1: done: {escape_unprintable(str(secret.source))}\n"
    (home / "state" / "nobg.log").write_text(f"Started\n{log_line}Job 2: done: {kept.source}\n")
    (home / "state" / "nobg.log.1").write_text(log_line)
    assert files_with("secret", home)
    assert control.forget(journal, [secret.id or 0]) == [secret]
    assert files_with("secret", home) == []
    assert [job.id for job in other.history()] == [kept.id]
    assert (home / "state" / "nobg.log").read_text().count("\n") == 2
    other.close()


def test_names_in_space_that_was_freed_long_ago_are_erased_too(journal: Journal, folder: Path, home: Path) -> None:
    for number in range(50):
        journal.enqueue([(os.fsencode(folder / f"freed-{number}.jpg"), 7, None)])
    journal._db.execute("DELETE FROM jobs", ())
    assert files_with("freed-7", home)
    control.forget(journal)
    assert files_with("freed", home) == []


def test_all_forgets_damaged_records_and_the_logs_too(journal: Journal, folder: Path, home: Path) -> None:
    do(journal, folder, "secret")
    (home / "state" / "jobs.damaged-1.db").write_text("secret")
    (home / "state" / "worker.log").write_text("secret")
    control.forget(journal)
    assert files_with("secret", home) == []
    assert journal.history() == []


def test_after_forgetting_all_the_undo_of_an_old_notification_takes_back_no_newer_job(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = do(journal, folder, "old")
    control.forget(journal)
    new = do(journal, folder, "new")
    assert new.id != old.id
    moved: list[object] = []
    monkeypatch.setattr(undo, "move_to_trash", moved.append)
    with pytest.raises(NobgError) as caught:
        Actions(lambda _: None, lambda: None).undo([old.id or 0])
    assert str(caught.value) == strings.NOTHING_TO_UNDO
    assert moved == []


def test_the_names_of_renamed_cut_outs_are_forgotten_too(journal: Journal, folder: Path, home: Path) -> None:
    job = do(journal, folder, "a")
    journal.watched_files.mark_as_cut_out(Job(folder / "secret.png", signature="1:2:3"))
    assert files_with("secret", home)
    control.forget(journal, [job.id or 0])
    assert files_with("secret", home) == []


def test_only_jobs_older_than_so_many_days_are_forgotten(journal: Journal, folder: Path) -> None:
    old, new = do(journal, folder, "old"), do(journal, folder, "new")
    journal._db.execute("UPDATE jobs SET changed_at = changed_at - ? WHERE id = ?", (31 * DAY, old.id))
    assert [job.id for job in control.forget(journal, older_than_days=30)] == [old.id]
    assert [job.id for job in journal.history()] == [new.id]


def test_a_click_on_forget_everything_forgets_and_says_so(journal: Journal, folder: Path, home: Path) -> None:
    do(journal, folder, "secret")
    shown: list[Notification] = []
    Actions(shown.append, lambda: None).forget(None)
    assert files_with("secret", home) == []
    assert [notification.title for notification in shown] == ["1 picture is forgotten"]


def test_waiting_pictures_are_not_forgotten(journal: Journal, folder: Path) -> None:
    journal.enqueue([(os.fsencode(folder / "waiting.jpg"), 7, None)])
    assert control.forget(journal) == []
    assert journal.counts_by_state()["queued"] == 1
    with pytest.raises(UsageError, match="not finished"):
        control.forget(journal, [1])


def test_another_job_of_the_same_picture_keeps_its_own_names(journal: Journal, folder: Path) -> None:
    first = do(journal, folder, "photo")
    second = replace(first, id=None, recipe='{"crop": "0"}')
    output = folder / "photo-crop.png"
    output.write_text("crop")
    second = journal.record(second, state="done", output=output, output_hash=commit.sha256_of(output))
    control.forget(journal, [first.id or 0])
    assert second.output_hash
    assert journal.outputs.has_written(second.source, output, second.output_hash)


def test_after_forgetting_no_file_counts_as_nobgs_to_overwrite(journal: Journal, folder: Path) -> None:
    job = do(journal, folder, "photo")
    control.forget(journal)
    assert job.output is not None
    assert job.output_hash is not None
    assert not journal.outputs.may_replace(job, job.output, job.output_hash, "other")


def test_a_forgotten_cut_out_is_not_taken_for_a_picture(journal: Journal, folder: Path) -> None:
    job = do(journal, folder, "photo")
    control.forget(journal)
    assert job.output is not None
    assert journal.outputs.is_output(os.fsencode(job.output))
    assert is_output(journal._db.connection, os.fsencode(job.output))
    assert not journal.outputs.is_output(os.fsencode(job.source))


def test_the_command_forgets_and_says_what_stays(nobg: Nobg, journal: Journal, folder: Path, home: Path) -> None:
    first, _ = do(journal, folder, "first"), do(journal, folder, "second")
    result = nobg("history", "--forget", str(first.id))
    assert result.stdout == "1 job is forgotten. The pictures and cut-outs stay where they are.\n"
    assert files_with("first-", home) == []
    assert json.loads(nobg("history", "--forget", "--older", "30d", "--json").stdout) == {"forgotten": 0}
    assert nobg("history", "--forget", "--all").returncode == 0
    assert files_with("second-", home) == []
    assert {path.name for path in folder.iterdir()} >= {"first.jpg", "first-cut.png", "second.jpg", "second-cut.png"}


@pytest.mark.parametrize(
    "arguments",
    [("--forget",), ("--all",), ("--older", "30d"), ("--forget", "1", "--all"), ("--forget", "--older", "soon")],
)
def test_the_command_asks_what_to_forget(nobg: Nobg, arguments: tuple[str, ...]) -> None:
    result = nobg("history", *arguments)
    assert result.returncode == 2
    assert "30d" in result.stderr
