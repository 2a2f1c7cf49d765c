"""PCManFM (LXDE): file-manager actions (DES-EMA), which libfm's module runs."""

from __future__ import annotations

from integrations.base import Artifact, File, Setup, Target, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.verbs import SUBMENU_LABEL


def artifacts(setup: Setup) -> list[Artifact]:
    """An action for each verb, and the sub-menu that holds all but the first."""
    folder = setup.data_home / "file-manager" / "actions"
    _, *others = setup.verbs
    menu = quoting.key_file(
        (
            "Desktop Entry",
            [
                *_common_lines("Menu", SUBMENU_LABEL),
                ("ItemsList", quoting.list_value(f"nobg-{verb.key}" for verb in others)),
            ],
        )
    )
    actions = [File(folder / f"nobg-{verb.key}.desktop", action(setup, verb)) for verb in setup.verbs]
    return [*actions, File(folder / "nobg-more.desktop", menu), icon_file(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """One action with its one profile."""
    command = quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U")
    return quoting.key_file(
        ("Desktop Entry", [*_common_lines("Action", verb.label), ("Profiles", "pictures;")]),
        (
            "X-Action-Profile pictures",
            [
                ("Name", "pictures"),
                ("MimeTypes", _MIME_TYPE_PATTERNS),
                ("Exec", quoting.string_value(command)),
            ],
        ),
    )


# One pattern must fit all that is selected, or the action is not shown: JPEG and PNG together need a wide one.
_MIME_TYPE_PATTERNS = "*;!text/*;!application/*;!audio/*;!video/*;"


def _common_lines(kind: str, label: str) -> list[tuple[str, str]]:
    # PCManFM draws the tooltip as the label, and underlines the letter after an underscore.
    return [
        ("Type", kind),
        ("Name", quoting.string_value(label)),
        ("Tooltip", quoting.string_value(label.replace("_", "__"))),
        ("Icon", "nobg"),
    ]


def _hint(setup: Setup) -> str:
    if setup.has_library("libfm/modules/gtk-menu-actions.so"):
        return ""
    return "PCManFM shows such entries only with the package libfm-modules: install it, then restart PCManFM."


PCMANFM = Target(
    key="pcmanfm",
    label="PCManFM",
    is_present=lambda setup: setup.has_program("pcmanfm"),
    artifacts=artifacts,
    restart_instruction="close all its windows (where it draws the desktop: log out and in)",
    process_name="pcmanfm",
    hint=_hint,
)
