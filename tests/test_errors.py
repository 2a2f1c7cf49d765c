"""errors.py: the reasons, their words and their exit codes."""

import os
import sys
from pathlib import Path

import pytest

from watcher.errors import (
    REASONS,
    DestinationError,
    ModelError,
    PictureError,
    UsageError,
    for_desktop,
    for_terminal,
    how_to_take_back,
)


def test_the_reasons_are_those_of_the_contract() -> None:
    skipped = {"no_clear_subject", "already_done"}
    failed = {
        "unreadable",
        "truncated",
        "too_large",
        "unsupported",
        "vanished",
        "no_permission",
        "worker_died",
        "timeout",
    }
    assert set(REASONS) == skipped | failed


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_says_what_is_wrong_and_what_to_do(reason: str) -> None:
    text = for_terminal(REASONS[reason])
    problem, _, next_step = text.partition(". " if ". " in text else ", ")
    assert problem
    assert next_step.endswith(".")


def test_exit_codes_are_those_of_the_contract() -> None:
    assert PictureError("truncated").exit_code == 1
    assert PictureError("no_permission").exit_code == 4
    assert (UsageError.exit_code, ModelError.exit_code, DestinationError.exit_code) == (2, 3, 4)


def test_a_detail_is_shown_if_it_is_a_sentence() -> None:
    assert str(PictureError("unreadable", "the file is empty. Copy it again.")) == "the file is empty. Copy it again."
    assert str(PictureError("unreadable", "broken chunk b'IDAT'")) == REASONS["unreadable"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no chown")
def test_what_belongs_to_another_user_can_be_taken_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = home / "it's state"
    state.mkdir()
    (state / "jobs.db").touch()
    assert how_to_take_back(state) is None
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4242)
    text = how_to_take_back(state / "jobs.db") or ""
    assert "chown" not in for_desktop(text)
    assert for_desktop(text).endswith(f"to make {os.getuid() + 4242} its owner, with all that is in it.")
    advice = for_terminal(text)
    assert advice.startswith(f"{home} belongs to another user")
    assert advice.endswith(f"type: sudo chown -R {os.getuid() + 4242} {home}")
    assert how_to_take_back("/usr/share/nobg") is None
