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
from watcher.program import edit_config


def current_model_name() -> str:
    """The name of the model that nobg works with where nothing else is asked for. Raises UsageError."""
    return config.load(paths.config_path()).model or modes.DEFAULT.name


def list_(options: argparse.Namespace) -> int:
    """Nobg's own ways of working, then every model that there is, and where those that are not here are found."""
    current, here = current_model_name(), models.installed()
    rows = [*models.CATALOGUE, *models.added()]
    if options.json:
        own = [_mode_as_dict(mode, current) for mode in modes.MODES]
        terminal.print_json({"modes": own, "models": [_model_as_dict(model, current, here) for model in rows]})
        return 0
    for mode in modes.MODES:
        state = " (in use)" if mode.name == current else ""
        terminal.print_line(f"{mode.name}{state}: {mode.good_for}")
        terminal.print_line(f"    in the package; takes {memory.format_gigabytes(mode.memory)} of memory")
    terminal.print_line("")
    terminal.print_line("In their place, a single model can be used:")
    for model in rows:
        for line in _model_lines(model, current, here):
            terminal.print_line(line)
    terminal.print_line("")
    terminal.print_line("nobg downloads nothing. Get a file where it says, then: nobg models add FILE")
    return 0


def _mode_as_dict(mode: Mode, current: str) -> dict[str, Any]:
    return {
        "name": mode.name,
        "in_use": mode.name == current,
        "memory": mode.memory,
        "good_for": mode.good_for,
        "models": [model.name for model in mode.models],
    }


def _model_as_dict(model: Model, current: str, installed: list[Model]) -> dict[str, Any]:
    return {
        "name": model.name,
        "installed": model in installed,
        "in_use": model.name == current,
        "size": model.size,
        "memory": model.memory,
        "licence": model.licence,
        "good_for": model.good_for,
        "sources": list(model.sources),
        "sha256": model.sha256,
        "side": model.side,
    }


def _model_lines(model: Model, current: str, installed: list[Model]) -> Iterator[str]:
    state = "in use" if model.name == current else "installed" if model in installed else "not here"
    if model.name == current and model not in installed:
        state = "in use, but not here"
    needs = f"{model.size / 1e6:.0f} MB, takes {memory.format_gigabytes(model.memory)} of memory"
    yield f"{model.name} ({state}): {model.good_for}"
    yield f"    {needs}; licence: {model.licence}"
    if model not in installed:
        for number, source in enumerate(model.sources):
            yield f"    {'found at' if number == 0 else 'or'}: {source}"


def add(options: argparse.Namespace) -> int:
    """Install the model in a file."""
    from watcher.worker import model_files

    recipe = None if options.recipe_from is None else models.find_in_catalogue(options.recipe_from)
    model = model_files.add(options.file, recipe)
    if model in models.SHIPPED:
        terminal.print_line(f"This is {model.name}, which came with nobg: it is here already.")
        return 0
    known = f"This is {model.name}: {model.good_for}." if model in models.CATALOGUE else f"It is called {model.name}."
    terminal.print_line(f"{known} Licence: {model.licence}.")
    terminal.print_line(f"Installed: {models.path_of(model)}")
    terminal.print_line(f"To work with it from now on: nobg models use {model.name}")
    return 0


def verify(_options: argparse.Namespace) -> int:
    """Is each file that is here what it should be?"""
    damaged = 0
    for model in models.installed():
        try:
            models.read(model)
        except ModelError as error:
            terminal.print_error(str(error))
            damaged = error.exit_code
        else:
            terminal.print_line(f"{model.name} is undamaged: SHA-256 {model.sha256}")
    return damaged


def use(options: argparse.Namespace) -> int:
    """Work with this model from now on."""
    mode = modes.find(options.name)
    mode.read_models()  # not only there, but sound
    edit_config.set_value(paths.config_path(), "model", None if mode == modes.DEFAULT else mode.name)
    terminal.print_line(f"nobg works with {mode.name} from now on: {mode.good_for}.")
    return 0
