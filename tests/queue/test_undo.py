"""undo.py, and the commands `nobg undo` and `nobg history`."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from send2trash import TrashPermissionError

from tests.conftest import Nobg, unprivileged_prefix
from watcher import commit
from watcher.program import review
from watcher.queue import undo
from watcher.queue.job import Job
from watcher.queue.journal import Journal


@pytest.fixture
def journal(home: Path) -> Journal:
    (home / "state").mkdir()
    return Journal(home / "state")


MakeDoneJob = Callable[[str], Job]


@pytest.fixture
def make_done_job(journal: Journal, folder: Path) -> MakeDoneJob:
    """Return a function that creates a picture, its output and its finished job."""

    def make(name: str) -> Job:
        (folder / f"{name}.jpg").write_text(name)
        output = folder / f"{name}_nobg.png"
        output.write_text(f"PNG of {name}")
        job = Job(folder / f"{name}.jpg", source_hash=name, model="m")
        return journal.record(job, state="done", output=output, output_hash=commit.sha256_of(output))

    return make


def trash_into(trashed: list[Path]) -> Callable[[Path], None]:
    """Return a trash that deletes each file and adds its path to `trashed`."""

    def trash(path: Path) -> None:
        trashed.append(path)
        path.unlink()

    return trash


def test_an_unchanged_output_goes_to_the_trash_and_its_job_is_marked_undone(
    journal: Journal, make_done_job: MakeDoneJob
) -> None:
    job = make_done_job("a")
    trashed: list[Path] = []
    assert list(undo.undo([job], journal, trash_into(trashed))) == [(job, None)]
    assert trashed == [job.output]
    (again,) = journal.find_jobs([job.id or 0])
    assert again.undone
    assert undo.reason_to_keep(again, journal) == "it was undone earlier."


@pytest.mark.parametrize("change", ["edited", "deleted", "linked", "not recorded"])
def test_an_output_that_is_not_as_nobg_wrote_it_stays(
    journal: Journal, make_done_job: MakeDoneJob, change: str
) -> None:
    job = make_done_job("a")
    trashed: list[Path] = []
    output = job.output
    assert output is not None
    if change == "edited":
        output.write_text("edited")
    elif change == "deleted":
        output.unlink()
    elif change == "linked":
        output.rename(output.with_name("elsewhere.png"))
        output.symlink_to("elsewhere.png")
    else:
        journal._db.execute("DELETE FROM outputs", ())
    ((_, reason),) = undo.undo([job], journal, trash_into(trashed))
    assert reason is not None
    assert reason.endswith(".")
    assert trashed == []
    assert not journal.find_jobs([job.id or 0])[0].undone


@pytest.mark.parametrize(
    "error",
    [
        TrashPermissionError("/mnt/stick/.Trash-1000"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.ENOTSUP, "Operation not supported"),
        OSError("Couldn't find mount point for /mnt/stick/a_nobg.png"),
    ],
)
def test_a_drive_without_a_trash_is_called_that(journal: Journal, make_done_job: MakeDoneJob, error: OSError) -> None:
    def refuse(_path: Path) -> None:
        raise error

    ((_, reason),) = undo.undo([make_done_job("a")], journal, refuse)
    assert reason == "this drive has no trash, so the cut-out stays. If you do not want it, delete it yourself."


def test_an_error_of_windows_shell_is_said_and_no_crash(
    journal: Journal, make_done_job: MakeDoneJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ComError(Exception):
        """Stands in for pywin32's com_error, which is no OSError."""

    def refuse(_path: Path) -> None:
        raise ComError("Not implemented.")

    monkeypatch.setattr("send2trash.send2trash", refuse)
    ((_, reason),) = undo.undo([make_done_job("a")], journal, undo.move_to_trash)
    assert reason is not None
    assert reason.startswith("it could not be moved to the trash")
    assert "Not implemented" in reason


def test_without_a_trash_the_output_stays(journal: Journal, make_done_job: MakeDoneJob) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(f"no trash for {path}")

    job = make_done_job("a")
    ((_, reason),) = undo.undo([job], journal, refuse)
    assert reason is not None
    assert "could not be moved to the trash" in reason
    assert job.output is not None
    assert job.output.exists()


