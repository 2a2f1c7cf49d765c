"""naming.py: names of outputs, and which names are outputs."""

import os
from itertools import islice
from pathlib import Path

import pytest

from watcher.naming import is_output_name, is_source_name, output_names, output_paths


def test_photo_jpg_becomes_photo_nobg_png_and_then_numbers_follow() -> None:
    assert list(islice(output_names(Path("a/photo.jpg")), 3)) == [
        "photo_nobg.png",
        "photo_nobg-2.png",
        "photo_nobg-3.png",
    ]


def test_output_is_named_after_the_source() -> None:
    assert next(output_paths(Path("/a/b.c.jpg"), Path("/a"))) == Path("/a/b.c_nobg.png")
    assert next(output_paths(Path("/a/b.jpg"), Path("/out"))) == Path("/out/b_nobg.png")


def test_a_name_at_the_limit_is_shortened_to_fit() -> None:
    name = next(output_names(Path("ü" * 125 + ".jpg")))
    assert name.endswith("_nobg.png")
    assert 250 < len(os.fsencode(name)) <= 255


@pytest.mark.parametrize("name", ["photo_nobg.png", "photo_nobg-2.png", "a_nobg.webp", "new\nline_nobg-13.png"])
def test_outputs_are_recognised(name: str) -> None:
    assert is_output_name(name)


@pytest.mark.parametrize(
    "appended",
    [
        *(
            " (copy)",
            " (another copy)",
            " (3rd copy)",
            "(1)",
            " (1)",
            " (Kopie 2)",
            " - Copy",
            " - Copy (2)",
            " - Kopie",
        ),
        *(" copy", " copy 2", " 2", ".sync-conflict-20260101-120000-ABCDEFG", " (conflicted copy 2026-01-01 120000)"),
        *(" (Ana's conflicted copy 2026-05-01)", "_conflict-20260101-120000", "-2 (copy)", " (copy) (copy)"),
    ],
)
def test_a_copy_of_an_output_is_recognised_by_what_programs_append_to_its_name(appended: str) -> None:
    assert is_output_name(f"photo_nobg{appended}.png")
    assert is_output_name(f"photo-cut{appended}.png", "-cut")


@pytest.mark.parametrize(
    "name",
    [
        *(".syncthing.x.jpg.tmp", "~syncthing~x.jpg.tmp", "x.jpg.part", ".x.jpg.~5f3a", ".~x.jpg", "x.jpg.!sync"),
        *(".x.jpg.AbC123", "x.jpg.filepart", "x.jpg.crdownload", "x.jpg~", "x.jpg.partial", ".x.jpg.icloud"),
    ],
)
def test_what_a_sync_program_has_not_finished_is_no_source(name: str) -> None:
    assert not is_source_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("x (Ana's conflicted copy 2026-05-01).jpg", "x.sync-conflict-20260501-101500-ABCDEFG.jpg", "x(1).jpg"),
        *("x-DESKTOP-AB12CD.jpg", "x (1).jpg", "x (conflicted copy 2026-05-01 101500).jpg", "x.Conflict.jpg"),
    ],
)
def test_the_loser_of_a_conflict_is_a_picture(name: str) -> None:
    assert is_source_name(name)


def test_a_hostile_name_is_judged_at_once() -> None:
    for part in (" - a", "(", " (1)", " 1", "_conflict-20260101-120000", ".sync-conflict-20260101-120000-ABCDEFG"):
        assert not is_output_name("_nobg" + part * (250 // len(part)) + ".")


@pytest.mark.parametrize("name", ["photo.png", "nobg.png", "photo_nobg", "photo_nobg-x.png", "photo_nobg2.png"])
def test_other_names_are_not_recognised_as_outputs(name: str) -> None:
    assert not is_output_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("a.jpg", "A.JPEG", "ü b.png", "-rf.jpg", "part.jpg", "new\nline.webp"),
        *(
            "bolt.part.jpg",
            "photo.tmp.jpg",
            "my.download.jpg",
            "~sketch.jpg",
            "a.crdownload.png",
            "a.partial.filepart.jpg",
        ),
    ],
)
def test_a_picture_is_a_source_whatever_is_before_its_last_ending(name: str) -> None:
    assert is_source_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a.txt",
            "a",
            "a_nobg.png",
            "a_nobg-2.png",
            ".a.jpg",
            "._a.jpg",
            ".syncthing.a.jpg.tmp",
            "~syncthing~a.jpg.tmp",
        ),
        *("a.png.crdownload", "a.jpg.part", "a.jpg.partial", "a.jpg.download", "a.tmp", "a.jpg.filepart"),
        ".nobg-0123456789abcdef.tmp",
    ],
)
def test_files_whose_last_ending_says_that_they_are_unfinished_are_no_sources(name: str) -> None:
    assert not is_source_name(name)
