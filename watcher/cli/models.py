"""`nobg models`: lists, installs and checks models, and sets the one to use."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from watcher import paths
from watcher.cli import terminal
from watcher.errors import ModelError
from watcher.matting import cards, memory, models, modes
from watcher.matting.models import Model
from watcher.matting.modes import Mode
from watcher.program import edit_config
from watcher.settings import config


def current_model_name() -> str:
    """Return the name of the mode or model that nobg uses by default. Raises UsageError."""
    return config.load(paths.config_path()).model or modes.DEFAULT.name


def list_(options: argparse.Namespace) -> int:
    """Run `nobg models list`: print the modes, then every model with its terms and, if not installed, its sources."""
    current, installed = current_model_name(), models.installed()
    rows = [*models.CATALOGUE, *models.added()]
    if options.json:
        mode_rows = [_mode_as_dict(mode, current) for mode in modes.MODES]
        model_rows = [_model_as_dict(model, current, installed) for model in rows]
        terminal.print_json({"modes": mode_rows, "models": model_rows})
        return 0
    for mode in modes.MODES:
        state = " (in use)" if mode.name == current else ""
        terminal.print_line(f"{mode.name}{state}: {mode.good_for}")
        terminal.print_line(f"    in the package; takes {memory.format_gigabytes(mode.memory)} of memory")
    terminal.print_line("")
    terminal.print_line("Instead of these, nobg can use a single model:")
    for model in rows:
        for line in _model_lines(model, current, installed):
            terminal.print_line(line)
    terminal.print_line("")
    terminal.print_line("nobg downloads nothing. Get a file from the place named above, then: nobg models add FILE")
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
        "card": cards.as_dict(model.card),
    }


def _model_lines(model: Model, current: str, installed: list[Model]) -> Iterator[str]:
    state = "in use" if model.name == current else "installed" if model in installed else "not installed"
    if model.name == current and model not in installed:
        state = "in use, but not installed"
    size = f"{model.size / 1e6:.0f} MB, takes {memory.format_gigabytes(model.memory)} of memory"
    yield f"{model.name} ({state}): {model.good_for}"
    yield f"    {size}; licence: {model.licence}"
    yield f"    commercial use: {model.card.weights.commercial_use}"
    if model not in installed:
        for number, source in enumerate(model.sources):
            yield f"    {'found at' if number == 0 else 'or'}: {source}"


def add(options: argparse.Namespace) -> int:
    """Run `nobg models add`."""
    from watcher.worker.model_install import files as model_files

    template = None if options.recipe_from is None else models.find_in_catalogue(options.recipe_from)
    model = model_files.add(options.file, template)
    if model in models.SHIPPED:
        terminal.print_line(f"This is {model.name}, which comes with nobg: it is already installed.")
        return 0
    summary = f"This is {model.name}: {model.good_for}." if model in models.CATALOGUE else f"Its name is {model.name}."
    terminal.print_line(f"{summary} Licence: {model.licence}.")
    terminal.print_line(f"Installed: {models.path_of(model)}")
    terminal.print_line(f"To use it from now on: nobg models use {model.name}")
    return 0


def verify(_options: argparse.Namespace) -> int:
    """Run `nobg models verify`: check the SHA-256 of each installed model. Return 3 if one is damaged, else 0."""
    code = 0
    for model in models.installed():
        try:
            models.read(model)
        except ModelError as error:
            terminal.print_error(str(error))
            code = error.exit_code
        else:
            terminal.print_line(f"{model.name} is undamaged: SHA-256 {model.sha256}")
    return code


def use(options: argparse.Namespace) -> int:
    """Run `nobg models use`: make this mode or model the one for everything that names no other."""
    mode = modes.find(options.name)
    mode.read_models()  # raises ModelError if one is missing or damaged
    edit_config.set_value(paths.config_path(), "model", None if mode == modes.DEFAULT else mode.name)
    terminal.print_line(f"nobg uses {mode.name} from now on: {mode.good_for}.")
    return 0
