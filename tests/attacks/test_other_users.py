"""Two ordinary users on one folder: no file of one becomes readable to the other, and no link of the other is followed.

Root starts both. Alice uses nobg; Bob may write to the folder, and puts links in place of what is in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.outputs import stand_in_output

ALICE, BOB = 65534, 65533
PROTECTED_LINKS = Path("/proc/sys/fs/protected_symlinks")
CUT_OUT = stand_in_output("ok picture")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can act as two other users"
)


@dataclass(frozen=True)
class Shared:
    """Where both work. `folder`: both may write there. `private`: only Alice may look inside."""

    folder: Path
    private: Path
    bobs: Path
    kernel: str

    def alice(self, *arguments: str | Path) -> str:
        """Run nobg as Alice; return what it prints."""
        environment = {"PATH": os.environ["PATH"], "NOBG_HOME": str(self.private / "nobg"), "PYTHONPATH": str(ROOT)}
        environment["NOBG_TEST_KERNEL"] = self.kernel
        command = [sys.executable, "-m", "tests.support.alice", str(ALICE), *map(str, arguments)]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def work(self, output: str = "") -> dict[str, list[str]]:
        """Let Alice's nobg do what is queued; return state, reason and detail by the names of the pictures."""
        results: dict[str, list[str]] = json.loads(self.alice("work", output))
        return results

    def bob(self, command: str) -> None:
        """Run a shell command as Bob, in the shared folder. A sticky folder may refuse it."""
        subprocess.run(["/bin/sh", "-c", command], cwd=self.folder, **as_user(BOB), check=True)

    def is_nothing_betrayed(self) -> bool:
        """Return whether Bob can read no private content."""
        command = ["/bin/sh", "-c", 'find -L "$0" -type f -exec cat {} + 2>/dev/null; true', str(self.folder.parent)]
        return b"secret" not in subprocess.run(command, cwd="/", capture_output=True, **as_user(BOB), check=True).stdout


def as_user(uid: int) -> dict[str, Any]:
    """Return the arguments of subprocess.run for this user."""
    return {"user": uid, "group": uid, "extra_groups": []}


def write(path: Path, content: str, owner: int, mode: int = 0o644) -> Path:
    path.write_text(content)
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


def make(path: Path, owner: int, mode: int) -> Path:
    path.mkdir()
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


