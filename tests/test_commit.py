"""commit.py: originals are only read, and an output is complete or absent."""

import errno
import gc
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.drive import StandInDrive
from watcher import commit, places
from watcher.errors import DestinationError, PictureError
from watcher.guard import renames


def no_anonymous_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT, NFS or anything but Linux."""
    original_open = os.open

    def open_without_tmpfile(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return original_open(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", open_without_tmpfile)


def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT."""
    no_anonymous_files(monkeypatch)

    def refuse_link(*_arguments: Any, **_named: Any) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refuse_link)


def no_exclusive_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an old network file system."""
    no_hard_links(monkeypatch)
    monkeypatch.setattr(renames, "_rename_no_replace", lambda *_: False)


def nothing_missing(_monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an ordinary Linux disk."""


@pytest.fixture(params=[nothing_missing, no_anonymous_files, no_hard_links, no_exclusive_rename])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four kinds of file systems."""
    remove_features: Callable[[pytest.MonkeyPatch], None] = request.param
    remove_features(monkeypatch)


@pytest.mark.usefixtures("disk")
def test_a_published_file_has_all_its_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    commit.publish(tmp_path / "a.png", b"x" * 100_000)
    assert (tmp_path / "a.png").read_bytes() == b"x" * 100_000
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"mine"), lambda p: p.symlink_to("nowhere"), Path.mkdir])
def test_nothing_that_already_has_the_name_is_changed(tmp_path: Path, make: Callable[[Path], object]) -> None:
    target = tmp_path / "a.png"
    make(target)
    before = target.lstat()
    with pytest.raises(FileExistsError):
        commit.publish(target, b"new")
    assert target.lstat() == before
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.usefixtures("disk")
def test_replacing_leaves_only_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    commit.replace(tmp_path / "a.png", b"new", 0o666, hashlib.sha256(b"old").hexdigest())
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(("photo", "cut_out"), [(0o4700, 0o600), (0o444, 0o644), (0o400, 0o600), (0o640, 0o640)])
def test_a_private_photo_gets_a_private_cut_out_that_its_owner_can_edit(
    tmp_path: Path, photo: int, cut_out: int
) -> None:
    before = os.umask(0o022)
    try:
        commit.publish(tmp_path / "a.png", b"x", photo)
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o7777 == cut_out


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(("made", "kept"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644)])
def test_a_cut_out_that_a_person_has_made_private_stays_so_when_it_is_made_anew(
    tmp_path: Path, made: int, kept: int
) -> None:
    before = os.umask(0o022)
    try:
        (tmp_path / "a.png").write_bytes(b"old")
        (tmp_path / "a.png").chmod(made)
        commit.replace(tmp_path / "a.png", b"new", 0o644, hashlib.sha256(b"old").hexdigest())
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == kept


@pytest.mark.usefixtures("disk")
def test_a_file_that_was_saved_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"saved just now")
    (tmp_path / "link.png").symlink_to("a.png")
    for name, expected in (("a.png", b"as we wrote it"), ("link.png", b"saved just now")):
        with pytest.raises(FileExistsError):
            commit.replace(tmp_path / name, b"new", 0o666, hashlib.sha256(expected).hexdigest())
    assert (tmp_path / "a.png").read_bytes() == b"saved just now"
    assert sorted(os.listdir(tmp_path)) == ["a.png", "link.png"]


@pytest.mark.parametrize("code", [errno.EILSEQ, errno.ENAMETOOLONG])
def test_a_name_the_disk_cannot_hold_fails_that_picture_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse_link(*_arguments: Any, **_named: Any) -> None:
        raise OSError(code, "not here")

    monkeypatch.setattr(os, "link", refuse_link)
    with pytest.raises(PictureError, match="cannot hold a file named"):
        commit.publish(tmp_path / "12:30.png", b"x")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_folder_or_a_fifo_leaves_no_descriptor_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    gc.collect()  # what earlier tests have left open may close while this one runs, so fewer are no fault
    before = set(os.listdir("/proc/self/fd"))
    for path in (tmp_path, tmp_path / "fifo.jpg"):
        assert commit.sha256_of(path) is None
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("size", [3, 3 << 20])
@pytest.mark.parametrize("is_asking", [False, True])
def test_a_file_that_grows_is_read_to_the_size_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, *, is_asking: bool
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(size))
    read_all = commit._read_all

    def read_while_it_grows(file: Any, known_size: int) -> bytes:
        with path.open("ab") as growing:
            growing.write(bytes(5 << 20))
        return read_all(file, known_size)

    monkeypatch.setattr(places, "is_asking", lambda: is_asking)
    monkeypatch.setattr(commit, "_read_all", read_while_it_grows)
    source = commit.read_source(path)
    assert len(source.data) == size
    assert not source.is_stable


def test_reading_leaves_the_time_of_last_access(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"abc")
    # Older than the time of change, so that a mount with relatime would update it.
    os.utime(path, ns=(1_000_000_000, 2_000_000_000_000_000_000))
    commit.read_source(path)
    assert path.stat().st_atime_ns == 1_000_000_000


def test_a_full_disk_is_reported_as_full_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_as_full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail_as_full)
    with pytest.raises(DestinationError, match=r"no room in .* for a\.png"):
        commit.publish(tmp_path / "a.png", b"x")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_distinguished_from_a_full_one(tmp_path: Path) -> None:
    with pytest.raises(DestinationError) as caught:
        commit.publish(tmp_path / "gone" / "a.png", b"x")
    assert (caught.value.folder, caught.value.reason) == (tmp_path / "gone", "missing")


def test_only_old_temporary_files_of_nobg_are_removed(tmp_path: Path) -> None:
    old, fresh, foreign = (
        tmp_path / name for name in (f".nobg-{'a' * 16}.tmp", f".nobg-{'b' * 16}.tmp", ".nobg-my-notes.tmp")
    )
    for path in (old, fresh, foreign):
        path.write_bytes(b"x")
    for path in (old, foreign):
        os.utime(path, (1000, 1000))
    commit.remove_stale(tmp_path, time.time())
    assert sorted(os.listdir(tmp_path)) == [fresh.name, foreign.name]


def test_a_source_is_read_with_its_hash_and_permissions_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"abc")
    path.chmod(0o640)
    before = path.stat()
    source = commit.read_source(path)
    assert (source.data, source.access.group, source.access.other) == (b"abc", 0o4, 0)
    assert source.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_is_not_ordinary_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    reasons = {}
    for name in ("fifo.jpg", "folder.jpg", "loop.jpg", "missing.jpg"):
        with pytest.raises(PictureError) as caught:
            commit.read_source(tmp_path / name)
        reasons[name] = caught.value.reason
    assert reasons == {
        "fifo.jpg": "unsupported",
        "folder.jpg": "unsupported",
        "loop.jpg": "unreadable",
        "missing.jpg": "vanished",
    }


WRITER = """
import sys
from itertools import count
from pathlib import Path
from watcher import commit
folder = Path(sys.argv[1])
for number in count():
    data = bytes([number % 256]) * 300_000
    commit.publish(folder / f"{number}.png", data)
    same = folder / "same.png"
    if not same.exists():
        commit.publish(same, data)
    commit.replace(same, data, 0o666, commit.sha256_of(same))
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_complete_files_only(tmp_path: Path) -> None:
    random.seed(7)
    written = 0
    for attempt in range(50):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)]) as process:
            first = random.randrange(4)  # files, not seconds: a slow machine writes few in any time
            while not (folder / f"{first}.png").exists():
                time.sleep(0.002)
            time.sleep(random.random() * 0.02)
            process.send_signal(signal.SIGKILL)
        for path in folder.glob("*.png"):
            data = path.read_bytes()
            assert len(data) == 300_000
            assert data == data[:1] * 300_000
            written += 1
    assert written > 100


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs root, to become another user")
def test_a_picture_in_a_folder_that_may_not_be_entered_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    (folder / "a.jpg").write_bytes(b"x")
    code = (
        "import os, sys; from pathlib import Path\n"
        "from watcher import commit; from watcher.errors import PictureError\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "try: commit.read_source(Path(sys.argv[1]))\n"
        "except PictureError as error: print(error.reason)"
    )
    result = subprocess.run([sys.executable, "-c", code, folder / "a.jpg"], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("no_permission\n", "")


# A slow drive


def count_progress(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that grows at each note of progress."""
    notes: list[None] = []
    monkeypatch.setattr(places, "note_progress", lambda: notes.append(None))
    return notes


def test_each_64_kb_that_a_drive_reads_shows_that_it_answers(
    drive: StandInDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drive.point / "a.jpg"
    path.write_bytes(b"x" * 300_000)
    notes = count_progress(monkeypatch)
    assert len(commit.read_source(path).data) == 300_000
    assert len(notes) == 5


@pytest.mark.parametrize(("seconds_a_sync", "expected"), [(1.0, 5), (0.25, 2), (0.0, 2)])
def test_what_a_drive_writes_is_synced_in_steps_of_about_a_second(
    seconds_a_sync: float, expected: int, drive: StandInDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slow drive is silent until all of a large output is on it."""
    now, syncs = 0.0, 0

    def slow_sync(descriptor: int) -> None:
        nonlocal now, syncs
        now += seconds_a_sync
        syncs += stat.S_ISREG(os.fstat(descriptor).st_mode)

    monkeypatch.setattr(os, "fsync", slow_sync)
    monkeypatch.setattr(commit, "time", types.SimpleNamespace(monotonic=lambda: now, time=time.time))
    notes = count_progress(monkeypatch)
    commit.publish(drive.point / "a_nobg.png", b"x" * 300_000)
    assert syncs == expected
    assert len(notes) == 5 + syncs  # of each piece of 64 KB, and each sync
    assert (drive.point / "a_nobg.png").read_bytes() == b"x" * 300_000


@pytest.mark.parametrize("data", [b"", b"x" * 300_000])
def test_on_this_machines_own_disk_an_output_is_synced_once(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISREG(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    commit.publish(tmp_path / "a_nobg.png", data)
    assert synced.count(True) == 1
    assert (tmp_path / "a_nobg.png").read_bytes() == data
