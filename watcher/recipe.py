"""A recipe: the output settings that make one cut-out of a picture differ from another.

Each setting is one field of Recipe and one row of FIELDS. The command line, config.toml, docs/recipes.md and the tests
follow FIELDS. The right-click client reads recipes, so this module imports the standard library only and loads fast.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from watcher.formats import is_picture_name
from watcher.naming import DEFAULT_SUFFIX, output_paths, resolve_destination

COLOURS = {
    "white": "#ffffff",
    "black": "#000000",
    "grey": "#808080",
    "gray": "#808080",
    "silver": "#c0c0c0",
    "red": "#ff0000",
    "maroon": "#800000",
    "orange": "#ffa500",
    "yellow": "#ffff00",
    "olive": "#808000",
    "lime": "#00ff00",
    "green": "#008000",
    "aqua": "#00ffff",
    "teal": "#008080",
    "blue": "#0000ff",
    "navy": "#000080",
    "fuchsia": "#ff00ff",
    "purple": "#800080",
    "pink": "#ffc0cb",
}
"""Colour name -> sRGB (the basic colours of CSS Color Module Level 4)."""

PLACEMENTS = ("top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right")
"""The positions that the picture can have on a canvas."""

OUTPUT_EXTENSIONS = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "tiff": ".tif"}
"""Output format -> file name extension."""

MAX_SIDE_PIXELS = 30_000
"""The longest side, in pixels, that a recipe may ask for."""

DEFAULT_SHADOW_PERCENT = 40
"""How dark the shadow is when the setting is just `true`."""


class RecipeError(Exception):
    """A setting that makes no sense. `field` is its name; the message says why, without a final period."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True)
class Measure:
    """A length: `amount` in pixels or, if `is_percent`, in hundredths of the length that the setting refers to."""

    amount: float
    is_percent: bool = False

    def to_pixels(self, length: float) -> float:
        """The measure in pixels. `length`: the pixels that 100% stands for."""
        return length * self.amount / 100.0 if self.is_percent else self.amount

    def __str__(self) -> str:
        return f"{self.amount:.3f}".rstrip("0").rstrip(".") + ("%" if self.is_percent else "")


@dataclass(frozen=True)
class Canvas:
    """Width and height of the output, in pixels. If `is_ratio`, only their ratio counts."""

    width: int
    height: int
    is_ratio: bool = False

    def __str__(self) -> str:
        return f"{self.width}{':' if self.is_ratio else 'x'}{self.height}"


@dataclass(frozen=True)
class Recipe:
    """How to make a cut-out. The default is the subject on a transparent background, as a PNG beside the source.

    `background`: None, an sRGB colour `#rrggbb`, or the path of a picture. `output`: the folder for cut-outs, absolute
    or relative to the source's folder. `model`: None stands for the model in use. `shadow`: how dark it is, 0..100.
    `quality`: None stands for lossless or, in a JPEG, 92. FIELDS explains the other fields.
    """

    output: Path | None = None
    background: str | Path | None = None
    fit: str = "cover"
    crop: Measure | None = None
    canvas: Canvas | None = None
    padding: Measure = Measure(0)
    placement: str = "center"
    longest_side: int | None = None
    shadow: int = 0
    mask: bool = False
    format: str = "png"
    quality: int | None = None
    effort: str = "normal"
    metadata: str = "drop"
    first_frame: bool = False
    suffix: str = DEFAULT_SUFFIX
    model: str | None = None

    def key(self) -> str:
        """The recipe as the journal stores it: JSON without default values, so that a new setting changes no key."""
        return json.dumps(
            {_JSON_KEYS.get(name, name): _to_json_value(value) for name, value in self.non_default_settings().items()}
        )

    def non_default_settings(self) -> dict[str, Any]:
        """The fields that differ from the default, with their values."""
        return {name: value for name in _DEFAULTS if (value := getattr(self, name)) != _DEFAULTS[name]}

    def destination(self, source: Path) -> Path:
        """The folder for the cut-out of `source`."""
        return source.parent if self.output is None else Path(resolve_destination(str(source.parent), str(self.output)))

    @property
    def should_create_destination(self) -> bool:
        """Whether to create a missing destination. An absolute one is not created: its drive may be unplugged."""
        return self.output is not None and not self.output.is_absolute()

    def output_paths(self, source: Path) -> Iterator[Path]:
        """The paths to try for the cut-out of `source`: `photo_nobg.png`, `photo_nobg-2.png`, …"""
        return output_paths(source, self.destination(source), self.suffix, OUTPUT_EXTENSIONS[self.format])

    @property
    def background_picture(self) -> Path | None:
        """The background if it is a picture, else None."""
        return self.background if isinstance(self.background, Path) else None


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
_JSON_KEYS = {"output": "folder"}  # the key that version 2 of the journal introduced


def _to_json_value(value: Any) -> Any:
    """Return a value for JSON. A path becomes hexadecimal digits, because its bytes need not be valid text."""
    if isinstance(value, Path):
        return os.fsencode(value).hex()
    return str(value) if isinstance(value, Measure | Canvas) else value


