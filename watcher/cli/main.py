"""The entry point of the `nobg` command: runs one command and returns its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from watcher import paths
from watcher.cli import terminal
from watcher.cli.parser import build_parser, mark_bare_options
from watcher.errors import NobgError, refused_access_error

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (default: the one in sys.argv) and return its exit code.

    0: done; 1: some pictures failed; 2: wrong usage; 3: no usable model; 4: nothing can be written; 130: interrupted.
    """
    paths.leave_pythonpath()
    terminal.configure_streams()
    options = build_parser().parse_args(mark_bare_options(sys.argv[1:] if arguments is None else arguments))
    try:
        code: int = options.function(options)
    except NobgError as error:
        terminal.print_error(str(error))
        return error.exit_code
    except PermissionError as error:  # a folder of the person's that another user owns can appear anywhere
        refusal = refused_access_error(error)
        terminal.print_error(str(refusal))
        return refusal.exit_code
    except KeyboardInterrupt:
        terminal.print_error("Stopped. What was finished is complete; run the same command again for the rest.")
        return EXIT_INTERRUPTED
    finally:
        terminal.flush()
    return code
