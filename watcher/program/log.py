"""The resident program's log: a rotating file that only its owner can read, one line for each message."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from watcher import paths
from watcher.errors import unwritable_records_error
from watcher.naming import escape_unprintable

logger = logging.getLogger(__name__)

LOG_FILE_NAME = "nobg.log"
MAX_LOG_BYTES, LOG_BACKUP_COUNT = 1 << 20, 3


def set_up_logging(path: Path) -> logging.Handler:
    """Send log messages, and exceptions that end the process, to the file `path`. Raises DestinationError.

    Returns the handler; the caller removes it from the root logger and closes it.
    """
    try:
        handler = _PrivateFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=LOG_BACKUP_COUNT)
    except OSError as error:
        raise unwritable_records_error(path.parent, error) from error
    handler.setFormatter(_OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.raiseExceptions = False  # a full disk must not fill stderr, too
    logging.getLogger("watcher").setLevel(logging.INFO)
    sys.excepthook = lambda *exception: logger.critical("nobg ended unexpectedly", exc_info=exception)
    return handler


def erase(folder: Path, names: Iterable[Path] | None) -> None:
    """Remove the lines that name one of these files from all logs in the state folder; None: remove all lines.

    The files are changed in place, because the running program appends to the newest one. Raises DestinationError.
    """
    texts = None if names is None else {escape_unprintable(str(name)) for name in names}
    try:
        for path in (*folder.glob(f"{LOG_FILE_NAME}*"), folder / "worker.log", folder / "window.log"):
            if path.is_file():
                _erase_lines(path, texts)
    except OSError as error:
        raise unwritable_records_error(folder, error) from error


def _erase_lines(path: Path, texts: Collection[str] | None) -> None:
    with path.open("r+", encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = file.readlines()
        kept = [] if texts is None else [line for line in lines if not any(text in line for text in texts)]
        if len(kept) < len(lines):
            file.seek(0)
            file.truncate()
            file.writelines(kept)


class _PrivateFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating log file, readable by its owner alone (0600)."""

    def _open(self) -> Any:
        descriptor = paths.open_private(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")


class _OneLineFormatter(logging.Formatter):
    """Formats each message as one line, even if a file name in it contains a line break."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """Return the line, with control characters escaped."""
        record.message = escape_unprintable(record.message)
        return super().formatMessage(record)
