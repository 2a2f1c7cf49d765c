r"""Paths of 260 characters and more: Windows takes them only with `\\?\` before them, or if an administrator allows it.

Source: "Maximum Path Length Limitation" in Microsoft's documentation. nobg stores and shows paths without that; each
call of the system with a picture's path gets it here. Not tried on Windows, and wine takes long paths as they are.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 247
"""The most characters of a folder's path without the prefix: Windows leaves 12 for a short name."""
_PREFIX, _SHARE_PREFIX = "\\\\?\\", "\\\\?\\UNC\\"


def for_system(path: str | Path, platform: str = sys.platform) -> str:
    r"""Return the path as the system takes it: on Windows, with `\\?\` before it if it is absolute and long."""
    text = os.fspath(path)
    if platform != "win32" or len(text) <= LONGEST or text.startswith(_PREFIX):
        return text
    import ntpath  # on other systems, the client does not load it

    if not ntpath.isabs(text):
        return text
    plain = ntpath.normpath(text)  # after the prefix, Windows takes neither / nor ..
    return _SHARE_PREFIX + plain[2:] if plain.startswith("\\\\") else _PREFIX + plain


def entry_path(folder: str, entry: os.DirEntry[str], platform: str = sys.platform) -> str:
    """Return the path of an entry of os.scandir(for_system(folder)), as nobg stores it."""
    if platform != "win32":
        return entry.path
    import ntpath

    return ntpath.join(folder, entry.name)
