"""`nobg remove`, as a person runs it."""

import hashlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES, Nobg, make_photo, unprivileged_prefix
from tests.picture.samples import EPS, bomb

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fast_model")]

RemoveJson = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


def fingerprints(folder: Path) -> dict[str, tuple[str, int]]:
    """Return each original's content hash and modification time, by its path in the folder."""
    originals = [path for path in folder.rglob("*") if path.is_file() and "_nobg" not in path.name]
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in originals}


def assert_complete(path: Path) -> None:
    """Assert that the cut-out can be read to its end."""
    with Image.open(path) as image:
        image.load()
        assert image.mode == "RGBA"


def test_a_photo_gets_its_cut_out_beside_it_and_stays_as_it_was(nobg: Nobg, tmp_path: Path, photo: Path) -> None:
    before = fingerprints(tmp_path)
    result = nobg("remove", photo.name)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 'photo_nobg.png'}\n"
    assert fingerprints(tmp_path) == before
    with Image.open(tmp_path / "photo_nobg.png") as image:
        alpha = np.asarray(image)[..., 3]
        assert image.size == (256, 256)
    assert 0.3 < (alpha > 127).mean() < 0.7


def test_a_jpeg_whose_last_rows_are_missing_is_done_with_a_note(nobg: Nobg, tmp_path: Path, photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:-40])
    result = nobg("remove", photo)
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / 'photo_nobg.png'}\n")
    assert "photo.jpg: the end of the file is missing, and with it the lowest rows" in result.stderr


def test_a_second_run_says_so_and_writes_nothing(nobg: Nobg, tmp_path: Path, photo: Path) -> None:
    nobg("remove", photo)
    written = (tmp_path / "photo_nobg.png").stat()
    again = nobg("remove", photo)
    assert again.returncode == 0
    assert "has not changed" in again.stderr
    assert again.stdout == f"{tmp_path / 'photo_nobg.png'}\n"
    assert (tmp_path / "photo_nobg.png").stat() == written


def test_folders_recursive_and_output_folder(remove_json: RemoveJson, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    make_photo(tmp_path / "in" / "a.png")
    make_photo(tmp_path / "in" / "sub" / "a.webp")
    code, jobs = remove_json("in", "--recursive", "-o", "new/out")
    assert code == 0
    assert {name: Path(job["output"]).name for name, job in jobs.items()} == {
        "a.png": "a_nobg.png",
        "a.webp": "a_nobg-2.png",
    }
    assert sorted(os.listdir(tmp_path / "new" / "out")) == ["a_nobg-2.png", "a_nobg.png"]


ODD_NAMES = ["with space.jpg", "it's.jpg", "-dash.jpg", "ünï.jpg", "100%20%f.jpg", "a;b&c$d`e.jpg", "new\nline.jpg"]


def test_odd_file_names_are_plain_names(remove_json: RemoveJson, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    for name in ODD_NAMES:
        make_photo(tmp_path / "odd" / name)
    shutil.copy(os.fsencode(tmp_path / "odd" / ODD_NAMES[0]), os.fsencode(tmp_path / "odd") + b"/latin\xe9.jpg")
    code, jobs = remove_json("odd")
    assert code == 0
    assert len(jobs) == len(ODD_NAMES) + 1
    for name in ODD_NAMES:
        assert_complete(tmp_path / "odd" / name.replace(".jpg", "_nobg.png"))
    assert os.path.exists(os.fsencode(tmp_path / "odd") + b"/latin\xe9_nobg.png")


def test_bad_inputs_fail_alone_each_with_its_reason(
    remove_json: RemoveJson, nobg: Nobg, tmp_path: Path, photo: Path
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "empty.jpg").touch()
    (bad / "cut.jpg").write_bytes((SAMPLES / "coffee.jpg").read_bytes()[:30_000])
    (bad / "random.png").write_bytes(random.Random(1).randbytes(50_000))
    (bad / "bomb.png").write_bytes(bomb())
    (bad / "eps.png").write_bytes(EPS)
    os.mkfifo(bad / "fifo.jpg")
    (bad / "folder.jpg").mkdir()
    (bad / "loop.jpg").symlink_to("loop.jpg")
    shutil.copy(photo, bad / "locked.jpg")
    (bad / "locked.jpg").chmod(0)
    shutil.copy(photo, bad / "zz-good.jpg")
    expected = {
        "empty.jpg": "unreadable",
        "cut.jpg": "truncated",
        "random.png": "unsupported",
        "bomb.png": "too_large",
        "eps.png": "unsupported",
        "fifo.jpg": "unsupported",
        "folder.jpg": "unsupported",
        "loop.jpg": "unreadable",
        "locked.jpg": "no_permission",
        "gone.jpg": "vanished",
    }
    code, jobs = remove_json("bad", "bad/gone.jpg", "bad/loop.jpg", "photo.jpg", prefix=unprivileged_prefix())
    assert code == 4
    assert {name: job["reason"] for name, job in jobs.items() if job["state"] == "failed"} == expected
    assert {name for name, job in jobs.items() if job["state"] == "done"} == {"zz-good.jpg", "photo.jpg"}
    (bad / "locked.jpg").unlink()
    plain = nobg("remove", "bad", "bad/gone.jpg", "bad/loop.jpg")
    assert plain.returncode == 1
    for name in expected.keys() - {"locked.jpg"}:
        assert f"{name}: " in plain.stderr
    assert "Traceback" not in plain.stderr


def test_a_read_only_folder_fails_only_the_pictures_in_it(remove_json: RemoveJson, tmp_path: Path, photo: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    shutil.copy(photo, locked / "a.jpg")
    locked.chmod(0o555)
    code, jobs = remove_json("locked", "photo.jpg", prefix=unprivileged_prefix())
    assert code == 4
    assert (jobs["a.jpg"]["state"], jobs["a.jpg"]["reason"]) == ("failed", "no_permission")
    assert jobs["photo.jpg"]["state"] == "done"
    assert os.listdir(locked) == ["a.jpg"]


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("remove",), 2), (("fly",), 2), (("--version",), 0)])
def test_wrong_usage_exits_2(nobg: Nobg, arguments: tuple[str, ...], code: int) -> None:
    assert nobg(*arguments).returncode == code