@lru_cache(maxsize=256)
def parse_key(key: str) -> Recipe:
    """Return the recipe whose `Recipe.key` is `key`. Raises RecipeError if a later version of nobg made the key."""
    try:
        return _parse_key(key)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError("recipe", "another version of nobg made it, and this one does not know it") from error


def _parse_key(key: str) -> Recipe:
    values: dict[str, Any] = json.loads(key)
    if "folder" in values:
        values["output"] = Path(os.fsdecode(bytes.fromhex(values.pop("folder"))))
    background = values.get("background")
    if background is not None and not background.startswith("#"):
        values["background"] = Path(os.fsdecode(bytes.fromhex(background)))
    for name, read in (("crop", _read_measure), ("padding", _read_measure), ("canvas", _read_canvas)):
        if name in values:
            values[name] = read(values[name])
    return Recipe(**values)


def read_recipe(values: Mapping[str, object], base: Recipe | None = None) -> Recipe:
    """Return `base` with the settings that a person wrote. `values`: field name -> text, number or boolean.

    `base`: None stands for the default recipe. Raises RecipeError.
    """
    fields_by_name = {field.name: field for field in FIELDS}
    settings = dict((base or Recipe()).non_default_settings())
    for name, value in values.items():
        if name not in fields_by_name:
            raise RecipeError(name, f"there is no such setting; the settings are {', '.join(fields_by_name)}")
        try:
            is_unset = value == "none" and _DEFAULTS[name] is None
            settings[name] = None if is_unset else fields_by_name[name].read(value)
        except ValueError as error:
            raise RecipeError(name, str(error)) from error
    recipe = Recipe(**settings)
    for name, reason in _contradictions(recipe):
        raise RecipeError(name, reason)
    return recipe


def config_values(recipe: Recipe, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields `names` with their values as in config.toml, which `read_recipe` takes."""
    values = {name: getattr(recipe, name) for name in names}
    return {
        name: "none" if value is None else value if isinstance(value, bool | int) else str(value)
        for name, value in values.items()
    }


def _contradictions(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Find settings that contradict each other. Yields the field to change and the reason."""
    canvas, settings = recipe.canvas, recipe.non_default_settings()
    has_pixel_size = canvas is not None and not canvas.is_ratio
    shorter_side = 0 if canvas is None else min(canvas.width, canvas.height)
    is_padded_full = 2 * recipe.padding.to_pixels(shorter_side) > shorter_side - 1
    needs_background = "a JPEG cannot be transparent; choose a background, for instance white"
    no_picture = "it is for a background picture, and there is none"
    rules = [
        ("background", recipe.mask and recipe.background, "a mask has none; leave out one of the two"),
        ("shadow", recipe.mask and recipe.shadow, "a mask has none; leave out one of the two"),
        ("format", recipe.format == "jpeg" and not (recipe.background or recipe.mask), needs_background),
        ("quality", recipe.quality and recipe.format not in ("webp", "jpeg"), "only webp and jpeg have a quality"),
        ("effort", "effort" in settings and recipe.format != "png", "only png has an effort"),
        ("fit", "fit" in settings and recipe.background_picture is None, no_picture),
        ("padding", "padding" in settings and canvas is None, "it needs a canvas, for instance 1:1"),
        ("placement", "placement" in settings and canvas is None, "it needs a canvas, for instance 1:1"),
        ("padding", has_pixel_size and is_padded_full, "it leaves no room on the canvas"),
        ("longest_side", has_pixel_size and recipe.longest_side, "the canvas has a size already; leave one out"),
    ]
    return ((name, reason) for name, applies, reason in rules if applies)


# The readers: each takes text from the command line or a value from config.toml, and raises ValueError with the reason.


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"it must be one of {', '.join(allowed)}")
        return str(value)

    return read


def _integer_between(minimum: int, maximum: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"it must be a whole number from {minimum} to {maximum}")
        return value

    return read


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")  # noqa: TRY004  every reader raises ValueError
    return value


def _read_measure(value: object) -> Measure:
    match = re.fullmatch(r"(\d{1,5}(?:\.\d{1,3})?)\s*(%|px)?", str(value), re.ASCII)
    if isinstance(value, bool) or match is None or float(match[1]) > MAX_SIDE_PIXELS:
        raise ValueError("it must be a number of pixels, such as 40, or a percentage, such as 5%")
    measure = Measure(float(match[1]), match[2] == "%")
    if measure.is_percent and measure.amount > 100:
        raise ValueError("it must be at most 100%")
    return measure


def _read_padding(value: object) -> Measure:
    measure = _read_measure(value)
    if measure.is_percent and measure.amount > 45:
        raise ValueError("it must be at most 45%, or nothing is left of the picture")
    return measure


def _read_crop(value: object) -> Measure | None:
    return (Measure(0) if value else None) if isinstance(value, bool) else _read_measure(value)


