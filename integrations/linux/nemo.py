"""Nemo (Cinnamon): an action for each verb. Nemo 5 has no sub-menus, so all labels begin alike."""

from __future__ import annotations

from integrations.base import Artifact, File, Setup, Target, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.verbs import TOOLTIP, flat_label


def artifacts(setup: Setup) -> list[Artifact]:
    """Nemo sorts actions by file name, hence the number in it."""
    folder = setup.data_home / "nemo" / "actions"
    names = [f"nobg-{number:02}-{verb.key}.nemo_action" for number, verb in enumerate(setup.verbs)]
    actions = [File(folder / name, action(setup, verb)) for name, verb in zip(names, setup.verbs, strict=True)]
    return [*actions, icon_file(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """One action. URIs in double quotes: Nemo runs nothing at all on an apostrophe otherwise."""
    command = quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U")
    return quoting.key_file(
        (
            "Nemo Action",
            [
                ("Active", "true"),
                ("Name", quoting.string_value(flat_label(verb).replace("%", "%%").replace("_", "__"))),
                ("Comment", quoting.string_value(TOOLTIP)),
                ("Exec", quoting.string_value(command)),
                ("Icon-Name", "nobg"),
                ("Selection", "notnone"),
                ("Mimetypes", quoting.list_value([*setup.mime_types, "inode/directory"])),
                ("Quote", "double"),
            ],
        )
    )


NEMO = Target(key="nemo", label="Nemo", is_present=lambda setup: setup.has_program("nemo"), artifacts=artifacts)
