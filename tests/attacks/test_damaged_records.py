"""jobs.db with flipped bits, pages that are gone, cut off, or without its log: what can be read of it is not lost.

By hand, with more rounds: NOBG_ROUNDS=2000 pytest tests/attacks/test_damaged_records.py
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from watcher.errors import NobgError
from watcher.program import control, history_page
from watcher.queue import store
from watcher.queue.job import Job
from watcher.queue.journal import Journal

ROUNDS = int(os.environ.get("NOBG_ROUNDS", "10"))
PAGE = 4096
FILES = ("jobs.db", "jobs.db-wal")
NEW = b"/new/picture.jpg"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with jobs.db and its log, as after a kill -9: 120 jobs with results, 50 queued, 20 in the log."""
    folder, copies = tmp_path_factory.mktemp("journal"), tmp_path_factory.mktemp("sound")
    journal = Journal(folder)
    for number in range(120):
        job = Job(Path(f"/p/{number}.jpg"), source_hash=f"{number:064x}", asked_at=float(number))
        if number % 3 == 0:
            journal.record(job, state="done", output=Path(f"/p/{number}_nobg.png"), output_hash=f"{number:064x}")
        else:
            journal.record(job, state=("failed", "skipped")[number % 2], reason="unreadable")
    journal.enqueue((f"/q/{number}.jpg".encode(), 1, None) for number in range(50))
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)", ())
    journal.enqueue((f"/r/{number}.jpg".encode(), 1, None) for number in range(20))
    for name in FILES:
        shutil.copy(folder / name, copies / name)
    journal.close()
    return copies


def flip(name: str, start: int, end: int, count: int) -> Callable[[Path, random.Random], None]:
    """Return a function that flips bits of a file between two places; `end` 0 is the file's end."""

    def damage(folder: Path, rng: random.Random) -> None:
        content = bytearray((folder / name).read_bytes())
        for _ in range(count):
            content[rng.randrange(start, end or len(content))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(content)

    return damage


def cut(name: str) -> Callable[[Path, random.Random], None]:
    """Return a function that cuts a file off."""
    return lambda folder, rng: os.truncate(folder / name, rng.randrange((folder / name).stat().st_size))


def exchange_pages(folder: Path, rng: random.Random) -> None:
    content = (folder / "jobs.db").read_bytes()
    pages = [content[start : start + PAGE] for start in range(0, len(content), PAGE)]
    one, other = rng.randrange(len(pages)), rng.randrange(len(pages))
    pages[one], pages[other] = pages[other], pages[one]
    (folder / "jobs.db").write_bytes(b"".join(pages))


def zero_page(folder: Path, rng: random.Random) -> None:
    with (folder / "jobs.db").open("r+b") as file:
        file.seek(PAGE * rng.randrange((folder / "jobs.db").stat().st_size // PAGE))
        file.write(bytes(PAGE))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "a bit": flip("jobs.db", 100, 0, 1),
    "the header": flip("jobs.db", 0, 100, 1),
    "the log": flip("jobs.db-wal", 0, 0, 3),
    "many bits": flip("jobs.db", 100, 0, 200),
    "cut off": cut("jobs.db"),
    "the log cut off": cut("jobs.db-wal"),
    "no log": lambda folder, _: (folder / "jobs.db-wal").unlink(),
    "a page of zeros": zero_page,
    "pages exchanged": exchange_pages,
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_no_damage_loses_a_click_that_was_vouched_for_or_ends_in_a_traceback(
    kind: str, sound: Path, home: Path
) -> None:
    for number in range(ROUNDS):
        state = home / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        for name in FILES:
            shutil.copy(sound / name, state / name)
        DAMAGES[kind](state, random.Random(f"{kind} {number}"))
        try:
            store.open_and_enqueue(str(state), [(NEW, 1, False)])
        except NobgError:
            vouched = False
        else:
            vouched = True
        with contextlib.closing(Journal(state, check_integrity=True, check_indexes=True)) as journal:
            sources = [source for (source,) in journal._db.execute("SELECT source FROM jobs", ())]
            assert not vouched or sources.count(NEW) == 1, number
            journal.recover()
            journal.next_job()
            history_page.render_page(journal.history(300), 0)
            control.status(journal)
            journal.recent_outputs(10)


@pytest.mark.parametrize("page", range(25))
def test_of_the_61_pictures_that_wait_at_most_one_is_lost_with_any_page(page: int, home: Path) -> None:
    state = home / "state"
    state.mkdir(parents=True)
    journal = Journal(state)
    journal.enqueue((f"/pictures/{number}.jpg".encode(), 1, None) for number in range(61))
    journal.close()
    size = (state / "jobs.db").stat().st_size
    if page >= size // PAGE:
        pytest.skip("the file has fewer pages")
    with (state / "jobs.db").open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * PAGE)
    with contextlib.closing(Journal(state, check_integrity=True)) as journal:
        assert journal.damaged_path is not None
        assert journal.counts_by_state()["queued"] >= 60
