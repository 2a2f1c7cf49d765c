"""`nobg edit` and `nobg review`: become the host of a touch-up window, which ends when the window is closed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

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


def _run(command: list[str]) -> int:
    """Run the host in place of this process, so that none waits for it. Windows cannot do that."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths.module_folders())}
    if sys.platform != "win32":
        os.execve(command[0], command, environment)
    return subprocess.run(command, env=environment, check=False).returncode
