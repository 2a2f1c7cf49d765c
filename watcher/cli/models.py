"""The words of `nobg models list`, `add`, `verify` and `use`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from watcher import config, paths
from watcher.cli import terminal
from watcher.errors import ModelError
from watcher.matting import memory, models, modes
from watcher.matting.models import Model
from watcher.matting.modes import Mode


def in_use() -> str:
    """The name of the model that nobg works with where nothing else is asked for. Raises UsageError."""
    return config.load(paths.config_path()).model or modes.DEFAULT.name


def list_(options: argparse.Namespace) -> int:
    """Nobg's own ways of working, then every model that there is, and where those that are not here are found."""
    current, here = in_use(), models.installed()
    rows = [*models.CATALOGUE, *models.added()]
    if options.json:
        own = [_mode_as_dict(mode, current) for mode in modes.MODES]
        terminal.print_json({"modes": own, "models": [_as_dict(model, current, here) for model in rows]})
        return 0
    for mode in modes.MODES:
        state = " (in use)" if mode.name == current else ""
        terminal.tell(f"{mode.name}{state}: {mode.good_for}")
        terminal.tell(f"    in the package; takes {memory.gigabytes(mode.memory)} of memory")
    terminal.tell("")
    terminal.tell("In their place, a single model can be used:")
    for model in rows:
        for line in _lines(model, current, here):
            terminal.tell(line)
    terminal.tell("")
    terminal.tell("nobg downloads nothing. Get a file where it says, then: nobg models add FILE")
    return 0


def _mode_as_dict(mode: Mode, current: str) -> dict[str, Any]:
    return {
        "name": mode.name,
        "in_use": mode.name == current,
        "memory": mode.memory,
        "good_for": mode.good_for,
        "models": [model.name for model in mode.models],
    }


def _as_dict(model: Model, current: str, here: list[Model]) -> dict[str, Any]:
    return {
        "name": model.name,
        "installed": model in here,
        "in_use": model.name == current,
        "size": model.size,
        "memory": model.memory,
        "licence": model.licence,
        "good_for": model.good_for,
        "sources": list(model.sources),
        "sha256": model.sha256,
        "side": model.side,
    }


def _lines(model: Model, current: str, here: list[Model]) -> Iterator[str]:
    state = "in use" if model.name == current else "installed" if model in here else "not here"
    if model.name == current and model not in here:
        state = "in use, but not here"
    needs = f"{model.size / 1e6:.0f} MB, takes {memory.gigabytes(model.memory)} of memory"
    yield f"{model.name} ({state}): {model.good_for}"
    yield f"    {needs}; licence: {model.licence}"
    if model not in here:
        for number, source in enumerate(model.sources):
            yield f"    {'found at' if number == 0 else 'or'}: {source}"


def add(options: argparse.Namespace) -> int:
    """Install the model in a file."""
    from watcher.worker import model_files

    recipe = None if options.recipe_from is None else models.in_catalogue(options.recipe_from)
    model = model_files.add(options.file, recipe)
    if model in models.SHIPPED:
        terminal.tell(f"This is {model.name}, which came with nobg: it is here already.")
        return 0
    known = f"This is {model.name}: {model.good_for}." if model in models.CATALOGUE else f"It is called {model.name}."
    terminal.tell(f"{known} Licence: {model.licence}.")
    terminal.tell(f"Installed: {models.path_of(model)}")
    terminal.tell(f"To work with it from now on: nobg models use {model.name}")
    return 0


def verify(_options: argparse.Namespace) -> int:
    """Is each file that is here what it should be?"""
    damaged = 0
    for model in models.installed():
        try:
            models.read(model)
        except ModelError as error:
            terminal.say(str(error))
            damaged = error.exit_code
        else:
            terminal.tell(f"{model.name} is undamaged: SHA-256 {model.sha256}")
    return damaged


def use(options: argparse.Namespace) -> int:
    """Work with this model from now on."""
    mode = modes.find(options.name)
    mode.read()  # not only there, but sound
    config.set_value(paths.config_path(), "model", None if mode == modes.DEFAULT else mode.name)
    terminal.tell(f"nobg works with {mode.name} from now on: {mode.good_for}.")
    return 0
