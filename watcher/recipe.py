"""How a picture is to be done: the output settings that tell one cut-out of a picture from another.

Each setting is one field of Recipe and one row of FIELDS; command line, config.toml, README and tests follow FIELDS.
Standard library only, and cheap to import: the right-click client reads recipes, too.
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
"""Names of colours -> sRGB (the basic ones of CSS Color Module Level 4)."""

PLACEMENTS = tuple(
    "-".join(part for part in (row, column) if part) or "center"
    for row in ("top", "", "bottom")
    for column in ("left", "", "right")
)
"""top-left, top, top-right, left, center, … bottom-right: where on a canvas the picture stands."""

EXTENSIONS = {"png": ".png", "webp": ".webp", "jpeg": ".jpg", "tiff": ".tif"}
"""Format of the output -> the ending of its name."""

MAX_SIDE_PIXELS = 30_000  # on a side: what somebody may ask a canvas to have


class RecipeError(Exception):
    """A setting that makes no sense; `field` is its name, the message says why, without a final period."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True)
class Measure:
    """A length: `amount` pixels or, with `percent`, hundredths of the length that the setting refers to."""

    amount: float
    is_percent: bool = False

    def to_pixels(self, length: float) -> float:
        """In pixels."""
        return length * self.amount / 100.0 if self.is_percent else self.amount

    def __str__(self) -> str:
        return f"{self.amount:.3f}".rstrip("0").rstrip(".") + ("%" if self.is_percent else "")


@dataclass(frozen=True)
class Canvas:
    """Width and height of the output: in pixels or, with `ratio`, only how they relate."""

    width: int
    height: int
    is_ratio: bool = False

    def __str__(self) -> str:
        return f"{self.width}{':' if self.is_ratio else 'x'}{self.height}"


