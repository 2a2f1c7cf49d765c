"""places.py, with /proc/self/mountinfo as Linux writes it (proc(5))."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.drive import StandInDrive
from watcher import places
from watcher.errors import NoAnswerError
from watcher.places import file_system_type

MOUNTS = r"""22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda2 rw,errors=remount-ro
40 27 254:1 / /home rw,relatime shared:2 - btrfs /dev/mapper/home rw,subvol=/@home
51 40 0:47 / /home/me/NAS rw,relatime shared:3 master:9 - cifs //nas/photos rw,vers=3.1.1,username=me
52 51 254:9 / /home/me/NAS/local rw,relatime - xfs /dev/sdb1 rw
60 27 0:52 / /media/my\040camera\011\0121\134 rw,nosuid,nodev,relatime - fuse.gvfsd-fuse gvfsd-fuse rw,user_id=1000
70 27 0:60 / /auto rw,relatime shared:4 - autofs systemd-1 rw,fd=30,direct
71 70 0:61 / /auto rw,relatime - nfs4 server:/export/a\040-\040b rw,vers=4.2
"""


@pytest.mark.parametrize(
    ("path", "type_name"),
    [
        ("/", "ext4"),
        ("/etc/nobg", "ext4"),
        ("/home", "btrfs"),
        ("/home/me/Pictures", "btrfs"),
        ("/homes/me", "ext4"),
        ("/home/me/NAS", "cifs"),
        ("/home/me/NAS/2024", "cifs"),
        ("/home/me/NAS-old", "btrfs"),
        ("/home/me/NAS/local/2024", "xfs"),
        ("/media/my camera\t\n1\\/DCIM", "fuse.gvfsd-fuse"),
        ("/media/my camera", "ext4"),
        ("/media/my\\040camera\\011\\0121\\134/DCIM", "ext4"),
        ("/auto/pictures", "nfs4"),
    ],
)
def test_a_path_is_on_the_innermost_mount_that_contains_it(path: str, type_name: str) -> None:
    assert file_system_type(path, MOUNTS) == type_name


def test_a_later_mount_on_a_parent_hides_the_mounts_below_it() -> None:
    lines = MOUNTS.splitlines()
    assert file_system_type("/home/me/NAS/local/2024", "\n".join(reversed(lines))) != "xfs"


def test_a_mount_point_with_an_odd_name_does_not_affect_others() -> None:
    odd_mount = "90 28 0:99 / /mnt/a\x0cb\u2028c rw - ext4 /dev/sdz rw"
    assert file_system_type("/home/me/NAS/local/2024", f"{odd_mount}\n\n{MOUNTS}") == "xfs"
    assert file_system_type("/mnt/a\x0cb\u2028c/d", f"{MOUNTS}\n{odd_mount}\n") == "ext4"


def test_the_later_of_two_mounts_on_one_point_hides_the_earlier() -> None:
    lines = MOUNTS.splitlines()
    assert file_system_type("/auto/pictures", "\n".join(lines)) == "nfs4"
    assert (
        file_system_type("/auto/pictures", "\n".join([*lines, "80 71 254:7 / /auto rw - vfat /dev/sdc1 rw"])) == "vfat"
    )


def test_without_a_matching_mount_the_type_is_unknown() -> None:
    assert file_system_type("/home", "") == ""
    assert file_system_type("/home", "40 27 254:1 / /other rw - ext4 /dev/vda rw") == ""


@pytest.fixture
def set_mountinfo(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the text of /proc/self/mountinfo."""

    def set_text(text: str) -> None:
        table = places.MountTable()
        monkeypatch.setattr(table, "_read", lambda: text)
        monkeypatch.setattr(places, "table", table)

    return set_text


@pytest.mark.parametrize(
    "type_name", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.rclone", "fuseblk", "9p", "virtiofs"]
)
def test_file_systems_that_change_from_elsewhere_are_polled(
    set_mountinfo: Callable[[str], None], type_name: str
) -> None:
    set_mountinfo(f"27 1 0:9 / / rw,relatime - {type_name} source rw\n")
    assert places.must_poll("/pictures") is True


@pytest.mark.parametrize(
    "type_name", ["ext4", "btrfs", "xfs", "tmpfs", "vfat", "exfat", "ntfs3", "overlay", "zfs", "nfsd"]
)
def test_file_systems_of_this_machine_are_not_polled(set_mountinfo: Callable[[str], None], type_name: str) -> None:
    set_mountinfo(f"27 1 0:9 / / rw,relatime - {type_name} source rw\n")
    assert places.must_poll("/pictures") is False


def test_a_link_counts_as_the_folder_that_it_leads_to(set_mountinfo: Callable[[str], None], tmp_path: Path) -> None:
    set_mountinfo(f"27 1 254:0 / / rw - ext4 /dev/vda2 rw\n51 27 0:47 / {tmp_path}/nas rw - nfs4 server:/a rw\n")
    (tmp_path / "nas").mkdir()
    (tmp_path / "pictures").symlink_to("nas")
    assert places.must_poll(str(tmp_path / "pictures")) is True
    assert places.must_poll(str(tmp_path)) is False


