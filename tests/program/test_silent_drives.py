"""The resident program and the client beside a real drive that does not answer: bindfs, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.drive import CAN_MOUNT, BindDrive
from tests.support.program import Program, outputs, wait_for
from watcher.desktop.overview import OverviewReader
from watcher.desktop.tray import ATTENTION, icon_state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_MOUNT, reason="bindfs, fusermount3 or /dev/fuse is missing"),
]
CLICK_SECONDS = 20  # a click takes one or two seconds; one that hangs takes for ever
NO_ANSWER = "it does not answer. nobg continues when it does."


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[BindDrive]:
    drive = BindDrive(tmp_path / "disk", tmp_path / "nas")
    yield drive
    drive.close()


def click(path: Path) -> "subprocess.CompletedProcess[str]":
    """Run the client, as a file manager does."""
    command = [sys.executable, "-c", "import sys; from watcher import enqueue; sys.exit(enqueue.main())", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=CLICK_SECONDS, check=False)


def test_a_stopped_drive_among_three_watched_folders_holds_up_neither_the_others_nor_a_click(
    nas: BindDrive, stand_in: Program, tmp_path: Path
) -> None:
    nas.mount()
    locals_ = [tmp_path / "a", tmp_path / "b"]
    elsewhere = tmp_path / "elsewhere"
    for folder in (*locals_, elsewhere):
        folder.mkdir()
    for folder in (locals_[0], nas.point, locals_[1]):
        stand_in("watch", "add", folder)
        (folder / "1.jpg").write_text(f"ok {folder.name} 1")
    stand_in.start()
    wait_for(stand_in.has_done(3))

    nas.stop_answering()
    (nas.disk / "2.jpg").write_text("ok nas 2")
    for folder in locals_:
        (folder / "2.jpg").write_text(f"ok {folder.name} 2")
    wait_for(stand_in.has_done(5), 30)
    (elsewhere / "c.jpg").write_text("ok click")
    assert click(elsewhere / "c.jpg").returncode == 0
    wait_for(stand_in.has_done(6), 30)
    result = click(nas.point / "2.jpg")
    assert (result.returncode, result.stderr) == (
        0,
        f"nobg: {nas.point} does not answer. Its pictures wait until it does.\n",
    )
    result = click(nas.point)
    assert (result.returncode, result.stderr) == (
        1,
        f"nobg: {nas.point}: its drive does not answer. Try again when it does.\n",
    )

    wait_for(lambda: stand_in.run_json("status")["waiting"])
    status = stand_in.run_json("status")
    assert status["waiting"] == [{"place": str(nas.point), "reason": "no_answer", "text": NO_ANSWER}]
    wait_for(lambda: stand_in.run_json("status")["folders"][1]["state"] == "does not answer")
    assert [folder["state"] for folder in stand_in.run_json("status")["folders"]][::2] == ["watched", "watched"]
    text = stand_in("status")
    assert f"Watched folder: {nas.point}: {NO_ANSWER}\n" in text
    assert f"Waiting: {nas.point}: {NO_ANSWER}\n" in text
    reader = OverviewReader(stand_in.state)
    overview = reader.read()
    reader.close()
    assert overview.problems == (f"{nas.point}: {NO_ANSWER}",)
    assert icon_state(overview) == ATTENTION
    assert "c.jpg" in stand_in("history")

    nas.answer_again()
    wait_for(stand_in.has_done(7))
    wait_for(lambda: not stand_in.run_json("status")["waiting"])
    wait_for(lambda: stand_in.run_json("status")["folders"][1]["state"] == "polled")
    assert sorted(stand_in.worker_inputs()) == sorted(
        ["ok a 1", "ok b 1", "ok nas 1", "ok a 2", "ok b 2", "ok nas 2", "ok click"]
    )
    assert outputs(nas.disk) == ["1_nobg.png", "2_nobg.png"]


def test_the_program_ends_as_usual_while_a_drive_does_not_answer(nas: BindDrive, stand_in: Program) -> None:
    nas.mount()
    stand_in("watch", "add", nas.point)
    stand_in.start()
    nas.stop_answering()
    assert click(nas.point / "a.jpg").returncode == 0
    wait_for(lambda: stand_in.run_json("status")["folders"][0]["state"] == "does not answer")
    wait_for(lambda: stand_in.run_json("status")["waiting"])
    assert stand_in.stop(signal.SIGTERM) == 0


def test_a_drive_mounted_inside_or_at_a_watched_folder_is_done_and_replaced_while_it_hangs(
    nas: BindDrive, stand_in: Program, tmp_path: Path
) -> None:
    album = tmp_path / "album"
    inner = BindDrive(tmp_path / "inner disk", tmp_path / "inner point")
    try:
        (album / "sub" / "nas").mkdir(parents=True)
        inner.point = album / "sub" / "nas"
        (inner.disk / "inside.jpg").write_text("ok inside")
        (nas.disk / "at.jpg").write_text("ok at")
        stand_in("watch", "add", album, "--recursive")
        stand_in("watch", "add", nas.point)
        stand_in.start()
        inner.mount()
        wait_for(stand_in.has_done(1))
        nas.mount()
        wait_for(stand_in.has_done(2))

        inner.stop_answering()
        (inner.disk / "later.jpg").write_text("ok later")
        (album / "sub" / "local.jpg").write_text("ok local")
        wait_for(stand_in.has_done(3))
        wait_for(lambda: f"{inner.point}: {NO_ANSWER}" in stand_in("status"))
        subprocess.run(["fusermount3", "-uz", str(inner.point)], check=True)
        again = BindDrive(inner.disk, inner.point)
        try:
            again.mount()
            wait_for(stand_in.has_done(4))
        finally:
            again.close()
    finally:
        inner.close()
    assert stand_in.stop(signal.SIGTERM) == 0
    assert sorted(stand_in.worker_inputs()) == ["ok at", "ok inside", "ok later", "ok local"]


def test_commands_about_a_drive_that_does_not_answer_end_and_say_so(nas: BindDrive, tmp_path: Path, home: Path) -> None:
    assert os.environ["NOBG_HOME"] == str(home)
    (nas.disk / "a.jpg").write_text("x")
    nas.mount()
    nas.stop_answering()
    sentence = f"nobg: {nas.point} does not answer. Check its connection, then try again.\n"
    for arguments in (
        ["remove", nas.point / "a.jpg"],
        ["remove", "-o", nas.point, "a.jpg"],
        ["watch", "add", nas.point],
    ):
        result = subprocess.run(
            [sys.executable, "-m", "watcher", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
        assert (result.returncode, result.stderr) == (4, sentence)
