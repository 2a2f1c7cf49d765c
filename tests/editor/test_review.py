"""reviewing.py: the grid of cut-outs that want a look, from the window's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.editor.conftest import STROKE, TILE, OpenWindow, Window, WorkerFiles
from watcher.editor import strings
from watcher.editor.reviewing import BEST, Review
from watcher.matting.modes import DEFAULT, Mode
from watcher.matting.touchup.edits import encode, parse
from watcher.queue.journal import Journal
from watcher.queue.touchup.edits import hash_of
from watcher.recipe import Recipe
from watcher.worker import dispatch, supervisor


@pytest.fixture
def pictures(worker: WorkerFiles, tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Cut out two pictures; the second is the more doubtful one."""
    worker.command.append("touchup")  # dispatch.run does not add the word
    paths = []
    for number in (1, 2):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"%d a photo" % number)
        paths.append(path)
    jobs = list(dispatch.run(paths, journal))
    worker.command.pop()
    monkeypatch.setattr("watcher.queue.undo.move_to_trash", Path.unlink)
    for job in jobs:
        journal._db.execute("UPDATE jobs SET doubt = ? WHERE id = ?", (0.3 * (job.id or 0), job.id))
    return paths


@pytest.fixture
def grid(open_window: OpenWindow, pictures: list[Path]) -> Window:
    assert pictures
    window = open_window(None)
    window.wait_for("review")
    return window


def test_the_most_doubtful_come_first_with_the_reason(grid: Window, tmp_path: Path) -> None:
    jobs = grid.ask_and_wait("review_list")["jobs"]
    assert [(job["name"], job["folder"], job["state"]) for job in jobs] == [
        ("2_nobg.png", str(tmp_path), "done"),
        ("1_nobg.png", str(tmp_path), "done"),
    ]
    assert jobs[0]["doubt"] == 0.6
    assert jobs[0]["why"].endswith(".")


def test_thumbnails_show_the_photo_and_the_cut_out(grid: Window) -> None:
    job = grid.ask_and_wait("review_list")["jobs"][0]["id"]
    before = grid.answer(grid.ask("review_thumbnail", job=job, which="before", pixels=[8, 8]))
    after = grid.answer(grid.ask("review_thumbnail", job=job, which="after", pixels=[8, 8]))
    assert (before[0]["width"], before[0]["height"], before[1]) == (2, 1, b"2" * 8)
    assert after[1] == b"\x89" * 8
    missing = grid.ask_and_wait("review_thumbnail", job=77, which="after", pixels=[8, 8])
    assert (missing["state"], missing["text"]) == ("failed", strings.NO_JOB)


