"""recipe.py: settings are read strictly, and a recipe survives the journal and config.toml unchanged."""

from pathlib import Path

import pytest

from watcher.recipe import (
    BUILT_IN,
    DEFAULT_SHADOW_PERCENT,
    FIELDS,
    Canvas,
    Measure,
    Recipe,
    RecipeError,
    config_values,
    parse_key,
    read_recipe,
)

ODD = b"caf\xe9 \xff\n".decode(errors="surrogateescape")


def test_the_default_is_an_empty_key() -> None:
    """With another key, nobg would do every picture again."""
    assert Recipe().key() == "{}"
    assert parse_key("{}") == Recipe(None)


def test_a_key_of_the_first_version_is_still_written_and_read() -> None:
    assert Recipe(Path("/out")).key() == '{"folder": "2f6f7574"}'
    assert parse_key('{"folder": "2f6f7574"}') == Recipe(Path("/out"))


@pytest.mark.parametrize("folder", ["cut", "/out", "../beside", ".", 'a"b\\c', "ü", ODD, f"/{ODD}/{ODD}"])
def test_what_goes_into_a_key_comes_out_of_it(folder: str) -> None:
    recipe = Recipe(Path(folder))
    assert recipe.key().isascii()
    assert parse_key(recipe.key()) == recipe != Recipe()
    assert parse_key(recipe.key()).key() == recipe.key()


def test_two_folders_are_two_keys_and_two_spellings_are_one() -> None:
    assert Recipe(Path("a")).key() != Recipe(Path("/a")).key()
    assert Recipe(Path("./a/")).key() == Recipe(Path("a")).key()


@pytest.mark.parametrize(
    ("output", "destination"),
    [
        (None, "/pictures/june"),
        ("cut", "/pictures/june/cut"),
        ("/out", "/out"),
        (ODD, f"/pictures/june/{ODD}"),
    ],
)
def test_the_cut_out_goes_beside_its_source_into_a_sub_folder_or_elsewhere(
    output: str | None, destination: str
) -> None:
    recipe = Recipe(None if output is None else Path(output))
    assert recipe.destination(Path("/pictures/june/photo.jpg")) == Path(destination)


FULL = {
    "background": "/pictures/beach.jpg",
    "fit": "contain",
    "crop": "5%",
    "canvas": "4:5",
    "padding": 12,
    "placement": "bottom-left",
    "longest_side": 900,
    "shadow": 55,
    "format": "webp",
    "quality": 80,
    "metadata": "keep",
    "first_frame": True,
    "suffix": "_shop",
    "model": "u2net",
    "output": "cut",
}


def test_what_a_person_writes_is_read_and_written_again_and_survives_the_journal() -> None:
    recipe = read_recipe(FULL)
    assert recipe.crop == Measure(5, is_percent=True)
    assert recipe.canvas == Canvas(4, 5, is_ratio=True)
    assert parse_key(recipe.key()) == recipe
    values = config_values(recipe, FULL)
    assert read_recipe(values) == recipe
    assert values["longest_side"] == 900
    assert values["first_frame"] is True