@pytest.fixture
def _links(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set whether Linux itself refuses links of others in sticky folders: a setting of the whole machine."""
    with open(Path(tempfile.gettempdir(), "nobg-tests-links.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of this test run
        before = PROTECTED_LINKS.read_text()
        try:
            PROTECTED_LINKS.write_text(request.param)
        except OSError:
            pytest.skip("not permitted here")
        yield
        PROTECTED_LINKS.write_text(before)


PLACES = [(0o777, "new", "0"), (0o1777, "new", "0"), (0o1777, "old", "1")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in a plain and in a sticky folder, and as on a kernel without openat2."""
    if "shared" in metafunc.fixturenames:
        names = ["plain", "sticky", "sticky, links protected, no openat2"]
        metafunc.parametrize(("shared", "_links"), [((m, k), p) for m, k, p in PLACES], ids=names, indirect=True)


@pytest.fixture
def shared(request: pytest.FixtureRequest, _links: None) -> Iterator[Shared]:
    mode, kernel = request.param
    top = Path(tempfile.mkdtemp())  # both must be able to pass tmp_path
    top.chmod(0o755)
    place = Shared(
        make(top / "shared", BOB, mode), make(top / "alice", ALICE, 0o700), make(top / "bob", BOB, 0o777), kernel
    )
    write(place.private / "photo.jpg", "ok secret", ALICE)  # 0644: only the folder protects it
    yield place
    shutil.rmtree(top)


@pytest.mark.parametrize("way", ["click", "watch", "remove", "name"])
def test_a_queued_picture_that_becomes_a_link_is_not_cut_out(shared: Shared, way: str) -> None:
    write(shared.folder / "photo.jpg", "ok picture", BOB)
    write(shared.folder / "other.jpg", "ok picture of Bob", BOB)
    shared.alice("list", way, shared.folder / "photo.jpg" if way == "name" else shared.folder, "")
    shared.bob(f"rm photo.jpg && ln -s {shared.private}/photo.jpg photo.jpg")
    results = shared.work()
    state, reason, detail = results["photo.jpg"]
    assert (state, reason) == ("failed", "no_permission")
    assert "link" in detail
    assert way == "name" or results["other.jpg"][0] == "done"
    assert shared.is_nothing_betrayed()


@pytest.mark.parametrize("way", ["watch", "remove"])
def test_a_queued_picture_whose_folder_becomes_a_link_is_not_cut_out(shared: Shared, way: str) -> None:
    make(shared.folder / "sub", BOB, 0o777)
    write(shared.folder / "sub" / "photo.jpg", "ok picture", BOB)
    shared.alice("list", way, shared.folder, "")
    shared.bob(f"mv sub away && ln -s {shared.private} sub")
    before = sorted(os.listdir(shared.private))
    state, reason, _detail = shared.work()["photo.jpg"]
    assert (state, reason) == ("failed", "no_permission")
    assert {*os.listdir(shared.private)} - {*before} == set()
    assert shared.is_nothing_betrayed()


def test_the_folder_that_was_clicked_becomes_a_link_and_nothing_is_cut_out(shared: Shared) -> None:
    make(shared.folder / "trip", BOB, 0o777)
    write(shared.folder / "trip" / "photo.jpg", "ok picture", BOB)
    shared.alice("list", "click", shared.folder / "trip", "")
    shared.bob(f"mv trip away && ln -s {shared.private} trip")
    assert shared.work()["photo.jpg"][:2] == ["failed", "no_permission"]
    assert sorted(os.listdir(shared.private)) == ["nobg", "photo.jpg"]


def test_a_link_in_a_listed_folder_is_not_taken_and_one_that_alice_names_is(shared: Shared) -> None:
    (shared.private / "link.jpg").symlink_to("photo.jpg")
    os.chown(shared.private / "link.jpg", ALICE, ALICE, follow_symlinks=False)
    write(shared.private / "x.jpg", "ok x", ALICE)
    shared.alice("list", "remove", shared.private, "")
    assert sorted(shared.work()) == ["photo.jpg", "x.jpg"]
    shared.alice("list", "remove", shared.private / "link.jpg", "")
    assert shared.work()["link.jpg"][0] == "done"


def test_a_picture_that_bobs_link_leads_to_is_cut_out_if_it_is_his_own_and_alice_named_it(shared: Shared) -> None:
    write(shared.bobs / "a.jpg", "ok picture", BOB)
    shared.bob(f"ln -s {shared.bobs}/a.jpg a.jpg")
    shared.alice("list", "remove", shared.folder / "a.jpg", "")
    assert shared.work()["a.jpg"][0] == "done"
    assert (shared.folder / "a_nobg.png").read_bytes() == CUT_OUT


@pytest.mark.parametrize("way", ["click", "watch", "name"])
@pytest.mark.parametrize("goal", ["bobs", "private"])
def test_a_sub_folder_for_cut_outs_that_bob_has_laid_as_a_link_is_refused(shared: Shared, way: str, goal: str) -> None:
    write(shared.folder / "a.jpg", "ok picture", ALICE, 0o600)
    place = getattr(shared, goal)
    shared.alice("list", way, shared.folder / "a.jpg" if way == "name" else shared.folder, "cutouts")
    shared.bob(f"ln -s {place} cutouts")
    before = sorted(os.listdir(place))
    state, reason, detail = shared.work("cutouts")["a.jpg"]
    assert (state, reason) == ("failed", "no_permission")
    assert "link cutouts" in detail
    assert sorted(os.listdir(place)) == before


def test_a_sub_folder_for_cut_outs_that_alice_has_laid_as_a_link_is_used(shared: Shared) -> None:
    write(shared.folder / "a.jpg", "ok picture", ALICE)
    (shared.folder / "cutouts").symlink_to(shared.private)
    os.chown(shared.folder / "cutouts", ALICE, ALICE, follow_symlinks=False)
    shared.alice("list", "click", shared.folder, "cutouts")
    assert shared.work("cutouts")["a.jpg"][0] == "done"
    assert (shared.private / "a_nobg.png").read_bytes() == CUT_OUT


def test_a_sub_folder_for_originals_that_bob_has_laid_as_a_link_is_refused(shared: Shared) -> None:
    write(shared.folder / "a.jpg", "ok picture", ALICE)
    shared.alice("list", "watch", shared.folder, "", "done")
    shared.bob(f"ln -s {shared.bobs} done")
    assert shared.work()["a.jpg"][0] == "done"
    assert (shared.folder / "a.jpg").exists()
    assert os.listdir(shared.bobs) == []


def test_undo_moves_no_private_file_to_where_the_original_was(shared: Shared) -> None:
    write(shared.folder / "photo.jpg", "ok picture", ALICE)
    shared.alice("list", "watch", shared.folder, "", "done")
    assert shared.work()["photo.jpg"][0] == "done"
    assert (shared.folder / "done" / "photo.jpg").exists()
    with suppress(subprocess.CalledProcessError):  # a sticky folder protects it
        shared.bob(f"mv done away && ln -s {shared.private} done")
    shared.alice("undo")
    assert (shared.private / "photo.jpg").exists()
    assert shared.is_nothing_betrayed()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o644])
def test_bob_reads_no_cut_out_of_a_picture_that_he_may_not_read(shared: Shared, mode: int) -> None:
    path = write(shared.folder / "a.jpg", "ok secret", ALICE, mode)
    os.chown(path, ALICE, BOB)  # Bob's group: 0604 is closed to Bob, 0640 is open to him
    may_read = bool(mode & 0o040)
    shared.alice("list", "name", path, "")
    assert shared.work()["a.jpg"][0] == "done"
    cut_out = shared.folder / "a_nobg.png"
    assert (cut_out.stat().st_uid, cut_out.stat().st_mode & 0o007) == (ALICE, 0o004 if mode == 0o644 else 0)
    assert may_read or shared.is_nothing_betrayed()
