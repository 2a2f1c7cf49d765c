"""undo.py, and the commands that show and take back what was done."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Nobg, unprivileged_prefix
from watcher import commit
from watcher.queue import undo
from watcher.queue.journal import Job, Journal


@pytest.fixture
def journal(home: Path) -> Journal:
    (home / "state").mkdir()
    return Journal(home / "state")


Done = Callable[[str], Job]


@pytest.fixture
def done(journal: Journal, folder: Path) -> Done:
    """Makes a picture that is done, with its output."""

    def make(name: str) -> Job:
        (folder / f"{name}.jpg").write_text(name)
        output = folder / f"{name}_nobg.png"
        output.write_text(f"PNG of {name}")
        job = Job(folder / f"{name}.jpg", source_hash=name, model="m")
        return journal.record(job, state="done", output=output, output_hash=commit.sha256_of(output))

    return make


def rubbish(bin_: list[Path]) -> Callable[[Path], None]:
    """A trash that only notes what was put in."""

    def trash(path: Path) -> None:
        bin_.append(path)
        path.unlink()

    return trash


def test_an_output_as_we_wrote_it_goes_to_the_trash_and_that_is_remembered(journal: Journal, done: Done) -> None:
    job = done("a")
    thrown: list[Path] = []
    assert list(undo.undo([job], journal, rubbish(thrown))) == [(job, None)]
    assert thrown == [job.output]
    (again,) = journal.find_jobs([job.id or 0])
    assert again.undone
    assert undo.reason_to_keep(again, journal) == "it was taken back before."


@pytest.mark.parametrize("how", ["edited", "deleted", "linked", "not ours"])
def test_what_is_not_as_we_wrote_it_is_left(journal: Journal, done: Done, how: str) -> None:
    job = done("a")
    thrown: list[Path] = []
    output = job.output
    assert output is not None
    if how == "edited":
        output.write_text("by hand")
    elif how == "deleted":
        output.unlink()
    elif how == "linked":
        output.rename(output.with_name("elsewhere.png"))
        output.symlink_to("elsewhere.png")
    else:
        journal._execute("DELETE FROM outputs", ())
    ((_, why),) = undo.undo([job], journal, rubbish(thrown))
    assert why is not None
    assert why.endswith(".")
    assert thrown == []
    assert not journal.find_jobs([job.id or 0])[0].undone


def test_where_there_is_no_trash_the_output_stays(journal: Journal, done: Done) -> None:
    def none(path: Path) -> None:
        raise PermissionError(f"no trash for {path}")

    job = done("a")
    ((_, why),) = undo.undo([job], journal, none)
    assert why is not None
    assert "could not be moved to the trash" in why
    assert job.output is not None
    assert job.output.exists()


def test_an_original_that_was_moved_comes_back_unless_its_place_is_taken(journal: Journal, done: Done) -> None:
    for taken in (False, True):
        job = done(f"a{taken}")
        moved = job.source.parent / f"moved{taken}.jpg"
        job.source.rename(moved)
        assert job.id is not None
        journal.finish(job.id, moved)
        if taken:
            job.source.write_text("another")
        list(undo.undo(journal.find_jobs([job.id]), journal, rubbish([])))
        assert moved.exists() == taken
        assert job.source.read_text() == ("another" if taken else "aFalse")


def test_the_command_takes_back_says_what_it_left_and_exits_1(
    nobg: Nobg, done: Done, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first, second = done("a"), done("b")
    (folder / "b_nobg.png").write_text("by hand")
    undone = nobg("undo", str(first.id), str(second.id))
    assert undone.returncode == 1
    assert undone.stdout == f"{folder / 'a_nobg.png'} is in the trash.\n"
    assert undone.stderr == f"nobg: {folder / 'b_nobg.png'} was left: it was changed since, so it is yours.\n"
    assert os.listdir(tmp_path / "data" / "Trash" / "files") == ["a_nobg.png"]
    assert (folder / "b_nobg.png").read_text() == "by hand"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("undo",), "nothing to take back"),
        (("undo", "7"), "no job 7"),
        (("retry", "7"), "no job 7"),
        (("watch", "add", ".", "--move-originals", "a/b"), "not the name of a sub-folder"),
        (("watch", "add", "nowhere"), "is not a folder"),
    ],
)
def test_what_is_not_there_is_wrong_usage(nobg: Nobg, arguments: tuple[str, ...], word: str) -> None:
    answer = nobg(*arguments)
    assert answer.returncode == 2
    assert word in answer.stderr


@pytest.mark.parametrize("arguments", ["run", "add photo.jpg", "watch add .", "status", "pause", "undo"])
def test_where_the_records_cannot_be_written_every_command_says_so(
    nobg: Nobg, home: Path, photo: Path, arguments: str
) -> None:
    assert photo.exists()
    (home / "state").mkdir(mode=0o500)
    answer = nobg(*arguments.split(), before=unprivileged_prefix())
    assert answer.returncode == 4
    assert "cannot write there" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_history_is_newest_first_and_json_has_the_fields_of_the_contract(
    nobg: Nobg, done: Done, journal: Journal
) -> None:
    done("a")
    job = done("b")
    journal.mark_undone(job)
    jobs = json.loads(nobg("history", "--json").stdout)["jobs"]
    assert [Path(job["source"]).name for job in jobs] == ["b.jpg", "a.jpg"]
    assert set(jobs[0]) >= {"id", "source", "output", "state", "reason", "seconds", "model", "verdict"}
    shown = nobg("history").stdout.splitlines()
    assert "taken back" in shown[0]
    assert "a.jpg -> a_nobg.png" in shown[1]


def test_the_page_is_written_for_its_owner_and_opened(
    nobg: Nobg, done: Done, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("a")
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


def test_an_answer_that_nobody_reads_to_its_end_is_no_error(nobg: Nobg, done: Done) -> None:
    for number in range(40):
        done(str(number))
    shown = nobg("history", before=("bash", "-c", 'set -o pipefail; "$@" | head -c 1', "x"))
    assert (shown.returncode, shown.stderr) == (0, "")
