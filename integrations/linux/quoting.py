"""Quote commands and labels for each file format. They have no control characters; any other character may occur."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_SAFE_ARGUMENT = re.compile(r"[A-Za-z0-9_/.,:=@+-]+")


def shell_command(arguments: Iterable[str]) -> str:
    """Return a command for /bin/sh."""
    return shlex.join(arguments)


def exec_line(arguments: Iterable[str], *field_codes: str) -> str:
    """Return a command line that GLib and KDE split into these arguments.

    `field_codes`, such as %U, follow them and stand for the files.
    """
    quoted = (
        argument if _SAFE_ARGUMENT.fullmatch(argument) else '"' + re.sub(r'(["`$\\])', r"\\\1", argument) + '"'
        for argument in arguments
    )
    return " ".join([*(argument.replace("%", "%%") for argument in quoted), *field_codes])


def string_value(text: str) -> str:
    """Return a value for a key file (Desktop Entry Specification): backslashes are doubled, a leading space stays."""
    text = text.replace("\\", "\\\\")
    return f"\\s{text[1:]}" if text.startswith(" ") else text


def list_value(texts: Iterable[str]) -> str:
    """Return a list for a key file."""
    return "".join(f"{string_value(text).replace(';', chr(92) + ';')};" for text in texts)


def key_file(*groups: tuple[str, Sequence[tuple[str, str]]]) -> bytes:
    """Return a key file from groups of a header and its lines, whose values are quoted already."""
    parts = [f"[{header}]\n" + "".join(f"{key}={value}\n" for key, value in lines) for header, lines in groups]
    return "\n".join(parts).encode()


def xml_text(text: str) -> str:
    """Return text for an XML element, in ASCII so that it fits into a file in any encoding."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.encode("ascii", "xmlcharrefreplace").decode()
