"""File names for menus in which a file's name is the label."""

from __future__ import annotations

from collections.abc import Iterable

_REPLACEMENTS = {ord("/"): "\N{DIVISION SLASH}", ord("%"): "\N{FULLWIDTH PERCENT SIGN}"}
"""Caja and Nautilus take % in a script's name for a field code and then start nothing."""


def unique_file_names(labels: Iterable[str]) -> list[str]:
    """Return file names that read like the labels: without slashes, not hidden, up to 200 bytes, no two equal."""
    names: list[str] = []
    for label in labels:
        name = label.translate(_REPLACEMENTS).strip()
        name = f"\N{ONE DOT LEADER}{name[1:]}" if name.startswith(".") else name
        name = name.encode()[:200].decode(errors="ignore") or "?"
        number = 2
        unique_name = name
        while unique_name in names:
            unique_name, number = f"{name} ({number})", number + 1
        names.append(unique_name)
    return names
