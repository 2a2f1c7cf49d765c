"""The resident program as a person runs it: real processes, real folders, and SIGKILL."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.test_remove import assert_complete, fingerprints
from tests.conftest import ROOT, SAMPLES, Nobg, make_photo, wait_for
from tests.support.outputs import stand_in_output
from tests.support.program import Program, make_trees, outputs, wait_until_settled, write_while_stopped
from watcher.queue.journal import Journal

pytestmark = pytest.mark.slow


def test_a_client_starts_the_program_and_the_picture_is_done(tmp_path: Path, home: Path, photo: Path) -> None:
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())", "--", str(photo)]
    assert subprocess.run(client, check=False).returncode == 0
    try:
        wait_for((tmp_path / "photo_nobg.png").exists)
        assert_complete(tmp_path / "photo_nobg.png")
        status = json.loads(subprocess.check_output([sys.executable, "-m", "watcher", "status", "--json"]))
        assert (status["running"], status["offline"], status["problems"]) == (True, True, [])
        assert set(status) >= {"running", "paused", "queued", "active", "failed", "folders", "model", "offline"}
    finally:
        pid = int((home / "state" / "running.lock").read_text())
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not any(process.is_running() and process.status() != "zombie" for process in tree))


def test_the_pythonpath_of_the_persons_shell_breaks_neither_the_program_nor_its_worker(
    tmp_path: Path, home: Path, photo: Path
) -> None:
    for module in ("numpy", "PIL", "onnxruntime", "watchdog", "tomlkit"):
        (tmp_path / "ros").mkdir(exist_ok=True)
        (tmp_path / "ros" / f"{module}.py").write_text("raise SystemExit('of another Python')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'ros'}{os.pathsep}"}
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())", "--", str(photo)]
    assert subprocess.run(client, env=environment, cwd=tmp_path / "ros", check=False).returncode == 0
    try:
        wait_for((tmp_path / "photo_nobg.png").exists)
    finally:
        pid = int((home / "state" / "running.lock").read_text())
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
    again = [sys.executable, "-P", "-m", "watcher", "remove", "--force", str(photo)]
    assert subprocess.run(again, env=environment, cwd=tmp_path / "ros", check=False).returncode == 0


def test_a_second_program_ends_at_once(program: Program, nobg: Nobg) -> None:
    program.start()
    second = nobg("run", "--no-tray")
    assert second.returncode == 0
    assert "already running" in second.stdout
    assert program.run_json("status")["running"]


def test_of_many_programs_started_at_once_one_keeps_running(home: Path) -> None:
    (home / "state").mkdir()
    starts = [subprocess.Popen([sys.executable, "-m", "watcher", "run"], stdout=subprocess.PIPE) for _ in range(5)]
    try:
        wait_for(lambda: sum(start.poll() is None for start in starts) == 1)
        assert sorted(start.returncode for start in starts if start.poll() is not None) == [0, 0, 0, 0]
    finally:
        for start in starts:
            start.terminate()
            start.communicate()


def test_a_file_written_in_pieces_is_done_once_and_never_from_a_part(program: Program, folder: Path) -> None:
    program.watch()
    program.start()
    data = make_photo(folder.parent / "whole.jpg", quality=100).read_bytes()
    with (folder / "slow.jpg").open("wb", buffering=0) as file:
        for piece in range(8):
            file.write(data[piece * len(data) // 8 : (piece + 1) * len(data) // 8])
            time.sleep(0.5)
    wait_for(program.has_done(1))
    wait_until_settled(program)
    (job,) = program.finished_jobs()
    assert (job.state, job.attempts) == ("done", 1)
    assert outputs(folder) == ["slow_nobg.png"]


def test_a_download_is_done_once_when_it_gets_its_name(program: Program, folder: Path) -> None:
    program.watch()
    program.start()
    make_photo(folder / "x.png").rename(folder / "x.png.crdownload")
    time.sleep(2.5)
    (folder / "x.png.crdownload").rename(folder / "x.png")
    wait_for(program.has_done(1))
    wait_until_settled(program)
    assert outputs(folder) == ["x_nobg.png"]
    assert [job.source.name for job in program.finished_jobs()] == ["x.png"]


def test_folder_trees_that_appear_at_once_are_done_completely(stand_in: Program, folder: Path, tmp_path: Path) -> None:
    stand_in.watch("--recursive")
    stand_in.start()
    count = make_trees(folder, tmp_path, 100, 50)
    wait_for(stand_in.has_done(count), 120)
    assert len(outputs(folder)) == count
    assert sorted(stand_in.worker_inputs()) == sorted(set(stand_in.worker_inputs()))


def test_everything_that_arrives_while_the_program_is_suspended_is_queued(stand_in: Program, tmp_path: Path) -> None:
    process, before = write_while_stopped(stand_in, tmp_path / "many", 20, 200)
    stand_in.send_signal(signal.SIGCONT)
    wait_for(lambda: stand_in.counts()["queued"] == 4000)
    assert process.memory_info().rss - before < 20 << 20
    assert stand_in.run_json("status")["paused"]


def test_touching_a_file_redoes_nothing_and_editing_it_does(program: Program, folder: Path) -> None:
    program.watch()
    program.start()
    photo = make_photo(folder / "a.jpg")
    wait_for(program.has_done(1))
    first = (folder / "a_nobg.png").read_bytes()
    for _ in range(10):
        photo.touch()
        time.sleep(0.1)
    wait_until_settled(program)
    assert len(program.finished_jobs()) == 1
    make_photo(photo, quarter_turns=1)
    wait_for(program.has_done(2))
    assert outputs(folder) == ["a_nobg.png"]
    assert (folder / "a_nobg.png").read_bytes() != first
    (folder / "a_nobg.png").write_bytes(b"edited")
    make_photo(photo, quarter_turns=2)
    wait_for(program.has_done(3))
    assert outputs(folder) == ["a_nobg-2.png", "a_nobg.png"]
    assert (folder / "a_nobg.png").read_bytes() == b"edited"


def test_pictures_added_while_the_program_did_not_run_are_done_at_its_start_and_none_twice(
    stand_in: Program, folder: Path
) -> None:
    stand_in.watch()
    (folder / "a.jpg").write_text("ok a")
    stand_in.start()
    wait_for(stand_in.has_done(1))
    assert stand_in.stop() == 0
    (folder / "b.jpg").write_text("ok b")
    stand_in.start()
    wait_for(stand_in.has_done(2))
    wait_until_settled(stand_in)
    assert stand_in.worker_inputs() == ["ok a", "ok b"]


def test_kill_9_at_random_and_everything_is_done_once(stand_in: Program, folder: Path) -> None:
    for number in range(100):
        (folder / f"{number}.jpg").write_text(f"slow {number}")
    before = fingerprints(folder)
    stand_in.watch()
    random_numbers = random.Random(5)
    for _ in range(20):
        stand_in.start()
        time.sleep(random_numbers.random() * (1.0 if stand_in.counts()["queued"] else 3.0))
        stand_in.stop(signal.SIGKILL)
    stand_in.start()
    wait_for(stand_in.has_done(100), 120)
    assert outputs(folder) == sorted(f"{number}_nobg.png" for number in range(100))
    for number in range(100):
        assert (folder / f"{number}_nobg.png").read_bytes() == stand_in_output(f"slow {number}")
    assert fingerprints(folder) == before


def test_a_picture_that_kills_the_worker_fails_for_good_and_others_are_done(stand_in: Program, folder: Path) -> None:
    stand_in.start()
    for name, content in (("bad", "die"), ("good", "ok")):
        (folder / f"{name}.jpg").write_text(content)
    stand_in("add", folder)
    wait_for(lambda: stand_in.counts()["failed"] == 1 and stand_in.counts()["done"] == 1)
    assert stand_in.worker_inputs().count("die") == 3
    (failed,) = [job for job in stand_in.finished_jobs() if job.state == "failed"]
    assert (failed.reason, failed.attempts) == ("worker_died", 3)
    stand_in.stop()
    stand_in.start()
    wait_until_settled(stand_in)
    assert stand_in.worker_inputs().count("die") == 3


def test_a_persons_request_comes_before_a_watched_folder_with_many_pictures(
    stand_in: Program, folder: Path, tmp_path: Path
) -> None:
    for number in range(100):
        (folder / f"{number}.jpg").write_text(f"slow {number}")
    (tmp_path / "urgent.jpg").write_text("ok urgent")
    stand_in.watch()
    stand_in.start()
    wait_for(lambda: stand_in.counts()["done"] > 2)
    stand_in("add", tmp_path / "urgent.jpg")
    wait_for((tmp_path / "urgent_nobg.png").exists)
    assert stand_in.counts()["queued"] > 20


def test_pause_and_resume(stand_in: Program, folder: Path) -> None:
    (folder / "a.jpg").write_text("ok")
    stand_in.watch()
    stand_in("pause")
    stand_in.start()
    wait_for(lambda: stand_in.counts()["queued"] == 1)
    status = stand_in.run_json("status")
    assert (status["paused"], status["queued"]) == (True, 1)
    assert stand_in.run_json("resume") == {"paused": False}
    wait_for(stand_in.has_done(1))


def test_a_stop_requeues_the_active_picture_and_leaves_no_worker(stand_in: Program, folder: Path) -> None:
    (folder / "a.jpg").write_text("hang")
    stand_in.start()
    stand_in("add", folder / "a.jpg")
    wait_for(lambda: stand_in.worker_inputs() == ["hang"])
    assert stand_in.process is not None
    children = psutil.Process(stand_in.process.pid).children()
    assert children
    assert stand_in.stop() == 0
    assert not any(child.is_running() for child in children)
    journal = Journal(stand_in.state)
    job = journal.next_job()
    assert job is not None
    assert (job.state, job.attempts, job.interrupted) == ("queued", 0, 0)


def test_a_stop_finishes_the_active_picture_and_starts_no_other(stand_in: Program, folder: Path) -> None:
    for number in range(6):
        (folder / f"{number}.jpg").write_text("second")
    stand_in.start()
    stand_in("add", folder)
    wait_for(stand_in.worker_inputs)
    assert stand_in.stop() == 0
    done = [job.source.name for job in stand_in.finished_jobs() if job.state == "done"]
    assert done in (["0.jpg"], ["0.jpg", "1.jpg", "2.jpg"])  # as many as the worker had
    assert stand_in.counts()["queued"] == 6 - len(done)
    assert outputs(folder) == [f"{Path(name).stem}_nobg.png" for name in done]


def test_a_click_while_the_program_ends_is_done_by_the_next_one(
    stand_in: Program, folder: Path, home: Path, photo: Path
) -> None:
    (folder / "a.jpg").write_text("hang")
    stand_in.start()
    stand_in("add", folder / "a.jpg")
    wait_for(lambda: stand_in.worker_inputs() == ["hang"])
    stand_in.send_signal(signal.SIGTERM)
    wait_for(lambda: b"ending" in (home / "state" / "running.lock").read_bytes())
    client = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())", "--", str(photo)]
    assert subprocess.run(client, check=False).returncode == 0
    assert stand_in.process is not None
    assert stand_in.process.poll() is None, "the program had ended before the click"
    ending = stand_in.process.pid
    stand_in.stop()
    lock_file = home / "state" / "running.lock"
    wait_for(lambda: lock_file.read_text().split() not in ([], [str(ending), "ending"]))
    try:
        wait_for(photo.with_name("photo_nobg.png").exists)
    finally:
        os.kill(int(lock_file.read_text()), signal.SIGTERM)
    wait_for(lambda: not stand_in.run_json("status")["running"])


def test_a_program_started_while_another_ends_takes_over(stand_in: Program, folder: Path, home: Path) -> None:
    (folder / "a.jpg").write_text("hang")
    stand_in.start()
    stand_in("add", folder / "a.jpg")
    wait_for(lambda: stand_in.worker_inputs() == ["hang"])
    stand_in.send_signal(signal.SIGTERM)
    following = Program(home, folder, stand_in=True)
    following.start()  # waits for "nobg is running"
    assert stand_in.stop() == 0
    assert following.run_json("status")["running"]
    assert following.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_program_ends_cleanly_however_the_login_session_ends(stand_in: Program, number: int) -> None:
    stand_in.start()
    assert stand_in.stop(number) == 0
    assert not stand_in.run_json("status")["running"]


def test_a_program_that_nohup_started_outlives_its_terminal(stand_in: Program) -> None:
    stand_in.start("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    stand_in.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert stand_in.run_json("status")["running"]
    assert stand_in.stop() == 0


def test_a_destination_that_has_room_again_is_used_while_much_else_is_queued(
    stand_in: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import runpy, sys; from watcher.program import resident; resident.CHECK_INTERVAL_SECONDS = 0.2; "
        "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    monkeypatch.setattr(stand_in, "command", [sys.executable, "-c", code, *stand_in.command[1:]])
    stand_in.state.mkdir()
    journal = Journal(stand_in.state)
    stand_in.start()
    for number in range(100):
        (folder / f"{number}.jpg").write_text(f"slow {number}")
    (folder / "sub").mkdir()
    (folder / "sub" / "a.jpg").write_text("ok first")
    stand_in("pause")
    stand_in("add", folder / "sub" / "a.jpg", folder)
    journal.pause(folder / "sub", "read_only")  # it is not: the first check ends the pause
    stand_in("resume")
    wait_for((folder / "sub" / "a_nobg.png").exists)
    assert stand_in.counts()["queued"] > 10


def test_of_two_programs_after_the_state_folder_was_deleted_one_keeps_running(stand_in: Program, folder: Path) -> None:
    stand_in.start()
    first = stand_in.process
    assert first is not None
    shutil.rmtree(stand_in.state)
    second = subprocess.Popen([*stand_in.command, "run", "--no-tray"], stdout=subprocess.PIPE)
    wait_for(lambda: first.poll() is not None or second.poll() is not None)  # the second to try the new lock
    ended, stand_in.process = (first, second) if second.poll() is None else (second, first)
    ended.communicate(timeout=60)
    assert ended.returncode == 0
    (folder / "a.jpg").write_text("ok")
    stand_in("add", folder)
    wait_for(stand_in.has_done(1))


def test_settings_apply_when_they_are_saved_and_broken_ones_do_not(
    stand_in: Program, folder: Path, home: Path, tmp_path: Path
) -> None:
    stand_in.start()
    (tmp_path / "second").mkdir()
    stand_in.watch()
    (folder / "a.jpg").write_text("ok a")
    wait_for(stand_in.has_done(1))
    settings = home / "config" / "config.toml"
    good_text = settings.read_text()
    settings.write_text(good_text + "\n[[folders]]\npath = 5\n")
    wait_for(lambda: "last good settings stay" in (home / "state" / "nobg.log").read_text())
    assert [watched["path"] for watched in stand_in.run_json("watch", "list")["folders"]] == [str(folder)]
    (problem,) = stand_in.run_json("status")["problems"]
    line = len(good_text.splitlines()) + 3
    assert f"{settings}, line {line}, path: it must be text" in problem
    (folder / "b.jpg").write_text("ok b")
    wait_for(stand_in.has_done(2))
    stand_in.stop()
    stand_in.process = subprocess.Popen(
        [*stand_in.command, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False
    )
    (folder / "c.jpg").write_text("ok c")
    wait_for(stand_in.has_done(3))
    settings.write_text(f'{good_text}\n[[folders]]\npath = "{tmp_path / "second"}"\noutput = "cut"\n')
    (tmp_path / "second" / "d.jpg").write_text("ok d")
    wait_for(stand_in.has_done(4))
    assert (tmp_path / "second" / "cut" / "d_nobg.png").exists()


def test_originals_are_moved_only_if_requested_and_undo_moves_them_back(
    stand_in: Program, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in.watch("--move-originals", "--recursive", "-o", "cut")
    (folder / "done").mkdir()
    (folder / "done" / "a.jpg").write_text("another picture")
    (folder / "a.jpg").write_text("ok a")
    stand_in.start()
    wait_for(stand_in.has_done(1))
    wait_until_settled(stand_in)
    assert (folder / "done" / "a-2.jpg").read_text() == "ok a"
    assert (folder / "done" / "a.jpg").read_text() == "another picture"
    assert outputs(folder) == ["a_nobg.png"]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (undone,) = stand_in.run_json("undo")["jobs"]
    assert (undone["undone"], undone["left"]) == (True, None)
    assert not (folder / "cut" / "a_nobg.png").exists()
    assert (tmp_path / "data" / "Trash" / "files" / "a_nobg.png").read_bytes() == stand_in_output("ok a")
    assert (folder / "a.jpg").read_text() == "ok a"
    wait_until_settled(stand_in)
    assert stand_in.worker_inputs() == ["ok a"]  # an undone job is not done again
    assert (folder / "a.jpg").exists()


def test_a_picture_with_the_name_of_a_moved_one_replaces_nothing(stand_in: Program, folder: Path) -> None:
    stand_in.watch("--move-originals")
    stand_in.start()
    for count in (1, 2):
        (folder / "IMG_0001.jpg").write_text(f"ok {count}")
        wait_for(stand_in.has_done(count))
    assert (folder / "IMG_0001_nobg.png").read_bytes() == stand_in_output("ok 1")
    assert (folder / "IMG_0001_nobg-2.png").read_bytes() == stand_in_output("ok 2")
    assert sorted(os.listdir(folder / "done")) == ["IMG_0001-2.jpg", "IMG_0001.jpg"]


def test_a_job_whose_original_was_moved_can_be_tried_again(stand_in: Program, folder: Path) -> None:
    stand_in.watch("--move-originals")
    (folder / "a.jpg").write_text("ok a")
    stand_in.start()
    wait_for((folder / "done" / "a.jpg").exists)
    wait_for(stand_in.has_done(1))
    assert [job["state"] for job in stand_in.run_json("retry", "1")["jobs"]] == ["queued"]
    wait_for(lambda: stand_in.worker_inputs() == ["ok a", "ok a"])
    wait_for(stand_in.has_done(1))
    assert (folder / "done" / "a.jpg").exists()
    assert outputs(folder) == ["a_nobg.png"]


def test_damaged_records_are_reported_and_nothing_is_done_again(stand_in: Program, folder: Path, home: Path) -> None:
    for name in "ab":
        (folder / f"{name}.jpg").write_text(f"ok {name}")
    stand_in.watch()
    stand_in.start()
    wait_for(stand_in.has_done(2))
    stand_in.stop()
    for path in (home / "state").glob("jobs.db*"):
        path.write_bytes(b"\xff" * 20000)
    (folder / "c.jpg").write_text("ok c")
    stand_in.start()
    wait_for(stand_in.has_done(3))
    assert outputs(folder) == ["a_nobg.png", "b_nobg.png", "c_nobg.png"]
    assert stand_in.worker_inputs() == ["ok a", "ok b", "ok c"]
    (problem,) = stand_in.run_json("status")["problems"]
    assert str(home / "state" / "jobs.damaged-1.db") in problem


def test_records_that_are_lost_while_the_program_runs_are_replaced_by_new_ones(
    stand_in: Program, folder: Path, home: Path
) -> None:
    stand_in.watch()
    stand_in.start()
    (folder / "a.jpg").write_text("ok a")
    wait_for(stand_in.has_done(1))
    (home / "state" / "jobs.db").rename(home / "state" / "elsewhere.db")
    (folder / "b.jpg").write_text("ok b")
    wait_for((folder / "b_nobg.png").exists)


ODD = [
    "x" * 246 + ".jpg",
    "new\nline.jpg",
    "\U0001f600.jpg",
    os.fsdecode(b"latin\xe9.jpg"),
    "-rf.jpg",
    "a'b\"c$d`e.jpg",
]


def test_odd_names_are_done_and_odd_things_are_never_opened(stand_in: Program, folder: Path) -> None:
    for number, name in enumerate(ODD):
        (folder / name).write_text(f"ok {number}")
    (folder / "link.jpg").symlink_to(ODD[2])
    os.mkfifo(folder / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.jpg"))
        stand_in.watch()
        stand_in.start()
        wait_for(stand_in.has_done(len(ODD)))
        wait_until_settled(stand_in)
    assert sorted(stand_in.worker_inputs()) == [f"ok {number}" for number in range(len(ODD))]
    assert len(outputs(folder)) == len(ODD)
    assert all(len(os.fsencode(name)) <= 255 for name in outputs(folder))
    shown = stand_in("history")
    assert "new\\x0aline.jpg" in shown


def may_mount() -> bool:
    """Return whether the tests may mount a file system in a namespace of their own."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_a_full_disk_pauses_its_folder_until_there_is_room(stand_in: Program, folder: Path) -> None:
    """The program runs in a mount namespace of its own, where the folder is a disk of 2 MB."""
    stand_in.watch()
    script = 'mount -t tmpfs -o size=2M none "$0" && exec "$@"'
    stand_in.start("unshare", "--mount", "sh", "-c", script, str(folder))
    assert stand_in.process is not None
    inside = Path(f"/proc/{stand_in.process.pid}/root{folder}")
    (inside / "filler").write_bytes(bytes(1700 << 10))
    (inside / "a.jpg").write_text("large")
    wait_for(lambda: stand_in.run_json("status")["waiting"])
    status = stand_in.run_json("status")
    assert [(pause["place"], pause["reason"]) for pause in status["waiting"]] == [(str(folder), "full")]
    assert (status["queued"], status["failed"]) == (1, 0)
    assert outputs(inside) == []
    (inside / "filler").unlink()
    wait_for(stand_in.has_done(1))
    assert outputs(inside) == ["a_nobg.png"]
    assert stand_in.run_json("status")["waiting"] == []


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_a_drive_that_is_unplugged_pauses_its_pictures_and_fails_none(stand_in: Program, folder: Path) -> None:
    mount_and_run = 'mount -t tmpfs none "$0" && exec "$@"'
    stand_in("pause")
    stand_in.start("unshare", "--mount", "sh", "-c", mount_and_run, str(folder))
    assert stand_in.process is not None
    namespace = ["nsenter", "--mount", "--target", str(stand_in.process.pid)]
    add_and_unmount = 'echo "ok a" > "$0/a.jpg" && "$@" add "$0/a.jpg" && umount "$0"'
    command = [*namespace, "sh", "-c", add_and_unmount, str(folder), sys.executable, "-m", "watcher"]
    subprocess.run(command, check=True, cwd=ROOT)
    stand_in("resume")
    wait_for(lambda: stand_in.run_json("status")["waiting"])
    status = stand_in.run_json("status")
    assert (status["waiting"][0]["reason"], status["queued"], status["failed"]) == ("missing", 1, 0)
    mount_again = 'mount -t tmpfs none "$0" && echo "ok a" > "$0/a.jpg"'
    subprocess.run([*namespace, "sh", "-c", mount_again, str(folder)], check=True)
    wait_for(stand_in.has_done(1))