def test_text_from_the_command_line_equals_a_number_from_the_file() -> None:
    assert read_recipe({"longest_side": "900", "crop": "40"}) == read_recipe({"longest_side": 900, "crop": 40})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("background", "none", None),
        ("background", "White", "#ffffff"),
        ("background", "#FC0", "#ffcc00"),
        ("background", "#12aBeF", "#12abef"),
        ("background", "/a b/ü.JPG", Path("/a b/ü.JPG")),
        ("crop", True, Measure(0)),
        ("crop", False, None),
        ("crop", "2.5%", Measure(2.5, is_percent=True)),
        ("crop", "40px", Measure(40)),
        ("canvas", "2000 x 1000", Canvas(2000, 1000)),
        ("shadow", True, DEFAULT_SHADOW_PERCENT),
        ("shadow", "7", 7),
        ("shadow", False, 0),
        ("mask", True, True),
        ("format", "tiff", "tiff"),
    ],
)
def test_each_way_of_writing_a_setting_is_understood(name: str, value: object, expected: object) -> None:
    assert getattr(read_recipe({name: value}), name) == expected


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"colour": 1}, "colour", "no such setting"),
        ({"background": "whyte"}, "background", "must be none, white"),
        ({"background": "beach.jpg"}, "background", "full path"),
        ({"background": "#12345"}, "background", "must be none"),
        ({"crop": "much"}, "crop", "number of pixels"),
        ({"crop": -1}, "crop", "number of pixels"),
        ({"crop": "101%"}, "crop", "at most 100%"),
        ({"canvas": "2000"}, "canvas", "size in pixels"),
        ({"canvas": "0x5"}, "canvas", "size in pixels"),
        ({"canvas": "99999x5"}, "canvas", "size in pixels"),
        ({"canvas": "100:1"}, "canvas", "20 times"),
        ({"canvas": "1:1", "padding": "46%"}, "padding", "at most 45%"),
        ({"canvas": "100x50", "padding": 25}, "padding", "no room"),
        ({"padding": 5}, "padding", "needs a canvas"),
        ({"placement": "top"}, "placement", "needs a canvas"),
        ({"canvas": "1:1", "placement": "middle"}, "placement", "one of top-left"),
        ({"longest_side": 0}, "longest_side", "from 1 to"),
        ({"longest_side": 1.5}, "longest_side", "whole number"),
        ({"longest_side": True}, "longest_side", "whole number"),
        ({"canvas": "10x10", "longest_side": 5}, "longest_side", "size already"),
        ({"shadow": 101}, "shadow", "0 to 100"),
        ({"mask": 1}, "mask", "true or false"),
        ({"mask": True, "background": "white"}, "background", "a mask has none"),
        ({"mask": True, "shadow": True}, "shadow", "a mask has none"),
        ({"format": "gif"}, "format", "one of png"),
        ({"format": "jpeg"}, "format", "choose a background"),
        ({"quality": 50}, "quality", "only webp and jpeg"),
        ({"format": "webp", "quality": 0}, "quality", "1 to 100"),
        ({"format": "webp", "effort": "small"}, "effort", "only png"),
        ({"fit": "contain"}, "fit", "there is none"),
        ({"fit": "contain", "background": "white"}, "fit", "there is none"),
        ({"metadata": "gps"}, "metadata", "one of drop"),
        ({"suffix": ""}, "suffix", "name can end"),
        ({"suffix": "a/b"}, "suffix", "name can end"),
        ({"suffix": "_x.png"}, "suffix", "name can end"),
        ({"model": ""}, "model", "name of a model"),
        ({"output": ""}, "output", "name a folder"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_name_and_the_reason(
    values: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(RecipeError, match=reason) as caught:
        read_recipe(values)
    assert caught.value.field == field


def test_a_jpeg_may_be_a_mask_and_the_settings_override_the_base() -> None:
    assert read_recipe({"mask": True, "format": "jpeg"}).mask
    assert read_recipe({"background": "none"}, read_recipe({"background": "white"})) == Recipe()


def test_outputs_are_named_by_suffix_and_format() -> None:
    recipe = read_recipe({"suffix": "_white", "format": "jpeg", "background": "white", "output": "shop"})
    paths = recipe.output_paths(Path("/in/photo.png"))
    assert [next(paths), next(paths)] == [Path("/in/shop/photo_white.jpg"), Path("/in/shop/photo_white-2.jpg")]


def test_each_setting_has_its_field_and_the_built_in_recipes_can_be_written() -> None:
    assert {field.name for field in FIELDS} == set(Recipe.__dataclass_fields__)
    for recipe in BUILT_IN.values():
        assert read_recipe(config_values(recipe, recipe.non_default_settings())) == recipe


@pytest.mark.parametrize("amount", ["0.001", "12345.678", "0", "0.5", "29999.999", "7"])
@pytest.mark.parametrize("unit", ["", "%"])
def test_every_measure_that_can_be_written_survives_the_journal(amount: str, unit: str) -> None:
    """A job whose recipe cannot be read would stay in the queue for ever."""
    if unit and float(amount) > 100:
        amount = "99.999"
    recipe = read_recipe({"crop": amount + unit})
    assert parse_key(recipe.key()) == recipe
    assert read_recipe(config_values(recipe, ["crop"])) == recipe


@pytest.mark.parametrize("crop", ["0.00001", "1e3", "123456"])
def test_a_measure_that_could_not_be_kept_exactly_is_refused(crop: str) -> None:
    with pytest.raises(RecipeError):
        read_recipe({"crop": crop})


@pytest.mark.parametrize("field", ["background", "crop", "canvas", "longest_side", "quality", "model", "output"])
def test_none_unsets_a_setting_of_the_base(field: str) -> None:
    base = Recipe(
        background="#ffffff",
        crop=Measure(1),
        canvas=Canvas(1, 1, is_ratio=True),
        longest_side=5,
        quality=5,
        model="m",
        output=Path("a"),
        format="webp",
    )
    assert getattr(read_recipe({field: "none"}, base), field) is None
