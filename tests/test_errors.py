"""errors.py"""

import pytest

from watcher.errors import REASONS, DestinationError, ModelError, PictureError, UsageError


def test_every_reason_of_the_contract_has_words_and_no_other() -> None:
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
def test_the_words_say_what_is_wrong_and_what_to_do(reason: str) -> None:
    what, _, to_do = REASONS[reason].partition(". " if ". " in REASONS[reason] else ", ")
    assert what
    assert to_do.endswith(".")


def test_exit_codes_are_those_of_the_contract() -> None:
    assert PictureError("truncated").exit_code == 1
    assert PictureError("no_permission").exit_code == 4
    assert (UsageError.exit_code, ModelError.exit_code, DestinationError.exit_code) == (2, 3, 4)


def test_a_detail_that_is_a_sentence_is_told_and_a_technical_one_is_not() -> None:
    assert str(PictureError("unreadable", "the file is empty. Copy it again.")) == "the file is empty. Copy it again."
    assert str(PictureError("unreadable", "broken chunk b'IDAT'")) == REASONS["unreadable"]
