"""Nemo (Cinnamon): an action for each verb. Nemo 5 has no sub-menus, so all labels begin with the same words."""

from __future__ import annotations

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import Target
from integrations.verbs import Verb, flat_label


def artifacts(setup: Setup) -> list[Artifact]:
    """Return a file for each action, and the icon. The files are numbered because Nemo sorts actions by file name."""
    folder = setup.data_home / "nemo" / "actions"
    names = [f"nobg-{number:02}-{verb.key}.nemo_action" for number, verb in enumerate(setup.all_verbs)]
    actions = [File(folder / name, action(setup, verb)) for name, verb in zip(names, setup.all_verbs, strict=True)]
    return [*actions, icon_file(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """Return the action of a verb. It asks for URIs in double quotes: else a name with an apostrophe runs nothing."""
    command = quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U")
    selection, folders = ("s", []) if verb == setup.touch_up else ("notnone", ["inode/directory"])
    return quoting.key_file(
        (
            "Nemo Action",
            [
                ("Active", "true"),
                ("Name", quoting.string_value(flat_label(verb).replace("%", "%%").replace("_", "__"))),
                ("Comment", quoting.string_value(verb.tooltip)),
                ("Exec", quoting.string_value(command)),
                ("Icon-Name", "nobg"),
                ("Selection", selection),
                ("Mimetypes", quoting.list_value([*setup.mime_types, *folders])),
                ("Quote", "double"),
                ("Dependencies", quoting.list_value([setup.client_program])),  # without it, Nemo hides the entry
            ],
        )
    )


NEMO = Target(key="nemo", label="Nemo", is_present=lambda setup: setup.has_program("nemo"), artifacts=artifacts)
