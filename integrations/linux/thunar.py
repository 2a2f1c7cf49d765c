"""Thunar (Xfce): custom actions. Thunar keeps all of them in one file of the person, so nobg's are merged into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from integrations.artifact import Artifact, IntegrationError
from integrations.context import Setup
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.linux.merged_file import MergedFile
from integrations.target import Target
from integrations.verbs import GONE_TEXT_THUNAR, SUBMENU_LABEL, Verb

_ACTION_START, _ACTION_END = b"<action>", b"</action>"
_NOBG_ID_PATTERN = re.compile(rb"<unique-id>nobg-[^<]*</unique-id>")
_END_OF_LINE_PATTERN = re.compile(rb"[ \t]*\r?\n?")
_GUARD = (
    f'[ -x "$0" ] && exec "$@"; text="{GONE_TEXT_THUNAR}"; '
    'notify-send --app-name=nobg -- nobg "$text" || zenity --info --no-markup --text="$text"; exit 1'
)
"""A shell command: run the words that follow the program; without the program, say so. Thunar knows no TryExec."""

_EMPTY_UCA_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<actions>\n</actions>\n'


@dataclass(frozen=True)
class CustomActions(MergedFile):
    """nobg's `<action>` elements in the person's uca.xml.

    `system_paths` are the places of the system's uca.xml; the first that exists counts.
    """

    actions_xml: bytes
    system_paths: tuple[Path, ...]
    kind: ClassVar[str] = "thunar"

    def initial_content(self) -> bytes:
        """Return the system's file. Thunar reads only one file, so without it the system's actions would be gone."""
        return next((path.read_bytes() for path in self.system_paths if path.is_file()), _EMPTY_UCA_XML)

    def insert(self, before: bytes) -> bytes:
        """Return `before` with nobg's actions after all others."""
        if not before.strip():
            before = _EMPTY_UCA_XML
        before = re.sub(rb"<actions\s*/>", b"<actions></actions>", before)
        head, end_tag, tail = before.rpartition(b"</actions>")
        merged = head + self.actions_xml + end_tag + tail
        if not end_tag or not self.is_merged(merged):
            raise IntegrationError(
                f"{self.path} is not in Thunar's format, so it was not changed (Thunar ignores it, too). Correct or "
                "delete it, then install again."
            )
        return merged

    def is_merged(self, current: bytes) -> bool:
        """Return whether the content has exactly these actions of nobg; Thunar's dialog may have changed the layout."""
        expected = set(_nobg_action_fields(b"<actions>" + self.actions_xml + b"</actions>"))
        return set(_nobg_action_fields(current)) == expected

    def part_to_strip(self) -> None:
        """Return None: `strip` recognises nobg's actions by their ids."""

    @classmethod
    def strip(cls, current: bytes, _part: None) -> bytes:
        """Return `current` without nobg's elements and their lines."""
        # Split at the end tags: one regular expression for all of it would take quadratic time for odd files.
        *parts, rest = current.split(_ACTION_END)
        kept_parts: list[bytes] = []
        is_after_nobg = False
        for part in parts:
            text = _without_end_of_line(part) if is_after_nobg else part
            start = text.rfind(_ACTION_START)
            is_after_nobg = start >= 0 and _NOBG_ID_PATTERN.search(text, start) is not None
            kept_parts.append(text[:start].rstrip(b" \t") if is_after_nobg else text + _ACTION_END)
        return b"".join([*kept_parts, _without_end_of_line(rest) if is_after_nobg else rest])

    def preview(self) -> str:
        """Return nobg's elements."""
        return f"<!-- {self.path}, before </actions> -->\n{self.actions_xml.decode()}"


def _without_end_of_line(text: bytes) -> bytes:
    """Return `text` without the blanks and the line break that it starts with."""
    match = _END_OF_LINE_PATTERN.match(text)
    return text[match.end() :] if match else text


def _nobg_action_fields(content: bytes) -> Iterator[tuple[str | None, ...]]:
    """Yield id, name, sub-menu and command of each action of nobg; nothing if the content is not XML."""
    try:
        root = ET.fromstring(content)  # noqa: S314  the person's own file
    except (ET.ParseError, LookupError, ValueError):  # the last two: an unknown or a multi-byte encoding is declared
        return
    for element in root.findall("action"):
        if (element.findtext("unique-id") or "").startswith("nobg-"):
            yield tuple(element.findtext(name) or None for name in ("unique-id", "name", "submenu", "command"))


def artifacts(setup: Setup) -> list[Artifact]:
    """Return nobg's part of uca.xml, and the icon."""
    first, *others = setup.verbs
    actions_xml = action(setup, first, "") + "".join(action(setup, verb, SUBMENU_LABEL) for verb in others)
    if setup.touch_up is not None:
        actions_xml += action(setup, setup.touch_up, "")
    config_folders = (*setup.config_dirs, setup.root / "etc/xdg", *sorted(setup.root.glob("etc/xdg/xdg-*")))
    system_paths = tuple(folder / "Thunar" / "uca.xml" for folder in config_folders)
    path = setup.config_home / "Thunar" / "uca.xml"
    return [CustomActions(path, actions_xml.encode(), system_paths), icon_file(setup)]


def action(setup: Setup, verb: Verb, submenu_label: str) -> str:
    """Return the element of a verb, for pictures and folders; an empty `submenu_label` means the menu itself.

    Thunar shows an action on several files only if its command has %U or the like, and `touch_up` has %u.
    """
    files, folders = ("%u", "") if verb == setup.touch_up else ("%U", "\t<directories/>\n")
    label = quoting.xml_text(verb.label.replace("_", "__"))  # Thunar underlines the letter after a single underscore
    client = [*setup.client_command, *verb.arguments, "--"]
    command = quoting.exec_line(["/bin/sh", "-c", _GUARD, setup.client_program, *client], files)
    return (
        "<action>\n"
        "\t<icon>nobg</icon>\n"
        f"\t<name>{label}</name>\n"
        f"\t<submenu>{quoting.xml_text(submenu_label)}</submenu>\n"
        f"\t<unique-id>nobg-{verb.key}</unique-id>\n"
        f"\t<command>{quoting.xml_text(command)}</command>\n"
        f"\t<description>{quoting.xml_text(verb.tooltip)}</description>\n"
        "\t<range>*</range>\n"
        "\t<patterns>*</patterns>\n"
        f"{folders}"
        "\t<image-files/>\n"
        "</action>\n"
    )


THUNAR = Target(
    key="thunar",
    label="Thunar",
    is_present=lambda setup: setup.has_program("thunar"),
    artifacts=artifacts,
    artifact_types=(CustomActions, File),
    restart_instruction="thunar -q",
    process_name="thunar",
)