@dataclass(frozen=True)
class Recipe:
    """One way of doing a picture; the default is the subject on transparent ground, as PNG beside the original.

    `background`: None, an sRGB colour `#rrggbb`, or the path of a picture. `output`: the folder for cut-outs, absolute
    or seen from the picture's folder. `model` None: the one in use. `shadow`: 0..100, how dark. `quality` None: as
    good as the format can without loss; JPEG: 92. What the other fields mean is in FIELDS.
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
        """The recipe as the journal keeps it: JSON, defaults left out, so that new settings change no old recipe."""
        values = {
            _JSON_KEYS.get(name, name): _to_json_value(value) for name, value in self.non_default_settings().items()
        }
        return json.dumps(values)

    def non_default_settings(self) -> dict[str, Any]:
        """The fields that differ from the default, and their values."""
        return {name: value for name in _DEFAULTS if (value := getattr(self, name)) != _DEFAULTS[name]}

    def destination(self, source: Path) -> Path:
        """The folder in which the cut-out of `source` belongs."""
        return source.parent if self.output is None else Path(resolve_destination(str(source.parent), str(self.output)))

    @property
    def should_create_destination(self) -> bool:
        """Is the folder made where it is missing? One elsewhere is not: its drive may not be plugged in."""
        return self.output is not None and not self.output.is_absolute()

    def outputs(self, source: Path) -> Iterator[Path]:
        """The paths to try for the output of `source`: `photo_nobg.png`, `photo_nobg-2.png`, …"""
        return output_paths(source, self.destination(source), self.suffix, EXTENSIONS[self.format])

    @property
    def background_picture(self) -> Path | None:
        """The background, if it is a picture."""
        return self.background if isinstance(self.background, Path) else None


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
_JSON_KEYS = {"output": "folder"}  # as journals of version 2 have it


def _to_json_value(value: Any) -> Any:
    """A value for JSON; paths as hex digits, since they need not be text."""
    if isinstance(value, Path):
        return os.fsencode(value).hex()
    return str(value) if isinstance(value, Measure | Canvas) else value


@lru_cache(maxsize=256)
def parse(key: str) -> Recipe:
    """The recipe that key() wrote."""
    values: dict[str, Any] = json.loads(key)
    if "folder" in values:
        values["output"] = Path(os.fsdecode(bytes.fromhex(values.pop("folder"))))
    background = values.get("background")
    if background is not None and not background.startswith("#"):
        values["background"] = Path(os.fsdecode(bytes.fromhex(background)))
    for name, read_value in (("crop", _measure), ("padding", _measure), ("canvas", _canvas)):
        if name in values:
            values[name] = read_value(values[name])
    return Recipe(**values)


def read_recipe(values: Mapping[str, object], base: Recipe | None = None) -> Recipe:
    """A recipe from what a person wrote: text and numbers by field name, on top of `start`. Raises RecipeError."""
    known = {field.name: field for field in FIELDS}
    chosen = dict((base or Recipe()).non_default_settings())
    for name, value in values.items():
        if name not in known:
            raise RecipeError(name, f"there is no such setting; there is {', '.join(known)}")
        try:
            nothing = value == "none" and _DEFAULTS[name] is None
            chosen[name] = None if nothing else known[name].read(value)
        except ValueError as error:
            raise RecipeError(name, str(error)) from error
    recipe = Recipe(**chosen)
    for name, why in _contradictions(recipe):
        raise RecipeError(name, why)
    return recipe


def config_values(recipe: Recipe, names: Iterable[str]) -> dict[str, Any]:
    """These fields as config.toml has them: what read() takes."""
    values = {name: getattr(recipe, name) for name in names}
    return {
        name: "none" if value is None else value if isinstance(value, bool | int) else str(value)
        for name, value in values.items()
    }


def _contradictions(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Settings that cannot stand together: the one to change, and why."""
    canvas, said = recipe.canvas, recipe.non_default_settings()
    sized = canvas is not None and not canvas.is_ratio
    smaller = 0 if canvas is None else min(canvas.width, canvas.height)
    rules = [
        ("background", recipe.mask and recipe.background, "a mask has none; leave it or the mask out"),
        ("shadow", recipe.mask and recipe.shadow, "a mask has none; leave it or the mask out"),
        ("format", recipe.format == "jpeg" and not (recipe.background or recipe.mask), _JPEG_NEEDS_BACKGROUND),
        ("quality", recipe.quality and recipe.format not in ("webp", "jpeg"), "only webp and jpeg have a quality"),
        ("effort", "effort" in said and recipe.format != "png", "only png has an effort"),
        (
            "fit",
            "fit" in said and recipe.background_picture is None,
            "it is about a background picture, and there is none",
        ),
        ("padding", "padding" in said and canvas is None, "it needs a canvas, for instance 1:1"),
        ("placement", "placement" in said and canvas is None, "it needs a canvas, for instance 1:1"),
        ("padding", sized and 2 * recipe.padding.to_pixels(smaller) > smaller - 1, "it leaves no room on the canvas"),
        ("longest_side", sized and recipe.longest_side, "the canvas has a size already; leave one of them out"),
    ]
    return ((name, why) for name, applies, why in rules if applies)


_JPEG_NEEDS_BACKGROUND = "a JPEG cannot be transparent; choose a background, for instance white"


# How each setting is read: from text on the command line, or a value in config.toml. ValueError says what is wrong.


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read_value(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"it must be one of {', '.join(allowed)}")
        return str(value)

    return read_value


def _integer_between(minimum: int, maximum: int) -> Callable[[object], int]:
    def read_value(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"it must be a whole number from {minimum} to {maximum}")
        return value

    return read_value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")  # noqa: TRY004  as all readers
    return value


def _measure(value: object) -> Measure:
    found = re.fullmatch(r"(\d{1,5}(?:\.\d{1,3})?)\s*(%|px)?", str(value), re.ASCII)
    if isinstance(value, bool) or found is None or float(found[1]) > MAX_SIDE_PIXELS:
        raise ValueError("it must be a number of pixels, such as 40, or a share, such as 5%")
    measure = Measure(float(found[1]), found[2] == "%")
    if measure.is_percent and measure.amount > 100:
        raise ValueError("it must be at most 100%")
    return measure


def _padding(value: object) -> Measure:
    measure = _measure(value)
    if measure.is_percent and measure.amount > 45:
        raise ValueError("it must be at most 45%, or nothing is left of the picture")
    return measure


def _crop(value: object) -> Measure | None:
    return (Measure(0) if value else None) if isinstance(value, bool) else _measure(value)