def test_an_output_folder_that_is_a_file_is_wrong_usage(nobg: Nobg, photo: Path) -> None:
    result = nobg("remove", photo, "-o", photo)
    assert result.returncode == 2
    assert "is not a folder" in result.stderr


def test_a_damaged_journal_is_reported_and_the_work_continues(
    nobg: Nobg, tmp_path: Path, photo: Path, home: Path
) -> None:
    (home / "state").mkdir()
    (home / "state" / "jobs.db").write_bytes(b"garbage" * 1000)
    result = nobg("remove", photo)
    assert result.returncode == 0
    assert "jobs.damaged-1.db" in result.stderr
    assert_complete(tmp_path / "photo_nobg.png")


def test_a_state_folder_that_cannot_be_used_is_reported(
    nobg: Nobg, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOBG_HOME", "/proc/nobg")
    result = nobg("remove", photo)
    assert result.returncode == 4
    assert "NOBG_HOME=DIR" in result.stderr
    assert "Traceback" not in result.stderr


def test_json_has_the_fields_of_the_contract(nobg: Nobg, home: Path, tmp_path: Path, photo: Path) -> None:
    (home / "config" / "config.toml").unlink()  # with the default mode
    answer = json.loads(nobg("remove", "--json", photo).stdout)
    assert list(answer) == ["jobs"]
    (job,) = answer["jobs"]
    assert set(job) >= {"id", "source", "output", "state", "reason", "seconds", "model", "verdict", "doubt"}
    assert job["source"] == str(photo)
    assert job["output"] == str(tmp_path / "photo_nobg.png")
    assert (job["state"], job["reason"], job["verdict"], job["model"]) == ("done", None, "subject", "balanced")
    assert job["seconds"] > 0
    assert 0 <= job["doubt"] < 0.5
    (shown,) = json.loads(nobg("history", "--json").stdout)["jobs"]
    assert shown["doubt"] == job["doubt"]


def test_a_closed_pipe_or_a_full_disk_for_the_output_does_not_stop_the_work(tmp_path: Path) -> None:
    command = f"{sys.executable} -m watcher remove in"
    for redirection in ("| head -c 1", "> /dev/full", ">&-", ">&- 2>&-"):
        make_photos(tmp_path / "in", 3)
        result = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, ""), redirection
        assert len(list((tmp_path / "in").glob("*_nobg.png"))) == 3, redirection
        shutil.rmtree(tmp_path / "in")


def test_a_program_that_reads_the_output_gets_each_name_byte_for_byte(tmp_path: Path, photo: Path) -> None:
    names = [b"latin\xe9.jpg", "日本.jpg".encode(), b"es\x1bcape.jpg"]
    for name in names:
        shutil.copy(os.fsencode(photo), os.fsencode(tmp_path) + b"/" + name)
    command = [os.fsencode(sys.executable), b"-m", b"watcher", b"remove", *names]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "latin-1"}
    )
    expected = [os.fsencode(tmp_path) + b"/" + name.replace(b".jpg", b"_nobg.png") for name in names]
    assert result.stdout.splitlines() == expected
    assert all(os.path.exists(path) for path in expected)


