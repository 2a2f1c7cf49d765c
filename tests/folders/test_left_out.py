"""left_out.py: what a watched folder leaves alone, and that it says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import DirCreatedEvent

from tests.folders.conftest import Rig
from watcher.cli.resident import _left_out_lines
from watcher.config import Folder
from watcher.folders import left_out
from watcher.folders.watch import SWEEP_INTERVAL_SECONDS
from watcher.queue.job import Job
from watcher.queue.journal_queue import SETTLE_SECONDS
from watcher.recipe import Recipe


def reported(rig: Rig) -> dict[str, Any]:
    """Return what the program reports of `rig.folder`."""
    states = json.loads(rig.journal.get_setting("folders") or "{}")
    left: dict[str, Any] = states[str(rig.folder)][2]
    return left


def test_a_folder_dropped_into_one_that_is_not_recursive_is_reported(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    assert reported(rig)["inside"] == 0
    for number in range(24):
        rig.write(f"holiday/{number}.jpg")
    rig.watcher._observer.hints.on_any_event(DirCreatedEvent(str(rig.folder / "holiday")))
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert (reported(rig)["inside"], reported(rig)["more_inside"]) == (24, False)
    rig.write("holiday/late.jpg")  # copied while nobg looked; no event comes from inside
    rig.step_after(SETTLE_SECONDS)
    assert reported(rig)["inside"] == 25
    assert rig.finish_queued() == []


def test_pictures_inside_are_counted_by_the_rule_of_a_recursive_watch(rig: Rig, tmp_path: Path) -> None:
    rig.write("a/one.jpg")
    rig.write("a/deep/two.jpg")
    for name in (".hidden/x.jpg", "a/.git/x.jpg", "done/x.jpg", "cut/x.jpg", "a/cut/x.jpg", "own/x.jpg", "a/notes.txt"):
        rig.write(name)
    rig.write("a/one_nobg.png")
    rig.write("a/one_white.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.jpg").write_text("x")
    (rig.folder / "link").symlink_to(tmp_path / "other")
    recipe = Recipe(Path("cut"), suffix="_white")
    rig.watcher.configure(
        [Folder(rig.folder, recipe=recipe, move_originals="done"), Folder(rig.folder / "own", enabled=False)]
    )
    rig.sweep()
    assert reported(rig)["inside"] == 2


def test_a_look_inside_stays_short_and_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_out, "MAX_ENTRIES", 10)
    for number in range(30):
        rig.write(f"big/{number}.jpg")
    rig.watch()
    rig.sweep()
    assert (reported(rig)["inside"], reported(rig)["more_inside"]) == (9, True)  # the folder itself counts, too


def test_a_recursive_folder_leaves_nothing_inside(rig: Rig) -> None:
    rig.write("a/one.jpg")
    rig.watch(recursive=True)
    rig.sweep()
    assert reported(rig)["inside"] == 0
    assert rig.finish_queued() == ["a/one.jpg"]


def test_a_picture_with_the_name_of_a_cut_out_is_left_and_reported(rig: Rig) -> None:
    own = rig.write("mug_nobg.png")
    rig.journal.record(Job(Path("/elsewhere/mug.jpg"), source_hash="aa"), state="done", output=own, output_hash="bb")
    rig.write("hat.jpg")
    rig.write("hat_nobg.png")  # beside its picture: of another nobg
    rig.write("bag_nobg.jpg")
    rig.write("notes_nobg.txt")
    rig.watch()
    rig.sweep()
    assert (reported(rig)["named_like_cut_outs"], reported(rig)["example"]) == (1, "bag_nobg.jpg")
    (rig.folder / "bag_nobg.jpg").rename(rig.folder / "bag.jpg")
    rig.sweep()
    assert reported(rig)["named_like_cut_outs"] == 0
    assert rig.finish_queued() == ["bag.jpg", "hat.jpg"]


def test_a_picture_with_the_name_of_a_cut_out_is_reported_soon(rig: Rig) -> None:
    rig.watch()
    rig.sweep()
    path = rig.write("bag_nobg.jpg")
    rig.hint(path)
    rig.step_after(0.1)
    rig.step_after(SETTLE_SECONDS)
    assert reported(rig)["named_like_cut_outs"] == 1
    path.rename(rig.folder / "bag.jpg")
    rig.hint(path)
    rig.hint(rig.folder / "bag.jpg")
    rig.step_after(0.1)
    assert reported(rig)["named_like_cut_outs"] == 0
    rig.step_after(SETTLE_SECONDS)
    assert rig.finish_queued() == ["bag.jpg"]


def test_what_is_left_is_looked_for_at_the_pace_of_sweeps(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.write("a/one.jpg")
    rig.watch()
    rig.sweep()
    rig.step_after(SETTLE_SECONDS)
    looks: list[object] = []

    def look(*_: object) -> tuple[int, bool]:
        looks.append(1)
        return 1, False

    monkeypatch.setattr(left_out, "look_inside", look)
    for _ in range(9):
        rig.step_after(SWEEP_INTERVAL_SECONDS / 10)
    assert len(looks) <= 1


def test_the_terminal_says_what_is_left_and_what_to_type() -> None:
    left = {"inside": 24, "more_inside": False, "named_like_cut_outs": 1, "example": "bag_nobg.jpg"}
    inside, named = _left_out_lines({"path": "/p/my shop", "left_out": left})
    assert inside == (
        "/p/my shop: 24 pictures in folders inside it are not watched. "
        "To watch them: nobg watch add --recursive '/p/my shop'"
    )
    assert named.startswith("/p/my shop: bag_nobg.jpg is left, since it has the name of a cut-out")
    assert _left_out_lines({"path": "/p", "left_out": {}}) == []
