"""sources.py: from the named file to the photo."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from watcher.editor import sources, strings
from watcher.errors import NobgError, PictureError
from watcher.queue.job import Job
from watcher.queue.journal import Journal

WHITE = '{"background": "#ffffff"}'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def output(photo: Path, journal: Journal) -> Path:
    """Write a cut-out of the photo, as nobg does."""
    path = photo.with_name("photo_nobg.png")
    path.write_bytes(b"cut-out")
    job = Job(photo, WHITE, source_hash=sha256(photo.read_bytes()), model="m")
    journal.record(job, state="done", output=path, output_hash=sha256(b"cut-out"))
    return path


def test_a_photo_is_itself_and_its_cut_out_leads_to_it(photo: Path, output: Path, journal: Journal) -> None:
    for path in (photo, output):
        found = sources.find(path, journal)
        assert (found.path, found.recipe, found.content) == (photo, WHITE, sha256(photo.read_bytes()))


def test_a_photo_has_the_recipe_of_its_newest_request_with_the_present_content(photo: Path, journal: Journal) -> None:
    assert sources.find(photo, journal).recipe is None
    for recipe in ("{}", WHITE):
        job = Job(photo, recipe, source_hash=sha256(photo.read_bytes()), model="m")
        journal.record(job, state="skipped", reason="no_clear_subject")
    assert sources.find(photo, journal).recipe == WHITE
    photo.write_bytes(b"another photo")
    assert sources.find(photo, journal).recipe is None


def test_a_cut_out_that_a_person_has_changed_leads_to_the_photo(photo: Path, output: Path, journal: Journal) -> None:
    output.write_bytes(b"changed")
    assert sources.find(output, journal).path == photo


def test_a_photo_that_has_taken_the_name_of_a_cut_out_is_a_photo(output: Path, journal: Journal) -> None:
    output.write_bytes(b"a photo of its own")
    journal.record(Job(output, source_hash=sha256(b"a photo of its own"), model="m"), state="failed")
    found = sources.find(output, journal)
    assert (found.path, found.recipe) == (output, "{}")


def test_the_name_of_a_cut_out_that_was_undone_says_nothing(output: Path, journal: Journal) -> None:
    journal.mark_undone(journal.history()[0])
    output.write_bytes(b"a photo of its own")
    assert sources.find(output, journal).path == output
    output.unlink()
    with pytest.raises(PictureError) as caught:
        sources.find(output, journal)
    assert caught.value.reason == "vanished"


def test_a_renamed_photo_is_found_by_a_later_job_of_its_content(photo: Path, output: Path, journal: Journal) -> None:
    renamed = photo.rename(photo.with_name("renamed.jpg"))
    with pytest.raises(NobgError) as caught:
        sources.find(output, journal)
    assert str(caught.value) == strings.PHOTO_GONE.format(name=output.name, path=photo)
    journal.record(Job(renamed, source_hash=sha256(renamed.read_bytes()), model="m"), state="failed")
    assert sources.find(output, journal).path == renamed


def test_another_photo_at_the_old_place_is_not_taken_for_the_photo(photo: Path, output: Path, journal: Journal) -> None:
    photo.write_bytes(b"another")
    with pytest.raises(NobgError, match="is gone, or has changed"):
        sources.find(output, journal)


def test_of_two_equal_cut_outs_each_leads_to_the_photo_beside_it(tmp_path: Path, journal: Journal) -> None:
    photos = [tmp_path / name / "p.jpg" for name in ("A", "B")]
    for photo in photos:
        photo.parent.mkdir()
        photo.write_bytes(b"the same photo")
        output = photo.with_name("p_nobg.png")
        output.write_bytes(b"cut-out")
        job = Job(photo, source_hash=sha256(photo.read_bytes()), model="m")
        journal.record(job, state="done", output=output, output_hash=sha256(b"cut-out"))
    assert [sources.find(photo.with_name("p_nobg.png"), journal).path for photo in photos] == photos