def test_thumbnails_are_read_when_their_turn_comes_after_all_that_the_open_photo_needs(
    grid: Window, worker: WorkerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    picture = Review.picture

    def count(review: Review, number: object, which: object) -> bytes:
        read.append(number)
        return picture(review, number, which)

    monkeypatch.setattr(Review, "picture", count)
    grid.ask_and_wait("touch_up", job=1)
    grid.wait_for("opened")
    grid.ask_and_wait("edits", STROKE.encode())
    before = len(worker.requests())
    numbers = [grid.ask("tile", layer="way:gate", **TILE)]
    numbers += [grid.ask("review_thumbnail", job=1, which="before", pixels=[8, 8]) for _ in range(4)]
    numbers.append(grid.ask("tile", layer="cutout", **TILE))
    numbers.append(grid.ask("edits", b""))
    assert grid.ask_and_wait("save", recipe="none such")["state"] == "failed"  # the host has read all of these
    assert len(read) == 1
    worker.open_gate()
    assert {grid.answer(number)[0]["state"] for number in numbers} == {"done"}
    kinds = [line.split()[0] for line in worker.requests()[before:]]
    assert kinds == ["tile", "thumbnail", "edits", "tile", "thumbnail", "thumbnail", "thumbnail"]


def test_what_is_accepted_wants_no_look_any_more(grid: Window, journal: Journal) -> None:
    job = grid.ask_and_wait("review_list")["jobs"][0]["id"]
    assert grid.ask_and_wait("accept", job=job)["job"]["state"] == "accepted"
    assert [entry["name"] for entry in grid.ask_and_wait("review_list")["jobs"]] == ["1_nobg.png"]
    assert journal.find_jobs([job])[0].accepted is not None


def test_undo_moves_the_cut_out_to_the_trash_once(grid: Window, pictures: list[Path]) -> None:
    job = grid.ask_and_wait("review_list")["jobs"][0]["id"]
    assert grid.ask_and_wait("undo", job=job)["job"]["state"] == "undone"
    assert not pictures[1].with_name("2_nobg.png").exists()
    assert grid.ask_and_wait("undo", job=job)["text"] == "it was undone earlier."


def test_try_best_replaces_the_cut_out_and_keeps_the_strokes(
    grid: Window, pictures: list[Path], journal: Journal, worker: WorkerFiles
) -> None:
    job = journal.find_jobs([grid.ask_and_wait("review_list")["jobs"][0]["id"]])[0]
    journal.edits.store(job.source_hash, STROKE)
    assert grid.ask_and_wait("try_best", job=job.id)["state"] == "done"
    edits = encode([BEST, *parse(STROKE)])
    assert journal.edits.of(job.source_hash) == edits
    assert journal.find_jobs([job.id or 0])[0].edits == hash_of(edits)
    shown = {entry["id"]: entry["state"] for entry in grid.ask_and_wait("review_list")["jobs"]}
    assert shown[job.id] == "done"  # the person has not looked at the new one yet
    grid.ask_and_wait("accept", job=job.id)
    assert job.id not in [entry["id"] for entry in grid.ask_and_wait("review_list")["jobs"]]
    assert edits.encode() in pictures[1].with_name("2_nobg.png").read_bytes()
    worker.die_at("cut_out", "cut_out", "cut_out")
    assert grid.ask_and_wait("try_best", job=1)["state"] == "failed"
    assert journal.edits.of(journal.find_jobs([1])[0].source_hash) == ""


def test_a_cut_out_is_shown_with_the_model_that_save_uses(
    grid: Window, worker: WorkerFiles, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []

    def command(mode: Mode) -> list[str]:
        modes.append(mode.name)
        return worker.command

    monkeypatch.setattr(supervisor, "worker_command", command)
    journal._db.execute("UPDATE jobs SET recipe = ? WHERE id = 2", (Recipe(model="best").key(),))
    for job, shown in ((1, [DEFAULT.name]), (2, [DEFAULT.name, "best"])):
        grid.tells.clear()
        number = grid.ask("review_thumbnail", job=job, which="before", pixels=[8, 8])
        grid.ask_and_wait("touch_up", job=job)
        grid.wait_for("opened")
        assert modes == shown
        assert grid.ask_and_wait("save", recipe="")["state"] == "done"
        assert modes == shown
        assert grid.answer(number)[0]["state"] == "done"


def test_touch_up_opens_the_photo_and_back_returns_to_the_grid(grid: Window, pictures: list[Path]) -> None:
    job = grid.ask_and_wait("review_list")["jobs"][0]["id"]
    assert grid.ask_and_wait("touch_up", job=job)["state"] == "done"
    assert grid.wait_for("opened")["name"] == "2.jpg"
    assert grid.ask_and_wait("edits", STROKE.encode())["state"] == "done"
    assert grid.ask_and_wait("save", recipe="")["output"] == "2_nobg.png"
    grid.tells.clear()
    assert grid.ask_and_wait("back")["state"] == "done"
    grid.wait_for("review")
    assert grid.ask_and_wait("save", recipe="")["text"] == strings.NO_PHOTO
    pictures[0].unlink()
    answer = grid.ask_and_wait("touch_up", job=1)
    assert answer["text"] == strings.PHOTO_GONE.format(name="1_nobg.png", path=pictures[0])
