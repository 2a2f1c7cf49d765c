"""Dolphin (KDE): service menus. KF5 from 5.85 on and KF6 read the same folder; an older place would show them twice."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.base import Artifact, File, Setup, Target, Verb
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.verbs import SUBMENU_LABEL


def artifacts(setup: Setup) -> list[Artifact]:
    """One file for the menu itself, one for the sub-menu. Without the exec bit KDE refuses to run them."""
    folder = setup.data_home / "kio" / "servicemenus"
    top, more = service_menu(setup, setup.verbs[:1]), service_menu(setup, setup.verbs[1:], submenu=SUBMENU_LABEL)
    return [
        File(folder / "nobg.desktop", top, executable=True),
        File(folder / "nobg-more.desktop", more, executable=True),
        icon_file(setup),
    ]


def service_menu(setup: Setup, verbs: Sequence[Verb], submenu: str | None = None) -> bytes:
    """A service menu with these verbs. KF5 wants the service type, KF6 reads past it; KIO sorts by actions' names."""
    names = [f"{number:02}-{verb.key}" for number, verb in enumerate(verbs)]
    head = [
        ("Type", "Service"),
        ("X-KDE-ServiceTypes", "KonqPopupMenu/Plugin"),
        ("MimeType", quoting.list_value([*setup.mime_types, "inode/directory"])),
        ("Actions", quoting.list_value(names)),
        ("X-KDE-Priority", "TopLevel"),
        ("Icon", "nobg"),
    ]
    if submenu is not None:
        head.append(("X-KDE-Submenu", quoting.string_value(submenu)))
    actions = [
        (
            f"Desktop Action {name}",
            [
                ("Name", quoting.string_value(verb.label)),
                ("Icon", "nobg"),
                ("Exec", quoting.string_value(quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U"))),
            ],
        )
        for name, verb in zip(names, verbs, strict=True)
    ]
    return quoting.key_file(("Desktop Entry", head), *actions)


DOLPHIN = Target(
    key="dolphin", label="Dolphin", is_present=lambda setup: setup.has_program("dolphin"), artifacts=artifacts
)
