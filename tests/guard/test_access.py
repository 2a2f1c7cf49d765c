"""access.py: an output is readable by no more people than its original, by mode bits, group and ACL."""

import itertools
import os
import struct
import sys
from pathlib import Path

import pytest

from watcher import commit
from watcher.guard import access
from watcher.guard.access import Access, from_mode, narrower

USER, GROUP = access._USER, access._GROUP
BOB, CAROL = 65533, 65532
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ACLs are read on Linux only")


def may(acl: Access, uid: int, groups: set[int]) -> int:
    """Return what a user may do, as acl(5) says."""
    if (USER, uid) in acl.named:
        return acl.named[USER, uid]
    bits = [bits for (tag, number), bits in acl.named.items() if tag == GROUP and number in groups]
    bits += [acl.group] if acl.gid in groups else []
    return max(bits, default=acl.other)


def test_whoever_may_read_the_output_may_read_the_original_whatever_both_say() -> None:
    named = [{}, {(USER, BOB): 0}, {(USER, BOB): 4}, {(GROUP, 7): 0}, {(GROUP, 7): 4}, {(USER, BOB): 4, (GROUP, 8): 0}]
    acls = [
        Access(*bits, gid, names) for bits in itertools.product((0, 4), (0, 4)) for gid in (7, 8) for names in named
    ]
    people = [(uid, set(groups)) for uid in (BOB, CAROL) for groups in ((), (7,), (8,), (9,), (7, 8))]
    for original, new_file in itertools.product(acls, acls):
        result = narrower(new_file, original, new_file.gid or 0)
        for uid, groups in people:
            assert may(result, uid, groups) <= may(new_file, uid, groups)
            assert may(result, uid, groups) <= may(original, uid, groups)


def test_mode_bits_stay_as_they_are_in_one_group_and_lose_what_another_group_must_not_have() -> None:
    for mode, other_group in ((0o644, 0o44), (0o640, 0), (0o604, 0), (0o600, 0)):
        same = narrower(from_mode(0o666, 7), from_mode(mode, 7), 7)
        assert (same.group << 3 | same.other) == mode & 0o77
        other = narrower(from_mode(0o666, 8), from_mode(mode, 7), 8)
        assert (other.group << 3 | other.other) == other_group


def acl_bytes(mode: int, mask: int, *named: tuple[int, int, int]) -> bytes:
    entries = [(1, 6, -1), (4, mode >> 3 & 7, -1), (16, mask, -1), (32, mode & 7, -1), *named]
    packed = (struct.pack("<HHI", tag, bits, number & 0xFFFFFFFF) for tag, bits, number in sorted(entries))
    return struct.pack("<I", 2) + b"".join(packed)


def set_acl(path: Path, acl: bytes, name: str = "access") -> None:
    try:
        os.setxattr(path, f"system.posix_acl_{name}", acl)
    except OSError:
        pytest.skip("this file system has no ACLs")


def cut_out_of(photo: Path) -> Access:
    """Publish a cut-out beside the photo; return who may use it."""
    output = photo.with_name("out.png")
    commit.publish(output, b"x", commit.read_source(photo).access)
    return commit.read_source(output).access


def test_an_acl_that_shuts_somebody_out_holds_for_the_cut_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    set_acl(tmp_path / "a.jpg", acl_bytes(0o644, 7, (2, 0, BOB)))
    result = cut_out_of(tmp_path / "a.jpg")
    assert may(result, BOB, set()) == 0
    assert may(result, CAROL, set()) == 4


def test_the_mask_of_an_acl_is_not_taken_for_the_rights_of_the_group(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    set_acl(tmp_path / "a.jpg", acl_bytes(0o600, 4, (2, 4, BOB)))  # its mode is 0640
    result = cut_out_of(tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").stat().st_mode & 0o777 == 0o640
    assert (result.group, result.other) == (0, 0)


def test_a_default_acl_of_the_folder_opens_no_private_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.jpg").chmod(0o600)
    set_acl(tmp_path, acl_bytes(0o775, 7, (2, 7, BOB)), "default")
    result = cut_out_of(tmp_path / "a.jpg")
    assert may(result, BOB, set()) == 0
    assert (result.group, result.other) == (0, 0)


def test_who_shares_a_folder_by_its_default_acl_shares_the_cut_outs(tmp_path: Path) -> None:
    set_acl(tmp_path, acl_bytes(0o770, 7, (2, 6, BOB)), "default")
    (tmp_path / "a.jpg").write_bytes(b"x")  # has the ACL, too
    result = cut_out_of(tmp_path / "a.jpg")
    assert (may(result, BOB, set()), may(result, CAROL, set())) == (6, 0)


def test_an_acl_that_cannot_be_written_leaves_only_what_everyone_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.touch(mode=0o600)
    monkeypatch.delattr(os, "setxattr")
    monkeypatch.setattr(os, "setxattr", lambda *_: os.stat(tmp_path / "gone"), raising=False)
    with open(path, "r+b") as file:
        access.apply(file.fileno(), Access(4, 4, os.getgid(), {(USER, BOB): 0}))
    assert path.stat().st_mode & 0o777 == 0o600
