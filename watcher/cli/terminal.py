"""Standard output and standard error: text that is safe on a terminal, JSON, and pipes that are closed early."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from watcher.queue.journal import Journal


def configure_streams() -> None:
    """Make standard output and error accept every file name, even where they are closed."""
    if sys.stdout is None:  # closed by the program that started nobg
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  stays open as long as the process runs
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal gets what it can show; a program that reads the output gets the bytes of the name.
            errors = "backslashreplace" if stream.isatty() else "surrogateescape"
            encoding = stream.encoding if stream.isatty() else sys.getfilesystemencoding()
            stream.reconfigure(encoding=encoding, errors=errors)


def flush() -> None:
    """Flush both streams, and discard what cannot be written: Python would complain about it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_above_progress(text: str, stream: TextIO) -> None:
    """Write one line above the progress bar. A closed pipe or a full disk does not stop the work."""
    from tqdm import tqdm  # imported here, because every command imports this module

    with contextlib.suppress(OSError):
        tqdm.write(text, stream)
        stream.flush()


def print_error(text: str) -> None:
    """Print a message for the person, to standard error."""
    with contextlib.suppress(OSError):
        print(f"nobg: {printable(text)}", file=sys.stderr)


def printable(text: str) -> str:
    """Return the text with its control characters escaped: in a file name, they could act on the terminal."""
    return "".join(
        f"\\x{ord(character):02x}" if unicodedata.category(character) == "Cc" else character for character in text
    )


def print_line(text: str) -> None:
    """Print a line of the result. A closed pipe does not stop the work."""
    with contextlib.suppress(OSError):
        print(printable(text))


def print_json(value: Any) -> None:
    """Print the result for a program."""
    with contextlib.suppress(OSError):
        print(json.dumps(value, indent=1))


@contextlib.contextmanager
def open_journal() -> Iterator[Journal]:
    """Open the journal. If it is damaged, replace it and print an error."""
    from watcher import paths
    from watcher.errors import for_terminal
    from watcher.program import damage
    from watcher.queue.journal import Journal

    with contextlib.closing(Journal(paths.state_dir(), check_integrity=True)) as journal:
        if journal.damaged_path is not None:
            print_error(for_terminal(damage.describe(journal.damaged_path, damage.read_report(journal))))
        yield journal
