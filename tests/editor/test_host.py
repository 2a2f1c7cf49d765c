"""host.py, link.py and saving.py, with a stand-in worker that dies on demand; the test is the window."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.editor.conftest import STROKE, TILE, TWO_STROKES, OpenWindow, Window, WorkerFiles
from watcher.editor import strings
from watcher.errors import REASONS
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.touchup.edits import hash_of
from watcher.recipe import Recipe
from watcher.settings.config import Config, NamedRecipe


def content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def window(open_window: OpenWindow, photo: Path) -> Window:
    """Return a window with the photo open."""
    window = open_window(photo)
    window.wait_for("opened")
    return window


def test_a_photo_is_opened_with_its_size_its_edits_and_the_recipes(
    open_window: OpenWindow, photo: Path, journal: Journal
) -> None:
    journal.edits.store(content(photo), STROKE)
    settings = Config(recipes={"shop": NamedRecipe(Recipe(background="#00ff00"), label="Shop")}, default_recipe="shop")
    window = open_window(photo, settings=settings, tool="box")
    opened = window.wait_for("opened")
    assert (opened["name"], opened["width"], opened["height"], opened["tool"]) == ("photo.jpg", 400, 300, "box")
    assert opened["background"] == "#00ff00"
    assert opened["recipes"][0] == ["", strings.RECIPE_DEFAULT]
    assert ["shop", "Shop"] in opened["recipes"]
    assert window.payloads["opened"] == STROKE.encode()
    assert window.texts("busy") == [strings.OPENING_FILE.format(name="photo.jpg"), ""]


def test_a_recipe_that_was_named_comes_first_under_its_own_label(open_window: OpenWindow, photo: Path) -> None:
    window = open_window(photo, recipe="white")
    opened = window.wait_for("opened")
    assert opened["background"] == "#ffffff"
    labels = strings.RECIPE_LABELS
    assert opened["recipes"] == [["", labels["white"]], *([name, labels[name]] for name in labels if name != "white")]


def test_tiles_edits_and_previews_are_relayed(window: Window, worker: WorkerFiles) -> None:
    photo_tile = window.ask("tile", layer="photo", **TILE)
    assert window.answer(photo_tile) == ({"answer": photo_tile, "state": "done", "size": 24}, bytes(24))
    edits = window.ask_and_wait("edits", STROKE.encode())
    assert {name: edits[name] for name in ("state", "changed", "area", "ways")} == {
        "state": "done",
        "changed": [1, 2, 30, 40],
        "area": 0.25,
        "ways": ["fast", "balanced"],
    }
    header, payload = window.answer(window.ask("tile", layer="cutout", **TILE))
    assert header["state"] == "done"
    assert payload == b"\1" * 32
    header, payload = window.answer(window.ask("preview", recipe="white", pixels=[3, 2]))
    assert (header["width"], header["height"], payload) == (3, 2, b"\1" * 24)
    assert [line.split()[0] for line in worker.requests()] == ["started", "open", "tile", "edits", "tile", "preview"]


def test_a_cut_out_is_shown_with_the_kept_edits_even_if_the_window_sends_none(
    open_window: OpenWindow, photo: Path, journal: Journal
) -> None:
    journal.edits.store(content(photo), TWO_STROKES)
    window = open_window(photo)
    window.wait_for("opened")
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\2" * 32


@pytest.mark.parametrize(
    "values",
    [{"layer": "photo", "box": [0, 0, 4, 2], "pixels": [5000, 2]}, {"layer": "/etc", **TILE}, {"layer": "photo"}],
    ids=str,
)
def test_what_no_window_asks_does_not_reach_the_worker(
    window: Window, worker: WorkerFiles, values: dict[str, Any]
) -> None:
    assert window.ask_and_wait("edits", b"")["state"] == "done"
    assert window.ask_and_wait("tile", **values)["text"] == strings.NONSENSE
    assert worker.requests() == ["started", "open", "edits"]


def test_edits_are_on_the_disk_before_the_worker_gets_them(
    window: Window, worker: WorkerFiles, photo: Path, journal: Journal
) -> None:
    worker.die_at("edits", "edits", "edits")
    answer = window.ask_and_wait("edits", STROKE.encode())
    assert (answer["state"], answer["text"]) == ("failed", strings.WORKER_FAILS)
    assert journal.edits.of(content(photo)) == STROKE


def test_edits_that_are_none_are_refused_and_not_kept(window: Window, photo: Path, journal: Journal) -> None:
    assert window.ask_and_wait("edits", b'[{"tool": "axe"}]')["text"] == "an edit has no known tool."
    assert journal.edits.of(content(photo)) == ""
    window.ask_and_wait("edits", STROKE.encode())
    window.ask_and_wait("edits", b"")
    assert journal.edits.of(content(photo)) == ""


def test_tiles_that_are_no_longer_needed_are_dropped_and_the_newest_comes_first(
    window: Window, worker: WorkerFiles
) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    first = [window.ask("tile", layer="way:gate", **TILE), window.ask("tile", layer="photo", **TILE)]
    waiting = [window.ask("tile", layer=f"way:{number}", **TILE) for number in range(4)]
    window.ask("cancel", ids=[first[1], waiting[1]])
    assert window.answer(waiting[1])[0]["state"] == "dropped"
    worker.open_gate()
    for number in (*first, waiting[0], waiting[2], waiting[3]):
        assert window.answer(number)[0]["state"] == "done"
    layers = [line.split()[1] for line in worker.requests() if line.startswith("tile")]
    assert layers == ["way:gate", "photo", "way:3", "way:2", "way:0"]


def test_other_ways_come_one_at_a_time_so_that_strokes_need_not_wait_for_them(
    window: Window, worker: WorkerFiles
) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    ways = [window.ask("tile", layer=f"way:{name}", **TILE) for name in ("gate", "fast", "best")]
    edits = window.ask("edits", TWO_STROKES.encode())
    tile = window.ask("tile", layer="cutout", **TILE)
    assert window.ask_and_wait("save", recipe="none such")["state"] == "failed"  # the host has read all of these
    worker.open_gate()
    for number in (*ways, edits, tile):
        assert window.answer(number)[0]["state"] == "done"
    kinds = [line.split()[1] if line.startswith("tile") else line.split()[0] for line in worker.requests()[3:]]
    assert kinds == ["way:gate", "edits", "cutout", "way:best", "way:fast"]


@pytest.mark.parametrize("deaths", [("tile",), ("tile", "tile"), ("tile", "edits"), ("open", "tile")], ids=str)
def test_a_dead_worker_is_replaced_and_learns_photo_and_edits_again(
    open_window: OpenWindow, photo: Path, worker: WorkerFiles, deaths: tuple[str, ...]
) -> None:
    if deaths[0] == "open":
        worker.die_at(*deaths)
    window = open_window(photo)
    window.wait_for("opened")
    assert window.ask_and_wait("edits", TWO_STROKES.encode())["state"] == "done"
    if deaths[0] != "open":
        worker.die_at(*deaths)
    numbers = [window.ask("tile", layer="cutout", **TILE) for _ in range(3)]
    for number in numbers:
        header, payload = window.answer(number)
        assert (header["state"], payload) == ("done", b"\2" * 32)
    assert window.texts("trouble") == [strings.WORKER_RESTARTED] * len(deaths)
    assert worker.requests().count("started") == 1 + len(deaths)


def test_a_request_that_ends_three_workers_fails_and_the_next_one_works(window: Window, worker: WorkerFiles) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    worker.die_at("preview", "preview", "preview")
    answer = window.ask_and_wait("preview", recipe="", pixels=[3, 2])
    assert (answer["state"], answer["text"]) == ("failed", strings.WORKER_FAILS)
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\1" * 32
    assert window.texts("trouble")[-1] == strings.WORKER_FAILS


def test_edits_that_end_three_workers_do_not_end_the_next(window: Window, worker: WorkerFiles) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    worker.die_at("edits", "edits", "edits")
    assert window.ask_and_wait("edits", TWO_STROKES.encode())["state"] == "failed"
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\1" * 32


def test_an_undo_that_another_worker_answers_changes_the_whole_photo(window: Window, worker: WorkerFiles) -> None:
    assert window.ask_and_wait("edits", TWO_STROKES.encode())["changed"] == [1, 2, 30, 40]
    worker.die_at("edits")
    assert window.ask_and_wait("edits", STROKE.encode())["changed"] == [0, 0, 400, 300]
    assert window.ask_and_wait("edits", b"")["changed"] == [1, 2, 30, 40]


@pytest.mark.parametrize("lie", ["lie-tile", "flood-tile"])
def test_a_worker_that_lies_is_replaced(window: Window, worker: WorkerFiles, lie: str) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    worker.die_at(lie)
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\1" * 32
    assert worker.requests().count("started") == 2


def test_a_worker_that_does_not_start_is_refused_with_what_to_do(
    open_window: OpenWindow, photo: Path, worker: WorkerFiles
) -> None:
    worker.command[:] = [worker.command[0], "-c", "import no_such_module"]
    assert "does not start" in open_window(photo).wait_for("refused")["text"]


def test_a_photo_that_ends_three_workers_is_refused(open_window: OpenWindow, photo: Path, worker: WorkerFiles) -> None:
    worker.die_at("open", "open", "open")
    assert open_window(photo).wait_for("refused")["text"] == strings.WORKER_FAILS


def test_a_file_that_is_no_picture_is_refused_with_the_reason(open_window: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_bytes(b"unreadable")
    assert open_window(path).wait_for("refused")["text"] == REASONS["unreadable"]
    assert open_window(tmp_path / "missing.jpg").wait_for("refused")["text"] == REASONS["vanished"]


def test_a_second_window_on_the_photo_is_refused_until_the_first_is_closed(
    open_window: OpenWindow, photo: Path, window: Window, home: Path
) -> None:
    copy = photo.with_name("copy.jpg")
    copy.write_bytes(photo.read_bytes())
    assert open_window(copy).wait_for("refused")["text"] == strings.ALREADY_OPEN.format(name="copy.jpg")
    window.close()
    again = open_window(copy)
    again.wait_for("opened")
    again.close()
    assert not [name for name in os.listdir(home / "state") if name.endswith(".lock")]


# Saving


def test_save_writes_the_cut_out_and_the_journal_knows_its_edits(
    window: Window, worker: WorkerFiles, photo: Path, journal: Journal
) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    answer = window.ask_and_wait("save", recipe="")
    assert (answer["state"], answer["output"]) == ("done", "photo_nobg.png")
    assert STROKE.encode() in photo.with_name("photo_nobg.png").read_bytes()
    job = journal.find(photo, content(photo), "{}")
    assert job is not None
    assert (job.state, job.edits, job.undone) == ("done", hash_of(STROKE), False)
    assert [line.split()[0] for line in worker.requests()] == ["started", "open", "edits", "cut_out"]
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\1" * 32  # the same worker goes on


def test_saving_again_replaces_the_cut_out_but_not_one_that_a_person_has_edited(
    window: Window, photo: Path, journal: Journal
) -> None:
    output = photo.with_name("photo_nobg.png")
    window.ask_and_wait("save", recipe="")
    before = output.read_bytes()
    window.ask_and_wait("edits", STROKE.encode())
    assert window.ask_and_wait("save", recipe="")["output"] == "photo_nobg.png"
    assert output.read_bytes() != before
    output.write_bytes(b"edited by another program")
    window.ask_and_wait("edits", TWO_STROKES.encode())
    assert window.ask_and_wait("save", recipe="")["output"] == "photo_nobg-2.png"
    assert output.read_bytes() == b"edited by another program"
    assert window.ask_and_wait("save", recipe="white")["output"] == "photo_nobg-3.png"
    assert {job.recipe for job in journal.history()} == {"{}", Recipe(background="#ffffff").key()}


def test_a_photo_that_has_changed_since_is_not_saved(window: Window, photo: Path) -> None:
    photo.write_bytes(b"another")
    answer = window.ask_and_wait("save", recipe="")
    assert (answer["state"], answer["text"]) == ("failed", strings.PHOTO_CHANGED)
    assert not photo.with_name("photo_nobg.png").exists()


def test_a_worker_that_dies_while_it_saves_is_replaced(window: Window, worker: WorkerFiles) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    worker.die_at("cut_out")
    assert window.ask_and_wait("save", recipe="")["output"] == "photo_nobg.png"
    assert window.answer(window.ask("tile", layer="cutout", **TILE))[1] == b"\1" * 32
    worker.die_at("cut_out", "cut_out", "cut_out")
    answer = window.ask_and_wait("save", recipe="")
    assert (answer["state"], "nobg's worker ended unexpectedly" in answer["text"]) == ("failed", True)
    assert window.ask_and_wait("edits", TWO_STROKES.encode())["state"] == "done"


def test_a_save_waits_for_the_edits_before_it(window: Window, photo: Path, journal: Journal) -> None:
    edits, save = window.ask("edits", STROKE.encode()), window.ask("save", recipe="")
    assert window.answer(edits)[0]["state"] == window.answer(save)[0]["state"] == "done"
    job = journal.find(photo, content(photo), "{}")
    assert job is not None
    assert job.edits == hash_of(STROKE)
    window.ask_and_wait("edits", b"")
    assert window.texts("busy")[-2:] == [strings.SAVING_FILE, ""]


def test_a_save_whose_turn_cannot_come_since_no_worker_starts_fails(window: Window, worker: WorkerFiles) -> None:
    window.ask_and_wait("edits", STROKE.encode())
    window.ask("tile", layer="way:gate", **TILE)
    preview, save = window.ask("preview", recipe="", pixels=[3, 2]), window.ask("save", recipe="")
    assert window.ask_and_wait("save", recipe="none such")["state"] == "failed"  # the host has read all of these
    worker.die_at("preview")
    worker.command[:] = [worker.command[0], "-c", "import no_such_module"]
    worker.open_gate()
    assert "does not start" in window.answer(preview)[0]["text"]
    assert "does not start" in window.answer(save)[0]["text"]


# From a cut-out


def test_a_cut_out_leads_to_its_photo_and_its_recipe(
    open_window: OpenWindow, window: Window, photo: Path, journal: Journal
) -> None:
    output = photo.with_name(window.ask_and_wait("save", recipe="white")["output"])
    window.close()
    renamed = output.rename(photo.with_name("renamed.png"))
    for path in (output, renamed):
        again = open_window(path)
        opened = again.wait_for("opened")
        assert (opened["name"], opened["background"]) == ("photo.jpg", "#ffffff")
        assert opened["recipes"][0] == ["", strings.RECIPE_OF_CUT_OUT]
        again.close()
    assert isinstance(journal.outputs.jobs_that_made(output, None)[0], Job)


def test_a_recipe_of_another_version_of_nobg_counts_as_the_default_one(
    open_window: OpenWindow, photo: Path, journal: Journal
) -> None:
    output = photo.with_name("photo_nobg.png")
    output.write_bytes(b"cut-out")
    job = Job(photo, '{"of a later nobg": 1}', source_hash=content(photo), model="m")
    journal.record(job, state="done", output=output, output_hash=content(output))
    opened = open_window(output).wait_for("opened")
    assert (opened["name"], opened["recipes"][0]) == ("photo.jpg", ["", strings.RECIPE_DEFAULT])


def test_a_cut_out_without_its_photo_says_where_that_was(open_window: OpenWindow, window: Window, photo: Path) -> None:
    output = photo.with_name(window.ask_and_wait("save", recipe="")["output"])
    window.close()
    photo.unlink()
    text = strings.PHOTO_GONE.format(name=output.name, path=photo)
    assert open_window(output).wait_for("refused")["text"] == text


def test_a_photo_that_has_been_moved_is_found_where_it_is_now(
    open_window: OpenWindow, window: Window, photo: Path, journal: Journal
) -> None:
    output = photo.with_name(window.ask_and_wait("save", recipe="")["output"])
    window.close()
    job = journal.find(photo, content(photo), "{}")
    assert job is not None
    assert job.id is not None
    done = photo.with_name("done")
    done.mkdir()
    journal.finish(job.id, photo.rename(done / "photo.jpg"))
    for path in (output, photo):
        again = open_window(path)
        assert again.wait_for("opened")["name"] == "photo.jpg"
        again.close()


@pytest.mark.parametrize("has_successor", [False, True])
def test_the_cut_out_of_a_photo_that_has_been_moved_is_replaced_where_it_is(
    open_window: OpenWindow, photo: Path, journal: Journal, worker: WorkerFiles, has_successor: bool
) -> None:
    window = open_window(photo)
    window.wait_for("opened")
    output = photo.with_name(window.ask_and_wait("save", recipe="")["output"])
    window.close()
    job = journal.find(photo, content(photo), "{}")
    assert job is not None
    done = photo.with_name("done")
    done.mkdir()
    moved = photo.rename(done / "photo.jpg")
    journal.finish(job.id or 0, moved)
    if has_successor:
        photo.write_bytes(b"another photo of the same name")
    for edits in (STROKE, TWO_STROKES):
        again = open_window(output)
        again.wait_for("opened")
        again.ask_and_wait("edits", edits.encode())
        worker.die_at("cut_out")
        assert again.ask_and_wait("save", recipe="")["output"] == output.name
        again.close()
        assert edits.encode() in output.read_bytes()
        (found,) = journal.history()
        assert (found.id, found.source, found.moved_to, found.edits) == (job.id, photo, moved, hash_of(edits))
    assert os.listdir(done) == ["photo.jpg"]
    assert not journal.outputs.has_written(photo, output, content(output))  # a successor may not replace it
