"""A shortcut (.lnk) of Windows, byte by byte: the same setup makes the same file, and no COM, no PowerShell is needed.

Source: [MS-SHLLINK]. The target is named by the environment block alone, without an item list and without the volume's
data: that is how the Paint.lnk that comes with Windows does it, and it needs nothing of the disk that it is on.
"""

from __future__ import annotations

import struct

from integrations.base import IntegrationError

_LINK_CLSID = bytes.fromhex("0114020000000000c000000000000046")
_HAS_NAME, _HAS_ARGUMENTS, _HAS_ICON, _IS_UNICODE = 1 << 2, 1 << 5, 1 << 6, 1 << 7
_FORCE_NO_LINK_INFO, _HAS_EXP_STRING, _PREFER_ENVIRONMENT_PATH = 1 << 8, 1 << 9, 1 << 25
_FLAGS = (
    _HAS_NAME
    | _HAS_ARGUMENTS
    | _HAS_ICON
    | _IS_UNICODE
    | _FORCE_NO_LINK_INFO
    | _HAS_EXP_STRING
    | _PREFER_ENVIRONMENT_PATH
)
_MAX_TARGET_CHARACTERS = 259
_SHOW_NORMAL = 1


def shell_link(target: str, arguments: str, comment: str, icon: str) -> bytes:
    """`target`: an absolute path; `icon`: the file of which the first icon is taken. Raises TakenError.

    Windows expands %NAME% in the target where there is such a variable: no escape exists, and no folder is called so.
    """
    if len(target) > _MAX_TARGET_CHARACTERS:
        raise IntegrationError(f"{target} is too long a name for a shortcut. Install nobg in a shorter folder.")
    header = struct.pack("<I16sII24xIiIH10x", 0x4C, _LINK_CLSID, _FLAGS, 0, 0, 0, _SHOW_NORMAL, 0)
    texts = b"".join(map(_string_data, (comment, arguments, icon)))
    block = struct.pack("<II", 0x314, 0xA0000001)
    block += target.encode("ascii", "replace").ljust(260, b"\0") + target.encode("utf-16-le").ljust(520, b"\0")
    return header + texts + block + bytes(4)


def _string_data(text: str) -> bytes:
    """StringData (2.4): how many UTF-16 units, then these."""
    units = text.encode("utf-16-le")
    return struct.pack("<H", len(units) // 2) + units