def _canvas(value: object) -> Canvas:
    found = re.fullmatch(r"(\d{1,5})\s*([x:])\s*(\d{1,5})", str(value), re.ASCII)
    if found is None or not (0 < int(found[1]) <= MAX_SIDE_PIXELS and 0 < int(found[3]) <= MAX_SIDE_PIXELS):
        raise ValueError("it must be a size in pixels, such as 2000x2000, or a ratio, such as 1:1")
    canvas = Canvas(int(found[1]), int(found[3]), found[2] == ":")
    if canvas.is_ratio and not 1 / 20 <= canvas.width / canvas.height <= 20:
        raise ValueError("one side may be at most 20 times the other")
    return canvas


def _shadow(value: object) -> int:
    return DEFAULT_SHADOW_PERCENT * value if isinstance(value, bool) else _integer_between(0, 100)(value)


DEFAULT_SHADOW_PERCENT = 40
"""Percent: the shadow where only `true` is said."""


def _background(value: object) -> str | Path | None:
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
    return _absolute_path(text)


def _absolute_path(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such user") from error
    if not path.is_absolute() or "\0" in text:
        raise ValueError(f'"{text}" must be a whole path, from the root on')
    return path


def _suffix(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(os.fsencode(value)) <= 100 or not _SUFFIX.fullmatch(value):
        raise ValueError("it must be something that a file's name can end with, such as _white")
    return value


_SUFFIX = re.compile(r'[^/\\:*?"<>|\x00-\x1f.]+')  # what no system forbids; without a period, so that the ending is one


def _model_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be the name of a model; `nobg models list` shows them")
    return value


def _output_folder(value: object) -> Path:
    if not isinstance(value, str):
        raise ValueError("it must be text in quotes")  # noqa: TRY004  as all readers
    if value == "" or "\0" in value:
        raise ValueError("it must name a folder")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such user") from error


@dataclass(frozen=True)
class Field:
    """One setting: its name, how it is read, what to write, what it does. `alone`: the value it has when only named."""

    name: str
    read: Callable[[object], Any]
    example: str
    help: str
    is_value_optional: bool = False


FIELDS = (
    Field("background", _background, "none|COLOR|FILE", "what is behind the subject: nothing, a colour, or a picture"),
    Field("fit", _one_of("cover", "contain"), "cover|contain", "a background picture fills all, or is seen whole"),
    Field(
        "crop",
        _crop,
        "MARGIN",
        "cut to the subject, with a margin: 40 pixels, or 5%% of its longer side",
        is_value_optional=True,
    ),
    Field("canvas", _canvas, "SIZE", "the output has this size, such as 2000x2000, or this shape, such as 1:1"),
    Field("padding", _padding, "MARGIN", "room left free on the canvas: 40 pixels, or 5%% of its shorter side"),
    Field("placement", _one_of(*PLACEMENTS), "WHERE", "where on the canvas: center, top, bottom-left, …"),
    Field(
        "longest_side",
        _integer_between(1, MAX_SIDE_PIXELS),
        "PIXELS",
        "make the output smaller, if it is larger than this",
    ),
    Field(
        "shadow", _shadow, "DARKNESS", "a soft shadow under the subject: 1 to 100 percent (40)", is_value_optional=True
    ),
    Field("mask", _boolean, "", "only the mask: white where the subject is, black elsewhere"),
    Field("format", _one_of(*EXTENSIONS), "png|webp|jpeg|tiff", "the kind of file that is written"),
    Field("quality", _integer_between(1, 100), "1-100", "of webp (without it: no loss) and jpeg (without it: 92)"),
    Field("effort", _one_of("fast", "normal", "small"), "fast|normal|small", "png: how long to squeeze the file"),
    Field(
        "metadata", _one_of("drop", "keep", "all"), "drop|keep|all", "camera, date, author: none, without places, all"
    ),
    Field("first_frame", _boolean, "", "of an animation, only the first frame"),
    Field("suffix", _suffix, "TEXT", "what the output's name gets: photo_nobg.png has _nobg"),
    Field(
        "model",
        _model_name,
        "NAME",
        "fast, balanced, best, or a model that finds the subject; `nobg models list` shows those there are",
    ),
    Field("output", _output_folder, "DIR", "the folder for outputs"),
)
"""All settings of a recipe, in the order in which they are explained."""

BUILT_IN: dict[str, Recipe] = {
    "transparent": Recipe(),
    "white": Recipe(background="#ffffff"),
    "crop": Recipe(crop=Measure(5, is_percent=True)),
    "mask": Recipe(mask=True),
}
"""Recipes that are always there; one of the same name in config.toml takes its place."""
