"""host.py: what a person has drawn is kept, whatever fails or ends, and so is what this nobg cannot read."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from tests.editor.conftest import STROKE, OpenWindow
from watcher.editor import saving
from watcher.editor.host import Host
from watcher.editor.sources import Photo
from watcher.errors import NobgError
from watcher.queue.journal import Journal
from watcher.queue.touchup.edits import Edits


def content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("is_dead", [False, True])
def test_edits_drawn_while_the_host_was_busy_are_kept_if_the_window_ends(
    open_window: OpenWindow, photo: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, is_dead: bool
) -> None:
    has_read_all, may_save = threading.Event(), threading.Event()
    read_window = Host._read_window

    def read(host: Host) -> None:
        read_window(host)
        has_read_all.set()

    def save(photo: Photo, *_arguments: object) -> Path:
        may_save.wait()
        return photo.path

    monkeypatch.setattr(Host, "_read_window", read)
    monkeypatch.setattr(saving, "save", save)
    window = open_window(photo)
    window.wait_for("opened")
    window.ask("save", recipe="")
    window.ask("edits", STROKE.encode())
    window.to_host.close()
    if is_dead:
        window.from_host.close()
    has_read_all.wait()
    may_save.set()
    window.close()
    assert journal.edits.of(content(photo)) == STROKE


def test_save_keeps_edits_that_could_not_be_kept_before_and_fails_if_it_cannot(
    open_window: OpenWindow, photo: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(photo)
    window.wait_for("opened")
    with monkeypatch.context() as patch:
        patch.setattr(Edits, "store", _fail)
        assert window.ask_and_wait("edits", STROKE.encode())["state"] == "done"
        answer = window.ask_and_wait("save", recipe="")
        assert (answer["state"], "the disk is full" in answer["text"]) == ("failed", True)
    assert not photo.with_name("photo_nobg.png").exists()
    assert window.ask_and_wait("save", recipe="")["state"] == "done"
    assert STROKE.encode() in photo.with_name("photo_nobg.png").read_bytes()
    assert journal.edits.of(content(photo)) == STROKE


def test_edits_of_a_later_nobg_stay_until_the_person_changes_something(
    open_window: OpenWindow, photo: Path, journal: Journal
) -> None:
    later = '[{"tool": "of a later nobg"}]'
    journal.edits.store(content(photo), later)
    window = open_window(photo)
    window.wait_for("opened")
    assert window.payloads["opened"] == b""
    assert window.ask_and_wait("edits", b"")["state"] == "done"  # so does the window when it shows the photo
    assert window.ask_and_wait("save", recipe="")["state"] == "done"
    assert journal.edits.of(content(photo)) == later
    for edits in (STROKE, ""):
        assert window.ask_and_wait("edits", edits.encode())["state"] == "done"
        assert journal.edits.of(content(photo)) == edits


def _fail(*_arguments: object) -> None:
    raise NobgError("the disk is full.")
