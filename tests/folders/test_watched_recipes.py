"""Which pictures of a watched folder are done again when its recipe changes."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.folders.conftest import Rig
from watcher import commit
from watcher.folders.watch import Watcher
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import SETTLE_SECONDS, JournalQueue
from watcher.recipe import Measure, Recipe


def queued_jobs(rig: Rig) -> list[Job]:
    """Return the queued jobs."""
    return [job for job in rig.journal.find_jobs(range(1, 20)) if job.state == "queued"]


def test_the_pictures_are_done_again_under_another_recipe(rig: Rig) -> None:
    rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]
    rig.watch(recipe=Recipe(Path("cut")))
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]


WHITE, CROP = Recipe(background="#ffffff"), Recipe(crop=Measure(5, is_percent=True))


def restart(rig: Rig) -> None:
    """End the program and start it again."""
    rig.journal.close()
    rig.journal = Journal(rig.state_folder)
    rig.journal.recover()
    rig.watcher = Watcher(rig.journal, clock=lambda: rig.now, wall_clock=lambda: rig.now)


def keep_running(_rig: Rig) -> None:
    """Do nothing, in place of restart()."""


WITH_AND_WITHOUT_RESTART = pytest.mark.parametrize("restart_or_not", [keep_running, restart])


@WITH_AND_WITHOUT_RESTART
def test_another_default_recipe_applies_to_new_pictures_only(rig: Rig, restart_or_not: Callable[[Rig], None]) -> None:
    old = rig.write("old.jpg")
    rig.watch(default_overrides=Recipe())
    rig.sweep()
    assert rig.finish_queued() == ["old.jpg"]
    for number, default in enumerate((WHITE, CROP, Recipe())):
        restart_or_not(rig)
        rig.watch(recipe=default, default_overrides=Recipe())
        new = rig.write(f"{number}.jpg")
        rig.sweep()
        assert [job.recipe for job in queued_jobs(rig)] == [default.key()]
        assert rig.finish_queued() == [f"{number}.jpg"]
        for path in (old, new):
            rig.hint(path)
        rig.step_after(0.1)
        rig.step_after(SETTLE_SECONDS)
        assert rig.finish_queued() == []
    old.write_text("edited")
    rig.sweep()
    assert rig.finish_queued() == ["old.jpg"]


@WITH_AND_WITHOUT_RESTART
def test_queued_pictures_of_an_earlier_default_are_done_under_the_new_one(
    rig: Rig, restart_or_not: Callable[[Rig], None]
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        rig.write(name)
    rig.watch(default_overrides=Recipe())
    rig.sweep()
    first = rig.journal.next_job()
    assert first is not None
    rig.journal.record(replace(first, source_hash="1"), state="done")
    second = rig.journal.next_job()
    assert second is not None
    rig.journal.put_back(replace(second, source_hash="2"))
    restart_or_not(rig)
    rig.watch(recipe=WHITE, default_overrides=Recipe())
    assert rig.journal.pending_counts() == (0, 0)
    rig.sweep()
    assert [(job.source.name, job.recipe) for job in queued_jobs(rig)] == [
        ("b.jpg", WHITE.key()),
        ("c.jpg", WHITE.key()),
    ]


def test_a_picture_that_the_worker_has_is_not_done_twice(rig: Rig) -> None:
    rig.write("a.jpg")
    rig.watch(default_overrides=Recipe())
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    assert rig.journal.start(replace(job, source_hash="1", model="m")) is not None
    rig.watch(recipe=WHITE, default_overrides=Recipe())
    rig.sweep()
    assert rig.journal.pending_counts() == (0, 1)


def test_a_picture_that_a_person_requested_under_one_default_is_not_done_again_under_the_next(rig: Rig) -> None:
    """The same applies to a picture that a person retried: both are a person's requests, in whatever folder."""
    path = rig.write("a.jpg")
    rig.journal.enqueue([(os.fsencode(path), 1, None)])
    job = rig.journal.next_job()
    assert job is not None
    signature = commit.file_signature(path.stat())
    assert rig.journal.start(replace(job, source_hash="1", signature=signature, model="m")) is not None
    for default in (Recipe(), WHITE):
        rig.watch(recipe=default, default_overrides=Recipe())
        rig.sweep()
        assert rig.finish_queued() == []


@WITH_AND_WITHOUT_RESTART
@pytest.mark.parametrize(
    ("recipe", "default_overrides"),
    [(Recipe(Path("cut")), Recipe(Path("cut"))), (WHITE, None), (CROP, None)],
    ids=["another output", "its own recipe, which the default was once", "its own recipe"],
)
def test_a_folder_that_gets_a_setting_of_its_own_does_all_pictures_again(
    rig: Rig, recipe: Recipe, default_overrides: Recipe | None, restart_or_not: Callable[[Rig], None]
) -> None:
    rig.write("a.jpg")
    rig.watch(recipe=WHITE, default_overrides=Recipe())
    rig.watch(default_overrides=Recipe())
    rig.sweep()
    assert rig.finish_queued() == ["a.jpg"]
    restart_or_not(rig)
    rig.watch(recipe=recipe, default_overrides=default_overrides)
    rig.sweep()
    (job,) = queued_jobs(rig)
    assert JournalQueue(rig.journal).find_earlier_job(replace(job, source_hash="1")) is None
    assert rig.finish_queued() == ["a.jpg"]
    rig.sweep()
    assert rig.finish_queued() == []


def test_queued_pictures_of_a_former_recipe_of_the_folder_are_dropped(rig: Rig) -> None:
    rig.write("a.jpg")
    rig.watch()
    rig.sweep()
    rig.watch(recipe=Recipe(mask=True))
    assert rig.journal.counts_by_state()["queued"] == 0
    rig.sweep()
    job = rig.journal.next_job()
    assert job is not None
    assert job.recipe == '{"mask": true}'
