"""Thunar (Xfce): custom actions. All of them are in one file of the person's, so ours are put in between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from integrations.base import Artifact, File, IntegrationError, Setup, Target, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.linux.merged_file import MergedFile
from integrations.verbs import SUBMENU_LABEL, TOOLTIP

_OUR_ACTION_PATTERN = re.compile(
    rb"[ \t]*<action>(?:(?!</action>).)*?<unique-id>nobg-[^<]*</unique-id>(?:(?!</action>).)*</action>[ \t]*\r?\n?",
    re.DOTALL,
)
_EMPTY_UCA_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<actions>\n</actions>\n'


@dataclass(frozen=True)
class CustomActions(MergedFile):
    """Our `<action>` elements in uca.xml. `system`: where the system's own may be, the first one counts."""

    actions_xml: bytes
    system_paths: tuple[Path, ...]
    kind: ClassVar[str] = "thunar"

    def initial_content(self) -> bytes:
        """The system's, since Thunar reads only one file: its actions would be gone."""
        return next((path.read_bytes() for path in self.system_paths if path.is_file()), _EMPTY_UCA_XML)

    def insert(self, before: bytes) -> bytes:
        """Ours after all others."""
        if not before.strip():
            before = _EMPTY_UCA_XML
        before = re.sub(rb"<actions\s*/>", b"<actions></actions>", before)
        head, end, tail = before.rpartition(b"</actions>")
        merged = head + self.actions_xml + end + tail
        if not end or not self.has_our_part(merged):
            raise IntegrationError(
                f"{self.path} is not as Thunar writes it, so it was left. Correct it (Thunar ignores it, too) or "
                "delete it, then install again."
            )
        return merged

    def has_our_part(self, current: bytes) -> bool:
        """Exactly ours, though Thunar's own dialog may have laid them out anew."""
        return set(_our_action_fields(current)) == set(
            _our_action_fields(b"<actions>" + self.actions_xml + b"</actions>")
        )

    def our_part(self) -> None:
        """Ours are known by their ids."""

    @classmethod
    def strip(cls, current: bytes, _part: None) -> bytes:
        """Without our elements and their lines."""
        return _OUR_ACTION_PATTERN.sub(b"", current)

    def preview(self) -> str:
        """What is put in."""
        return f"<!-- {self.path}, before </actions> -->\n{self.actions_xml.decode()}"


def _our_action_fields(content: bytes) -> Iterator[tuple[str | None, ...]]:
    """Of each element of ours, what matters."""
    try:
        root = ET.fromstring(content)  # noqa: S314  the person's own file
    except ET.ParseError:
        return
    for element in root.findall("action"):
        if (element.findtext("unique-id") or "").startswith("nobg-"):
            yield tuple(element.findtext(name) or None for name in ("unique-id", "name", "submenu", "command"))


def artifacts(setup: Setup) -> list[Artifact]:
    """Our part of uca.xml."""
    first, *others = setup.verbs
    text = action(setup, first, "") + "".join(action(setup, verb, SUBMENU_LABEL) for verb in others)
    places = (*setup.config_dirs, setup.root / "etc/xdg", *sorted(setup.root.glob("etc/xdg/xdg-*")))
    system = tuple(place / "Thunar" / "uca.xml" for place in places)
    return [CustomActions(setup.config_home / "Thunar" / "uca.xml", text.encode(), system), icon_file(setup)]


def action(setup: Setup, verb: Verb, submenu: str) -> str:
    """One element, on pictures and folders."""
    label = quoting.xml_text(verb.label.replace("_", "__"))  # else it underlines the letter after it
    command = quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U")
    return (
        "<action>\n"
        "\t<icon>nobg</icon>\n"
        f"\t<name>{label}</name>\n"
        f"\t<submenu>{quoting.xml_text(submenu)}</submenu>\n"
        f"\t<unique-id>nobg-{verb.key}</unique-id>\n"
        f"\t<command>{quoting.xml_text(command)}</command>\n"
        f"\t<description>{quoting.xml_text(TOOLTIP)}</description>\n"
        "\t<range>*</range>\n"
        "\t<patterns>*</patterns>\n"
        "\t<directories/>\n"
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
