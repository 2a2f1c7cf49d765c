"""Standard output and standard error: text that is safe on a terminal, JSON, and pipes that are closed early."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
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


_ACTING_CATEGORIES = ("Cc", "Cf", "Zl", "Zp")
"""Unicode's categories of characters that act instead of being seen: they control, change directions or break lines."""
_JOINERS = "\u200c\u200d"
"""Of the category Cf, what words of several scripts and emoji need between their letters."""


def printable(text: str) -> str:
    """Return the text with characters escaped that could act on the terminal, or on how the text around them reads."""
    return "".join(
        _escape(character)
        if unicodedata.category(character) in _ACTING_CATEGORIES and character not in _JOINERS
        else character
        for character in text
    )


def printable_lines(text: str) -> str:
    """Return the text of several lines with what printable() escapes, except tabs and the ends of lines."""
    return "".join(part if part in "\t\n" else printable(part) for part in re.split("([\t\n])", text))


def _escape(character: str) -> str:
    """The character's code as Python writes it."""
    return character.encode("unicode_escape").decode() if character > "\xff" else f"\\x{ord(character):02x}"


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
