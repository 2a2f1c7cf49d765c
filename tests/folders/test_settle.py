"""settle.py, with numbers in place of a clock."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from watcher.folders.settle import Settling

QUIET_SECONDS = 2.0


@pytest.fixture
def settling() -> Settling:
    return Settling(QUIET_SECONDS)


def status(**changes: Any) -> os.stat_result:
    """Return the fields of a stat result that matter here, with these changes."""
    unchanged = {"st_dev": 1, "st_ino": 1, "st_size": 1, "st_mtime_ns": 1, "st_atime_ns": 1, "st_nlink": 1}
    return cast(os.stat_result, SimpleNamespace(**{**unchanged, **changes}))


def test_a_file_that_stays_the_same_settles_once(settling: Settling) -> None:
    settling.note("a", 10.0, status())
    assert not settling.has_settled("a", 11.9, status())
    assert settling.has_settled("a", 12.0, status())
    assert len(settling) == 0
    assert not settling.has_settled("a", 12.1, status())


@pytest.mark.parametrize("field", ["st_dev", "st_ino", "st_size", "st_mtime_ns"])
def test_a_file_that_was_written_to_or_replaced_settles_again(settling: Settling, field: str) -> None:
    settling.note("a", 10.0, status())
    assert not settling.has_settled("a", 12.0, status(**{field: 2}))
    assert not settling.has_settled("a", 13.9, status(**{field: 2}))
    assert settling.has_settled("a", 14.0, status(**{field: 2}))


@pytest.mark.parametrize("field", ["st_atime_ns", "st_nlink"])
def test_reading_a_file_does_not_keep_it_waiting(settling: Settling, field: str) -> None:
    settling.note("a", 10.0, status())
    assert settling.has_settled("a", 12.0, status(**{field: 2}))


def test_noting_a_file_again_does_not_restart_its_time_unless_it_has_changed(settling: Settling) -> None:
    settling.note("a", 10.0, status())
    settling.note("a", 11.0, status())
    assert settling.next_due_at() == 12.0
    settling.note("a", 11.5, status(st_size=2))
    assert settling.next_due_at() == 13.5


def test_a_growing_file_has_not_settled(settling: Settling, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb", buffering=0) as file:
        for now in range(0, 60, 10):
            file.write(b"x")
            assert not settling.has_settled(str(path), now, path.stat())
    assert settling.has_settled(str(path), 52.0, path.stat())


@pytest.mark.parametrize("no_content", [None, status(st_size=0)], ids=["gone", "empty"])
def test_an_empty_or_vanished_file_is_forgotten_and_starts_to_settle_again_when_it_is_back(
    settling: Settling, no_content: os.stat_result | None
) -> None:
    settling.note("a", 10.0, status())
    assert not settling.has_settled("a", 20.0, no_content)
    assert len(settling) == 0
    assert not settling.has_settled("a", 30.0, status())
    assert settling.has_settled("a", 32.0, status())


def test_each_file_has_its_own_time(settling: Settling) -> None:
    assert settling.next_due_at() is None
    settling.note("late", 11.0, status())
    settling.note("early", 10.0, status())
    assert settling.due(11.9) == []
    assert settling.next_due_at() == 12.0
    assert settling.due(12.0) == ["early"]
    assert sorted(settling.due(13.0)) == ["early", "late"]
    assert settling.has_settled("early", 12.0, status())
    assert settling.next_due_at() == 13.0
