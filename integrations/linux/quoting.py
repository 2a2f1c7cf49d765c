"""Words and labels as each format wants them. All are free of control characters; anything else may be in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_SAFE_ARGUMENT = re.compile(r"[A-Za-z0-9_/.,:=@+-]+")


def shell_command(arguments: Iterable[str]) -> str:
    """A command for /bin/sh."""
    return shlex.join(arguments)


def exec_line(arguments: Iterable[str], *field_codes: str) -> str:
    """A command line as GLib and KDE take it apart; `codes`, such as %U, stand for the files."""
    quoted = (
        word if _SAFE_ARGUMENT.fullmatch(word) else '"' + re.sub(r'(["`$\\])', r"\\\1", word) + '"'
        for word in arguments
    )
    return " ".join([*(word.replace("%", "%%") for word in quoted), *field_codes])


def string_value(text: str) -> str:
    """A value in a key file (Desktop Entry Specification): backslashes doubled, a space at the start kept."""
    text = text.replace("\\", "\\\\")
    return f"\\s{text[1:]}" if text.startswith(" ") else text


def list_value(texts: Iterable[str]) -> str:
    """A list in a key file."""
    return "".join(f"{string_value(text).replace(';', chr(92) + ';')};" for text in texts)


def key_file(*groups: tuple[str, Sequence[tuple[str, str]]]) -> bytes:
    """A key file: headers and their lines, the values being quoted already."""
    parts = [f"[{header}]\n" + "".join(f"{key}={text}\n" for key, text in lines) for header, lines in groups]
    return "\n".join(parts).encode()


def xml_text(text: str) -> str:
    """Text in an element; in ASCII, so that it fits into a file in any encoding."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.encode("ascii", "xmlcharrefreplace").decode()


_FILE_NAME_REPLACEMENTS = {ord("/"): "\N{DIVISION SLASH}", ord("%"): "\N{FULLWIDTH PERCENT SIGN}"}
"""Caja and Nautilus take % in a script's name for a field code, and then start nothing."""


def file_names(labels: Iterable[str]) -> list[str]:
    """File names that read like the labels: without slashes, not hidden, not too long, no two alike."""
    names: list[str] = []
    for label in labels:
        name = label.translate(_FILE_NAME_REPLACEMENTS).strip()
        name = f"\N{ONE DOT LEADER}{name[1:]}" if name.startswith(".") else name
        name = name.encode()[:200].decode(errors="ignore") or "?"
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name} ({number})", number + 1
        names.append(unique)
    return names
