"""Build a Windows shortcut (.lnk) byte by byte: the same setup makes the same file, without COM or PowerShell.

Source: [MS-SHLLINK]. Only the environment block names the program, as in the Paint.lnk that comes with Windows: an item
list or volume data would need details of the disk that the program is on.
"""

from __future__ import annotations

import struct

from integrations.artifact import IntegrationError

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
_MAX_PROGRAM_CHARACTERS = 259
_SHOW_NORMAL = 1


def shell_link(program: str, arguments: str, comment: str, icon_source: str) -> bytes:
    """Return a shortcut that starts `program`, an absolute path, with the first icon in the file `icon_source`.

    Windows expands %NAME% in `program` if such a variable exists. It cannot be escaped; hardly any folder has such a
    name. Raises IntegrationError if `program` is longer than 259 characters.
    """
    if len(program) > _MAX_PROGRAM_CHARACTERS:
        raise IntegrationError(
            f"The path {program} is too long for a shortcut. Install nobg in a folder with a shorter path."
        )
    header = struct.pack("<I16sII24xIiIH10x", 0x4C, _LINK_CLSID, _FLAGS, 0, 0, 0, _SHOW_NORMAL, 0)
    texts = b"".join(map(_string_data, (comment, arguments, icon_source)))
    block = struct.pack("<II", 0x314, 0xA0000001)
    block += program.encode("ascii", "replace").ljust(260, b"\0") + program.encode("utf-16-le").ljust(520, b"\0")
    return header + texts + block + bytes(4)


def _string_data(text: str) -> bytes:
    """Return StringData (section 2.4): the number of UTF-16 code units, then the units."""
    units = text.encode("utf-16-le")
    return struct.pack("<H", len(units) // 2) + units