def test_folders_beyond_the_inotify_limit_are_reported_and_swept(stand_in: Program, folder: Path) -> None:
    limit_and_run = 'echo 3 > /proc/sys/user/max_inotify_watches && exec "$@"'
    trial = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", limit_and_run, "x", "true"], check=False
    )
    if trial.returncode:
        pytest.skip("needs user namespaces")
    for number in range(10):
        (folder / str(number)).mkdir()
    stand_in.watch("--recursive")
    stand_in.start("unshare", "--user", "--map-root-user", "sh", "-c", limit_and_run, "x")
    wait_for(lambda: stand_in.run_json("status")["folders"][0]["state"] == "polled")
    (watched,) = stand_in.run_json("status")["folders"]
    assert "sudo sysctl fs.inotify.max_user_watches=" in watched["problem"]
    for number in range(10):
        (folder / str(number) / "a.jpg").write_text(f"ok {number}")
    wait_for(stand_in.has_done(10))


def test_the_log_is_private_and_has_one_line_for_each_job(stand_in: Program, folder: Path, home: Path) -> None:
    (folder / "new\nline.jpg").write_text("ok")
    stand_in.start()
    stand_in("add", folder)
    wait_for(stand_in.has_done(1))
    stand_in.stop()
    log = home / "state" / "nobg.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert [line for line in log.read_text().splitlines() if "Job 1: done" in line and "new\\x0aline_nobg.png" in line]
    assert log.read_text().splitlines()[-1].endswith("Stopped")


def test_a_real_worker_is_stopped_when_there_is_nothing_to_do(
    program: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from watcher.cli.main import main; from watcher.program import resident; "
        "resident.WORKER_IDLE_SECONDS = 1.0; import sys; sys.exit(main())"
    )
    monkeypatch.setattr(program, "command", [sys.executable, "-c", code])
    program.start()
    shutil.copy(SAMPLES / "coffee.jpg", folder / "a.jpg")
    program("add", folder)
    wait_for(program.has_done(1))
    assert program.process is not None
    process = psutil.Process(program.process.pid)
    wait_for(lambda: not process.children())
    shutil.copy(SAMPLES / "astronaut.jpg", folder / "b.jpg")
    program("add", folder / "b.jpg")
    wait_for(program.has_done(2))
    assert_complete(folder / "b_nobg.png")
