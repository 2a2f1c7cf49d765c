"""enqueue.py: `nobg-add`, the right-click client."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.support.drive import StandInDrive
from tests.support.refused import give_away
from tests.support.touch_up import StandInEditor, set_installed
from watcher import lock as file_lock
from watcher.enqueue import main, to_path
from watcher.queue import store
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.settings.config import LAST_GOOD_FILE

CLIENT = [sys.executable, "-c", "import sys; from watcher.enqueue import main; sys.exit(main())"]


@pytest.fixture
def state(home: Path) -> Path:
    return home / "state"


@pytest.fixture
def running(state: Path) -> Iterator[None]:
    """Hold the lock, so that the client does not start the program."""
    state.mkdir()
    lock = file_lock.acquire(str(state))
    assert lock is not None
    yield
    file_lock.release(lock)


def queued(state: Path) -> list[str]:
    """The names of the queued pictures, in their order. Marks them as done."""
    journal = Journal(state)
    names = []
    while (job := journal.next_job()) is not None:
        names.append(job.source.name)
        journal.record(job, state="done")
    journal.close()
    return names


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
        ("a/b://c.jpg", b"a/b://c.jpg"),
        ("file:/a/b%20c.jpg", b"/a/b c.jpg"),
    ],
)
def test_paths_and_uris_become_paths(argument: str, path: bytes) -> None:
    assert os.fsencode(to_path(argument)) == path


def test_a_uri_of_windows_becomes_a_path_with_its_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert to_path("file:///C:/a%20b.jpg") == "/C:/a b.jpg"  # a name like others
    monkeypatch.setattr(sys, "platform", "win32")
    assert to_path("file:///C:/a%20b.jpg") == "C:/a b.jpg"
    assert to_path("file:/d:/a.jpg") == "d:/a.jpg"


@pytest.mark.usefixtures("running")
def test_a_file_that_is_no_picture_is_reported_and_the_others_are_queued(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "fifo.jpg")
    names = ["notes.txt", "photo.jpg", "gone.jpg", "empty", "fifo.jpg"]
    assert main(["--", *(str(tmp_path / name) for name in names), "smb://server/a.jpg"]) == 1
    messages = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0].rpartition("/")[2] for line in messages] == [
        "notes.txt",
        "gone.jpg",
        "empty",
        "fifo.jpg",
        "a.jpg",
    ]
    assert "Save it as JPEG or PNG." in messages[0]
    assert "not a file on this computer" in messages[4]
    assert queued(state) == ["photo.jpg"]


@pytest.mark.usefixtures("state")
def test_a_picture_chosen_in_recent_is_to_be_chosen_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAUTILUS_SCRIPT_SELECTED_URIS", "recent:///0a1b2c\n")
    assert main(["--from-env"]) == 1
    assert "Open the folder of the picture" in capsys.readouterr().err


def listed_in(state: Path) -> list[bytes | None]:
    """Return for each job the folder in which its picture was found."""
    with sqlite3.connect(state / "jobs.db") as db:
        rows = db.execute("SELECT listed FROM jobs ORDER BY id").fetchall()
    db.close()
    return [row[0] for row in rows]


@pytest.mark.usefixtures("running")
def test_a_picture_that_is_named_may_be_a_link_also_if_its_folder_was_chosen_before(
    tmp_path: Path, state: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").touch()
    (tmp_path / "in" / "link.jpg").symlink_to("a.jpg")
    assert main([str(tmp_path / "in")]) == 0
    assert main([str(tmp_path / "in" / "link.jpg"), str(tmp_path / "in" / "a.jpg")]) == 0
    assert queued(state) == ["a.jpg", "link.jpg"]
    assert listed_in(state) == [None, None]


@pytest.mark.usefixtures("running")
def test_a_folder_stands_for_the_pictures_directly_in_it(tmp_path: Path, state: Path) -> None:
    for name in ("b.jpg", "a.PNG", "a_nobg.png", ".hidden.jpg", "notes.txt", "sub/c.jpg", "folder.jpg/d.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "in" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "in" / "broken.jpg").symlink_to("nowhere")
    (tmp_path / "in" / "link.jpg").symlink_to("b.jpg")
    assert main([str(tmp_path / "in")]) == 0
    assert queued(state) == ["a.PNG", "b.jpg"]
    assert listed_in(state) == [os.fsencode(tmp_path / "in")] * 2


@pytest.mark.usefixtures("running")
def test_odd_names_arrive_byte_for_byte(tmp_path: Path, state: Path) -> None:
    names = [b"new\nline.jpg", b"latin\xe9.jpg", "\U0001f600.jpg".encode(), b"it's $HOME `ls` 100%25.jpg", b"-rf.jpg"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    result = subprocess.run([*map(os.fsencode, CLIENT), b"--", *names], cwd=tmp_path, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert [os.fsencode(name) for name in queued(state)] == names


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("manager", ["NAUTILUS", "NEMO", "CAJA"])
def test_a_script_of_a_file_manager_passes_the_selection(
    tmp_path: Path, state: Path, manager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b.jpg").touch()
    (tmp_path / "c\n.jpg").touch()
    uris = "".join(f"{(tmp_path / name).as_uri()}\n" for name in ("a b.jpg", "c\n.jpg"))
    monkeypatch.setenv(f"{manager}_SCRIPT_SELECTED_URIS", uris)
    assert main(["--from-env"]) == 0
    assert queued(state) == ["a b.jpg", "c\n.jpg"]


def test_nothing_selected_and_wrong_usage_say_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--from-env"]) == 1
    assert "Select one or more pictures" in capsys.readouterr().err
    for arguments in ([], ["--"], ["--frobnicate", "a.jpg"]):
        assert main(arguments) == 2
        assert "usage" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("running")
def test_a_thousand_files_are_one_call_and_each_is_one_job(tmp_path: Path, state: Path) -> None:
    names = [f"{number:04}.jpg" for number in range(1000)]
    for name in names:
        (tmp_path / name).touch()
    assert main([str(tmp_path / name) for name in names] * 2) == 0
    assert queued(state) == names


@pytest.mark.usefixtures("running")
def test_while_nobg_is_paused_the_client_says_so_and_the_picture_waits(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").touch()
    journal = Journal(state)
    journal.set_setting("paused", "1")
    assert main([str(tmp_path / "a.jpg")]) == 0
    assert "nobg resume" in capsys.readouterr().err
    assert journal.counts_by_state()["queued"] == 1


def test_if_the_records_cannot_be_written_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").touch()
    monkeypatch.setenv("NOBG_HOME", "/proc/nobg")
    assert main([str(tmp_path / "a.jpg")]) == 4
    assert "NOBG_HOME=DIR" in capsys.readouterr().err


def test_the_program_is_started_with_the_lock_and_without_the_variables_of_the_file_manager(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in for the program records its arguments and keeps the lock until it is killed."""
    record = tmp_path / "record"
    stand_in = tmp_path / "stand_in.sh"
    stand_in.write_text(
        f'#!/bin/sh\necho "$$ $* $NAUTILUS_SCRIPT_SELECTED_URIS" > {record}.new\nmv {record}.new {record}\nsleep 1000\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    (tmp_path / "a.jpg").touch()
    monkeypatch.setenv("NAUTILUS_SCRIPT_SELECTED_URIS", (tmp_path / "a.jpg").as_uri())
    assert main(["--from-env"]) == 0
    assert main(["--from-env"]) == 0  # the program runs already, or is about to
    wait_for(record.exists)
    pid, *command = record.read_text().split()
    try:
        assert command[:4] == ["-P", "-m", "watcher", "run"]
        assert command[4] == "--lock"
        assert len(command) == 6
        assert file_lock.acquire(str(state)) is None
    finally:
        os.killpg(int(pid), signal.SIGKILL)


@pytest.mark.slow
def test_300_clients_at_once_and_30_killed_lose_no_job_that_they_confirmed(
    tmp_path: Path, state: Path, running: None
) -> None:
    assert running is None
    for number in range(300):
        (tmp_path / f"{number}.jpg").touch()
    confirmed = []
    for group in range(0, 300, 30):  # 30 at a time: the machine has few cores, and this tests the lock
        clients = [subprocess.Popen([*CLIENT, str(tmp_path / f"{number}.jpg")]) for number in range(group, group + 30)]
        for client in clients[::10]:
            client.kill()
        confirmed += [number for number, client in enumerate(clients, group) if client.wait() == 0]
    assert 270 <= len(confirmed) < 300
    assert {f"{number}.jpg" for number in confirmed} <= set(queued(state))


def test_the_client_loads_only_what_it_needs() -> None:
    code = "import sys; before = set(sys.modules); import watcher.enqueue; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pathlib", "dataclasses", "typing", "subprocess", "urllib.parse", "logging", "argparse"} & set(loaded)


