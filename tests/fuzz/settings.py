"""Harnesses of what is read from config.toml, from recipes and from the journal's rows."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

from watcher.errors import UsageError
from watcher.queue.job import FIELD_NAMES, job_from_row
from watcher.recipe import RecipeError, parse_key, read_recipe
from watcher.settings import config


def fuzz_config(data: bytes) -> None:
    """parse(): UsageError. What it returns can be written to the journal and read again."""
    try:
        parsed = config.parse(data.decode("utf-8", "replace"), Path("config.toml"))
    except UsageError as error:
        if not str(error).startswith("config.toml, line "):
            raise AssertionError("the error does not say where") from error
        return
    recipes = [folder.recipe for folder in parsed.folders] + [named.recipe for named in parsed.recipes.values()]
    for recipe in recipes:
        assert parse_key(recipe.key()) == recipe


def fuzz_recipe(data: bytes) -> None:
    """read_recipe(): RecipeError. parse_key(): RecipeError."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(RecipeError):
        parse_key.__wrapped__(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(values, dict):
        with contextlib.suppress(RecipeError):
            recipe = read_recipe(values)
            assert parse_key(recipe.key()) == recipe


def fuzz_job_row(data: bytes) -> None:
    """job_from_row(): nothing, whatever SQLite holds in the row."""
    job = job_from_row(row(data))
    json.dumps(job.as_dict())
    _ = job.destination, job.worker_deaths


def row(data: bytes) -> tuple[Any, ...]:
    """Return a row of the kinds of values that SQLite has: NULL, integer, real, text, blob."""
    values: list[Any] = []
    offset = 0
    while len(values) < len(FIELD_NAMES):
        kind, size = (*data[offset : offset + 2], 0, 0)[:2]
        offset += 2
        chunk = data[offset : offset + size]
        offset += len(chunk)
        values.append(
            [
                None,
                int.from_bytes(chunk[:8], signed=True),
                *struct.unpack("d", chunk[:8].ljust(8, b"\0")),
                chunk.decode("utf-8", "replace"),
                chunk,
            ][kind % 5]
        )
    return tuple(values)