def _read_canvas(value: object) -> Canvas:
    match = re.fullmatch(r"(\d{1,5})\s*([x:])\s*(\d{1,5})", str(value), re.ASCII)
    if match is None or not (0 < int(match[1]) <= MAX_SIDE_PIXELS and 0 < int(match[3]) <= MAX_SIDE_PIXELS):
        raise ValueError("it must be a size in pixels, such as 2000x2000, or a ratio, such as 1:1")
    canvas = Canvas(int(match[1]), int(match[3]), match[2] == ":")
    if canvas.is_ratio and not 1 / 20 <= canvas.width / canvas.height <= 20:
        raise ValueError("one side may be at most 20 times as long as the other")
    return canvas


def _read_shadow(value: object) -> int:
    return DEFAULT_SHADOW_PERCENT * value if isinstance(value, bool) else _integer_between(0, 100)(value)


def _read_background(value: object) -> str | Path | None:
    text = str(value)
    if text.lower() == "none":
        return None
    colour = COLOURS.get(text.lower(), text)
    short = re.fullmatch(r"#([0-9a-f])([0-9a-f])([0-9a-f])", colour, re.IGNORECASE)
    if short:
        colour = "#" + "".join(digit * 2 for digit in short.groups())
    if re.fullmatch(r"#[0-9a-f]{6}", colour, re.IGNORECASE):
        return colour.lower()
    if not is_picture_name(text):
        raise ValueError(f"it must be none, {', '.join(COLOURS)}, a colour such as #ffcc00, or the path of a picture")
    path = _expand_user(text)
    if not path.is_absolute() or "\0" in text:
        raise ValueError(f'"{text}" must be a full path, from the root')
    return path


def read_folder(value: object) -> Path:
    """Return the path of a folder, with `~` expanded. Raises ValueError with the reason."""
    if not isinstance(value, str):
        raise ValueError("it must be text in quotes")  # noqa: TRY004  every reader raises ValueError
    if value == "" or "\0" in value:
        raise ValueError("it must name a folder")
    return _expand_user(value)


def _expand_user(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such user") from error


_SUFFIX = re.compile(r'[^/\\:*?"<>|\x00-\x1f.]+')  # what every system allows; no period, which begins the extension


def _read_suffix(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(os.fsencode(value)) <= 100 or not _SUFFIX.fullmatch(value):
        raise ValueError("it must be text that a file's name can end with, such as _white")
    return value


def _read_model_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be the name of a model, such as fast, balanced or best")
    return value


@dataclass(frozen=True)
class Field:
    """One setting: `read` turns what a person wrote into a value; `metavar` and `help` explain it on the command line.

    `is_value_optional`: the option may stand alone, which means `true`.
    """

    name: str
    read: Callable[[object], Any]
    metavar: str
    help: str
    is_value_optional: bool = False


FIELDS = (
    Field("background", _read_background, "none|COLOR|FILE", "behind the subject: nothing, a colour or a picture"),
    Field("fit", _one_of("cover", "contain"), "cover|contain", "fill the output with the background, or show it whole"),
    Field(
        "crop", _read_crop, "MARGIN", "crop to the subject, with a margin such as 40px, or 5%% of its longer side", True
    ),
    Field("canvas", _read_canvas, "SIZE", "the output has this size, such as 2000x2000, or this shape, such as 1:1"),
    Field("padding", _read_padding, "MARGIN", "space at the canvas's edges, such as 40px, or 5%% of its shorter side"),
    Field("placement", _one_of(*PLACEMENTS), "WHERE", "where on the canvas: center, top, bottom-left, …"),
    Field("longest_side", _integer_between(1, MAX_SIDE_PIXELS), "PIXELS", "shrink an output that is larger than this"),
    Field("shadow", _read_shadow, "DARKNESS", "a soft shadow under the subject: 1 to 100 percent (default: 40)", True),
    Field("mask", _read_boolean, "", "only the mask: white where the subject is, black elsewhere"),
    Field("format", _one_of(*OUTPUT_EXTENSIONS), "png|webp|jpeg|tiff", "the file format of the output"),
    Field("quality", _integer_between(1, 100), "1-100", "of webp (default: lossless) and jpeg (default: 92)"),
    Field("effort", _one_of("fast", "normal", "small"), "fast|normal|small", "png: how hard to compress the file"),
    Field("metadata", _one_of("drop", "keep", "all"), "drop|keep|all", "EXIF data to keep: none, no places, or all"),
    Field("first_frame", _read_boolean, "", "only the first frame of an animation"),
    Field("suffix", _read_suffix, "TEXT", "the end of the output's name: photo_nobg.png has _nobg"),
    Field("model", _read_model_name, "NAME", "fast, balanced, best, or one model; `nobg models list` shows them"),
    Field("output", read_folder, "DIR", "the folder for outputs"),
)
"""All settings of a recipe, in the order in which they are explained."""

BUILT_IN: dict[str, Recipe] = {
    "transparent": Recipe(),
    "white": Recipe(background="#ffffff"),
    "crop": Recipe(crop=Measure(5, is_percent=True)),
    "mask": Recipe(mask=True),
}
"""The recipes that always exist. A recipe of the same name in config.toml replaces one."""
