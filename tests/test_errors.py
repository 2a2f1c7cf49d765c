"""errors.py: the reasons, their words and their exit codes."""

import pytest

from watcher.errors import REASONS, DestinationError, ModelError, PictureError, UsageError


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
    problem, _, next_step = REASONS[reason].partition(". " if ". " in REASONS[reason] else ", ")
    assert problem
    assert next_step.endswith(".")


def test_exit_codes_are_those_of_the_contract() -> None:
    assert PictureError("truncated").exit_code == 1
    assert PictureError("no_permission").exit_code == 4
    assert (UsageError.exit_code, ModelError.exit_code, DestinationError.exit_code) == (2, 3, 4)


def test_a_detail_is_shown_if_it_is_a_sentence() -> None:
    assert str(PictureError("unreadable", "the file is empty. Copy it again.")) == "the file is empty. Copy it again."
    assert str(PictureError("unreadable", "broken chunk b'IDAT'")) == REASONS["unreadable"]
