"""enqueue.py: `nobg-add`."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from watcher.enqueue import main, to_path

from .conftest import make_photo
from .test_remove import assert_complete


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("/a/b.jpg", b"/a/b.jpg"),
        ("file:///a/with%20space.jpg", b"/a/with space.jpg"),
        ("file:///a/100%25.jpg", b"/a/100%.jpg"),
        ("file:///a/caf%E9.jpg", b"/a/caf\xe9.jpg"),
        ("file:///a/why?#1.jpg", b"/a/why?#1.jpg"),
        ("file://host/a/%0A.jpg", b"/a/\n.jpg"),
        ("file_not_uri.jpg", b"file_not_uri.jpg"),
    ],
)
def test_paths_and_uris_become_paths(argument: str, path: bytes) -> None:
    assert os.fsencode(to_path(argument)) == path


def test_a_folder_is_handed_over_as_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_options: started.append(command))
    for number in range(3):
        (tmp_path / f"{number}.jpg").touch()
    assert main(["--", str(tmp_path)]) == 0
    assert [command[-2:] for command in started] == [["--", str(tmp_path)]]
    assert main([]) == 1


def test_pictures_are_handed_over_and_what_is_none_is_said(tmp_path: Path) -> None:
    photo = make_photo(tmp_path / "it's 100%.jpg")
    (tmp_path / "notes.txt").touch()
    command = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())"]
    arguments = ["--", photo.as_uri(), str(tmp_path / "notes.txt"), str(tmp_path / "gone.jpg")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "notes.txt: this is not a kind of picture" in done.stderr
    assert "gone.jpg: the file is not there" in done.stderr
    output = tmp_path / "it's 100%_nobg.png"
    deadline = time.monotonic() + 120
    while not output.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert_complete(output)