def test_a_client_notices_that_its_jobs_are_in_a_file_that_was_just_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original_enqueue = store.enqueue

    def enqueue_and_move_aside(*arguments: Any, **options: Any) -> None:
        original_enqueue(*arguments, **options)
        if not (tmp_path / "aside.db").exists():
            (tmp_path / "jobs.db").rename(tmp_path / "aside.db")

    monkeypatch.setattr(store, "enqueue", enqueue_and_move_aside)
    store.open_and_enqueue(str(tmp_path), [(b"/pictures/a.jpg", 1, False)])
    assert Journal(tmp_path).counts_by_state()["queued"] == 1


@pytest.mark.usefixtures("running")
def test_a_recipe_that_is_named_is_queued_in_full(home: Path, tmp_path: Path, state: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "config.toml").write_text('[recipes.shop]\nbackground = "white"\noutput = "shop"\n')
    assert main(["--recipe", "shop", "--", str(photo)]) == 0
    assert main(["--recipe", "mask", str(photo)]) == 0
    assert main([str(photo)]) == 0
    journal = Journal(state)
    jobs = [journal.find_jobs([number])[0] for number in (1, 2, 3)]
    journal.close()
    assert [job.recipe for job in jobs] == ['{"folder": "73686f70", "background": "#ffffff"}', '{"mask": true}', "{}"]
    assert [job.destination for job in jobs] == [tmp_path / "shop", tmp_path, tmp_path]


