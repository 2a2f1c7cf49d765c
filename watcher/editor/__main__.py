"""`python -m watcher.editor PICTURE`: the host of a touch-up window, in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from watcher import enqueue, paths
from watcher.errors import NobgError
from watcher.jail.limited_pipe import LimitedPipe
from watcher.matting.touchup.edits import TOOLS
from watcher.program import touch_up
from watcher.settings import config

WINDOW_END_SECONDS = 5.0
"""Seconds that the window may take to end after its host has."""


def window_command() -> list[str]:
    """Return the command that starts the window. -P keeps modules in the current folder out of it."""
    return [sys.executable, "-P", "-m", "watcher.editor.window"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the window until it is closed. Return the exit code."""
    paths.leave_pythonpath()
    parser = argparse.ArgumentParser(prog="watcher.editor", allow_abbrev=False)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--recipe")
    parser.add_argument("--tool", choices=TOOLS, default="")
    parser.add_argument("--review", action="store_true")
    options = parser.parse_args(arguments)
    if (options.path is None) is not options.review:
        parser.error("a picture is needed, or the list of pictures")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the lock and the worker are cleared away
    try:
        touch_up.check_available()
        return _run(options)
    except NobgError as error:
        print(f"nobg: {error}", file=sys.stderr)
        enqueue.show_notification([error.text])
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    state = paths.state_dir()
    settings = config.load_or_last_good(paths.config_path(), state / config.LAST_GOOD_FILE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths.module_folders())}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(paths.open_log("window.log"))
        log_pipe = stack.enter_context(LimitedPipe(log))
        window = subprocess.Popen(
            window_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_pipe.write_end,
            env=environment,
            creationflags=paths.NO_CONSOLE,
        )
        log_pipe.close_write_end()
        stack.callback(_end, window)
        from watcher.editor.host import Host  # takes about as long as the window's start, which goes on meanwhile

        to_window, from_window = cast("BinaryIO", window.stdin), cast("BinaryIO", window.stdout)
        host = Host(from_window, to_window, state, settings, recipe=options.recipe, tool=options.tool)
        host.run(options.path)
    return 1 if window.returncode else 0


def _end(window: subprocess.Popen[bytes]) -> None:
    """Let the window end, since its input does; end it if it goes on."""
    with contextlib.suppress(OSError):
        cast("BinaryIO", window.stdin).close()
    try:
        window.wait(WINDOW_END_SECONDS)
    except subprocess.TimeoutExpired:
        window.kill()
        window.wait()


if __name__ == "__main__":
    sys.exit(main())
