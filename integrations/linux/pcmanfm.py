"""PCManFM (LXDE): file-manager actions (DES-EMA), which libfm's module runs."""

from __future__ import annotations

from integrations.base import File, Manager, Piece, Setup, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon
from integrations.verbs import MORE


def pieces(setup: Setup) -> list[Piece]:
    """An action for each verb, and the sub-menu that holds all but the first."""
    folder = setup.data / "file-manager" / "actions"
    _, *others = setup.verbs
    menu = quoting.groups(
        (
            "Desktop Entry",
            [*_names("Menu", MORE), ("ItemsList", quoting.items(f"nobg-{verb.key}" for verb in others))],
        )
    )
    actions = [File(folder / f"nobg-{verb.key}.desktop", action(setup, verb)) for verb in setup.verbs]
    return [*actions, File(folder / "nobg-more.desktop", menu), icon(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """One action with its one profile."""
    command = quoting.command([*setup.client, *verb.arguments, "--"], "%U")
    return quoting.groups(
        ("Desktop Entry", [*_names("Action", verb.label), ("Profiles", "pictures;")]),
        (
            "X-Action-Profile pictures",
            [
                ("Name", "pictures"),
                ("MimeTypes", _NOT_FOR),
                ("Exec", quoting.value(command)),
            ],
        ),
    )


# One pattern must fit all that is selected, or the action is not shown: JPEG and PNG together need a wide one.
_NOT_FOR = "*;!text/*;!application/*;!audio/*;!video/*;"


def _names(kind: str, label: str) -> list[tuple[str, str]]:
    # PCManFM draws the tooltip as the label, and underlines the letter after an underscore.
    return [
        ("Type", kind),
        ("Name", quoting.value(label)),
        ("Tooltip", quoting.value(label.replace("_", "__"))),
        ("Icon", "nobg"),
    ]


def _lacks(setup: Setup) -> str:
    if setup.has_library("libfm/modules/gtk-menu-actions.so"):
        return ""
    return "PCManFM shows such entries only with the package libfm-modules: install it, then restart PCManFM."


PCMANFM = Manager(
    key="pcmanfm",
    label="PCManFM",
    present=lambda setup: setup.has("pcmanfm"),
    pieces=pieces,
    notice="close all its windows (where it draws the desktop: log out and in)",
    process="pcmanfm",
    lacks=_lacks,
)
