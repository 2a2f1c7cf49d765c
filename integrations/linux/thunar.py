"""Thunar (Xfce): custom actions. All of them are in one file of the person's, so ours are put in between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from integrations.base import File, Manager, Piece, Setup, TakenError, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon
from integrations.linux.merged_file import Merged
from integrations.verbs import MORE, TOOLTIP

_OURS = re.compile(
    rb"[ \t]*<action>(?:(?!</action>).)*?<unique-id>nobg-[^<]*</unique-id>(?:(?!</action>).)*</action>[ \t]*\r?\n?",
    re.DOTALL,
)
_EMPTY = b'<?xml version="1.0" encoding="UTF-8"?>\n<actions>\n</actions>\n'


@dataclass(frozen=True)
class Actions(Merged):
    """Our `<action>` elements in uca.xml. `system`: where the system's own may be, the first one counts."""

    actions: bytes
    system: tuple[Path, ...]
    kind: ClassVar[str] = "thunar"

    def start(self) -> bytes:
        """The system's, since Thunar reads only one file: its actions would be gone."""
        return next((path.read_bytes() for path in self.system if path.is_file()), _EMPTY)

    def insert(self, before: bytes) -> bytes:
        """Ours after all others."""
        if not before.strip():
            before = _EMPTY
        before = re.sub(rb"<actions\s*/>", b"<actions></actions>", before)
        head, end, tail = before.rpartition(b"</actions>")
        merged = head + self.actions + end + tail
        if not end or not self.holds(merged):
            raise TakenError(
                f"{self.path} is not as Thunar writes it, so it was left. Correct it (Thunar ignores it, too) or "
                "delete it, then install again."
            )
        return merged

    def holds(self, now: bytes) -> bool:
        """Exactly ours, though Thunar's own dialog may have laid them out anew."""
        return set(_summary(now)) == set(_summary(b"<actions>" + self.actions + b"</actions>"))

    def part(self) -> None:
        """Ours are known by their ids."""

    @classmethod
    def strip(cls, now: bytes, _part: None) -> bytes:
        """Without our elements and their lines."""
        return _OURS.sub(b"", now)

    def text(self) -> str:
        """What is put in."""
        return f"<!-- {self.path}, before </actions> -->\n{self.actions.decode()}"


def _summary(content: bytes) -> Iterator[tuple[str | None, ...]]:
    """Of each element of ours, what matters."""
    try:
        root = ET.fromstring(content)  # noqa: S314  the person's own file
    except ET.ParseError:
        return
    for element in root.findall("action"):
        if (element.findtext("unique-id") or "").startswith("nobg-"):
            yield tuple(element.findtext(name) or None for name in ("unique-id", "name", "submenu", "command"))


def pieces(setup: Setup) -> list[Piece]:
    """Our part of uca.xml."""
    first, *others = setup.verbs
    text = action(setup, first, "") + "".join(action(setup, verb, MORE) for verb in others)
    places = (*setup.config_dirs, setup.root / "etc/xdg", *sorted(setup.root.glob("etc/xdg/xdg-*")))
    system = tuple(place / "Thunar" / "uca.xml" for place in places)
    return [Actions(setup.config / "Thunar" / "uca.xml", text.encode(), system), icon(setup)]


def action(setup: Setup, verb: Verb, submenu: str) -> str:
    """One element, on pictures and folders."""
    label = quoting.xml(verb.label.replace("_", "__"))  # else it underlines the letter after it
    command = quoting.command([*setup.client, *verb.arguments, "--"], "%U")
    return (
        "<action>\n"
        "\t<icon>nobg</icon>\n"
        f"\t<name>{label}</name>\n"
        f"\t<submenu>{quoting.xml(submenu)}</submenu>\n"
        f"\t<unique-id>nobg-{verb.key}</unique-id>\n"
        f"\t<command>{quoting.xml(command)}</command>\n"
        f"\t<description>{quoting.xml(TOOLTIP)}</description>\n"
        "\t<range>*</range>\n"
        "\t<patterns>*</patterns>\n"
        "\t<directories/>\n"
        "\t<image-files/>\n"
        "</action>\n"
    )


THUNAR = Manager(
    key="thunar",
    label="Thunar",
    present=lambda setup: setup.has("thunar"),
    pieces=pieces,
    kinds=(Actions, File),
    notice="thunar -q",
    process="thunar",
)
