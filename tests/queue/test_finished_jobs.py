"""finished_jobs.py: a picture that was done under another name, or in another place."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.outputs import stand_in_output
from tests.support.program import STAND_IN_WORKER
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.queue.undo import reason_to_keep
from watcher.recipe import Recipe
from watcher.worker import cut_outs, dispatch, supervisor


class Rig:
    """A journal, and a folder whose pictures are done as those of a watched folder."""

    def __init__(self, journal: Journal, folder: Path, log: Path) -> None:
        self.journal = journal
        self.folder = folder
        self.log = log
        self.queue = JournalQueue(journal)

    def do(self, *names: str, recipe: str = "{}") -> list[str]:
        """Do these pictures. Return the reason, or the state, of each result."""
        pictures = []
        for name in names:
            path, status = self.folder / name, (self.folder / name).stat()
            signature = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
            pictures.append((os.fsencode(path), status.st_dev, signature))
        self.journal.enqueue(pictures, watch=os.fsencode(self.folder), recipe=recipe)
        worker = supervisor.Supervisor()
        try:
            return [job.reason or job.state for job in dispatch.process_queue(self.queue, self.journal, worker)]
        finally:
            worker.stop_worker()

    def asked(self) -> int:
        """Return how many pictures the worker got."""
        return sum(line != "started" for line in self.log.read_text().splitlines())

    def names(self) -> list[str]:
        """Return the names of all files."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def rig(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    log = tmp_path / "worker.log"
    command = [sys.executable, str(STAND_IN_WORKER), str(log)]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    (folder / "a.jpg").write_text("ok a")
    rig = Rig(Journal(tmp_path), folder, log)
    assert rig.do("a.jpg") == ["done"]
    return rig


def test_a_picture_that_was_renamed_beside_its_cut_out_is_done(rig: Rig) -> None:
    (rig.folder / "a.jpg").rename(rig.folder / "b.jpg")
    assert rig.do("b.jpg") == ["already_done"]
    assert rig.names() == ["a_nobg.png", "b.jpg"]


def test_undo_follows_an_album_that_was_moved(rig: Rig) -> None:
    (rig.folder / "album").mkdir()
    for name in ("a.jpg", "a_nobg.png"):
        (rig.folder / name).rename(rig.folder / "album" / name)
    assert rig.do("album/a.jpg") == ["already_done"]
    (job,) = rig.journal.history()
    assert job.output == rig.folder / "album" / "a_nobg.png"
    assert reason_to_keep(job, rig.journal) is None


def test_a_cut_out_that_a_person_edited_counts_after_the_album_was_moved(rig: Rig) -> None:
    (rig.folder / "album").mkdir()
    (rig.folder / "a_nobg.png").write_text("edited")
    for name in ("a.jpg", "a_nobg.png"):
        (rig.folder / name).rename(rig.folder / "album" / name)
    assert rig.do("album/a.jpg") == ["already_done"]
    assert rig.names() == ["album/a.jpg", "album/a_nobg.png"]


def test_a_deleted_cut_out_is_not_made_again_because_the_picture_has_another_name(rig: Rig) -> None:
    (rig.folder / "a_nobg.png").unlink()
    (rig.folder / "a.jpg").rename(rig.folder / "b.jpg")
    rig.do("b.jpg")
    assert rig.names() == ["b.jpg"]
    assert rig.asked() == 1


def test_a_picture_moved_away_from_its_cut_out_gets_one_from_the_known_bytes(rig: Rig) -> None:
    (rig.folder / "album").mkdir()
    (rig.folder / "a.jpg").rename(rig.folder / "album" / "a.jpg")
    assert rig.do("album/a.jpg") == ["done"]
    assert rig.names() == ["a_nobg.png", "album/a.jpg", "album/a_nobg.png"]
    assert rig.asked() == 1


def doubts(journal: Journal) -> dict[str, tuple[float | None, str]]:
    """Return the doubt of each finished job, and why, by the name of its source."""
    return {job.source.name: (job.doubt, job.why) for job in journal.history()}


def test_a_picture_that_is_done_by_its_content_has_the_doubt_of_the_earlier_job(rig: Rig) -> None:
    rig.journal._db.execute("UPDATE jobs SET doubt = 0.75, why = 'disagree'", ())  # not what the worker says
    shutil.copy(rig.folder / "a.jpg", rig.folder / "b.jpg")
    (rig.folder / "album").mkdir()
    shutil.copy(rig.folder / "a.jpg", rig.folder / "album" / "c.jpg")
    shutil.copy(rig.folder / "a_nobg.png", rig.folder / "album" / "c_nobg.png")
    assert rig.do("b.jpg", "album/c.jpg") == ["done", "already_done"]
    doubt = (0.75, "disagree")
    assert doubts(rig.journal) == {"a.jpg": doubt, "b.jpg": doubt, "c.jpg": doubt}
    (rig.folder / "a.jpg").rename(rig.folder / "d.jpg")
    (rig.folder / "a_nobg.png").rename(rig.folder / "d_nobg.png")
    assert rig.do("d.jpg") == ["already_done"]
    assert doubts(rig.journal)["d.jpg"] == doubt
    assert rig.asked() == 1


