"""lock.py, with real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from watcher import lock as file_lock

HOLD = "from watcher import lock; descriptor = lock.acquire(sys.argv[1]); lock.write_pid(descriptor)"


@contextmanager
def child(code: str, *arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that has run `code` and waits."""
    command: Sequence[str] = [
        sys.executable,
        "-c",
        f"import sys; {code}; print(flush=True); sys.stdin.read()",
        *arguments,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


def acquire_free(folder: Path) -> int:
    """Acquire the lock, which must be free."""
    lock = file_lock.acquire(str(folder))
    assert lock is not None
    return lock


def test_the_lock_has_one_holder_until_it_is_released(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    assert file_lock.acquire(str(tmp_path)) is None
    file_lock.release(lock)
    file_lock.release(acquire_free(tmp_path))


def test_a_failed_attempt_leaves_no_descriptor_open(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    free = os.dup(lock)
    os.close(free)
    assert file_lock.acquire(str(tmp_path)) is None
    assert file_lock.holder_pid(str(tmp_path)) == 0
    next_free = os.dup(lock)
    assert next_free == free
    os.close(next_free)
    file_lock.release(lock)


def test_each_state_folder_has_its_own_lock(tmp_path: Path, home: Path) -> None:
    mine, other = acquire_free(tmp_path), acquire_free(home)
    file_lock.release(mine)
    file_lock.release(other)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file_lock.release(acquire_free(tmp_path))
    assert (tmp_path / file_lock.LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    with child(HOLD, str(tmp_path)) as process:
        assert file_lock.acquire(str(tmp_path)) is None
        process.kill()
        process.wait()
        file_lock.release(acquire_free(tmp_path))
        assert file_lock.holder_pid(str(tmp_path)) is None  # although its number is still in the file


def test_the_holder_is_known_by_its_number(tmp_path: Path) -> None:
    with child(HOLD, str(tmp_path)) as process:
        assert file_lock.holder_pid(str(tmp_path)) == process.pid


def test_a_shorter_number_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    os.write(lock, b" 12345678901234567890\n")
    file_lock.write_pid(lock)
    assert file_lock.holder_pid(str(tmp_path)) == os.getpid()
    file_lock.release(lock)


def test_a_holder_that_has_not_written_its_number_yet_is_0(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    assert file_lock.holder_pid(str(tmp_path)) == 0
    file_lock.release(lock)


def test_a_check_for_a_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    assert file_lock.holder_pid(str(tmp_path / "not there")) is None
    assert file_lock.holder_pid(str(tmp_path)) is None
    file_lock.release(acquire_free(tmp_path))


def test_the_timeout_outlasts_a_process_that_only_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = acquire_free(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: file_lock.release(other))  # the other process has finished its check
    lock = file_lock.acquire(str(tmp_path), timeout=60)
    assert lock is not None
    file_lock.release(lock)


def test_the_timeout_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = acquire_free(tmp_path)
    now = time.monotonic()
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "monotonic", lambda: now + sum(pauses))
    assert file_lock.acquire(str(tmp_path), timeout=1) is None
    assert sum(pauses) == pytest.approx(1, abs=0.1)
    file_lock.release(lock)


def test_a_child_that_inherits_the_lock_keeps_it_when_the_parent_releases_it(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    code = "from watcher import lock; lock.write_pid(int(sys.argv[1]))"
    with child(code, str(lock), pass_fds=[lock]) as process:
        file_lock.release(lock)
        assert file_lock.acquire(str(tmp_path)) is None
        assert file_lock.holder_pid(str(tmp_path)) == process.pid
        process.communicate()  # ends the child
        file_lock.release(acquire_free(tmp_path))


def test_a_child_that_was_not_given_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    lock = acquire_free(tmp_path)
    with child("pass", close_fds=False):
        file_lock.release(lock)
        file_lock.release(acquire_free(tmp_path))
