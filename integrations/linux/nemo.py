"""Nemo (Cinnamon): an action for each verb. Nemo 5 has no sub-menus, so all labels begin alike."""

from __future__ import annotations

from integrations.base import File, Manager, Piece, Setup, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon
from integrations.verbs import TOOLTIP, flat


def pieces(setup: Setup) -> list[Piece]:
    """Nemo sorts actions by file name, hence the number in it."""
    folder = setup.data / "nemo" / "actions"
    names = [f"nobg-{number:02}-{verb.key}.nemo_action" for number, verb in enumerate(setup.verbs)]
    actions = [File(folder / name, action(setup, verb)) for name, verb in zip(names, setup.verbs, strict=True)]
    return [*actions, icon(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """One action. URIs in double quotes: Nemo runs nothing at all on an apostrophe otherwise."""
    command = quoting.command([*setup.client, *verb.arguments, "--"], "%U")
    return quoting.groups(
        (
            "Nemo Action",
            [
                ("Active", "true"),
                ("Name", quoting.value(flat(verb).replace("%", "%%").replace("_", "__"))),
                ("Comment", quoting.value(TOOLTIP)),
                ("Exec", quoting.value(command)),
                ("Icon-Name", "nobg"),
                ("Selection", "notnone"),
                ("Mimetypes", quoting.items([*setup.mime_types, "inode/directory"])),
                ("Quote", "double"),
            ],
        )
    )


NEMO = Manager(key="nemo", label="Nemo", present=lambda setup: setup.has("nemo"), pieces=pieces)
