"""`nobg edit` and `nobg review`: start the touch-up window in a process of its own, and wait until it is closed."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from watcher import paths, places
from watcher.errors import UsageError
from watcher.program import touch_up
from watcher.settings import config


def edit(options: argparse.Namespace) -> int:
    """Run `nobg edit`."""
    touch_up.check_available()
    if options.recipe is not None:
        config.load(paths.config_path()).recipe(options.recipe)
    path = options.path
    if places.ask(path, os.path.isdir, path):
        raise UsageError(f"{path} is a folder. Name a picture.")
    return _run(touch_up.command(path, recipe=options.recipe, tool=options.tool))


def review(_options: argparse.Namespace) -> int:
    """Run `nobg review`."""
    touch_up.check_available()
    return _run(touch_up.review_command())


def _run(command: Sequence[str]) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths.module_folders())}
    return subprocess.run(command, env=environment, check=False).returncode