def test_a_copy_of_a_skipped_picture_has_its_doubt(rig: Rig) -> None:
    (done,) = rig.journal.history()
    rig.journal.record(
        done, state="skipped", reason="no_clear_subject", verdict="no_clear_subject", doubt=0.75, why="faint"
    )
    shutil.copy(rig.folder / "a.jpg", rig.folder / "b.jpg")
    (rig.folder / "a_nobg.png").unlink()
    assert rig.do("b.jpg") == ["no_clear_subject"]
    assert doubts(rig.journal) == {"a.jpg": (0.75, "faint"), "b.jpg": (0.75, "faint")}
    assert rig.asked() == 1


@pytest.mark.parametrize("forged", [None, "abc", 7, -1.0])
def test_a_forged_doubt_of_the_earlier_job_is_not_passed_on(rig: Rig, forged: object) -> None:
    rig.journal._db.execute("UPDATE jobs SET doubt = ?", (forged,))
    shutil.copy(rig.folder / "a.jpg", rig.folder / "b.jpg")
    assert rig.do("b.jpg") == ["done"]
    assert rig.journal._db.execute("SELECT doubt FROM jobs WHERE id = 2", ()) == [(None,)]


def test_the_losers_of_a_sync_conflict_are_picture_and_cut_out_and_not_computed_again(rig: Rig) -> None:
    for name in ("a.jpg", "a_nobg.png"):  # Syncthing renames what this computer had, and fetches that of the other
        stem, extension = name.split(".")
        (rig.folder / name).rename(rig.folder / f"{stem}.sync-conflict-20260501-101500-ABCDEFG.{extension}")
    (rig.folder / "a.jpg").write_text("ok changed on the other computer")
    (rig.folder / "a_nobg.png").write_bytes(stand_in_output("ok changed on the other computer"))
    assert rig.do("a.jpg") == ["done"]
    assert rig.do("a.sync-conflict-20260501-101500-ABCDEFG.jpg") == ["done"]
    assert rig.asked() == 2
    cut_out = rig.folder / "a.sync-conflict-20260501-101500-ABCDEFG_nobg.png"
    assert cut_out.read_bytes() == stand_in_output("ok a")
    assert len(rig.names()) == 5


def test_a_copy_of_a_picture_whose_cut_out_was_edited_is_computed(rig: Rig) -> None:
    (rig.folder / "a_nobg.png").write_text("edited")
    shutil.copy(rig.folder / "a.jpg", rig.folder / "b.jpg")
    assert rig.do("b.jpg") == ["done"]
    assert (rig.folder / "b_nobg.png").read_bytes() == stand_in_output("ok a")
    assert rig.asked() == 2


def test_a_file_of_the_same_bytes_at_the_target_is_the_output_whoever_wrote_it(rig: Rig) -> None:
    (rig.folder / "b.jpg").write_text("ok b")
    (rig.folder / "b_nobg.png").write_bytes(stand_in_output("ok b"))
    os.utime(rig.folder / "b_nobg.png", (1, 1))
    before = (rig.folder / "b_nobg.png").stat()
    assert rig.do("b.jpg") == ["done"]
    after = (rig.folder / "b_nobg.png").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert rig.names() == ["a.jpg", "a_nobg.png", "b.jpg", "b_nobg.png"]
    last_request = rig.journal.jobs_of_last_request()  # what `undo --last` takes back
    assert [job.source.name for job in last_request] == ["a.jpg"]
    assert doubts(rig.journal) == {"a.jpg": (0.125, "soft"), "b.jpg": (0.125, "soft")}  # the worker was asked


def test_a_cut_out_that_two_pictures_share_stays_when_one_of_them_changes(rig: Rig, tmp_path: Path) -> None:
    recipe = Recipe(tmp_path / "out")
    (tmp_path / "out").mkdir()
    (rig.folder / "x").mkdir()
    shutil.copy(rig.folder / "a.jpg", rig.folder / "x" / "a.jpg")
    sources = [rig.folder / "a.jpg", rig.folder / "x" / "a.jpg"]
    list(dispatch.run(sources, rig.journal, recipe=recipe))
    assert os.listdir(tmp_path / "out") == ["a_nobg.png"]
    sources[0].write_text("ok changed")
    list(dispatch.run(sources, rig.journal, recipe=recipe))
    assert sorted(os.listdir(tmp_path / "out")) == ["a_nobg-2.png", "a_nobg.png"]
    assert (tmp_path / "out" / "a_nobg.png").read_bytes() == stand_in_output("ok a")


