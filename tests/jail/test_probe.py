"""probe.py: what a worker tries on Windows; on other systems, test_enter.py has the real attempts."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from watcher.jail import probe


class Refusing:
    """Stands in for the module `socket` in an AppContainer: sockets can be made, but not used."""

    AF_INET, SOCK_STREAM = socket.AF_INET, socket.SOCK_STREAM

    def __init__(self, error: OSError | None) -> None:
        self.error = error
        self.tried: list[Any] = []

    def socket(self, *_arguments: object) -> Refusing:
        """Make one."""
        return self

    def create_connection(self, address: object, timeout: float) -> Refusing:
        """Make one, and connect it."""
        self.settimeout(timeout)
        self.connect(address)
        return self

    def settimeout(self, seconds: float) -> None:
        """Accept it."""
        assert seconds > 0

    def connect(self, address: object) -> None:
        """Refuse it, if that is what it does."""
        self.tried.append(address)
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def close(self) -> None:
        """Do nothing."""


def attempt(name: str, own_file: str = sys.executable) -> bool:
    """Return whether this act is refused, as Windows' worker tries it."""
    return probe._is_refused(probe._attempts_on_windows(own_file)[name])


@pytest.fixture(autouse=True)
def contained(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Say whether the process is in an AppContainer: the one entry of the list."""
    answer = [False]
    monkeypatch.setattr(probe, "_is_contained", lambda: answer[0])
    return answer


def test_the_same_acts_are_tried_on_windows() -> None:
    assert list(probe._attempts_on_windows(sys.executable)) == list(probe._ATTEMPTS)


def test_outside_a_jail_each_act_succeeds_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_file = tmp_path / "worker.log"
    own_file.touch()
    monkeypatch.setenv("TEMP", str(tmp_path))
    assert [attempt(name, str(own_file)) for name in probe._ATTEMPTS] == [False] * 5
    assert list(tmp_path.iterdir()) == [own_file]


def test_a_file_is_read_and_written_where_the_parent_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing" / "worker.log"
    monkeypatch.setenv("TEMP", str(tmp_path / "gone"))
    assert attempt("read a file", str(missing))
    assert attempt("write a file", str(missing))
    monkeypatch.setenv("TEMP", str(tmp_path))  # one folder that allows it is enough
    assert not attempt("write a file", str(missing))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "refused"),
    [(PermissionError(errno.EACCES, "WSAEACCES"), True), (TimeoutError("nobody answers"), False), (None, False)],
)
def test_in_an_appcontainer_the_network_is_tried_with_an_address_of_nobody(
    monkeypatch: pytest.MonkeyPatch, contained: list[bool], error: OSError | None, refused: bool
) -> None:
    contained[0] = True
    stand_in = Refusing(error)
    monkeypatch.setattr(probe, "socket", stand_in)
    assert attempt("open a network socket") is refused
    assert stand_in.tried == [("192.0.2.1", 9)]


def test_outside_an_appcontainer_nothing_leaves_the_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = Refusing(None)
    monkeypatch.setattr(probe, "socket", stand_in)
    assert not attempt("open a network socket")
    assert stand_in.tried == []


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (PermissionError(errno.EACCES, "WSAEACCES"), True),
        (TimeoutError("dropped"), True),
        (ConnectionRefusedError("nobody listens, as under wine"), False),
        (None, False),
    ],
)
def test_this_computer_is_tried_with_a_part_of_windows_that_listens(
    monkeypatch: pytest.MonkeyPatch, error: OSError | None, refused: bool
) -> None:
    stand_in = Refusing(error)
    monkeypatch.setattr(probe, "socket", stand_in)
    assert attempt("open a local socket") is refused
    assert stand_in.tried == [("127.0.0.1", 135)]


def test_the_parent_names_a_file_on_windows_and_nothing_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own_file = str(tmp_path / "worker.log")
    if sys.platform != "win32":
        assert probe.targets(own_file) == {}
    monkeypatch.setattr(probe, "sys", SimpleNamespace(platform="win32", executable=sys.executable))
    assert probe.targets(own_file) == {"file": own_file}
    Path(own_file).touch()
    assert probe.probe({"id": 0, "probe": True, **probe.targets(own_file)})["read a file"] is False
    Path(own_file).unlink()
    assert probe.probe({"id": 0, "probe": True, **probe.targets(own_file)})["read a file"] is True