def test_a_folder_on_this_machine_need_not_be_polled(tmp_path: Path) -> None:
    assert places.must_poll(str(tmp_path)) is False
    assert places.must_poll(str(tmp_path / "not there yet")) is False


def test_without_mountinfo_no_folder_is_polled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "_MOUNTINFO", str(tmp_path / "no proc"))
    monkeypatch.setattr(places, "table", places.MountTable())
    assert places.must_poll(str(tmp_path)) is False


# A drive that does not answer


def test_a_silent_drive_is_asked_once_and_every_further_question_is_answered_at_once(drive: StandInDrive) -> None:
    drive.stop_answering()
    for _ in range(3):
        with pytest.raises(NoAnswerError, match=f"{drive.point} does not answer"):
            places.exists(drive.point / "a.jpg")
    assert drive.calls == ["51"]
    assert places.does_not_answer(drive.point / "sub" / "b.jpg")
    drive.answer_again()
    drive.wait_until_answered()
    assert not places.does_not_answer(drive.point)
    assert places.exists(drive.point)


def test_other_places_are_asked_directly_while_a_drive_is_silent(drive: StandInDrive, tmp_path: Path) -> None:
    drive.stop_answering()
    with pytest.raises(NoAnswerError):
        places.exists(drive.point)
    assert places.ask(tmp_path, threading.get_ident) == threading.get_ident()
    assert not places.does_not_answer(tmp_path)


def test_a_link_to_a_silent_drive_is_known_without_asking_the_drive(drive: StandInDrive, tmp_path: Path) -> None:
    (drive.point / "link").symlink_to(tmp_path)
    (tmp_path / "album").symlink_to("nas/2024")
    (tmp_path / "deep").symlink_to(tmp_path / "album" / "x")
    drive.stop_answering()
    for path in (tmp_path / "album" / "a.jpg", tmp_path / "deep" / "..", drive.point / "link" / "a.jpg"):
        mount = places.find(path)
        assert mount is not None
        assert mount.point == str(drive.point)
    assert places.find(tmp_path / "pictures" / ".." / "a.jpg") is None
    assert drive.calls == []


def test_a_link_that_leads_back_to_itself_is_on_no_drive(drive: StandInDrive, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert places.find(tmp_path / "loop" / "a.jpg") is None
    assert drive.calls == []


def test_a_new_drive_at_the_same_place_is_asked_although_the_old_one_still_hangs(drive: StandInDrive) -> None:
    drive.stop_answering()
    with pytest.raises(NoAnswerError):
        places.exists(drive.point)
    drive.number = 52
    assert not places.does_not_answer(drive.point)
    with pytest.raises(NoAnswerError):
        places.exists(drive.point)
    assert drive.calls == ["51", "52"]


def test_what_a_call_on_a_drive_returns_or_raises_reaches_the_asker(drive: StandInDrive) -> None:
    (drive.point / "a.jpg").write_text("x")
    assert places.ask(drive.point, os.listdir, drive.point) == ["a.jpg"]
    with pytest.raises(FileNotFoundError):
        places.ask(drive.point, os.stat, drive.point / "b.jpg")


def test_a_long_answer_is_not_overdue_while_it_makes_progress() -> None:
    question = places.Question(places.Mount("51", "/nas"), int, int)
    assert question.is_overdue(0.0)
    assert not question.is_overdue(60.0)
    question.progress_at -= 100
    assert question.is_overdue(60.0)
    places._questions_of_threads[threading.get_ident()] = question
    places.note_progress()
    assert not question.is_overdue(60.0)
    question.run()
    assert not question.is_overdue(0.0)


def test_a_whole_system_on_a_virtual_machines_drive_is_not_asked_in_threads(
    set_mountinfo: Callable[[str], None],
) -> None:
    set_mountinfo("27 1 0:9 / / rw,relatime - virtiofs source rw\n")
    assert places.find("/pictures") is None


def test_a_drive_that_another_mount_hides_is_not_asked(set_mountinfo: Callable[[str], None]) -> None:
    nas = "51 40 0:47 / /home/me/NAS rw - cifs //nas/photos rw\n"
    home = "60 27 254:1 / /home rw - btrfs /dev/mapper/home rw\n"
    set_mountinfo(home + nas)
    assert places.find("/home/me/NAS/a.jpg") is not None
    set_mountinfo(nas + home)
    assert places.find("/home/me/NAS/a.jpg") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the mounts are those of Linux")
def test_the_mounts_in_a_folder_are_named_by_the_path_that_the_person_watches(
    drive: StandInDrive, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    points, silent = places.mounts_below(str(tmp_path / "link"))
    assert points == {(str(drive.point), "51")}
    assert list(silent) == [str(tmp_path / "link" / "nas")]
    assert places.mounts_below(str(drive.point)) == (frozenset(), {})
