"""What keeps Windows from opening a file now, by the numbers that it gives."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from watcher import commit
from watcher.errors import PassingError, PictureError
from watcher.guard import in_use

DENIED = PermissionError(errno.EACCES, "Permission denied")
INVALID = OSError(errno.EINVAL, "Invalid argument")
MISSING = FileNotFoundError(errno.ENOENT, "No such file or directory")


@pytest.mark.parametrize(
    ("error", "number", "words"),
    [
        (DENIED, 32, "another program has it open"),
        (DENIED, 0, "another program has it open"),
        (DENIED, 21, "its drive does not answer"),
        (INVALID, 64, "its drive does not answer"),
        (MISSING, 53, "its drive does not answer"),
    ],
)
def test_a_picture_that_windows_cannot_open_now_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, number: int, words: str
) -> None:
    assert _failure(tmp_path, monkeypatch, error, number, is_passing=True).startswith(words)


@pytest.mark.parametrize(
    ("error", "number"), [(DENIED, 5), (INVALID, 123), (MISSING, 2), (DENIED, None), (MISSING, None)]
)
def test_what_stays_as_it_is_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, number: int | None
) -> None:
    _failure(tmp_path, monkeypatch, error, number, is_passing=False)


def _failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, number: int | None, *, is_passing: bool
) -> str:
    """Return the detail of the error at reading a picture if Python raises `error`, and Windows says `number`."""

    def raise_error(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(commit, "_open_for_reading", raise_error)
    monkeypatch.setattr(in_use, "open_error", lambda _path: number)
    with pytest.raises(PictureError) as failure:
        commit.read_source(folder / "a.jpg")
    assert isinstance(failure.value, PassingError) == is_passing
    return failure.value.detail