SHOP = '[recipes.shop]\nbackground = "white"\noutput = "shop"\n'
SHOP_KEY = '{"folder": "73686f70", "background": "#ffffff"}'


def write_settings(home: Path, text: str) -> Path:
    path = home / "config" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def queue_one(tmp_path: Path, state: Path) -> Job:
    """Queue a picture without naming a recipe. Returns its job."""
    (tmp_path / "a.jpg").touch()
    assert main(["--", str(tmp_path / "a.jpg")]) == 0
    journal = Journal(state)
    job = journal.next_job()
    journal.close()
    assert job is not None
    return job


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "settings",
    [f'recipe = "shop"\n{SHOP}', f'\ufeff"recipe" = "shop"\n{SHOP}', f"# mine\n\t'recipe'='shop'\r\n{SHOP}"],
    ids=["plain", "quoted, after a mark", "quoted, indented"],
)
def test_without_a_recipe_the_default_one_is_used(home: Path, tmp_path: Path, state: Path, settings: str) -> None:
    write_settings(home, settings)
    job = queue_one(tmp_path, state)
    assert (job.recipe, job.destination) == (SHOP_KEY, tmp_path / "shop")


@pytest.mark.usefixtures("running")
def test_a_recipe_that_is_named_is_used_in_place_of_the_default_one(home: Path, tmp_path: Path, state: Path) -> None:
    write_settings(home, f'recipe = "shop"\n{SHOP}')
    (tmp_path / "a.jpg").touch()
    assert main(["--recipe", "transparent", str(tmp_path / "a.jpg")]) == 0
    (job,) = Journal(state).find_jobs([1])
    assert job.recipe == "{}"


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("broken", ['recipe = "ship"\n', "recipe =\n", 'recipe = "shop"\ncolour = 1\n'])
def test_wrong_settings_do_not_fail_a_click_and_the_last_good_ones_are_used(
    home: Path, tmp_path: Path, state: Path, broken: str
) -> None:
    write_settings(home, broken)
    assert queue_one(tmp_path, state).recipe == "{}"
    (state / LAST_GOOD_FILE).write_text(f'recipe = "shop"\n{SHOP}')
    queue_one(tmp_path, state)
    journal = Journal(state)
    recipes = [job.recipe for job in journal.find_jobs([1, 2])]
    journal.close()
    assert recipes == ["{}", SHOP_KEY]


