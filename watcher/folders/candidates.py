"""Which folders a watch skips, and which files have content on this machine, judged by name and lstat alone."""

from __future__ import annotations

import os
import re
import stat

_EXCLUDED_FOLDER = re.compile(r"\.|~|@eaDir$|#recycle$|\$RECYCLE\.BIN$|RECYCLER$|Trash$|System Volume Information$")
_OFFLINE_ATTRIBUTES = 0x1000 | 0x40000 | 0x400000
"""Windows: FILE_ATTRIBUTE_OFFLINE, FILE_ATTRIBUTE_RECALL_ON_OPEN, FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS."""
_DATALESS = 0x40000000
"""macOS: SF_DATALESS."""


def is_excluded_folder(name: str) -> bool:
    """Return whether a recursive watch skips folders of this name: hidden ones, trash, thumbnails of a file server."""
    return _EXCLUDED_FOLDER.match(name) is not None


def is_local_nonempty_file(status: os.stat_result) -> bool:
    """Return whether `status` is that of a regular, non-empty file whose content is on this machine.

    The content of a cloud service's placeholder is not: opening it would download it.
    """
    is_placeholder = (
        getattr(status, "st_file_attributes", 0) & _OFFLINE_ATTRIBUTES or getattr(status, "st_flags", 0) & _DATALESS
    )
    return stat.S_ISREG(status.st_mode) and status.st_size > 0 and not is_placeholder