def test_an_original_that_was_moved_goes_back_unless_its_path_is_taken(
    journal: Journal, make_done_job: MakeDoneJob
) -> None:
    for is_taken in (False, True):
        job = make_done_job(f"a{is_taken}")
        moved = job.source.parent / f"moved{is_taken}.jpg"
        job.source.rename(moved)
        assert job.id is not None
        journal.finish(job.id, moved)
        if is_taken:
            job.source.write_text("another")
        list(undo.undo(journal.find_jobs([job.id]), journal, trash_into([])))
        assert moved.exists() == is_taken
        assert job.source.read_text() == ("another" if is_taken else "aFalse")


def test_the_command_undoes_what_it_can_names_the_rest_and_exits_1(
    nobg: Nobg, make_done_job: MakeDoneJob, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first, second = make_done_job("a"), make_done_job("b")
    (folder / "b_nobg.png").write_text("edited")
    undone = nobg("undo", str(first.id), str(second.id))
    assert undone.returncode == 1
    assert undone.stdout == f"{folder / 'a_nobg.png'} is in the trash.\n"
    assert undone.stderr == f"nobg: {folder / 'b_nobg.png'} was not undone: it has been changed since nobg wrote it.\n"
    assert os.listdir(tmp_path / "data" / "Trash" / "files") == ["a_nobg.png"]
    assert (folder / "b_nobg.png").read_text() == "edited"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("undo",), "nothing to undo"),
        (("undo", "7"), "no job 7"),
        (("retry", "7"), "no job 7"),
        (("watch", "add", ".", "--move-originals", "a/b"), "not the name of a sub-folder"),
        (("watch", "add", "nowhere"), "is not a folder"),
    ],
)
def test_a_job_or_folder_that_does_not_exist_is_wrong_usage(nobg: Nobg, arguments: tuple[str, ...], word: str) -> None:
    answer = nobg(*arguments)
    assert answer.returncode == 2
    assert word in answer.stderr


@pytest.mark.parametrize("arguments", ["run", "add photo.jpg", "watch add .", "status", "pause", "undo"])
def test_every_command_reports_records_that_cannot_be_written(
    nobg: Nobg, home: Path, photo: Path, arguments: str
) -> None:
    assert photo.exists()
    (home / "state").mkdir(mode=0o500)
    answer = nobg(*arguments.split(), prefix=unprivileged_prefix())
    assert answer.returncode == 4
    assert "cannot write there" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_history_is_newest_first_and_json_has_the_fields_of_the_contract(
    nobg: Nobg, make_done_job: MakeDoneJob, journal: Journal
) -> None:
    make_done_job("a")
    job = make_done_job("b")
    journal.mark_undone(job)
    jobs = json.loads(nobg("history", "--json").stdout)["jobs"]
    assert [Path(entry["source"]).name for entry in jobs] == ["b.jpg", "a.jpg"]
    names = ["id", "source", "output", "state", "reason", "seconds", "model", "verdict", "doubt", "why", "accepted"]
    assert set(jobs[0]) >= set(names)
    shown = nobg("history").stdout.splitlines()
    assert "  undone  " in shown[0]
    assert "a.jpg -> a_nobg.png" in shown[1]


def test_the_history_says_what_wants_a_look_and_what_was_looked_at(
    nobg: Nobg, make_done_job: MakeDoneJob, journal: Journal
) -> None:
    job = make_done_job("a")
    assert "look" not in nobg("history").stdout
    journal._db.execute("UPDATE jobs SET doubt = 0.5, why = 'disagree_lower soft'", ())
    shown = nobg("history").stdout
    assert "a_nobg.png (wants a look: the networks disagree about the lower part; much of it is half" in shown
    review.accept(job, journal)
    assert "a_nobg.png (looked at)\n" in nobg("history").stdout
    (entry,) = json.loads(nobg("history", "--json").stdout)["jobs"]
    assert (entry["doubt"], entry["why"], entry["accepted"]) == (0.5, ["disagree_lower", "soft"], True)


def test_the_page_is_written_for_its_owner_and_opened(
    nobg: Nobg, make_done_job: MakeDoneJob, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_done_job("a")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    assert nobg("history", "--open").returncode == 0
    page = home / "state" / "history.html"
    assert opened.read_text() == f"{page.as_uri()}\n"
    assert page.stat().st_mode & 0o777 == 0o600
    assert "a_nobg.png" in page.read_text()


def test_a_reader_that_closes_the_pipe_early_causes_no_error(nobg: Nobg, make_done_job: MakeDoneJob) -> None:
    for number in range(40):
        make_done_job(str(number))
    shown = nobg("history", prefix=("bash", "-c", 'set -o pipefail; "$@" | head -c 1', "x"))
    assert (shown.returncode, shown.stderr) == (0, "")
