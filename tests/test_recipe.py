"""recipe.py"""

import os
from pathlib import Path

import pytest

from watcher.recipe import Recipe, parse

ODD = os.fsdecode(b"caf\xe9 \xff\n")


def test_the_default_is_an_empty_key() -> None:
    """Changing it would make every picture that was ever done look undone."""
    assert Recipe().key() == "{}"
    assert parse("{}") == Recipe(None)


def test_a_key_of_the_first_version_is_still_written_and_read() -> None:
    assert Recipe(Path("/out")).key() == '{"folder": "2f6f7574"}'
    assert parse('{"folder": "2f6f7574"}') == Recipe(Path("/out"))


@pytest.mark.parametrize("folder", ["cut", "/out", "../beside", ".", 'a"b\\c', "ü", ODD, f"/{ODD}/{ODD}"])
def test_what_goes_into_a_key_comes_out_of_it(folder: str) -> None:
    recipe = Recipe(Path(folder))
    assert recipe.key().isascii()
    assert parse(recipe.key()) == recipe != Recipe()
    assert parse(recipe.key()).key() == recipe.key()


def test_two_folders_are_two_keys_and_two_spellings_are_one() -> None:
    assert Recipe(Path("a")).key() != Recipe(Path("/a")).key()
    assert Recipe(Path("./a/")).key() == Recipe(Path("a")).key()


@pytest.mark.parametrize(
    ("output", "place"),
    [
        (None, "/pictures/june"),
        ("cut", "/pictures/june/cut"),
        ("/out", "/out"),
        (ODD, f"/pictures/june/{ODD}"),
    ],
)
def test_the_cut_out_goes_beside_its_source_into_a_sub_folder_or_elsewhere(output: str | None, place: str) -> None:
    recipe = Recipe(None if output is None else Path(output))
    assert recipe.place(Path("/pictures/june/photo.jpg")) == Path(place)