def test_a_cut_out_that_another_computer_made_waits_for_its_picture_and_is_no_source(rig: Rig, tmp_path: Path) -> None:
    (rig.folder / "b.jpg").write_text("ok b")
    (rig.folder / "b-cut.png").write_bytes(stand_in_output("ok b"))
    now = 1000.0
    rig.journal = Journal(tmp_path, lambda: now)
    rig.queue = JournalQueue(rig.journal, lambda: now)
    recipe = Recipe(suffix="-cut").key()
    assert rig.do("b-cut.png", "b.jpg", recipe=recipe) == ["done"]
    now += cut_outs.RETRY_SECONDS
    assert rig.do() == []
    assert rig.journal.pending_counts() == (0, 0)
    assert rig.names() == ["a.jpg", "a_nobg.png", "b-cut.png", "b.jpg"]


def test_a_cut_out_of_another_computer_with_another_suffix_waits_for_its_picture(rig: Rig, tmp_path: Path) -> None:
    (rig.folder / "b.jpg").write_text("ok b")
    (rig.folder / "b-frei.png").write_bytes(stand_in_output("ok b"))
    (rig.folder / "b.c.png").write_text("ok c")  # not named after a picture `b.c`: it waits for `b.jpg`, then is done
    now = 1000.0
    rig.journal = Journal(tmp_path, lambda: now)
    rig.queue = JournalQueue(rig.journal, lambda: now)
    recipe = Recipe(suffix="-cut").key()
    assert rig.do("b-frei.png", "b.c.png", "b.jpg", recipe=recipe) == ["done"]
    now += cut_outs.RETRY_SECONDS
    assert rig.do() == ["done"]
    assert rig.journal.pending_counts() == (0, 0)
    assert rig.names() == ["a.jpg", "a_nobg.png", "b-cut.png", "b-frei.png", "b.c-cut.png", "b.c.png", "b.jpg"]


def test_what_is_named_like_the_cut_out_of_a_picture_beside_it_is_one_though_its_bytes_differ(rig: Rig) -> None:
    recipe = Recipe(suffix="-cut", background="#ffffff").key()
    (rig.folder / "b.JPG").write_text("ok b")
    (rig.folder / "b-cut.png").write_text("made by another processor, or model")
    assert rig.do("b.JPG", recipe=recipe) == ["done"]
    assert rig.do("b-cut.png", recipe=recipe) == []
    (rig.folder / "mug-cut.png").write_text("ok mug")  # no picture `mug` is there
    (rig.folder / "b-cut.jpg").write_text("ok b as a person cut it")  # not the format of the recipe
    assert rig.do("b-cut.jpg", "mug-cut.png", recipe=recipe) == ["done", "done"]


def test_what_is_made_from_a_cut_out_is_not_cut_out(rig: Rig) -> None:
    # of another computer, of a person, of OneDrive, Dropbox and Resilio after a conflict
    names = ["a_nobg-frei.png", "a_nobg edited.png", "a_nobg.web.jpg", "a_nobg-DESKTOP-AB12CD.png"]
    names += ["a_nobg (Ana's conflicted copy 2026-05-01).png", "a_nobg.Conflict.png"]
    for name in names:
        (rig.folder / name).write_text(f"ok {name}")
    assert rig.do(*names) == []
    assert rig.asked() == 1


def test_a_person_who_names_a_cut_out_of_the_same_recipe_is_told_that_it_is_done(rig: Rig) -> None:
    renamed = rig.folder / "mug.png"
    (rig.folder / "a_nobg.png").rename(renamed)  # as in an album that was renamed, and that nobg does not watch
    (result,) = dispatch.run([renamed], rig.journal)
    assert (result.state, result.reason, result.output) == ("skipped", "already_done", renamed)
    (result,) = dispatch.run([renamed], rig.journal, recipe=Recipe(background="#ffffff"))  # a new ground for a cut-out
    assert (result.state, result.output) == ("done", rig.folder / "mug_nobg.png")
    (result,) = dispatch.run([renamed], rig.journal, force=True)
    assert result.state == "done"


def test_in_a_renamed_album_the_queue_knows_cut_outs_by_content(rig: Rig) -> None:
    album = rig.folder / "album"
    album.mkdir()
    recipe = Recipe(suffix="-cut").key()
    (album / "b.jpg").write_text("ok b")
    assert rig.do("album/b.jpg", recipe=recipe) == ["done"]
    album.rename(rig.folder / "renamed")
    paths = [os.fsencode(rig.folder / "renamed" / name) for name in ("b.jpg", "b-cut.png")]
    rig.journal.enqueue([(path, None, None) for path in paths], recipe=recipe)  # what `nobg add renamed` puts there
    assert rig.do() == ["already_done", "already_done"]
    assert sorted(os.listdir(rig.folder / "renamed")) == ["b-cut.png", "b.jpg"]
    assert rig.journal.pending_counts() == (0, 0)
    assert rig.asked() == 2