@pytest.mark.usefixtures("running")
def test_settings_that_cannot_be_read_do_not_fail_a_click(home: Path, tmp_path: Path, state: Path) -> None:
    (home / "config" / "config.toml").mkdir(parents=True)
    (state / LAST_GOOD_FILE).write_text(f'recipe = "shop"\n{SHOP}')
    assert queue_one(tmp_path, state).recipe == SHOP_KEY


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        (None, False),
        ("", False),
        (f'# recipe = "shop"\nmodel = "u2net"\n{SHOP}[[folders]]\npath = "/a"\nrecipe = "shop"\n', False),
        (f'recipe = "shop"\n{SHOP}', True),
    ],
    ids=["none", "empty", "no default recipe", "a default recipe"],
)
def test_the_client_reads_the_settings_only_if_they_name_a_default_recipe(
    home: Path, tmp_path: Path, settings: str | None, read: bool
) -> None:
    if settings is not None:
        write_settings(home, settings)
    (tmp_path / "a.jpg").touch()
    code = (
        "import sys; from watcher import enqueue; enqueue.start_program = lambda _: None; enqueue.main(sys.argv[1:]);"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert ("tomllib" in loaded, "watcher.settings.config" in loaded) == (read, read)


@pytest.mark.usefixtures("running")
def test_an_unknown_recipe_queues_nothing_and_the_message_lists_the_known_ones(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").touch()
    assert main(["--recipe", "ship", "--", str(tmp_path / "a.jpg")]) == 2
    assert "no recipe called ship. Choose one of: transparent, white, crop, mask." in capsys.readouterr().err
    assert queued(state) == []


def test_with_a_recipe_the_client_still_loads_only_the_standard_library(tmp_path: Path, home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('[recipes.shop]\nbackground = "white"\n')
    code = (
        "import sys; from watcher import enqueue; enqueue.start_program = lambda _: None;"
        "print(enqueue.main(['--recipe', 'shop', sys.argv[1]]), *sorted(sys.modules))"
    )
    (tmp_path / "a.jpg").touch()
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jpg")], capture_output=True, text=True, check=True
    )
    status, *loaded = result.stdout.split()
    assert status == "0"
    roots = {name.partition(".")[0] for name in loaded}
    assert "tomllib" in roots
    assert (
        not roots
        - set(sys.stdlib_module_names)
        - {"watcher", "__main__", "sitecustomize", "_distutils_hack"}
        - {name for name in roots if name.startswith(("__editable__", "_virtualenv"))}
    )


@pytest.mark.usefixtures("running")
def test_a_folder_does_not_stand_for_the_outputs_in_it(tmp_path: Path, state: Path) -> None:
    for name in ("a.jpg", "a_shop.jpg"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).touch()
    journal = Journal(state)
    done_job = Job(tmp_path / "in" / "a.jpg", source_hash="1", model="m")
    journal.record(done_job, state="done", output=tmp_path / "in" / "a_shop.jpg", output_hash="2")
    journal.close()
    assert main([str(tmp_path / "in")]) == 0
    assert queued(state) == ["a.jpg"]
    assert main([str(tmp_path / "in" / "a_shop.jpg")]) == 0  # a person can still name it
    assert queued(state) == ["a_shop.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="notify-send exists on Linux only")
@pytest.mark.parametrize("desktop", [True, False])
def test_messages_are_shown_on_the_desktop(tmp_path: Path, desktop: bool) -> None:
    """The stderr of a client that a file manager starts is invisible."""
    (tmp_path / "bin").mkdir()
    notify = tmp_path / "bin" / "notify-send"
    notify.write_text(
        f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown.new\nmv {tmp_path}/shown.new {tmp_path}/shown\n'
    )
    notify.chmod(0o755)
    (tmp_path / "<notes> & more.txt").touch()
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    if desktop:
        environment["DISPLAY"] = ":99"
    names = ["<notes> & more.txt", *(f"gone-{number}.jpg" for number in range(9))]
    result = subprocess.run([*CLIENT, "--", *names], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert result.returncode == 1
    if desktop:
        wait_for((tmp_path / "shown").exists)
        shown = (tmp_path / "shown").read_text()
        assert "&lt;notes> &amp; more.txt: this is not a kind of picture" in shown
        assert "… and 6 more." in shown
    else:
        time.sleep(0.5)
        assert not (tmp_path / "shown").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="notify-send exists on Linux only")
def test_a_click_that_the_state_folder_of_root_stops_is_answered_on_the_desktop(tmp_path: Path, home: Path) -> None:
    (tmp_path / "bin").mkdir()
    notify = tmp_path / "bin" / "notify-send"
    notify.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/shown.new\nmv {tmp_path}/shown.new {tmp_path}/shown\n')
    notify.chmod(0o755)
    (tmp_path / "a.jpg").touch()
    (home / "state").mkdir()
    environment = {**os.environ, "DISPLAY": ":99", "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = [*give_away(home / "state"), *CLIENT, "--", str(tmp_path / "a.jpg")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (4, 1)
    wait_for((tmp_path / "shown").exists)
    assert f"type: sudo chown -R root {home / 'state'}" in result.stderr
    shown = (tmp_path / "shown").read_text()  # a click is answered without a command
    assert "Ask the administrator of this computer to make root its owner" in shown
    assert "sudo" not in shown


def test_a_picture_named_from_a_deleted_folder_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *CLIENT, "a.jpg"]
    result = subprocess.run(command, cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_the_resident_program_takes_nothing_from_the_pythonpath_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []

    def start(*_command: object, env: dict[str, str], **_options: object) -> SimpleNamespace:
        started.append(env)
        return SimpleNamespace()

    (tmp_path / "a.jpg").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "ros"), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ros"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setattr(subprocess, "Popen", start)
    assert main(["--", str(tmp_path / "a.jpg")]) == 0
    (environment,) = started
    assert not [name for name in environment if name.startswith("PYTHON")]
    assert environment["NOBG_HOME"] == os.environ["NOBG_HOME"]


@pytest.mark.usefixtures("running")
def test_a_picture_on_a_drive_that_does_not_answer_is_queued_and_the_person_is_told(
    drive: StandInDrive, tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").touch()
    drive.stop_answering()
    assert main([str(drive.point / "a.jpg"), str(tmp_path / "photo.jpg"), str(drive.point / "b.jpg")]) == 0
    assert capsys.readouterr().err == f"nobg: {drive.point} does not answer. Its pictures wait until it does.\n"
    journal = Journal(state)
    jobs = journal._db.select_jobs("1 ORDER BY id")
    journal.close()
    assert [job.source.name for job in jobs] == ["a.jpg", "photo.jpg", "b.jpg"]
    assert jobs[0].device == os.makedev(0, 47)  # known from the table of mounts, so that an unplugged drive is noticed


@pytest.mark.usefixtures("running")
def test_a_folder_on_a_drive_that_does_not_answer_is_not_looked_into(
    drive: StandInDrive, capsys: pytest.CaptureFixture[str]
) -> None:
    drive.stop_answering()
    assert main([str(drive.point)]) == 1
    assert capsys.readouterr().err == f"nobg: {drive.point}: its drive does not answer. Try again when it does.\n"


@pytest.mark.usefixtures("running")
def test_a_click_elsewhere_asks_no_drive_that_does_not_answer(drive: StandInDrive, tmp_path: Path, state: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    drive.stop_answering()
    assert main([str(tmp_path / "photo.jpg")]) == 0
    assert drive.calls == []
    assert queued(state) == ["photo.jpg"]


def test_the_window_is_opened_on_the_one_picture_that_is_selected(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = StandInEditor(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    for arguments in (["a b.jpg"], ["--", "a b.jpg"], ["--", (tmp_path / "a b.jpg").as_uri()]):
        assert main(["--edit", *arguments]) == 0
        assert editor.take_arguments() == ["--", str(tmp_path / "a b.jpg")]
    monkeypatch.setenv("CAJA_SCRIPT_SELECTED_URIS", f"{(tmp_path / 'a_nobg.png').as_uri()}\n")
    assert main(["--edit", "--from-env"]) == 0
    assert editor.take_arguments() == ["--", str(tmp_path / "a_nobg.png")]
    assert not state.exists()  # nothing is queued


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.jpg", "b.jpg"], "Select one picture"),
        (["notes.txt"], "notes.txt: this is not a kind of picture"),
        (["sftp://host/a.jpg"], "not a file on this computer"),
        (["--from-env"], "Select one picture"),
    ],
)
def test_the_window_is_not_opened_on_anything_else(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    editor = StandInEditor(tmp_path, monkeypatch)
    assert main(["--edit", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not editor.was_started


def test_without_the_window_a_click_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_installed(monkeypatch, installed=False)
    assert main(["--edit", "--", "/a.jpg"]) == 1
    assert "pip install 'nobg-watcher[editor]'" in capsys.readouterr().err


def test_a_click_on_touch_up_loads_no_more_than_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it look at the queue: a person is waiting for the window."""
    monkeypatch.setenv("NOBG_HOME", str(tmp_path / "home"))
    code = (
        "import importlib.util, subprocess, sys; importlib.util.find_spec = lambda _: sys; "
        "subprocess.Popen = lambda *_, **__: type('Started', (), {})(); from watcher import enqueue; "
        "assert enqueue.main(['--edit', '/a.jpg']) == 0; print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"numpy", "PIL", "argparse", "pathlib", "PySide6"}
    assert not (tmp_path / "home").exists()
