"""Words to people and programs: standard output, standard error, and what is safe to show on a terminal."""

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
    """Whatever a file is called, and wherever our output goes, the work goes on."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal gets what it can show; a program that reads our output gets the bytes of the name.
            errors = "backslashreplace" if stream.isatty() else "surrogateescape"
            encoding = stream.encoding if stream.isatty() else sys.getfilesystemencoding()
            stream.reconfigure(encoding=encoding, errors=errors)


def flush() -> None:
    """What cannot be written goes nowhere, without a complaint at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_above_progress(text: str, stream: TextIO) -> None:
    """One line above the progress bar. Whoever read our output may have gone, or its disk be full: we go on."""
    from tqdm import tqdm

    with contextlib.suppress(OSError):
        tqdm.write(text, stream)
        stream.flush()


def print_error(text: str) -> None:
    """To the person, not into the output."""
    with contextlib.suppress(OSError):
        print(f"nobg: {printable(text)}", file=sys.stderr)


def printable(text: str) -> str:
    """File names may hold line ends, or what makes a terminal do things; what we say does not."""
    return "".join(f"\\x{ord(sign):02x}" if unicodedata.category(sign) == "Cc" else sign for sign in text)


def print_line(text: str) -> None:
    """A line of the answer. Whoever read it may have gone: we go on."""
    with contextlib.suppress(OSError):
        print(printable(text))


def print_json(value: Any) -> None:
    """The answer for a program."""
    with contextlib.suppress(OSError):
        print(json.dumps(value, indent=1))


@contextlib.contextmanager
def open_journal() -> Iterator[Journal]:
    """The journal; a damaged one is replaced, and that is said."""
    from watcher import paths
    from watcher.queue import journal as jobs

    with contextlib.closing(jobs.Journal(paths.state_dir(), check_integrity=True)) as journal:
        if journal.damaged_path is not None:
            print_error(
                f"The record of earlier jobs was damaged; it is now {journal.damaged_path}, and a new one was begun."
            )
        yield journal
