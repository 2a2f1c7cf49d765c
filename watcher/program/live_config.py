"""The settings in force while the program runs: config.toml, re-read when it changes, or the last good copy of it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from watcher import paths
from watcher.errors import UsageError
from watcher.settings import config
from watcher.settings.config import Config

logger = logging.getLogger(__name__)


class Settings:
    """The configuration in force: that of config.toml or, while the file has an error, the last good version."""

    def __init__(self, path: Path, backup_path: Path) -> None:
        """`path`: config.toml. `backup_path`: its last good version, for a start while config.toml is invalid."""
        self._path = path
        self._backup_path = backup_path
        self._last_stamp: object = ()
        self.config = Config()
        self.problem: str | None = None

    def reload_if_changed(self) -> bool:
        """Read the file if it has changed since the last call. Return whether it has; the first call returns True."""
        try:
            status = self._path.stat()
            stamp: object = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError as error:
            stamp = error.errno
        if stamp == self._last_stamp:
            return False
        is_first, self._last_stamp = self._last_stamp == (), stamp
        try:
            text = config.read_text(self._path)
            self.config = Config() if text is None else config.parse(text, self._path)
        except UsageError as error:
            self.problem = str(error)
            logger.error("%s The last good settings stay in force.", error)  # noqa: TRY400  the person's error: no traceback
            if is_first:
                self.config = config.load_last_good(self._backup_path)
        else:
            self.problem = None
            self._write_backup(text or "")
        return True

    def _write_backup(self, text: str) -> None:
        try:
            descriptor = paths.open_private(str(self._backup_path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            logger.warning("The last good settings cannot be saved in %s: %s", self._backup_path, error)