def test_control_characters_in_a_file_name_do_not_reach_the_terminal(nobg: Nobg, tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jevil\r.jpg").touch()
    assert "/\\x1b[2Jevil\\x0d.jpg: the file is empty" in nobg("remove", ".").stderr


def test_an_output_folder_is_the_same_however_it_is_spelled(nobg: Nobg, tmp_path: Path, photo: Path) -> None:
    (tmp_path / "sub").mkdir()
    for spelling in ("out", "sub/../out", f"{tmp_path}/./out/"):
        assert nobg("remove", photo, "-o", spelling).returncode == 0
    assert os.listdir(tmp_path / "out") == ["photo_nobg.png"]


def test_in_a_folder_that_was_renamed_cut_outs_are_known_by_their_content(
    nobg: Nobg, tmp_path: Path, home: Path
) -> None:
    make_photos(tmp_path / "album", 1)
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "config.toml").write_text(
        'model = "fast"\n[recipes.cut]\nsuffix = "-cut"\n[recipes.white]\nbackground = "white"\n'
    )
    assert nobg("remove", "album", "--recipe", "cut").returncode == 0
    (tmp_path / "album" / "00-cut.png").rename(tmp_path / "album" / "mug.png")
    (tmp_path / "album").rename(tmp_path / "renamed")
    assert nobg("remove", "renamed", "--recipe", "white").returncode == 0
    assert sorted(os.listdir(tmp_path / "renamed")) == ["00.jpg", "00_nobg.png", "mug.png"]


def make_photos(folder: Path, count: int) -> None:
    """Make a folder with photos that differ in content."""
    folder.mkdir()
    data = (SAMPLES / "chelsea.jpg").read_bytes()
    for number in range(count):
        (folder / f"{number:02}.jpg").write_bytes(data + bytes([number]))


def start_remove(folder: Path, **options: Any) -> "subprocess.Popen[bytes]":
    """Start `nobg remove FOLDER`. It heeds Ctrl-C even if the tests run in the background of a shell."""
    heed_interrupt = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    run_module = "runpy.run_module('watcher', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", f"{heed_interrupt}; {run_module}", "remove", str(folder)]
    return subprocess.Popen(command, start_new_session=True, **options)


def test_ctrl_c_leaves_nothing_half_done_and_exits_130(tmp_path: Path) -> None:
    make_photos(tmp_path / "in", 60)
    with start_remove(tmp_path / "in", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().startswith("nobg: Stopped.")
    outputs = list((tmp_path / "in").glob("*.png"))
    assert 1 <= len(outputs) < 60
    for path in outputs:
        assert_complete(path)
    assert {path.suffix for path in (tmp_path / "in").iterdir()} == {".jpg", ".png"}


def test_kill_9_at_random_moments_20_times_and_everything_is_done_once(nobg: Nobg, tmp_path: Path) -> None:
    kill_repeatedly(nobg, tmp_path / "in", 20)


def kill_repeatedly(nobg: Nobg, folder: Path, count: int) -> None:
    """Kill `nobg remove` `count` times, on `count` pictures, then let it finish."""
    make_photos(folder, count)
    before = fingerprints(folder)
    random_numbers = random.Random(11)
    interrupted = 0
    for _ in range(count):
        with start_remove(folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(0.2 + random_numbers.random() * 2.2)
            interrupted += process.poll() is None
            process.kill()
        outputs = list(folder.glob("*.png"))
        for path in outputs:
            assert_complete(path)
            if len(outputs) == count:  # a fast machine: give it more to do
                path.unlink()
    assert interrupted >= count // 3
    assert nobg("remove", folder).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [f"{number:02}.jpg" for number in range(count)] + [f"{number:02}_nobg.png" for number in range(count)]
    )
    assert fingerprints(folder) == before


def test_on_a_terminal_a_bar_shows_how_many_and_how_long(tmp_path: Path) -> None:
    make_photos(tmp_path / "in", 3)
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (30, 100))
    with start_remove(tmp_path / "in", stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                chunk = os.read(controller, 4096)
            except OSError:  # the last writer has closed the terminal
                break
            if not chunk:
                break
            shown += chunk
    os.close(controller)
    assert process.returncode == 0
    assert b"0 of 3" in shown
    assert b"2 of 3" in shown
    assert b" left" in shown
    assert shown.count(b"_nobg.png\r\n") == 3
